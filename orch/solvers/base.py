"""What a solver is: a function from a problem, a budget and a seed to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orch.model.problems import Answer, Budget, Problem


class Solver(Protocol):
    """One function, one entry point in `orch.solvers`.

    It never raises for an infeasible problem, leaves its input alone, repeats for the same seed (all but
    `seconds`), and its status is honest: `optimal` only with a bound that says so.
    """

    def __call__(self, problem: Problem, budget: Budget, seed: int) -> Answer:
        """Solve one problem within a budget of real seconds."""
