"""What genetic search and annealing share: the landscape of discrete choices, exactly valued where it matters.

A state is one option per node (`orch.solvers.menu`); everything continuous follows from it exactly. A state that
an upper bound shows to be worse than the best one known is not solved: the bound stands in for its worth. With a
plug-in's objective there is no such bound: every state is solved, and the plug-in is asked for whole batches.
"""

from __future__ import annotations

import math
import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from msgspec.structs import replace

from orch.solvers.answers import EXACT, found, money_scale, nothing
from orch.solvers.infeasible import why_infeasible
from orch.solvers.inner import split_of_choice
from orch.solvers.menu import Menu, NoMenuError
from orch.solvers.objectives import extra_usd_per_hour
from orch.solvers.prices import Market
from orch.solvers.retouch import retouched
from orch.solvers.spans import conflicts, faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orch.model.problems import Answer, Budget, Problem
    from orch.model.resources import Resources
    from orch.solvers.prices import Quote

    State: TypeAlias = tuple[int, ...]

RESERVE = 0.1
"""The share of a budget that is kept for what comes after the search."""
SETTLING = 12
IMPOSSIBLE = 1e3
"""An overrun limit costs this many times all the money of a problem, in proportion to the overrun."""


class Bounds(NamedTuple):
    """Plain lists, for one state at a time: worth by set of prices and option, what options take, the limits."""

    worth: list[list[float]]
    fixed: list[float]
    parts: list[list[float]]
    uses: list[list[float]]
    limit: list[float]
    runs: list[bool]


class Landscape:
    """The worth of states in USD over the horizon. Deterministic in the order of questions."""

    def __init__(self, problem: Problem, menu: Menu, ended: Callable[[], bool]) -> None:
        self.problem, self.menu, self.ended = problem, menu, ended
        self.market = Market(menu, ended)
        # The plug-in's part is not known to the prices; they still make a good start.
        self.quotes = self.market.settle(SETTLING + len(menu.of_node))
        self.bounds = _bounds(menu, self.quotes[:3])
        self.scale = money_scale(problem)
        self.known: dict[State, float] = {}
        self.best: tuple[float, State] | None = None
        self.tried = 0
        if self.market.best is not None:
            self.worths([self.market.best.places])

    @property
    def proven(self) -> bool:
        """Whether nothing can be better than the best state known."""
        if self.problem.objective is not None or self.best is None:
            return False
        return self.quotes[0].bound - self.best[0] <= EXACT * self.scale

    def start(self) -> State:
        """A state to begin with: the best known, or what the prices suggest."""
        if self.best is not None:
            return self.best[1]
        return tuple(int(each) for each in self.quotes[0].best)

    def alternatives(self) -> list[list[int]]:
        """By node, the options it may have."""
        return self.menu.of_node

    def worth(self, state: State) -> float:
        """Of one state."""
        return self.worths([state])[0]

    def worths(self, states: Sequence[State]) -> list[float]:
        """Of many: exact, or a bound below the best known, or far below nothing where limits are overrun."""
        self.tried += len(states)
        if self.problem.objective is not None:
            self._ask(dict.fromkeys(state for state in states if state not in self.known))
            return [self.known[state] for state in states]
        return [self._bounded(state) for state in states]

    def _bounded(self, state: State) -> float:
        known = self.known.get(state)
        if known is not None:
            return known
        over = self._overrun(state)
        if over > 0.0:
            return -self.scale * (1.0 + IMPOSSIBLE * over)
        bound = self._bound(state)
        if self.best is not None and bound <= self.best[0]:
            return bound
        chosen = self.market.value(state, self.quotes[0].prices)
        self.known[state] = worth = -self.scale if chosen is None else chosen.usd
        self._remember(worth, state)
        return worth

    def _remember(self, worth: float, state: State) -> None:
        if self.best is None or worth > self.best[0]:
            self.best = (worth, state)

    def _overrun(self, state: State) -> float:
        bounds, over = self.bounds, 0.0
        for row, limit in enumerate(bounds.limit):
            used = sum([bounds.uses[place][row] for place in state])
            over += max(used - limit * (1.0 + 1e-9) - 1e-9, 0.0)
        return over

    def _bound(self, state: State) -> float:
        bounds, lowest = self.bounds, math.inf
        for worth, fixed, parts in zip(bounds.worth, bounds.fixed, bounds.parts, strict=True):
            total = fixed + sum([worth[place] for place in state])
            for (one, other, usd), part in zip(self.menu.pairs, parts, strict=True):
                mine, its = bounds.runs[state[one]], bounds.runs[state[other]]
                if usd > 0.0:
                    total += usd * ((mine and its) - part * mine - (1.0 - part) * its)
                else:
                    total += usd * ((mine and its) - part * (mine + its - 1.0))
            lowest = min(lowest, total)
        return lowest

    def _ask(self, states: Sequence[State] | dict[State, None]) -> None:
        """Solve states and let the plug-in judge all their splits at once."""
        solved: list[State] = []
        splits: list[dict[str, Resources]] = []
        worths: list[float] = []
        for state in states:
            over = self._overrun(state)
            chosen = None if over > 0.0 else self.market.value(state, self.quotes[0].prices)
            if chosen is None:
                self.known[state] = -self.scale * (1.0 + IMPOSSIBLE * over)
                continue
            solved.append(state)
            worths.append(chosen.usd)
            splits.append(split_of_choice(self.menu, state, chosen))
        extra = extra_usd_per_hour(self.problem, splits)
        for state, worth, more in zip(solved, worths, extra, strict=True):
            self.known[state] = max(worth + self.problem.horizon_h * more, -self.scale)
            if math.isfinite(more):
                self._remember(self.known[state], state)


