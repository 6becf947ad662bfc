"""Looks at this host: what is told of a disk, a device and processes, and what is not."""

from __future__ import annotations

import json
import os

import psutil
import pytest

from orch.model.wire import FileRead, ToolCall
from orch.system import looks
from orch.system.local import do_here

ME = psutil.Process().name()


def look(**wanted):
    return json.loads(do_here(ToolCall(tool="host", action="look", body=json.dumps(wanted).encode()), bool).body)


def test_the_room_of_a_disk_and_nothing_where_there_is_none(tmp_path):
    disk = look(path=str(tmp_path))["disk"]
    assert 0 <= disk["free"] <= disk["total"]
    assert look(path=str(tmp_path / "gone"))["disk"] is None
    assert look()["disk"] is None


def test_this_very_process_with_its_files_and_its_limit():
    mine = [each for each in look(programs=[ME])["processes"] if each["pid"] == os.getpid()]
    (found,) = mine
    assert found["open_files"] > 0
    assert found["may_open"] == psutil.Process().rlimit(psutil.RLIMIT_NOFILE)[0]
    assert found["device"] is None


def test_a_device_that_is_there_and_one_that_is_not():
    there = look(device="/dev/null", programs=[ME])
    assert there["device"] == {"exists": True}
    assert {each["device"] for each in there["processes"] if each["pid"] == os.getpid()} == {True}
    gone = look(device="/dev/none", programs=[ME])
    assert gone["device"] == {"exists": False}
    assert {each["device"] for each in gone["processes"] if each["pid"] == os.getpid()} == {False}


@pytest.mark.parametrize(
    ("mode", "groups", "may"),
    [(0o660, {7}, True), (0o660, {8}, False), (0o666, set(), True), (0o600, {7}, False), (0o640, {7}, False)],
)
def test_another_users_process_is_judged_by_mode_and_groups(monkeypatch, mode, groups, may):
    class Status:
        st_uid, st_gid, st_mode = 99, 7, mode

    monkeypatch.setattr(looks.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(looks.os, "stat", lambda _: Status)
    monkeypatch.setattr(looks, "_has_acl", lambda _: False)
    monkeypatch.setattr(looks, "_groups", lambda _: groups)
    assert looks._may_open("/dev/kvm", 1001, 5) is may
    assert looks._may_open("/dev/kvm", 0, 5) is True
    monkeypatch.setattr(looks, "_has_acl", lambda _: True)
    assert looks._may_open("/dev/kvm", 1001, 5) is None


def test_an_order_of_another_shape_is_refused():
    refused = do_here(ToolCall(tool="host", action="look", body=b'{"delete": "/"}'), bool)
    assert (refused.reason, refused.retryable) == ("failed", False)


def test_the_end_of_a_long_file(tmp_path):
    (tmp_path / "node.log").write_bytes(b"old " * 100_000 + b"new")
    found = do_here(FileRead(path=str(tmp_path / "node.log"), max_bytes=7, tail=True), bool)
    assert found.body == b"old new"
    assert do_here(FileRead(path=str(tmp_path / "node.log"), max_bytes=7), bool).reason == "too_large"
