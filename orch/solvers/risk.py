"""The variance of a split, and a split within a bounded one for solvers that do not plan for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orch.model.resources import Resources, resources
from orch.solvers.levels import evaluate, runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.model.problems import Problem

HALVINGS = 40


def variance_of(problem: Problem, allocations: Mapping[str, Resources]) -> float:
    """The variance of a split's hourly income in (USD/h)^2, as the problem defines it; 0 without a covariance."""
    if not problem.covariance:
        return 0.0
    shares = []
    for index, node in enumerate(problem.nodes):
        at = problem.covariance_at[index] if problem.covariance_at else evaluate(node, node.present).mean
        shares.append(evaluate(node, allocations[node.name]).mean / at if at > 0.0 else 1.0)
    return math.fsum(
        one * other * value
        for one, row in zip(shares, problem.covariance, strict=True)
        for other, value in zip(shares, row, strict=True)
    )


def within_variance(problem: Problem, allocations: Mapping[str, Resources]) -> dict[str, Resources] | None:
    """The split, or one as far from the present split towards it as the bound allows; None when there is none.

    Between two splits that satisfy everything else lie others that do, as long as no node starts, stops or goes in
    steps; where one does, only the present split itself is left.
    """
    split = dict(allocations)
    bound = problem.max_variance
    if bound is None or variance_of(problem, split) <= bound:
        return split
    present = {node.name: node.present for node in problem.nodes}
    if variance_of(problem, present) > bound or _breaks(problem, present):
        return None
    if any(runs(node, split[node.name]) != runs(node, node.present) for node in problem.nodes):
        return present
    if any(step > 0.0 for node in problem.nodes for _, step in node.step.known()):
        return present
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if variance_of(problem, _between(problem, split, middle)) <= bound:
            low = middle
        else:
            high = middle
    return _between(problem, split, low)


def _breaks(problem: Problem, present: Mapping[str, Resources]) -> bool:
    from orch.solvers.spans import kept_out

    return bool(kept_out(problem)) and bool(present)


def _between(problem: Problem, split: Mapping[str, Resources], share: float) -> dict[str, Resources]:
    found = {}
    for node in problem.nodes:
        goal = split[node.name]
        found[node.name] = resources(
            {name: was + share * (goal.or_zero(name) - was) for name, was in node.present.known()}
        )
    return found
