"""Menu and prices of the compiled solvers in the words of the searches (`orch.solvers.search`)."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from orch.solvers import fast
from orch.solvers.flat import flat
from orch.solvers.inner import Chosen
from orch.solvers.menu import Menu
from orch.solvers.prices import Market, Quote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from orch.model.problems import Problem
    from orch.model.resources import Resources
    from orch.solvers.flat import Flat

    Floats = NDArray[np.float64]

STEPS_PER_S = 60_000
LEAST_STEPS, MOST_STEPS = 24, 800
"""Steps towards the lowest bound follow from the budget alone, so that the same seed gives the same answer."""


class FastMenu(Menu):
    """A menu whose options exist as arrays only. Options have the numbers that `Menu` gives them."""

    def __init__(self, problem: Problem, made: Flat, listed: Any) -> None:
        first = listed.first.tolist()
        count = first[-1]
        self.problem, self.flat, self.listed = problem, made, listed
        self.of_node = [list(range(a, b)) for a, b in itertools.pairwise(first)]
        self.names = {node.name: index for index, node in enumerate(problem.nodes)}
        self.capacities = [name for name, _ in problem.capacity.known()]
        self.size, self.limit = listed.size.tolist(), listed.limit
        self.uses, self.constant = listed.uses[:count], listed.constant[:count]
        self.runs = listed.runs[:count] > 0.0
        self.first = listed.first[:-1]
        self.node_of = np.repeat(np.arange(len(first) - 1), np.diff(listed.first))
        self.pairs = [(int(one), int(other), usd) for one, other, usd in made.pairs.tolist()]
        self.scale = float(fast.module().money_scale(made))

    def split(self, places: Sequence[int], chosen: Chosen) -> dict[str, Resources]:
        """The allocations by node name that a choice means."""
        grown, held = (np.fromiter(each.values(), dtype=float) for each in (chosen.grown, chosen.held))
        amounts = fast.module().split(self.listed, self.flat, np.array(places, dtype=np.int64), grown, held)
        amounts[np.isnan(self.flat.amounts[:, 0])] = math.nan
        return {share.node: share.allocation for share in fast.shares_of(self.problem, amounts)}


class FastMarket(Market):
    """Prices found beforehand, and choices valued by the compiled inner solve."""

    menu: FastMenu

    def __init__(self, menu: FastMenu, ended: Callable[[], bool], quotes: Any, best: Any) -> None:
        super().__init__(menu, ended)
        self._quotes, self._first = quotes, best

    def settle(self, steps: int) -> list[Quote]:  # noqa: ARG002 - they have been made
        """The quotes, best first; the best choice met on the way is known then."""
        at = self._quotes
        if self._first.usd[0] > -math.inf:
            self.value(self._first.places.tolist(), self._first.prices)
        none = np.zeros(0)
        kept = [place for place in range(len(at.bounds)) if at.bounds[place] < math.inf]
        quotes = [
            Quote(
                at.prices[place], at.parts[place], none, at.worth[place], at.best[place], float(at.bounds[place])
            )
            for place in kept
        ]
        return sorted(quotes, key=lambda each: each.bound)

    def solved(self, places: tuple[int, ...], near: Floats | None) -> Chosen | None:
        """What a choice is worth."""
        menu = self.menu
        if near is None:
            near = np.zeros(len(menu.limit))
        usd, prices, grown, held = fast.module().valued(
            menu.listed, menu.flat.pairs, np.array(places, dtype=np.int64), near
        )
        if usd == -math.inf:
            return None
        return Chosen(usd, prices, dict(enumerate(grown.tolist())), dict(enumerate(held.tolist())))


def opened(problem: Problem, seconds: float, ended: Callable[[], bool]) -> FastMarket | None:
    """A market with prices and a choice that fits, of a plain problem; None where the ordinary way has to look."""
    made = flat(problem) if fast.ready() else None
    if made is None:
        return None
    steps = min(max(int(STEPS_PER_S * seconds), LEAST_STEPS), MOST_STEPS)
    good, listed, quotes, best = fast.module().opened(made, steps, 0.0)
    if not good or best.usd[0] == -math.inf:
        return None
    return FastMarket(FastMenu(problem, made, listed), ended, quotes, best)
