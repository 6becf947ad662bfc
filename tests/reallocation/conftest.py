"""Plans, fleets and records to move with."""

import pytest

from tests.fakes import moving

MOVING = vars(moving)


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
