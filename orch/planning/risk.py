"""How much a split's income varies from hour to hour, as the problem's covariance says it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orch.solvers.levels import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.model.problems import Problem
    from orch.model.resources import Resources


def variance_of(problem: Problem, split: Mapping[str, Resources]) -> float | None:
    """The variance of a split's income, (USD/h)^2: sum of share[n] * share[m] * covariance[n][m].

    A node's share is its income with the split over the income that the covariance belongs to (with the present
    split where the problem does not say), 1 where that is not above 0. None without a covariance.
    """
    if not problem.covariance:
        return None
    shares = []
    for index, node in enumerate(problem.nodes):
        at = problem.covariance_at[index] if problem.covariance_at else evaluate(node, node.present).mean
        shares.append(evaluate(node, split[node.name]).mean / at if at > 0.0 else 1.0)
    return math.fsum(
        a * b * covariance
        for a, row in zip(shares, problem.covariance, strict=True)
        for b, covariance in zip(shares, row, strict=True)
    )
