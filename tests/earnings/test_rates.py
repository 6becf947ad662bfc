"""Rates are honest intervals; curves explain what was observed."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.earnings.accounts import Income
from orch.earnings.rates import Interval, add_rates, mean_income, pooled, smooth, to_rate
from orch.earnings.worth import learn_worth, mean_demand, scale_to_new_dial, use_of
from orch.model.money import Rate
from orch.model.readings import Outlook
from orch.model.resources import ZERO, Resources

T0 = datetime(2026, 11, 1, tzinfo=UTC)
DAY_S = 24 * 3600.0


def income(values: list[float]) -> Income:
    first = int(T0.timestamp()) // 3600
    return Income(
        unit="GLM",
        native={first + i: v for i, v in enumerate(values) if v},
        since=T0,
        until=T0 + timedelta(hours=len(values)),
    )


def rate(mean: float = 1.0, low: float | None = None, high: float | None = None, **rest) -> Rate:
    known = {"net_mean": None, "evidence": "accrued", "window_s": DAY_S, "age_s": 0.0} | rest
    return Rate(low=mean if low is None else low, mean=mean, high=mean if high is None else high, **known)


def test_steady_income_is_known_exactly():
    found = mean_income(income([2.0] * 60), DAY_S)
    assert found is not None
    assert found.mean == pytest.approx(2.0)
    assert found.high - found.low == pytest.approx(2 * 2.0 * 300 / (60 * 3600))  # a reading's worth at the edges


def test_history_shorter_than_the_window_is_unknown_not_zero():
    assert mean_income(income([2.0] * 23), DAY_S) is None
    assert mean_income(Income(), DAY_S) is None


def test_idle_hours_count():
    found = mean_income(income([0.0] * 12 + [2.0] * 12), DAY_S)
    assert found is not None
    assert found.mean == pytest.approx(1.0)
    assert found.low < 0.5 < found.high


def test_what_came_before_a_change_can_be_left_out():
    found = mean_income(income([1.0] * 48 + [5.0] * 48), DAY_S, since=T0 + timedelta(hours=48))
    assert found is not None
    assert found.mean == pytest.approx(5.0)


def bursty(chance: random.Random, hours: int, gap: float = 2.0) -> list[float]:
    out: list[float] = []
    while len(out) < hours:
        out += [0.0] * int(chance.expovariate(1 / gap) + 0.5)
        out += [chance.choice([1.0, 2.0, 3.0])] * chance.randint(1, 4)
    return out[:hours]


@pytest.mark.parametrize("days", [1, 2, 3, 5, 7])
def test_the_interval_covers_the_truth_of_bursty_work(days):
    chance = random.Random(7)
    covered = 0
    for _ in range(300):
        found = mean_income(income(bursty(chance, days * 24)), DAY_S)
        assert found is not None
        covered += found.low <= 2.0 * 2.5 / (2.5 + 2.02) <= found.high
    assert (0.8 if days == 1 else 0.85) <= covered / 300 <= 0.98


def test_the_interval_covers_the_truth_of_work_whose_demand_drifts():
    chance = random.Random(8)
    covered, trials = 0, 150
    for _ in range(trials):
        level, hours = 1.0, []
        for _ in range(28):
            level *= math.exp(chance.gauss(0.0, 0.1))
            hours += [level * hour for hour in bursty(chance, 24)]
        found = mean_income(income(hours), DAY_S)
        assert found is not None
        covered += found.low <= level * 2.0 * 2.5 / (2.5 + 2.02) <= found.high
    assert 0.85 <= covered / trials <= 0.97


class TestIncomeInSteps:
    """What a stake's share brings is level until a sponsorship runs dry."""

    def test_only_hours_since_the_last_step_speak_of_now(self):
        found = mean_income(income([0.9] * 30 + [0.6] * 10), 6 * 3600.0, in_steps=True)
        assert found is not None
        assert found.mean == pytest.approx(0.6)
        assert (found.high - found.low) / found.mean < 0.06
        assert found.window_s == 10 * 3600.0

    @pytest.mark.parametrize("since", [3, 4, 5, 6])
    def test_a_window_that_holds_a_step_reaches_to_its_newest_half(self, since):
        found = mean_income(income([0.9] * 30 + [0.6] * since), 6 * 3600.0, in_steps=True)
        assert found is not None
        assert found.low <= 0.6 <= found.high
        assert found.window_s >= 6 * 3600.0

    @given(st.lists(st.floats(0.0, 10.0), min_size=6, max_size=60))
    def test_any_history_gives_an_interval_around_its_mean(self, hours):
        found = mean_income(income(hours), 6 * 3600.0, in_steps=True)
        assert found is not None
        assert 0.0 <= found.low <= found.mean <= found.high


@given(st.lists(st.floats(0.0, 1e6), min_size=4, max_size=10))
def test_any_history_of_days_gives_an_interval_around_its_level(days):
    found = mean_income(income([each for each in days for _ in range(24)]), DAY_S)
    assert found is not None
    assert 0.0 <= found.low <= found.mean <= found.high
    assert found.mean <= max(days) * (1 + 1e-9) + 1e-12


def test_a_rate_is_an_interval_at_a_price_before_costs():
    known = Interval(low=1.0, mean=2.0, high=3.0, window_s=DAY_S, known_until=T0)
    found = to_rate(known, 0.5, "accrued", T0 + timedelta(seconds=30))
    assert (found.low, found.mean, found.high, found.net_mean, found.age_s) == (0.5, 1.0, 1.5, None, 30.0)


