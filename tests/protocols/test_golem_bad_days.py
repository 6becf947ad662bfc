"""Clocks that step, totals that fall, answers that come twice or late: no invented income and no lost income.

What the protocol says is booked by the real ledger, so that what is held here are entries, not only accruals.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.earnings.ledger import Ledger
from orch.errors import AbsurdError
from tests.fakes.golem_node import NOW, Node, agreement_id, invoice_row, pay_row, payment_row

HOUR = timedelta(hours=1)


class Booked:
    """A node whose readings are booked one after the other."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ledger = Ledger("here")
        self.entries = []

    def book(self):
        """The entries of the present reading."""
        new = self.ledger.book(self.node.reading(), lambda _: None, self.node.now)
        self.entries += new
        return new

    def total(self, number: int = 1) -> Decimal:
        """What is booked of an agreement, in GLM."""
        return self.ledger.stream_total("compute", agreement_id(number))


@pytest.fixture
def books():
    node = Node().online(agreements=(1,))
    node.say("invoices", []).say("payAgreements", [row("0.01")])
    booked = Booked(node)
    booked.book()
    return booked


def row(due, accepted=None, paid="0", number=1, created_at=NOW - HOUR):
    return pay_row(number, due, due if accepted is None else accepted, paid, created_at)


@pytest.mark.parametrize("step", [-2 * HOUR, timedelta(minutes=-1), 3 * HOUR])
def test_a_step_of_our_clock_neither_makes_nor_loses_income(books, step):
    books.node.later(seconds=step.total_seconds()).say("payAgreements", [row("0.02")])
    books.book()
    assert books.total() == Decimal("0.02")
    books.node.later(seconds=-step.total_seconds(), minutes=1).say("payAgreements", [row("0.03")])
    books.book()
    assert books.total() == Decimal("0.03")
    assert {entry.kind for entry in books.entries} == {"earned"}


def test_while_our_clock_is_days_behind_answers_are_refused_and_nothing_is_lost(books):
    books.node.later(days=-2)
    with pytest.raises(AbsurdError):
        books.node.say("payAgreements", [row("0.02")])
    assert books.book() == ()
    books.node.later(days=2, minutes=1).say("payAgreements", [row("0.03")])
    books.book()
    assert books.total() == Decimal("0.03")


def test_a_row_from_a_clock_that_was_ahead_hides_no_later_one(books):
    ahead = NOW + 6 * HOUR
    books.node.say("payAgreements", [row("0.01"), row("0.5", "0.5", "0.5", 2, ahead)])
    books.node.say("invoices", [invoice_row(2, "0.5", "SETTLED", ahead)])
    asked = books.node.endpoints()["payAgreements"].request.url
    assert asked.endswith("afterTimestamp=2026-11-15T10:59:59.000000Z"), "the open one keeps it back"
    books.node.say("payAgreements", [row("0.01", paid="0.01"), row("0.2", number=3, created_at=NOW)])
    books.node.say("invoices", [invoice_row(1, "0.01", "SETTLED", NOW), invoice_row(3, "0.2", "SETTLED", NOW)])
    books.node.say(f"agreement/{agreement_id(3)}", row("0.2", paid="0.2", number=3, created_at=NOW))
    asked = books.node.endpoints()["payAgreements"].request.url
    assert asked.endswith("afterTimestamp=2026-11-15T11:59:59.000000Z")
    books.book()
    assert [books.total(number) for number in (1, 2, 3)] == [Decimal("0.01"), Decimal("0.5"), Decimal("0.2")]


def test_rows_that_a_clock_wrote_behind_our_back_are_found_by_reading_again(books):
    again = books.node.endpoints()["payAgreements/again"]
    assert again.request.url.endswith("afterTimestamp=2026-11-13T12:00:00.000000Z")
    assert again.period_s == 6 * 3600
    pages = books.node.memory.pay_pages
    books.node.say("payAgreements/again", [row("0.7", number=9, created_at=NOW - 30 * HOUR), row("0.01")])
    books.book()
    assert books.total(9) == Decimal("0.7")
    assert books.node.memory.pay_pages == pages


def test_a_row_of_next_week_is_refused_and_the_rest_stays(books):
    with pytest.raises(AbsurdError):
        books.node.say("payAgreements", [row("9", created_at=NOW + timedelta(days=7))])
    assert books.total() == Decimal("0.01")


