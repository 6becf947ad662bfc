"""Prices of the rows of a menu: an upper bound of its worth, and the choice that they suggest.

At any prices, every node taking the option that is then worth most gives an upper bound (Lagrange); the lowest
such bound is that of the problem with every node's options replaced by their hull. It is approached by subgradient
steps whose length follows from the best choice known (Polyak 1969), restarted from the prices that prove good
choices.

What two nodes earn together is shared out between them for the bound: for a pair that helps, each gets a part of
it whether the other runs or not; of a pair that hinders, both pay a part and get it back once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from orch.model.resources import Resources, resources
from orch.solvers.answers import found, nothing
from orch.solvers.inner import ROOM, Chosen, solve_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from orch.model.problems import Answer, Problem
    from orch.solvers.menu import Menu

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]


class Quote(NamedTuple):
    """Prices by row, a part by pair, and what they say: worth by option, best option by node, the bound."""

    prices: Floats
    parts: Floats
    margins: Floats
    worth: Floats
    best: Ints
    bound: float


class Best(NamedTuple):
    """The best choice met."""

    places: tuple[int, ...]
    chosen: Chosen


class Market:
    """Looks for good prices and good choices of one menu.

    Args:
        menu: One with an option for every node.
        ended: Says when there is no time left.
    """

    def __init__(self, menu: Menu, ended: Callable[[], bool]) -> None:
        self.menu = menu
        self.ended = ended
        self.best: Best | None = None
        self.known: dict[tuple[int, ...], Chosen | None] = {}
        self.first = np.array([one for one, _, _ in menu.pairs], dtype=np.int64)
        self.other = np.array([other for _, other, _ in menu.pairs], dtype=np.int64)
        self.usd: Floats = np.array([usd for _, _, usd in menu.pairs])
        self.helps = self.usd > 0.0
        self.ends = np.concatenate([self.first, self.other])

    def quote(self, prices: Floats, parts: Floats) -> Quote:
        """The bound at these prices and parts."""
        menu = self.menu
        margins = menu.margins(prices)
        worth = menu.worth(prices, margins)
        bound = float(prices @ menu.limit)
        if len(self.usd):
            other = np.where(self.helps, 1.0 - parts, parts)
            weights = np.concatenate([parts * self.usd, other * self.usd])
            share = np.bincount(self.ends, weights, len(menu.of_node))
            worth += menu.runs * share[menu.node_of]
            bound -= float((parts * self.usd)[~self.helps].sum())
        top = np.maximum.reduceat(worth, menu.first)
        bound += float(top.sum())
        hit = (worth >= top[menu.node_of]).nonzero()[0]
        if len(hit) > len(top):
            hit = hit[np.unique(menu.node_of[hit], return_index=True)[1]]
        return Quote(prices, parts, margins, worth, hit, bound)

    def value(self, places: Sequence[int], near: Floats | None = None) -> Chosen | None:
        """What a choice is worth, remembered; the best so far is kept."""
        key = tuple(int(each) for each in places)
        if key in self.known:
            return self.known[key]
        chosen = self.solved(key, near)
        self.known[key] = chosen
        if chosen is not None and (self.best is None or chosen.usd > self.best.chosen.usd):
            self.best = Best(key, chosen)
        return chosen

    def solved(self, places: tuple[int, ...], near: Floats | None) -> Chosen | None:
        """What a choice is worth, anew."""
        return solve_choice(self.menu, places, near)

    def opening(self) -> Quote:
        """Prices to begin with: all that could be earned, spread over the rows that would be overrun."""
        menu = self.menu
        nothing = np.zeros(len(menu.limit))
        parts = np.full(len(self.usd), 0.5)
        free = self.quote(nothing, parts)
        over = menu.load(nothing, free.margins, free.best) / np.maximum(menu.limit, 1e-9)
        prices = np.where(over > 1.0, 0.5 * max(free.bound, 0.0) / max(len(menu.limit), 1), 0.0)
        return self.quote(prices / np.maximum(menu.limit, 1.0), parts)

    def settle(self, steps: int) -> list[Quote]:
        """Subgradient steps towards the lowest bound; the good quotes on the way, best first."""
        self._keep()
        menu, quote = self.menu, self.opening()
        low, since, patience = quote, 0, 1.0
        kept = [quote]
        direction_prices = np.zeros(len(menu.limit))
        direction_parts = np.zeros(len(self.usd))
        for step in range(steps):
            if step % 12 == 0 or (step == steps - 1):
                again = self._try(quote)
                if again is not None and again.bound < low.bound:
                    quote = low = again
                    kept.append(again)
            floor = self.best.chosen.usd if self.best is not None else 0.8 * low.bound
            if low.bound - floor <= 1e-9 * max(abs(floor), 1e-9) or self.ended():
                break
            slope = menu.limit - menu.load(quote.prices, quote.margins, quote.best)
            slope = np.where((quote.prices <= 0.0) & (slope > 0.0), 0.0, slope)
            turn = self._turn(quote)
            direction_prices = slope + 0.3 * direction_prices
            direction_parts = turn + 0.3 * direction_parts
            length = float(direction_prices @ direction_prices + direction_parts @ direction_parts)
            if length <= 1e-30:
                break
            size = patience * (quote.bound - floor) / length
            prices = np.maximum(quote.prices - size * direction_prices, 0.0)
            parts = np.minimum(np.maximum(quote.parts - size * direction_parts, 0.0), 1.0)
            quote = self.quote(prices, parts)
            since += 1
            if quote.bound < low.bound:
                low, since = quote, 0
                kept.append(quote)
            elif since >= 5:
                patience, since, quote = patience * 0.5, 0, low
        kept.sort(key=lambda each: each.bound)
        return kept

    def _keep(self) -> None:
        """Know what the present split is worth, where it may stay: nothing is to be worse."""
        options = self.menu.options
        kept = [next((each for each in own if options[each].kind == "keep"), -1) for own in self.menu.of_node]
        if min(kept, default=0) >= 0:
            self.value(kept)

    def _turn(self, quote: Quote) -> Floats:
        """How the bound changes with the parts of the pairs."""
        if not len(self.usd):
            return self.usd
        runs = self.menu.runs[quote.best].astype(float)
        one, other = runs[self.first], runs[self.other]
        turn: Floats = np.where(self.helps, self.usd * (one - other), self.usd * (one + other - 1.0))
        return turn

    def _try(self, quote: Quote) -> Quote | None:
        """Make a choice of what the prices suggest, and quote at the prices that prove it."""
        places = self.repaired(quote.worth, quote.best)
        if places is None:
            return None
        chosen = self.value(places, quote.prices)
        return None if chosen is None else self.quote(chosen.prices, quote.parts)

    def repaired(self, worth: Floats, places: Ints) -> list[int] | None:
        """A choice near the suggested one whose bare needs fit; None when none was found."""
        menu, found = self.menu, places.copy()
        room = menu.limit * (1.0 + ROOM) + ROOM
        used = menu.uses[found].sum(axis=0)
        for _ in range(4 * len(found) + 8):
            over = used - room
            if (over <= 0.0).all():
                return [int(each) for each in found]
            current = found[menu.node_of]
            change = menu.uses - menu.uses[current]
            relief = np.minimum(np.maximum(over, 0.0), -change)[:, over > 0.0].sum(axis=1)
            loss = np.maximum(worth[current] - worth, 0.0)
            cost = np.where(relief > 1e-12, (loss + 1e-12) / np.maximum(relief, 1e-12), np.inf)
            pick = int(np.argmin(cost))
            if not np.isfinite(cost[pick]):
                return None
            used = used + change[pick]
            found[menu.node_of[pick]] = pick
        return None


def answer_of(
    problem: Problem,
    market: Market,
    solver: str,
    *,
    bound: float | None,
    seconds: float,
    seed: int,
    reason: str = "",
) -> Answer:
    """The best choice of a market as an answer. There must be one."""
    best = market.best
    if best is None:
        return nothing("out_of_time", solver, ("no split was found in time",), seconds=seconds, seed=seed)
    menu, chosen = market.menu, best.chosen
    prices = {
        name: float(chosen.prices[row]) / menu.size[row] / problem.horizon_h
        for row, name in enumerate(menu.capacities)
    }
    return found(
        problem, solver, menu.split(best.places, chosen), bound=bound, seconds=seconds, seed=seed,
        dual_prices=resources(dict(prices)) if bound is not None else Resources(), reason=reason,
    )  # fmt: skip
