"""Nodes that turn bad in every way we know: each is told apart, none harms another, none is planned with."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hostile import WAYS, HostileNode

import orch.boot.start
from orch.boot import real_engine
from orch.config.load import from_tables
from orch.emulator.asks import Ask
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.shell import EmulatorServer
from orch.emulator.world import World
from orch.model.board import Dashboard
from orch.store.database import open_read_only
from orch.system.clock import ScaledClock

SPEED = 120.0
PATIENCE_S = 20.0
DEADLINE_S = 0.6
REASONS = {
    "hang": "timeout",
    "drip": "timeout",
    "html": "content_type",
    "truncated": "shape",
    "redirected": "redirect",
    "promised": "too_large",
    "streamed": "too_large",
    "null": "shape",
    "null_lists": "shape",
    "nan": "absurd",
    "negative": "absurd",
    "absurd": "absurd",
}
"""Why the vital question of a storage node that turned bad in this way has no usable answer."""
ROOMY = {"cpu_cores": 400, "memory_gb": 2000, "bandwidth_mbps": 20_000, "storage_gb": 200_000}


def well_as(service, emulator):
    """What an emulated node says."""

    def say(path, headers, **_):
        bare, _, query = path.partition("?")
        response = emulator.answer(Ask(service=service, path=bare, query=query, headers=headers))
        if response.refused:
            return 503, "text/plain", b""
        kind = dict(response.headers)["Content-Type"]
        return response.status, kind, response.body

    return say


def tables(emulator, disks, work, data_dir):
    """A roomy host where every disk would get more, so that a plan without them says something."""
    demo = demo_nodes(emulator.urls())
    disk, compute = demo["nodes"]["disk"], demo["nodes"]["compute"]
    return {
        **demo,
        "orch": {"mode": "suggest", "data_dir": str(data_dir)},
        "host": {**ROOMY, "reserve": {}},
        "web": {"port": 0},
        "nodes": {
            "healthy": compute,
            "work": {**compute, "url": work.url},
            **{each.how: {**disk, "url": each.url} for each in disks},
        },
    }


def board_of(engine):
    return msgspec.json.decode(engine.board(), type=Dashboard)


def await_board(engine, wanted):
    """The first board of which every node is as wanted; fails with those that are not."""
    seen, until, missing = 0, time.monotonic() + PATIENCE_S, "no board"
    while time.monotonic() < until:
        seen = engine.await_board(seen, 1.0)
        if seen:
            board = board_of(engine)
            missing = [(node.name, node.health, node.health_reason) for node in board.nodes if not wanted(node)]
            if not missing:
                return board
    raise AssertionError(missing)


def rows(data_dir, query):
    with open_read_only(data_dir / "orch.duckdb") as connection:
        return connection.execute(query).fetchall()


def well_known(node):
    return (
        node.health == "online"
        and node.usd_per_hour is not None
        and any(node.allocation.known())
        and node.earned_usd.settled > 0
    )


def more_wanted(node):
    """Whether the newest plan would give this disk another size."""
    return node.name in REASONS and node.optimal.storage_gb not in (None, node.allocation.storage_gb)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """An engine on one healthy node and one for every way to turn bad, its clock in a hurry."""
    clock = ScaledClock(SPEED, datetime.now(UTC))
    monkeypatch.setattr(orch.boot.start, "RealClock", lambda: clock)
    monkeypatch.setattr("orch.protocols.storj.CONSOLE_DEADLINE_S", DEADLINE_S)
    with ExitStack() as stack:
        emulator = stack.enter_context(EmulatorServer(World(3, clock.now()), clock))
        trap = stack.enter_context(HostileNode("html", None, turned=True))
        disk = well_as("storj", emulator)
        disks = [stack.enter_context(HostileNode(how, disk, trap.url)) for how in WAYS]
        work = stack.enter_context(HostileNode("null_lists", well_as("golem", emulator)))
        config = from_tables(tables(emulator, disks, work, tmp_path), demo_environment(), tmp_path)
        engine = real_engine(config, web=False)
        stack.callback(engine.stop)
        engine.start()
        yield engine, (*disks, work), trap


@pytest.mark.slow
def test_nodes_that_turn_bad_are_told_apart_and_harm_nobody(house, tmp_path):
    engine, bad, trap = house
    await_board(engine, well_known)
    await_board(engine, lambda _: any(more_wanted(node) for node in board_of(engine).nodes))
    for node in bad:
        node.turned.set()
    turned = await_board(engine, lambda node: (node.health == "online") == (node.name not in REASONS))
    until = turned.as_of + timedelta(minutes=4)
    later = await_board(engine, lambda node: board_of(engine).as_of >= until)
    began = time.monotonic()
    engine.stop()
    assert time.monotonic() - began < 5.0
    assert engine.late == ()

    now = {node.name: node for node in later.nodes}
    for then in turned.nodes:
        check_kept(then, now[then.name], (later.as_of - turned.as_of).total_seconds())
    assert now["healthy"].health == "online"
    assert now["healthy"].last_seen_at > later.as_of - timedelta(minutes=2)

    told = set(rows(tmp_path, "SELECT DISTINCT node, reason FROM failures WHERE endpoint = 'sno'"))
    assert told == set(REASONS.items())
    told = set(rows(tmp_path, "SELECT DISTINCT endpoint, reason FROM failures WHERE node = 'work'"))
    assert {("payAgreements", "shape"), ("invoices", "shape")} <= told
    assert rows(tmp_path, "SELECT * FROM failures WHERE node = 'healthy'") == []
    assert rows(tmp_path, "SELECT * FROM alerts WHERE rule = 'actor_failed'") == []
    assert rows(tmp_path, "SELECT * FROM failures WHERE sentence LIKE '%stopping%'") == []
    assert trap.asked == 0
    check_plans(tmp_path, turned.as_of)


def check_kept(then, now, elapsed_s):
    """What was known of a node that turned bad is still known, and older."""
    if then.name == "healthy":
        return
    # Amounts beside null lists are still true.
    assert now.earned_usd == then.earned_usd or now.name == "null_lists"
    assert now.earned_usd.settled == then.earned_usd.settled > 0
    assert now.usd_per_hour is not None
    if then.name in REASONS:
        assert now.health != "online"
        assert now.health_reason
        assert now.last_seen_at == then.last_seen_at
        assert now.used == then.used
        assert now.usd_per_hour.age_s >= then.usd_per_hour.age_s + 0.9 * elapsed_s


def check_plans(data_dir, turned_at):
    """The disks were planned with while they were well, and kept what they had from then on."""
    decided = rows(data_dir, "SELECT decided_at, from_value, to_value FROM decisions ORDER BY decided_at")
    moved = {True: set(), False: set()}
    for decided_at, before, after in decided:
        late = decided_at.replace(tzinfo=UTC) > turned_at + timedelta(minutes=1)
        old, new = json.loads(before), json.loads(after)
        moved[late] |= {node for node in new if new[node] != old.get(node)}
    assert moved[False] & set(REASONS)
    assert not moved[True] & set(REASONS)
