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
from orch.model.kept import kept_by
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

NOON = timedelta(hours=12)
UNREPORTED = timedelta(hours=72)
"""A satellite that a node joined this long ago has reported, if there is anything to report."""

MOST_SCALED = 2.0
"""Egress of an earlier day is scaled to what is stored now by no more than this."""

USUAL_SPREAD, USUAL_DAYS = 0.09, 3
"""How much days of egress usually differ, as a share of it, and how many days seen this counts as."""

PROJECTED_DOUBT = 0.05
"""How far what the node only projects may be off, after growth that no report has counted."""

COUNTED_DOUBT, MEASURED_DOUBT = 0.06, 0.3
"""How wrong growth since the last report may be, by what moved: an uneven day, uncounted deletions."""

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

    The interval is that of what is stored now, in quadrature with that of one more day's egress. Prices are cut to
    whole cents: upwards the interval has the rest of the cent.
    """
    if not flows:
        return None
    storage, egress = sum(flow.storage for flow in flows), sum(flow.egress for flow in flows)
    days: dict[datetime, float] = {}
    for flow in flows:
        for day, usd in flow.by_day:
            days[day] = days.get(day, 0.0) + usd / 24
    unsure = sum(flow.unsure for flow in flows)
    reach = hypot(unsure, _spread(egress, tuple(days.values())))
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


@kept_by(
    lambda memory: (
        memory.node and memory.node.satellites,
        memory.satellites,
        memory.prices,
        memory.gone,
        memory.merged,
        memory.grown_per_hour,
    ),
    lambda memory: memory.context.node,
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
    first, whole = day_start(start), whole_days(start, month.as_of)
    sizes = _sizes(memory, month, stored)
    worth = {t.day: _worth(t, prices) * sizes[t.day] for t in month.traffic if t.day >= first}
    by_day = tuple((day, worth.get(day, 0.0)) for day in whole)
    per_cent = stored / BYTES_PER_TB / CENTS_PER_USD / HOURS_PER_MONTH
    return Flow(
        satellite=key,
        storage=per_cent * prices.disk,
        unsure=doubt / BYTES_PER_TB * prices.disk / CENTS_PER_USD / HOURS_PER_MONTH,
        cut=per_cent if prices.known else 0.0,
        egress=fmean(usd for _, usd in by_day) / 24 if by_day else sum(worth.values()) / hours,
        stored=stored,
        by_day=by_day,
        hours=24.0 * len(by_day) or hours,
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
    report = month.stored
    if report is None:
        return 0.0, 0.0
    if report.projected:
        return report.amount, PROJECTED_DOUBT * report.amount
    share, doubt = _kept(memory, month)
    grown_by = moved = 0.0
    for traffic in month.traffic:
        if traffic.day >= report.day and month.as_of > report.day + NOON:
            part = 0.5 if traffic.day == report.day else 1.0
            grown_by += part * (share * traffic.ingress - traffic.deleted)
            moved += part * (traffic.ingress + traffic.deleted)
    return max(0.0, report.amount + grown_by), doubt * moved


def _kept(memory: Memory, month: Month) -> tuple[float, float]:
    """Of the bytes that come, the share that stays but for the deletions that are counted; and its doubt."""
    if any(traffic.deleted for traffic in month.traffic):
        return 1.0, COUNTED_DOUBT
    days = [day for day in known_days(memory.merged) if day.ingress][-WINDOW.days :]
    if memory.grown_per_hour is None or not days:
        return 0.5, 0.5
    came = sum(day.ingress for day in days) / sum(day.hours for day in days)
    return min(1.0, max(0.0, memory.grown_per_hour / came)), MEASURED_DOUBT


def _sizes(memory: Memory, month: Month, stored: float) -> dict[datetime, float]:
    """By how much more is stored now than on each day: egress goes with what there is to be read."""
    share, _ = _kept(memory, month)
    sizes: dict[datetime, float] = {}
    later = 0.0
    for traffic in reversed(month.traffic):
        net = share * traffic.ingress - traffic.deleted
        then = stored - later - net / 2
        sizes[traffic.day] = min(MOST_SCALED, max(1 / MOST_SCALED, stored / then)) if then > 0 < stored else 1.0
        later += net
    return sizes


def _worth(traffic: Traffic, prices: Prices) -> float:
    """USD of one day's egress; repair goes at the audit price, as in the node's own estimate."""
    cents = traffic.usage * prices.egress + traffic.repair_audit * prices.audit
    return cents / BYTES_PER_TB / CENTS_PER_USD


def _spread(mean: float, rates: tuple[float, ...]) -> float:
    """Half the width of the interval in which one more day's rate lies (90 %, Student's t).

    A few days alone say little of how days differ: `USUAL_SPREAD` counts beside them as much as `USUAL_DAYS`.
    """
    count = max(1, len(rates))
    squares = USUAL_DAYS * (USUAL_SPREAD * mean) ** 2
    if rates:
        middle = fmean(rates)
        squares += sum((rate - middle) ** 2 for rate in rates)
    freedom = USUAL_DAYS + count - 1
    return T_90[min(freedom, len(T_90)) - 1] * sqrt(squares / freedom * (1 + 1 / count))
