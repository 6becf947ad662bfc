"""Tables of electricity prices as they are published: CSV and JSON, local times and all.

Days on which the clock changes have 23 or 25 hours. Two ways of writing them down are told apart: by the clock on
the wall (an hour is missing, or stands there twice), or by counting from midnight (one hour too few, or `24:00`).
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from orch.errors import AbsurdError, ShapeError
from orch.model.base import Value
from orch.model.costs import PowerPrice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

HIGHEST_PER_KWH = 1000.0
LONGEST = timedelta(hours=1)
MILLIS_FROM = 1e11
DAY_MIN = 1440
TIMES = ("start_timestamp", "time_start", "startsat", "valid_from", "unix_seconds", "start", "datetime", "time")
TIMES_MORE = ("timestamp", "date", "hour", "from", "utc")


class TableShape(Value):
    """How a table is written. Names of columns (or JSON keys) that are None are found by looking.

    `time` may name two columns, a date and a time of day, with a blank between. `per_mwh`: prices are per MWh.
    """

    zone: str = "UTC"
    per_mwh: bool = False
    time: str | None = None
    price: str | None = None


Moment = datetime | tuple[date, int]
"""An aware time, or a local day with the minutes since its midnight."""


def read_table(body: bytes, shape: TableShape) -> tuple[PowerPrice, ...]:
    """The prices in a file or an answer, oldest first.

    Raises ShapeError when it is no such table, AbsurdError for a price that cannot be one.
    """
    text = _text(body)
    rows = _json_rows(text) if text.lstrip()[:1] in ("[", "{") else _csv_rows(text)
    if not rows:
        raise ShapeError("the table of electricity prices is empty")
    columns = _columns(rows[0], shape)
    prices = [_price(row.get(columns[-1]), shape) for row in rows]
    starts = _starts([_moment(row, columns[:-1]) for row in rows], ZoneInfo(shape.zone))
    found = sorted(zip(starts, prices, strict=True), key=lambda each: each[0])
    return tuple(_with_ends(found))


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ShapeError("the table of electricity prices is not text") from error


def _csv_rows(text: str) -> list[dict[str, Any]]:
    head = text.partition("\n")[0]
    delimiter = max(";\t,", key=head.count)
    try:
        rows = [dict(row) for row in csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)]
    except csv.Error as error:
        raise ShapeError(f"the table of electricity prices is no CSV: {error}") from error
    if delimiter != ",":
        rows = [{key: _point(value) for key, value in row.items()} for row in rows]
    return [row for row in rows if any(row.values())]


def _point(value: Any) -> Any:
    """A decimal comma as a point."""
    return value.replace(",", ".") if isinstance(value, str) and value.count(",") == 1 else value


def _json_rows(text: str) -> list[dict[str, Any]]:
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ShapeError(f"the table of electricity prices is no JSON: {error}") from error
    if isinstance(body, dict):
        lists = {key: each for key, each in body.items() if isinstance(each, list)}
        rows = next((each for each in lists.values() if each and isinstance(each[0], dict)), None)
        if rows is None and len({len(each) for each in lists.values()}) == 1:
            return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
        body = rows
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        raise ShapeError("the electricity prices are neither a list of hours nor lists of times and prices")
    return body


def _columns(row: Mapping[str, Any], shape: TableShape) -> tuple[str, ...]:
    """The names of the columns of time (one or two) and of the price, in this order."""
    lower = {str(key).lower(): str(key) for key in row if key is not None}
    if not lower:
        raise ShapeError("the table of electricity prices names no columns in its first line")
    if shape.time is not None:
        times = tuple(shape.time.split())
    elif "date" in lower and (
        clock := next((each for each in ("time_from", "time", "hour") if each in lower), None)
    ):
        times = (lower["date"], lower[clock])
    else:
        known = [lower[each] for each in (*TIMES, *TIMES_MORE) if each in lower]
        times = (known[0],) if known else (next(iter(lower.values())),)
    price = shape.price or next(
        (name for low, name in lower.items() if "price" in low or "per_kwh" in low),
        next(
            (lower[each] for each in ("value_inc_vat", "total", "value") if each in lower),
            list(lower.values())[-1],
        ),
    )
    missing = [name for name in (*times, price) if name not in row]
    if missing or len(times) > 2:
        said = ", ".join(map(str, lower.values()))
        raise ShapeError(
            f"the table of electricity prices has no {' and '.join(missing) or 'such time'}: it has {said}"
        )
    return (*times, price)


def _price(raw: Any, shape: TableShape) -> float:
    try:
        price = float(raw) / (1000.0 if shape.per_mwh else 1.0)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"not a price of electricity: {raw!r:.40}") from error
    if not math.isfinite(price) or abs(price) > HIGHEST_PER_KWH:
        raise AbsurdError(f"electricity cannot cost {raw!r:.40} per {'MWh' if shape.per_mwh else 'kWh'}")
    return price


def _moment(row: Mapping[str, Any], columns: tuple[str, ...]) -> Moment:
    raw = row[columns[0]]
    try:
        if len(columns) == 2:
            return date.fromisoformat(str(raw).strip()), _minutes(str(row[columns[1]]).strip())
        if isinstance(raw, str) and not raw.strip().isdigit():
            found = datetime.fromisoformat(raw.strip())
            if found.tzinfo is not None:
                return found.astimezone(UTC)
            return found.date(), found.hour * 60 + found.minute
        seconds = float(raw)
        return datetime.fromtimestamp(seconds / 1000.0 if seconds > MILLIS_FROM else seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ShapeError(f"not a time of a price of electricity: {raw!r:.40}") from error


def _minutes(clock: str) -> int:
    """`24:00` is the 25th hour of a long day; a bare hour is allowed."""
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes.partition(":")[0] or 0)


def _starts(moments: list[Moment], zone: ZoneInfo) -> list[datetime]:
    days: dict[date, list[int]] = defaultdict(list)
    for each in moments:
        if not isinstance(each, datetime):
            days[each[0]].append(each[1])
    local = {day: iter(_in_utc(day, minutes, zone)) for day, minutes in days.items()}
    return [each if isinstance(each, datetime) else next(local[each[0]]) for each in moments]


def _in_utc(day: date, minutes: list[int], zone: ZoneInfo) -> Iterator[datetime]:
    midnight = datetime.combine(day, time(), zone).astimezone(UTC)
    after = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    length = round((after - midnight).total_seconds() / 60)
    skipped = length < DAY_MIN and any(not _exists(day, each, zone) for each in minutes)
    if length == DAY_MIN or skipped or max(minutes) >= DAY_MIN:
        if max(minutes) >= max(length, DAY_MIN):
            raise ShapeError(f"{day} has no minute {max(minutes)}")
        yield from (midnight + timedelta(minutes=each) for each in minutes)
        return
    before = -1
    for each in minutes:
        repeated = each <= before
        wall = datetime.combine(day, time(each // 60, each % 60), zone).replace(fold=int(repeated))
        # After the repeated hours the clock goes on: what is not repeated has one reading only.
        before = each if not repeated else before
        yield wall.astimezone(UTC)


def _exists(day: date, minutes: int, zone: ZoneInfo) -> bool:
    wall = datetime.combine(day, time(minutes // 60 % 24, minutes % 60), zone)
    return wall.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None)


def _with_ends(found: Iterable[tuple[datetime, float]]) -> Iterator[PowerPrice]:
    """Each price stands until the next one, and no longer than the usual step of the table."""
    rows = list(found)
    gaps = Counter(b[0] - a[0] for a, b in pairwise(rows) if b[0] > a[0])
    step = min(max(gaps, key=lambda gap: gaps[gap]), LONGEST) if gaps else LONGEST
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        end = row[0] + step
        if following is not None and row[0] < following[0] < end:
            end = following[0]
        yield PowerPrice(start=row[0], end=end, per_kwh=row[1])