def test_smoothing_moves_by_the_time_that_passed():
    def native(mean: float) -> Interval:
        return Interval(low=mean, mean=mean, high=mean, window_s=DAY_S, known_until=T0)

    after_an_hour = smooth(native(1.0), native(2.0), 3600.0)
    assert after_an_hour.mean == pytest.approx(2.0 - 0.36788, abs=1e-4)
    assert smooth(None, native(2.0), 1.0).mean == 2.0
    assert smooth(native(1.0), native(2.0), 10 * 3600.0).mean == 2.0


def test_the_doubt_of_a_price_is_part_of_the_interval():
    known = Interval(low=0.9, mean=1.0, high=1.1, window_s=DAY_S, known_until=T0)
    sure, unsure = (to_rate(known, 0.5, "accrued", T0, doubt) for doubt in (0.0, 0.1))
    assert (sure.low, sure.high) == pytest.approx((0.45, 0.55))
    assert unsure.high - unsure.mean == pytest.approx(0.5 * math.hypot(0.1, 0.1))
    assert unsure.mean == sure.mean


def test_two_estimates_of_one_thing_are_pooled_and_their_difference_is_doubt():
    one = Interval(low=0.8, mean=1.0, high=1.2, window_s=DAY_S, known_until=T0)
    other = Interval(low=1.2, mean=1.4, high=1.6, window_s=2 * DAY_S, known_until=T0)
    both = pooled(one, other)
    assert both.mean == pytest.approx(1.2)
    assert both.high - both.mean == pytest.approx(math.hypot(0.2, 0.2))
    assert pooled(one, one) == one


def test_sums_add_in_quadrature_and_keep_the_worst_evidence():
    found = add_rates((rate(1.0, 0.7, 1.3), rate(2.0, 1.6, 2.4, evidence="estimated", age_s=9.0)))
    assert found is not None
    assert (found.low, found.mean, found.high) == pytest.approx((2.5, 3.0, 3.5))
    assert (found.evidence, found.age_s, found.net_mean) == ("estimated", 9.0, None)
    assert add_rates(()) is None


@given(st.floats(0.05, 0.96), st.floats(1.0, 32.0))
def test_demand_explains_the_saturation_it_was_learned_from(saturation, allocated):
    demand = mean_demand(saturation, allocated).expected
    assert use_of(allocated, demand) / allocated == pytest.approx(saturation, abs=1e-3)


@given(st.floats(0.05, 1.0), st.floats(1.0, 16.0), st.floats(0.01, 2.0))
def test_a_dial_is_concave_and_earns_the_present_rate_at_the_present_setting(saturation, given_cores, mean):
    dial = Outlook(
        form="dial", resource="cpu_cores", unit="GLM", saturation=saturation, also=Resources(memory_gb=1.0)
    )
    worth = learn_worth((dial,), rate(mean, mean * 0.8, mean * 1.2), Resources(cpu_cores=given_cores), 0.2, 24.0)
    assert worth is not None
    slopes = [a.usd_per_hour for a in worth.activities]
    assert all(a >= b - 1e-12 for a, b in pairwise(slopes))
    earned, left = 0.0, given_cores
    for activity in worth.activities:
        used = min(left, activity.width)
        earned += used * activity.usd_per_hour
        left -= used
        assert activity.low <= activity.usd_per_hour <= activity.high
    assert earned == pytest.approx(mean, rel=1e-6)


def test_where_work_left_cores_idle_more_are_worth_little():
    def next_core(saturation: float) -> float:
        dial = Outlook(form="dial", resource="cpu_cores", unit="GLM", saturation=saturation)
        worth = learn_worth((dial,), rate(1.0), Resources(cpu_cores=4.0), 0.2, 24.0)
        assert worth is not None
        return worth.per_unit.cpu_cores

    assert next_core(0.15) < 0.01 * next_core(1.0)


def test_empty_disk_is_worth_what_fills_within_the_horizon():
    stock = Outlook(form="stock", resource="storage_gb", used=3000.0, per_unit_hour=2e-6, fill_per_hour=10.0)
    full = learn_worth((stock,), rate(0.006), Resources(storage_gb=3000.0), 1.0, 24.0)
    roomy = learn_worth((stock,), rate(0.006), Resources(storage_gb=3400.0), 1.0, 24.0)
    nearly = learn_worth((stock,), rate(0.006), Resources(storage_gb=3050.0), 1.0, 24.0)
    assert nearly is not None
    assert nearly.per_unit.storage_gb == pytest.approx(2e-6)
    assert full is not None
    assert roomy is not None
    assert full.need.storage_gb == 3000.0
    assert full.per_unit.storage_gb == pytest.approx(2e-6)
    assert roomy.per_unit.storage_gb == 0.0
    within = [a for a in full.activities if a.low > 0]
    assert sum(a.width for a in within) == pytest.approx(240.0)
    assert sum(a.width * a.usd_per_hour for a in within) == pytest.approx(240.0 * 2e-6 / 2)


@pytest.mark.parametrize("form", ["floor", "on_off"])
def test_a_node_that_has_what_it_needs_gains_nothing_by_more(form):
    worth = learn_worth((Outlook(form=form),), rate(0.02), Resources(cpu_cores=4.0), 0.03, 24.0)
    assert worth is not None
    assert worth.base_usd_per_hour == 0.02
    assert worth.per_unit == ZERO
    assert worth.activities == ()


def test_of_a_protocol_that_says_nothing_the_worth_of_more_is_unknown():
    worth = learn_worth((), rate(0.02), Resources(cpu_cores=4.0), 0.03, 24.0)
    assert worth is not None
    assert worth.per_unit == Resources()


def test_an_unknown_rate_has_no_worth():
    assert learn_worth((), None, Resources(), 1.0, 24.0) is None


def test_scaling_to_a_larger_dial_never_promises_more_than_proportion():
    low, mean, high = scale_to_new_dial(1.0, 2.0, 12.0)
    assert 1.0 < low < mean < high <= 6.0
