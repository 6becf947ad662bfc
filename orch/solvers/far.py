"""A solver that runs elsewhere, seen from here: it knows the answers that have come, and asks for others."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orch.model.problems import Answer, Budget, Problem

HERE = frozenset({"conic", "exact", "greedy", "keep", "linear"})
"""The solvers that answer in milliseconds and are asked directly; all others run in a process of their own."""


class AnswerPending(BaseException):
    """An answer that is not there yet. Not an Exception: no fallback is to be taken because of it."""

    def __init__(self, solver: str, problem: Problem, budget: Budget, seed: int) -> None:
        super().__init__(f"{solver} is still looking for an answer")
        self.solver, self.problem, self.budget, self.seed = solver, problem, budget, seed


class FarSolver:
    """Stands in a chain for a solver of another process, by the name it has there.

    Args:
        name: An installed solver's name, `module:name`, or `/path/to/file.py:name`.
        remembers: So many answers are kept.
    """

    def __init__(self, name: str, remembers: int = 4) -> None:
        self.name = name
        self._known: deque[tuple[Problem, Answer]] = deque(maxlen=remembers)

    def learn(self, problem: Problem, answer: Answer) -> None:
        """The answer to a problem has come."""
        self._known.append((problem, answer))

    def __call__(self, problem: Problem, budget: Budget, seed: int) -> Answer:
        """As every solver.

        Raises:
            AnswerPending: Nobody has been asked yet.
        """
        for asked, answer in self._known:
            if asked is problem or asked == problem:
                return answer
        raise AnswerPending(self.name, problem, budget, seed)
