"""Actors that die: each is started again, an alert says so, and the books stay exact."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import msgspec
import pytest
from emulated_week import CADENCE, HOUR_S, START, differences, read_books, week_house

import orch.boot.engine
from actors.address import LiveDirectory
from actors.recorder import Recorder
from orch.boot import demo_engine
from orch.emulator.world import World
from orch.messages.base import Message
from orch.model.board import Dashboard
from orch.reallocation.story import stories
from orch.store.books import earned_totals
from orch.store.database import open_read_only

DATABASE = "orch.duckdb"
CATCH_UP_H = 4
PATIENCE_S = 20.0
ADAPTERS = tuple(f"adapter:{node}" for node in ("disk", "compute", "relay", "address"))
OTHERS = ("coordinator", "recorder", "optimizer", "monitor", "reallocation", "pricing")
EVERYBODY = (*ADAPTERS, *OTHERS)


def forgetful(recorder):
    """What a recorder does that has no time left: what was not committed is gone."""
    recorder._plan.shelf.clear()
    if recorder._writer is not None:
        recorder._writer.close()


def play_and_kill(house, world, seed, rounds):
    """Rounds in which everybody dies once, every few minutes somebody else, and then hours without income."""
    chance = random.Random(seed)
    for _ in range(rounds):
        for victim in chance.sample(EVERYBODY, len(EVERYBODY)):
            house.stage.run_for(chance.uniform(30, 600))
            house.stage.kill(victim)
    world.advance(house.stage.now())
    world.pause()
    house.stage.run_for(CATCH_UP_H * HOUR_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "rounds", "close"),
    [(1, 20, Recorder.close), (2, 2, forgetful), (3, 20, forgetful)],
    ids=["orderly", "forgetful", "forgetful, long"],
)
def test_whoever_dies_the_books_equal_the_networks_own(seed, rounds, close, tmp_path, monkeypatch):
    monkeypatch.setattr(Recorder, "close", close)
    world = World(seed, START)
    house = week_house(world, tmp_path)
    play_and_kill(house, world, seed, rounds)
    assert set(house.stage.names()) == {*EVERYBODY, "supervisor"}
    assert set(house.failures()) == set(EVERYBODY)
    assert {error.partition(":")[0] for error in house.failures().values()} == {"KilledError"}
    monkeypatch.undo()
    house.close()
    told = stories(house.journal.read())
    assert any(story.record.state == "settled" for story in told.values())
    assert all(story.ended for story in told.values())
    assert world.overallocated() == []
    assert differences(read_books(tmp_path / DATABASE), world) == []
    check_records(tmp_path / DATABASE, told)


def test_what_a_dead_recorder_was_told_in_vain_is_recorded_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(Recorder, "close", forgetful)
    world = World(7, START)
    house = week_house(world, tmp_path)
    first_decision = START + timedelta(seconds=CADENCE["decide_s"])
    house.stage.run_until(first_decision - timedelta(seconds=0.1))
    house.stage.kill("recorder")
    while not any(line.event == "step_verified" for line in house.journal.read()):
        house.stage.run_for(0.1)
    assert house.stage.now() < first_decision + timedelta(minutes=1)
    house.stage.kill("recorder")
    house.stage.run_for(HOUR_S)
    monkeypatch.undo()
    house.close()
    told = stories(house.journal.read())
    assert any(story.record.state == "settled" for story in told.values())
    check_records(tmp_path / DATABASE, told)


def check_records(database, told):
    """Moves, their steps and their decisions are recorded, whoever was not there when they happened."""
    with open_read_only(database) as connection:
        moves = dict(connection.execute("SELECT id, state FROM reallocations").fetchall())
        steps = connection.execute("SELECT reallocation_id, step_index FROM reallocation_steps").fetchall()
        decisions = {row[0] for row in connection.execute("SELECT id FROM decisions").fetchall()}
        alerts = connection.execute("SELECT sentence FROM alerts WHERE rule = 'actor_failed'").fetchall()
    assert moves == {identity: story.record.state for identity, story in told.items()}
    assert set(steps) == {(name, index) for name, story in told.items() for index in story.tried}
    assert decisions >= {story.record.decision_id for story in told.values() if story.touched}
    assert alerts


# -- live ------------------------------------------------------------------------------------------------


@pytest.fixture
def live(tmp_path, monkeypatch):
    """A running demonstration, and the directory of its actors."""
    directories = []

    class Directory(LiveDirectory):
        def __init__(self):
            super().__init__()
            directories.append(self)

    monkeypatch.setattr(orch.boot.engine, "LiveDirectory", Directory)
    engine = demo_engine(tmp_path, seed=1, port=0, web=False)
    engine.start()
    yield engine, directories[0]
    engine.stop()


class Deadly(Message):
    """What nobody can handle."""


def board_of(engine):
    return msgspec.json.decode(engine.board(), type=Dashboard)


def await_board(engine, wanted):
    """The first board that is as wanted."""
    seen, until = 0, time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        seen = engine.await_board(seen, 1.0)
        if seen and wanted(board := board_of(engine)):
            return board
    raise AssertionError(board_of(engine))


def kill(engine, directory, name):
    """Let an actor die of a message; the first board after its next life that tells of it."""
    lived = directory.ref(name)
    directory.tell(name, Deadly())
    assert directory.await_other(name, lived, PATIENCE_S)
    told = f"The {name} failed and was started again"
    return await_board(engine, lambda board: any(told in alert.sentence for alert in board.alerts))


@pytest.mark.slow
def test_a_live_house_outlives_its_actors(live, tmp_path):
    engine, directory = live
    board = await_board(engine, lambda board: board.total.usd_per_hour is not None)
    for name in ("adapter:disk", "coordinator", "recorder", "optimizer", "reallocation"):
        earned = board.total.earned_usd.settled
        board = kill(engine, directory, name)
        assert board.total.earned_usd.settled >= earned > 0
    board = await_board(engine, lambda board: all(node.health != "unknown" for node in board.nodes))
    engine.stop()
    assert engine.late == ()
    with open_read_only(tmp_path / DATABASE) as connection:
        assert earned_totals(connection).total.settled >= board.total.earned_usd.settled
