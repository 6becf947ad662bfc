"""What a storage node earns per hour, from its satellites' own figures.

Storage is paid by the bytes that a satellite says are stored, so its rate is the newest reported amount, and what
has come since, times the price. Egress comes in bursts, so its rate is that of several days, with the spread of
whole days as its interval.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import hypot, sqrt
from statistics import fmean
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.model.readings import Pace
from orch.protocols.storj_calendar import day_start
from orch.protocols.storj_growth import (
    BYTES_PER_TB,
    CENTS_PER_USD,
    HOURS_PER_MONTH,
    SHORTEST_WINDOW_H,
    WINDOW,
    busy,
    known_days,
    price_of,
    serving,
    whole_days,
)

if TYPE_CHECKING:
    from orch.protocols.storj_values import Memory, Month, Prices, Traffic

COUNTED_DOUBT, MEASURED_DOUBT = 0.08, 0.3
"""How wrong growth since the last report may be, by what moved: an uneven day, uncounted deletions."""


UNREPORTED = timedelta(hours=72)
"""A satellite that a node joined this long ago has reported, if there is anything to report."""


T_90 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895)
"""Two-sided 90 % quantiles of Student's t for 1, 2, ... degrees of freedom."""


class Flow(Value):
    """USD per hour of one satellite, and what it rests on.

    `storage` is that of `stored` bytes now; `unsure` is half the width of its 90 % interval below, and above with
    the fraction of a cent that the price was cut by (`cut`).
    """

    satellite: str
    storage: float
    unsure: float
    cut: float
    egress: float
    stored: float
    by_day: tuple[tuple[datetime, float], ...]
    hours: float
    as_of: datetime


def pace(flows: tuple[Flow, ...]) -> Pace | None:
    """USD per hour before anything is held back; None until every satellite has told its prices and its use.

    The interval is that of what is stored now, in quadrature with that of one day's egress (90 %, Student's t over
    whole days); with fewer than two whole days egress may be anything from nothing to twice what was seen.
    Prices are cut to whole cents: upwards the interval has the rest of the cent.
    """
    if not flows:
        return None
    storage, egress = sum(flow.storage for flow in flows), sum(flow.egress for flow in flows)
    days: dict[datetime, float] = {}
    for flow in flows:
        for day, usd in flow.by_day:
            days[day] = days.get(day, 0.0) + usd
    spread = _spread(tuple(usd / 24 for usd in days.values()))
    unsure = sum(flow.unsure for flow in flows)
    reach = hypot(unsure, egress if spread is None else min(spread, egress))
    mean = storage + egress
    return Pace(
        unit="USD",
        low=max(0.0, mean - reach),
        mean=mean,
        high=mean + reach + sum(flow.cut for flow in flows),
        evidence="estimated",
        window_s=max(flow.hours for flow in flows) * 3600,
        as_of=min(flow.as_of for flow in flows),
    )


def flows_of(memory: Memory) -> tuple[Flow, ...]:
    """One per paying satellite, or none at all while one of them is still unknown."""
    months = dict(memory.satellites)
    flows = []
    for key in serving(memory):
        month, prices = months.get(key), price_of(memory, key)
        if month is None or prices is None or (not prices.known and busy(month)):
            return ()
        flow = _flow(memory, key, month, prices)
        if flow is None:
            return ()
        flows.append(flow)
    return tuple(flows)


def _flow(memory: Memory, key: str, month: Month, prices: Prices) -> Flow | None:
    start = max(month.covered_from, day_start(month.as_of - WINDOW))
    if month.joined_at is not None:
        start = max(start, min(month.joined_at, month.as_of))
    hours = (month.as_of - start).total_seconds() / 3600
    if hours < SHORTEST_WINDOW_H or (month.stored is None and not _empty(month)):
        return None
    stored, doubt = _stored_now(memory, month)
    first = day_start(start)
    by_day = {t.day: _worth(t, prices) for t in month.traffic if t.day >= first}
    whole = whole_days(start, month.as_of)
    per_cent = stored / BYTES_PER_TB / CENTS_PER_USD / HOURS_PER_MONTH
    return Flow(
        satellite=key,
        storage=per_cent * prices.disk,
        unsure=doubt / BYTES_PER_TB * prices.disk / CENTS_PER_USD / HOURS_PER_MONTH,
        cut=per_cent if prices.known else 0.0,
        egress=sum(by_day.values()) / hours,
        stored=stored,
        by_day=tuple((day, by_day.get(day, 0.0)) for day in whole),
        hours=hours,
        as_of=month.as_of,
    )


def _empty(month: Month) -> bool:
    """Whether nothing is stored for a satellite, as far as can be told without any report of it."""
    if busy(month):
        return False
    young = month.joined_at is None or month.as_of - month.joined_at < UNREPORTED
    return young or month.as_of - month.covered_from > UNREPORTED


def _stored_now(memory: Memory, month: Month) -> tuple[float, float]:
    """Bytes stored now, and half the width of its 90 % interval.

    A report is the mean of its day, half a day to two days ago. Since its noon the node itself has counted what
    came and, in part, what went. Where it counts no deletions, they are what the disk did not grow by; without
    samples of the disk they may be anything up to all that came.
    """
    if month.stored is None:
        return 0.0, 0.0
    came, went = _since_noon(month)
    hours = (month.as_of - month.stored.day).total_seconds() / 3600 - 12
    if hours <= 0:
        return month.stored.amount, 0.0
    if any(traffic.deleted for traffic in month.traffic):
        grown_by = came - went
        doubt = COUNTED_DOUBT * (came + went)
    else:
        share = _kept_share(memory)
        grown_by = came * (0.5 if share is None else share)
        doubt = came * (0.5 if share is None else MEASURED_DOUBT)
    return max(0.0, month.stored.amount + grown_by), doubt


def _since_noon(month: Month) -> tuple[float, float]:
    """Bytes that came and went since the middle of the newest reported day."""
    day = month.stored.day if month.stored is not None else month.as_of
    came = went = 0.0
    for traffic in month.traffic:
        if traffic.day >= day:
            part = 0.5 if traffic.day == day else 1.0
            came += part * traffic.ingress
            went += part * traffic.deleted
    return came, went


def _kept_share(memory: Memory) -> float | None:
    """Of the bytes that came, the share by which the disk really grew."""
    days = [day for day in known_days(memory.merged) if day.ingress]
    if memory.grown_per_hour is None or not days:
        return None
    came = sum(day.ingress for day in days[-WINDOW.days :]) / sum(day.hours for day in days[-WINDOW.days :])
    return min(1.0, max(0.0, memory.grown_per_hour / came))


def _worth(traffic: Traffic, prices: Prices) -> float:
    """USD of one day's egress; repair goes at the audit price, as in the node's own estimate."""
    cents = traffic.usage * prices.egress + traffic.repair_audit * prices.audit
    return cents / BYTES_PER_TB / CENTS_PER_USD


def _spread(rates: tuple[float, ...]) -> float | None:
    """Half the width of the interval in which one more day's rate lies (90 %)."""
    if len(rates) < 2:
        return None
    middle, count = fmean(rates), len(rates)
    deviation = sqrt(sum((rate - middle) ** 2 for rate in rates) / (count - 1))
    return T_90[min(count - 1, len(T_90)) - 1] * deviation * sqrt(1 + 1 / count)
