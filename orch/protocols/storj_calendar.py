"""UTC days and months, as the payouts of Storj count them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def day_start(moment: datetime) -> datetime:
    """Midnight in UTC at or before a time."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def month_start(moment: datetime) -> datetime:
    """The first midnight in UTC of a time's month."""
    return day_start(moment).replace(day=1)


def month_name(moment: datetime) -> str:
    """`2026-11`."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def span(month: str) -> tuple[datetime, datetime]:
    """The first instant of a month (`2026-11`) and that of the next."""
    start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return start, month_start(start + timedelta(days=32))


def months_back(moment: datetime, count: int) -> str:
    """The name of the month that lies `count` months before a time's month."""
    start = month_start(moment)
    for _ in range(count):
        start = month_start(start - timedelta(days=1))
    return month_name(start)


def day_exists_in_previous_month(moment: datetime) -> bool:
    """Whether the month before a time's month has a day of this number."""
    return moment.astimezone(UTC).day <= (month_start(moment) - timedelta(days=1)).day
