"""The discrete part of a problem: whether each node may move, keeps what it has, or stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.solvers.spans import can_stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orch.model.problems import Problem

State: TypeAlias = Literal["free", "keep", "off"]
States: TypeAlias = "dict[str, State]"


def discrete(problem: Problem) -> bool:
    """Whether anything about a problem is not continuous."""
    return problem.max_changes is not None or any(
        not node.locked
        and (node.may_stop or node.change_usd > 0.0 or any(step > 0.0 for _, step in node.step.known()))
        for node in problem.nodes
    )


def all_free(problem: Problem) -> States:
    """Every node may move, locked ones aside."""
    return {node.name: "keep" if node.locked else "free" for node in problem.nodes}


def climb(
    problem: Problem, start: States, score: Callable[[States], tuple[float, float] | None], tries: int
) -> None:
    """Change one node's state at a time while that improves the score, which remembers what it has seen.

    `score` is larger for better states, None for impossible ones. At most `tries` states are scored.
    """
    best, best_score = dict(start), score(start)
    left = tries - 1
    improved = True
    while improved and left > 0:
        improved = False
        for states in _neighbours(problem, best):
            if left <= 0:
                break
            left -= 1
            found = score(states)
            if found is not None and (best_score is None or found > best_score):
                best, best_score, improved = states, found, True
                break


def _neighbours(problem: Problem, states: States) -> Iterator[States]:
    for node in problem.nodes:
        if node.locked:
            continue
        choices: tuple[State, ...] = ("keep", "off", "free") if can_stop(problem, node) else ("keep", "free")
        for choice in choices:
            if choice != states[node.name]:
                yield {**states, node.name: choice}
