"""What one more unit is worth, held against what it truly brings in an emulated world."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from emulated_week import START, week_house

from orch.emulator.facts import NODES, POOR_SPLIT
from orch.emulator.world import World
from orch.model.board import Dashboard
from orch.model.resources import RESOURCES, Resources, plus, resources

SEED, HOURS, HORIZON_H = 6, 26, 24.0
UNITS = {"cpu_cores": 1.0, "memory_gb": 1.0, "bandwidth_mbps": 1.0, "storage_gb": 1.0}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A world that nobody changes, and the board after a day."""
    world = World(SEED, START)
    house = week_house(world, tmp_path_factory.mktemp("house"), mode="observe")
    house.stage.run_until(START + timedelta(hours=HOURS))
    world.advance(START + timedelta(hours=HOURS))
    board = msgspec.json.decode(house.board.body(), type=Dashboard)
    house.close()
    return world, {view.name: view for view in board.nodes}


def truly(world, node, name):
    """USD per hour that one more unit of a resource truly brings within the horizon."""
    more = plus(POOR_SPLIT[node], resources({each: UNITS[each] if each == name else 0.0 for each in RESOURCES}))
    with_more = world.true_rate(node, {node: more}, HORIZON_H)
    return with_more - world.true_rate(node, {node: POOR_SPLIT[node]}, HORIZON_H)


def test_one_more_core_for_saturated_work_is_worth_about_what_it_brings(watched):
    world, views = watched
    brings = truly(world, "compute", "cpu_cores")
    assert brings > 0
    assert 0.5 * brings <= views["compute"].worth.cpu_cores <= 1.6 * brings


def test_one_more_gigabyte_on_a_full_disk_is_worth_about_what_fills_it(watched):
    world, views = watched
    brings = truly(world, "disk", "storage_gb")
    assert brings > 0
    assert 0.6 * brings <= views["disk"].worth.storage_gb <= 1.6 * brings


@pytest.mark.parametrize("name", RESOURCES)
def test_more_of_anything_brings_a_stake_nothing_and_that_is_shown(watched, name):
    world, views = watched
    assert truly(world, "relay", name) == pytest.approx(0.0)
    assert views["relay"].worth.get(name) == 0.0


def test_what_a_node_of_unknown_income_would_make_of_more_is_unknown(watched):
    _, views = watched
    assert views["address"].worth == Resources()
    assert set(views) == set(NODES)
