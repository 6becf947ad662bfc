"""What a kWh costs at a time: flat, by the time of day, or from a table by the hour."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias
from zoneinfo import ZoneInfo

from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.model.costs import PowerPrice

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KEPT = timedelta(days=8)
STALE_FOR_DAYS = 2

PriceOfPower: TypeAlias = Literal["fresh", "stale", "unknown"]


class Band(Value):
    """Another price from one minute of the day to another, over midnight when it ends earlier than it begins."""

    start_min: int
    end_min: int
    per_kwh: float
    days: tuple[str, ...] = DAYS


class TariffTerms(Value):
    """How electricity is paid for, in `currency`.

    `flat` with `bands` (the first that fits counts), or neither: then a table says it, and what is paid is the
    table's price times `factor` (taxes) plus `add` (grid, per kWh). Bands are in the clock of `zone`.
    """

    currency: str = "USD"
    zone: str = "UTC"
    flat: float | None = None
    bands: tuple[Band, ...] = ()
    factor: float = 1.0
    add: float = 0.0


class PowerNow(Value):
    """The price of a kWh now. `stale`: the table has ended, and the same hour of a day before stands in."""

    state: PriceOfPower
    per_kwh: float | None = None


def power_now(terms: TariffTerms, table: tuple[PowerPrice, ...], now: datetime) -> PowerNow:
    """What a kWh costs now, in the tariff's currency.

    Args:
        terms: The tariff.
        table: Prices by the hour, for a tariff that has no `flat`.
        now: Aware.
    """
    if terms.flat is not None:
        return PowerNow(state="fresh", per_kwh=_by_band(terms, now, terms.flat))
    for days in range(STALE_FOR_DAYS + 1):
        # The same hour by the clock on the wall, which is not always 24 hours ago.
        local = now.astimezone(ZoneInfo(terms.zone))
        when = now if days == 0 else (local - timedelta(days=days)).astimezone(now.tzinfo)
        found = next((each for each in table if each.start <= when < each.end), None)
        if found is not None:
            return PowerNow(state="stale" if days else "fresh", per_kwh=found.per_kwh * terms.factor + terms.add)
    return PowerNow(state="unknown")


def merged(table: tuple[PowerPrice, ...], newer: Iterable[PowerPrice], now: datetime) -> tuple[PowerPrice, ...]:
    """A table with newer prices in place of older ones for the same time, without what is long past."""
    by_start = {each.start: each for each in table} | {each.start: each for each in newer}
    return tuple(by_start[start] for start in sorted(by_start) if by_start[start].end > now - KEPT)


def _by_band(terms: TariffTerms, now: datetime, flat: float) -> float:
    local = now.astimezone(ZoneInfo(terms.zone))
    minute = local.hour * 60 + local.minute
    for band in terms.bands:
        begun_today = band.start_min <= minute < band.end_min if band.start_min < band.end_min else None
        if begun_today is None:
            over_midnight = minute < band.end_min
            day = (local - timedelta(days=1 if over_midnight else 0)).weekday()
            fits = over_midnight or minute >= band.start_min
        else:
            day, fits = local.weekday(), begun_today
        if fits and DAYS[day] in band.days:
            return band.per_kwh
    return flat
