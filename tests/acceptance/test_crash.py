"""Kill -9 of the whole process in the middle of moves: the next start goes on, and nothing is lost or doubled."""

from __future__ import annotations

import json
import random
import select
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from emulated_week import differences, read_books

from orch.earnings.ledger import Ledger
from orch.emulator.facts import HOST, NODES, POOR_SPLIT, RESERVE, as_dict
from orch.emulator.keeper import load_or_create
from orch.model.resources import RESOURCES
from orch.reallocation.story import stories
from orch.store import queries
from orch.store.books import earned_totals, restore_books
from orch.store.database import open_read_only
from orch.system.journal import FileJournal

SCRIPT = Path(__file__).with_name("doomed_engine.py")
PATIENCE_S = 60
DEADLY = ("before-line", "after-line", "before-lever", "after-lever", "moment")


class Doomed:
    """A process that recovers, reports and moves, until it is killed."""

    def __init__(self, data_dir, seed, *arguments, speed):
        command = [sys.executable, SCRIPT, data_dir, seed, speed, *arguments]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def report(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            pytest.fail(f"no report: {self.process.communicate()[1][-3000:]}")
        return json.loads(line)

    def await_death(self):
        _, complaints = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == -9, complaints[-3000:]


def read_journal(data_dir):
    return FileJournal(data_dir / "journal.jsonl").read()


def open_moves(records):
    return [story.record for story in stories(records).values() if not story.ended]


def split_by(records):
    """The split that the journal's ended moves must have led to."""
    split = {node: as_dict(POOR_SPLIT[node]) for node in NODES}
    for story in stories(records).values():
        if story.record.state == "settled":
            for change in story.record.changes:
                split[change.node][change.resource] = change.to_value
    return split


def newest_time(data_dir):
    """The newest time that anything durable speaks of."""
    with open_read_only(data_dir / "orch.duckdb") as connection:
        times = [queries.meta(connection).clock or datetime.min.replace(tzinfo=UTC)]
    times += [record.written_at for record in read_journal(data_dir)[-1:]]
    state = msgspec.json.decode((data_dir / "world" / "world.json").read_bytes())["state"]
    return max(*times, datetime.fromtimestamp(state["minute"] * 60, UTC))


def check_books(data_dir):
    """The database opens, every entry is there once, and the sum is that of the books read back from it."""
    with open_read_only(data_dir / "orch.duckdb") as connection:
        entries, different = connection.execute("SELECT count(*), count(DISTINCT entry_id) FROM ledger").fetchone()
        books = restore_books(connection, datetime.now(UTC))
        total = earned_totals(connection).total
    assert entries == different > 0
    assert Ledger("any", books).calculate_total_earnings() == total
    return total


def check_never_too_much(data_dir):
    """At no change of any limit was more given out than there is to give, whichever order the moves had."""
    state = msgspec.json.decode((data_dir / "world" / "world.json").read_bytes())["state"]
    assert state["over"] == []
    split = {node: as_dict(POOR_SPLIT[node]) for node in NODES}
    for second, node, resource, _, new in state["log"]:
        split[node][resource] = new
        for name in RESOURCES:
            given = sum(split[each][name] for each in NODES)
            assert given <= HOST.or_zero(name) - RESERVE.or_zero(name) + 0.1, (second, name, given)


def check_recovery(data_dir, report, interrupted):
    """Everything is closed, and the nodes have what the journal says."""
    records = read_journal(data_dir)[: report["lines"]]
    assert open_moves(records) == []
    told = stories(records)
    for move in interrupted:
        end = told[move.id].record
        untouched = move.state in {"proposed", "approved", "preflight"}
        allowed = {"refused"} if untouched else {"settled", "rolled_back"}
        assert end.state in allowed, end.sentence
    expected = split_by(records)
    for node in NODES:
        assert report["split"][node] == pytest.approx(expected[node], rel=0.005, abs=0.01), (node, told)


def run_and_kill(data_dir, kind, seed, speed):
    """One life; what it reported at its start, and the moves that its death interrupted."""
    chance = random.Random(f"{kind} {seed}")
    number = chance.randint(1, 40 if kind.endswith("line") else 12)
    arguments = () if kind == "moment" else (kind, number)
    with Doomed(data_dir, seed, *arguments, speed=speed) as doomed:
        report = doomed.report()
        if kind == "moment":
            time.sleep(chance.uniform(0.05, 2.5))
            doomed.process.kill()
        doomed.await_death()
    return report, open_moves(read_journal(data_dir))


def die_and_recover(data_dir, wanted, kinds, speed):
    """Lives in a row, until so many of them have ended in the middle of a move; what the last one left behind."""
    interrupted, before, amid = [], None, 0
    for seed, kind in enumerate(kinds):
        if amid == wanted:
            break
        report, left_open = run_and_kill(data_dir, kind, seed, speed)
        assert before is None or datetime.fromisoformat(report["started_at"]) >= before
        check_recovery(data_dir, report, interrupted)
        check_books(data_dir)
        check_never_too_much(data_dir)
        interrupted, before = left_open, newest_time(data_dir)
        assert len(interrupted) <= 1
        amid += len(interrupted)
    assert amid == wanted, "too few of the deaths came in the middle of a move"
    return interrupted, before


@pytest.mark.slow
def test_killed_in_the_middle_of_a_move_the_next_start_puts_an_end_to_it(tmp_path):
    interrupted, before = die_and_recover(tmp_path, 1, ["after-lever"], speed=240)
    with Doomed(tmp_path, 1, speed=240) as doomed:
        report = doomed.report()
    assert datetime.fromisoformat(report["started_at"]) >= before
    check_recovery(tmp_path, report, interrupted)
    check_books(tmp_path)
    check_never_too_much(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_killed_at_twenty_points_of_running_moves_every_book_stays_exact(tmp_path):
    interrupted, before = die_and_recover(tmp_path, 20, DEADLY * 6, speed=600)
    with Doomed(tmp_path, 99, "finish", speed=1200) as doomed:
        report = doomed.report()
        _, complaints = doomed.process.communicate(timeout=3 * PATIENCE_S)
        assert doomed.process.returncode == 0, complaints
    check_recovery(tmp_path, report, interrupted)
    check_never_too_much(tmp_path)
    check_books(tmp_path)
    records = read_journal(tmp_path)
    with open_read_only(tmp_path / "orch.duckdb") as connection:
        mirrored = dict(connection.execute("SELECT id, state FROM reallocations").fetchall())
    assert mirrored == {identity: story.record.state for identity, story in stories(records).items()}
    world = load_or_create(tmp_path / "world", None, before)
    assert differences(read_books(tmp_path / "orch.duckdb"), world) == []
