"""The present split: the baseline that everything else must beat, and the last of every fallback chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.problems import Answer
from orch.model.resources import Resources
from orch.solvers.answers import found, present_split, shares_of
from orch.solvers.risk import variance_of
from orch.solvers.spans import conflicts, faults, kept_out

if TYPE_CHECKING:
    from orch.model.problems import Budget, Problem


def solve(problem: Problem, budget: Budget, seed: int) -> Answer:  # noqa: ARG001 - a solver's signature
    """Keep what every node has.

    Always answers with the present split. Its status is `feasible` (nothing better was looked for), or
    `infeasible` with the constraints that the present split itself violates.
    """
    allocations = present_split(problem)
    wrong = faults(problem) or kept_out(problem) or conflicts(problem) or _too_risky(problem)
    if not wrong:
        return found(
            problem, "keep", allocations, bound=None, seconds=0.0, seed=seed, reason="nothing else was tried"
        )
    return Answer(
        solver="keep",
        status="infeasible",
        shares=shares_of(problem, allocations),
        objective_usd=None,
        bound_usd=None,
        gap_pct=None,
        dual_prices=Resources(),
        seconds=0.0,
        seed=seed,
        reason="; ".join(wrong),
    )


def _too_risky(problem: Problem) -> tuple[str, ...]:
    if problem.max_variance is None:
        return ()
    risk = variance_of(problem, present_split(problem))
    if risk <= problem.max_variance:
        return ()
    return (f"the present split has a variance of {risk:g}, and at most {problem.max_variance:g} is allowed",)
