"""Splits for states of the nodes: exact where resources are separate, a good heuristic where they are bundled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orch.solvers.spans import TIGHT, scales
from orch.solvers.waterfill import Filled, Key, Range, fill, gain, planned_takes, ranges_of, split_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.model.problems import Problem
    from orch.model.resources import ResourceName, Resources
    from orch.solvers.states import State


def fill_all(problem: Problem, states: Mapping[str, State], key: Key) -> dict[ResourceName, Filled] | None:
    """Every resource water-filled on its own, whole steps where steps are asked for; None when impossible."""
    found: dict[ResourceName, Filled] = {}
    for name in scales(problem):
        ranges = ranges_of(problem, states, name)
        filled = fill(problem, ranges, name, key)
        if filled is not None and any(each.span.step for each in ranges):
            filled = _in_steps(problem, ranges, name, key, filled)
        if filled is None:
            return None
        found[name] = filled
    return found


def _in_steps(
    problem: Problem, ranges: list[Range], name: ResourceName, key: Key, filled: Filled
) -> Filled | None:
    """Whole steps below the continuous split, further steps while they pay, and the rest filled anew."""
    amounts = {
        each.node.name: max(each.span.at_or_below(filled.amounts[each.node.name]), each.least)
        for each in ranges
        if each.span.step and each.most > each.least
    }
    for _ in range(64 * len(ranges)):
        fixed = [_at(each, amounts) for each in ranges]
        again = fill(problem, fixed, name, key)
        best = _best_step(problem, ranges, name, key, amounts)
        if best is None:
            return again
        amounts[best[0]] = best[1]
    return fill(problem, [_at(each, amounts) for each in ranges], name, key)


def _at(each: Range, amounts: Mapping[str, float]) -> Range:
    amount = amounts.get(each.node.name)
    return each if amount is None else each._replace(least=amount, most=amount)


def _best_step(
    problem: Problem, ranges: list[Range], name: ResourceName, key: Key, amounts: Mapping[str, float]
) -> tuple[str, float] | None:
    """The node whose next step adds most to the whole, and its amount then; None when none adds anything."""

    def whole(now: Mapping[str, float]) -> float:
        filled = fill(problem, [_at(each, now) for each in ranges], name, key)
        if filled is None:
            return -math.inf
        return math.fsum(gain(problem, each, name, key, filled.amounts[each.node.name]) for each in ranges)

    before, best, best_gain = whole(amounts), None, 0.0
    for each in ranges:
        amount = amounts.get(each.node.name)
        if amount is None or each.span.step is None:
            continue
        after = each.span.floor + each.span.step * (
            math.floor((amount - each.span.floor) / each.span.step + 1e-6) + 1
        )
        if after > each.most * (1.0 + TIGHT):
            continue
        more = whole({**amounts, each.node.name: after}) - before
        if more > best_gain + 1e-12 * abs(before):
            best, best_gain = (each.node.name, after), more
    return best


def pack(
    problem: Problem, states: Mapping[str, State], prices: Mapping[ResourceName, float]
) -> dict[str, Resources] | None:
    """Activities by falling worth per price of what they take, then whatever is left back to whom it belongs.

    Returns:
        Allocations by node, or None when what must be kept exceeds a capacity.
    """
    ranges = {
        (each.node.name, name): each for name in scales(problem) for each in ranges_of(problem, states, name)
    }
    scale = scales(problem)
    if any(each.least > each.most + TIGHT * scale[name] for (_, name), each in ranges.items()):
        return None
    amounts = {where: each.least for where, each in ranges.items()}
    spare = {where: max(each.least - each.span.need, 0.0) for where, each in ranges.items()}
    left: dict[ResourceName, float] = {}
    for name, size in scale.items():
        capacity = problem.capacity.get(name)
        given = math.fsum(amount for (_, each), amount in amounts.items() if each == name)
        left[name] = 0.0 if capacity is None else capacity - given
        if left[name] < -TIGHT * size:
            return None
        left[name] = max(left[name], 0.0)
    for node_name, takes, width in _by_worth(problem, states, prices):
        level = width
        for name, take in takes.items():
            where = (node_name, name)
            room = spare[where] + min(left[name], max(ranges[where].most - amounts[where], 0.0))
            level = min(level, room / take)
        for name, take in takes.items():
            where, asked = (node_name, name), take * level
            own = min(spare[where], asked)
            spare[where] -= own
            amounts[where] += asked - own
            left[name] = max(left[name] - (asked - own), 0.0)
    _give_back(ranges, amounts, left)
    filled: dict[ResourceName, Filled] = {}
    for (node_name, name), amount in amounts.items():
        filled.setdefault(name, Filled({}, 0.0)).amounts[node_name] = amount
    return split_of(problem, filled)


def _by_worth(
    problem: Problem, states: Mapping[str, State], prices: Mapping[ResourceName, float]
) -> list[tuple[str, dict[ResourceName, float], float]]:
    """Node, takes and width of every activity that earns more than its moving costs, best first."""
    found = []
    for node in problem.nodes:
        if states[node.name] == "off":
            continue
        for index, activity in enumerate(node.activities):
            takes = planned_takes(node, activity)
            price = math.fsum(amount * prices[name] for name, amount in takes.items())
            moving = math.fsum(amount * node.unit_usd.or_zero(name) for name, amount in takes.items())
            worth = problem.horizon_h * activity.usd_per_hour
            if takes and worth > moving:
                rank = (-(worth / price if price > 0.0 else math.inf), node.name, index)
                found.append((rank, node.name, takes, activity.width))
    found.sort(key=lambda each: each[0])
    return [(name, takes, width) for _, name, takes, width in found]


def _give_back(
    ranges: Mapping[tuple[str, ResourceName], Range],
    amounts: dict[tuple[str, ResourceName], float],
    left: dict[ResourceName, float],
) -> None:
    """Round to whole steps, then let nodes keep of their present amounts what nobody else took."""
    for where, each in ranges.items():
        name, amount = where[1], amounts[where]
        up = each.span.at_or_above(amount)
        whole = (
            up if up <= each.most and up - amount <= left[name] else max(each.span.at_or_below(amount), each.least)
        )
        left[name] = max(left[name] - (whole - amount), 0.0)
        amounts[where] = whole
    for where, each in ranges.items():
        name, amount = where[1], amounts[where]
        back = min(each.span.present, each.most, amount + left[name])
        if back > amount:
            back = max(each.span.at_or_below(back), amount)
            left[name] = max(left[name] - (back - amount), 0.0)
            amounts[where] = back
