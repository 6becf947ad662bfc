"""Kill -9 in the middle of moves over real lever code on files: old or new at the end, and never too much."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FAULTS = {"ignore", "refuse", "late", "half", "hang", "stale", "disk full"}
BACKWARDS = """
import sys
import orch.reallocation.orders as orders
from bench import hands_crash
from orch.reallocation.steps import order_steps
from msgspec.structs import replace

def grants_first(present, goal):
    steps = sorted(order_steps(present, goal), key=lambda step: step.kind)
    return tuple(replace(step, index=index) for index, step in enumerate(steps))

orders.order_steps = grants_first
sys.argv = ["hands_crash", "--rounds", "8"]
hands_crash.main()
"""


def played(*words):
    ended = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=290
    )
    assert ended.stdout, ended.stderr[-3000:]
    return json.loads(ended.stdout)


@pytest.mark.timeout(300)
def test_killed_a_hundred_times_every_lever_is_at_the_old_or_the_new_plan():
    found = played("-m", "bench.hands_crash", "--rounds", "100")
    assert found["failures"] == []
    assert found["rounds"] == 100
    assert found["amid_a_move"] >= 100
    assert found["amid"].keys() >= {"preflight", "applying", "rolling_back"}
    assert found["ends"].keys() == {"settled", "rolled_back", "refused"}
    assert {fault for fault, times in found["faults"].items() if times} == FAULTS
    assert found["repaired"] > 0
    assert found["log_lines"] > 20 * found["rounds"]


def test_grants_before_releases_would_be_seen_in_the_log_of_the_levers():
    found = played("-c", BACKWARDS)
    assert any("more was given out than there is" in failure["what"] for failure in found["failures"])
