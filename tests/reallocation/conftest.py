"""Plans, fleets and records to move with."""

import pytest

from tests.fakes import moving


@pytest.fixture(scope="session")
def make_node():
    return moving.node


@pytest.fixture(scope="session")
def make_snapshot():
    return moving.snapshot


@pytest.fixture(scope="session")
def make_plan():
    return moving.plan


@pytest.fixture(scope="session")
def make_record():
    return moving.record
