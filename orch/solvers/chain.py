"""The fallback chain: the wanted solver, then greedy, then keep, every answer checked before it is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.solvers import check, keep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.model.problems import Answer, Budget, Problem
    from orch.solvers.base import Solver

FALLBACKS = ("greedy", "keep")


def solve_chain(
    problem: Problem, wanted: str, budget: Budget, seed: int, solvers: Mapping[str, Solver]
) -> tuple[Answer, tuple[str, ...]]:
    """Ask the wanted solver and, where it fails, the next one.

    A solver falls through when it is not there, raises, runs out of time without a split, calls the problem
    infeasible, or gives an answer that the independent check refutes. Where a plug-in's objective counts, only the
    wanted solver and `keep` are asked. The last word is always that of `keep`,
    which answers with the present split whatever its status.

    Returns:
        The answer, whose `reason` says why earlier solvers were passed over, and the names of the solvers asked,
        in order; the last one gave the answer.
    """
    asked: list[str] = []
    passed_over: list[str] = []
    for name in dict.fromkeys((wanted, *FALLBACKS)):
        if name == "keep":
            break
        asked.append(name)
        answer, why = _try(name, problem, budget, seed, solvers)
        if answer is not None:
            return _explained(answer, passed_over), tuple(asked)
        passed_over.append(why)
        if problem.objective is not None:
            # No other solver knows better what a plug-in that does not work would have said.
            break
    asked.append("keep")
    known = replace(problem, objective=None)
    return _explained(keep.solve(known, budget, seed), passed_over), tuple(asked)


def _try(
    name: str, problem: Problem, budget: Budget, seed: int, solvers: Mapping[str, Solver]
) -> tuple[Answer | None, str]:
    solver = solvers.get(name)
    if solver is None:
        return None, f"{name} is not there"
    try:
        answer = solver(problem, budget, seed)
        if answer.status in ("infeasible", "out_of_time"):
            return None, f"{name}: {answer.status.replace('_', ' ')}, {answer.reason or 'without a reason'}"
        wrong = check.check(problem, answer)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; the next solver is asked instead
        return None, f"{name} failed with {type(error).__name__}: {error}"
    if wrong:
        return None, f"{name} is wrong: {wrong[0]}"
    return answer, ""


def _explained(answer: Answer, passed_over: list[str]) -> Answer:
    reasons = [*passed_over, answer.reason] if answer.reason else passed_over
    return replace(answer, reason="; ".join(dict.fromkeys(reasons)))