@pytest.fixture
def own_zone():
    """The zone of this process is as before afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "before"),
    [
        pytest.param("Europe/Berlin", datetime(2026, 10, 24, 23, tzinfo=UTC), id="an hour twice"),
        pytest.param("Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC), id="an hour that is not"),
    ],
)
def test_summer_time_has_no_bearing(zone, before, own_zone):
    """Naive times are UTC, whatever the host's own zone does that night."""
    own_zone.setenv("TZ", zone)
    time.tzset()
    node = Node(now=before).online(agreements=(1,))
    books = Booked(node.say("invoices", []))
    for hour in range(4):
        node.now = before + hour * HOUR
        node.say("payAgreements", [row(f"0.0{hour + 1}", created_at=before - HOUR)])
        books.book()
    assert books.total() == Decimal("0.04")
    assert node.earned()[1].period_start == before - HOUR
    spans = [(entry.period_start, entry.period_end) for entry in books.entries]
    assert spans == [(before + (k - 1) * HOUR, before + k * HOUR) for k in range(4)]


def test_a_total_that_falls_is_taken_back_and_what_it_gains_again_is_no_more_than_that(books):
    """A database restored from yesterday's backup: the daemon's own totals are what counts."""
    books.node.later(minutes=5).say("payAgreements", [row("0.008")])
    (taken,) = books.book()
    assert (taken.kind, taken.amount) == ("correction", Decimal("-0.002"))
    books.node.later(minutes=5).say("payAgreements", [row("0.012")])
    books.book()
    assert books.total() == Decimal("0.012")
    assert sum(entry.amount for entry in books.entries) == Decimal("0.012")


def test_what_was_paid_and_is_no_longer_is_taken_back(books):
    books.node.later(minutes=5).say("payAgreements", [row("0.01", paid="0.01")])
    books.book()
    books.node.later(minutes=5).say("payAgreements", [row("0.01", paid="0.004")])
    books.book()
    assert books.total() == Decimal("0.01")
    assert books.node.earned()[1].amounts.settled == Decimal("0.004")


def test_counters_that_begin_anew_have_no_bearing_on_money(books):
    full = b"# m\nmarket_proposals_provider_received 900\npayment_amount_received 12345\n"
    books.node.say("metrics", full, kind="text/plain")
    books.node.later(minutes=5).say("metrics", b"# m\nmarket_proposals_provider_received 1\n", kind="text/plain")
    assert books.book() == ()
    assert books.node.memory.signs.counters.proposals == 1


def test_the_same_answer_twice_books_nothing(books):
    books.node.later(minutes=1).say("payAgreements", [row("0.01"), row("0.01")])
    assert books.book() == ()


def test_a_payment_told_twice_is_one_payment(books):
    rows = [payment_row(1, "0.004", NOW), payment_row(1, "0.004", NOW)]
    books.node.say("payments", rows).say("payments/again", rows)
    (paid,) = books.book()
    assert (paid.kind, paid.amount, paid.reference) == ("paid", Decimal("0.004"), "0x" + "ab" * 32)
    assert books.total() == Decimal("0.01"), "what is paid out was earned before"


def test_an_older_answer_that_took_longer_changes_nothing(books):
    books.node.later(seconds=9).say("payAgreements", [row("0.02")], elapsed_s=0.1)
    books.book()
    books.node.later(seconds=0.5).say(f"agreement/{agreement_id(1)}", row("0.01"), elapsed_s=9.0)
    assert books.book() == ()
    assert books.total() == Decimal("0.02")


def test_payments_that_do_not_add_up_are_said_after_two_hours(books):
    books.node.say("payAgreements", [row("0.01", paid="0.01")]).say("payments", [payment_row(1, "0.007", NOW)])
    assert "payments_differ" not in books.node.codes()
    assert "payments_differ" in books.node.later(hours=3).codes()
    books.node.say("payments", [payment_row(2, "0.003", NOW, agreement=1)])
    assert "payments_differ" not in books.node.codes()


glm = st.integers(0, 10**21).map(lambda atto: Decimal(atto).scaleb(-18))
story = st.lists(
    st.tuples(glm, glm, glm, st.sampled_from([None, "ISSUED", "ACCEPTED", "SETTLED", "REJECTED", "CANCELLED"])),
    min_size=1,
    max_size=8,
)


@given(story)
@settings(max_examples=60)
def test_whatever_a_daemon_says_the_ledger_is_what_it_said_last(states):
    node = Node().online(agreements=(1,)).say("invoices", [])
    books = Booked(node)
    for due, accepted, paid, status in states:
        node.later(minutes=2)
        node.say("payAgreements", [row(f"{due:f}", f"{accepted:f}", f"{paid:f}")])
        if status is not None:
            node.say("invoices", [invoice_row(1, f"{due:f}", status, NOW)])
        books.book()
    counted = next((status for *_, status in reversed(states) if status is not None), None)
    due, accepted, paid, _ = states[-1]
    expected = paid if counted in ("REJECTED", "CANCELLED") else max(due, accepted, paid)
    assert books.total() == expected
    assert sum((entry.amount for entry in books.entries), Decimal(0)) == expected
