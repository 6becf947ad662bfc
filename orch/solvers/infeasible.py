"""Why a problem has no solution: a smallest set of constraints that cannot all hold, in words.

Where the contradiction is not plain (`spans.conflicts`), constraints are dropped one at a time while the rest
still contradicts itself; what cannot be dropped is the set (the deletion filter of Chinneck & Dravnieks 1991).
Whether the rest holds together is asked of HiGHS.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from orch.model.resources import RESOURCES, Resources, resources
from orch.solvers.spans import conflicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orch.model.problems import Group, Problem, ProblemNode
    from orch.model.resources import ResourceName

SECONDS = 2.0
"""For all questions together: what is not told apart by then stays in the set."""


class Constraint(NamedTuple):
    """One thing a problem asks for: in words, and the problem without it."""

    words: str
    without: Callable[[Problem], Problem]


def why_infeasible(problem: Problem) -> tuple[str, ...]:
    """Sentences that contradict each other, none of which could be left out; for a problem without solution."""
    plain = conflicts(problem)
    if plain:
        return plain
    deadline = time.perf_counter() + SECONDS
    needed: list[str] = []
    rest = problem
    for each in _constraints(problem):
        smaller = each.without(rest)
        if time.perf_counter() < deadline and not _has_split(smaller):
            rest = smaller
        else:
            needed.append(each.words)
    return ("these cannot all hold: " + "; ".join(needed),) if needed else ("no split satisfies all constraints",)


def _has_split(problem: Problem) -> bool:
    from orch.solvers.linear_model import build

    if conflicts(problem):
        return False
    model = build(problem).model
    model.gain = [0.0] * len(model.gain)
    if any(
        start == end and not low <= 0.0 <= high
        for start, end, low, high in zip(
            model.starts[:-1], model.starts[1:], model.row_lower, model.row_upper, strict=True
        )
    ):
        return False
    return not model.lower or model.run(seconds=1.0, seed=0).status != "infeasible"


def _constraints(problem: Problem) -> Iterator[Constraint]:
    """The ones that are most likely to matter last: they are tried for dropping last."""
    for node in problem.nodes:
        yield from _soft(node)
    for node in problem.nodes:
        yield from _hard(node)
    for group in problem.groups:
        yield Constraint(f"at most {group.most} of {group.name} may run", _no_group(group))
    for name, capacity in problem.capacity.known():
        yield Constraint(f"{capacity:g} {name} may be given out", _unlimited(name))
    if problem.max_changes is not None:
        yield Constraint(
            f"at most {problem.max_changes} nodes may change", lambda each: replace(each, max_changes=None)
        )


def _soft(node: ProblemNode) -> Iterator[Constraint]:
    for name, step in node.step.known():
        if step > 0.0:
            yield Constraint(f"{node.name} takes whole steps of {step:g} {name}", _no_step(node.name, name))
    for name, cap in node.cap.known():
        if math.isfinite(cap):
            yield Constraint(f"{node.name} has a cap of {cap:g} {name}", _no_cap(node.name, name))


def _hard(node: ProblemNode) -> Iterator[Constraint]:
    for name, _ in node.present.known():
        least = max(node.floor.or_zero(name), node.need.or_zero(name))
        if least > 0.0:
            yield Constraint(f"{node.name} needs {least:g} {name}", _no_floor(node.name, name))
    if not node.may_stop:
        yield Constraint(f"{node.name} may not stop", _may_stop(node.name))
    if node.locked:
        yield Constraint(f"{node.name} is locked", _unlocked(node.name))


def _change(name: str, change: Callable[[ProblemNode], ProblemNode]) -> Callable[[Problem], Problem]:
    return lambda problem: replace(
        problem, nodes=tuple(change(each) if each.name == name else each for each in problem.nodes)
    )


def _with(vector: Resources, name: ResourceName, amount: float | None) -> Resources:
    return resources({each: amount if each == name else vector.get(each) for each in RESOURCES})


def _no_step(node: str, name: ResourceName) -> Callable[[Problem], Problem]:
    return _change(node, lambda each: replace(each, step=_with(each.step, name, None)))


def _no_cap(node: str, name: ResourceName) -> Callable[[Problem], Problem]:
    return _change(node, lambda each: replace(each, cap=_with(each.cap, name, math.inf)))


def _no_floor(node: str, name: ResourceName) -> Callable[[Problem], Problem]:
    return _change(
        node, lambda each: replace(each, floor=_with(each.floor, name, 0.0), need=_with(each.need, name, 0.0))
    )


def _may_stop(node: str) -> Callable[[Problem], Problem]:
    return _change(node, lambda each: replace(each, may_stop=True))


def _unlocked(node: str) -> Callable[[Problem], Problem]:
    return _change(node, lambda each: replace(each, locked=False))


def _no_group(group: Group) -> Callable[[Problem], Problem]:
    return lambda problem: replace(problem, groups=tuple(each for each in problem.groups if each != group))


def _unlimited(name: ResourceName) -> Callable[[Problem], Problem]:
    def without(problem: Problem) -> Problem:
        most = sum(
            max(node.present.or_zero(name), node.floor.or_zero(name), node.need.or_zero(name))
            + node.step.or_zero(name)
            for node in problem.nodes
        )
        return replace(problem, capacity=_with(problem.capacity, name, 10.0 * most + 1.0))

    return without
