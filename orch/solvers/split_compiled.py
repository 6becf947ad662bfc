"""From a choice to amounts, in machine code (numba, extra `fast`), and the size of a problem's money."""

from __future__ import annotations

from typing import Any

import numpy as np

from orch.solvers.batch_bundle_compiled import compiled
from orch.solvers.flat import BASE, CAP, CHANGE, FLOOR, NEED, PRESENT, STEP, UNIT, WIDTH, WORTH
from orch.solvers.menu_compiled import FREE
from orch.solvers.spans_compiled import sizes


@compiled
def split(  # noqa: PLR0912 - one loop, written out
    menu: Any, flat: Any, places: Any, grown: Any, held: Any
) -> Any:
    """What a choice gives every node; what nobody wants stays with whoever has it."""
    nodes = len(places)
    found = np.empty((nodes, 4))
    column, hold_column = 0, 0
    for node in range(nodes):
        option = places[node]
        found[node] = menu.least[option]
        along, path = 0.0, -1
        for stretch in range(menu.stretches[option], menu.stretches[option + 1]):
            if menu.path[stretch] != path:
                along, path = 0.0, menu.path[stretch]
            along += menu.length[stretch] * grown[column]
            column += 1
            for name in range(4):
                per_unit = menu.per_unit[stretch, name]
                if per_unit > 0.0:
                    need = flat.amounts[node, NEED, name]
                    floor = flat.amounts[node, FLOOR, name]
                    start = need if not np.isnan(need) else (0.0 if np.isnan(floor) else floor)
                    found[node, name] = max(found[node, name], start + per_unit * along)
        for hold in range(menu.holds[option], menu.holds[option + 1]):
            for name in range(4):
                if menu.row_of[name] == menu.hold_row[hold]:
                    found[node, name] += held[hold_column] * menu.size[menu.hold_row[hold]]
            hold_column += 1
    for name in range(4):
        if menu.row_of[name] < 0:
            continue
        left = flat.capacity[name]
        for node in range(nodes):
            left -= 0.0 if np.isnan(flat.amounts[node, PRESENT, name]) else found[node, name]
        for node in range(nodes):
            was, cap = flat.amounts[node, PRESENT, name], flat.amounts[node, CAP, name]
            if (
                menu.kind[places[node]] != FREE
                or np.isnan(was)
                or left <= 0.0
                or flat.amounts[node, STEP, name] > 0.0
            ):
                continue
            back = min(was if np.isnan(cap) else min(was, cap), found[node, name] + left)
            if back > found[node, name]:
                left -= back - found[node, name]
                found[node, name] = back
    return found


@compiled
def money_scale(flat: Any) -> float:
    """The size of a problem's money in USD over the horizon, as `orch.solvers.answers` has it."""
    scale, usd, costs = sizes(flat.amounts, flat.capacity), 0.0, 0.0
    for node in range(len(flat.facts)):
        usd += abs(flat.facts[node, BASE])
        costs += flat.facts[node, CHANGE]
        for name in range(4):
            unit = flat.amounts[node, UNIT, name]
            costs += 0.0 if np.isnan(unit) else unit * scale[name]
    for place in range(len(flat.activities)):
        each = flat.activities[place]
        level = each[WIDTH]
        for name in range(4):
            if each[name] > 0.0:
                level = min(level, scale[name] / each[name])
        usd += abs(each[WORTH]) * level
    usd *= flat.limits[0]
    for pair in range(len(flat.pairs)):
        usd += abs(flat.pairs[pair, 2])
    return float(max(usd + costs, 1e-12))
