"""The books come back from the ledger as they were booked."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orch.earnings.ledger import Ledger
from orch.model.money import EVIDENCE, Accrual, Amounts, EarnedUsd, Price, PriceNow
from orch.model.readings import Reading
from orch.store.books import earned_totals, get_earnings_trends, restore_books

HOUR = timedelta(hours=1)
KINDS = ("earned", "held", "released", "paid", "fee", "correction")

MONEY = st.decimals(Decimal("-1e6"), Decimal("1e6"), places=18)
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {
            "node": st.sampled_from(["disk", "relay"]),
            "stream": st.sampled_from(["s1", "s2"]),
            "kind": st.sampled_from(KINDS),
            "evidence": st.sampled_from(EVIDENCE),
            "amount": MONEY,
            "usd": st.none() | MONEY,
            "minutes": st.integers(-3 * 60, 5 * 60),
            "length": st.sampled_from([0, 1, 45, 60, 150, 900]),
        }
    ),
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=ENTRIES)
def test_balances_and_hours_equal_sums_by_hand(emptied, make, drawn):
    writer = emptied()
    entries = []
    for number, fields in enumerate(drawn):
        start = make.START + timedelta(minutes=fields.pop("minutes"))
        end = start + timedelta(minutes=fields.pop("length"))
        entries.append(make.entry(f"e{number}", **{**fields, "period_start": start, "period_end": end}))
    writer.add_tick(make.snapshot(), entries, 9)
    writer.commit()
    books = restore_books(writer.connection, make.START + timedelta(days=20))
    totals = earned_totals(writer.connection)
    trend = get_earnings_trends(writer.connection, make.START - 24 * HOUR, make.START + 48 * HOUR, node="disk")
    writer.close()

    assert books.sequence == 9
    groups = defaultdict(list)
    for entry in entries:
        groups[entry.node, entry.stream, entry.kind, entry.evidence].append(entry)
    assert {(b.node, b.stream, b.kind, b.evidence) for b in books.balances} == set(groups)
    for balance in books.balances:
        group = groups[balance.node, balance.stream, balance.kind, balance.evidence]
        assert balance.amount == sum(entry.amount for entry in group)
        assert balance.unpriced == sum(entry.amount for entry in group if entry.usd is None)
        assert balance.usd == sum(entry.usd for entry in group if entry.usd is not None)
        assert balance.last_period_end == max(entry.period_end for entry in group)
        assert balance.entries == len(group)

    income = [e for e in entries if e.kind in {"earned", "correction"} and e.evidence != "speculative"]
    by_evidence = {
        name: sum((e.usd for e in income if e.evidence == name and e.usd is not None), Decimal(0))
        for name in ("settled", "accrued", "estimated")
    }
    assert totals.total == EarnedUsd(**by_evidence)
    for node in ("disk", "relay"):
        hours = [hour for hour in books.hourly if hour.node == node]
        mine = [entry for entry in income if entry.node == node]
        assert sum(hour.usd for hour in hours) == pytest.approx(float(sum(e.usd or 0 for e in mine)), abs=1e-6)
        assert sum(hour.amount for hour in hours) == pytest.approx(float(sum(e.amount for e in mine)), abs=1e-6)
        for hour in hours:
            assert hour.usd == pytest.approx(sum(float(e.usd or 0) * share(e, hour.hour) for e in mine), abs=1e-6)
    disk = [(hour.hour, hour.usd) for hour in books.hourly if hour.node == "disk" and hour.usd]
    assert [(step.starts_at, step.usd) for step in trend] == disk


def share(entry, hour):
    """How much of an entry's period lies in an hour."""
    length = entry.period_end - entry.period_start
    if not length:
        return float(hour <= entry.period_end < hour + HOUR)
    overlap = min(entry.period_end, hour + HOUR) - max(entry.period_start, hour)
    return max(overlap / length, 0.0)


def test_hours_older_than_31_days_are_left_out(writer, make):
    writer.add_tick(make.snapshot(), (make.entry(hours=4.0, usd="4"),), 1)
    writer.commit()
    books = restore_books(writer.connection, make.START + timedelta(days=31, hours=2))
    assert [(hour.hour, hour.usd) for hour in books.hourly] == [
        (make.START + 2 * HOUR, 1.0),
        (make.START + 3 * HOUR, 1.0),
    ]
    assert books.balances[0].usd == 4


def test_a_ledger_goes_on_from_the_restored_books_as_if_nothing_had_been(writer, make):
    def price_of(unit):
        price = Price(token=unit, usd=Decimal("0.2"), source="x", observed_at=make.START, fetched_at=make.START)
        return PriceNow(token=unit, state="fresh", price=price, age_s=0.0)

    def reading(hours, **amounts):
        accrual = Accrual(
            stream="agreement 1",
            unit="GLM",
            amounts=Amounts(**{name: Decimal(amount) for name, amount in amounts.items()}),
            period_start=make.START,
            as_of=make.START + hours * HOUR,
        )
        return Reading(
            node="compute", protocol="golem", taken_at=accrual.as_of, emulated=True, health="online",
            health_reason="", last_seen_at=accrual.as_of, accruals=(accrual,),
        )  # fmt: skip

    live = Ledger("here")
    said = [(1, {"accrued": "1.5"}), (3, {"accrued": "2.25", "estimated": "0.125"}), (5, {"settled": "2.375"})]
    for number, (hours, amounts) in enumerate(said, 1):
        now = make.START + hours * HOUR
        writer.add_tick(make.snapshot(now), live.book(reading(hours, **amounts), price_of, now), number)
    writer.commit()
    restored = Ledger("here", restore_books(writer.connection, make.START + 6 * HOUR))
    assert restored.calculate_total_earnings() == live.calculate_total_earnings()
    assert restored.stream_total("compute", "agreement 1") == Decimal("2.375")
    assert restored.income("compute").usd == pytest.approx(live.income("compute").usd)
    now = make.START + 7 * HOUR
    assert restored.book(reading(5, settled="2.375"), price_of, now) == ()
    later = restored.book(reading(7, settled="3"), price_of, now)
    assert later == live.book(reading(7, settled="3"), price_of, now)
    assert earned_totals(writer.connection).total == live.earned("compute").__class__(settled=Decimal("0.475"))


def test_the_books_remember_which_settings_moves_changed(writer, make):
    writer.add_reallocation(make.reallocation("r1", "settled", make.START, ended_at=make.START + HOUR))
    writer.add_reallocation(make.reallocation("r2", "rolled_back", make.START + HOUR))
    writer.add_reallocation(make.reallocation("r0", "settled", make.START - timedelta(days=40)))
    writer.commit()
    books = restore_books(writer.connection, make.START + 2 * HOUR)
    assert [(t.node, t.resource, t.before, t.after, t.turned_at) for t in books.turned] == [
        ("disk", "cpu_cores", 1.0, 2.0, make.START + HOUR)
    ]
