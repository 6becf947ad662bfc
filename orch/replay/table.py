"""Series from CSV files, in long form (time, series, value) or wide form (time, one column each).

A value stands for the time from its own to the next one's. An empty cell is unknown. Times without a zone are UTC
unless a zone is given; of an hour that a clock shows twice the first row is the earlier. Days of 23 and 25 hours
may also be written by counting: a date and the hours since its midnight, up to 22:00 or 24:00.
"""

from __future__ import annotations

import csv
import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from orch.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TIMES = ("time", "open_time", "timestamp", "datetime", "date", "hour", "taken_at")
CLOCKS = ("time", "time_from", "hour")
"""Beside a column `date`, the time of day."""

NAMES = ("series", "name", "option", "node", "coin", "token", "symbol")
VALUES = ("value", "rate", "usd_per_hour", "close", "price")
USD_PER = re.compile(r"(^|_)usd_per_")
PER = ((re.compile(r"_(day|daily)$"), 24.0), (re.compile(r"_(hour|hourly|h)$"), 1.0))
NOTHING = frozenset({"", "null", "none", "na", "n/a"})


class Terms(NamedTuple):
    """How to read a file. None: found by the columns' names.

    `alias` names the series of a file with one, and is put before the names of several. `per_h` is the number of
    hours that a value is for. `zone` is the zone of times without one.
    """

    alias: str | None = None
    time: str | None = None
    name: str | None = None
    value: str | None = None
    per_h: float | None = None
    zone: str = "UTC"


class Series(NamedTuple):
    """One named series: from when (seconds of the epoch), what, in which line; None is unknown.

    `spacing_s` is the usual time from one value to the next.
    """

    name: str
    source: str
    starts: tuple[int, ...]
    values: tuple[float | None, ...]
    lines: tuple[int, ...]
    spacing_s: int
    per_h: float = 1.0


class Columns(NamedTuple):
    """Where in a row what stands."""

    time: tuple[int, ...]
    name: int | None
    values: tuple[int, ...]


