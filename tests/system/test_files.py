"""A file is replaced whole, as it was, or not at all."""

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orch.model.wire import FileWrite
from orch.system import files
from orch.system.exchange import Got, Missed
from orch.system.files import write_file


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a: 1\n")
    path.chmod(0o640)
    return path


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def written(path, body=b"a: 2\n", **limits):
    return write_file(FileWrite(path=str(path), body=body, **limits))


def test_owner_mode_and_neighbours_stay(config):
    before = config.stat()
    assert isinstance(written(config, expected=b"a: 1\n"), Got)
    after = config.stat()
    assert config.read_bytes() == b"a: 2\n"
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o640)
    assert names(config.parent) == ["config.yaml"]


def test_the_first_content_is_kept_once(config):
    written(config, b"a: 2\n", backup_suffix=".before")
    written(config, b"a: 3\n", backup_suffix=".before")
    backup = config.with_name("config.yaml.before")
    assert (config.read_bytes(), backup.read_bytes()) == (b"a: 3\n", b"a: 1\n")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    "limits", [{}, {"expected": b"a: 1\n"}, {"in_place": True}], ids=["new", "edit", "kernel"]
)
def test_a_file_of_somebody_else_is_left_to_them(limits):
    with TemporaryDirectory() as name:
        folder, config = Path(name), Path(name, "config.yaml")
        config.write_bytes(b"a: 1\n")
        folder.chmod(0o755)
        os.seteuid(65_534)
        try:
            found = written(config, **limits)
        finally:
            os.seteuid(0)
        assert isinstance(found, Missed)
        assert (found.reason, found.sentence) == ("permission", f"{config} may not be written by this user")
        assert (config.read_bytes(), names(folder)) == (b"a: 1\n", ["config.yaml"])


def test_an_edit_by_somebody_else_is_not_lost(config):
    found = written(config, expected=b"a: 0\n")
    assert isinstance(found, Missed)
    assert (found.reason, found.retryable) == ("conflict", True)
    assert config.read_bytes() == b"a: 1\n"


def test_an_edit_in_the_last_moment_is_not_lost(config, monkeypatch):
    real = files._create

    def create(path, body, like):
        real(path, body, like)
        config.write_bytes(b"a: 9\n")

    monkeypatch.setattr(files, "_create", create)
    found = written(config, expected=b"a: 1\n")
    assert isinstance(found, Missed)
    assert "changed by somebody else" in found.sentence
    assert config.read_bytes() == b"a: 9\n"
    assert names(config.parent) == ["config.yaml"]


def link(path):
    other = path.with_name("other")
    path.rename(other)
    path.symlink_to(other)


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("trap", [link, folder, pipe], ids=lambda each: each.__name__)
def test_a_trap_in_its_place_is_refused(config, trap):
    trap(config)
    before = names(config.parent)
    found = written(config)
    assert isinstance(found, Missed)
    assert (found.reason, found.retryable) == ("conflict", False)
    assert names(config.parent) == before


def test_one_that_is_gone_is_not_made(config):
    config.unlink()
    found = written(config)
    assert isinstance(found, Missed)
    assert found.reason == "missing_file"
    assert names(config.parent) == []


def test_a_full_disk_leaves_the_old_content(config, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    found = written(config)
    assert isinstance(found, Missed)
    assert found.sentence == f"{config} cannot be written (No space left on device)"
    assert config.read_bytes() == b"a: 1\n"
    assert names(config.parent) == ["config.yaml"]


def test_in_place_the_file_stays_the_same_one(config):
    before = config.stat().st_ino
    config.write_bytes(b"9\n")
    assert isinstance(written(config, b"7\n", in_place=True), Got)
    assert (config.stat().st_ino, config.read_bytes()) == (before, b"7\n")


def test_a_kernel_that_says_no_is_quoted():
    refused = Path("/proc/self/coredump_filter")
    found = written(refused, b"not a number\n", in_place=True)
    assert isinstance(found, Missed)
    assert found.sentence == f"{refused} cannot be written (Invalid argument)"
