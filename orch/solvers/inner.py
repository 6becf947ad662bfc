"""What one choice of options is worth, exactly: a small linear program, and the split that it means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from orch.model.resources import Resources, resources
from orch.solvers.simplex import pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orch.model.resources import ResourceName
    from orch.solvers.menu import Menu

    Floats: TypeAlias = NDArray[np.float64]

ROOM = 1e-9
"""A limit may be exceeded by this share of itself before a choice counts as impossible."""


class Chosen(NamedTuple):
    """A choice's worth in USD over the horizon, the prices of the rows that prove it, and how far each part grows.

    `grown` has the share of each stretch, `held` the scaled amount of each hold, both by the menu's own order.
    """

    usd: float
    prices: Floats
    grown: dict[int, float]
    held: dict[int, float]


def pair_usd(menu: Menu, places: Sequence[int]) -> float:
    """What pairs of running nodes add, in USD over the horizon. `places` are option numbers by node."""
    return math.fsum(usd for one, other, usd in menu.pairs if menu.runs[places[one]] and menu.runs[places[other]])


def solve_choice(menu: Menu, places: Sequence[int], near: Floats | None = None) -> Chosen | None:
    """The best that one option per node allows; None when they do not fit together.

    Args:
        menu: The menu.
        places: An option's number by node.
        near: Prices by row that may be about right; makes it quicker.
    """
    chosen = list(places)
    left = menu.limit - menu.uses[chosen].sum(axis=0)
    if (left < -ROOM * np.maximum(menu.limit, 1.0)).any():
        return None
    left = np.maximum(left, 0.0)
    worth = float(menu.constant[chosen].sum()) + pair_usd(menu, chosen)
    stretches = [index for place in chosen for index in range(*menu.stretch_range[place])]
    holds = [index for place in chosen for index in range(*menu.hold_range[place])]
    prices = np.zeros(len(menu.limit))
    if not stretches and not holds:
        return Chosen(worth, prices, {}, {})
    capacities, rows = len(menu.capacities), [menu.take[stretches].T]
    limit, upper = [left], np.concatenate([np.ones(len(stretches)), menu.hold_amount[holds]])
    gain = np.concatenate([menu.gain[stretches], menu.hold_unit[holds]])
    if holds:
        of_holds = np.zeros((len(menu.limit), len(holds)))
        of_holds[menu.hold_row[holds], np.arange(len(holds))] = 1.0
        rows.append(of_holds)
    table = np.concatenate(rows, axis=1)
    stocks, amounts = _stocks(menu, stretches, holds)
    if len(stocks):
        table = np.concatenate([table, stocks])
        limit.append(amounts)
    tight = np.ones(len(table), dtype=bool)
    tight[:capacities] = (table[:capacities] @ upper) > left[:capacities]
    tight[capacities : len(left)] = False
    start = None
    if near is not None:
        start = np.concatenate([near, np.zeros(len(table) - len(left))])[tight]
    packed = pack(gain, table[tight], np.concatenate(limit)[tight], upper, start)
    every = np.zeros(len(table))
    every[tight] = packed.prices
    prices = every[: len(left)]
    count = len(stretches)
    grown = dict(zip(stretches, packed.amounts[:count].tolist(), strict=True))
    held = dict(zip(holds, packed.amounts[count:].tolist(), strict=True))
    return Chosen(worth + packed.gain, prices, grown, held)


def _stocks(menu: Menu, stretches: list[int], holds: list[int]) -> tuple[Floats, Floats]:
    """A row per hold whose resource its own node may also grow into: held and grown together are what it has."""
    rows, amounts = [], []
    options, stock = menu.option_of[stretches], menu.stock[stretches]
    for position, index in enumerate(holds):
        row = menu.hold_row[index]
        mine = np.where(options == menu.hold_of[index], stock[:, row], 0.0)
        if mine.any():
            own = np.zeros(len(holds))
            own[position] = 1.0
            rows.append(np.concatenate([mine, own]))
            amounts.append(menu.hold_amount[index])
    return np.array(rows), np.array(amounts)


def split_of_choice(menu: Menu, places: Sequence[int], chosen: Chosen) -> dict[str, Resources]:
    """The allocations by node name that a choice means; what nobody wants stays with whoever has it."""
    amounts = [_amounts(menu, place, chosen) for place in places]
    problem = menu.problem
    for name, capacity in problem.capacity.known():
        left = capacity - math.fsum(own.get(name, 0.0) for own in amounts)
        for node, own, place in zip(problem.nodes, amounts, places, strict=True):
            option, was = menu.options[place], node.present.get(name)
            if option.kind != "free" or was is None or left <= 0.0 or node.step.or_zero(name) > 0.0:
                continue
            cap = node.cap.get(name)
            back = min(was if cap is None else min(was, cap), own[name] + left)
            if back > own[name]:
                left -= back - own[name]
                own[name] = back
    return {node.name: resources(dict(own)) for node, own in zip(problem.nodes, amounts, strict=True)}


def _amounts(menu: Menu, place: int, chosen: Chosen) -> dict[ResourceName, float]:
    option = menu.options[place]
    found = dict(option.least)
    along = [0.0] * len(option.paths)
    first = menu.stretch_range[place][0]
    for offset, stretch in enumerate(option.stretches):
        along[stretch.path] += stretch.length * chosen.grown.get(first + offset, 0.0)
    for path, length in zip(option.paths, along, strict=True):
        for name, per_unit in path.per_unit.items():
            found[name] = max(found[name], path.start[name] + per_unit * length)
    first = menu.hold_range[place][0]
    for offset, hold in enumerate(option.holds):
        size = menu.size[menu.capacities.index(hold.resource)]
        found[hold.resource] += chosen.held.get(first + offset, 0.0) * size
    return found
