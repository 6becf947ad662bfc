"""A damaged log: refused in one sentence, moved aside, its sound part kept, the mirror told again."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta

import pytest

from orch.errors import StoreError
from orch.model.moves import JournalRecord, Step
from orch.model.resources import Resources
from orch.store import queries
from orch.store.database import open_for_writing, open_read_only
from orch.store.repair import repair
from tests.fakes.damaged import PLACES, damage, damage_noticed

TICKS = 40


@pytest.fixture(scope="module")
def crash_site(tmp_path_factory, builders):
    """A data directory as a crash leaves it: ten ticks in the file, thirty in the log."""
    lively, left = tmp_path_factory.mktemp("lively"), tmp_path_factory.mktemp("left")
    writer = open_for_writing(lively / "orch.duckdb", "emulated", "here", builders.START)
    for number in range(1, TICKS + 1):
        when = builders.START + timedelta(seconds=5 * number)
        writer.add_tick(builders.snapshot(when), (builders.entry(f"e{number}"),), number)
        writer.commit()
        if number == 10:
            writer.connection.checkpoint()
    for file in lively.iterdir():
        if file.is_file():
            shutil.copy(file, left)
    writer.close()
    return left


@pytest.fixture
def crashed(tmp_path, crash_site):
    return shutil.copytree(crash_site, tmp_path / "left")


@pytest.fixture
def journal(make):
    moving = Step(index=0, node="disk", kind="grant", goal=Resources(cpu_cores=2.0), undo=Resources(cpu_cores=1.0))
    opened = make.reallocation(state="proposed")
    told = [
        ("opened", "proposed", None, {"record": opened, "steps": (moving,)}),
        ("state", "approved", None, {}),
        ("state", "preflight", None, {}),
        ("state", "applying", None, {}),
        ("step_trying", "applying", 0, {}),
        ("step_verified", "applying", 0, {"read_back": Resources(cpu_cores=2.0)}),
        ("state", "verifying", None, {}),
        ("closed", "settled", None, {}),
    ]
    return [
        JournalRecord(
            sequence=number,
            written_at=make.START + timedelta(seconds=number),
            reallocation_id="r1",
            event=event,
            state=state,
            step_index=step,
            **more,
        )
        for number, (event, state, step, more) in enumerate(told, 1)
    ]


def sequence(directory):
    with open_read_only(directory / "orch.duckdb") as connection:
        return queries.meta(connection).sequence


def test_a_torn_log_opens_without_its_last_commit(crashed, make):
    log = crashed / "orch.duckdb.wal"
    log.write_bytes(log.read_bytes()[:-37])
    writer = open_for_writing(crashed / "orch.duckdb", "emulated", "here", make.START)
    assert writer.sequence == TICKS - 1
    writer.close()


def test_a_damaged_log_is_refused_and_left_alone(crashed, make):
    log = damage_noticed(crashed / "orch.duckdb")
    before = log.read_bytes()
    with pytest.raises(StoreError, match="orch check --repair"):
        open_for_writing(crashed / "orch.duckdb", "emulated", "here", make.START)
    with pytest.raises(StoreError, match="orch check --repair"), open_read_only(crashed / "orch.duckdb"):
        pass
    assert log.read_bytes() == before


def test_repair_keeps_what_is_before_the_damage_and_says_what_is_lost(crashed, make, journal):
    before = damage_noticed(crashed / "orch.duckdb").read_bytes()
    report = repair(crashed, journal, make.START)
    assert report.damaged
    assert report.moved_to.endswith("orch.duckdb.wal.damaged-20260301T100000Z")
    assert (crashed / report.moved_to).read_bytes() == before
    assert report.kept_bytes + report.lost_bytes == len(before)
    kept = sequence(crashed)
    assert 10 < kept < TICKS
    assert report.lost_from == make.START + timedelta(seconds=5 * kept)
    assert report.lost_until > report.lost_from
    assert "are lost" in report.sentence
    writer = open_for_writing(crashed / "orch.duckdb", "emulated", "here", make.START)
    assert writer.connection.execute("SELECT count(*) FROM ledger").fetchall() == [(kept,)]
    writer.close()


@pytest.mark.parametrize("seed", range(4))
def test_wherever_the_damage_is_repair_ends_with_a_whole_prefix(crashed, make, seed):
    damage(crashed / "orch.duckdb", random.Random(seed).randrange(PLACES))
    report = repair(crashed, (), make.START)
    writer = open_for_writing(crashed / "orch.duckdb", "emulated", "here", make.START)
    query = "SELECT (SELECT count(*) FROM ledger), (SELECT count(*) FROM samples)"
    assert writer.connection.execute(query).fetchall() == [(writer.sequence, writer.sequence)]
    assert 10 <= writer.sequence <= TICKS
    assert (writer.sequence < TICKS) or not report.damaged
    writer.close()


def test_the_mirror_is_told_again_by_the_journal(crashed, make, journal):
    report = repair(crashed, journal, make.START)
    assert not report.damaged
    assert (report.reallocations, report.steps) == (1, 1)
    with open_read_only(crashed / "orch.duckdb") as connection:
        move = queries.reallocation(connection, "r1")
        (step,) = queries.reallocation_steps(connection, "r1")
    assert (move.state, move.changes[0].read_back) == ("settled", 2.0)
    assert move.ended_at == make.START + timedelta(seconds=8)
    assert (step.outcome, step.phase, step.read_back) == ("verified", "forward", Resources(cpu_cores=2.0))
    assert (step.started_at, step.ended_at) == (
        make.START + timedelta(seconds=5),
        make.START + timedelta(seconds=6),
    )


def test_what_the_tables_know_better_stays(crashed, make, journal):
    writer = open_for_writing(crashed / "orch.duckdb", "emulated", "here", make.START)
    writer.add_reallocation(make.reallocation(state="settled", verdict="paid"))
    writer.commit()
    writer.close()
    assert repair(crashed, journal, make.START).reallocations == 0
    with open_read_only(crashed / "orch.duckdb") as connection:
        assert queries.reallocation(connection, "r1").verdict == "paid"


def test_there_must_be_something_to_repair(tmp_path, make):
    with pytest.raises(StoreError, match="nothing to repair"):
        repair(tmp_path, (), make.START)
