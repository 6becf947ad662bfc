"""`orch backtest` and `orch replay` as they are called."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from orch.cli import main

ROWS = "".join(f"2026-01-{1 + place // 24:02}T{place % 24:02}:00Z,1,2\n" for place in range(72))


@pytest.fixture
def rates(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text(f"time,a,b\n{ROWS}")
    return str(path)


def call(*words):
    return CliRunner().invoke(main, list(words), env={"COLUMNS": "80"})


def test_it_prints_every_strategy_and_baseline(rates):
    done = call("backtest", rates, "--strategy", "threshold", "--strategy", "any_of:keep+periodic")
    assert done.exit_code == 0, done.output
    for name in ("threshold", "any_of:", "keep", "best fixed: b", "ema60_3pct", "perfect foresight"):
        assert f"\n{name}" in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert "…" not in done.output


def test_json_is_one_document_and_options_are_used(rates):
    words = ("--strategy", "threshold", "--solver", "greedy", "--solver", "exact", "--json")
    done = call("backtest", rates, *words, "--start", "a", "--set", "threshold.margin_pct=150")
    found = json.loads(done.output)
    outcomes = {each["name"]: each for each in found["outcomes"]}
    assert {"threshold / greedy", "threshold / exact"} <= set(outcomes)
    assert outcomes["threshold / greedy"]["moves"] == 0
    assert found["start"] == {"a": 1.0, "b": 0.0}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--strategy", "guess"), "there is no strategy 'guess'"),
        (("--solver", "guess"), "There is no solver 'guess'"),
        (("--set", "threshold.margin=1"), "margin"),
        (("--start", "c"), "there are a, b"),
        (("--chart", "x.gif"), ".html or .png"),
        (("--carry", "c=1h"), "no series 'c'"),
        (("--zone", "c=UTC"), "no file is called so"),
        (("--since", "2030-01-01"), "not two steps"),
    ],
)
def test_what_cannot_be_is_refused_with_exit_2(rates, words, said):
    done = call("backtest", rates, *words)
    assert done.exit_code == 2
    assert said in done.output


def test_a_replay_without_data_says_so(tmp_path):
    done = call("replay", "--data-dir", str(tmp_path))
    assert done.exit_code == 1
    assert "There is no data" in done.output
