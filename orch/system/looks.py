"""Looks at this host: the room on a disk, a device, the processes of a few programs. Reading only."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from orch.system.exchange import Got, Missed

if TYPE_CHECKING:
    import psutil

ACL = "system.posix_acl_access"


class LookQuestion(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be looked at. `path` lies on the disk, `device` is what the `programs` need to open."""

    path: str | None = None
    device: str | None = None
    programs: tuple[str, ...] = ()


def look(body: bytes) -> Got | Missed:
    """The answer has `disk` (bytes `total` and `free`; null without such a path), `device` and `processes`.

    Raises:
        msgspec.MsgspecError: The question is of another shape.
    """
    wanted = msgspec.json.decode(body, type=LookQuestion)
    found = {
        "disk": _disk(wanted.path),
        "device": None if wanted.device is None else {"exists": _exists(wanted.device)},
        "processes": _processes(wanted) if wanted.programs else [],
    }
    return Got(status=200, headers=(), body=msgspec.json.encode(found))


def _disk(path: str | None) -> dict[str, int] | None:
    """What an ordinary user may still write, as `statvfs` says."""
    if path is None:
        return None
    try:
        room = shutil.disk_usage(os.path.expanduser(path))  # noqa: PTH111 - Path.expanduser raises where there is no home
    except (OSError, ValueError):
        return None
    return {"total": room.total, "free": room.free}


def _exists(device: str) -> bool:
    return Path(device).exists()


def _processes(wanted: LookQuestion) -> list[dict[str, Any]]:
    """Each process with its open files, how many it may open, and whether it may open the device.

    None is what this user may not know.
    """
    import psutil

    found = []
    names = {each[:15] for each in wanted.programs} | set(wanted.programs)
    for process in psutil.process_iter(["pid", "name"]):
        if process.info["name"] not in names:
            continue
        try:
            owner = process.uids().effective
        except psutil.Error:
            continue
        found.append(
            {
                "name": process.info["name"],
                "pid": process.info["pid"],
                "open_files": _open_files(process),
                "may_open": _limit(process.pid),
                "device": None if wanted.device is None else _may_open(wanted.device, owner, process.pid),
            }
        )
    return found


def _open_files(process: psutil.Process) -> int | None:
    import psutil

    try:
        return process.num_fds()
    except psutil.Error:
        return None


def _limit(pid: int) -> int | None:
    """The soft limit on open files, which anybody may read; None where there is none."""
    for line in _lines(pid, "limits"):
        if line.startswith("Max open files"):
            soft = line.removeprefix("Max open files").split()[0]
            return int(soft) if soft.isdigit() else None
    return None


def _may_open(device: str, owner: int, pid: int) -> bool | None:
    """Whether a process may read and write a device; None where that does not follow from its mode."""
    if owner == os.geteuid():
        return os.access(device, os.R_OK | os.W_OK, effective_ids=True)
    if owner == 0:
        return True
    try:
        status = os.stat(device)  # noqa: PTH116 - an address, as with the calls around it
    except OSError:
        return False
    if _has_acl(device):
        return None
    if status.st_uid == owner:
        return status.st_mode & 0o600 == 0o600
    if status.st_gid in _groups(pid):
        return status.st_mode & 0o060 == 0o060
    return status.st_mode & (stat.S_IROTH | stat.S_IWOTH) == stat.S_IROTH | stat.S_IWOTH


def _has_acl(device: str) -> bool:
    try:
        return bool(os.getxattr(device, ACL))
    except OSError:
        return False


def _groups(pid: int) -> set[int]:
    lines = _lines(pid, "status")
    return {int(each) for line in lines if line.startswith(("Gid:", "Groups:")) for each in line.split()[1:]}


def _lines(pid: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
