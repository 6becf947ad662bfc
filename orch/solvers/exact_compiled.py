"""The search of `orch.solvers.exact` in machine code (numba, extra `fast`): prices, then branch and bound.

The bounds are those of `orch.solvers.enumerate`, one partial choice after the other instead of layers: depth
first, nodes in the same order, each node's options the most promising first. Prices that prove a valued choice
bound the partial choices after it; a whole choice is valued when no prices met before show that it is too little.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from orch.solvers.batch_bundle_compiled import compiled, inlined
from orch.solvers.flat import PRESENT
from orch.solvers.inner import ROOM
from orch.solvers.market_compiled import Best, Quotes, quote, together, tried, value
from orch.solvers.menu_compiled import listed
from orch.solvers.settle_compiled import KEPT, MOST, settled
from orch.solvers.split_compiled import money_scale, split

CUTS = 48
"""Prices of valued choices that are held against whole ones."""
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
def _searched(menu: Any, pairs: Any, at: Any, kept: int, best: Any, slack: float, work: int) -> bool:
    """Look at every choice that could be worth more than the best by more than `slack`; whether all were."""
    search = _begun(menu, pairs, at)
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


@inlined
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
def _begun(menu: Any, pairs: Any, at: Any) -> Any:
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


@inlined
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


@inlined
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
    return float(bound)


@inlined
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


@inlined
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
def opened(flat: Any, steps: int, slack: float) -> tuple[bool, Any, Any, Any]:
    """The menu of a flat problem, whether there is one, prices for it, and the best choice met on the way."""
    good, menu = listed(flat)
    nodes = len(flat.facts)
    for node in range(nodes):
        good = good and menu.first[node + 1] > menu.first[node]
    best = Best(np.zeros(nodes, np.int64), np.full(1, -np.inf), np.zeros(len(menu.limit)))
    at = settled(menu, flat.pairs, steps if good else -1, slack, best)
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
