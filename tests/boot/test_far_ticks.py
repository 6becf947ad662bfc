"""The whole house on the stage with polls minutes apart: every question gets its turn, and it moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from orch.boot.staged import staged_house
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.storj_file import allocated_gb
from orch.reallocation.story import stories
from tests.fakes.worlds import world_of

START = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize("poll_s", [300, 600])
def test_a_house_that_polls_seldom_finds_its_nodes_well_and_moves(tmp_path, poll_s):
    world = world_of(2, START)
    tables = {
        "orch": {"mode": "auto", "data_dir": str(tmp_path)},
        "cadence": {"poll_s": poll_s, "analyze_s": 600, "decide_s": 600},
        **demo_nodes(emulated_urls()),
    }
    house = staged_house(
        from_tables(tables, demo_environment(), tmp_path),
        tmp_path,
        lambda request, now, _: answer_request(world, request, now),
        start=START,
        seed=2,
        commit_every_s=3600,
        board_every_s=3600,
    )
    house.stage.run_until(START + timedelta(minutes=40))
    moves = [story.record.state for story in stories(house.journal.read()).values()]
    house.close()
    assert house.failures() == {}
    assert moves == ["settled"]
    # It was the nodes' own files that were edited, as on real nodes.
    assert allocated_gb(world.state.storj_config) == world.allocation("disk", world.time).storage_gb
    hardware = msgspec.json.decode(world.state.provider.files["hardware.json"])
    assert hardware["profiles"]["default"]["cpu_threads"] == world.allocation("compute", world.time).cpu_cores > 2
