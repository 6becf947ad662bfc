"""The variance of a split, and a split within a bounded one for solvers that do not plan for it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from orch.model.resources import Resources, resources
from orch.solvers.levels import evaluate, runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from orch.model.problems import Problem

Rows: TypeAlias = "tuple[tuple[float, ...], ...]"

HALVINGS = 40


def variance_of(problem: Problem, allocations: Mapping[str, Resources]) -> float:
    """The variance of a split's hourly income in (USD/h)^2, as the problem defines it; 0 without a covariance."""
    if not problem.covariance:
        return 0.0
    shares = []
    for index, node in enumerate(problem.nodes):
        at = problem.covariance_at[index] if problem.covariance_at else evaluate(node, node.present).mean
        shares.append(evaluate(node, allocations[node.name]).mean / at if at > 0.0 else 1.0)
    every = np.array(shares)
    return float(every @ _matrix(problem.covariance) @ every)


@lru_cache(maxsize=4)
def _matrix_of(held: _Held) -> NDArray[np.float64]:
    return np.array(held.rows, dtype=float)


def _matrix(rows: Rows) -> NDArray[np.float64]:
    """The covariance as an array, made once for each."""
    return _matrix_of(_Held(rows))


class _Held:
    """Rows that are the same only as themselves: to compare a matrix by its values takes as long as to make it."""

    __slots__ = ("rows",)

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.rows is other.rows

    def __hash__(self) -> int:
        return id(self.rows)


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
