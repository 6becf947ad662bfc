"""Where a data command reads: from the running engine, or from the file it left behind. Both say the same."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from orch.errors import EngineError, StoreError
from orch.system.paths import DATABASE_FILE, read_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path

    from orch.model.board import Dashboard
    from orch.model.moves import Reallocation
    from orch.model.plans import Decision, Plan
    from orch.model.report import Report
    from orch.model.switches import Missed
    from orch.web.shapes import HistoryBody

T = TypeVar("T")
Format: TypeAlias = Literal["csv", "parquet", "json"]
Told: TypeAlias = "Callable[[int, int], object]"
"""Hears how much is done, of how much: rows or bytes."""
Metric: TypeAlias = Literal["usd_per_hour", "allocation", "used", "health"]

NO_BOARD = "There is no board yet: the first one comes a few seconds after orch was started."


class Source(Protocol):
    """Recorded figures, wherever they are."""

    def now(self) -> datetime:
        """The present of the recorded world: durations count back from it, and ages up to it."""

    def board(self) -> Dashboard:
        """The newest board. Raises StoreError before the first."""

    def plan(self, plan_id: str | None = None) -> Plan | None:
        """A plan by its id, or the newest one."""

    def decision(self, decision_id: str | None) -> Decision | None:
        """A decision by its id, or the last one."""

    def reallocation(self, reallocation_id: str) -> Reallocation | None:
        """A reallocation by its id."""

    def reallocations(self, since: datetime | None) -> tuple[Reallocation, ...]:
        """All reallocations started since then, newest first."""

    def missed(self, since: datetime | None) -> Missed:
        """What refused plans would have brought since then, as predicted."""

    def history(self, metric: Metric, node: str | None, since: datetime, step_s: int) -> HistoryBody:
        """A metric until now."""

    def report(self, period: timedelta) -> Report:
        """What the time up to now came to."""

    def table(
        self, name: str, fmt: Format, since: datetime | None, until: datetime | None, told: Told | None = None
    ) -> Iterator[bytes]:
        """A table as a stream of bytes; `told` hears how far it is. Raises UsageError when there is none such."""


@contextmanager
def open_source(data_dir: Path) -> Iterator[Source]:
    """The figures of a data directory.

    A running engine has the file to itself, so it is asked; without one the file is opened read-only for each
    question, and closed at once, so that an engine may start at any time.

    Raises:
        StoreError: There is no data, or it cannot be read.
        EngineError: The running engine does not answer.
    """
    from orch.cli.running import RunningEngine

    info = read_engine(data_dir)
    if info is not None:
        engine = RunningEngine(info, data_dir)
        try:
            engine.greet()
        except EngineError:
            # It may have stopped since: then the file is free.
            if read_engine(data_dir) is not None:
                raise
        else:
            yield engine
            return
    from orch.cli.recorded import RecordedData

    yield RecordedData(data_dir / DATABASE_FILE)


def decode(body: bytes, kind: type[T]) -> T:
    """A recorded or received body. Raises StoreError when another version of orch wrote it."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"What is recorded is of another version of orch: {error}.") from error


def document(body: Any) -> str:
    """The JSON document a command prints: money as strings, times in RFC 3339, unknown as null."""
    encoded = msgspec.json.encode(body)
    return msgspec.json.format(encoded, indent=2).decode()
