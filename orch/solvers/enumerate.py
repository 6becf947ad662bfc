"""Proof: every choice whose bound exceeds the best one known, by branch and bound over whole layers at once.

Nodes are decided one after the other. A layer holds all partial choices that may still beat the best known one,
as arrays; each is bounded by several sets of prices, the lowest counts. What two decided nodes of a pair really
earn together replaces what the bound had given them. Whole choices that are left are valued exactly, best first,
and the prices that prove one bound all others (Benders 1962), so that few are valued.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from orch.solvers.inner import ROOM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orch.solvers.prices import Market, Quote

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

WIDEST = 40_000
"""Partial choices of one layer; beyond, the worst are put off and the bound says so."""


class Proof(NamedTuple):
    """No choice is worth more than `bound`; `complete` when nothing was put off."""

    bound: float
    complete: bool


class Layer(NamedTuple):
    """Partial choices: the option of each decided node, bounds by set of prices, what they take of the rows."""

    picks: Ints
    bounds: Floats
    used: Floats


def prove(market: Market, quotes: Sequence[Quote], slack: float) -> Proof:
    """Look at every choice that could be worth more than the best known, by more than `slack`.

    Finds better ones on the way (`market.best`). Time is asked for between layers and between choices.
    """
    menu = market.menu
    order = _order(menu.of_node, quotes[0].worth)
    layer = Layer(
        picks=np.zeros((1, 0), dtype=np.int64),
        bounds=np.array([[quote.bound for quote in quotes]]),
        used=np.zeros((1, len(menu.limit))),
    )
    worth = np.array([quote.worth for quote in quotes])
    best = np.maximum.reduceat(worth, menu.first, axis=1)
    least = np.minimum.reduceat(menu.uses, menu.first, axis=0)
    rest = least.sum(axis=0)
    room = menu.limit * (1.0 + ROOM) + ROOM
    put_off = -math.inf
    for depth, node in enumerate(order):
        options = np.array(menu.of_node[node])
        rest = rest - least[node]
        used = layer.used[:, None, :] + menu.uses[options][None, :, :]
        loss = (worth[:, options] - best[:, [node]]).T
        bounds = layer.bounds[:, None, :] + loss[None, :, :]
        bounds = bounds + _together(market, quotes, order[:depth], node, layer.picks, options)
        fits = (used + rest <= room).all(axis=2)
        keep = fits & (bounds.min(axis=2) > _floor(market) + slack)
        rows, columns = np.nonzero(keep)
        kept = Layer(
            picks=np.concatenate([layer.picks[rows], options[columns][:, None]], axis=1),
            bounds=bounds[rows, columns],
            used=used[rows, columns],
        )
        if market.ended():
            return Proof(max(put_off, _highest(layer.bounds), _floor(market)), complete=False)
        layer, highest = _narrowed(kept)
        put_off = max(put_off, highest)
        if not len(layer.picks):
            break
    finished = _valued(market, quotes, order, layer, slack)
    bound = max(put_off, finished.bound, _floor(market))
    return Proof(bound, finished.complete and put_off <= _floor(market) + slack)


def _floor(market: Market) -> float:
    return -math.inf if market.best is None else market.best.chosen.usd


def _highest(bounds: Floats) -> float:
    return float(bounds.min(axis=1).max()) if len(bounds) else -math.inf


def _order(of_node: Sequence[Sequence[int]], worth: Floats) -> list[int]:
    """The nodes, those whose options differ most in worth first: they rule out most."""
    spread = []
    for node, options in enumerate(of_node):
        ranked = sorted((float(worth[each]) for each in options), reverse=True)
        spread.append((ranked[1] - ranked[0] if len(ranked) > 1 else -math.inf, node))
    return [node for _, node in sorted(spread)]


def _narrowed(layer: Layer) -> tuple[Layer, float]:
    """The layer without its worst beyond what is looked at, and the best of those."""
    if len(layer.picks) <= WIDEST:
        return layer, -math.inf
    lowest = layer.bounds.min(axis=1)
    order = np.argsort(-lowest, kind="stable")
    first = order[:WIDEST]
    return Layer(layer.picks[first], layer.bounds[first], layer.used[first]), float(lowest[order[WIDEST]])


def _together(
    market: Market, quotes: Sequence[Quote], decided: Sequence[int], node: int, picks: Ints, options: Ints
) -> Floats:
    """What pairs of `node` with decided nodes really add, less what the bounds say of them.

    By partial choice, option of the node, and set of prices.
    """
    menu = market.menu
    change = np.zeros((len(picks), len(options), len(quotes)))
    place = {each: index for index, each in enumerate(decided)}
    for number, (one, other, usd) in enumerate(menu.pairs):
        if node not in (one, other):
            continue
        mate = other if node == one else one
        if mate not in place:
            continue
        parts = np.array([quote.parts[number] for quote in quotes])
        mine = menu.runs[options].astype(float)[None, :, None]
        its = menu.runs[picks[:, place[mate]]].astype(float)[:, None, None]
        if usd > 0.0:
            my_part, its_part = (parts, 1.0 - parts) if node == one else (1.0 - parts, parts)
            said = usd * (my_part * mine + its_part * its)
        else:
            said = usd * parts * (mine + its - 1.0)
        change += usd * mine * its - said
    return change


def _valued(market: Market, quotes: Sequence[Quote], order: Sequence[int], layer: Layer, slack: float) -> Proof:
    """Value whole choices, the most promising first, until none can beat the best known."""
    if not len(layer.picks):
        return Proof(-math.inf, complete=True)
    menu = market.menu
    picks = np.empty_like(layer.picks)
    picks[:, list(order)] = layer.picks
    bounds = layer.bounds.min(axis=1)
    pairs = _pair_usd(market, picks)
    near = quotes[0].prices
    while True:
        index = int(np.argmax(bounds))
        top = float(bounds[index])
        if top <= _floor(market) + slack:
            return Proof(max(top, _floor(market)), complete=True)
        if market.ended():
            return Proof(top, complete=False)
        chosen = market.value(picks[index], near)
        if chosen is None:
            bounds[index] = -math.inf
            continue
        worth = menu.worth(chosen.prices)
        mine = worth[picks].sum(axis=1) + pairs + float(chosen.prices @ menu.limit)
        bounds = np.minimum(bounds, mine)
        bounds[index] = min(float(bounds[index]), chosen.usd)
        open_ = bounds > _floor(market) + slack
        picks, bounds, pairs = picks[open_], bounds[open_], pairs[open_]
        if not len(picks):
            return Proof(_floor(market), complete=True)


def _pair_usd(market: Market, picks: Ints) -> Floats:
    found = np.zeros(len(picks))
    for one, other, usd in market.menu.pairs:
        found += usd * (market.menu.runs[picks[:, one]] & market.menu.runs[picks[:, other]])
    return found
