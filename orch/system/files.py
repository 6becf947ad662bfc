"""Replacing one local file so that a crash, a rival or a trap in its place loses nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from orch.system.exchange import Got, Missed

if TYPE_CHECKING:
    from orch.model.wire import FileWrite

LARGEST_BYTES = 16_000_000


def write_file(order: FileWrite) -> Got | Missed:
    """Give a file that exists a new content; never raises.

    A symbolic link, anything but a regular file, and a file that holds something else than `expected` are
    refused and left as they are. An ordinary file is replaced whole by one of the same owner and mode;
    written and renamed in its own directory, both synced (POSIX `rename`).
    """
    path = Path(os.path.expanduser(order.path))  # noqa: PTH111 - Path.expanduser raises where there is no home
    try:
        status = path.lstat()
        refusal = _refusal(path, status, order)
        if refusal is not None:
            return refusal
        if order.in_place:
            _overwrite(path, order.body)
        else:
            _replace(path, status, order)
    except FileNotFoundError:
        return Missed(reason="missing_file", sentence=f"{path} does not exist", retryable=True)
    except PermissionError:
        return Missed(reason="permission", sentence=f"{path} may not be written by this user", retryable=True)
    except (OSError, ValueError) as error:
        return Missed(reason="failed", sentence=f"{path} cannot be written ({_why(error)})", retryable=True)
    return Got(status=200, headers=(), body=b"")


def _refusal(path: Path, status: os.stat_result, order: FileWrite) -> Missed | None:
    if stat.S_ISLNK(status.st_mode):
        return Missed(
            reason="conflict",
            sentence=f"{path} is a symbolic link: configure the file it leads to",
            retryable=False,
        )
    if not stat.S_ISREG(status.st_mode):
        return Missed(reason="conflict", sentence=f"{path} is not a regular file", retryable=False)
    if order.expected is not None and _content(path) != order.expected:
        return Missed(reason="conflict", sentence=f"{path} was changed by somebody else meanwhile", retryable=True)
    return None


def _content(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        return file.read(LARGEST_BYTES)


def _overwrite(path: Path, body: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Files of the kernel take a value by one write or not at all.
        if os.write(handle, body) != len(body):
            raise OSError(errno.EIO, "only a part was taken")
    finally:
        os.close(handle)


def _replace(path: Path, status: os.stat_result, order: FileWrite) -> None:
    if order.backup_suffix:
        backup = path.with_name(path.name + order.backup_suffix)
        if not backup.exists():
            _create(backup, _content(path), status)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.orch")
    try:
        _create(fresh, order.body, status)
        _check_unchanged(path, order)
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_unchanged(path: Path, order: FileWrite) -> None:
    """The last look before the switch: the window in which another's edit could be lost is one rename."""
    if order.expected is not None and _content(path) != order.expected:
        raise OSError(errno.EBUSY, "it was changed by somebody else meanwhile")


def _create(path: Path, body: bytes, like: os.stat_result) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(handle, like.st_uid, like.st_gid)
        os.fchmod(handle, stat.S_IMODE(like.st_mode))
        os.fsync(handle)


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno) if error.errno != errno.EBUSY else str(error.strerror)
    return str(error)
