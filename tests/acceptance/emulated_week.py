"""The whole house on the stage, in a seeded emulated world, and its books held against the networks' own.

The real actors run here in virtual time: they ask the emulated networks, book, plan and move as they would live.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb

from orch.boot.staged import staged_house
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.facts import NODES
from orch.emulator.inprocess import answer_request, emulated_urls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orch.boot.staged import StagedHouse
    from orch.emulator.world import World
    from orch.model.fleet import Mode

START = datetime(2026, 11, 2, tzinfo=UTC)
HOUR_S = 3600
CADENCE = {"poll_s": 60, "analyze_s": 300, "decide_s": 600}
PRICES = {"refresh_s": 900, "stale_after_s": 1800}
"""As by default a price is stale after two rounds; decisions come ten times as rarely, rounds three times."""
SETTLING_H = 24
CATCH_UP_H = 3
"""Hours after the end of all earning in which orch still reads what the networks book late."""
DATABASE = "orch.duckdb"


@dataclass(frozen=True)
class Income:
    """USD truly earned by all nodes: in the whole time, and in what follows the first day."""

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
class Books:
    """What orch wrote down: sums by `(node, stream, is it a penalty)`, and its moves."""

    totals: dict[tuple[str, str, bool], Decimal]
    moves: list[Move]


@dataclass(frozen=True)
class Played:
    """What came of a time with orch in charge.

    `wrong_streams`: where ledger and networks disagree, of all `streams`. `overallocated`: at how many instants
    the nodes held more than the host has. `failures`: the last error of every actor that failed. `dead_letters`:
    how many messages found nobody. `digest`: of everything that was handled, when it was traced.
    """

    income: Income
    moves: list[Move]
    streams: int
    wrong_streams: list[str]
    overallocated: int
    failures: dict[str, str]
    dead_letters: dict[str, int]
    digest: str | None

    @property
    def settled(self) -> list[Move]:
        """The moves that were made."""
        return [move for move in self.moves if move.state == "settled"]

    @property
    def moving_cost(self) -> float:
        """What they cost in USD."""
        return sum(move.cost_usd for move in self.settled)


def play(
    world: World,
    hours: float,
    data_dir: Path,
    *,
    catch_up_h: float = CATCH_UP_H,
    tidy_every_h: float = 24,
    trace: bool = False,
) -> Played:
    """Put a house into a new world, let it earn so long, then let it read what is left to be read."""
    house = week_house(world, data_dir, tidy_every_h=tidy_every_h, trace=trace)
    meter = Meter(world, hours)
    for until in meter.readings():
        house.stage.run_until(until)
    world.pause()
    house.stage.run_for(catch_up_h * HOUR_S)
    house.close()
    books = read_books(data_dir / DATABASE)
    return Played(
        income=meter.income(),
        moves=books.moves,
        streams=len(world.truth()),
        wrong_streams=differences(books, world),
        overallocated=len(world.overallocated()),
        failures=house.failures(),
        dead_letters={" ".join(key): count for key, count in house.stage.dead_letters().items()},
        digest=house.stage.digest() if trace else None,
    )


def week_house(
    world: World, data_dir: Path, *, mode: Mode = "auto", tidy_every_h: float = 24, trace: bool = False
) -> StagedHouse:
    """The demonstration's configuration on the stage, every lever free to act, recorded once an hour."""
    tables = {
        "orch": {"mode": mode, "data_dir": str(data_dir)},
        "cadence": CADENCE,
        **demo_nodes(emulated_urls()),
    }
    tables["prices"] |= PRICES
    return staged_house(
        from_tables(tables, demo_environment(), data_dir),
        data_dir,
        lambda request, now, _: answer_request(world, request, now),
        start=world.start,
        seed=world.seed,
        commit_every_s=HOUR_S,
        board_every_s=HOUR_S,
        tidy_every_s=tidy_every_h * HOUR_S,
        trace=trace,
    )


class Meter:
    """Reads a world's true income at its beginning, after settling and at the end."""

    def __init__(self, world: World, hours: float) -> None:
        self._world = world
        self._hours = hours
        self._read: list[float] = []

    def readings(self) -> Iterator[datetime]:
        """The times up to which whatever acts on the world is to be played; each is read at the next step."""
        for hours in (0.0, min(SETTLING_H, self._hours), self._hours):
            until = self._world.start + timedelta(hours=hours)
            yield until
            self._world.advance(until)
            self._read.append(sum(self._world.usd_income(node) for node in NODES))

    def income(self) -> Income:
        """What was earned between the readings."""
        start, settled, end = self._read
        return Income(whole=end - start, settled=end - settled)


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
