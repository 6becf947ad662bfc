"""Tables as files or streams: CSV, Parquet, JSON.

DuckDB sorts and writes one slice of time after the other, so memory stays flat however long a table is: a sort of
everything takes as much memory as it may, and fails where rows are wide. In CSV and JSON times are RFC 3339 and
money is a plain decimal string; in Parquet they keep their types (times UTC without a zone).
"""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

from orch.errors import UsageError
from orch.store.transaction import explained, transaction
from orch.store.values import to_stored_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    import duckdb

    Span: TypeAlias = tuple[datetime | None, datetime | None]
    Told: TypeAlias = Callable[[int, int], object]

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
    "decision_inputs": ("decided_at", "id"),
}
"""What may be exported, and the columns it is ordered by: the first is its time."""

OPTIONS: dict[Format, str] = {
    "csv": "FORMAT csv, HEADER",
    "parquet": "FORMAT parquet, COMPRESSION lz4",
    "json": "FORMAT json, ARRAY true",
}
"""Of a slice; all but the first of CSV come without a header."""
CHUNK = 1 << 16
SLICE_ROWS = 20_000
WIDE_SLICE_ROWS = 100
"""The same for tables with JSON columns, whose rows may have ten thousand bytes each."""
PARQUET_GROUP_ROWS, WIDE_PARQUET_GROUP_ROWS = 122_880, 2048
JSON_BEGIN, JSON_BETWEEN, JSON_END = b"[\n", b",\n", b"\n]\n"
"""Around the rows of an array as DuckDB writes it, and between two of them."""


def export_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    fmt: Format,
    since: datetime | None,
    until: datetime | None,
    output: Path,
    told: Told | None = None,
) -> int:
    """Write the rows of a table whose time is in [since, until) to a file, oldest first.

    `told` hears how many rows are written, of how many, after every slice.

    Returns:
        How many rows were written.

    Raises:
        UsageError: There is no such table or format.
        StoreError: It could not be read or written.
    """
    _check(table, fmt)
    whole = since and to_stored_time(since), until and to_stored_time(until)
    with (
        explained(f"{table} could not be exported"),
        transaction(connection),
        TemporaryDirectory(prefix="orch-export-") as directory,
    ):
        columns, is_wide = _columns(connection, table, plain=fmt != "parquet")
        most = WIDE_SLICE_ROWS if is_wide else SLICE_ROWS
        parts = _parts(connection, table, fmt, columns, whole, most, Path(directory))
        if told is not None:
            parts = _counted(parts, _rows(connection, table, whole), told)
        if fmt != "parquet":
            return _join(parts, fmt, output)
        return _join_parquet(connection, parts, WIDE_PARQUET_GROUP_ROWS if is_wide else PARQUET_GROUP_ROWS, output)


def _parts(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    fmt: Format,
    columns: str,
    whole: Span,
    most: int,
    directory: Path,
) -> Iterator[tuple[Path, int]]:
    """Write slice after slice; gives each one's file and how many rows are in it."""
    for number, span in enumerate(_slices(connection, table, whole, most)):
        part = directory / str(number)
        options = "FORMAT csv, HEADER false" if fmt == "csv" and number else OPTIONS[fmt]
        yield part, _copy(connection, table, columns, span, part, options)


def _rows(connection: duckdb.DuckDBPyConnection, table: str, whole: Span) -> int:
    query = f"SELECT count(*) FROM {table} WHERE {_within(f'{table}.{TABLES[table][0]}')}"  # noqa: S608
    count: int = connection.execute(query, _named(whole)).fetchall()[0][0]
    return count


def _counted(parts: Iterable[tuple[Path, int]], whole: int, told: Told) -> Iterator[tuple[Path, int]]:
    """The same parts; says how many rows they have in all."""
    written = 0
    for part, rows in parts:
        written += rows
        told(written, whole)
        yield part, rows


