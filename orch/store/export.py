"""Tables as files or streams: CSV, Parquet, JSON.

DuckDB writes the file itself, so memory stays flat however long a table is. In CSV and JSON times are RFC 3339
and money is a plain decimal string; in Parquet they keep their types (times UTC without a zone).
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.errors import UsageError
from orch.store.values import to_stored_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import duckdb

Format: TypeAlias = Literal["csv", "parquet", "json"]

TABLES: dict[str, tuple[str, ...]] = {
    "samples": ("taken_at", "host", "node"),
    "samples_hourly": ("taken_at", "host", "node"),
    "ticks": ("taken_at", "host"),
    "ticks_hourly": ("taken_at", "host"),
    "failures": ("failed_at", "host", "endpoint"),
    "prices": ("taken_at", "token"),
    "ledger": ("booked_at", "entry_id"),
    "decisions": ("decided_at", "id"),
    "reallocations": ("started_at", "id"),
    "reallocation_steps": ("started_at", "reallocation_id", "step_index"),
    "alerts": ("since", "id"),
    "kpi_hourly": ("taken_at", "host"),
    "board": ("taken_at",),
}
"""What may be exported, and the columns it is ordered by: the first is its time."""

OPTIONS: dict[Format, str] = {
    "csv": "FORMAT csv, HEADER",
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "json": "FORMAT json, ARRAY true",
}
CHUNK = 1 << 16


def export_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    fmt: Format,
    since: datetime | None,
    until: datetime | None,
    output: Path,
) -> int:
    """Write the rows of a table whose time is in [since, until) to a file, oldest first.

    Returns:
        How many rows were written.

    Raises:
        UsageError: There is no such table or format.
    """
    _check(table, fmt)
    order = TABLES[table]
    columns = _columns(connection, table, plain=fmt != "parquet")
    query = (
        f"SELECT {columns} FROM {table} WHERE ($since IS NULL OR {table}.{order[0]} >= $since) "  # noqa: S608
        f"AND ($until IS NULL OR {table}.{order[0]} < $until) "
        f"ORDER BY {', '.join(f'{table}.{column}' for column in order)}"
    )
    target = str(output).replace("'", "''")
    written: int = connection.execute(
        f"COPY ({query}) TO '{target}' ({OPTIONS[fmt]})",
        {"since": since and to_stored_time(since), "until": until and to_stored_time(until)},
    ).fetchall()[0][0]
    return written


def stream_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    fmt: Format,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[bytes]:
    """The same as chunks of bytes, by way of a temporary file. The first chunk comes when all is written.

    Raises:
        UsageError: At once, when there is no such table or format.
    """
    _check(table, fmt)
    return _chunks(connection, table, fmt, since, until)


def _chunks(
    connection: duckdb.DuckDBPyConnection, table: str, fmt: Format, since: datetime | None, until: datetime | None
) -> Iterator[bytes]:
    with TemporaryDirectory(prefix="orch-export-") as directory:
        path = Path(directory) / f"{table}.{fmt}"
        export_table(connection, table, fmt, since, until, path)
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _check(table: str, fmt: str) -> None:
    if table not in TABLES:
        message = f"There is no table {table!r}: take one of {', '.join(TABLES)}."
        raise UsageError(message)
    if fmt not in OPTIONS:
        message = f"There is no format {fmt!r}: take one of {', '.join(OPTIONS)}."
        raise UsageError(message)


def _columns(connection: duckdb.DuckDBPyConnection, table: str, *, plain: bool) -> str:
    """The table's columns in their order; `plain` turns times and money into text."""
    described = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [table]
    ).fetchall()
    return ", ".join(_plain(name, kind) if plain else name for name, kind in described)


def _plain(name: str, kind: str) -> str:
    if kind == "TIMESTAMP":
        return f"replace(strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z') AS {name}"
    if kind.startswith("DECIMAL"):
        return f"CAST({name} AS VARCHAR) AS {name}"
    return name
