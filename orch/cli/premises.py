"""The house itself: its data directory, database, journal and port. Looks, and changes nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from orch.cli.findings import Line
from orch.errors import DataDirError, EngineError, JournalError, StoreError
from orch.system.paths import (
    DATABASE_FILE,
    JOURNAL_FILE,
    prepare_data_dir,
    read_engine,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orch.config.schema import WebConfig
    from orch.system.paths import EngineInfo

SUBJECT = "orch"


def premises(data_dir: Path, kind: str | None, web: WebConfig | None, port: int | None = None) -> Iterator[Line]:
    """Look at a data directory and what lies in it.

    Args:
        data_dir: Need not exist yet.
        kind: `emulated` or `real` where that is known: data of the other kind cannot be gone on with.
        web: Where the engine would listen; None when that is not known.
        port: Instead of the configured one.
    """
    info = read_engine(data_dir)
    yield _directory(data_dir)
    if info is not None:
        yield _engine(info, data_dir)
        yield Line(
            subject=SUBJECT,
            asked="database",
            result="note",
            sentence=f"in use by the running engine (process {info.pid}), left alone",
        )
    elif data_dir.is_dir():
        yield _database(data_dir, kind)
    if data_dir.is_dir():
        yield _journal(data_dir)
    if info is None and web is not None:
        yield _port(web, port)


def _line(asked: str, sentence: str, *, remedy: str | None = None, failed: bool = False) -> Line:
    return Line(
        subject=SUBJECT, asked=asked, result="failed" if failed else "ok", sentence=sentence, remedy=remedy
    )


def _directory(data_dir: Path) -> Line:
    if data_dir.exists():
        try:
            prepare_data_dir(data_dir)
        except DataDirError as error:
            remedy = "let the user that runs orch write there, or name another one with --data-dir"
            return _line("data directory", str(error), remedy=remedy, failed=True)
        return _line("data directory", f"{data_dir} can be written to")
    nearest = next(each for each in data_dir.absolute().parents if each.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return _line("data directory", f"{data_dir} is made at the first start")
    said, remedy = f"{data_dir} cannot be made: {nearest} cannot be written to", "name another one with --data-dir"
    return _line("data directory", said, remedy=remedy, failed=True)


def _engine(info: EngineInfo, data_dir: Path) -> Line:
    from orch.cli.running import RunningEngine

    try:
        health = RunningEngine(info, data_dir).greet()
    except (EngineError, StoreError) as error:
        return _line("engine", str(error), remedy="see its log; stop and start it", failed=True)
    return _line("engine", f"process {info.pid} is {health.status} at {info.url}")


def _database(data_dir: Path, kind: str | None) -> Line:
    from orch.store import queries
    from orch.store.database import open_read_only

    path = data_dir / DATABASE_FILE
    if not path.exists():
        return _line("database", "none yet, it is made at the first start")
    try:
        with open_read_only(path) as connection:
            meta = queries.meta(connection)
    except StoreError as error:
        return _line("database", str(error), remedy="orch check --repair, if nothing else uses it", failed=True)
    if kind is not None and meta.kind != kind:
        said = f"holds data of {meta.kind} nodes, and these are {kind}"
        return _line("database", said, remedy="name another --data-dir", failed=True)
    return _line("database", f"usable, {meta.kind} data of host {meta.host}, schema {meta.schema_version}")


def _journal(data_dir: Path) -> Line:
    from orch.reallocation.story import stories
    from orch.system.journal import FileJournal

    try:
        told = stories(FileJournal(data_dir / JOURNAL_FILE).read())
    except JournalError as error:
        remedy = "move it aside once you have seen that every node has the limits you want"
        return _line("journal", str(error), remedy=remedy, failed=True)
    stuck = [name for name, story in told.items() if story.record.state == "stuck"]
    if stuck:
        said = f"the reallocation {stuck[0]} is stuck: levers are frozen"
        remedy = f"set its nodes right, then, while orch runs: orch rollback {stuck[0]}"
        return _line("journal", said, remedy=remedy, failed=True)
    unfinished = sum(1 for story in told.values() if not story.ended)
    more = f", {unfinished} of them under way" if unfinished else ""
    return _line("journal", f"readable, {len(told)} reallocations{more}")


def _port(web: WebConfig, port: int | None) -> Line:
    wanted = web.port if port is None else port
    family = socket.AF_INET6 if ":" in web.bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((web.bind, wanted))
        except OSError as error:
            said = f"{web.bind}:{wanted} is not free ({error.strerror})"
            return _line("port", said, remedy="set another [web] port, or use --port or --no-web", failed=True)
    return _line("port", f"{web.bind}:{wanted} is free")
