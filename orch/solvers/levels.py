"""What a node earns with an allocation: the best levels of its activities, exactly.

Activities that share resources in one fixed proportion (single resources among them) are filled in the order of
their worth; where proportions differ, the levels are a small linear program for HiGHS.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orch.model.problems import Activity, PowerLaw, ProblemNode
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
    """What a node earns per hour with an allocation: base income, activities at their best levels, and laws."""
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
    for law, grown in law_levels(node, allocation):
        mean += law.usd_per_hour * grown
        low += law.low * grown
        high += law.high * grown
    return Income(mean, low, high)


def law_levels(node: ProblemNode, allocation: Resources) -> list[tuple[PowerLaw, float]]:
    """Each law of a running node that counts, with the power of what it has above its need."""
    found = []
    for law in node.laws:
        present, amount, need = (each.get(law.resource) for each in (node.present, allocation, node.need))
        if present is not None:
            start = node.floor.or_zero(law.resource) if need is None else need
            room = max((present if amount is None else amount) - start, 0.0)
            found.append((law, room**law.power))
    return found


def levels(node: ProblemNode, allocation: Resources) -> tuple[float, ...]:
    """The levels of a running node's activities that earn most within an allocation.

    Resources that are not planned for the node (its present amount is unknown) do not count.
    """
    shape = _shape(node)
    room: dict[ResourceName, float] = {}
    for name, present, start in shape.starts:
        amount = allocation.get(name)
        more = (present if amount is None else amount) - start
        room[name] = max(more, 0.0)
    found = [0.0] * len(node.activities)
    for group, same_direction in shape.groups:
        if not group[0].takes:
            found[group[0].place] = group[0].width
        elif same_direction:
            _fill(group, room, found)
        else:
            _solve(group, room, found)
    return tuple(found)


class _Shape(NamedTuple):
    """What of a node's income does not depend on its allocation: `starts` are `(resource, present, need)`."""

    starts: tuple[tuple[ResourceName, float, float], ...]
    groups: tuple[tuple[tuple[Paying, ...], bool], ...]


REMEMBERED = 256
_shapes: dict[int, tuple[ProblemNode, _Shape]] = {}


def _shape(node: ProblemNode) -> _Shape:
    """Remembered for the last nodes, by identity: they are immutable, held here, and asked of dozens of times."""
    known = _shapes.get(id(node))
    if known is not None and known[0] is node:
        return known[1]
    starts = []
    for name, present in node.present.known():
        need = node.need.get(name)
        starts.append((name, present, node.floor.or_zero(name) if need is None else need))
    shape = _Shape(tuple(starts), ranked(node.activities, tuple(name for name, _, _ in starts)))
    if len(_shapes) >= REMEMBERED:
        _shapes.clear()
    _shapes[id(node)] = (node, shape)
    return shape


class Paying(NamedTuple):
    """An activity that pays: where it stands, how wide it is, what it takes of the planned resources."""

    place: int
    width: float
    usd_per_hour: float
    takes: Takes

    @property
    def worth(self) -> float:
        """USD per hour of a unit of what it takes most of."""
        return self.usd_per_hour / max(self.takes.values()) if self.takes else math.inf


@lru_cache(maxsize=256)
def ranked(
    activities: tuple[Activity, ...], planned: tuple[ResourceName, ...]
) -> tuple[tuple[tuple[Paying, ...], bool], ...]:
    """The paying activities, the dearest first, grouped so that no resource is taken by two groups.

    With each group, whether its activities take their resources in one proportion.

    The same for every allocation of a node, and asked for dozens of times for each problem.
    """
    groups: list[tuple[set[ResourceName], list[Paying]]] = []
    seen: dict[Resources, Takes] = {}  # segments of one curve all take the same
    for place, each in enumerate(activities):
        if each.usd_per_hour <= 0.0 or each.width <= 0.0:
            continue
        takes = seen.get(each.takes)
        if takes is None:
            takes = {name: amount for name, amount in each.takes.known() if amount > 0.0 and name in planned}
            seen[each.takes] = takes
        names, members = set(takes), [Paying(place, each.width, each.usd_per_hour, takes)]
        apart = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                members = group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (names, members)]
    ranked = [tuple(sorted(members, key=lambda each: (-each.worth, each.place))) for _, members in groups]
    return tuple((group, _same_direction(group)) for group in ranked)


def _same_direction(group: Sequence[Paying]) -> bool:
    first = group[0].takes
    for each in group[1:]:
        if each.takes is first:
            continue
        if each.takes.keys() != first.keys():
            return False
        lead = next(iter(first))
        ratio = each.takes[lead] / first[lead]
        if any(not math.isclose(each.takes[name], ratio * first[name], rel_tol=1e-9) for name in first):
            return False
    return True


def _fill(group: Iterable[Paying], room: dict[ResourceName, float], found: list[float]) -> None:
    for place, level, _, takes in group:
        for name, amount in takes.items():
            within = room[name] / amount
            if within < level:  # noqa: PLR1730 - written out, it takes half as long
                level = within  # noqa: PLW2901 - how far it can be filled
        if level <= 0.0:
            continue
        found[place] = level
        for name, amount in takes.items():
            left = room[name] - amount * level
            room[name] = left if left > 0.0 else 0.0  # noqa: FURB136 - as above


def _solve(group: Sequence[Paying], room: dict[ResourceName, float], found: list[float]) -> None:
    from orch.solvers.highs import Model

    model = Model()
    tops = []
    for each in group:
        top = min(each.width, *(room[name] / amount for name, amount in each.takes.items()))
        tops.append((model.column(0.0, 1.0, gain=each.usd_per_hour * top), top))
    for name in dict.fromkeys(name for each in group for name in each.takes):
        size = max(room[name], 1e-300)
        terms = [
            (column, each.takes[name] * top / size)
            for each, (column, top) in zip(group, tops, strict=True)
            if each.takes.get(name, 0.0) * top
        ]
        model.row(-math.inf, room[name] / size, terms)
    outcome = model.run(seconds=10.0, seed=0)
    for each, (column, top) in zip(group, tops, strict=True):
        found[each.place] = min(max(outcome.values[column], 0.0), 1.0) * top
