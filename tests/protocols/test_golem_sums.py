"""What is kept up row by row equals what all rows say together."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from orch.protocols.base import Context
from orch.protocols.golem_memory import GolemMemory, GolemOptions, Pay
from orch.protocols.golem_money import newest_pay, with_pays
from tests.fakes.golem_node import NOW

ROWS = st.lists(
    st.builds(
        lambda name, token, paid, age_h, asked_s: Pay(
            agreement_id=name,
            platform=f"erc20-polygon-{token}",
            due=Decimal(1),
            accepted=Decimal(1),
            paid=paid,
            created_at=None if age_h is None else NOW - timedelta(hours=age_h),
            seen_at=NOW,
            asked_at=NOW - timedelta(seconds=asked_s),
        ),
        st.sampled_from("abcde"),
        st.sampled_from(["glm", "tglm"]),
        st.decimals(0, 1, places=18),
        st.none() | st.integers(0, 5),
        st.integers(0, 5),
    ),
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.integers(1, 7))
def test_the_sum_paid_and_the_newest_agreement_are_those_of_all_rows(rows, page):
    first = {row.agreement_id: row for row in reversed(rows)}
    memory = GolemMemory(options=GolemOptions(), context=Context(node="compute", host="h"))
    for start in range(0, len(rows), page):
        # An agreement keeps its platform and the time it was made.
        kept = [
            Pay(**{**as_dict(row), "platform": known.platform, "created_at": known.created_at})
            for row in rows[start : start + page]
            for known in [first[row.agreement_id]]
        ]
        memory = with_pays(memory, kept, NOW)
    glm = [pay.paid for pay in memory.pays.values() if pay.unit == "GLM"]
    assert memory.paid == sum(glm, Decimal(0))
    dated = [(pay.created_at, pay.agreement_id) for pay in memory.pays.values() if pay.created_at is not None]
    newest = newest_pay(memory)
    assert (newest and newest.agreement_id) == (max(dated)[1] if dated else None)


def as_dict(row):
    return {name: getattr(row, name) for name in row.__struct_fields__}
