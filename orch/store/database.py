"""Opening the database: for the engine's one writer, or for a command that reads and leaves.

DuckDB locks a file for one process; even a reader keeps an engine from starting. So commands ask a running
engine instead, and open the file only when there is none.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from time import sleep
from typing import TYPE_CHECKING, Literal, TypeAlias

import duckdb

from orch.errors import StoreError
from orch.store.migrations import SCHEMA_VERSION, create, migrate
from orch.store.transaction import transaction
from orch.store.values import to_stored_time
from orch.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

Kind: TypeAlias = Literal["emulated", "real"]

RETRY_S = 0.25
RETRIES = 20
LOCKED = re.compile(r"Could not set lock on file.*?(?:\(PID (?P<pid>\d+)\)|$)", re.DOTALL)


def open_for_writing(
    path: Path, kind: Kind, host: str, now: datetime, *, pause: Callable[[float], None] = sleep
) -> Writer:
    """Open or create the database, bring its schema up to date.

    Args:
        path: `orch.duckdb` in the data directory; its directory exists.
        kind: Whether this engine runs real nodes or emulated ones.
        host: The host its rows belong to.
        now: Written into a new file as its birth.
        pause: Waits so many seconds while another process holds the file: 5 s in all.

    Raises:
        StoreError: Held by another process (naming it), of the other kind, from a newer version, not a
            database of orch, or damaged. Nothing has been changed then.
    """
    database = _connect_patiently(path, pause)
    try:
        _prepare(database, path, kind, host, now)
        return Writer(database, host)
    except duckdb.Error as error:
        database.close()
        raise explain(error, path) from error
    except StoreError:
        database.close()
        raise


def look_into(path: Path, *, pause: Callable[[float], None] = sleep) -> dict[str, str] | None:
    """What the database says of itself, before an engine starts on it; None when there is none.

    An older schema is welcome: opening it for writing brings it up to date.

    Args:
        path: `orch.duckdb` in the data directory.
        pause: Waits so many seconds while another process holds the file: 5 s in all.

    Raises:
        StoreError: Held by another process, from a newer version, not a database of orch, or damaged.
    """
    if not path.exists():
        return None
    database = _connect_patiently(path, pause, read_only=True)
    try:
        meta = _read_meta(database, path)
    except duckdb.Error as error:
        raise explain(error, path) from error
    finally:
        database.close()
    _refuse_newer(meta.get("schema_version"), path)
    return meta


@contextmanager
def open_read_only(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database while no engine runs: read, and leave the block at once.

    Raises:
        StoreError: There is none yet, another process holds it, its version is another, or it is damaged
            (also where only a question in the block comes upon the damage).
    """
    if not path.exists():
        message = f"There is no data in {path.parent} yet: run orch once."
        raise StoreError(message)
    database = _connect(path, read_only=True)
    try:
        found = _read_meta(database, path).get("schema_version")
        _refuse_newer(found, path)
        if found is None or int(found) < SCHEMA_VERSION:
            message = f"{path} was written by an older version: start orch once to bring it up to date."
            raise StoreError(message)
        yield database
    except duckdb.Error as error:
        raise explain(error, path) from error
    finally:
        database.close()


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A bare connection with the settings of the house; raises what DuckDB raises."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": "64MB",
        "threads": 2,
        "temp_directory": f"{path}.tmp",
        # The recorder checkpoints on its own schedule; this only bounds the log if it does not.
        "checkpoint_threshold": "64MB",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    return duckdb.connect(str(path), read_only=read_only, config=config)


def explain(error: duckdb.Error, path: Path) -> StoreError:
    """What DuckDB says of a file, as one sentence for an operator with what to do."""
    text = str(error)
    locked = LOCKED.search(text)
    if locked:
        holder = f"process {locked['pid']}" if locked["pid"] else "another process"
        return StoreError(f"{path} is in use by {holder}: only one orch can use a data directory.")
    if is_broken_log(error):
        return StoreError(f"The log of {path} is damaged: run `orch check --repair`, nothing has been changed.")
    if "different configuration" in text:
        return StoreError(f"{path} is already open in this process.")
    return StoreError(f"{path} cannot be used: {text.splitlines()[0]}")


def is_broken_log(error: duckdb.Error) -> bool:
    """Whether the write-ahead log, not the file itself, is what cannot be read."""
    return "WAL" in str(error)


def _connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    try:
        return connect(path, read_only=read_only)
    except duckdb.Error as error:
        raise explain(error, path) from error


def _connect_patiently(
    path: Path, pause: Callable[[float], None], *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    for _ in range(RETRIES):
        try:
            return connect(path, read_only=read_only)
        except duckdb.Error as error:
            if not LOCKED.search(str(error)):
                raise explain(error, path) from error
        pause(RETRY_S)
    return _connect(path, read_only=read_only)


def _prepare(database: duckdb.DuckDBPyConnection, path: Path, kind: Kind, host: str, now: datetime) -> None:
    if not database.execute("SELECT table_name FROM duckdb_tables()").fetchall():
        born = to_stored_time(now).isoformat()
        first = [("kind", kind), ("host", host), ("schema_version", str(SCHEMA_VERSION)), ("created_at", born)]
        with transaction(database):
            create(database)
            database.executemany("INSERT INTO meta VALUES (?, ?)", first)
        return
    meta = _read_meta(database, path)
    _refuse_newer(meta.get("schema_version"), path)
    if meta.get("kind") != kind:
        message = f"{path.parent} holds data of {meta.get('kind')} nodes: {kind} nodes need another --data-dir."
        raise StoreError(message)
    found = int(meta["schema_version"])
    if found < SCHEMA_VERSION:
        with transaction(database):
            migrate(database, found)


def _read_meta(database: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    try:
        return dict(database.execute("SELECT key, value FROM meta").fetchall())
    except duckdb.CatalogException as error:
        message = f"{path} is a database of another program: give another --data-dir."
        raise StoreError(message) from error


def _refuse_newer(found: str | None, path: Path) -> None:
    if found is not None and int(found) > SCHEMA_VERSION:
        message = f"{path} was written by a newer version (schema {found}, this one knows {SCHEMA_VERSION})."
        raise StoreError(message)
