"""The sagas' memory on disk: one JSON line per record, durable before `append` returns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from orch.errors import JournalError
from orch.model.moves import JournalRecord
from orch.system.paths import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(JournalRecord)
TAIL_BYTES = 65_536


class FileJournal:
    """The `Journal` port over `journal.jsonl`: append, fdatasync, return.

    A last line without its line end was torn by a crash and was never acknowledged: reading leaves it out,
    the next append cuts it off. The file is made with mode 0600 and used by one engine at a time.

    Args:
        path: The file; made at the first append.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None
        self._whole = 0

    def append(self, record: JournalRecord) -> None:
        """Write one line and fdatasync.

        Raises:
            JournalError: It could not be written; nothing of it is then left in the file if the disk lets us.
        """
        line = _ENCODER.encode(record) + b"\n"
        try:
            handle = self._opened()
            try:
                _write_whole(handle, line)
                os.fdatasync(handle)
            except OSError:
                os.ftruncate(handle, self._whole)
                raise
        except OSError as error:
            self.close()
            raise JournalError(f"{self._path} cannot be written: {error.strerror}") from error
        self._whole += len(line)

    def read(self) -> tuple[JournalRecord, ...]:
        """All whole lines, oldest first; a torn last line is left out.

        Raises:
            JournalError: The file cannot be read, or a whole line is not a record; the line is named.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise JournalError(f"{self._path} cannot be read: {error.strerror}") from error
        return tuple(self._decode(line, number) for number, line in enumerate(content.split(b"\n")[:-1], 1))

    def close(self) -> None:
        """Let the file go; the next append opens it again."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _decode(self, line: bytes, number: int) -> JournalRecord:
        try:
            return _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise JournalError(f"{self._path}, line {number}: not a journal record ({error})") from error

    def _opened(self) -> int:
        if self._handle is not None:
            return self._handle
        is_new = not self._path.exists()
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if is_new:
                sync_directory(self._path.parent)
            self._whole = _whole_length(handle)
            if os.fstat(handle).st_size != self._whole:
                os.ftruncate(handle, self._whole)
                os.fsync(handle)
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return handle


def _write_whole(handle: int, line: bytes) -> None:
    rest = memoryview(line)
    while rest:
        rest = rest[os.write(handle, rest) :]


def _whole_length(handle: int) -> int:
    """The length up to and with the last line end."""
    end = os.fstat(handle).st_size
    while end > 0:
        start = max(end - TAIL_BYTES, 0)
        found = os.pread(handle, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


class MemoryJournal:
    """The `Journal` port in memory: for the stage, where a crash is a new actor over the same object."""

    def __init__(self, records: tuple[JournalRecord, ...] = ()) -> None:
        self._records = list(records)

    def append(self, record: JournalRecord) -> None:
        """Keep one record."""
        self._records.append(record)

    def read(self) -> tuple[JournalRecord, ...]:
        """All records, oldest first."""
        return tuple(self._records)
