import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest

from orch.errors import DataDirError
from orch.system import paths
from orch.system.paths import EngineInfo

HOLD = """
import sys
from pathlib import Path
from orch.system import paths
lock = {call}
print("held", flush=True)
sys.stdin.read()
"""


def info(pid=None):
    return EngineInfo(
        pid=os.getpid() if pid is None else pid,
        url="http://127.0.0.1:8787",
        token_file="/somewhere/web.token",
        kind="real",
        started_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
        version="0.1.0",
    )


@pytest.fixture
def hold():
    """Start a second process that holds a lock; returns it once it does."""
    started = []

    def start(call):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(call=call)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_default_directories(tmp_path):
    assert paths.default_data_dir("real", tmp_path) == tmp_path / ".local/share/orch"
    assert paths.default_data_dir("emulated", tmp_path) == tmp_path / ".local/share/orch-demo"


def test_a_directory_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    made = paths.prepare_data_dir(Path("~/a/b"))
    assert made == tmp_path / "a/b"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert paths.prepare_data_dir(made) == made
    assert list(made.iterdir()) == []


def test_a_file_in_its_place(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataDirError, match=r"file is not a directory$"):
        paths.prepare_data_dir(tmp_path / "file")
    with pytest.raises(DataDirError, match="cannot be written to: Not a directory"):
        paths.prepare_data_dir(tmp_path / "file/below")


def test_not_writable(tmp_path):
    with (
        patch("tempfile.mkstemp", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(DataDirError, match="cannot be written to: Permission denied"),
    ):
        paths.prepare_data_dir(tmp_path)


def test_atomic_write(tmp_path):
    target = tmp_path / "file"
    paths.atomic_write(target, b"one")
    paths.atomic_write(target, b"two", mode=0o640)
    assert target.read_bytes() == b"two"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    with patch("os.fsync", side_effect=OSError(5, "Input/output error")), pytest.raises(OSError, match="Input"):
        paths.atomic_write(target, b"three")
    assert target.read_bytes() == b"two"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_engine_announces_itself(tmp_path):
    assert paths.read_engine(tmp_path) is None
    paths.write_engine(tmp_path, info())
    found = paths.read_engine(tmp_path)
    assert msgspec.structs.replace(found, mark="") == info()
    raw = msgspec.json.decode((tmp_path / "engine.json").read_bytes())
    assert {"pid", "url", "token_file", "kind", "started_at", "version"} <= raw.keys()
    assert raw["started_at"] == "2026-11-22T10:00:00Z"
    paths.remove_engine(tmp_path)
    assert list(tmp_path.iterdir()) == []
    paths.remove_engine(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"pid": "x"}'])
def test_a_broken_announcement_is_none(tmp_path, content):
    (tmp_path / "engine.json").write_bytes(content)
    assert paths.read_engine(tmp_path) is None


def test_a_dead_engine_is_none(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    paths.write_engine(tmp_path, info(process.pid))
    assert paths.read_engine(tmp_path).pid == process.pid
    paths.remove_engine(tmp_path)
    assert (tmp_path / "engine.json").exists(), "another living engine's announcement stays"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert paths.read_engine(tmp_path) is None, "a zombie is dead"
    process.communicate()
    assert paths.read_engine(tmp_path) is None
    paths.remove_engine(tmp_path)
    assert not (tmp_path / "engine.json").exists()


def test_a_later_process_with_the_same_number_is_not_the_engine(tmp_path):
    content = msgspec.json.encode(msgspec.structs.replace(info(), mark="another boot/123"))
    (tmp_path / "engine.json").write_bytes(content)
    assert paths.read_engine(tmp_path) is None


def test_one_engine_per_directory(tmp_path, hold):
    other = hold(f"paths.lock_data_dir(Path({str(tmp_path)!r}))")
    with pytest.raises(DataDirError) as refused:
        paths.lock_data_dir(tmp_path)
    assert str(refused.value) == (
        f"the data directory {tmp_path} is in use by process {other.pid}; stop that engine first"
    )
    other.kill()
    other.wait()
    with paths.lock_data_dir(tmp_path):
        assert (tmp_path / "engine.lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_can_be_given_back(tmp_path):
    lock = paths.lock_data_dir(tmp_path)
    with pytest.raises(DataDirError):
        paths.lock_data_dir(tmp_path)
    lock.release()
    lock.release()
    paths.lock_data_dir(tmp_path).release()


def test_one_engine_per_lever_target(tmp_path, hold):
    other = hold(f"paths.lock_target('unit storagenode', Path({str(tmp_path)!r}))")
    with pytest.raises(DataDirError, match=f"the lever target unit storagenode is in use by process {other.pid}"):
        paths.lock_target("unit storagenode", tmp_path)
    paths.lock_target("unit other", tmp_path).release()


def test_a_lock_that_cannot_be_made(tmp_path):
    with pytest.raises(DataDirError, match="cannot be locked"):
        paths.lock_data_dir(tmp_path / "missing")
    (tmp_path / "engine.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataDirError, match="cannot be locked"):
        paths.lock_data_dir(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_the_token(tmp_path):
    file, token = paths.web_token(tmp_path)
    assert file == tmp_path / "web.token"
    assert len(token) >= 40
    file.chmod(0o644)
    assert paths.web_token(tmp_path) == (file, token)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_text("")
    assert paths.web_token(tmp_path)[1] not in ("", token)


def test_a_token_that_cannot_be_kept(tmp_path):
    (tmp_path / "web.token").mkdir()
    with pytest.raises(DataDirError, match=r"web\.token cannot be used"):
        paths.web_token(tmp_path)
