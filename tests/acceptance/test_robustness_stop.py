"""SIGINT and SIGTERM while a node drips one byte a second and another hangs: all is committed within 5 s."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime

import msgspec
import pytest
from hostile import HostileNode

from orch.emulator.asks import Ask
from orch.emulator.shell import EmulatorServer
from orch.emulator.world import World
from orch.model.board import Dashboard
from orch.store.books import earned_totals
from orch.store.database import open_read_only
from orch.store.queries import latest_board
from orch.system.clock import RealClock

PATIENCE_S = 25.0
CONFIGURATION = """
[web]
port = 0
[cadence]
poll_s = 0.1
[prices]
sources = []
[nodes.healthy]
protocol = "storj"
url = "{healthy}"
[nodes.dripping]
protocol = "storj"
url = "{dripping}"
[nodes.hanging]
protocol = "storj"
url = "{hanging}"
"""


class Orch:
    """`python -m orch run` in a process of its own."""

    def __init__(self, place, urls):
        place.mkdir()
        self.data_dir = place / "data"
        (place / "orch.toml").write_text(CONFIGURATION.format(**urls))
        command = ["run", "--config", str(place / "orch.toml"), "--data-dir", str(self.data_dir)]
        self.log = (place / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orch", *command], stdout=self.log, stderr=subprocess.STDOUT
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def board(self):
        """The dashboard over HTTP; None while there is none yet."""
        try:
            engine = json.loads((self.data_dir / "engine.json").read_text())
            with urllib.request.urlopen(f"{engine['url']}/api/v1/dashboard", timeout=5) as answer:
                return msgspec.json.decode(answer.read(), type=Dashboard)
        except OSError:
            return None

    def await_income(self):
        """The first board on which the healthy node has earned something."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.poll() is None:
            board = self.board()
            if board is not None and board.total.earned_usd.settled > 0:
                return board
            time.sleep(0.05)
        pytest.fail(self.said())

    def stop(self, sign):
        """The exit code, and how long it took to end."""
        began = time.monotonic()
        self.process.send_signal(sign)
        code = self.process.wait(PATIENCE_S)
        return code, time.monotonic() - began


@pytest.fixture
def nodes():
    """The addresses of a healthy node, one that drips and one that hangs."""
    clock = RealClock()
    with ExitStack() as stack:
        emulator = stack.enter_context(EmulatorServer(World(3, datetime.now(UTC)), clock))
        hostile = {
            name: stack.enter_context(HostileNode(how, None, turned=True))
            for name, how in (("dripping", "drip"), ("hanging", "hang"))
        }
        assert emulator.answer(Ask(service="storj", path="/api/sno/")).status == 200
        yield {"healthy": emulator.urls()["storj"], **{name: node.url for name, node in hostile.items()}}, hostile


@pytest.mark.slow
def test_signals_end_it_in_time_with_everything_committed(nodes, tmp_path):
    urls, hostile = nodes
    with Orch(tmp_path / "a", urls) as interrupted, Orch(tmp_path / "b", urls) as terminated:
        for orch, sign in ((interrupted, signal.SIGINT), (terminated, signal.SIGTERM)):
            board = orch.await_income()
            assert all(node.asked_since_then.wait(PATIENCE_S) for node in hostile.values())
            code, took_s = orch.stop(sign)
            said = orch.said()
            assert code == 0, said
            assert took_s < 5.0
            assert "Traceback" not in said
            check_committed(orch.data_dir, board)


def check_committed(data_dir, seen):
    """What was on the last board that was seen is in the database."""
    assert not (data_dir / "engine.json").exists()
    with open_read_only(data_dir / "orch.duckdb") as connection:
        kept, total = latest_board(connection), earned_totals(connection).total
        failures = connection.execute("SELECT * FROM failures WHERE sentence LIKE '%stopping%'").fetchall()
    assert kept.taken_at >= seen.as_of
    assert total.settled >= seen.total.earned_usd.settled
    assert failures == []
