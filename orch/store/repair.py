"""What can be saved of a database whose write-ahead log is damaged.

DuckDB refuses to open such a file, because a log it cannot check may say anything. Its log is a chain of
checked entries, and it names the byte at which the chain breaks: everything before that byte is sound, a
transaction cut in half is dropped as after a crash. So the log is moved aside, its sound part is put back, and
what the lost part said of reallocations is told again by the sagas' journal.
"""

from __future__ import annotations

import os
import re
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import duckdb
from msgspec.structs import replace

from orch.errors import StoreError
from orch.model.base import Value
from orch.model.moves import StepRecord
from orch.reallocation.story import stories
from orch.store.database import connect, explain, is_broken_log
from orch.store.rows import REALLOCATION, STEP
from orch.store.transaction import transaction
from orch.store.values import from_stored_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from orch.model.moves import JournalRecord, Step

Phase: TypeAlias = Literal["forward", "backward"]
Outcome: TypeAlias = Literal["trying", "verified", "refused", "mismatch"]

DATABASE = "orch.duckdb"
BREAK = re.compile(r"byte position (\d+)")
CHUNK = 1 << 20
OUTCOMES: dict[str, tuple[Phase, Outcome]] = {
    "step_trying": ("forward", "trying"),
    "step_verified": ("forward", "verified"),
    "step_failed": ("forward", "refused"),
    "undo_trying": ("backward", "trying"),
    "undo_verified": ("backward", "verified"),
    "undo_failed": ("backward", "refused"),
}
"""What each line of the journal says of its step."""


class RepairReport(Value):
    """What a repair found and did. Times are None where nothing is known.

    `lost_from` is the newest thing that is still recorded, `lost_until` the last time the damaged log was
    written to: what was recorded between them is gone.
    """

    damaged: bool
    moved_to: str | None
    kept_bytes: int
    lost_bytes: int
    lost_from: datetime | None
    lost_until: datetime | None
    reallocations: int
    steps: int
    sentence: str = ""


def repair(data_dir: Path, journal: Sequence[JournalRecord], now: datetime) -> RepairReport:
    """Make the database open again, and rebuild the mirror of the journal in it.

    Args:
        data_dir: Holds `orch.duckdb`.
        journal: All lines of the sagas' journal, oldest first.
        now: Stamped into the name of what is moved aside.

    Raises:
        StoreError: Another process holds the database, there is none, or more than its log is damaged.
    """
    path = data_dir / DATABASE
    log = path.with_name(f"{path.name}.wal")
    if not path.exists():
        message = f"There is no database in {data_dir}: nothing to repair."
        raise StoreError(message)
    size, written_at = _size_and_age(log)
    kept, aside = size, None
    try:
        while (sound := _break(path)) is not None:
            if aside is not None and kept == 0:
                message = f"{path} cannot be opened even without its log: put a copy of it back, or begin anew."
                raise StoreError(message)
            if aside is None:
                aside = log.rename(_free_name(log, now))
            # Should DuckDB break off at the same byte again, nothing of the log can be used.
            kept = sound if sound < kept else 0
            _keep_beginning(aside, log, kept)
        with closing(connect(path)) as database:
            reallocations, steps = rebuild_mirror(database, journal)
            newest = _newest(database)
            database.checkpoint()
    except duckdb.Error as error:
        raise explain(error, path) from error
    report = RepairReport(
        damaged=aside is not None,
        moved_to=None if aside is None else str(aside),
        kept_bytes=kept,
        lost_bytes=size - kept,
        lost_from=None if aside is None else newest,
        lost_until=None if aside is None else written_at,
        reallocations=reallocations,
        steps=steps,
    )
    return replace(report, sentence=_sentence(report))


def _size_and_age(log: Path) -> tuple[int, datetime | None]:
    if not log.exists():
        return 0, None
    found = log.stat()
    return found.st_size, datetime.fromtimestamp(found.st_mtime, UTC)


