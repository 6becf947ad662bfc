"""When a report is due: once a day or a week, at an hour of the wall's clock."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias
from zoneinfo import ZoneInfo

from orch.model.base import Value
from orch.model.notices import Notice

if TYPE_CHECKING:
    from orch.alerts.desk import Terms

Every: TypeAlias = Literal["daily", "weekly"]
DAYS: dict[Every, int] = {"daily": 1, "weekly": 7}
MONDAY = 0
LATE = timedelta(hours=12)
"""Who was off at the hour still gets the report this much later."""


class ReportTerms(Value):
    """How often, at which hour and minute, on whose clock. Weekly ones come on Mondays."""

    every: Every
    hour: int = 8
    minute: int = 0
    zone: str = "UTC"


def last_due(now: datetime, terms: ReportTerms) -> datetime:
    """The newest time at which a report was due, now at the latest."""
    zone = ZoneInfo(terms.zone)
    local = now.astimezone(zone)
    day = local.date()
    if terms.every == "weekly":
        day -= timedelta(days=(day.weekday() - MONDAY) % 7)
    due = datetime.combine(day, time(terms.hour, terms.minute), zone)
    if due > local:
        due = datetime.combine(day - timedelta(days=DAYS[terms.every]), time(terms.hour, terms.minute), zone)
    return due


def report_notices(
    reported_at: datetime | None, now: datetime, reports: ReportTerms | None, terms: Terms
) -> tuple[tuple[Notice, ...], datetime | None]:
    """The reports to send now, one per channel that wants them, and what to remember.

    The first start only notes the time: a report is about a period in which orch ran.
    """
    if reports is None:
        return (), reported_at
    due = last_due(now, reports)
    if reported_at is None or now - due > LATE:
        return (), max(due, reported_at or due)
    if due <= reported_at:
        return (), reported_at
    marks = "".join((f"[{terms.host}] " if terms.host else "", "EMULATED " if terms.emulated else ""))
    return (
        tuple(
            Notice(
                id=f"{channel.name}-report-{due:%Y%m%dT%H%M}",
                channel=channel.name,
                kind="report",
                title=f"{marks}{reports.every.capitalize()} report",
                body="",
                severity="info",
                created_at=now,
                period_s=DAYS[reports.every] * 86_400.0,
            )
            for channel in terms.channels
            if channel.reports
        ),
        due,
    )
