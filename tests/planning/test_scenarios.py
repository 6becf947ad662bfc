"""One small world for each strategy, in which it is the right one: hours of pure decisions, moves that cost.

Two nodes share twelve cores. What a core earns at each in each hour is given; a decision sees its mean over some
hours (as a rate would), and moves take an hour's income from whoever is changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import numpy as np
import pytest

from orch.forecast.ensemble import FORECASTER
from orch.forecast.score import Track, without
from orch.model.fleet import LeverState, Worth
from orch.model.forecasts import IncomeSeries
from orch.model.moves import Guards
from orch.model.problems import Activity
from orch.model.resources import Resources
from orch.planning.decide import decide
from orch.planning.foresee import foresee
from orch.planning.settings import NodeTerms, PlanSettings
from orch.solvers import conic, greedy, keep, linear
from orch.strategies import keep as keep_strategy
from orch.strategies import periodic, predictive, risk_aware, threshold
from tests.fakes.values import node_state, rate, snapshot

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 24
CORES, LEAST = 12.0, 1.0
SOLVERS = MappingProxyType(
    {"linear": linear.solve, "greedy": greedy.solve, "keep": keep.solve, "conic": conic.solve}
)
TOLERANCE = 0.0016
STRATEGIES = {
    "keep": (keep_strategy.STRATEGY, keep_strategy.KeepOptions()),
    "threshold": (threshold.STRATEGY, threshold.ThresholdOptions()),
    "periodic": (periodic.STRATEGY, periodic.PeriodicOptions()),
    "predictive": (predictive.STRATEGY, predictive.PredictiveOptions()),
    "risk_aware": (risk_aware.STRATEGY, risk_aware.RiskAwareOptions(risk_tolerance=TOLERANCE)),
}
HISTORY_H = 28 * DAY
MODE = LeverState(kind="emulated", sets=("cpu_cores",), mode="auto")


class World:
    """What a core earns by hour at `a` and `b`, after `HISTORY_H` hours of the past.

    `seen_h`: over how many hours the rates are means. `pause_s`: of income lost by a node that is changed.
    """

    def __init__(self, a, b, *, seen_h=6, every_h=6, pause_s=3600.0, doubt=0.05):
        self.worth = {"a": np.asarray(a, dtype=float), "b": np.asarray(b, dtype=float)}
        self.seen_h, self.every_h, self.doubt = seen_h, every_h, doubt
        self.settings = PlanSettings(
            terms=tuple(NodeTerms(node=name, downtime_s=pause_s) for name in "ab"), longest_horizon_h=24.0
        )
        self.pause_h = pause_s / 3600.0

    def state(self, name, hour, cores):
        usd = float(self.worth[name][hour - self.seen_h : hour].mean())
        low, high = usd * (1.0 - self.doubt), usd * (1.0 + self.doubt)
        core = Activity(takes=Resources(cpu_cores=1.0), width=CORES, usd_per_hour=usd, low=low, high=high)
        now = START + timedelta(hours=hour)
        return node_state(
            name,
            rate=rate(cores * usd, self.doubt),
            worth=Worth(activities=(core,)),
            allocation=Resources(cpu_cores=cores),
            floor=Resources(cpu_cores=LEAST),
            levers=(MODE,),
            resources_as_of=now,
            last_seen_at=now,
        )

    def foresight(self, hour, split, track):
        """From the past at the present setting, as the optimizer has it."""
        history = tuple(
            IncomeSeries(
                node=name, first_hour=START, usd=tuple(float(cores * usd) for usd in self.worth[name][:hour])
            )
            for name, cores in split.items()
        )
        return foresee(history, track, FORECASTER, START + timedelta(hours=hour))

    def play(self, name):
        """Income by hour, moving costs taken off, and the number of moves."""
        strategy, options = STRATEGIES[name]
        split, track, moved_at, moves = {"a": 6.0, "b": 6.0}, Track(), None, 0
        earned = []
        for hour in range(HISTORY_H, len(self.worth["a"])):
            now, lost = START + timedelta(hours=hour), 0.0
            if (hour - HISTORY_H) % self.every_h == 0:
                foresight = None
                if name in ("predictive", "risk_aware"):
                    foresight, track = self.foresight(hour, split, track)
                fleet = snapshot(
                    *(self.state(each, hour, cores) for each, cores in split.items()),
                    at=now,
                    capacity=Resources(cpu_cores=CORES),
                    reserve=Resources(),
                )
                decision, plan = decide(
                    fleet,
                    Guards(last_move_at=moved_at),
                    self.settings,
                    strategy=strategy,
                    options=options,
                    solvers=SOLVERS,
                    decision_id="d",
                    plan_id="p",
                    now=now,
                    foresight=foresight,
                )
                if decision.verdict == "move":
                    goal = {each: plan.to_value[each].cpu_cores for each in split}
                    lost = sum(
                        self.pause_h * split[each] * self.worth[each][hour]
                        for each in split
                        if goal[each] != split[each]
                    )
                    split, moved_at, moves = goal, now, moves + 1
                    track = without(track, split)
            earned.append(sum(cores * self.worth[each][hour] for each, cores in split.items()) - lost)
        return np.array(earned), moves


@pytest.fixture
def noise():
    return np.random.default_rng(7).normal


def outcomes(world):
    return {name: world.play(name) for name in STRATEGIES}


def income(played):
    return {name: float(earned.sum()) for name, (earned, _) in played.items()}


def best(played):
    return max(income(played), key=income(played).get)


def test_threshold_is_right_when_worths_change_for_good_and_soon_again(noise):
    """A node becomes worth more, and half a day later the other does: whoever waits, or doubts, misses it."""
    hours = HISTORY_H + 5 * DAY
    a, b = np.full(hours, 0.010), np.full(hours, 0.010)
    a[HISTORY_H + 6 :] = 0.016
    b[HISTORY_H + 18 :] = 0.030
    played = outcomes(World(a * (1 + noise(0, 0.01, hours)), b * (1 + noise(0, 0.01, hours))))
    assert best(played) == "threshold"
    assert played["threshold"][1] == 2
    assert income(played)["threshold"] > 1.01 * max(
        usd for name, usd in income(played).items() if name != "threshold"
    )


def test_periodic_is_right_when_days_differ_and_the_advantage_is_small(noise):
    """One node earns a little more in the long run; tomorrow nobody knows, and no gain is ever a large one."""
    hours = HISTORY_H + 8 * DAY
    days = np.repeat(np.maximum(1 + noise(0, 0.15, (2, hours // DAY)), 0.3), DAY, axis=1)
    played = outcomes(World(0.0300 * days[0], 0.0384 * days[1], seen_h=168))
    earned = income(played)
    assert best(played) == "periodic", earned
    assert played["periodic"][1] == 1
    assert played["threshold"][1] == 0


def test_predictive_is_right_when_the_week_repeats(noise):
    """One node earns on working days, the other at weekends; over a week both earn the same."""
    hours = HISTORY_H + 14 * DAY
    weekend = np.arange(hours) // DAY % 7 >= 5
    a = np.where(weekend, 0.005, 0.0144) * (1 + noise(0, 0.02, hours))
    b = np.where(weekend, 0.0235, 0.007) * (1 + noise(0, 0.02, hours))
    played = outcomes(World(a, b, seen_h=168, every_h=12))
    earned = income(played)
    assert best(played) == "predictive", earned
    assert earned["predictive"] > 1.1 * earned["keep"]


def test_risk_aware_is_right_when_income_must_be_steady(noise):
    """One node earns more and wildly: the others take all of it; only this one stays within the bound."""
    hours = HISTORY_H + 5 * DAY
    a = 0.012 * (1 + noise(0, 0.05, hours))
    b = 0.020 * np.maximum(1 + noise(0, 0.25, hours), 0.0)
    played = outcomes(World(a, b, seen_h=168, pause_s=60.0))
    earned = income(played)
    within = [name for name, (usd, _) in played.items() if usd[DAY:].var() <= TOLERANCE * 1.25]
    assert "threshold" not in within
    assert "risk_aware" in within
    assert max(within, key=earned.get) == "risk_aware", earned
    assert earned["keep"] < earned["risk_aware"] < earned["threshold"]
