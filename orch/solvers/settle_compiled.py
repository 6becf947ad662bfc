"""The way to good prices in machine code (numba, extra `fast`): the steps of `orch.solvers.prices`."""

from __future__ import annotations

from typing import Any

import numpy as np

from orch.solvers.batch_bundle_compiled import compiled, inlined
from orch.solvers.market_compiled import TRY_EVERY, Quotes, copied, quote, repaired, slope, tried
from orch.solvers.menu_compiled import KEEP

KEPT, MOST = 3, 10
"""Sets of prices that bound partial choices: from the way to the lowest bound, and with valued choices'."""
NOW, LOW, WORK = MOST, MOST + 1, MOST + 2


@compiled
def settled(  # noqa: PLR0912, PLR0915 - one loop, and passing on what it holds would take longer
    menu: Any, pairs: Any, steps: int, slack: float, best: Any
) -> Any:
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
            fits = repaired(menu, at.worth[NOW], places)
            if fits and tried(menu, pairs, places, at.prices[NOW], best, proof) > -np.inf:
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


@inlined
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