def _join(parts: Iterable[tuple[Path, int]], fmt: Format, output: Path) -> int:
    """Put the parts one after another; arrays become one."""
    written = 0
    with output.open("wb") as file:
        for part, rows in parts:
            with part.open("rb") as text:
                if fmt == "json" and written:
                    text.seek(len(JSON_BEGIN))
                    file.seek(-len(JSON_END), os.SEEK_END)
                    file.write(JSON_BETWEEN)
                shutil.copyfileobj(text, file, CHUNK)
            part.unlink()
            written += rows
    return written


def _join_parquet(
    connection: duckdb.DuckDBPyConnection, parts: Iterable[tuple[Path, int]], group_rows: int, output: Path
) -> int:
    """Write the parts again as one file; rows stay in the order of files and of rows in them."""
    files = [str(part) for part, _ in parts]
    target = str(output).replace("'", "''")
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {group_rows}"
    query = f"COPY (SELECT * FROM read_parquet($files)) TO '{target}' ({options})"  # noqa: S608
    written: int = connection.execute(query, {"files": files}).fetchall()[0][0]
    return written


def _copy(
    connection: duckdb.DuckDBPyConnection, table: str, columns: str, span: Span, output: Path, options: str
) -> int:
    """Write the rows of a span of time, sorted."""
    order = [f"{table}.{column}" for column in TABLES[table]]
    target = str(output).replace("'", "''")
    query = f"SELECT {columns} FROM {table} WHERE {_within(order[0])} ORDER BY {', '.join(order)}"  # noqa: S608
    written: int = connection.execute(f"COPY ({query}) TO '{target}' ({options})", _named(span)).fetchall()[0][0]
    return written


def _slices(connection: duckdb.DuckDBPyConnection, table: str, whole: Span, most: int) -> Iterator[Span]:
    """The span in slices of whole hours, each of `most` rows or a few more; at least one."""
    time = f"{table}.{TABLES[table][0]}"
    query = f"SELECT date_trunc('hour', {time}) AS starts, count(*) FROM {table} WHERE {_within(time)} "  # noqa: S608
    hours = connection.execute(query + "GROUP BY starts ORDER BY starts", _named(whole)).fetchall()
    since, rows = whole[0], 0
    for starts, count in hours[:-1]:
        rows += count
        if rows >= most:
            until = starts + timedelta(hours=1)
            yield since, until
            since, rows = until, 0
    yield since, whole[1]


def _within(time: str) -> str:
    return f"($since IS NULL OR {time} >= $since) AND ($until IS NULL OR {time} < $until)"


def _named(span: Span) -> dict[str, datetime | None]:
    return {"since": span[0], "until": span[1]}


def spool_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    fmt: Format,
    since: datetime | None = None,
    until: datetime | None = None,
    told: Told | None = None,
) -> BinaryIO:
    """The same as an open file without a name, at its beginning: it is gone when it is closed.

    Whoever reads it, however slowly, keeps nobody from the database.
    """
    with TemporaryDirectory(prefix="orch-export-") as directory:
        path = Path(directory) / f"{table}.{fmt}"
        export_table(connection, table, fmt, since, until, path, told)
        return path.open("rb")


def _check(table: str, fmt: str) -> None:
    if table not in TABLES:
        message = f"There is no table {table!r}: take one of {', '.join(TABLES)}."
        raise UsageError(message)
    if fmt not in OPTIONS:
        message = f"There is no format {fmt!r}: take one of {', '.join(OPTIONS)}."
        raise UsageError(message)


def _columns(connection: duckdb.DuckDBPyConnection, table: str, *, plain: bool) -> tuple[str, bool]:
    """The table's columns in their order, `plain` with times and money as text; and whether some are JSON."""
    described = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [table]
    ).fetchall()
    names = ", ".join(_plain(name, kind) if plain else name for name, kind in described)
    return names, any(kind == "JSON" for _, kind in described)


def _plain(name: str, kind: str) -> str:
    if kind == "TIMESTAMP":
        return f"replace(strftime({name}, '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z') AS {name}"
    if kind.startswith("DECIMAL"):
        return f"CAST({name} AS VARCHAR) AS {name}"
    return name