def read_series(path: Path, terms: Terms = Terms()) -> tuple[Series, ...]:  # noqa: B008 - it is immutable
    """The series of a CSV file.

    Raises:
        SeriesError: It cannot be read, has no header or rows, a value is no number, or its times are not in order.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = next(rows, None)
            if header is None or not any(cell.strip() for cell in header):
                raise SeriesError(f"{path} is empty: it needs a header line, such as time,series,value, and rows.")
            names = [cell.strip() for cell in header]
            found = _collect(path, names, [(rows.line_num, row) for row in rows if any(row)], terms)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SeriesError(f"{path} cannot be read: {error}. It must be a CSV file in UTF-8.") from error
    return found


def _collect(path: Path, header: list[str], rows: list[tuple[int, list[str]]], terms: Terms) -> tuple[Series, ...]:
    if not rows:
        raise SeriesError(f"{path} has a header and no rows: there is nothing to go by.")
    columns = _columns(path, header, rows, terms)
    clock = _Clock(path, _zone(terms.zone))
    if len(columns.time) == 2:
        clock.look_at([(row[columns.time[0]].strip(), row[columns.time[1]].strip()) for _, row in rows])
    found: dict[str, list[tuple[int, float | None, int]]] = {}
    for line, row in rows:
        if len(row) != len(header):
            raise SeriesError(
                f"{path}, line {line}: {len(row)} cells where the header has {len(header)}: "
                f"{','.join(row)[:60]!r}. Mend or remove the line."
            )
        when = "T".join(row[index].strip() for index in columns.time)
        for index in columns.values:
            name = header[index] if columns.name is None else row[columns.name].strip()
            value = _number(path, line, header[index], row[index])
            before = found.setdefault(name, [])
            before.append((clock.seconds(when, line, before[-1] if before else None), value, line))
    per_h = terms.per_h or _per(header[columns.values[0]])
    return tuple(
        _series(path, name, points, terms, per_h, alone=len(found) == 1) for name, points in found.items()
    )


def _series(
    path: Path,
    name: str,
    points: list[tuple[int, float | None, int]],
    terms: Terms,
    per_h: float,
    *,
    alone: bool,
) -> Series:
    starts = tuple(start for start, _, _ in points)
    gaps = [after - before for before, after in pairwise(starts)]
    own = name if terms.alias is None else terms.alias if alone else f"{terms.alias}_{name}"
    return Series(
        name=own,
        source=str(path),
        starts=starts,
        values=tuple(None if value is None else value / per_h for _, value, _ in points),
        lines=tuple(line for _, _, line in points),
        spacing_s=int(median(gaps)) if gaps else 3600,
        per_h=per_h,
    )


def _columns(path: Path, header: list[str], rows: list[tuple[int, list[str]]], terms: Terms) -> Columns:
    low = [name.lower() for name in header]
    time = _time_columns(path, header, low, terms)
    name = _named(path, header, terms.name) if terms.name else _first(low, NAMES)
    if name in time:
        name = None
    if terms.value is not None:
        return Columns(time, name, (_named(path, header, terms.value),))
    rest = [index for index in range(len(header)) if index not in time and index != name]
    if name is None:
        values = tuple(index for index in rest if _holds_numbers(index, rows))
        if not values:
            raise SeriesError(f"{path}: no column holds numbers; its columns: {', '.join(header)}.")
        return Columns(time, None, values)
    known = [index for index in rest if low[index] in VALUES] or [i for i in rest if USD_PER.search(low[i])]
    known = known or (rest if len(rest) == 1 else [])
    if len(known) != 1:
        raise SeriesError(
            f"{path}: which column holds the values of each {header[name]}? Name it with --value; "
            f"its columns: {', '.join(header)}."
        )
    return Columns(time, name, (known[0],))


def _time_columns(path: Path, header: list[str], low: list[str], terms: Terms) -> tuple[int, ...]:
    if terms.time is not None:
        return tuple(_named(path, header, each) for each in terms.time.split("+"))
    if "date" in low and (clock := _first(low, CLOCKS)) is not None:
        return low.index("date"), clock
    found = _first(low, TIMES)
    if found is None:
        raise SeriesError(
            f"{path}: no column is called {', '.join(TIMES[:-1])} or {TIMES[-1]}: name the one with the times by "
            f"--time; its columns: {', '.join(header)}."
        )
    return (found,)


def _first(header: list[str], wanted: Sequence[str]) -> int | None:
    return next((header.index(each) for each in wanted if each in header), None)


def _named(path: Path, header: list[str], wanted: str) -> int:
    if wanted not in header:
        raise SeriesError(f"{path} has no column {wanted!r}; its columns: {', '.join(header)}.")
    return header.index(wanted)


def _holds_numbers(index: int, rows: list[tuple[int, list[str]]]) -> bool:
    cells = (row[index].strip() for _, row in rows if index < len(row))
    first = next((cell for cell in cells if cell.lower() not in NOTHING), None)
    if first is None:
        return False
    try:
        float(first)
    except ValueError:
        return False
    return True


def _per(column: str) -> float:
    return next((hours for pattern, hours in PER if pattern.search(column.lower())), 1.0)


def _number(path: Path, line: int, column: str, cell: str) -> float | None:
    text = cell.strip()
    if text.lower() in NOTHING:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SeriesError(
            f"{path}, line {line}: {column} is {text[:40]!r}, which is no finite number: write one, or leave the "
            f"cell empty where it is unknown."
        )
    return value


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SeriesError(f"There is no time zone {name!r}: write one such as Europe/Prague or UTC.") from error


class _Clock:
    """Times as written to seconds of the epoch, in order."""

    def __init__(self, path: Path, zone: ZoneInfo) -> None:
        self._path = path
        self._zone = zone
        self._counted: frozenset[str] = frozenset()

    def look_at(self, days: list[tuple[str, str]]) -> None:
        """Find the days whose hours are counted from midnight: their clock times would not exist."""
        self._counted = frozenset(
            day for day, clock in days if clock.startswith("24:") or self._missing(day, clock)
        )

    def _missing(self, day: str, clock: str) -> bool:
        try:
            when = datetime.fromisoformat(f"{day}T{clock}")
        except ValueError:
            return False
        return when.tzinfo is None and self._there(when)[1] != when

    def _there(self, when: datetime) -> tuple[int, datetime]:
        """A local time in seconds of the epoch, and as the clock showed it then."""
        found = int(when.replace(tzinfo=self._zone).timestamp())
        return found, datetime.fromtimestamp(found, self._zone).replace(tzinfo=None)

    def seconds(self, text: str, line: int, before: tuple[int, float | None, int] | None) -> int:
        """The time of a row of a series, whose row before is given."""
        try:
            written = datetime.fromtimestamp(int(text), UTC) if text.isdigit() and len(text) > 8 else None
            day, _, time = text.partition("T")
            when = written or datetime.fromisoformat(day if day in self._counted else text)
            clock = [int(part) for part in time.split(":")] if day in self._counted else []
        except (ValueError, OverflowError, OSError) as error:
            raise SeriesError(
                f"{self._path}, line {line}: {text[:40]!r} is no time: write 2026-03-01T10:00:00Z, or a date."
            ) from error
        if day in self._counted:
            found = self._there(when)[0] + sum(
                part * unit for part, unit in zip(clock, (3600, 60, 1), strict=False)
            )
        else:
            found = int(when.timestamp()) if when.tzinfo is not None else self._local(when, line, before)
        if before is not None and found <= before[0]:
            how = "the same as" if found == before[0] else "before that"
            raise SeriesError(
                f"{self._path}, line {line}: the time {text} is {how} in line {before[2]}: each series needs its "
                f"rows once and in the order of time. Sort the file and remove what is double."
            )
        return found

    def _local(self, when: datetime, line: int, before: tuple[int, float | None, int] | None) -> int:
        found, shown = self._there(when)
        if shown != when:
            raise SeriesError(
                f"{self._path}, line {line}: there was no {when:%Y-%m-%d %H:%M} in {self._zone.key}, the clocks "
                f"went forward then. Is it another --zone?"
            )
        if before is not None and found <= before[0]:
            again = int(when.replace(tzinfo=self._zone, fold=1).timestamp())
            return again if again != found else found
        return found
