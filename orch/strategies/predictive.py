"""Move for what the next hours are forecast to bring, as sure as the forecasts have proved to be.

The plan is made with each node's income as forecast over the horizon instead of as it was. Its interval is that of
the curves times that of the forecasts; how far it is believed depends on how often past intervals held what came.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec.structs import replace

from orch.strategies.base import Advice, Prospect, StrategySpec, dollars, unjudged

if TYPE_CHECKING:
    from orch.model.forecasts import Foresight
    from orch.model.problems import Activity, Problem, ProblemNode

NOMINAL_PCT = 90.0
"""What share of outcomes an interval should hold."""

LOW_TO_MEAN = NormalDist().inv_cdf(0.95)
"""How many standard deviations the lower end of a 90 % interval lies below its mean."""

MOST = 4.0
"""No forecast makes more of an income than this."""

RECENT_H = 168.0


class PredictiveOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`min_confidence`: how probable it must be that the move pays for itself within the horizon."""

    min_confidence: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 0.8


class Predictive:
    """The strategy that looks ahead, and only as far as its forecasts have been right."""

    name = "predictive"
    options = PredictiveOptions

    def shape(self, options: Any, problem: Problem, foresight: Foresight | None) -> Problem:  # noqa: ARG002 - a strategy's signature
        """The problem with every income as it is forecast; a node without a forecast keeps its present one."""
        if foresight is None:
            return problem
        return replace(problem, nodes=tuple(_foreseen(node, foresight) for node in problem.nodes))

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """Move iff the forecast gain probably exceeds the cost, and its lower bound does."""
        advice = unjudged(prospect) or _unforeseen(prospect)
        gain, cost = prospect.gain_usd_per_hour, prospect.cost_usd
        if advice is not None or gain is None or cost is None or prospect.gain_usd is None:
            return advice or Advice(move=False, reasons=("RATE_UNKNOWN",), sentence="The gain is unknown.")
        held_pct = _coverage_pct(prospect)
        probability = _exceeds(gain.mean, gain.low, float(cost) / prospect.horizon_h)
        confidence = probability * min(1.0, held_pct / NOMINAL_PCT)
        said = (
            f"The forecast gain of {dollars(gain.mean * prospect.horizon_h)} in {prospect.horizon_h:g} h "
            f"(at least {dollars(prospect.gain_usd)}) exceeds its cost of {dollars(cost)} with a confidence of "
            f"{confidence:.2f}, {options.min_confidence:g} is asked for; forecast intervals held {held_pct:.0f} % "
            f"of what came."
        )
        if prospect.gain_usd <= cost:
            return Advice(move=False, reasons=("GAIN_BELOW_COST",), sentence=said, needed_gain_usd=cost)
        if confidence < options.min_confidence:
            return Advice(move=False, reasons=("FORECAST_UNSURE",), sentence=said, needed_gain_usd=cost)
        return Advice(move=True, reasons=("GAIN_ABOVE_COST",), sentence=said, needed_gain_usd=cost)


def _exceeds(mean: float, low: float, cost: float) -> float:
    """The probability that a normal gain exceeds a cost, its 90 % interval given by its lower end."""
    deviation = (mean - low) / LOW_TO_MEAN
    if deviation <= 0.0:
        return 1.0 if mean > cost else 0.0
    return NormalDist(mean, deviation).cdf(2.0 * mean - cost)


def _coverage_pct(prospect: Prospect) -> float:
    """What share of outcomes a changed node's forecasts held: the worst counts; of backtests before any came."""
    shares = []
    for name in prospect.affected:
        forecast = prospect.foresight.forecast(name) if prospect.foresight is not None else None
        score = prospect.foresight.score(name) if prospect.foresight is not None else None
        known = [
            share
            for share in (
                score.coverage_pct if score is not None else None,
                forecast.coverage_pct if forecast is not None else None,
            )
            if share is not None
        ]
        shares.append(known[0] if known else 0.0)
    return min(shares, default=NOMINAL_PCT)


def _unforeseen(prospect: Prospect) -> Advice | None:
    """The advice where a node would be changed of which there is no forecast."""
    foresight = prospect.foresight
    missing = [name for name in prospect.affected if foresight is None or _ratio(name, foresight) is None]
    if not missing:
        return None
    return Advice(
        move=False,
        reasons=("FORECAST_UNKNOWN",),
        sentence=f"There is no forecast of {' and '.join(missing)} yet: too little income by hour is known.",
    )


def _ratio(node: str, foresight: Foresight) -> tuple[float, float, float] | None:
    """(low, mean, high) of the forecast as shares of recent income; None without one of the two."""
    forecast, series = foresight.forecast(node), foresight.series(node)
    recent = series.recent(RECENT_H) if series is not None else None
    if forecast is None or recent is None or recent <= 0.0:
        return None
    low, mean, high = (min(max(usd / recent, 0.0), MOST) for usd in (forecast.low, forecast.mean, forecast.high))
    return low, mean, high


def _foreseen(node: ProblemNode, foresight: Foresight) -> ProblemNode:
    ratio = _ratio(node.name, foresight)
    if ratio is None or node.locked:
        return node
    low, mean, high = ratio
    return replace(
        node,
        base_usd_per_hour=node.base_usd_per_hour * mean,
        base_low_usd_per_hour=_times(node.base_low_usd_per_hour, node.base_usd_per_hour, low),
        base_high_usd_per_hour=_times(node.base_high_usd_per_hour, node.base_usd_per_hour, high),
        activities=tuple(_scaled(each, low, mean, high) for each in node.activities),
    )


def _times(bound: float | None, base: float, share: float) -> float:
    return (base if bound is None else bound) * share


def _scaled(activity: Activity, low: float, mean: float, high: float) -> Activity:
    return replace(
        activity,
        usd_per_hour=activity.usd_per_hour * mean,
        low=activity.low * low,
        high=activity.high * high,
    )


STRATEGY: StrategySpec = Predictive()
