"""A backtest never looks ahead, reckons honestly, and repeats to the bit."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from orch.forecast.ensemble import FORECASTER
from orch.replay import rivals
from orch.replay.backtest import backtest
from orch.replay.charts import draw
from orch.replay.contenders import Terms, moving_cost
from orch.replay.entrants import make_entrants
from orch.replay.market import DAY_S, HOUR_S, Market
from orch.replay.noise import block_length, compare
from orch.strategies.registry import load_strategies

START = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def market(rates, step_s=HOUR_S):
    rates = np.asarray(rates, dtype=float)
    starts = START + np.arange(len(rates), dtype=np.int64) * step_s
    return Market(tuple("abcd"[: rates.shape[1]]), starts, step_s, rates)


def noisy(seed, steps=120, options=2):
    draws = np.random.default_rng(seed)
    level = np.exp(np.cumsum(draws.normal(0, 0.05, (steps, options)), axis=0))
    return level * np.exp(draws.normal(0, 0.1, (steps, options)))


def entrants(*names, **more):
    return make_entrants(names, ("greedy",), load_strategies(), {}, **more)


def run(rates, *names, terms=Terms(), **more):  # noqa: B008 - it is immutable
    played = backtest(market(rates), entrants(*names), terms, forecaster=FORECASTER, **more)
    return played, {each.name: each for each in played.result.outcomes}


def test_the_better_option_is_found_and_kept():
    _, found = run([[1.0, 2.0]] * 48, "threshold")
    assert found["threshold"].moves == 1
    assert found["threshold"].net_usd > found["keep"].net_usd
    assert found["best fixed: b"].net_usd == pytest.approx(96.0)
    assert found["perfect foresight"].regret_usd == 0.0


def test_nobody_decides_by_what_is_still_to_come():
    rates = noisy(1, 70)
    other = rates.copy()
    other[60:] = other[60:, ::-1] * 3
    entered = [
        backtest(market(each), entrants("threshold", "predictive"), Terms(), forecaster=FORECASTER).net[:, :60]
        for each in (rates, other)
    ]
    strategies_and_rules = [0, 1, *range(4, 4 + len(rivals.RULES))]
    assert np.array_equal(entered[0][strategies_and_rules], entered[1][strategies_and_rules])


def test_the_same_seed_gives_the_same_result_to_the_bit():
    one, _ = run(noisy(2, 60), "threshold", "predictive", seed=5)
    other, _ = run(noisy(2, 60), "threshold", "predictive", seed=5)
    assert msgspec.json.encode(one.result) == msgspec.json.encode(other.result)
    assert one.net.tobytes() == other.net.tobytes()


@pytest.mark.parametrize("seed", range(5))
def test_perfect_foresight_is_the_best_of_all_ways(seed):
    rates = noisy(seed, steps=5)
    terms = Terms(downtime_s=900.0, move_usd=0.1, start=(0.25, 0.75))
    states = [(0.25, 0.75), (1.0, 0.0), (0.0, 1.0), (0.5, 0.5)]
    best = -np.inf
    for way in itertools.product(states, repeat=5):
        net, before = 0.0, terms.start
        for shares, row in zip(way, rates, strict=True):
            net += float(np.dot(shares, row)) - moving_cost(before, shares, row, terms)
            before = shares
        best = max(best, net)
    shares = rivals.foreseen(market(rates), terms)
    costs, _ = rivals.costs(market(rates), shares, terms)
    assert float((shares * rates).sum() - costs.sum()) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(2))
def test_foresight_bounds_everybody(seed):
    _, found = run(
        noisy(seed, 60, options=3), "threshold", "periodic", terms=Terms(downtime_s=600.0, move_usd=0.05)
    )
    bound = found["perfect foresight"].net_usd
    assert all(each.net_usd <= bound + 1e-9 for each in found.values() if not each.name.startswith("best fixed"))


def test_what_is_unknown_is_counted_for_nobody():
    rates = np.array([[1.0, 2.0]] * 40)
    rates[10:20, 0] = np.nan
    played, found = run(rates, "threshold")
    assert played.result.unknown_steps == 10
    assert found["best fixed: b"].income_usd == pytest.approx(60.0)


def test_moves_cost_downtime_and_their_price():
    terms = Terms(downtime_s=1800.0, move_usd=2.0)
    assert moving_cost((1.0, 0.0), (0.0, 1.0), (3.0, 4.0), terms) == pytest.approx(4.0 * 0.5 + 2.0)
    assert moving_cost((0.5, 0.5), (0.5, 0.5), (3.0, 4.0), terms) == 0.0


def test_a_move_that_never_pays_is_not_made():
    _, found = run([[1.0, 1.5]] * 72, "threshold", "periodic", terms=Terms(start=(1.0, 0.0), move_usd=1000.0))
    assert found["threshold"].moves == found["periodic"].moves == 0
    assert found["threshold"].versus_keep.usd == 0.0


def test_incomes_below_nothing_are_left_for_idleness():
    _, found = run([[-1.0, 0.0]] * 48, "periodic", terms=Terms(start=(1.0, 0.0)))
    assert found["periodic"].moves == 1
    assert found["periodic"].net_usd > found["keep"].net_usd


class TestRules:
    def shares(self, name, rates, step_s=60):
        return rivals.play_rule(market(rates, step_s), Terms(start=(1.0, 0.0)), name, 0)[:, 1].tolist()

    def test_a_rise_counts_late_and_a_fall_at_once(self):
        risen = self.shares("nicehash_2pct", [[1.0, 0.5]] * 3 + [[1.0, 2.0]] * 6)
        assert risen[:5] == [0.0] * 5
        assert risen[-1] == 1.0
        fallen = self.shares("nicehash_2pct", [[1.0, 0.9]] * 3 + [[0.5, 0.9]] * 2)
        assert fallen == [0.0] * 4 + [1.0]

    def test_a_margin_must_be_exceeded(self):
        assert self.shares("hashauger_12pct", [[1.0, 1.11]] * 4) == [0.0] * 4
        assert self.shares("hashauger_12pct", [[1.0, 1.13]] * 4) == [0.0, 1.0, 1.0, 1.0]

    def test_an_outlier_is_not_believed(self):
        calm = [[1.0, 0.9 + 0.001 * (place % 2)] for place in range(300)]
        assert max(self.shares("minerstat_3sigma", [*calm, [1.0, 3.0], [1.0, 0.9]])) == 0.0
        assert max(self.shares("best_live", [*calm, [1.0, 3.0], [1.0, 0.9]])) == 1.0

    def test_an_average_of_an_hour_is_slow(self):
        assert self.shares("ema60_3pct", [[1.0, 0.5]] * 5 + [[1.0, 2.0]] * 40).index(1.0) > 20


class TestNoise:
    def test_a_sure_difference_is_told_from_noise(self):
        draws = np.random.default_rng(0)
        noise = draws.normal(0, 1, 200)
        assert compare(noise + 1.0, noise * 0.5, 0).noise is False
        assert compare(noise, draws.normal(0, 1, 200), 0).noise is True
        assert compare(noise[:10], noise[:10] + 1, 0).noise is None

    def test_days_that_resemble_each_other_are_drawn_together(self):
        draws = np.random.default_rng(1)
        steady = np.convolve(draws.normal(0, 1, 640), np.ones(40) / 40, mode="valid")
        assert block_length(draws.normal(0, 1, 600)) <= 5
        assert block_length(steady) > 15


def test_charts_are_drawn(tmp_path):
    played, _ = run([[1.0, 2.0]] * 48, "threshold")
    draw(played, tmp_path / "c.html")
    text = (tmp_path / "c.html").read_text()
    assert text.count("<polyline") == len(played.result.outcomes)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_daily_rates_are_played_by_day():
    played = backtest(market([[1.0, 2.0]] * 30, DAY_S), entrants("threshold"), Terms(), forecaster=FORECASTER)
    assert (played.result.step_h, played.result.steps) == (24.0, 30)
    assert played.result.outcomes[0].moves == 1
