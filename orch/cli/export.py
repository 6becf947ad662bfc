"""`orch export`: a whole table."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

import click

from orch.cli.options import MOMENT_TYPE, common, moment
from orch.errors import DataDirError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.cli.options import Since, Where
    from orch.cli.source import Format, Source

FORMATS = ("csv", "parquet", "json")


@click.command("export", short_help="A whole table as CSV, Parquet or JSON.")
@click.argument("table")
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--since", type=MOMENT_TYPE, metavar="T", help="Rows from then on: a time, or so long ago.")
@click.option("--until", type=MOMENT_TYPE, metavar="T", help="Rows before then.")
@click.option("--output", type=Path, metavar="F", help="A file instead of stdout, written whole or not at all.")
@common
def command(
    where: Where, table: str, fmt: Format, since: Since | None, until: Since | None, output: Path | None
) -> None:
    """A whole TABLE: ledger, samples, samples_hourly, prices, decisions, reallocations, alerts, kpi_hourly, ...

    Times are UTC; money is exact: decimal strings in CSV and JSON, DECIMAL in Parquet.
    """
    from orch.cli.places import data_dir_of, whole
    from orch.cli.progress import progress
    from orch.cli.source import open_source

    stdout = sys.stdout.buffer
    if output is None and fmt == "parquet" and sys.stdout.isatty():
        raise UsageError("Parquet is not for a terminal: give --output F, or a pipe.")
    with open_source(data_dir_of(where)) as source, progress(table, to_file=output is not None) as told:
        chunks = source.table(table, fmt, *_span(source, since, until), told)
        if output is None:
            for chunk in chunks:
                stdout.write(chunk)
            stdout.flush()
        else:
            written = written_whole(whole(output), chunks)
            click.echo(f"{written:,} bytes of {table} written to {output}", err=True)


def _span(source: Source, since: Since | None, until: Since | None) -> tuple[datetime | None, datetime | None]:
    if since is None and until is None:
        return None, None
    now = source.now()
    start, end = (None if each is None else moment(each, now) for each in (since, until))
    if start is not None and end is not None and start > end:
        raise UsageError("--since is later than --until: nothing lies between them.")
    return start, end


def written_whole(path: Path, chunks: Iterable[bytes]) -> int:
    """Write a file whole or not at all. Raises DataDirError when it cannot be written."""
    try:
        handle, part = mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise DataDirError(f"{path} cannot be written: {error.strerror}.") from error
    size = 0
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                size += file.write(chunk)
            os.fchmod(handle, 0o600)
        Path(part).replace(path)
    except OSError as error:
        raise DataDirError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(FileNotFoundError):
            Path(part).unlink()
    return size
