"""A real move in an emulated world, followed by its money: across a restart, from pending to paid."""

from datetime import timedelta

import duckdb
import pytest
from emulated_week import DATABASE, HOUR_S, START

from orch.boot.staged import staged_house
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.world import World
from orch.reallocation.story import stories
from orch.system.journal import MemoryJournal

SEED = 3


def house(world, data_dir, journal, start):
    tables = {
        "orch": {"mode": "auto", "data_dir": str(data_dir)},
        "cadence": {"poll_s": 300, "analyze_s": 600, "decide_s": 600},
        **demo_nodes(emulated_urls()),
    }
    return staged_house(
        from_tables(tables, demo_environment(), data_dir),
        data_dir,
        lambda request, now, _: answer_request(world, request, now),
        start=start,
        seed=SEED,
        commit_every_s=HOUR_S,
        board_every_s=HOUR_S,
        tidy_every_s=24 * HOUR_S,
        journal=journal,
    )


@pytest.mark.slow
def test_the_mended_split_is_seen_to_pay_and_a_restart_forgets_nothing(tmp_path):
    world, journal = World(SEED, START), MemoryJournal()
    before = house(world, tmp_path, journal, START)
    before.stage.run_until(START + timedelta(hours=6.2))
    before.close()
    (story,) = [each for each in stories(journal.read()).values() if each.record.state == "settled"]
    assert story.record.verdict == "pending"
    assert story.proof.looks == 1

    resumed = START + timedelta(hours=6.2)
    after = house(world, tmp_path, journal, resumed)
    after.stage.run_until(START + timedelta(hours=13.5))
    assert {**before.failures(), **after.failures()} == {}
    after.close()
    record = stories(journal.read())[story.record.id].record
    assert record.verdict == "paid"
    assert record.realised_gain_usd_per_hour.low > 0
    with duckdb.connect(str(tmp_path / DATABASE), read_only=True) as connection:
        rows = connection.execute("SELECT verdict FROM reallocations WHERE id = ?", [record.id]).fetchall()
    assert rows == [("paid",)]
    lines = [line for line in journal.read() if line.event == "judged" and line.reallocation_id == record.id]
    assert [line.proof.looks for line in lines] == sorted({line.proof.looks for line in lines})
