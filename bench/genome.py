"""A split as numbers between 0 and 1, for solvers that know nothing of it; evaluated for many at once.

Per node one gene for what happens to it (stop, keep, set) and one per resource for how much when it is set. Where
more is given than there is, those that are set give back in proportion what they have beyond their least.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from orch.model.resources import RESOURCES, Resources, resources

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orch.model.problems import Problem, ProblemNode

    Floats: TypeAlias = NDArray[np.float64]

WORST = -1e12


class TimeUpError(Exception):
    """The budget is spent; what was best is in the genome."""


class Genome:
    """One problem for blind search; remembers the best it valued, and ends the search when its time is up.

    Values are by the problem's own words, with one assumption that the bench's families keep: a node's activities
    take one resource each, or all the same.
    """

    def __init__(self, problem: Problem, deadline: float) -> None:
        self.problem = problem
        self._deadline = deadline
        self.best: Floats | None = None
        self.best_usd = -math.inf
        self._capacity = np.array([problem.capacity.or_zero(name) for name in RESOURCES])
        self._present = self._table("present")
        self._floor = self._table("floor")
        need = [[node.need.get(name) for name in RESOURCES] for node in problem.nodes]
        self._need = np.array(
            [
                [self._floor[i, r] if each is None else each for r, each in enumerate(row)]
                for i, row in enumerate(need)
            ]
        )
        self._least = np.maximum(self._floor, self._need)
        caps = [[node.cap.get(name) for name in RESOURCES] for node in problem.nodes]
        self._most = np.array(
            [[self._capacity[r] if each is None else each for r, each in enumerate(row)] for row in caps]
        )
        self._most = np.maximum(np.minimum(self._most, self._capacity), self._least)
        self._step, self._unit = self._table("step"), self._table("unit_usd")
        self._planned = np.array(
            [[node.present.get(name) is not None for name in RESOURCES] for node in problem.nodes]
        )
        self.length = len(problem.nodes) * (1 + len(RESOURCES))

    def _table(self, field: str) -> Floats:
        rows = [[getattr(node, field).or_zero(name) for name in RESOURCES] for node in self.problem.nodes]
        return np.array(rows, dtype=float)

    def start(self, count: int, seed: int) -> Floats:
        """A first population: the present split, then chance."""
        genes = np.random.default_rng(seed).random((count, self.length))
        genes[0, : len(self.problem.nodes)] = 0.5
        return genes

    def value(self, genes: Floats) -> Floats:
        """USD over the horizon of each row; what cannot be is worth less than anything.

        Raises:
            TimeUpError: The time is up.
        """
        if time.perf_counter() > self._deadline:
            raise TimeUpError
        amounts, running, changed, over = self._amounts(np.clip(genes, 0.0, 1.0))
        worth = np.zeros(len(genes))
        for place, node in enumerate(self.problem.nodes):
            room = np.maximum(amounts[:, place] - self._need[place], 0.0)
            worth += np.where(running[:, place], node.base_usd_per_hour + _earned(node, room), 0.0)
        for pair in self.problem.pairs:
            worth += pair.usd_per_hour * (
                running[:, self._place(pair.first)] & running[:, self._place(pair.second)]
            )
        worth *= self.problem.horizon_h
        worth -= (np.abs(amounts - self._present) * self._unit).sum(axis=(1, 2))
        worth -= (changed * np.array([node.change_usd for node in self.problem.nodes])).sum(axis=1)
        for group in self.problem.groups:
            count = sum(running[:, self._place(name)].astype(int) for name in dict.fromkeys(group.nodes))
            over = over + np.maximum(count - group.most, 0)
        if self.problem.max_changes is not None:
            over = over + np.maximum(changed.sum(axis=1) - self.problem.max_changes, 0)
        worth = np.where(over > 1e-9, WORST * (1.0 + over), worth)
        best = int(np.argmax(worth))
        if over[best] <= 1e-9 and worth[best] > self.best_usd:
            self.best_usd, self.best = float(worth[best]), np.array(genes[best])
        return worth

    def split(self, genes: Floats) -> dict[str, Resources]:
        """One row as allocations by node."""
        amounts = self._amounts(np.clip(genes, 0.0, 1.0)[None, :])[0][0]
        return {
            node.name: resources(
                {name: float(amounts[i, r]) for r, name in enumerate(RESOURCES) if self._planned[i, r]}
            )
            for i, node in enumerate(self.problem.nodes)
        }

    def _place(self, name: str) -> int:
        return next(place for place, node in enumerate(self.problem.nodes) if node.name == name)

    def _amounts(self, genes: Floats) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_], Floats]:
        """Amounts, which nodes run, which change, and by what share of a capacity too much is given."""
        nodes = self.problem.nodes
        states = genes[:, : len(nodes)]
        shares = genes[:, len(nodes) :].reshape(len(genes), len(nodes), len(RESOURCES))
        locked = np.array([node.locked for node in nodes])
        stops = (states < 1.0 / 3.0) & np.array([node.may_stop for node in nodes]) & ~locked
        sets = (states > 2.0 / 3.0) & ~locked
        amounts = np.where(sets[:, :, None], self._least + shares * (self._most - self._least), self._present)
        amounts = np.where(stops[:, :, None], 0.0, amounts) * self._planned
        beyond = np.where(sets[:, :, None], np.maximum(amounts - self._least, 0.0), 0.0)
        total = beyond.sum(axis=1)
        room = self._capacity - (amounts - beyond).sum(axis=1)
        kept = np.clip(room / np.maximum(total, 1e-300), 0.0, 1.0)
        amounts -= beyond * (1.0 - kept)[:, None, :]
        stepped = sets[:, :, None] & (self._step > 0.0)
        size = np.where(self._step > 0.0, self._step, 1.0)
        whole = self._floor + size * np.floor((amounts - self._floor) / size + 1e-9)
        amounts = np.where(stepped, whole, amounts)
        running = (amounts >= self._least * (1.0 - 1e-9)).all(axis=2) | ~np.array([n.may_stop for n in nodes])
        changed = (np.abs(amounts - self._present) > 1e-6 * np.maximum(self._capacity, 1e-300)).any(axis=2)
        over = np.maximum(amounts.sum(axis=1) / np.maximum(self._capacity, 1e-300) - 1.0, 0.0).max(axis=1)
        short = (running[:, :, None] & (amounts < self._least * (1.0 - 1e-9))).any(axis=2).sum(axis=1)
        return amounts, running, changed, over + short


def _earned(node: ProblemNode, room: Floats) -> Floats:
    """USD per hour of the activities, dearest first."""
    left, worth = room.copy(), np.zeros(len(room))
    for each in sorted(node.activities, key=lambda one: -one.usd_per_hour):
        takes = [(RESOURCES.index(name), amount) for name, amount in each.takes.known() if amount > 0.0]
        level = np.full(len(room), each.width)
        for place, amount in takes:
            np.minimum(level, left[:, place] / amount, out=level)
        for place, amount in takes:
            left[:, place] -= amount * level
        worth += each.usd_per_hour * level
    return worth
