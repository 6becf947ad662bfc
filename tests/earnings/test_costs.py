"""What running costs, what is left after it, and when that is not said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orch.earnings.costs import (
    RunningCosts,
    charges,
    charges_doubt,
    exactly,
    idle_cost,
    less,
    node_cost,
    scaled,
    smoothed,
    total_cost,
)
from orch.earnings.rates import add_rates
from orch.model.money import Accrual, Amounts, CostPerHour, Price, PriceNow, Rate
from orch.model.readings import Reading
from orch.model.resources import Resources

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
COSTS = RunningCosts(usd_per_kwh=0.3, watts_idle=25.0, watts_per_core=8.0, watts_doubt=0.25)


def rate(mean: float, half: float = 0.0, **named) -> Rate:
    return Rate(
        low=mean - half,
        mean=mean,
        high=mean + half,
        net_mean=None,
        evidence="accrued",
        window_s=3600.0,
        age_s=0.0,
        **named,
    )


def test_a_modelled_node_pays_for_the_cores_it_keeps_busy_and_says_how_sure_that_is():
    cost, note = node_cost(COSTS, Resources(cpu_cores=2.0))
    assert (cost.low, cost.mean, cost.high) == pytest.approx((0.0036, 0.0048, 0.006))
    assert note == ""
    assert idle_cost(COSTS).mean == pytest.approx(0.0075)


def test_a_measured_host_is_shared_by_busy_cores_above_idle():
    costs = RunningCosts(usd_per_kwh=0.3, watts_idle=25.0, watts=65.0, busy_cores=4.0, watts_doubt=0.1)
    cost, _ = node_cost(costs, Resources(cpu_cores=1.0))
    assert (cost.low, cost.mean, cost.high) == pytest.approx((0.0027, 0.003, 0.0033))
    whole, _ = node_cost(costs, Resources(cpu_cores=9.0))
    assert whole.mean == pytest.approx(0.012)


@pytest.mark.parametrize(
    ("costs", "used", "why"),
    [
        (RunningCosts(), Resources(cpu_cores=2.0), "running costs are not known"),
        (RunningCosts(note="the tariff ran out"), Resources(cpu_cores=2.0), "the tariff ran out"),
        (COSTS, Resources(), "how many cores it keeps busy is not known"),
        (
            RunningCosts(usd_per_kwh=0.3, watts=50.0),
            Resources(cpu_cores=1.0),
            "how many cores the host keeps busy is not known",
        ),
        (
            RunningCosts(usd_per_kwh=0.0, usd_per_gb_up=0.1),
            Resources(cpu_cores=1.0),
            "its traffic is metered and not known",
        ),
    ],
)
def test_what_is_not_known_costs_nobody_knows_what_and_says_why(costs, used, why):
    assert node_cost(costs, used) == (None, why)
    assert less(rate(1.0), None, why).net_note == why


def test_free_electricity_needs_no_watts():
    cost, _ = node_cost(RunningCosts(usd_per_kwh=0.0), Resources())
    assert cost == exactly(0.0)


def test_metered_traffic_lies_between_all_down_and_all_up():
    costs = RunningCosts(usd_per_kwh=0.0, usd_per_gb_up=0.02, usd_per_gb_down=0.01)
    cost, _ = node_cost(costs, Resources(bandwidth_mbps=10.0))
    assert (cost.low, cost.mean, cost.high) == pytest.approx((0.045, 0.0675, 0.09))


def test_electricity_that_pays_for_being_used_is_a_negative_cost():
    cost, _ = node_cost(RunningCosts(usd_per_kwh=-0.1, watts_per_core=10.0), Resources(cpu_cores=1.0))
    assert cost.low < cost.mean < cost.high < 0
    assert less(rate(1.0), cost).net_mean == pytest.approx(1.001)


# -- fees and gas ------------------------------------------------------------------------------------------


def reading(*accruals: Accrual, fee_share: float = 0.0) -> Reading:
    return Reading(
        node="relay",
        protocol="streamr",
        taken_at=NOW,
        emulated=False,
        health="online",
        health_reason="",
        last_seen_at=NOW,
        accruals=accruals,
        fee_share=fee_share,
    )


def charged(kind: str, amount: str, days_ago: float, days: float = 0.0, unit: str = "USD") -> Accrual:
    end = NOW - timedelta(days=days_ago)
    return Accrual(
        stream=f"{kind}{days_ago}",
        unit=unit,
        amounts=Amounts(settled=Decimal(amount)),
        period_start=end - timedelta(days=days),
        as_of=end,
        kind=kind,
    )


def test_gas_and_fees_of_a_month_are_spread_over_it():
    found = charges(reading(charged("gas", "3.6", 20), charged("fee", "3.6", 1)), {}, NOW)
    assert found.mean == pytest.approx(7.2 / (20 * 24))
    assert found.high - found.mean == pytest.approx(found.mean / 2**0.5)


def test_only_the_part_within_the_month_counts_and_income_is_no_fee():
    long = charged("fee", "6", 0, days=60)
    earned = charged("earned", "100", 1)
    assert charges(reading(long, earned, charged("gas", "9", 31)), {}, NOW).mean == pytest.approx(3 / 720)


def test_fees_that_are_taken_off_every_income_are_not_taken_off_twice():
    gas, fee = charged("gas", "1", 10), charged("fee", "9", 10)
    assert charges(reading(gas, fee, fee_share=0.1), {}, NOW) == charges(reading(gas), {}, NOW)


def test_gas_in_a_token_needs_its_price():
    gas = reading(charged("gas", "2", 10, unit="POL"))
    assert charges(gas, {}, NOW) is None
    known = Price(token="POL", usd=Decimal("0.5"), source="x", observed_at=NOW, fetched_at=NOW)
    prices = {"POL": PriceNow(token="POL", state="fresh", price=known, age_s=0.0)}
    assert charges(gas, prices, NOW).mean == pytest.approx(1 / 240)


def test_what_is_not_known_of_gas_is_said():
    gas = reading(charged("gas", "2", 10, unit="POL"))
    assert charges_doubt(gas, {}) == "its gas is in POL, which has no price"
    known = Price(token="POL", usd=Decimal("0.5"), source="x", observed_at=NOW, fetched_at=NOW)
    prices = {"POL": PriceNow(token="POL", state="stale", price=known, age_s=7200.0)}
    assert charges_doubt(gas, prices) == "its gas is in POL, whose price is 120 min old"
    assert charges(gas, prices, NOW) is not None
    fresh = {"POL": replace(prices["POL"], state="single_source", age_s=60.0)}
    assert charges_doubt(gas, fresh) == ""
    assert charges_doubt(replace(gas, cost_note="one receipt is missing"), fresh) == "one receipt is missing"


# -- what is left ------------------------------------------------------------------------------------------


def test_a_net_has_the_doubts_of_income_and_of_costs():
    found = less(rate(1.0, 0.3), CostPerHour(low=0.1, mean=0.5, high=0.9))
    assert found.net_mean == 0.5
    assert (found.net_low, found.net_high) == pytest.approx((0.0, 1.0))


@pytest.mark.parametrize(("mean", "stated"), [(1.05, False), (0.95, False), (1.2, True), (0.8, True)])
def test_a_net_smaller_than_its_costs_are_known_to_is_not_stated(mean, stated):
    found = less(rate(mean), CostPerHour(low=0.9, mean=1.0, high=1.1))
    assert (found.net_mean is not None) is stated
    assert ("within 0.1 USD/h of nothing" in found.net_note) is not stated
    assert found.cost is not None


def test_a_sum_knows_its_net_even_where_a_part_of_it_could_not_be_stated():
    small = less(rate(1.05), CostPerHour(low=0.9, mean=1.0, high=1.1))
    found = add_rates((small, less(rate(3.0), exactly(1.0))))
    assert found.net_mean == pytest.approx(2.05)
    unknown = add_rates((small, less(rate(3.0), None, "why")))
    assert (unknown.net_mean, unknown.net_note) == (None, "why")


@given(st.floats(-10, 10), st.floats(0, 10), st.floats(-10, 10), st.floats(0, 10), st.floats(-3, 3))
def test_a_stated_net_lies_within_its_interval(mean, half, cost, doubt, by):
    taken = scaled(CostPerHour(low=cost - doubt, mean=cost, high=cost + doubt), by)
    assert taken.low <= taken.mean + 1e-9
    assert taken.mean <= taken.high + 1e-9
    found = less(rate(mean, half), taken)
    if found.net_mean is not None:
        assert found.net_low <= found.net_mean <= found.net_high


def test_a_cost_is_smoothed_over_an_hour():
    after = smoothed(exactly(1.0), exactly(2.0), 3600.0)
    assert after.mean == pytest.approx(2 - 0.36788, abs=1e-4)
    assert smoothed(None, exactly(2.0), 1.0) == exactly(2.0)
    assert smoothed(exactly(1.0), exactly(2.0), 9 * 3600.0) == exactly(2.0)
    assert total_cost(()) == exactly(0.0)
