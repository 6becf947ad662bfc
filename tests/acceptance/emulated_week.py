"""One seeded emulated week: the whole house on the stage, and what other splits would have earned meanwhile.

`python tests/acceptance/emulated_week.py 7 24` plays a day of seed 7 and prints what came of it.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import duckdb
import msgspec

from orch.boot.staged import staged_house
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.facts import NODES, POOR_SPLIT, NodeName, as_dict
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.world import World, WorldState
from orch.model.resources import RESOURCES, ResourceName, Resources, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.boot.staged import StagedHouse

Split: TypeAlias = dict[NodeName, Resources]

START = datetime(2026, 11, 2, tzinfo=UTC)
HOUR_S = 3600
SETTLING_H = 24
CATCH_UP_H = 4
"""Virtual hours after the last income in which orch still reads what the networks have booked late."""
CADENCE = {"poll_s": 60, "analyze_s": 300, "decide_s": 600}
UNKNOWN_INCOME: NodeName = "address"
"""The node whose rate is unknown, for nobody said what a point is worth: orch leaves it what it has."""


@dataclass(frozen=True)
class Income:
    """USD truly earned by all nodes: in the whole time, and after the first day."""

    whole: float
    settled: float


@dataclass(frozen=True)
class Move:
    """A reallocation as the database has it."""

    id: str
    state: str
    sentence: str
    cost_usd: float
    changes: list[dict]


@dataclass(frozen=True)
class Week:
    """What came of one seed."""

    seed: int
    hours: float
    orch: Income
    keep: Income
    best: Income
    best_allowed: Income
    moves: list[Move]
    wrong_streams: list[str]
    streams: int
    overallocated: int
    failures: dict[str, str]
    dead_letters: dict[str, int]
    wall_s: float
    digest: str | None = None

    @property
    def settled(self) -> list[Move]:
        return [move for move in self.moves if move.state == "settled"]

    @property
    def moving_cost(self) -> float:
        return sum(move.cost_usd for move in self.settled)


@dataclass(frozen=True)
class Books:
    """What orch wrote down: sums by `(node, stream, is it a penalty)`, and its moves."""

    totals: dict[tuple[str, str, bool], Decimal]
    moves: list[Move]


def week_house(world: World, data_dir: Path, *, trace: bool = False) -> StagedHouse:
    """The demonstration's configuration on the stage, every lever free to act, recorded once an hour."""
    tables = {
        "orch": {"mode": "auto", "data_dir": str(data_dir)},
        "cadence": CADENCE,
        **demo_nodes(emulated_urls()),
    }
    return staged_house(
        from_tables(tables, demo_environment(), data_dir),
        data_dir,
        lambda request, now, _: answer_request(world, request, now),
        start=world.start,
        seed=world.seed,
        commit_every_s=HOUR_S,
        board_every_s=HOUR_S,
        tidy_every_s=24 * HOUR_S,
        trace=trace,
    )


def play_week(seed: int, hours: float = 168.0, *, trace: bool = False) -> Week:
    """Play a seed's world with orch in it, and again with splits that nobody touches."""
    began = time.monotonic()
    world = World(seed, START)
    beginning = msgspec.json.encode(world.state)
    with tempfile.TemporaryDirectory() as name:
        house = week_house(world, Path(name), trace=trace)
        meter = Meter(world, hours)
        for until in meter.readings():
            house.stage.run_until(until)
        world.pause()
        house.stage.run_for(CATCH_UP_H * HOUR_S)
        digest = house.stage.digest() if trace else None
        house.close()
        books = read_books(Path(name) / "orch.duckdb")
    baselines = Baselines(seed, beginning, hours)
    return Week(
        seed=seed,
        hours=hours,
        orch=meter.income(),
        keep=baselines.income(None),
        best=baselines.best(good_splits(world)),
        best_allowed=baselines.best([as_allowed(split) for split in good_splits(world)]),
        moves=books.moves,
        wrong_streams=differences(books, world),
        streams=len(world.truth()),
        overallocated=len(world.overallocated()),
        failures=house.failures(),
        dead_letters={" ".join(key): count for key, count in house.stage.dead_letters().items()},
        wall_s=round(time.monotonic() - began, 2),
        digest=digest,
    )


