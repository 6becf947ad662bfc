"""The benches run, and say what they measured beside what is aimed at."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def run(*words, given=None):
    ended = subprocess.run(
        [sys.executable, *words], cwd=ROOT, input=given, capture_output=True, text=True, check=True, timeout=100
    )
    return ended.stdout


def measured(bench):
    """What a quick run found, and the tables it would have printed."""
    document = run("-m", "bench", bench, "--quick", "--json")
    show = f"import json, sys; from bench import {bench}; {bench}.show(json.load(sys.stdin))"
    return json.loads(document), run("-c", show, given=document)


def test_the_engine_is_measured_in_all_its_parts():
    found, printed = measured("engine")
    assert found["met"].keys() == found["aims"].keys()
    assert found["ticks"]["ticks"] == 12
    assert found["ticks"]["threads"] > found["ticks"]["nodes"]
    assert min(found["stage"].values()) > 0
    assert found["cost"]["rows"] == 4 * 17_280
    assert 0 < found["cost"]["idle"]["pss_mb"] <= found["cost"]["peak"]["rss_mb"]
    exported = {each["question"]: each["mb"] for each in found["cost"]["questions"]}
    assert exported["export samples csv"] > 10
    assert len(found["load"]) == 4
    assert printed.count("aim") >= len(found["aims"])


def test_the_store_is_measured_beside_executemany():
    found, printed = measured("store")
    assert found["met"].keys() == found["aims"].keys()
    assert {"store", "executemany"} <= found["commit"].keys() & found["bulk"].keys() & found["roll_up"].keys()
    assert found["bulk"]["store"]["rows_per_s"] > found["bulk"]["executemany"]["rows_per_s"]
    assert printed.count("aim") >= len(found["aims"])


def test_the_truth_of_the_figures_is_measured():
    found, printed = measured("truth")
    assert found["met"].keys() == found["aims"].keys()
    assert found["booking"]["streams"] == 1000
    assert found["booking"]["median_ms"] > 0
    assert {each["many"]["mb"] > each["few"]["mb"] for each in found["export"]["formats"].values()} == {True}
    assert found["requests"][-1]["times_fewer"] > 5
    rows = {row["protocol"]: row for row in found["calibration"]["rows"]}
    assert rows["grass"]["shown_unknown"] == 0
    assert rows["all"]["known"] == 3 * found["calibration"]["hours"]
    assert printed.count("aim") >= 4


def test_the_http_interface_is_measured_while_the_engine_polls():
    found, printed = measured("web")
    assert found["met"].keys() == found["aims"].keys()
    few, many = found["histories"]
    assert few["history"]["rows"] < many["history"]["rows"]
    for row in found["histories"]:
        assert min(each["count"] for each in row["answers"].values()) > 0
        assert row["answers"]["board, 1 connection"]["bytes"] > 1000
        assert row["stream"]["count"] > 0
        assert min(each["count"] for each in row["ticks"].values()) > 0
    assert printed.count("aim") >= 1


def test_solvers_are_measured_against_the_proven_optimum():
    found, printed = measured("solvers")
    assert found["met"].keys() == found["aims"].keys()
    assert {table["family"] for table in found["tables"]} >= {"bundle", "nonconvex", "seed4"}
    rows = [row for table in found["tables"] if table["family"] == "nonconvex" for row in table["rows"]]
    assert {row["solver"] for row in rows} >= {"annealing", "exact", "genetic", "greedy", "linear"}
    assert all(0.0 <= row["gap_pct"]["lowest"] <= row["gap_pct"]["median"] for row in rows)
    assert printed.count("aim") >= len(found["aims"])


def test_everything_aimed_at_of_the_solvers_comes_from_one_command():
    document = run("-m", "bench", "solvers", "--quick", "--aims", "--json")
    found = json.loads(document)
    words = " ".join(found["aims"])
    wanted = (
        "concave",
        "bundle",
        "non-convex",
        "genetic",
        "annealing",
        "conic",
        "default",
        "replay",
        "whole house",
    )
    assert all(each in words for each in wanted)
    show = "import json, sys; from bench import solvers; solvers.show(json.load(sys.stdin))"
    printed = run("-c", show, given=document)
    assert printed.count(">=") + printed.count("<=") >= len(found["figures"])
    exact = [row for row in found["figures"] if "worth apart" in row["aim"]]
    assert all(row["met"] for row in exact)
    missed = [row for row in found["figures"] if not row["met"]]
    assert all("why" in row for row in missed)
    assert all(" ".join(row["why"].split()) in " ".join(printed.split()) for row in missed)
    (same,) = [row for row in found["figures"] if "the same to the last field" in row["aim"]]
    assert same["met"]


def test_fleets_are_measured_beside_highs():
    found = json.loads(run("-m", "bench", "solvers", "--family", "concave,bundle", "--size", "200", "--json"))
    assert [table["family"] for table in found["fleets"]] == ["concave", "bundle"]
    for table in found["fleets"]:
        ours = [row for row in table["rows"] if row["solver"].startswith("batch")]
        assert all(row["gap_pct"] < 1e-7 and row["missed"] < 1e-9 and row["unproven"] < 1e-9 for row in ours)
