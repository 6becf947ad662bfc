"""`[limits]`: how often, how much and when nodes may be moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from orch.config.reader import suggestion
from orch.config.schema import LimitsTable

if TYPE_CHECKING:
    from orch.config.reader import Reader


def read_limits(reader: Reader, raw: Any) -> LimitsTable:
    """The table, or its defaults where it is wrong (its faults are noted)."""
    table = reader.struct(LimitsTable, raw, "limits")
    if table is None:
        return LimitsTable()
    if table.zone is not None:
        try:
            ZoneInfo(table.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            near = suggestion(table.zone, available_timezones())[:200]
            reader.fault("limits.zone", f"unknown time zone, {near}", table.zone)
    for index, window in enumerate(table.windows):
        if not window.days:
            reader.fault(f"limits.windows[{index}].days", "no day is named, so that it never opens; remove it")
    return table