def rebuild_mirror(database: duckdb.DuckDBPyConnection, journal: Iterable[JournalRecord]) -> tuple[int, int]:
    """Write what the journal says of reallocations, where the tables say nothing or something older.

    Returns:
        How many reallocations and steps were written.
    """
    lines = tuple(journal)
    host = database.execute("SELECT value FROM meta WHERE key = 'host'").fetchall()[0][0]
    recorded = {
        name: said for name, *said in database.execute("SELECT id, state, verdict FROM reallocations").fetchall()
    }
    missing = {
        name: story
        for name, story in stories(lines).items()
        if recorded.get(name, [None])[0] != story.record.state
        or (recorded[name][1] == "pending" != story.record.verdict)
    }
    moves = [(*REALLOCATION.encode(story.record), host) for story in missing.values()]
    steps = [
        (*STEP.encode(step), host)
        for name, story in missing.items()
        for step in steps_told(story.steps, [line for line in lines if line.reallocation_id == name])
    ]
    with transaction(database):
        for table, rows in ((REALLOCATION.table, moves), (STEP.table, steps)):
            if rows:
                appender = database.appender(table, action="upsert")
                appender.append_rows(rows)
                appender.flush()
    return len(moves), len(steps)


def steps_told(steps: Iterable[Step], lines: Iterable[JournalRecord]) -> tuple[StepRecord, ...]:
    """The outcome of each step of one reallocation, forward and backward, as its journal tells it.

    The journal does not say why a step failed: one that was read back did not take (`mismatch`), one that was
    not is taken for refused.
    """
    planned = {step.index: step for step in steps}
    told: dict[tuple[int, Phase], StepRecord] = {}
    for line in lines:
        if line.step_index is None or line.event not in OUTCOMES:
            continue
        step = planned[line.step_index]
        phase, outcome = OUTCOMES[line.event]
        before = told.get((step.index, phase))
        if outcome == "refused" and line.read_back is not None:
            outcome = "mismatch"
        told[step.index, phase] = StepRecord(
            reallocation_id=line.reallocation_id,
            step_index=step.index,
            node=step.node,
            kind=step.kind,
            phase=phase,
            goal=step.goal,
            undo=step.undo,
            started_at=line.written_at if before is None else before.started_at,
            ended_at=None if outcome == "trying" else line.written_at,
            outcome=outcome,
            read_back=line.read_back,
            sentence=line.sentence,
        )
    return tuple(told.values())


def _break(path: Path) -> int | None:
    """Where the log's chain breaks; None when the file opens. 0 when DuckDB names no byte."""
    try:
        connect(path, read_only=True).close()
    except duckdb.Error as error:
        if not is_broken_log(error):
            raise
        found = BREAK.search(str(error))
        return int(found[1]) if found else 0
    return None


def _keep_beginning(aside: Path, log: Path, size: int) -> None:
    """Put the first bytes of the log back in its place."""
    with aside.open("rb") as whole, log.open("wb") as part:
        left = size
        while left and (chunk := whole.read(min(left, CHUNK))):
            left -= part.write(chunk)
        part.flush()
        os.fsync(part.fileno())


def _free_name(log: Path, now: datetime) -> Path:
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    name = log.with_name(f"{log.name}.damaged-{stamp}")
    number = 1
    while name.exists():
        number += 1
        name = log.with_name(f"{log.name}.damaged-{stamp}-{number}")
    return name


def _newest(database: duckdb.DuckDBPyConnection) -> datetime | None:
    """The newest time of the recorded world."""
    found = database.execute("SELECT value FROM meta WHERE key = 'clock'").fetchall()
    return from_stored_time(datetime.fromisoformat(found[0][0])) if found else None


def _sentence(report: RepairReport) -> str:
    mirrored = f"{report.reallocations} reallocation(s) were told again by the journal."
    if not report.damaged:
        return f"The database is sound; {mirrored}"
    since = "an unknown time" if report.lost_from is None else report.lost_from.isoformat(timespec="seconds")
    until = "its end" if report.lost_until is None else report.lost_until.isoformat(timespec="seconds")
    return (
        f"The log was damaged and lies in {report.moved_to}: {report.kept_bytes} of its bytes were sound and are "
        f"kept, {report.lost_bytes} are lost, with whatever was recorded from {since} until {until}; {mirrored}"
    )