class Meter:
    """Reads a world's true income at its beginning, after settling and at the end."""

    def __init__(self, world: World, hours: float) -> None:
        self._world = world
        self._hours = hours
        self._read: list[float] = []

    def readings(self) -> Iterator[datetime]:
        """The times to which the world's surroundings are to be played; each is read at the next step."""
        for hours in (0.0, min(SETTLING_H, self._hours), self._hours):
            until = self._world.start + timedelta(hours=hours)
            yield until
            self._world.advance(until)
            self._read.append(sum(self._world.usd_income(node) for node in NODES))

    def income(self) -> Income:
        """What was earned between the readings."""
        start, settled, end = self._read
        return Income(whole=end - start, settled=end - settled)


class Baselines:
    """The same world again, with a split that nobody touches."""

    def __init__(self, seed: int, beginning: bytes, hours: float) -> None:
        self._seed = seed
        self._beginning = beginning
        self._hours = hours

    def income(self, split: Split | None) -> Income:
        """With a fixed split from the start; None is the poor one that the world begins with."""
        world = World(self._seed, START, state=msgspec.json.decode(self._beginning, type=WorldState))
        if split is not None:
            world.set_split_now(split)
        meter = Meter(world, self._hours)
        for _ in meter.readings():
            pass
        return meter.income()

    def best(self, splits: list[Split]) -> Income:
        """The income of the split that earned most after settling."""
        return max(map(self.income, splits), key=lambda income: income.settled)


def good_splits(world: World) -> list[Split]:
    """The world's own best split, and a small grid around it: cores or room moved from where they should earn."""
    best = world.best_fixed_split()
    return [
        shifted(best, ("compute", "disk", "cpu_cores", cores), ("disk", "compute", "storage_gb", room))
        for cores in (0.0, 1.0, 2.0)
        for room in (0.0, 3000.0, 6000.0)
    ]


def as_allowed(split: Split) -> Split:
    """The nearest split in which the node of unknown income keeps what it has, as orch leaves it."""
    kept = POOR_SPLIT[UNKNOWN_INCOME]
    more = {name: kept.or_zero(name) - split[UNKNOWN_INCOME].or_zero(name) for name in RESOURCES}
    whole_cores = math.ceil(more["cpu_cores"])
    return shifted(
        split,
        ("compute", "disk", "cpu_cores", float(whole_cores)),
        *(("disk", UNKNOWN_INCOME, name, amount) for name, amount in more.items()),
    )


def shifted(split: Split, *parts: tuple[NodeName, NodeName, ResourceName, float]) -> Split:
    """A split after moving amounts: from node, to node, resource, how much."""
    amounts = {node: as_dict(given) for node, given in split.items()}
    for giver, taker, resource, amount in parts:
        amounts[giver][resource] -= amount
        amounts[taker][resource] += amount
    return {node: resources(given) for node, given in amounts.items()}


def read_books(database: Path) -> Books:
    """The ledger's totals and the moves, from the closed database."""
    with duckdb.connect(str(database), read_only=True) as connection:
        totals = connection.execute(
            "SELECT node, stream, kind = 'penalty', sum(amount) FROM ledger"
            " WHERE kind IN ('earned', 'correction', 'penalty') GROUP BY ALL"
        ).fetchall()
        moves = connection.execute(
            "SELECT id, state, sentence, cost_usd, changes FROM reallocations ORDER BY started_at"
        ).fetchall()
    return Books(
        totals={(node, stream, penalty): amount for node, stream, penalty, amount in totals},
        moves=[
            Move(identity, state, sentence, float(cost or 0), json.loads(changes))
            for identity, state, sentence, cost, changes in moves
        ],
    )


def differences(books: Books, world: World) -> list[str]:
    """One line per stream in which the ledger and the networks' own books disagree; empty when all is exact.

    Of a Streamr operator the networks keep one sum, while orch books one stream per collection and one per
    penalty, all of them named after the operator.
    """
    booked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    penalties: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    operators = {stream for node, stream in world.truth() if node == "relay"}
    for (node, stream, penalty), amount in books.totals.items():
        operator = stream.partition(":")[0]
        key = (node, operator if operator in operators else stream)
        (penalties if penalty else booked)[key] += amount
    lines = []
    for key, truth in world.truth().items():
        earned, lost = booked.pop(key, Decimal(0)), penalties.pop(key, Decimal(0))
        if earned != truth.total or -lost != truth.penalty:
            lines.append(f"{key}: booked {earned} and {lost}, in truth {truth.total} and -{truth.penalty}")
    lines += [f"{key}: booked {amount}, unknown to the network" for key, amount in {**booked, **penalties}.items()]
    return lines


if __name__ == "__main__":
    week = play_week(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 168.0)
    sys.stdout.write(f"{json.dumps(asdict(week), indent=2)}\n")
