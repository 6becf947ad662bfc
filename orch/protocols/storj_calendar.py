"""UTC days and months, as the payouts of Storj count them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache


def day_start(moment: datetime) -> datetime:
    """Midnight in UTC at or before a time."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(moment: datetime) -> datetime:
    """The first midnight in UTC of a time's month."""
    return day_start(moment).replace(day=1)


def month_name(moment: datetime) -> str:
    """`2026-11`."""
    return months_back(moment, 0)


@lru_cache(maxsize=256)
def span(month: str) -> tuple[datetime, datetime]:
    """The first instant of a month (`2026-11`) and that of the next."""
    year, number = int(month[:4]), int(month[5:])
    return datetime(year, number, 1, tzinfo=UTC), datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def months_back(moment: datetime, count: int) -> str:
    """The name of the month that lies `count` months before a time's month."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return _named(utc.year * 12 + utc.month - 1 - count)


@lru_cache(maxsize=256)
def _named(months: int) -> str:
    year, month = divmod(months, 12)
    return f"{year:04}-{month + 1:02}"


def day_exists_in_previous_month(moment: datetime) -> bool:
    """Whether the month before a time's month has a day of this number."""
    return moment.astimezone(UTC).day <= (month_start(moment) - timedelta(days=1)).day