def _bounds(menu: Menu, quotes: Sequence[Quote]) -> Bounds:
    fixed = []
    for quote in quotes:
        best = np.maximum.reduceat(quote.worth, menu.first).sum()
        fixed.append(quote.bound - float(best))
    return Bounds(
        worth=[quote.worth.tolist() for quote in quotes],
        fixed=fixed,
        parts=[quote.parts.tolist() for quote in quotes],
        uses=menu.uses.tolist(),
        limit=menu.limit.tolist(),
        runs=menu.runs.tolist(),
    )


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """The libraries' draws come from the global generator: seeded here, and given back as it was."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def solve_by(
    problem: Problem, budget: Budget, seed: int, *, name: str, engine: Callable[[Landscape, int], None]
) -> Answer:
    """Search the states of a problem with an engine, and answer with the best split met.

    A problem that cannot be put on a menu is handed to the `linear` solver, and the answer says so.
    """
    started = time.perf_counter()

    def spent() -> float:
        return time.perf_counter() - started

    wrong = faults(problem) or conflicts(problem)
    if wrong:
        return nothing("infeasible", name, wrong, seconds=spent(), seed=seed)
    try:
        menu = Menu(problem)
    except NoMenuError as error:
        return _handed_over(problem, budget, seed, name, spent, str(error))
    if not menu.possible:
        return nothing("infeasible", name, why_infeasible(problem), seconds=spent(), seed=seed)
    if not problem.nodes:
        return found(problem, name, {}, bound=0.0, seconds=spent(), seed=seed)
    until = (1.0 - RESERVE) * budget.seconds
    landscape = Landscape(problem, menu, lambda: spent() > until)
    if not landscape.proven:
        with own_randomness(seed):
            engine(landscape, seed)
    best = landscape.best
    chosen = None if best is None else landscape.market.value(best[1])
    if best is None or chosen is None:
        return _handed_over(problem, budget, seed, name, spent, "no state that fits was met")
    split = split_of_choice(menu, best[1], chosen)
    if problem.objective is not None:
        split = retouched(problem, split, landscape.ended)
    bound = None if problem.objective is not None else landscape.quotes[0].bound
    return found(
        problem, name, split, bound=bound, seconds=spent(), seed=seed,
        reason="" if landscape.proven else f"the best of {landscape.tried} states looked at",
    )  # fmt: skip


def _handed_over(
    problem: Problem, budget: Budget, seed: int, name: str, spent: Callable[[], float], why: str
) -> Answer:
    from orch.solvers import linear

    left = replace(budget, seconds=max(budget.seconds - spent(), 0.01))
    answer = linear.solve(problem, left, seed)
    reasons = "; ".join(each for each in (f"{why}: handed over to linear", answer.reason) if each)
    return replace(answer, solver=name, seconds=spent(), reason=reasons)
