"""What an engine cannot start on: one sentence, at once, and nothing is harmed or left behind."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import duckdb
import pytest

from orch.boot import demo_engine, real_engine
from orch.config.load import from_tables
from orch.errors import ConfigError, DataDirError, EngineError, OrchError, StoreError
from orch.store.database import look_into, open_for_writing
from orch.system.paths import lock_data_dir

NOW = datetime(2026, 11, 22, tzinfo=UTC)
HOLDER = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def demo(data_dir, port=0):
    return demo_engine(data_dir, seed=1, port=port)


def real(data_dir, port=0):
    """One node that nobody answers for: port 9 discards, and here nobody listens."""
    node = {"protocol": "storj", "url": "http://127.0.0.1:9"}
    tables = {"orch": {"data_dir": str(data_dir)}, "nodes": {"disk": node}}
    return real_engine(from_tables(tables, {}, data_dir), port=port)


def prints(place):
    """A digest of every file under a directory, but the lock's."""
    return {
        path.relative_to(place): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in place.rglob("*")
        if path.is_file() and path.name != "engine.lock"
    }


def refusal(engine, kind=OrchError):
    """The one sentence with which a start fails, in which case nothing goes on running."""
    with pytest.raises(kind) as caught:
        engine.start()
    engine.stop()
    sentence = str(caught.value)
    assert sentence
    assert "\n" not in sentence
    assert caught.value.exit_code == 1
    return sentence


def kept(data_dir, kind):
    """A directory with the database of an earlier run."""
    data_dir.mkdir(exist_ok=True)
    open_for_writing(data_dir / "orch.duckdb", kind, "here", NOW).close()
    return data_dir


def change_meta(data_dir, key, value):
    with closing(duckdb.connect(str(data_dir / "orch.duckdb"))) as database:
        database.execute("UPDATE meta SET value = ? WHERE key = ?", [value, key])


@contextmanager
def held_by_another(path):
    """Another process that has a database open."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline()
        yield holder
        holder.stdin.close()


@pytest.mark.parametrize("make", [demo, real])
def test_a_taken_port_is_told_before_anything_runs(make, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        began = time.monotonic()
        sentence = refusal(make(tmp_path / "data", port), EngineError)
        assert time.monotonic() - began < 3.0
    assert f"port {port}" in sentence
    assert "--port" in sentence
    left = {path.name for path in (tmp_path / "data").iterdir()}
    assert left <= {"engine.lock", "world"}


@pytest.mark.parametrize("make", [demo, real])
def test_a_directory_that_cannot_be_written_to_is_named(make, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert str(tmp_path / "file") in refusal(make(tmp_path / "file"), DataDirError)
    assert str(tmp_path / "file") in refusal(make(tmp_path / "file" / "below"), DataDirError)
    assert (tmp_path / "file").read_text() == "in the way"


@pytest.mark.parametrize("make", [demo, real])
def test_a_second_engine_is_refused_and_the_first_keeps_its_files(make, tmp_path):
    place = kept(tmp_path / "data", "real" if make is real else "emulated")
    before = prints(place)
    with lock_data_dir(place):
        assert f"process {os.getpid()}" in refusal(make(place), DataDirError)
    assert prints(place) == before


def test_a_directory_of_the_other_kind_is_refused_untouched(tmp_path):
    for make, kind in ((demo, "real"), (real, "emulated")):
        place = kept(tmp_path / kind, kind)
        before = prints(place)
        assert kind in refusal(make(place), DataDirError)
        assert prints(place) == before


@pytest.mark.parametrize(("make", "kind"), [(demo, "emulated"), (real, "real")])
def test_a_database_from_a_newer_version_is_refused_untouched(make, kind, tmp_path):
    place = kept(tmp_path / "data", kind)
    change_meta(place, "schema_version", "99")
    before = prints(place)
    assert "newer version" in refusal(make(place), StoreError)
    assert prints(place) == before


@pytest.mark.parametrize(("make", "kind"), [(demo, "emulated"), (real, "real")])
def test_what_is_no_database_of_ours_is_refused_untouched(make, kind, tmp_path):
    foreign, garbage = tmp_path / "foreign", tmp_path / "garbage"
    foreign.mkdir()
    garbage.mkdir()
    with closing(duckdb.connect(str(foreign / "orch.duckdb"))) as database:
        database.execute("CREATE TABLE mine (number INTEGER)")
    (garbage / "orch.duckdb").write_bytes(b"not a database at all" * 1000)
    for place in (foreign, garbage):
        before = prints(place)
        assert str(place / "orch.duckdb") in refusal(make(place), StoreError)
        assert prints(place) == before


def test_a_database_held_by_another_process_is_waited_for_and_then_named(tmp_path):
    place = kept(tmp_path / "data", "emulated")
    waited = []
    with held_by_another(place / "orch.duckdb") as holder:
        with pytest.raises(StoreError, match=f"process {holder.pid}"):
            look_into(place / "orch.duckdb", pause=waited.append)
        assert sum(waited) == pytest.approx(5.0)
    assert look_into(place / "orch.duckdb", pause=waited.append)["kind"] == "emulated"


def test_a_database_that_is_let_go_in_time_is_no_reason_not_to_start(tmp_path):
    path = kept(tmp_path / "data", "emulated") / "orch.duckdb"
    with held_by_another(path) as holder:

        def let_go(_):
            holder.stdin.close()
            holder.wait(5)

        assert look_into(path, pause=let_go)["host"] == "here"


@pytest.mark.slow
@pytest.mark.parametrize(("make", "kind"), [(demo, "emulated"), (real, "real")])
def test_an_engine_waits_five_seconds_for_a_held_database(make, kind, tmp_path):
    place = kept(tmp_path / "data", kind)
    before = prints(place)
    with held_by_another(place / "orch.duckdb") as holder:
        began = time.monotonic()
        assert f"process {holder.pid}" in refusal(make(place), StoreError)
        assert 4.5 < time.monotonic() - began < 8.0
    assert prints(place) == before


def test_a_refused_start_can_be_made_good_with_the_same_directory(tmp_path):
    place = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refusal(demo(place, taken.getsockname()[1]))
    engine = demo(place)
    engine.start()
    try:
        assert engine.await_board(0, 10.0)
    finally:
        engine.stop()
    assert not (place / "engine.json").exists()


def test_faults_of_a_configuration_keep_their_own_exit_code(tmp_path):
    with pytest.raises(ConfigError) as caught:
        from_tables({"nodes": {"disk": {"protocol": "storj", "url": "nowhere"}}, "wep": {}}, {}, tmp_path)
    assert caught.value.exit_code == 2
    assert len(caught.value.faults) == 2


def test_the_command_line_says_one_sentence_and_ends_with_1(tmp_path):
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "below"
    command = [sys.executable, "-m", "orch", "demo", "--for", "5s", "--data-dir", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"Error: the data directory {place} cannot be written to: Not a directory"]
