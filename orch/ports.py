"""The outside world as protocols: time, timers, transport, journal, addresses.

Implementations live in `orch/system` (real), `actors` (timers, addresses) and on the stage (virtual).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from orch.messages.base import Message
    from orch.model.moves import JournalRecord
    from orch.model.notices import Notice
    from orch.model.problems import SolverJob
    from orch.model.resources import Resources
    from orch.model.wire import Lane, Request


class Clock(Protocol):
    """Time. Only cadences, holds, ages and the emulated world live in `now`; deadlines are real."""

    @property
    def speed(self) -> float:
        """Seconds of `now` per real second."""

    def now(self) -> datetime:
        """Aware UTC; never steps back."""

    def monotonic(self) -> float:
        """Real seconds for measuring and for deadlines; virtual seconds on the stage."""


class Directory(Protocol):
    """Addresses by name. A tell that finds no one is counted and dropped."""

    def tell(self, name: str, message: Message) -> bool:
        """Put a message in an actor's inbox; False when there is no such actor now. Never blocks."""


class Timers(Protocol):
    """Messages at a later time. A timer only tells."""

    def after(self, seconds: float, name: str, message: Message) -> None:
        """Tell after so many seconds of the clock's `now`."""

    def at(self, when: datetime, name: str, message: Message) -> None:
        """Tell at a time of the clock's `now` (at once when past)."""

    def after_real(self, seconds: float, name: str, message: Message) -> None:
        """Tell after so many real seconds (the stage: virtual seconds)."""


class Transport(Protocol):
    """Asks the outside world without making the asker wait."""

    def fetch(self, request: Request, *, reply_to: str, key: str, node: str, lane: Lane) -> None:
        """Ask; later tell `reply_to` `Answered(key=key, ...)`, exactly once, within the request's deadline.

        One request at a time per `(node, lane)`; further ones wait their turn (their deadline starts when
        they do).
        """


class Journal(Protocol):
    """The sagas' memory: append-only, durable before it returns."""

    def append(self, record: JournalRecord) -> None:
        """Write one line and fdatasync. Raises JournalError when it cannot."""

    def read(self) -> Sequence[JournalRecord]:
        """All whole lines, oldest first; a torn last line is left out."""


class Host(Protocol):
    """This machine."""

    def used(self) -> Resources:
        """What all programs use now: cores, GB, Mbit/s, GB of the data disk; cheap, never blocks."""


class Cache(Protocol):
    """A few kilobytes that outlive a restart."""

    def load(self) -> bytes | None:
        """What was saved last; None when nothing was, or it cannot be read."""

    def save(self, body: bytes) -> None:
        """Keep this instead. What cannot be kept is logged and lost, never an error."""


class SolverPool(Protocol):
    """Solvers that would hold up an actor, or may not be trusted to return."""

    def solve(self, job: SolverJob, *, reply_to: str) -> None:
        """Later tell `reply_to` `SolverAnswered(job=job.id, ...)`, exactly once, soon after the job's budget.

        One job at a time. What failed, crashed or did not return is `out_of_time`, with the reason.
        """


class Notifier(Protocol):
    """Tells people outside, without making anybody wait."""

    def send(self, notice: Notice, *, reply_to: str) -> None:
        """Later tell `reply_to` `NoticeDelivered` or `NoticeFailed`, exactly once for each notice.

        Several tries may lie between, so may minutes. What did not arrive is kept as a dead letter.
        """


class Board(Protocol):
    """The latest encoded dashboard, swapped whole."""

    def swap(self, body: bytes) -> None:
        """Replace the body."""

    def body(self) -> bytes | None:
        """The newest body, or None before the first."""
