"""Prices and choices of `orch.solvers.prices` and `orch.solvers.inner` in machine code (numba, extra `fast`).

The same bounds, the same linear programs, the same subgradient steps; only that a step costs a microsecond or two,
so that many more are taken, and choices are made at more of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from orch.solvers.batch_bundle_compiled import compiled, inlined
from orch.solvers.inner import ROOM
from orch.solvers.simplex import SMALL

TRY_EVERY = 4


class Quotes(NamedTuple):
    """Sets of prices: `prices` (K, R), `parts` (K, P), `worth` (K, O), `tops` and `best` (K, N), `bounds` (K,)."""

    prices: Any
    parts: Any
    worth: Any
    tops: Any
    best: Any
    bounds: Any


class Best(NamedTuple):
    """The best choice met: option by node, worth (1,), the prices that prove it."""

    places: Any
    usd: Any
    prices: Any


@compiled
def quote(menu: Any, pairs: Any, at: Any, place: int) -> None:
    """Worth by option, best option by node and the bound at the prices and parts of a place."""
    prices, parts, worth = at.prices[place], at.parts[place], at.worth[place]
    rows = len(menu.size)
    nodes, options = len(menu.first) - 1, menu.first[-1]
    for option in range(options):
        found = menu.constant[option]
        for row in range(len(prices)):
            found -= menu.uses[option, row] * prices[row]
        held = menu.holds[option] < menu.holds[option + 1]
        for hold in range(menu.holds[option], menu.holds[option + 1]):
            found += max(menu.hold_unit[hold] - prices[menu.hold_row[hold]], 0.0) * menu.hold_amount[hold]
        for stretch in range(menu.stretches[option], menu.stretches[option + 1]):
            found += max(_margin(menu, prices, stretch, rows, held), 0.0)
        worth[option] = found
    bound = 0.0
    for row in range(len(prices)):
        bound += prices[row] * menu.limit[row]
    for pair in range(len(pairs)):
        one, other, usd, part = int(pairs[pair, 0]), int(pairs[pair, 1]), pairs[pair, 2], parts[pair]
        for option in range(menu.first[one], menu.first[one + 1]):
            worth[option] += menu.runs[option] * part * usd
        theirs = 1.0 - part if usd > 0.0 else part
        for option in range(menu.first[other], menu.first[other + 1]):
            worth[option] += menu.runs[option] * theirs * usd
        if usd < 0.0:
            bound -= part * usd
    for node in range(nodes):
        top, best = -np.inf, menu.first[node]
        for option in range(menu.first[node], menu.first[node + 1]):
            if worth[option] > top:
                top, best = worth[option], option
        at.tops[place, node] = top
        at.best[place, node] = best
        bound += top
    at.bounds[place] = bound


@inlined
def _margin(menu: Any, prices: Any, stretch: int, rows: int, held: bool) -> float:
    margin = menu.gain[stretch]
    for row in range(rows):
        margin -= menu.take[stretch, row] * prices[row]
        if held:
            margin -= menu.stock[stretch, row] * max(menu.unit[stretch, row] - prices[row], 0.0)
    return float(margin)


@inlined
def slope(menu: Any, prices: Any, places: Any, found: Any) -> None:
    """The limits less what the chosen options take of every row when each grows as far as it pays."""
    rows = len(menu.size)
    found[:] = menu.limit
    for option in places:
        for row in range(len(prices)):
            found[row] -= menu.uses[option, row]
        held = menu.holds[option] < menu.holds[option + 1]
        for stretch in range(menu.stretches[option], menu.stretches[option + 1]):
            if _margin(menu, prices, stretch, rows, held) > 0.0:
                for row in range(rows):
                    found[row] -= menu.take[stretch, row]
        for hold in range(menu.holds[option], menu.holds[option + 1]):
            if menu.hold_unit[hold] > prices[menu.hold_row[hold]]:
                found[menu.hold_row[hold]] -= menu.hold_amount[hold]


@inlined
def together(menu: Any, pairs: Any, places: Any) -> float:
    """What pairs of running nodes add, in USD over the horizon."""
    usd = 0.0
    for pair in range(len(pairs)):
        usd += pairs[pair, 2] * menu.runs[places[int(pairs[pair, 0])]] * menu.runs[places[int(pairs[pair, 1])]]
    return usd


@compiled
def value(  # noqa: PLR0912 - one program, written out
    menu: Any, pairs: Any, places: Any, near: Any, prices: Any
) -> tuple[float, Any, Any]:
    """The best one option per node allows, `-inf` when they do not fit; writes the prices that prove it.

    Returns it with the share of every stretch and the amount of every hold of the chosen options, node by node.
    """
    rows, limits = len(menu.size), len(menu.limit)
    left = menu.limit.copy()
    worth = together(menu, pairs, places)
    stretches, holds = 0, 0
    for option in places:
        worth += menu.constant[option]
        stretches += menu.stretches[option + 1] - menu.stretches[option]
        holds += menu.holds[option + 1] - menu.holds[option]
        for row in range(limits):
            left[row] -= menu.uses[option, row]
    prices[:] = 0.0
    for row in range(limits):
        if left[row] < -ROOM * max(menu.limit[row], 1.0):
            return -np.inf, np.empty(0), np.empty(0)
        left[row] = max(left[row], 0.0)
    width = stretches + holds
    table = np.zeros((rows + holds, width + rows + holds))
    limit, goal, upper = (
        np.zeros(rows + holds),
        np.zeros(width + rows + holds),
        np.full(width + rows + holds, np.inf),
    )
    limit[:rows] = left[:rows]
    height = _columns(menu, places, table, limit, goal, upper, stretches)
    kept, count = np.empty(height, np.int64), 0
    for row in range(height):
        most = 0.0
        for column in range(width):
            most += table[row, column] * upper[column]
        if row >= rows or most > limit[row]:
            if count != row:
                table[count, :width] = table[row, :width]
                limit[count] = limit[row]
            kept[count] = row
            count += 1
    gain = goal[:width].copy()
    start = np.zeros(count)
    for place in range(count):
        table[place, width + place] = 1.0
        if kept[place] < rows:
            start[place] = near[kept[place]]
    amounts = _packed(table[:count, : width + count], limit[:count], goal[: width + count], upper[: width + count],
                      start)  # fmt: skip
    for column in range(width):
        worth += gain[column] * amounts[column]
    for place in range(count):
        if kept[place] < rows:
            prices[kept[place]] = max(-goal[width + place], 0.0)
    return worth, amounts[:stretches], amounts[stretches:]


@inlined
def _columns(menu: Any, places: Any, table: Any, limit: Any, goal: Any, upper: Any, stretches: int) -> int:
    """Write the program of a choice; how many rows it has with those of what is held and grown into as well."""
    rows = len(menu.size)
    column, other, height = 0, stretches, rows
    for option in places:
        first = column
        for stretch in range(menu.stretches[option], menu.stretches[option + 1]):
            for row in range(rows):
                table[row, column] = menu.take[stretch, row]
            goal[column], upper[column] = menu.gain[stretch], 1.0
            column += 1
        for hold in range(menu.holds[option], menu.holds[option + 1]):
            row = menu.hold_row[hold]
            table[row, other] = 1.0
            goal[other], upper[other] = menu.hold_unit[hold], menu.hold_amount[hold]
            shared = False
            for place in range(first, column):
                stock = menu.stock[menu.stretches[option] + place - first, row]
                if stock > 0.0:
                    table[height, place] = stock
                    shared = True
            if shared:
                table[height, other] = 1.0
                limit[height] = menu.hold_amount[hold]
                height += 1
            other += 1
    return height


@compiled
def _packed(table: Any, left: Any, goal: Any, upper: Any, start: Any) -> Any:
    """The bounded simplex of `orch.solvers.simplex`; changes what it is given."""
    height, every = table.shape
    width = every - height
    flipped = np.zeros(every, np.bool_)
    basis = np.arange(width, every)
    scale = 1e-300
    for column in range(width):
        scale = max(scale, abs(goal[column]))
    _crash(table, left, goal, upper, flipped, start, width)
    patience = 4 * every + 20
    for turn in range(50 * every + 50):
        enter, top = -1, SMALL * scale
        for column in range(every):
            if goal[column] > top:
                enter, top = column, goal[column]
                if turn >= patience:
                    break
        if enter < 0:
            break
        _turn(table, left, goal, upper, flipped, basis, enter)
    amounts = np.zeros(every)
    for column in range(every):
        amounts[column] = upper[column] if flipped[column] else 0.0
    for row in range(height):
        column = basis[row]
        amounts[column] = upper[column] - left[row] if flipped[column] else left[row]
    for column in range(width):
        amounts[column] = min(max(amounts[column], 0.0), upper[column])
    return amounts[:width]


@inlined
def _crash(table: Any, left: Any, goal: Any, upper: Any, flipped: Any, start: Any, width: int) -> None:
    """Put columns that pay at the starting prices at their upper bounds, the best first, while they fit."""
    ratio, paying = np.empty(width), 0
    places = np.empty(width, np.int64)
    for column in range(width):
        cost = 1e-300
        for row in range(len(left)):
            cost += start[row] * table[row, column]
        if goal[column] > cost:
            ratio[paying], places[paying] = cost / goal[column], column
            paying += 1
    for at in range(paying):
        least = at
        for other in range(at + 1, paying):
            if ratio[other] < ratio[least]:
                least = other
        column = places[least]
        ratio[least], places[least] = ratio[at], places[at]
        for row in range(len(left)):
            if table[row, column] * upper[column] > left[row]:
                return
        for row in range(len(left)):
            left[row] -= table[row, column] * upper[column]
            table[row, column] = -table[row, column]
        goal[column] = -goal[column]
        flipped[column] = True


@inlined
def _turn(table: Any, left: Any, goal: Any, upper: Any, flipped: Any, basis: Any, enter: int) -> None:
    """Let one column in: to its own bound, or until a basic one meets one of its bounds."""
    height, every = table.shape
    step, row, rises = upper[enter], -1, False
    for place in range(height):
        slant = table[place, enter]
        if slant > SMALL and left[place] / slant < step:
            step, row, rises = left[place] / slant, place, False
        elif slant < -SMALL and (upper[basis[place]] - left[place]) / -slant < step:
            step, row, rises = (upper[basis[place]] - left[place]) / -slant, place, True
    if row < 0:
        for place in range(height):
            left[place] = max(left[place] - table[place, enter] * step, 0.0)
            table[place, enter] = -table[place, enter]
        goal[enter] = -goal[enter]
        flipped[enter] = not flipped[enter]
        return
    if rises:
        leaving = basis[row]
        for column in range(every):
            table[row, column] = -table[row, column]
        table[row, leaving] = 1.0
        left[row] = upper[leaving] - left[row]
        flipped[leaving] = not flipped[leaving]
    by = table[row, enter]
    for column in range(every):
        table[row, column] /= by
    left[row] /= by
    for place in range(height):
        other = table[place, enter]
        if place != row and other != 0.0:
            for column in range(every):
                table[place, column] -= other * table[row, column]
            left[place] = max(left[place] - other * left[row], 0.0)
    other = goal[enter]
    for column in range(every):
        goal[column] -= other * table[row, column]
    basis[row] = enter


@compiled
def repaired(menu: Any, worth: Any, places: Any) -> bool:
    """Change a suggested choice until its bare needs fit; whether that was reached."""
    rows, nodes = len(menu.limit), len(places)
    used, over = np.zeros(rows), np.zeros(rows)
    for option in places:
        used += menu.uses[option]
    for _ in range(4 * nodes + 8):
        fits = True
        for row in range(rows):
            over[row] = max(used[row] - menu.limit[row] * (1.0 + ROOM) - ROOM, 0.0)
            fits = fits and over[row] <= 0.0
        if fits:
            return True
        cheapest, at, pick = np.inf, -1, -1
        for node in range(nodes):
            current = places[node]
            for option in range(menu.first[node], menu.first[node + 1]):
                relief = 0.0
                for row in range(rows):
                    if over[row] > 0.0:
                        relief += min(over[row], menu.uses[current, row] - menu.uses[option, row])
                cost = (max(worth[current] - worth[option], 0.0) + 1e-12) / relief if relief > 1e-12 else np.inf
                if cost < cheapest:
                    cheapest, at, pick = cost, node, option
        if pick < 0:
            return False
        used += menu.uses[pick] - menu.uses[places[at]]
        places[at] = pick
    return False


@compiled
def tried(menu: Any, pairs: Any, places: Any, near: Any, best: Any, prices: Any) -> float:
    """Value a choice, and keep it where it is the best so far."""
    usd, _, _ = value(menu, pairs, places, near, prices)
    if usd > best.usd[0]:
        best.usd[0] = usd
        best.places[:] = places
        best.prices[:] = prices
    return usd


@inlined
def copied(at: Any, source: int, target: int) -> None:
    """Put a quote in the place of another."""
    for row in range(at.prices.shape[1]):
        at.prices[target, row] = at.prices[source, row]
    for pair in range(at.parts.shape[1]):
        at.parts[target, pair] = at.parts[source, pair]
    for option in range(at.worth.shape[1]):
        at.worth[target, option] = at.worth[source, option]
    for node in range(at.tops.shape[1]):
        at.tops[target, node] = at.tops[source, node]
        at.best[target, node] = at.best[source, node]
    at.bounds[target] = at.bounds[source]
