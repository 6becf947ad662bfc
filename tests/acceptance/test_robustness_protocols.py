"""All four protocols against nodes that turn bad: whatever they say, no money comes or goes and nobody dies."""

from __future__ import annotations

import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SPEED = 120.0
PATIENCE_S = 180.0
SERVICES = {
    "disk": ("storj", "url"),
    "compute": ("golem", "url"),
    "relay": ("streamr_rpc", "rpc_url"),
    "address": ("grass", "url"),
}
VITAL = {"disk": "sno", "compute": "me", "relay": "block", "address": "devices"}
SILENT = {"hang": "timeout", "drip": "timeout", "html": "content_type", "redirected": "redirect"}
ENDLESS = {"promised": "too_large", "streamed": "too_large"}
WITHOUT_NUMBERS = tuple(how for how in WAYS if how not in ("nan", "negative"))
"""A chain's answers hold no JSON numbers that mean anything."""
LARGEST_JUMP_USD = Decimal("0.5")
QUIET_BOARDS = 12


def well_as(service, emulator):
    def say(path, headers, method="GET", body=b""):
        bare, _, query = path.partition("?")
        ask = Ask(service=service, path=bare, query=query, headers=headers, method=method, body=body)
        response = emulator.answer(ask)
        if response.refused:
            return 503, "text/plain", b""
        return response.status, dict(response.headers).get("Content-Type", ""), response.body

    return say


FALLEN = {f"{node}-{how}" for node in VITAL for how in (*SILENT, *ENDLESS, "truncated")}
"""Nodes of which the vital question has no usable answer any more: their health must come to show it."""


@pytest.fixture
def house(tmp_path, monkeypatch):
    """One healthy node of every protocol, and one of each for every way to turn bad."""
    clock = ScaledClock(SPEED, datetime.now(UTC))
    monkeypatch.setattr(orch.boot.start, "RealClock", lambda: clock)
    with ExitStack() as stack:
        world = World(3, clock.now())
        world.presence = lambda node, now: "up"
        emulator = stack.enter_context(EmulatorServer(world, clock))
        trap = stack.enter_context(HostileNode("html", None, turned=True))
        demo = demo_nodes(emulator.urls())
        nodes, bad = dict(demo["nodes"]), []
        for node, (service, key) in SERVICES.items():
            for how in WAYS if node != "relay" else WITHOUT_NUMBERS:
                hostile = stack.enter_context(HostileNode(how, well_as(service, emulator), trap.url))
                bad.append(hostile)
                plain = {name: value for name, value in nodes[node].items() if name not in ("min", "levers")}
                nodes[f"{node}-{how}"] = {**plain, key: hostile.url}
        tables = {
            **demo,
            "orch": {"mode": "observe", "data_dir": str(tmp_path)},
            "cadence": {"poll_s": 60},
            "nodes": nodes,
        }
        engine = real_engine(from_tables(tables, demo_environment(), tmp_path), port=0, web=False)
        stack.callback(engine.stop)
        engine.start()
        yield engine, bad, trap


def board_of(engine):
    return msgspec.json.decode(engine.board(), type=Dashboard)


def await_board(engine, wanted):
    seen, until, missing = 0, time.monotonic() + PATIENCE_S, "no board"
    while time.monotonic() < until:
        seen = engine.await_board(seen, 1.0)
        if seen:
            board = board_of(engine)
            missing = [(node.name, node.health, node.health_reason) for node in board.nodes if not wanted(node)]
            if not missing:
                return board
    raise AssertionError(missing)


def await_history(engine):
    """Until some boards in a row tell of no more than what is earned meanwhile: all of the past has been read."""
    known, quiet, seen, until = {}, 0, 0, time.monotonic() + PATIENCE_S
    while quiet < QUIET_BOARDS and time.monotonic() < until:
        seen = engine.await_board(seen, 1.0) or seen
        now = {node.name: earned(node) for node in board_of(engine).nodes}
        still = all(abs(usd - known.get(name, Decimal(-9))) < LARGEST_JUMP_USD for name, usd in now.items())
        known, quiet = (known, quiet + 1) if still else (now, 0)


def earned(node):
    return node.earned_usd.settled + node.earned_usd.accrued + node.earned_usd.estimated


def test_no_protocol_is_led_astray(house, tmp_path):
    engine, bad, trap = house
    await_board(engine, lambda node: node.health == "online" and (earned(node) > 0 or "address" in node.name))
    await_history(engine)
    for node in bad:
        node.turned.set()
    # Answers that were on their way come in.
    time.sleep(1)
    before, turned_at = {node.name: node for node in board_of(engine).nodes}, board_of(engine).as_of
    await_board(engine, lambda node: node.name not in FALLEN or node.health != "online")
    later = await_board(engine, lambda _: board_of(engine).as_of > turned_at + timedelta(minutes=180))
    began = time.monotonic()
    engine.stop()
    assert time.monotonic() - began < 5.0
    assert engine.late == ()
    truly = {node.name: earned(node) for node in later.nodes if node.name in SERVICES}
    for node in later.nodes:
        then, most = before[node.name], truly[node.name.partition("-")[0]]
        assert node.earned_usd.settled >= then.earned_usd.settled, node
        if node.name in SERVICES:
            assert node.health == "online", node
            assert node.last_seen_at > turned_at
        else:
            # What was still to be read of the past may come, as far as an answer is untouched: no more than that.
            assert earned(node) > earned(then) - LARGEST_JUMP_USD, (node, then)
            assert earned(node) < max(earned(then), most) + LARGEST_JUMP_USD, (node, then)
    with open_read_only(tmp_path / "orch.duckdb") as connection:
        told = set(connection.execute("SELECT DISTINCT node, endpoint, reason FROM failures").fetchall())
        fallen = connection.execute("SELECT sentence FROM alerts WHERE rule = 'actor_failed'").fetchall()
    for node, endpoint in VITAL.items():
        for how, reason in {**SILENT, **ENDLESS}.items():
            assert (f"{node}-{how}", endpoint, reason) in told
        assert (f"{node}-truncated", endpoint, "shape") in told
        assert not [row for row in told if row[0] == node]
    assert fallen == []
    assert trap.asked == 0
