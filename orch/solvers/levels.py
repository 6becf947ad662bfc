"""What a node earns with an allocation: the best levels of its activities, exactly.

Activities that share resources in one fixed proportion (single resources among them) are filled in the order of
their worth; where proportions differ, the levels are a small linear program for HiGHS.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orch.model.problems import ProblemNode
    from orch.model.resources import ResourceName, Resources

Takes: TypeAlias = "dict[ResourceName, float]"


class Income(NamedTuple):
    """USD per hour, with its 90 % bounds."""

    mean: float
    low: float
    high: float


NOTHING = Income(0.0, 0.0, 0.0)


def runs(node: ProblemNode, allocation: Resources) -> bool:
    """Whether a node runs with an allocation: one that may stop needs all of its floor and need."""
    if not node.may_stop:
        return True
    for name, _ in node.present.known():
        least = max(node.floor.or_zero(name), node.need.or_zero(name))
        if allocation.or_zero(name) < least * (1.0 - 1e-9):
            return False
    return True


def evaluate(node: ProblemNode, allocation: Resources) -> Income:
    """What a node earns per hour with an allocation: base income and activities at their best levels."""
    if not runs(node, allocation):
        return NOTHING
    base = node.base_usd_per_hour
    low = base if node.base_low_usd_per_hour is None else node.base_low_usd_per_hour
    high = base if node.base_high_usd_per_hour is None else node.base_high_usd_per_hour
    mean = base
    for activity, level in zip(node.activities, levels(node, allocation), strict=True):
        mean += activity.usd_per_hour * level
        low += activity.low * level
        high += activity.high * level
    return Income(mean, low, high)


def levels(node: ProblemNode, allocation: Resources) -> tuple[float, ...]:
    """The levels of a running node's activities that earn most within an allocation.

    Resources that are not planned for the node (its present amount is unknown) do not count.
    """
    room: dict[ResourceName, float] = {}
    for name, present in node.present.known():
        amount = allocation.get(name)
        need = node.need.get(name)
        start = node.floor.or_zero(name) if need is None else need
        room[name] = max((present if amount is None else amount) - start, 0.0)
    found = [0.0] * len(node.activities)
    takes = {
        index: {name: amount for name, amount in activity.takes.known() if amount > 0.0 and name in room}
        for index, activity in enumerate(node.activities)
        if activity.usd_per_hour > 0.0 and activity.width > 0.0
    }
    for group in _groups(takes):
        if not takes[group[0]]:
            found[group[0]] = node.activities[group[0]].width
        elif _same_direction([takes[index] for index in group]):
            _fill(node, group, takes, room, found)
        else:
            _solve(node, group, takes, room, found)
    return tuple(found)


def _groups(takes: dict[int, Takes]) -> list[list[int]]:
    """The activities, grouped so that no resource is taken by two groups."""
    groups: list[tuple[set[ResourceName], list[int]]] = []
    for index, taken in takes.items():
        names, members = set(taken), [index]
        apart = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                members = group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    return [members for _, members in groups]


def _same_direction(vectors: Sequence[Takes]) -> bool:
    first = vectors[0]
    lead = next(iter(first))
    for each in vectors[1:]:
        if each.keys() != first.keys():
            return False
        ratio = each[lead] / first[lead]
        if any(not math.isclose(each[name], ratio * first[name], rel_tol=1e-9) for name in first):
            return False
    return True


def _fill(
    node: ProblemNode,
    group: Iterable[int],
    takes: dict[int, Takes],
    room: dict[ResourceName, float],
    found: list[float],
) -> None:
    def worth(index: int) -> float:
        return node.activities[index].usd_per_hour / max(takes[index].values())

    for index in sorted(group, key=lambda each: (-worth(each), each)):
        level = min(node.activities[index].width, *(room[name] / amount for name, amount in takes[index].items()))
        found[index] = level
        for name, amount in takes[index].items():
            room[name] = max(room[name] - amount * level, 0.0)


def _solve(
    node: ProblemNode,
    group: Sequence[int],
    takes: dict[int, Takes],
    room: dict[ResourceName, float],
    found: list[float],
) -> None:
    from orch.solvers.highs import Model

    model = Model()
    tops = {}
    for index in group:
        activity = node.activities[index]
        top = min(activity.width, *(room[name] / amount for name, amount in takes[index].items()))
        tops[index] = (model.column(0.0, 1.0, gain=activity.usd_per_hour * top), top)
    for name in {name for index in group for name in takes[index]}:
        terms = [(tops[index][0], takes[index].get(name, 0.0) * tops[index][1]) for index in group]
        size = max(room[name], 1e-300)
        model.row(-math.inf, room[name] / size, [(column, amount / size) for column, amount in terms if amount])
    outcome = model.run(seconds=10.0, seed=0)
    for index in group:
        column, top = tops[index]
        found[index] = min(max(outcome.values[column], 0.0), 1.0) * top
