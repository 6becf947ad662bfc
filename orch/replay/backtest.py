"""A backtest: every entrant and every rival through one market, and what came of each."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace

from orch.model.base import Value
from orch.replay import rivals
from orch.replay.contenders import Contender, Entrant, Terms
from orch.replay.noise import Difference, compare
from orch.replay.premises import Watcher, moment
from orch.strategies.base import ShapesProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orch.forecast.base import Forecaster
    from orch.replay.market import Floats, Market

FIRST_WEEK_H = 168


class Outcome(Value):
    """What one of them earned. USD over the counted time; regret is what perfect foresight earned more.

    `net_usd` is income less moving costs.
    """

    name: str
    kind: str
    strategy: str | None
    solver: str | None
    income_usd: float
    moving_cost_usd: float
    net_usd: float
    moves: int
    regret_usd: float
    regret_pct: float | None
    versus_keep: Difference
    versus_best_fixed: Difference


class Result(Value):
    """A whole backtest. `steps` of `step_h` hours each, `unknown_steps` of them not counted."""

    schema: int
    options: tuple[str, ...]
    since: datetime
    until: datetime
    step_h: float
    steps: int
    unknown_steps: int
    seed: int
    start: dict[str, float]
    downtime_s: float
    move_usd: float
    best_fixed: str
    outcomes: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()


class Played(NamedTuple):
    """A result, and for charts the net income of each by step, in the order of its outcomes."""

    result: Result
    times: tuple[datetime, ...]
    net: Floats


class _Run(NamedTuple):
    name: str
    kind: str
    strategy: str | None
    solver: str | None
    shares: Floats
    from_start: bool = True
    """False: judged as if it had been so from the beginning."""


class _Gain(NamedTuple):
    """What one of them earned: net by step, and the sums."""

    net: Floats
    income_usd: float
    cost_usd: float
    moves: int


class _Judge(NamedTuple):
    """What everybody is compared with, by step, and what perfect foresight earned."""

    daily: Callable[[Floats], Floats]
    keep: Floats
    fixed: Floats
    bound: float
    seed: int

    def outcome(self, run: _Run, gain: _Gain) -> Outcome:
        net = float(gain.net.sum())
        regret, day = self.bound - net, self.daily(gain.net)
        return Outcome(
            name=run.name,
            kind=run.kind,
            strategy=run.strategy,
            solver=run.solver,
            income_usd=gain.income_usd,
            moving_cost_usd=gain.cost_usd,
            net_usd=net,
            moves=gain.moves,
            regret_usd=regret,
            regret_pct=100.0 * regret / self.bound if self.bound > 0.0 else None,
            versus_keep=compare(day, self.daily(self.keep), self.seed),
            versus_best_fixed=compare(day, self.daily(self.fixed), self.seed),
        )


def backtest(
    market: Market,
    entrants: Sequence[Entrant],
    terms: Terms,
    *,
    forecaster: Forecaster,
    seed: int = 0,
    notes: tuple[str, ...] = (),
    told: Callable[[int, int], object] | None = None,
) -> Played:
    """Play a market once for every entrant and rival. The same input and seed give the same result to the bit.

    Args:
        market: The rates.
        entrants: Strategies with their solvers.
        terms: On what terms moves are made, for all alike.
        forecaster: Who looks ahead for the strategies that want it.
        seed: Of solvers, rules that draw, and the bootstrap.
        notes: What the reader should know of the input.
        told: Is told how many steps are done, of how many.
    """
    best = rivals.best_fixed(market)
    runs = _runs(market, entrants, terms, forecaster, seed, told, best)
    gains = [_gained(market, run, terms) for run in runs]
    keep = next(place for place, run in enumerate(runs) if run.name == "keep")
    judge = _Judge(_by_day(market), gains[keep].net, gains[keep + 1].net, float(gains[-1].net.sum()), seed)
    result = Result(
        schema=1,
        options=market.options,
        since=moment(int(market.starts[0])),
        until=moment(int(market.starts[-1]) + market.step_s),
        step_h=market.step_s / 3600.0,
        steps=len(market.starts),
        unknown_steps=int((~market.known).sum()),
        seed=seed,
        start=dict(zip(market.options, terms.beginning(len(market.options)), strict=True)),
        downtime_s=terms.downtime_s,
        move_usd=terms.move_usd,
        best_fixed=market.options[best],
        outcomes=tuple(judge.outcome(run, gain) for run, gain in zip(runs, gains, strict=True)),
        notes=notes,
    )
    times = tuple(moment(int(each)) for each in market.starts)
    return Played(result, times, np.stack([gain.net for gain in gains]))


def usual_variance(market: Market, terms: Terms) -> float | None:
    """How much the income of an hour varies in the first week with the shares at the beginning, (USD/h)^2.

    A tolerance that fits the market, from what is known before any covariance is. None when nothing varies.
    """
    steps = max(2, FIRST_WEEK_H * 3600 // market.step_s)
    income = (market.rates @ np.asarray(terms.beginning(len(market.options))))[:steps]
    income = income[np.isfinite(income)]
    found = float(np.var(income)) if income.size > 1 else 0.0
    return found if found > 0.0 else None


def _runs(
    market: Market,
    entrants: Sequence[Entrant],
    terms: Terms,
    forecaster: Forecaster,
    seed: int,
    told: Callable[[int, int], object] | None,
    best: int,
) -> list[_Run]:
    """Everybody's shares: the best fixed split follows `keep`, and perfect foresight comes last."""
    start = terms.beginning(len(market.options))
    whole = tuple(float(place == best) for place in range(len(start)))
    seeded = replace(terms, settings=replace(terms.settings, seed=seed))
    runs = [
        *_entered(market, entrants, seeded, forecaster, told),
        _Run("keep", "baseline", "keep", None, rivals.fixed(market, start)),
        *(_Run(name, "rule", None, None, rivals.play_rule(market, terms, name, seed)) for name in rivals.RULES),
        _Run("perfect foresight", "bound", None, None, rivals.foreseen(market, terms)),
    ]
    name = f"best fixed: {market.options[best]}"
    fixed = _Run(name, "baseline", None, None, rivals.fixed(market, whole), from_start=False)
    runs.insert([run.name for run in runs].index("keep") + 1, fixed)
    return runs


