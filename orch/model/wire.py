"""Questions to the outside world and their answers, as plain values.

A node, a lever and a price source are all asked through the `Transport` port with one of these, so that
the same code runs against the network, the emulator and virtual time.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from orch.model.base import Value
from orch.model.readings import Reason

Lane: TypeAlias = Literal["fast", "slow", "lever"]


class Secret(Value):
    """A secret that never prints."""

    value: str

    def __repr__(self) -> str:
        """Stars."""
        return "Secret(***)"


class HttpRequest(Value, tag="http"):
    """One HTTP exchange. `secret_headers` are sent and never shown; `json_only` refuses other content types.

    With `until` the answer is whole once these bytes have come: the first message of a stream that never ends.
    """

    url: str
    method: Literal["GET", "POST", "PUT"] = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    secret_headers: tuple[tuple[str, Secret], ...] = ()
    body: bytes | None = None
    deadline_s: float = 10.0
    max_bytes: int = 4_000_000
    json_only: bool = True
    until: bytes | None = None


class FileRead(Value, tag="file"):
    """Read one local file; with `tail` only its last `max_bytes`, however large it is."""

    path: str
    deadline_s: float = 5.0
    max_bytes: int = 4_000_000
    tail: bool = False


class FileWrite(Value, tag="file_write"):
    """Replace the content of one existing local file.

    `expected` is the content it must still have, so that nobody's edit in between is lost. Ordinary files are
    replaced whole (a crash leaves the old or the new content) and keep their owner and mode; `in_place` is
    for files of the kernel. `backup_suffix` names the file that keeps the content it had before orch's first edit.
    """

    path: str
    body: bytes
    expected: bytes | None = None
    in_place: bool = False
    backup_suffix: str | None = None
    deadline_s: float = 10.0


class CommandRun(Value, tag="command"):
    """Run one program, its words read by no shell.

    At its deadline, and when orch itself dies, it is ended with everything it started. `body` is its standard
    input; what it prints is the answer. Its environment has only a search path, a home, a language and what
    `environment` adds.
    """

    argv: tuple[str, ...]
    body: bytes = b""
    environment: tuple[tuple[str, str], ...] = ()
    deadline_s: float = 60.0
    max_bytes: int = 1_000_000


class Pause(Value, tag="pause"):
    """Nothing, for some real seconds: what was changed needs them before it can be looked at."""

    seconds: float

    @property
    def deadline_s(self) -> float:
        """Somewhat longer than it takes."""
        return self.seconds + 5.0


class ToolCall(Value, tag="tool"):
    """One order to a manager of this host (Docker, systemd, the table of processes), or a look at the host itself.

    `body` is JSON, as the answer is; `socket` is where the manager listens when not at its usual place.
    """

    tool: Literal["docker", "systemd", "processes", "host"]
    action: str
    body: bytes = b"{}"
    socket: str | None = None
    deadline_s: float = 30.0


class Listen(Value, tag="listen"):
    """Listen to a websocket for some real seconds. The answer is its text messages as a JSON list of strings.

    `secret_query` is added to the URL and never shown.
    """

    url: str
    secret_query: tuple[tuple[str, Secret], ...] = ()
    seconds: float = 10.0
    max_messages: int = 200
    max_bytes: int = 500_000

    @property
    def deadline_s(self) -> float:
        """Somewhat longer than it takes."""
        return self.seconds + 5.0


Request: TypeAlias = HttpRequest | FileRead | FileWrite | CommandRun | ToolCall | Pause | Listen


class Reply(Value, tag="reply"):
    """An answer that came whole, in time and within limits. 4xx and 5xx come as `NoReply`."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received_at: datetime
    elapsed_s: float

    def header(self, name: str) -> str | None:
        """A header by its name in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


class NoReply(Value, tag="no_reply"):
    """No usable answer. `status` and `body` (cut to 2 kB) are given where there was an HTTP answer."""

    reason: Reason
    sentence: str
    retryable: bool
    failed_at: datetime
    elapsed_s: float
    status: int | None = None
    body: bytes = b""
    retry_after_s: float | None = None
    headers: tuple[tuple[str, str], ...] = ()
