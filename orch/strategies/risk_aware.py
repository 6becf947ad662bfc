"""Earn the most within a bound on how much the income of an hour may vary.

Mean-variance choice (Markowitz, *Portfolio Selection*, 1952) with the risk as the constraint: the split that earns
most among those whose income varies by at most `risk_tolerance`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec.structs import replace

from orch.strategies.base import Advice, Prospect, StrategySpec, dollars, needed_gain, unjudged
from orch.strategies.threshold import judged

if TYPE_CHECKING:
    from orch.model.forecasts import Covariance, Foresight
    from orch.model.problems import Problem

WITHIN = 1.25
"""A variance this much above the tolerance is within it: what is estimated anew every hour wanders by as much."""
LESS = 0.8
"""A move for less risk alone must leave at most this share of the variance: back to the tolerance from there."""


class RiskAwareOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`risk_tolerance`: the largest variance of the income of an hour, (USD/h)^2.

    `margin_pct`: what a move for more income has to bring beyond its costs, as a share of present income; without
    it, each hour's new estimate of the variance would be followed up and down.
    """

    risk_tolerance: Annotated[float, msgspec.Meta(gt=0.0)] = 0.0004
    margin_pct: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 5.0


class RiskAware:
    """The strategy that bounds the variance; without a week of hourly incomes to tell it by, it keeps."""

    name = "risk_aware"
    options = RiskAwareOptions

    def shape(self, options: Any, problem: Problem, foresight: Foresight | None) -> Problem:
        """The problem with the covariance of its nodes and the bound; the same one without a covariance."""
        covariance = None if foresight is None else foresight.covariance
        if covariance is None or not _covers(covariance, problem):
            return problem
        place = {name: index for index, name in enumerate(covariance.nodes)}
        names = [node.name for node in problem.nodes]
        return replace(
            problem,
            covariance=tuple(
                tuple(covariance.matrix[place[a]][place[b]] if a in place and b in place else 0.0 for b in names)
                for a in names
            ),
            covariance_at=tuple(covariance.at_usd_per_hour[place[a]] if a in place else 0.0 for a in names),
            max_variance=options.risk_tolerance,
        )

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """Move iff the present split varies too much, or another within the bound earns surely more."""
        if prospect.present_variance is None or prospect.plan_variance is None:
            return Advice(
                move=False,
                reasons=("RATE_UNKNOWN",),
                sentence=(
                    "How much income varies is unknown: it takes 7 days in which the income of every earning node "
                    "is known by hour."
                ),
            )
        advice = unjudged(prospect)
        if advice is not None:
            return advice
        risk = (
            f"Income varies by {_deviation(prospect.present_variance)} around its mean now and by "
            f"{_deviation(prospect.plan_variance)} after the move; "
            f"{_deviation(options.risk_tolerance)} is tolerated."
        )
        too_much = prospect.present_variance > options.risk_tolerance * WITHIN
        if too_much and prospect.plan_variance <= LESS * prospect.present_variance:
            lost = prospect.gain_usd_per_hour
            price = "" if lost is None or lost.mean >= 0.0 else f" Less risk costs {dollars(-lost.mean)}/h."
            return Advice(move=True, reasons=("RISK_ABOVE_TOLERANCE",), sentence=f"{risk}{price}")
        word = judged(prospect, options.margin_pct)
        return replace(
            word,
            sentence=f"{word.sentence} {risk}",
            needed_gain_usd=needed_gain(prospect, options.margin_pct),
        )


def _covers(covariance: Covariance, problem: Problem) -> bool:
    """Whether it says something of every node whose income counts."""
    earning = {node.name for node in problem.nodes if node.activities or node.base_usd_per_hour != 0.0}
    return earning <= set(covariance.nodes)


def _deviation(variance: float) -> str:
    return f"{dollars(math.sqrt(max(variance, 0.0)))}/h"


STRATEGY: StrategySpec = RiskAware()
