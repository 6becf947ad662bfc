"""Water-filling: hand out each resource by falling worth per unit.

Exact where every activity takes one resource: a node's worth of one resource is then concave, and so is the
proportional cost of moving away from the present amount, which only adds a kink there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from orch.model.resources import Resources, resources
from orch.solvers.spans import TIGHT, Span, scales, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orch.model.problems import Activity, Problem, ProblemNode
    from orch.model.resources import ResourceName
    from orch.solvers.states import State


Key: TypeAlias = "Mapping[tuple[str, int], ResourceName]"
"""The one resource that an activity, by its node's name and its place there, is counted on."""


class Range(NamedTuple):
    """What one node may be given of one resource, in the state it is tried in."""

    node: ProblemNode
    span: Span
    least: float
    most: float


class Piece(NamedTuple):
    """A stretch of one node's worth: so many units, each worth `slope` USD over the horizon."""

    slope: float
    below_present: bool
    node: str
    units: float


class Filled(NamedTuple):
    """One resource's amounts by node, and what one more unit of it would add (USD over the horizon).

    `hidden_usd`: no other amounts are worth more than these by more.
    """

    amounts: dict[str, float]
    price: float
    hidden_usd: float = 0.0


def ranges_of(problem: Problem, states: Mapping[str, State], name: ResourceName) -> list[Range]:
    """What each running, resting or stopped node may be given of one resource."""
    found = []
    for node in problem.nodes:
        span = next((each for each in spans(problem, node) if each.resource == name), None)
        if span is None:
            continue
        state = states[node.name]
        if state == "off":
            found.append(Range(node, span, 0.0, 0.0))
        elif state == "keep" or span.fixed:
            found.append(Range(node, span, span.present, span.present))
        else:
            most = min(span.most, problem.capacity.or_zero(name))
            found.append(Range(node, span, span.at_or_above(span.least), span.at_or_below(most)))
    return found


def fill(problem: Problem, ranges: list[Range], name: ResourceName, key: Key) -> Filled | None:
    """The best continuous split of one resource; None when what must be kept exceeds the capacity."""
    capacity = problem.capacity.get(name)
    amounts = {each.node.name: each.least for each in ranges}
    if capacity is None:
        return Filled(amounts, 0.0)
    left = capacity - math.fsum(amounts.values())
    slack = TIGHT * scales(problem)[name]
    if left < -slack or any(each.least > each.most + slack for each in ranges):
        return None
    left = max(left, 0.0)
    if any(law.resource == name for each in ranges for law in each.node.laws):
        from orch.solvers.curvefill import fill_curves

        return fill_curves(problem, ranges, name, key, left)
    pieces = [piece for each in ranges for piece in pieces_of(problem, each, name, key)]
    pieces.sort(key=lambda piece: (-piece.slope, not piece.below_present))
    price = 0.0
    for piece in pieces:
        units = min(piece.units, left)
        amounts[piece.node] += units
        left -= units
        if units < piece.units:
            price = max(piece.slope, 0.0)
            break
    return Filled(amounts, price)


def pieces_of(problem: Problem, each: Range, name: ResourceName, key: Key) -> Iterator[Piece]:
    """The stretches between a node's least and most amount, best first, less the cost of moving."""
    start = each.span.need
    for slope, units in [*_slopes(problem, each.node, name, key), (0.0, math.inf)]:
        end = start + units
        low, high = max(start, each.least), min(end, each.most)
        start = end
        middle = min(max(each.span.present, low), high)
        if middle > low:
            yield Piece(slope + each.span.unit_usd, True, each.node.name, middle - low)
        if high > middle and slope > each.span.unit_usd:
            yield Piece(slope - each.span.unit_usd, False, each.node.name, high - middle)
        if end >= each.most:
            return


def _slopes(problem: Problem, node: ProblemNode, name: ResourceName, key: Key) -> list[tuple[float, float]]:
    found = []
    for index, activity in enumerate(node.activities):
        take = activity.takes.or_zero(name)
        if key.get((node.name, index)) == name and activity.usd_per_hour > 0.0:
            found.append((problem.horizon_h * activity.usd_per_hour / take, activity.width * take))
    return sorted(found, reverse=True)


def gain(problem: Problem, each: Range, name: ResourceName, key: Key, amount: float) -> float:
    """What an amount of one resource is worth to a node, USD over the horizon, less the cost of moving there."""
    left, worth = amount - each.span.need, 0.0
    for slope, units in _slopes(problem, each.node, name, key):
        if left <= 0.0:
            break
        worth += slope * min(units, left)
        left -= units
    room = max(amount - each.span.need, 0.0)
    for law in each.node.laws:
        if law.resource == name:
            worth += problem.horizon_h * law.usd_per_hour * room**law.power
    return worth - each.span.unit_usd * abs(amount - each.span.present)


def planned_takes(node: ProblemNode, activity: Activity) -> dict[ResourceName, float]:
    """What an activity takes of the resources that are planned for its node."""
    return {
        name: amount
        for name, amount in activity.takes.known()
        if amount > 0.0 and node.present.get(name) is not None
    }


def separable(problem: Problem) -> bool:
    """Whether every activity takes at most one planned resource."""
    return all(len(planned_takes(node, each)) <= 1 for node in problem.nodes for each in node.activities)


def key_resources(problem: Problem, prices: Mapping[ResourceName, float]) -> dict[tuple[str, int], ResourceName]:
    """For every activity the one resource it is counted on: the dearest of those it takes.

    Counting it on one only lets it have the others for nothing, so that the split found is worth no less than the
    best real one: an upper bound.
    """
    found: dict[tuple[str, int], ResourceName] = {}
    for node in problem.nodes:
        for index, activity in enumerate(node.activities):
            costs = {name: amount * prices[name] for name, amount in planned_takes(node, activity).items()}
            if costs:
                found[node.name, index] = max(costs, key=lambda name: costs[name])
    return found


def scarcity(problem: Problem) -> dict[ResourceName, float]:
    """A price per unit of each resource: what all activities together want of it, over what there is, squared."""
    wanted = dict.fromkeys(scales(problem), 0.0)
    for node in problem.nodes:
        for activity in node.activities:
            for name, amount in planned_takes(node, activity).items():
                wanted[name] += min(amount * activity.width, problem.capacity.or_zero(name))
    found: dict[ResourceName, float] = {}
    for name, size in scales(problem).items():
        kept = math.fsum(
            span.least for node in problem.nodes for span in spans(problem, node) if span.resource == name
        )
        left = max(problem.capacity.or_zero(name) - kept, size * 1e-6)
        found[name] = wanted[name] / (left * left)
    return found


def split_of(problem: Problem, filled: Mapping[ResourceName, Filled]) -> dict[str, Resources]:
    """Allocations by node from amounts by resource."""
    return {
        node.name: resources(
            {name: each.amounts[node.name] for name, each in filled.items() if node.name in each.amounts}
        )
        for node in problem.nodes
    }
