"""When orch may move things by itself: times of the week by the clock on the wall, whatever daylight saving does.

Membership is asked of the wall's clock, so an hour that comes twice is open twice, and one that is skipped is not
open at all.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD = timedelta(days=8)
SHIFT_GRID = timedelta(minutes=30)
"""Clocks are set forward and back at whole and half hours of UTC."""


class Window(Value):
    """From one minute of the day to another, over midnight when it does not end later than it begins.

    `days` are those on which it begins.
    """

    start_min: int
    end_min: int
    days: tuple[str, ...] = DAYS


class Windows(Value):
    """All windows, and in whose clock; none means that every time will do."""

    of: tuple[Window, ...] = ()
    zone: str = "UTC"


def is_open(windows: Windows, now: datetime) -> bool:
    """Whether one of the windows is open (`now` is aware); always, when there is none."""
    if not windows.of:
        return True
    local = now.astimezone(ZoneInfo(windows.zone))
    return any(_holds(window, local) for window in windows.of)


def opens_at(windows: Windows, now: datetime) -> datetime | None:
    """When the next window opens, in the zone of `now`; None while one is open.

    A window that would begin in an hour that is skipped opens at the end of that hour.
    """
    if is_open(windows, now):
        return None
    found = sorted(each for each in _candidates(windows, now) if each > now)
    # Windows come back every week, so that one of the candidates is always open.
    return next((each for each in found if is_open(windows, each)), now + AHEAD)


def _holds(window: Window, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    if window.start_min < window.end_min:
        return window.start_min <= minute < window.end_min and DAYS[local.weekday()] in window.days
    if minute >= window.start_min and DAYS[local.weekday()] in window.days:
        return True
    return minute < window.end_min and DAYS[(local.weekday() - 1) % 7] in window.days


def _candidates(windows: Windows, now: datetime) -> Iterator[datetime]:
    """Every instant of the next days at which a window may open: its beginnings, and shifts of the clock."""
    zone = ZoneInfo(windows.zone)
    today = now.astimezone(zone).date()
    for days in range(AHEAD.days + 1):
        for start_min in {window.start_min for window in windows.of}:
            begins = datetime.combine(
                today + timedelta(days=days), time(start_min // 60, start_min % 60), tzinfo=zone
            )
            yield begins.astimezone(now.tzinfo)
            yield begins.replace(fold=1).astimezone(now.tzinfo)
    grid = now.replace(minute=0, second=0, microsecond=0)
    offset = grid.astimezone(zone).utcoffset()
    for step in range(1, AHEAD // SHIFT_GRID + 1):
        when = grid + step * SHIFT_GRID
        there = when.astimezone(zone).utcoffset()
        if there != offset:
            yield when
        offset = there
