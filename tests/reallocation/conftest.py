"""Plans, fleets and records to move with."""

import runpy
from pathlib import Path

import pytest

MOVING = runpy.run_path(str(Path(__file__).parents[1] / "fakes" / "moving.py"))


@pytest.fixture(scope="session")
def make_node():
    return MOVING["node"]


@pytest.fixture(scope="session")
def make_snapshot():
    return MOVING["snapshot"]


@pytest.fixture(scope="session")
def make_plan():
    return MOVING["plan"]


@pytest.fixture(scope="session")
def make_record():
    return MOVING["record"]
