"""The data directory: made, checked, locked, and what lies in it besides the database."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Self

import msgspec

from orch.errors import DataDirError
from orch.model.base import Value

ENGINE_FILE = "engine.json"
LOCK_FILE = "engine.lock"
TOKEN_FILE = "web.token"  # noqa: S105 - the name of a file
JOURNAL_FILE = "journal.jsonl"
PRICES_FILE = "prices.json"
TARIFF_FILE = "tariff.json"
ALERTS_FILE = "alerts.json"
DEAD_LETTERS_FILE = "dead_letters.jsonl"
DATABASE_FILE = "orch.duckdb"
WORLD_DIR = "world"


class EngineInfo(Value):
    """What a running engine says of itself in `engine.json`.

    `mark` tells the process from a later one with the same number.
    """

    pid: int
    url: str
    token_file: str
    kind: str
    started_at: datetime
    version: str
    mark: str = ""


def default_data_dir(kind: str, home: Path) -> Path:
    """Where data lies when nothing else is said; `kind` is `emulated` (the demonstration) or `real`."""
    return home / ".local" / "share" / ("orch-demo" if kind == "emulated" else "orch")


def prepare_data_dir(path: Path) -> Path:
    """Make the directory where it is missing and prove that files can be written in it.

    Returns:
        The absolute path.

    Raises:
        DataDirError: It cannot be made, is not a directory, or cannot be written to.
    """
    full = Path(os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111 - must not raise without a home
    try:
        full.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, probe = tempfile.mkstemp(prefix=".probe-", dir=full)
        os.close(handle)
        os.unlink(probe)  # noqa: PTH108 - mkstemp gives a string
    except FileExistsError as error:
        raise DataDirError(f"the data directory {full} is not a directory") from error
    except OSError as error:
        raise DataDirError(f"the data directory {full} cannot be written to: {error.strerror}") from error
    return full


def sync_directory(path: Path) -> None:
    """Make new, renamed and removed names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file whole and durably: a reader, or a crash, sees the old content or the new.

    Raises:
        OSError: It could not be written; the old content stands.
    """
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, mode)
            file.write(content)
            file.flush()
            os.fsync(handle)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    sync_directory(path.parent)


# -- the running engine ------------------------------------------------------------------------------------


def process_mark(pid: int) -> str | None:
    """What tells a living process from a later one with its number; None when there is none.

    Field 22 of `/proc/PID/stat` (its start, in ticks since boot) and the boot's own id: proc(5).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (OSError, ValueError):
        return None
    # The name in parentheses may hold blanks and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return f"{boot}/{fields[19]}"


def write_engine(data_dir: Path, info: EngineInfo) -> None:
    """Announce this process as the running engine; its mark is filled in.

    Raises:
        DataDirError: The file cannot be written.
    """
    marked = msgspec.structs.replace(info, mark=process_mark(info.pid) or "")
    try:
        atomic_write(data_dir / ENGINE_FILE, msgspec.json.format(msgspec.json.encode(marked), indent=2) + b"\n")
    except OSError as error:
        raise DataDirError(f"{data_dir / ENGINE_FILE} cannot be written: {error.strerror}") from error


def read_engine(data_dir: Path) -> EngineInfo | None:
    """The engine that runs on this directory; None when there is none, or only what a dead one left."""
    try:
        info = msgspec.json.decode((data_dir / ENGINE_FILE).read_bytes(), type=EngineInfo)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    mark = process_mark(info.pid)
    return info if mark is not None and info.mark in ("", mark) else None


def remove_engine(data_dir: Path) -> None:
    """Take the announcement back, unless it is another living engine's."""
    info = read_engine(data_dir)
    if info is None or info.pid == os.getpid():
        with contextlib.suppress(OSError):
            (data_dir / ENGINE_FILE).unlink()


# -- locks -------------------------------------------------------------------------------------------------


class HeldLock:
    """An exclusive lock, held until `release`, the end of the `with` block, or of the process."""

    def __init__(self, handle: int) -> None:
        self._handle: int | None = handle

    def release(self) -> None:
        """Give it back."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_data_dir(data_dir: Path) -> HeldLock:
    """Be the one engine of this directory.

    Raises:
        DataDirError: Another engine is; the sentence has its process number. Or the lock cannot be made.
    """
    return _lock(data_dir / LOCK_FILE, f"the data directory {data_dir}")


def lock_target(name: str, lock_dir: Path | None = None) -> HeldLock:
    """Be the one engine of this host that sets this lever's target.

    Args:
        name: What is set: a file, a unit, a container; the same words for the same thing.
        lock_dir: Shared by all engines of the host; `/run/lock`, or the directory for temporary files.

    Raises:
        DataDirError: Another engine sets it already; the sentence has its process number.
    """
    shared = lock_dir or Path("/run/lock")
    if lock_dir is None and not os.access(shared, os.W_OK):
        shared = Path(tempfile.gettempdir())
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return _lock(shared / f"orch-{digest}.lock", f"the lever target {name}")


def _lock(path: Path, what: str) -> HeldLock:
    try:
        handle = _open_lock(path)
    except OSError as error:
        raise DataDirError(f"{what} cannot be locked: {path}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        pid = os.pread(handle, 32, 0).strip().decode("ascii", "replace")
        os.close(handle)
        by = f" by process {pid}" if pid.isdigit() else ""
        raise DataDirError(f"{what} is in use{by}; stop that engine first") from error
    # Another user's file can be locked but not written to: then nobody is named.
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return HeldLock(handle)


def _open_lock(path: Path) -> int:
    # Opened before it is made: in a shared directory the kernel may refuse O_CREAT on another user's file.
    flags = os.O_CLOEXEC | os.O_NOFOLLOW
    for attempt in (flags | os.O_RDWR, flags | os.O_RDONLY):
        try:
            return os.open(path, attempt)
        except FileNotFoundError:
            return os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o644)
        except PermissionError:
            continue
    return os.open(path, flags | os.O_RDWR)


# -- the token ---------------------------------------------------------------------------------------------


def web_token(data_dir: Path) -> tuple[Path, str]:
    """The file with the token of the HTTP interface, made where missing, and the token; mode 0600.

    Raises:
        DataDirError: It can be neither read nor made.
    """
    path = data_dir / TOKEN_FILE
    try:
        with contextlib.suppress(FileNotFoundError, UnicodeDecodeError):
            token = path.read_text(encoding="ascii").strip()
            if len(token) >= 16:
                path.chmod(0o600)
                return path, token
        token = secrets.token_urlsafe(32)
        atomic_write(path, f"{token}\n".encode())
    except OSError as error:
        raise DataDirError(f"{path} cannot be used: {error.strerror}") from error
    return path, token
