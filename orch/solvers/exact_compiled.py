"""The search of `orch.solvers.exact` in machine code (numba, extra `fast`): prices, then branch and bound.

The bounds are those of `orch.solvers.enumerate`, one partial choice after the other instead of layers: depth
first, nodes in the same order, each node's options the most promising first. A whole choice is valued when no
prices met before, those that proved other choices among them, show that it is too little.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from orch.solvers.batch_bundle_compiled import compiled
from orch.solvers.flat import BASE, CAP, CHANGE, FLOOR, NEED, PRESENT, STEP, UNIT, WIDTH, WORTH
from orch.solvers.inner import ROOM
from orch.solvers.market_compiled import (
    TRY_EVERY,
    Best,
    Quotes,
    copied,
    quote,
    repaired,
    slope,
    together,
    tried,
    value,
)
from orch.solvers.menu_compiled import FREE, KEEP, listed, sizes

KEPT, MOST = 3, 10
"""Sets of prices that bound partial choices: from the way to the lowest bound, and with those of valued choices."""
CUTS = 48
"""Prices of valued choices that are held against whole ones."""
NOW, LOW, WORK = MOST, MOST + 1, MOST + 2
VALUED = 8
"""What valuing a choice counts for, in partial choices looked at."""


class Search(NamedTuple):
    """Where the search is: by depth the option tried, bounds by set of prices, what is taken; and the cuts.

    `order` (N,) of the nodes and `ranks` (O,) of their options; `rest` (N + 1, R) is the least that what is not
    decided takes; `mates`, `mate_ends` list the pairs of a node that its deciding settles; `ring` counts cuts and
    work done.
    """

    order: Any
    ranks: Any
    rest: Any
    tries: Any
    bounds: Any
    used: Any
    places: Any
    mates: Any
    mate_ends: Any
    cuts: Any
    constants: Any
    ring: Any


@compiled
def _settled(menu: Any, pairs: Any, steps: int, slack: float, best: Any) -> Any:
    """Subgradient steps towards the lowest bound; the best quotes on the way, and the best choice met."""
    nodes, rows = len(menu.first) - 1, len(menu.limit)
    options, count = menu.first[-1], MOST + 3
    at = Quotes(
        np.zeros((count, rows)), np.full((count, len(pairs)), 0.5), np.zeros((count, options)),
        np.zeros((count, nodes)), np.zeros((count, nodes), np.int64), np.full(count, np.inf),
    )  # fmt: skip
    places, proof = np.empty(nodes, np.int64), np.zeros(rows)
    if steps < 0:
        return at
    _kept(menu, pairs, best, places, proof)
    fall, turn = np.zeros(rows), np.zeros(len(pairs))
    way, way_parts = np.zeros(rows), np.zeros(len(pairs))
    quote(menu, pairs, at, NOW)
    slope(menu, at.prices[NOW], at.best[NOW], fall)
    top = 0.5 * max(at.bounds[NOW], 0.0) / max(rows, 1)
    for row in range(rows):
        over = (menu.limit[row] - fall[row]) / max(menu.limit[row], 1e-9)
        at.prices[NOW, row] = top / max(menu.limit[row], 1.0) if over > 1.0 else 0.0
    quote(menu, pairs, at, NOW)
    copied(at, NOW, LOW)
    _remember(at, NOW)
    since, patience = 0, 1.0
    for step in range(steps):
        if step % TRY_EVERY == 0 or step == steps - 1:
            places[:] = at.best[NOW]
            if repaired(menu, at.worth[NOW], places):
                if tried(menu, pairs, places, at.prices[NOW], best, proof) > -np.inf:
                    at.prices[WORK] = proof
                    at.parts[WORK] = at.parts[NOW]
                    quote(menu, pairs, at, WORK)
                    if at.bounds[WORK] < at.bounds[LOW]:
                        copied(at, WORK, NOW)
                        copied(at, WORK, LOW)
                        _remember(at, WORK)
        floor = best.usd[0] if best.usd[0] > -np.inf else 0.8 * at.bounds[LOW]
        if at.bounds[LOW] - floor <= slack:
            break
        slope(menu, at.prices[NOW], at.best[NOW], fall)
        length = 0.0
        for row in range(rows):
            if at.prices[NOW, row] <= 0.0 and fall[row] > 0.0:
                fall[row] = 0.0
            way[row] = fall[row] + 0.3 * way[row]
            length += way[row] * way[row]
        for pair in range(len(pairs)):
            one = menu.runs[at.best[NOW, int(pairs[pair, 0])]]
            other = menu.runs[at.best[NOW, int(pairs[pair, 1])]]
            usd = pairs[pair, 2]
            turn[pair] = usd * (one - other) if usd > 0.0 else usd * (one + other - 1.0)
            way_parts[pair] = turn[pair] + 0.3 * way_parts[pair]
            length += way_parts[pair] * way_parts[pair]
        if length <= 1e-30:
            break
        size = patience * (at.bounds[NOW] - floor) / length
        for row in range(rows):
            at.prices[NOW, row] = max(at.prices[NOW, row] - size * way[row], 0.0)
        for pair in range(len(pairs)):
            at.parts[NOW, pair] = min(max(at.parts[NOW, pair] - size * way_parts[pair], 0.0), 1.0)
        quote(menu, pairs, at, NOW)
        since += 1
        if at.bounds[NOW] < at.bounds[LOW]:
            copied(at, NOW, LOW)
            _remember(at, NOW)
            since = 0
        elif since >= 5:
            patience *= 0.5
            since = 0
            copied(at, LOW, NOW)
    return at


@compiled
def _remember(at: Any, place: int) -> None:
    """Put a new lowest quote first; the others move down, the last one out."""
    for kept in range(KEPT - 1, 0, -1):
        copied(at, kept - 1, kept)
    copied(at, place, 0)


@compiled
def _kept(menu: Any, pairs: Any, best: Any, places: Any, proof: Any) -> None:
    """Know what the present split is worth, where it may stay."""
    for node in range(len(places)):
        places[node] = menu.first[node]
        if menu.kind[places[node]] != KEEP:
            return
    tried(menu, pairs, places, np.zeros(len(menu.limit)), best, proof)


@compiled
def _searched(menu: Any, pairs: Any, at: Any, kept: int, best: Any, slack: float, work: int) -> bool:
    """Look at every choice that could be worth more than the best by more than `slack`; whether all were."""
    search = _begun(menu, pairs, at, kept)
    nodes, rows = len(menu.first) - 1, len(menu.limit)
    proof = np.zeros(rows)
    if best.usd[0] > -np.inf:
        kept = _added(menu, pairs, at, kept, search, best.prices)
    depth = 0
    while depth >= 0:
        node = search.order[depth]
        first, end = menu.first[node], menu.first[node + 1]
        if first + search.tries[depth] >= end:
            depth -= 1
            continue
        option = search.ranks[first + search.tries[depth]]
        search.tries[depth] += 1
        search.ring[1] += 1
        if search.ring[1] > work:
            return False
        if not _promising(menu, pairs, at, kept, search, depth, node, option, best.usd[0] + slack):
            continue
        if depth < nodes - 1:
            depth += 1
            search.tries[depth] = 0
            continue
        if _cut(menu, pairs, search, best.usd[0] + slack):
            continue
        search.ring[1] += VALUED
        if tried(menu, pairs, search.places, at.prices[0], best, proof) > -np.inf:
            _hold(menu, search, proof)
            if kept < MOST:
                kept = _added(menu, pairs, at, kept, search, proof)
    return True


@compiled
def _added(menu: Any, pairs: Any, at: Any, kept: int, search: Any, prices: Any) -> int:
    """Bound partial choices by one more set of prices; how many sets there are then."""
    at.prices[kept] = prices
    at.parts[kept] = at.parts[0]
    quote(menu, pairs, at, kept)
    search.bounds[0, kept] = at.bounds[kept]
    for depth in range(len(search.order)):
        node = search.order[depth]
        search.bounds[depth + 1, kept] = _bound(menu, pairs, at, kept, search, depth, node)
    return kept + 1


@compiled
def _begun(menu: Any, pairs: Any, at: Any, kept: int) -> Any:
    nodes, rows, options = len(menu.first) - 1, len(menu.limit), menu.first[-1]
    spread, ranks = np.empty(nodes), np.empty(options, np.int64)
    for node in range(nodes):
        first, end = menu.first[node], menu.first[node + 1]
        _sorted(at.worth[0], ranks, first, end, first)
        spread[node] = np.inf
        if end - first > 1:
            spread[node] = at.worth[0, ranks[first]] - at.worth[0, ranks[first + 1]]
    order = np.empty(nodes, np.int64)
    _sorted(spread, order, 0, nodes, 0)
    place = np.empty(nodes, np.int64)
    for depth in range(nodes):
        place[order[depth]] = depth
    rest = np.zeros((nodes + 1, rows))
    for depth in range(nodes - 1, -1, -1):
        node = order[depth]
        for row in range(rows):
            least = np.inf
            for option in range(menu.first[node], menu.first[node + 1]):
                least = min(least, menu.uses[option, row])
            rest[depth, row] = rest[depth + 1, row] + least
    mates, ends, count = np.empty(len(pairs), np.int64), np.zeros(nodes + 1, np.int64), 0
    for depth in range(nodes):
        for pair in range(len(pairs)):
            if max(place[int(pairs[pair, 0])], place[int(pairs[pair, 1])]) == depth:
                mates[count] = pair
                count += 1
        ends[depth + 1] = count
    bounds = np.empty((nodes + 1, MOST))
    bounds[0] = at.bounds[:MOST]
    return Search(
        order, ranks, rest, np.zeros(nodes, np.int64), bounds, np.zeros((nodes + 1, rows)),
        np.zeros(nodes, np.int64), mates, ends, np.zeros((CUTS, options)), np.zeros(CUTS), np.zeros(2, np.int64),
    )  # fmt: skip


@compiled
def _sorted(keys: Any, into: Any, low: int, high: int, first: int) -> None:
    """Write the places `first` and following, the largest key first, to where they belong."""
    for place in range(low, high):
        mine, at = first + place - low, place
        while at > low and keys[into[at - 1]] < keys[mine]:
            into[at] = into[at - 1]
            at -= 1
        into[at] = mine


@compiled
def _promising(
    menu: Any, pairs: Any, at: Any, kept: int, search: Any, depth: int, node: int, option: int, floor: float
) -> bool:
    """Decide a node for an option; whether what follows may still fit, and beat the floor at all prices."""
    search.places[node] = option
    for place in range(kept):
        bound = _bound(menu, pairs, at, place, search, depth, node)
        if bound <= floor:
            return False
        search.bounds[depth + 1, place] = bound
    for row in range(len(menu.limit)):
        used = search.used[depth, row] + menu.uses[option, row]
        if used + search.rest[depth + 1, row] > menu.limit[row] * (1.0 + ROOM) + ROOM:
            return False
        search.used[depth + 1, row] = used
    return True


@compiled
def _bound(menu: Any, pairs: Any, at: Any, place: int, search: Any, depth: int, node: int) -> float:
    """What a partial choice can be worth at a set of prices, when what it was before is known."""
    bound = search.bounds[depth, place] + at.worth[place, search.places[node]] - at.tops[place, node]
    for number in range(search.mate_ends[depth], search.mate_ends[depth + 1]):
        pair = search.mates[number]
        one = menu.runs[search.places[int(pairs[pair, 0])]]
        other = menu.runs[search.places[int(pairs[pair, 1])]]
        usd, part = pairs[pair, 2], at.parts[place, pair]
        if usd > 0.0:
            bound += usd * (one * other - part * one - (1.0 - part) * other)
        else:
            bound += usd * (one * other - part * (one + other - 1.0))
    return bound


@compiled
def _cut(menu: Any, pairs: Any, search: Any, floor: float) -> bool:
    """Whether the prices of a choice valued before show that this one is worth no more than the floor."""
    usd = together(menu, pairs, search.places)
    for cut in range(min(search.ring[0], CUTS)):
        bound = usd + search.constants[cut]
        for option in search.places:
            bound += search.cuts[cut, option]
        if bound <= floor:
            return True
    return False


@compiled
def _hold(menu: Any, search: Any, prices: Any) -> None:
    """Hold the prices of a valued choice against those to come."""
    cut, none = search.ring[0] % CUTS, np.zeros((0, 3))
    search.ring[0] += 1
    nodes = len(menu.first) - 1
    at = Quotes(
        prices.reshape(1, -1), np.zeros((1, 0)), search.cuts[cut : cut + 1], np.zeros((1, nodes)),
        np.zeros((1, nodes), np.int64), np.zeros(1),
    )  # fmt: skip
    quote(menu, none, at, 0)
    search.constants[cut] = 0.0
    for row in range(len(prices)):
        search.constants[cut] += prices[row] * menu.limit[row]


@compiled
def split(menu: Any, flat: Any, places: Any, grown: Any, held: Any) -> Any:
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
    return max(usd + costs, 1e-12)


@compiled
def opened(flat: Any, steps: int, slack: float) -> tuple[bool, Any, Any, Any]:
    """The menu of a flat problem, whether there is one, prices for it, and the best choice met on the way."""
    good, menu = listed(flat)
    nodes = len(flat.facts)
    for node in range(nodes):
        good = good and menu.first[node + 1] > menu.first[node]
    best = Best(np.zeros(nodes, np.int64), np.full(1, -np.inf), np.zeros(len(menu.limit)))
    at = _settled(menu, flat.pairs, steps if good else -1, slack, best)
    return good, menu, at, best


@compiled
def valued(menu: Any, pairs: Any, places: Any, near: Any) -> tuple[float, Any, Any, Any]:
    """A choice's worth, the prices that prove it, and how far its stretches and holds grow."""
    prices = np.zeros(len(menu.limit))
    usd, grown, held = value(menu, pairs, places, near, prices)
    return usd, prices, grown, held


