"""Opening: whose file it is, who holds it, and what is refused without being touched."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest

from orch.errors import StoreError
from orch.store import migrations
from orch.store.database import RETRIES, open_for_writing, open_read_only

HOLD = """
import sys, duckdb
held = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.readline()
"""


def let_go(holder):
    holder.stdin.close()
    holder.wait(timeout=20)
    holder.stdout.close()


@pytest.fixture
def held(path, make):
    """The database, held open by another process until it is told to let go."""
    open_for_writing(path, "real", "here", make.START).close()
    holders = []

    def hold(how):
        command = [sys.executable, "-c", HOLD, str(path), how]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "held\n"
        holders.append(holder)
        return holder

    yield hold
    for holder in holders:
        let_go(holder)


def test_data_of_the_other_kind_is_refused(path, make):
    open_for_writing(path, "emulated", "here", make.START).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"holds data of emulated nodes: real nodes need another --data-dir"):
        open_for_writing(path, "real", "here", make.START)
    assert path.read_bytes() == before


def test_data_of_a_newer_version_is_refused(path, make):
    writer = open_for_writing(path, "real", "here", make.START)
    writer.connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    writer.close()
    with pytest.raises(StoreError, match="newer version"):
        open_for_writing(path, "real", "here", make.START)
    with pytest.raises(StoreError, match="newer version"), open_read_only(path):
        pass


def test_data_of_an_older_version_is_only_read_after_a_start(path, make):
    writer = open_for_writing(path, "real", "here", make.START)
    writer.connection.execute("UPDATE meta SET value = '0' WHERE key = 'schema_version'")
    writer.close()
    with pytest.raises(StoreError, match="older version"), open_read_only(path):
        pass


def test_a_database_of_another_program_is_left_alone(path, make):
    foreign = duckdb.connect(str(path))
    foreign.execute("CREATE TABLE theirs (a INTEGER)")
    foreign.close()
    with pytest.raises(StoreError, match="another program"):
        open_for_writing(path, "real", "here", make.START)


def test_a_file_that_is_no_database_is_left_alone(path, make):
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="cannot be used"):
        open_for_writing(path, "real", "here", make.START)
    assert path.read_bytes().startswith(b"not a database")


def test_reading_before_the_first_run_says_so(path):
    with pytest.raises(StoreError, match="no data"), open_read_only(path):
        pass


@pytest.mark.parametrize("how", ["write", "read"])
def test_a_file_held_by_another_process_is_refused_after_five_seconds(path, make, held, how):
    holder, waited = held(how), []
    with pytest.raises(StoreError, match=rf"in use by process {holder.pid}"):
        open_for_writing(path, "real", "here", make.START, pause=waited.append)
    assert sum(waited) == pytest.approx(5.0)
    assert len(waited) == RETRIES


def test_a_file_that_is_let_go_in_time_is_opened(path, make, held):
    holder, waited = held("write"), []

    def pause(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            let_go(holder)

    writer = open_for_writing(path, "real", "here", make.START, pause=pause)
    assert len(waited) == 3
    writer.close()


def test_a_reader_says_who_holds_the_file(path, held):
    holder = held("write")
    with pytest.raises(StoreError, match=rf"in use by process {holder.pid}"), open_read_only(path):
        pass


def test_a_reader_beside_the_writer_of_its_own_process_is_told_so(path, writer):
    with pytest.raises(StoreError, match="already open in this process"), open_read_only(path):
        pass


def test_each_older_version_is_brought_up_step_by_step():
    connection = duckdb.connect()
    connection.execute("CREATE TABLE meta (key VARCHAR PRIMARY KEY, value VARCHAR)")
    connection.execute("INSERT INTO meta VALUES ('schema_version', '1')")
    steps = {1: "CREATE TABLE two (a INTEGER)", 2: "ALTER TABLE two ADD COLUMN b INTEGER"}
    migrations.migrate(connection, 1, steps, 3)
    assert connection.execute("SELECT value FROM meta").fetchall() == [("3",)]
    assert [row[0] for row in connection.execute("DESCRIBE two").fetchall()] == ["a", "b"]
    connection.close()


def test_there_is_a_step_from_every_older_version():
    assert set(migrations.STEPS) == set(range(1, migrations.SCHEMA_VERSION))


COLUMNS = {
    "samples": """taken_at host node health usd_low usd_mean usd_high evidence cpu_used memory_used
        bandwidth_used storage_used cpu_allocated memory_allocated bandwidth_allocated storage_allocated""",
    "prices": "taken_at token usd source state",
    "board": "taken_at body",
    "meta": "key value",
    "ledger": """entry_id booked_at period_start period_end host node protocol stream kind amount unit usd_price
        usd_price_source usd_price_at usd evidence reference emulated""",
}


def test_the_tables_have_exactly_the_columns_others_rely_on(writer):
    described = {
        table: [row[0] for row in writer.connection.execute(f"DESCRIBE {table}").fetchall()] for table in COLUMNS
    }
    assert described == {table: columns.split() for table, columns in COLUMNS.items()}
