"""The ledger's sums equal what the networks say, whatever order, revision or price they come with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.earnings.ledger import Ledger
from orch.model.money import EVIDENCE, Accrual, Amounts, Price, PriceNow, TrailPoint
from orch.model.readings import Reading

T0 = datetime(2026, 11, 1, tzinfo=UTC)
GLM = Decimal("0.23")


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def priced(usd: Decimal | None):
    def price_of(unit: str) -> PriceNow | None:
        if unit.endswith("POINTS"):
            return None
        if usd is None:
            return PriceNow(token=unit, state="unknown", price=None, age_s=None)
        price = Price(token=unit, usd=usd, source="test", observed_at=T0, fetched_at=T0)
        return PriceNow(token=unit, state="fresh", price=price, age_s=0.0)

    return price_of


def reading(*accruals: Accrual, hours: float = 1.0) -> Reading:
    return Reading(
        node="n",
        protocol="golem",
        taken_at=at(hours),
        emulated=False,
        health="online",
        health_reason="",
        last_seen_at=at(hours),
        accruals=accruals,
    )


def accrual(hours: float, *, unit: str = "GLM", **rest) -> Accrual:
    amounts = {k: Decimal(str(v)) for k, v in rest.items() if k in EVIDENCE}
    others = {k: v for k, v in rest.items() if k not in EVIDENCE}
    defaults = {"stream": "s", "unit": unit, "period_start": T0, "as_of": at(hours)}
    return Accrual(amounts=Amounts(**amounts), **(defaults | others))


def sums(entries, field: str = "amount") -> dict[str, Decimal]:
    out: dict[str, Decimal] = {}
    for entry in entries:
        value = getattr(entry, field)
        if entry.kind in ("earned", "correction") and value is not None:
            out[entry.evidence] = out.get(entry.evidence, Decimal(0)) + value
    return {k: v for k, v in out.items() if v}


def test_growth_is_booked_once_with_its_period_and_price():
    ledger = Ledger("h")
    first = ledger.book(reading(accrual(1, estimated="0.5")), priced(GLM), at(1))
    again = ledger.book(reading(accrual(1, estimated="0.5")), priced(GLM), at(1))
    second = ledger.book(reading(accrual(2, estimated="0.7")), priced(Decimal("0.25")), at(2))
    assert again == ()
    assert [(e.kind, e.amount, e.usd) for e in first] == [("earned", Decimal("0.5"), Decimal("0.115"))]
    assert [(e.amount, e.usd_price, e.period_start, e.period_end) for e in second] == [
        (Decimal("0.2"), Decimal("0.25"), at(1), at(2))
    ]


def test_better_evidence_is_a_pair_of_corrections_at_the_booked_price():
    ledger = Ledger("h")
    ledger.book(reading(accrual(1, estimated="1")), priced(Decimal("0.2")), at(1))
    pair = ledger.book(reading(accrual(2, accrued="1")), priced(Decimal("0.9")), at(2))
    assert [(e.kind, e.evidence, e.amount, e.usd, e.usd_price) for e in pair] == [
        ("correction", "estimated", Decimal(-1), Decimal("-0.2"), Decimal("0.2")),
        ("correction", "accrued", Decimal(1), Decimal("0.2"), Decimal("0.2")),
    ]


def test_a_write_off_is_a_negative_correction_and_takes_its_usd_back():
    ledger = Ledger("h")
    ledger.book(reading(accrual(1, estimated="1")), priced(GLM), at(1))
    ledger.book(reading(accrual(2, estimated="1", settled="0.5")), priced(GLM), at(2))
    off = ledger.book(reading(accrual(3, settled="0.5")), priced(Decimal(9)), at(3))
    assert [(e.kind, e.amount, e.usd) for e in off] == [("correction", Decimal(-1), -GLM)]
    assert ledger.earned("n").estimated == 0
    assert ledger.stream_total("n", "s") == Decimal("0.5")


def test_a_closed_period_that_grows_is_a_correction_of_that_period():
    ledger = Ledger("h")
    ledger.book(reading(accrual(1, unit="USD", estimated="5.00")), priced(None), at(1))
    closed = accrual(100, unit="USD", settled="5.03", period_end=at(720), as_of=at(800))
    entries = ledger.book(reading(closed), priced(None), at(800))
    grown = [e for e in entries if e.amount == Decimal("0.03")]
    assert [(e.kind, e.evidence, e.period_end) for e in grown] == [("correction", "settled", at(720))]
    assert ledger.earned("n").settled == Decimal("5.03")


def test_a_balance_that_falls_was_paid_out():
    ledger = Ledger("h")
    for hour, balance in ((1, "3"), (2, "5"), (3, "1"), (4, "2")):
        ledger.book(
            reading(accrual(hour, unit="USD", accrued=balance, semantics="balance")), priced(None), at(hour)
        )
    assert ledger.stream_total("n", "s") == Decimal(6)
    assert ledger.stream_total("n", "s", "paid") == Decimal(4)


def test_income_without_a_price_is_kept_and_priced_later():
    ledger = Ledger("h")
    unpriced = ledger.book(reading(accrual(1, accrued="2")), priced(None), at(1))
    assert [(e.amount, e.usd) for e in unpriced] == [(Decimal(2), None)]
    assert ledger.earned("n").accrued == 0
    pair = ledger.book(reading(accrual(2, accrued="2")), priced(GLM), at(2))
    assert [(e.amount, e.usd) for e in pair] == [(Decimal(-2), None), (Decimal(2), 2 * GLM)]
    assert ledger.earned("n").accrued == 2 * GLM


def test_points_never_become_usd():
    ledger = Ledger("h")
    entries = ledger.book(reading(accrual(1, unit="GRASS_POINTS", speculative="100")), priced(GLM), at(1))
    assert [(e.usd, e.evidence) for e in entries] == [(None, "speculative")]
    assert ledger.speculative("n") == (Decimal(100), "GRASS_POINTS")
    assert ledger.calculate_total_earnings() == Ledger("h").calculate_total_earnings()


def test_an_answer_that_comes_late_changes_nothing():
    ledger = Ledger("h")
    ledger.book(reading(accrual(5, accrued="2")), priced(GLM), at(5))
    assert ledger.book(reading(accrual(4, accrued="1")), priced(GLM), at(6)) == ()


def test_first_contact_is_spread_along_its_trail():
    ledger = Ledger("h")
    trail = (TrailPoint(reached_at=at(10), total=Decimal(1)), TrailPoint(reached_at=at(20), total=Decimal(4)))
    entries = ledger.book(reading(accrual(30, settled="4", accrued="2", trail=trail)), priced(GLM), at(30))
    assert [(e.period_start, e.period_end, e.amount, e.evidence) for e in entries] == [
        (at(0), at(10), Decimal(1), "settled"),
        (at(10), at(20), Decimal(3), "settled"),
        (at(20), at(30), Decimal(2), "accrued"),
    ]


def test_fees_and_penalties_are_negative_and_not_income():
    ledger = Ledger("h")
    entries = ledger.book(reading(accrual(1, settled="3", kind="penalty")), priced(GLM), at(1))
    assert [(e.kind, e.amount, e.usd) for e in entries] == [("penalty", Decimal(-3), -3 * GLM)]
    assert ledger.earned("n").settled == 0


KINDS = ("earned", "held", "released", "paid", "fee", "gas", "penalty")


@pytest.mark.parametrize("kind", KINDS)
def test_better_evidence_leaves_the_sum_of_its_kind_as_it_was(kind):
    ledger, booked = Ledger("h"), []
    booked += ledger.book(reading(accrual(1, accrued="2", kind=kind)), priced(GLM), at(1))
    booked += ledger.book(reading(accrual(2, settled="2", kind=kind)), priced(Decimal(9)), at(2))
    sign = -1 if kind in {"fee", "gas", "penalty"} else 1
    by_evidence = {e: sum(x.amount for x in booked if x.evidence == e) for e in ("accrued", "settled")}
    assert by_evidence == {"accrued": 0, "settled": 2 * sign}
    assert sum(entry.usd for entry in booked) == 2 * sign * GLM
    assert {entry.kind for entry in booked} == ({"earned", "correction"} if kind == "earned" else {kind})


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gets_its_price_as_soon_as_there_is_one(kind):
    ledger = Ledger("h")
    booked = list(ledger.book(reading(accrual(1, settled="2", kind=kind)), priced(None), at(1)))
    booked += ledger.book(reading(accrual(2, settled="2", kind=kind)), priced(GLM), at(2))
    sign = -1 if kind in {"fee", "gas", "penalty"} else 1
    assert sum(entry.usd or 0 for entry in booked) == 2 * sign * GLM
    assert sum(entry.amount for entry in booked) == 2 * sign
    again = Ledger("h", ledger.books())
    assert again.book(reading(accrual(2, settled="2", kind=kind)), priced(GLM), at(3)) == ()


def test_a_payment_is_no_income():
    ledger = Ledger("h")
    ledger.book(reading(accrual(1, settled="2"), accrual(1, settled="2", kind="paid")), priced(GLM), at(1))
    assert ledger.earned("n").settled == 2 * GLM
    assert sum(ledger.income("n").native.values()) == pytest.approx(2)


steps = st.lists(
    st.tuples(
        st.integers(0, 10**21),
        st.integers(0, 10**21),
        st.integers(0, 10**21),
        st.none() | st.integers(1, 10**18),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_sums_always_equal_the_last_accrual_and_survive_a_restart(revisions):
    ledger, booked = Ledger("h"), []
    for hour, (settled, accrued, estimated, price) in enumerate(revisions, start=1):
        if hour % 4 == 0:
            ledger = Ledger("h", ledger.books())
        now = accrual(
            hour,
            **{k: Decimal(v).scaleb(-18) for k, v in zip(EVIDENCE, (settled, accrued, estimated), strict=False)},
        )
        quote = None if price is None else Decimal(price).scaleb(-18)
        booked += ledger.book(reading(now), priced(quote), at(hour))
        want = {e: now.amounts.get(e) for e in EVIDENCE if now.amounts.get(e)}
        assert sums(booked) == want
        earned = ledger.earned("n")
        got = {e: getattr(earned, e) for e in ("settled", "accrued", "estimated") if getattr(earned, e)}
        assert sums(booked, "usd") == got
    assert len({entry.entry_id for entry in booked}) == len(booked)


@pytest.mark.parametrize("hours", [(0.2, 0.4), (0.5, 3.25), (1.0, 1.0)])
def test_income_by_hour_adds_up(hours):
    ledger = Ledger("h")
    start, end = at(hours[0]), at(hours[1])
    ledger.book(reading(accrual(hours[1], accrued="1", period_start=start, as_of=end)), priced(GLM), end)
    assert sum(ledger.income("n").native.values()) == pytest.approx(1.0)
    assert sum(ledger.income("n").usd.values()) == pytest.approx(float(GLM))