def _entered(
    market: Market,
    entrants: Sequence[Entrant],
    terms: Terms,
    forecaster: Forecaster,
    told: Callable[[int, int], object] | None,
) -> list[_Run]:
    looks_ahead = any(isinstance(each.strategy, ShapesProblem) for each in entrants)
    watcher = Watcher(market, forecaster if looks_ahead else None, terms.settings.horizon_h)
    contenders = [Contender(each, market.options, terms) for each in entrants]
    found = [np.empty_like(market.rates) for _ in entrants]
    count = len(market.starts) if entrants else 0
    for step in range(count):
        premises = watcher.look(step)
        for contender, shares in zip(contenders, found, strict=True):
            shares[step] = contender.decide(step, premises)
        if told is not None:
            told(step + 1, count)
    return [
        _Run(each.label, "strategy", each.strategy.name, each.solver, shares)
        for each, shares in zip(entrants, found, strict=True)
    ]


def _earned(market: Market, shares: Floats) -> Floats:
    """Income by step; 0 in those that are not counted."""
    income = np.einsum("so,so->s", np.where(np.isfinite(market.rates), market.rates, 0.0), shares)
    found: Floats = np.where(market.known, income, 0.0) * (market.step_s / 3600.0)
    return found


def _gained(market: Market, run: _Run, terms: Terms) -> _Gain:
    income = _earned(market, run.shares)
    if not run.from_start:
        return _Gain(income, float(income.sum()), 0.0, 0)
    cost, moves = rivals.costs(market, run.shares, terms)
    return _Gain(income - cost, float(income.sum()), float(cost.sum()), moves)


def _by_day(market: Market) -> Callable[[Floats], Floats]:
    days = np.unique(market.starts // 86400, return_inverse=True)[1]
    count = int(days.max()) + 1
    return lambda values: np.bincount(days, weights=values, minlength=count).astype(np.float64)
