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
from orch.solvers.fast_market import FastMenu, opened
from orch.solvers.infeasible import why_infeasible
from orch.solvers.inner import ROOM
from orch.solvers.menu import Menu, NoMenuError
from orch.solvers.objectives import extra_usd_per_hour
from orch.solvers.prices import Market
from orch.solvers.retouch import retouched
from orch.solvers.spans import conflicts, faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orch.model.problems import Answer, Budget, Problem
    from orch.model.resources import Resources

    State: TypeAlias = tuple[int, ...]

RESERVE = 0.1
"""The share of a budget that is kept for what comes after the search."""
SETTLING = 12
SETS_OF_PRICES = 3
OVERRUN = 1.0
"""What overrunning a limit by all of it costs a state, as a share of what the best state is worth."""
IMPOSSIBLE = 1e3
"""The same for a plug-in's states, which no prices bound, as a multiple of all the money of a problem."""


class Sums(NamedTuple):
    """What bounds a state: its worth by set of prices, and what it takes of every row; added up node by node."""

    worth: list[float]
    used: list[float]


class Pairing(NamedTuple):
    """A pair of nodes, what they earn together, and the parts of it that each set of prices gives to either."""

    one: int
    other: int
    usd: float
    parts: list[float]
    theirs: list[float]


class Landscape:
    """The worth of states in USD over the horizon. Deterministic in the order of questions."""

    def __init__(self, problem: Problem, market: Market, seconds: float) -> None:
        menu = market.menu
        self.problem, self.menu, self.seconds, self.ended = problem, menu, seconds, market.ended
        self.market = market
        # The plug-in's part is not known to the prices; they still make a good start.
        self.quotes = self.market.settle(SETTLING + len(menu.of_node))
        few = self.quotes[:SETS_OF_PRICES]
        tops = [float(np.maximum.reduceat(quote.worth, menu.first).sum()) for quote in few]
        self._fixed = [quote.bound - top for quote, top in zip(few, tops, strict=True)]
        self._worth = np.array([quote.worth for quote in few]).T
        self._columns = [Sums(*each) for each in zip(self._worth.tolist(), menu.uses.tolist(), strict=True)]
        self._room = [limit * (1.0 + ROOM) + ROOM for limit in menu.limit.tolist()]
        self._runs = menu.runs.tolist()
        self._pairs_of: list[list[Pairing]] = [[] for _ in menu.of_node]
        for number, (one, other, usd) in enumerate(menu.pairs):
            parts = [float(quote.parts[number]) for quote in few]
            theirs = [1.0 - part if usd > 0.0 else part for part in parts]
            pairing = Pairing(one, other, usd, parts, theirs)
            self._pairs_of[one].append(pairing)
            self._pairs_of[other].append(pairing)
        self.scale = menu.scale if isinstance(menu, FastMenu) else money_scale(problem)
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
        if len(states) == 1:
            return [self.judge(states[0], self.sums(states[0]))]
        every = [self.sums(state) for state in states]
        worths = [0.0] * len(states)
        # The most promising first: what they are really worth saves solving others.
        for index in sorted(range(len(states)), key=lambda each: -self._bound(every[each])):
            worths[index] = self.judge(states[index], every[index])
        return worths

    def sums(self, state: State) -> Sums:
        """The sums of one state."""
        columns = [self._columns[place] for place in state]
        worth = [sum(each) for each in zip(*(column.worth for column in columns), strict=True)]
        used = [sum(each) for each in zip(*(column.used for column in columns), strict=True)]
        found = Sums([top + fixed for top, fixed in zip(worth, self._fixed, strict=True)], used)
        for node, own in enumerate(self._pairs_of):
            for pairing in own:
                if pairing.one == node:
                    self._add(found, pairing, state, 1.0)
        return found

    def moved(self, sums: Sums, before: State, after: State, node: int) -> Sums:
        """The sums of a state that differs from another in one node."""
        old, new = self._columns[before[node]], self._columns[after[node]]
        found = Sums(
            [a - b + c for a, b, c in zip(sums.worth, old.worth, new.worth, strict=True)],
            [a - b + c for a, b, c in zip(sums.used, old.used, new.used, strict=True)],
        )
        if self._runs[before[node]] != self._runs[after[node]]:
            for pairing in self._pairs_of[node]:
                self._add(found, pairing, before, -1.0)
                self._add(found, pairing, after, 1.0)
        return found

    def _add(self, sums: Sums, pairing: Pairing, state: State, sign: float) -> None:
        """What a pair really adds, less what the prices' bounds say of it."""
        one, other, usd = self._runs[state[pairing.one]], self._runs[state[pairing.other]], pairing.usd
        back = 0.0 if usd > 0.0 else 1.0
        for index, (part, its) in enumerate(zip(pairing.parts, pairing.theirs, strict=True)):
            said = part * one + its * other - back * part
            sums.worth[index] += sign * usd * ((one and other) - said)

    @staticmethod
    def _bound(sums: Sums) -> float:
        return float(min(sums.worth))

    def judge(self, state: State, sums: Sums) -> float:
        """The worth of a state whose sums are known; not with a plug-in's objective."""
        known = self.known.get(state)
        if known is not None:
            return known
        over = sum([max(used - room, 0.0) for used, room in zip(sums.used, self._room, strict=True)])
        bound = self._bound(sums)
        if over > 0.0:
            # What is overrun has its price in the bound already; a wall would keep the search on one side of it.
            known_best: float = bound if self.best is None else self.best[0]
            return float(min(bound, known_best) - OVERRUN * abs(known_best) * over)
        if self.best is not None and bound <= self.best[0]:
            return bound
        chosen = self.market.value(state, self.quotes[0].prices)
        self.known[state] = worth = -self.scale if chosen is None else chosen.usd
        self._remember(worth, state)
        return worth

    def _remember(self, worth: float, state: State) -> None:
        if self.best is None or worth > self.best[0]:
            self.best = (worth, state)

    def _ask(self, states: Sequence[State] | dict[State, None]) -> None:
        """Solve states and let the plug-in judge all their splits at once."""
        solved: list[State] = []
        splits: list[dict[str, Resources]] = []
        worths: list[float] = []
        for state in states:
            used = self.sums(state).used
            over = sum([max(each - room, 0.0) for each, room in zip(used, self._room, strict=True)])
            chosen = None if over > 0.0 else self.market.value(state, self.quotes[0].prices)
            if chosen is None:
                self.known[state] = -self.scale * (1.0 + IMPOSSIBLE * over)
                continue
            solved.append(state)
            worths.append(chosen.usd)
            splits.append(self.menu.split(state, chosen))
        extra = extra_usd_per_hour(self.problem, splits)
        for state, worth, more in zip(solved, worths, extra, strict=True):
            self.known[state] = max(worth + self.problem.horizon_h * more, -self.scale)
            if math.isfinite(more):
                self._remember(self.known[state], state)


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

    until = (1.0 - RESERVE) * budget.seconds

    def ended() -> bool:
        return spent() > until

    market: Market | None = opened(problem, budget.seconds, ended)
    if market is None:
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
        market = Market(menu, ended)
    landscape = Landscape(problem, market, budget.seconds)
    if not landscape.proven:
        with own_randomness(seed):
            engine(landscape, seed)
    best = landscape.best
    chosen = None if best is None else landscape.market.value(best[1])
    if best is None or chosen is None:
        return _handed_over(problem, budget, seed, name, spent, "no state that fits was met")
    split = market.menu.split(best[1], chosen)
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
