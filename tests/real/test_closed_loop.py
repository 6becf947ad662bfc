"""The whole loop on this machine: workers paid by the time they really get, a real limit, a ledger that agrees.

Their hours last a quarter of a second, and orch's clock runs as fast. Everything else is as on any host: the
kernel holds the workers to their limits, orch reads their books, moves a limit, reads it back, and says what it
brought.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean

import pytest
from paid_protocol import EPOCH, HOUR
from test_lever_cgroup import folders

from orch.boot.engine import Arrangement, Engine
from orch.config.load import from_tables
from orch.levers.cgroup import LEVER, CgroupOptions
from orch.model.resources import Resources
from orch.reallocation.story import stories
from orch.system.clock import ScaledClock
from orch.system.journal import FileJournal
from tests.fakes.hands import pull, this_host

pytestmark = pytest.mark.real

HERE = Path(__file__).parent
HOUR_S = 0.25
PAY = {"cheap": 0.01, "dear": 0.05}
WEEK_H = 24 * 7 + 4
START = Resources(cpu_cores=0.4, memory_gb=1.0)
PATIENCE_S = 60.0
NEAR = 0.05


@pytest.fixture
def groups():
    """A group for each worker, with nobody in it."""
    if os.geteuid() != 0:
        pytest.skip("control groups are made by root")
    names = {node: f"orch-loop-{node}-{os.getpid()}" for node in PAY}
    places = [place for name in names.values() for place in folders(name)]
    if not all(place.parent.is_dir() for place in places):
        pytest.skip("no cpu and memory control groups are mounted here")
    with ExitStack() as stack:
        for place in places:
            try:
                place.mkdir()
            except OSError as error:
                pytest.skip(f"control groups cannot be made here: {error.strerror}")
            stack.callback(place.rmdir)
            # What is measured is a limit: the workers come first to whatever this machine does besides.
            for file, weight in (("cpu.shares", "200000"), ("cpu.weight", "10000")):
                if (place / file).exists():
                    (place / file).write_text(weight)
        for name in names.values():
            pull(LEVER.apply(CgroupOptions(cgroup=name), START), this_host)
        yield names


@pytest.fixture
def protocol(tmp_path, monkeypatch):
    """The workers' protocol, offered as an installed package would."""
    offer = tmp_path / "site" / "paid_worker-1.0.dist-info"
    offer.mkdir(parents=True)
    (offer / "METADATA").write_text("Metadata-Version: 2.1\nName: paid-worker\nVersion: 1.0\n")
    (offer / "entry_points.txt").write_text("[orch.protocols]\npaid = paid_protocol:PROTOCOL\n")
    monkeypatch.syspath_prepend(offer.parent)


@contextmanager
def workers(groups, folder, began):
    """A worker in each group, at work since `began`."""
    with ExitStack() as stack:
        for node, usd in PAY.items():
            words = [folder / f"{node}.json", began, HOUR_S, usd]
            into = "; ".join(f"echo $$ >{place}/cgroup.procs" for place in folders(groups[node]))
            command = ["/bin/sh", "-c", f'{into}; exec "$0" "$@"', sys.executable, "-S", HERE / "paid_worker.py"]
            process = stack.enter_context(subprocess.Popen([str(each) for each in (*command, *words)]))
            stack.callback(process.kill)
        yield


def tables(groups, folder):
    nodes = {
        node: {
            "protocol": "paid",
            "books": str(folder / f"{node}.json"),
            "usd_per_core_hour": PAY[node],
            "min": {"cpu_cores": 0.1},
            "max": {"cpu_cores": 0.7},
            "levers": [{"kind": "cgroup", "cgroup": groups[node]}],
        }
        for node in PAY
    }
    nothing = {"cpu_cores": 0.0, "memory_gb": 0.0, "bandwidth_mbps": 0.0, "storage_gb": 0.0}
    return {
        "orch": {"mode": "auto"},
        "host": {"cpu_cores": 0.8, "memory_gb": 2.0, "bandwidth_mbps": 1, "storage_gb": 1, "reserve": nothing},
        "cadence": {"poll_s": 600, "analyze_s": 1200, "decide_s": 2400},
        # After its one move nothing disturbs the looks at what it brought.
        "limits": {"min_hold_s": 30 * 86_400},
        "nodes": nodes,
    }


def books(folder, node):
    """USD by hour, as the worker itself has it."""
    return {hour: float(usd) for hour, usd in json.loads((folder / f"{node}.json").read_bytes())}


def until(found, within_s):
    """The first of what is found that is true, looked for now and then."""
    waiting, deadline = threading.Event(), time.monotonic() + within_s
    while not (what := found()):
        assert time.monotonic() < deadline, "not in time"
        waiting.wait(0.1)
    return what


def hour_of(when):
    return (when - EPOCH) / HOUR


@pytest.mark.timeout(150)
@pytest.mark.usefixtures("protocol")
def test_what_orch_says_a_move_brought_is_what_the_workers_books_say(groups, tmp_path):
    began = time.monotonic()
    with workers(groups, tmp_path, began):
        until(lambda: (tmp_path / "dear.json").exists() and (tmp_path / "cheap.json").exists(), 10.0)
        until(lambda: min(len(books(tmp_path, node)) for node in PAY) >= WEEK_H, PATIENCE_S)

        def arrange(data_dir, _):
            config = from_tables(tables(groups, tmp_path), {}, tmp_path)
            speed = 3600.0 / HOUR_S
            return Arrangement(
                config, "real", ScaledClock(speed, EPOCH + (time.monotonic() - began) / HOUR_S * HOUR)
            )

        engine = Engine(tmp_path / "data", arrange, web=False)
        engine.start()
        try:
            journal = FileJournal(engine.data_dir / "journal.jsonl")
            told = until(lambda: [s for s in stories(journal.read()).values() if s.proof is not None], PATIENCE_S)
        finally:
            engine.stop()
        (story,) = told
        own = {node: books(tmp_path, node) for node in PAY}

    move, proof = story.record, story.proof
    assert move.state == "settled"
    limits = {node: pull(LEVER.read(CgroupOptions(cgroup=groups[node])), this_host).allocation for node in PAY}
    assert {node: has.cpu_cores for node, has in limits.items()} == {"cheap": 0.1, "dear": 0.7}
    assert move.trigger == "auto"
    assert {(change.node, change.read_back) for change in move.changes} == {("cheap", 0.1), ("dear", 0.7)}

    first, last = int(hour_of(move.started_at)), -int(-hour_of(move.ended_at) // 1)
    before = sum(fmean(own[node][hour] for hour in range(first - 168, first)) for node in PAY)
    after = sum(fmean(own[node][hour] for hour in range(last, last + proof.hours)) for node in PAY)
    gain = after - before
    assert gain == pytest.approx(0.3 * (PAY["dear"] - PAY["cheap"]), rel=0.15)
    assert proof.gain.mean == pytest.approx(gain, rel=NEAR)
    assert move.realised_gain_usd_per_hour.mean == proof.gain.mean
    assert proof.verdict in {"paid", "pending"}
