"""A node appraised: unknown stays unknown, and a new allocation does not inherit the old one's rate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orch.earnings.accounts import Income
from orch.earnings.appraise import appraise
from orch.earnings.costs import RunningCosts
from orch.model.books import Turned
from orch.model.money import Accrual, Amounts, Price, PriceNow
from orch.model.readings import Outlook, Pace, Reading
from orch.model.resources import Resources

T0 = datetime(2026, 11, 1, tzinfo=UTC)
COSTS = RunningCosts(usd_per_kwh=0.2, watts_idle=10, watts_per_core=5)


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def glm(state: str = "fresh") -> dict[str, PriceNow]:
    price = None
    if state != "unknown":
        price = Price(token="GLM", usd=Decimal("0.2"), source="s", observed_at=T0, fetched_at=T0)
    return {"GLM": PriceNow(token="GLM", state=state, price=price, age_s=0.0)}


def priced(token: str, usd: str, state: str = "fresh", age_s: float = 0.0) -> dict[str, PriceNow]:
    price = Price(token=token, usd=Decimal(usd), source="s", observed_at=T0, fetched_at=T0)
    return {token: PriceNow(token=token, state=state, price=price, age_s=age_s)}


def income(*hours: float) -> Income:
    first = int(T0.timestamp()) // 3600
    return Income(unit="GLM", native={first + i: v for i, v in enumerate(hours)}, since=T0, until=at(len(hours)))


def reading(cores: float = 2.0, **rest) -> Reading:
    known = {
        "node": "n",
        "protocol": "golem",
        "taken_at": T0,
        "emulated": False,
        "health": "online",
        "health_reason": "",
        "last_seen_at": T0,
        "allocation": Resources(cpu_cores=cores),
        "used": Resources(cpu_cores=1.0),
        "outlooks": (Outlook(form="dial", resource="cpu_cores", unit="GLM", saturation=1.0),),
        "window_s": 24 * 3600.0,
    }
    return Reading(**(known | rest))


def test_income_times_price_less_the_power_of_busy_cores():
    found = appraise(reading(), income(*[0.5] * 48), glm(), COSTS, None, at(48), 24.0)
    assert found.rate is not None
    assert found.rate.mean == pytest.approx(0.1)
    assert found.rate.net_mean == pytest.approx(0.1 - 0.001)
    assert found.worth is not None


@pytest.mark.parametrize(
    ("pol", "net", "note"),
    [
        ({}, None, "its gas is in POL, which has no price"),
        ({"POL": PriceNow(token="POL", state="unknown", price=None, age_s=None)}, None, "its gas is in POL"),
        (priced("POL", "0.5", "stale", 3600.0), 0.1 - 0.001 - 0.025, "whose price is 60 min old"),
        (priced("POL", "0.5"), 0.1 - 0.001 - 0.025, ""),
    ],
)
def test_without_the_price_of_gas_net_is_not_known_and_gross_and_worth_are(pol, net, note):
    gas = Accrual(
        stream="o:gas:0x1",
        unit="POL",
        amounts=Amounts(settled=Decimal("2.4")),
        period_start=T0,
        period_end=T0,
        as_of=T0,
        kind="gas",
        final=True,
    )
    found = appraise(reading(accruals=(gas,)), income(*[0.5] * 48), glm() | pol, COSTS, None, at(48), 24.0)
    assert found.rate.mean == pytest.approx(0.1)
    assert found.worth is not None
    assert found.rate.net_mean == (None if net is None else pytest.approx(net))
    assert note in found.rate.net_note
    assert bool(note) == bool(found.rate.net_note)


@pytest.mark.parametrize(
    ("earned", "prices", "known"),
    [
        (income(*[0.5] * 10), glm(), reading()),  # shorter than the protocol's own window
        (income(*[0.5] * 48), glm("unknown"), reading()),
        (income(*[0.5] * 48), {}, reading()),
        (income(*[0.5] * 48), glm(), reading(paced=True)),  # its own formula has no answer yet
        (Income(), glm(), reading()),
    ],
)
def test_unknown_stays_unknown(earned, prices, known):
    found = appraise(known, earned, prices, COSTS, None, at(48), 24.0)
    assert (found.rate, found.worth) == (None, None)


def test_a_protocols_own_formula_goes_before_the_ledger():
    pace = Pace(unit="USD", low=1.0, mean=2.0, high=3.0, evidence="estimated", window_s=60, as_of=at(47))
    found = appraise(reading(pace=pace, paced=True), income(*[0.5] * 48), glm(), COSTS, None, at(48), 24.0)
    assert found.rate is not None
    assert (found.rate.low, found.rate.mean, found.rate.high) == (1.0, 2.0, 3.0)
    assert (found.rate.evidence, found.rate.age_s) == ("estimated", 3600.0)


def test_after_a_change_the_rate_follows_the_curve_until_it_has_been_seen():
    before = appraise(reading(2.0), income(*[0.5] * 48), glm(), COSTS, None, at(48), 24.0)
    moved = appraise(reading(8.0), income(*[0.5] * 48), glm(), COSTS, before, at(48), 24.0)
    assert before.rate is not None
    assert moved.rate is not None
    assert moved.rate.evidence == "estimated"
    assert 2 * before.rate.mean < moved.rate.mean < 4 * before.rate.mean
    assert moved.rate.high - moved.rate.low > before.rate.high - before.rate.low

    seen = moved
    for hour in range(49, 49 + 26):
        earned = income(*[0.5] * 48, *[1.2] * (hour - 48))
        seen = appraise(reading(8.0), earned, glm(), COSTS, seen, at(hour), 24.0)
    settled = appraise(reading(8.0), income(*[0.5] * 48, *[1.2] * 40), glm(), COSTS, seen, at(48 + 40), 24.0)
    assert settled.rate is not None
    assert settled.rate.mean == pytest.approx(0.24, rel=0.01)
    assert settled.regime is not None
    assert settled.regime.dial_before == 2.0


def test_two_changes_in_a_row_are_both_judged_from_what_was_last_seen():
    before = appraise(reading(2.0), income(*[0.5] * 48), glm(), COSTS, None, at(48), 24.0)
    first = appraise(reading(8.0), income(*[0.5] * 49), glm(), COSTS, before, at(49), 24.0)
    back = appraise(reading(2.0), income(*[0.5] * 50), glm(), COSTS, first, at(50), 24.0)
    assert back.rate is not None
    assert before.rate is not None
    assert back.rate.mean == pytest.approx(before.rate.mean)


def test_after_a_restart_the_recorded_moves_tell_what_the_history_was_earned_with():
    earned = income(*[0.5] * 49)
    before = appraise(reading(2.0), income(*[0.5] * 48), glm(), COSTS, None, at(48), 24.0)
    watched = appraise(reading(8.0), earned, glm(), COSTS, before, at(48), 24.0)
    move = Turned(node="n", resource="cpu_cores", before=2.0, after=8.0, turned_at=at(48))
    other = Turned(node="n", resource="memory_gb", before=8.0, after=16.0, turned_at=at(48))
    remembered = appraise(reading(8.0), earned, glm(), COSTS, None, at(49), 24.0, (move, other))
    assert watched.rate is not None
    assert remembered.rate is not None
    assert remembered.rate.mean == pytest.approx(watched.rate.mean)
    assert remembered.rate.evidence == "estimated"


def test_after_a_restart_a_dial_turned_by_hand_is_seen():
    move = Turned(node="n", resource="cpu_cores", before=2.0, after=8.0, turned_at=at(48))
    found = appraise(reading(4.0), income(*[0.5] * 49), glm(), COSTS, None, at(49), 24.0, (move,))
    assert found.regime is not None
    assert (found.regime.dial, found.regime.dial_before) == (4.0, 2.0)


@pytest.mark.parametrize("usd", ["0", "NaN", "Infinity", "-0.2"])
def test_a_price_that_cannot_be_one_makes_the_rate_unknown_not_zero(usd):
    price = Price(token="GLM", usd=Decimal(usd), source="s", observed_at=T0, fetched_at=T0)
    odd = {"GLM": PriceNow(token="GLM", state="fresh", price=price, age_s=0.0)}
    found = appraise(reading(), income(*[0.5] * 48), odd, COSTS, None, at(48), 24.0)
    assert (found.rate, found.worth) == (None, None)


def test_works_formula_is_pooled_with_the_level_the_ledger_shows():
    pace = Pace(unit="GLM", low=0.5, mean=0.6, high=0.7, evidence="accrued", window_s=7 * 86400, as_of=at(120))
    guess = Pace(unit="GLM", low=0.5, mean=0.6, high=0.7, evidence="estimated", window_s=7 * 86400, as_of=at(120))
    earned = income(*[0.4] * 120)
    both = appraise(reading(pace=pace), earned, glm(), COSTS, None, at(120), 24.0)
    alone = appraise(reading(pace=guess), earned, glm(), COSTS, None, at(120), 24.0)
    young = appraise(reading(pace=pace), income(*[0.4] * 72), glm(), COSTS, None, at(72), 24.0)
    assert both.interval is not None
    assert both.interval.mean == pytest.approx(0.5)
    assert both.interval.low < 0.45
    assert alone.interval is not None
    assert young.interval is not None
    assert alone.interval.mean == young.interval.mean == 0.6
