"""Two minutes of the demonstration through the command line, beside it and after it: figures that agree."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from contextlib import closing
from decimal import Decimal

import duckdb
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

LASTING_S = 120
SIMILAR = ("schema", "engine", "total", "nodes", "capacity", "reserve", "kpis", "recent_changes", "alerts")


def command(data_dir, *arguments):
    return [sys.executable, "-m", "orch", *arguments, "--data-dir", str(data_dir)]


def orch(data_dir, *arguments):
    """What a command that must succeed says on stdout; it says nothing else."""
    done = subprocess.run(
        command(data_dir, *arguments), capture_output=True, text=True, timeout=60, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def environment():
    """Without a configuration of whoever runs this, and without a terminal."""
    hidden = {"ORCH_CONFIG", "COLUMNS", "FORCE_COLOR"}
    return {name: value for name, value in os.environ.items() if name not in hidden}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A demonstration that has run for two minutes: its data, what it said, and its status half-way."""
    place = tmp_path_factory.mktemp("two-minutes")
    data_dir = place / "data"
    with subprocess.Popen(
        command(data_dir, "--for", f"{LASTING_S}s", "--port", "0"),
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "HOME": str(place)},
    ) as process:
        began = time.monotonic()
        time.sleep(LASTING_S / 2)
        beside = json.loads(orch(data_dir, "status", "--json"))
        moves = json.loads(orch(data_dir, "history", "--json"))
        said, complaints = process.communicate(timeout=LASTING_S)
        took_s = time.monotonic() - began
    assert process.returncode == 0, complaints
    assert LASTING_S < took_s < LASTING_S + 60
    return data_dir, said, complaints, beside, moves


@pytest.fixture(scope="module")
def status(ran):
    return json.loads(orch(ran[0], "status", "--json"))


@pytest.fixture(scope="module")
def settled(ran):
    history = json.loads(orch(ran[0], "history", "--json"))["reallocations"]
    return [move for move in history if move["state"] == "settled"]


def test_it_says_that_it_is_emulated_and_where_its_data_lies(ran):
    data_dir, said, complaints, *_ = ran
    head = "\n".join(said.splitlines()[:3])
    assert "EMULATED" in head
    assert str(data_dir) in head
    assert "orch.toml" in head
    assert "Traceback" not in complaints
    assert "failed" not in complaints


def test_four_emulated_nodes_were_polled_over_http(ran, status):
    assert {node["protocol"] for node in status["nodes"]} == {"storj", "golem", "streamr", "grass"}
    assert all(node["emulated"] for node in status["nodes"])
    assert all(node["last_seen_at"] for node in status["nodes"])
    assert status["total"]["usd_per_hour"]["mean"] > 0
    assert status["total"]["leaves_out"] == ["address"]
    with closing(duckdb.connect(str(ran[0] / "orch.duckdb"), read_only=True)) as database:
        polled = dict(database.execute("SELECT node, count(*) FROM samples GROUP BY node").fetchall())
    assert set(polled) == {node["name"] for node in status["nodes"]}
    assert all(count > LASTING_S * 60 / 5 / 2 for count in polled.values())


def test_the_ledger_sums_up_to_what_the_status_says(ran, status):
    entries = list(csv.DictReader(io.StringIO(orch(ran[0], "export", "ledger", "--format", "csv"))))
    sums = dict.fromkeys(("settled", "accrued", "estimated"), Decimal(0))
    for entry in entries:
        if entry["kind"] in ("earned", "correction") and entry["evidence"] in sums and entry["usd"]:
            sums[entry["evidence"]] += Decimal(entry["usd"])
    told = {evidence: Decimal(amount) for evidence, amount in status["total"]["earned_usd"].items()}
    assert sums == told
    assert sums["settled"] > 0
    assert len({entry["entry_id"] for entry in entries}) == len(entries)
    by_node = {node["name"]: Decimal(node["earned_usd"]["settled"]) for node in status["nodes"]}
    assert sum(by_node.values()) == sums["settled"]


def test_every_settled_move_is_explained_and_was_read_back(ran, settled):
    assert settled
    for move in settled:
        decision = json.loads(orch(ran[0], "explain", move["decision_id"], "--json"))
        assert decision["id"] == move["decision_id"]
        assert decision["verdict"] == "move"
        assert decision["plan_id"] == move["plan_id"]
        assert move["changes"]
        for change in move["changes"]:
            assert change["read_back"] == pytest.approx(change["to"], rel=1e-9), change
            assert decision["to"][change["node"]][change["resource"]] == pytest.approx(change["to"])
            assert decision["from"][change["node"]][change["resource"]] == pytest.approx(change["from"])


def test_the_move_earned_more_than_staying(settled):
    gain = settled[0]["predicted_gain_usd_per_hour"]
    assert 0 < gain["low"] <= gain["mean"] <= gain["high"]
    assert Decimal(settled[0]["cost_usd"]) > 0


def test_the_status_is_of_one_shape_beside_the_engine_and_after_it(ran, status):
    beside = ran[3]
    assert set(beside) == set(status)
    assert beside["engine"]["running"] is True
    assert status["engine"]["running"] is False
    assert beside["as_of"] < status["as_of"]
    assert {node["name"]: set(node) for node in beside["nodes"]} == {
        node["name"]: set(node) for node in status["nodes"]
    }
    for key in SIMILAR:
        assert type(beside[key]) is type(status[key]), key
    assert Decimal(beside["total"]["earned_usd"]["settled"]) > 0


def test_history_beside_the_engine_is_the_beginning_of_history_after_it(ran):
    beside = {move["id"]: move for move in ran[4]["reallocations"]}
    after = {move["id"]: move for move in json.loads(orch(ran[0], "history", "--json"))["reallocations"]}
    assert beside
    assert set(beside) <= set(after)
    for identity, move in beside.items():
        if move["state"] == "settled":
            assert after[identity]["changes"] == move["changes"]