@compiled
def proven(flat: Any, steps: int, share: float, work: int) -> tuple[bool, float, float, Any, Any, float]:
    """The best choice of a flat problem: whether it is proven, worth, bound, split, prices by resource, money.

    Choices are told apart by a `share` of all the problem's money. Amounts of resources that are not planned are
    NaN, and prices where no capacity is known. The worth is `-inf` where nothing fits, or no menu can be listed.
    """
    money = money_scale(flat)
    slack = share * money
    good, menu, at, best = opened(flat, steps, slack)
    nodes, prices = len(flat.facts), np.full(4, np.nan)
    if not good:
        return False, -np.inf, np.inf, np.empty((0, 4)), prices, money
    kept = 0
    while kept < KEPT and at.bounds[kept] < np.inf:
        kept += 1
    complete, bound = True, at.bounds[0]
    if bound - best.usd[0] > slack:
        complete = _searched(menu, flat.pairs, at, kept, best, slack, work)
        if complete:
            bound = min(bound, best.usd[0] + slack)
    if best.usd[0] == -np.inf:
        return complete, -np.inf, bound, np.empty((0, 4)), prices, money
    usd, proof, grown, held = valued(menu, flat.pairs, best.places, best.prices)
    found = split(menu, flat, best.places, grown, held)
    for name in range(4):
        if menu.row_of[name] >= 0:
            prices[name] = proof[menu.row_of[name]] / menu.size[menu.row_of[name]] / flat.limits[0]
        for node in range(nodes):
            if np.isnan(flat.amounts[node, PRESENT, name]):
                found[node, name] = np.nan
    return complete, usd, bound, found, prices, money
