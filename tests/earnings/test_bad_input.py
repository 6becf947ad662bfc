"""Bad input to the ledger: whatever a network, a clock or a price does, no income is invented and none is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.earnings.ledger import Ledger
from orch.earnings.rates import mean_income
from orch.model.money import Accrual, Amounts, Price, PriceNow
from orch.model.readings import Reading

T0 = datetime(2026, 10, 31, 22, tzinfo=UTC)
PRICE = Decimal("0.2")


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def priced(usd: Decimal | None = PRICE):
    price = None if usd is None else Price(token="GLM", usd=usd, source="s", observed_at=T0, fetched_at=T0)
    return lambda unit: PriceNow(token=unit, state="unknown" if usd is None else "fresh", price=price, age_s=0.0)


def stream(hours: float, accrued: str | Decimal, **rest) -> Accrual:
    known = {"stream": "s", "unit": "GLM", "period_start": T0, "as_of": at(hours)}
    return Accrual(amounts=Amounts(accrued=Decimal(accrued)), **(known | rest))


def reading(*accruals: Accrual) -> Reading:
    return Reading(
        node="n",
        protocol="golem",
        taken_at=T0,
        emulated=False,
        health="online",
        health_reason="",
        last_seen_at=T0,
        accruals=accruals,
    )


def booked(ledger: Ledger, accrual: Accrual, hours: float, price=PRICE):
    return ledger.book(reading(accrual), priced(price), at(hours))


class TestClocks:
    def test_a_clock_that_steps_back_neither_takes_nor_gives(self):
        ledger = Ledger("h")
        booked(ledger, stream(2, "2"), 2)
        assert booked(ledger, stream(1, "1"), 1) == ()  # an hour back: older than what is known
        later = booked(ledger, stream(3, "3"), 3)
        assert [(entry.amount, entry.period_start, entry.period_end) for entry in later] == [(1, at(2), at(3))]
        assert ledger.stream_total("n", "s") == 3

    def test_a_clock_that_leaps_ahead_books_what_was_earned_and_no_more(self):
        ledger = Ledger("h")
        booked(ledger, stream(1, "1"), 1)
        booked(ledger, stream(1000, "1.5"), 1000)
        assert ledger.stream_total("n", "s") == Decimal("1.5")
        assert sum(ledger.income("n").native.values()) == pytest.approx(1.5)

    def test_after_a_leap_that_was_put_right_income_goes_on(self):
        ledger = Ledger("h")
        booked(ledger, stream(1, "1"), 1)
        booked(ledger, stream(5, "1.2"), 5)
        assert booked(ledger, stream(2, "1.3"), 2) == ()  # until the clock is past where it had been
        booked(ledger, stream(6, "1.8"), 6)
        assert ledger.stream_total("n", "s") == Decimal("1.8")

    def test_the_hour_that_a_zone_has_twice_is_two_hours(self):
        zone = ZoneInfo("Europe/Berlin")
        first = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=0)
        second = datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=1)
        ledger = Ledger("h")
        accrual = stream(0, "1", period_start=first.astimezone(UTC), as_of=second.astimezone(UTC))
        ledger.book(reading(accrual), priced(), second.astimezone(UTC))
        assert sorted(ledger.income("n").native.values()) == pytest.approx([0.5, 0.5])

    def test_a_rate_over_the_hour_that_a_zone_skips_is_of_real_hours(self):
        ledger = Ledger("h")
        start = datetime(2026, 3, 28, 12, tzinfo=UTC)
        for hour in range(1, 31):
            now = start + timedelta(hours=hour)
            accrual = stream(0, str(hour), period_start=start, as_of=now)
            ledger.book(reading(accrual), priced(), now)
        found = mean_income(ledger.income("n"), 24 * 3600.0)
        assert found is not None
        assert found.mean == pytest.approx(1.0)


class TestPeriods:
    def test_over_the_edge_of_a_month_each_month_keeps_its_own(self):
        ledger = Ledger("h")
        october = stream(1, "5", stream="s:2026-10", semantics="per_period")
        booked(ledger, october, 1)
        closed = stream(3, "5.5", stream="s:2026-10", semantics="per_period", period_end=at(2))
        november = stream(3, "0.1", stream="s:2026-11", semantics="per_period", period_start=at(2))
        entries = ledger.book(reading(closed, november), priced(), at(3))
        assert [(e.stream, e.kind, e.amount, e.period_end) for e in entries] == [
            ("s:2026-10", "correction", Decimal("0.5"), at(2)),
            ("s:2026-11", "earned", Decimal("0.1"), at(3)),
        ]

    def test_an_epoch_that_is_counted_again_is_corrected_not_added(self):
        ledger = Ledger("h")
        booked(ledger, stream(1, "100", stream="epoch 3"), 1)
        booked(ledger, stream(2, "97", stream="epoch 3", final=True, period_end=at(2)), 2)
        booked(ledger, stream(2, "97", stream="epoch 3", final=True, period_end=at(2)), 3)
        assert ledger.stream_total("n", "epoch 3") == 97


class TestCounters:
    def test_a_counter_that_begins_again_is_written_off_once_and_then_counts(self):
        """A total of a stream may only fall by a correction: what it says last is what was earned."""
        ledger = Ledger("h")
        entries = [*booked(ledger, stream(1, "7"), 1), *booked(ledger, stream(2, "1"), 2)]
        entries += booked(ledger, stream(3, "2"), 3)
        assert [(e.kind, e.amount) for e in entries] == [("earned", 7), ("correction", -6), ("earned", 1)]
        assert ledger.stream_total("n", "s") == 2
        assert ledger.earned("n").accrued == 2 * PRICE

    def test_a_balance_that_falls_to_nothing_was_paid_and_nothing_is_lost(self):
        ledger, entries = Ledger("h"), []
        for hour, balance in ((1, "3"), (2, "0"), (3, "0.5"), (4, "0.5")):
            entries += booked(ledger, stream(hour, balance, semantics="balance"), hour)
        assert [(e.kind, e.amount) for e in entries] == [("earned", 3), ("paid", 3), ("earned", Decimal("0.5"))]
        assert ledger.earned("n").accrued == Decimal("3.5") * PRICE

    def test_the_same_answer_twice_is_booked_once(self):
        ledger = Ledger("h")
        twice = reading(stream(1, "1"), stream(1, "1"))
        assert len(ledger.book(twice, priced(), at(1))) == 1


class TestPrices:
    def test_without_a_price_income_is_kept_in_its_own_unit(self):
        ledger = Ledger("h")
        (entry,) = booked(ledger, stream(1, "2"), 1, price=None)
        assert (entry.amount, entry.usd, entry.usd_price) == (2, None, None)
        booked(ledger, stream(1, "2"), 2)
        assert ledger.earned("n").accrued == 2 * PRICE

    @pytest.mark.parametrize("odd", ["0", "NaN", "Infinity", "-1"])
    def test_a_price_that_cannot_be_one_is_no_price(self, odd):
        ledger = Ledger("h")
        (entry,) = booked(ledger, stream(1, "2"), 1, price=Decimal(odd))
        assert entry.usd is None
        booked(ledger, stream(1, "2"), 2)
        assert ledger.earned("n").accrued == 2 * PRICE


answers = st.tuples(st.integers(1, 12), st.integers(0, 10**20), st.sampled_from(["0", "NaN", "0.2", "3", "none"]))


@settings(max_examples=150, deadline=None)
@given(st.lists(answers, min_size=1, max_size=15))
def test_in_whatever_order_and_at_whatever_prices_answers_come_the_newest_counts(found):
    ledger, entries, newest = Ledger("h"), [], (0, 0)
    for step, (hour, wei, price) in enumerate(found):
        amount = Decimal(wei).scaleb(-18)
        entries += booked(ledger, stream(hour, amount), step, price=None if price == "none" else Decimal(price))
        if hour >= newest[0]:
            newest = (hour, amount)
    assert sum((entry.amount for entry in entries), Decimal(0)) == newest[1]
    assert ledger.stream_total("n", "s") == newest[1]
    assert all(entry.usd is None or entry.usd.is_finite() for entry in entries)
    assert ledger.earned("n").accrued == sum((entry.usd for entry in entries if entry.usd is not None), Decimal(0))
