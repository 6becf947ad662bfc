"""What the same world earns with a split that nobody touches, beside what it earns with orch.

Two worlds of one seed meet the same demand, prices and failures whatever their splits, so that the difference of
their incomes is the splits' alone. `python tests/acceptance/fixed_splits.py 7` compares one week and prints it.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec
from emulated_week import START, Income, Meter, Played, play

from orch.emulator.facts import POOR_SPLIT, NodeName, as_dict
from orch.emulator.world import World, WorldState
from orch.model.resources import RESOURCES, ResourceName, Resources, resources

Split: TypeAlias = dict[NodeName, Resources]
Shift: TypeAlias = tuple[NodeName, NodeName, ResourceName, float]

WEEK_H = 168.0
UNKNOWN_INCOME: NodeName = "address"
"""Nobody said what a Grass point is worth, and of what it knows no rate orch takes nothing away."""


@dataclass(frozen=True)
class Week:
    """One seed: with orch, and with fixed splits from the first minute on.

    `keep` is the poor split that the world begins with, `best` the best of all, `best_allowed` the best of those
    that leave the node of unknown income what it has.
    """

    seed: int
    played: Played
    keep: Income
    best: Income
    best_allowed: Income
    wall_s: float


def compare_week(seed: int, hours: float = WEEK_H) -> Week:
    """Play a week with orch in charge, and beside it with fixed splits."""
    began = time.monotonic()
    world = World(seed, START)
    splits = FixedSplits(world, hours)
    with tempfile.TemporaryDirectory() as name:
        played = play(world, hours, Path(name))
    return Week(
        seed=seed,
        played=played,
        keep=splits.income(POOR_SPLIT),
        best=splits.best(splits.good()),
        best_allowed=splits.best([as_allowed(split) for split in splits.good()]),
        wall_s=time.monotonic() - began,
    )


class FixedSplits:
    """A new world, again and again from its beginning."""

    def __init__(self, world: World, hours: float) -> None:
        self._seed = world.seed
        self._hours = hours
        self._beginning = msgspec.json.encode(world.state)
        self._best = world.best_fixed_split()

    def income(self, split: Split) -> Income:
        """With this split from the start."""
        world = World(self._seed, START, state=msgspec.json.decode(self._beginning, type=WorldState))
        world.set_split_now(split)
        meter = Meter(world, self._hours)
        for _ in meter.readings():
            pass
        return meter.income()

    def best(self, splits: list[Split]) -> Income:
        """The income of the split that earned most after settling."""
        return max(map(self.income, splits), key=lambda income: income.settled)

    def good(self) -> list[Split]:
        """The world's own best split, and some around it: cores and room moved from where they earn most."""
        return [
            shifted(self._best, ("compute", "disk", "cpu_cores", cores), ("disk", "compute", "storage_gb", room))
            for cores, room in ((0.0, 0.0), (1.0, 0.0), (0.0, 3000.0), (0.0, 6000.0))
        ]


def as_allowed(split: Split) -> Split:
    """The nearest split in which the node of unknown income keeps what it has."""
    kept, given = POOR_SPLIT[UNKNOWN_INCOME], split[UNKNOWN_INCOME]
    more = {name: kept.or_zero(name) - given.or_zero(name) for name in RESOURCES}
    whole_cores = float(math.ceil(more["cpu_cores"]))
    return shifted(
        split,
        ("compute", "disk", "cpu_cores", whole_cores),
        *(("disk", UNKNOWN_INCOME, name, amount) for name, amount in more.items()),
    )


def shifted(split: Split, *shifts: Shift) -> Split:
    """A split after amounts were moved: from node, to node, resource, how much."""
    amounts = {node: as_dict(given) for node, given in split.items()}
    for giver, taker, resource, amount in shifts:
        amounts[giver][resource] -= amount
        amounts[taker][resource] += amount
    return {node: resources(given) for node, given in amounts.items()}


if __name__ == "__main__":
    week = compare_week(int(sys.argv[1]))
    sys.stdout.write(f"{json.dumps(asdict(week), indent=2)}\n")
