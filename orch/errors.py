"""Every exception orch raises on purpose.

OrchError
├── ConfigError            the configuration cannot be used; carries every fault at once
├── UsageError             a command was called in a way that cannot work
│   └── SeriesError        a file of series cannot be used: names file, line, value and remedy
├── DataDirError           the data directory cannot be used (permission, other kind, newer, in use)
│   └── StoreError         the database cannot be used (locked, corrupt, newer)
├── ProtocolError          an answer of a node is not what its protocol says
│   ├── ShapeError         wrong content type, malformed JSON, a known key gone, a wrong type
│   └── AbsurdError        well formed and impossible: NaN, infinite, negative, beyond any machine
├── LeverError             a limit could not be set or read back
├── JournalError           the journal cannot be written or does not make sense
└── EngineError            the running engine could not be started, reached or stopped
    ├── NotRunningError    a command needs a running engine and there is none
    └── ApiError           the HTTP interface refused a request, or did not answer it

Trouble with a node is a value (`PollFailed`), never an exception that crosses a mailbox: protocol and
lever errors are caught by the adapter that caused them.
"""

from __future__ import annotations


class OrchError(Exception):
    """Base of all deliberate failures; `str()` is one sentence for an operator."""

    exit_code = 1


class ConfigError(OrchError):
    """The configuration cannot be used.

    `faults` holds one sentence per fault, each with path, value and remedy.
    """

    exit_code = 2

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


class UsageError(OrchError):
    """A command was called in a way that cannot work."""

    exit_code = 2


class SeriesError(UsageError):
    """A file of series cannot be used; names file, line, value and remedy."""


class DataDirError(OrchError):
    """The data directory cannot be used."""


class StoreError(DataDirError):
    """The database cannot be used."""


class ProtocolError(OrchError):
    """An answer of a node is not what its protocol says."""


class ShapeError(ProtocolError):
    """Wrong content type, malformed body, a known key gone, a wrong type."""


class AbsurdError(ProtocolError):
    """Well formed and impossible: NaN, infinite, negative, beyond any machine."""


class LeverError(OrchError):
    """A limit could not be set or read back."""


class JournalError(OrchError):
    """The journal cannot be written, or what it says contradicts itself."""


class EngineError(OrchError):
    """The running engine could not be started, reached or stopped."""


class NotRunningError(EngineError):
    """A command needs a running engine and there is none."""


class ApiError(EngineError):
    """The HTTP interface refused a request, or did not answer it.

    `status` is HTTP's, 0 where there was no answer; `code` can be counted; `details` is whatever helps.
    """

    def __init__(self, status: int, code: str, message: str, details: dict[str, object] | None = None) -> None:
        self.status = status
        self.code = code
        self.details = details or {}
        super().__init__(message)
