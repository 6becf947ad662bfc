"""What a storage node earns per hour and what more disk would bring, from its satellites' own figures.

Storage is paid by the bytes that a satellite says are stored, so its rate is the newest reported amount times
the price. Egress comes in bursts, so its rate is that of several days, with the spread of whole days as its
interval. An empty gigabyte earns nothing until it is filled.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from math import sqrt
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec

from orch.model.base import Value
from orch.model.readings import Outlook, Pace
from orch.protocols.storj_calendar import day_start
from orch.protocols.storj_values import DiskSample, Month

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.protocols.storj_values import Memory, Node, Prices, Stored, Traffic

HOURS_PER_MONTH = 720
BYTES_PER_TB = 1e12
BYTES_PER_GB = 1e9
CENTS_PER_USD = 100
WINDOW = timedelta(days=7)
TRAFFIC_KEPT = timedelta(days=31)
SHORTEST_WINDOW_H = 1.0
ROOM_BYTES = 5_000_000_000
"""With less free than this, satellites do not choose a node for uploads."""

SAMPLES_KEPT = timedelta(days=7)
SAMPLE_EVERY = timedelta(minutes=59)
OWN_GROWTH_H = 6.0
GROWING_SHARE = 0.2
"""A day on which this share of the ingress stayed had room; on a full disk as much goes as comes."""

T_90 = (6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895)
"""Two-sided 90 % quantiles of Student's t for 1, 2, ... degrees of freedom."""


class Flow(Value):
    """USD per hour of one satellite, and what it rests on."""

    storage: float
    egress: float
    stored: float
    by_day: tuple[tuple[datetime, float], ...]
    hours: float
    as_of: datetime


def joined_up(old: Month | None, new: Month) -> Month:
    """The newest answer with the traffic of earlier days kept, also over the edge of a month."""
    if old is None or old.as_of > new.as_of:
        return new
    fresh = {traffic.day for traffic in new.traffic}
    oldest = day_start(new.as_of - TRAFFIC_KEPT)
    unbroken = old.as_of >= new.covered_from - timedelta(hours=1)
    kept = tuple(t for t in old.traffic if unbroken and t.day not in fresh and oldest <= t.day < new.covered_from)
    covered_from = max(old.covered_from, oldest) if unbroken else new.covered_from
    return msgspec.structs.replace(
        new,
        traffic=(*kept, *new.traffic),
        stored=_newer(old, new),
        covered_from=min(covered_from, new.covered_from),
        prices=new.prices if new.prices is not None and new.prices.known else old.prices,
    )


def sampled(samples: tuple[DiskSample, ...], node: Node) -> tuple[DiskSample, ...]:
    """The hourly disk samples with the newest answer added when an hour has passed."""
    if samples and node.as_of - samples[-1].taken_at < SAMPLE_EVERY:
        return samples
    newest = DiskSample(taken_at=node.as_of, used=node.disk.used, free=node.disk.free)
    return (*(s for s in samples if s.taken_at >= node.as_of - SAMPLES_KEPT), newest)


def serving(memory: Memory) -> tuple[str, ...]:
    """The satellites that still pay: trusted, heard of and not disqualified."""
    if memory.node is None:
        return ()
    gone = {key for key, _ in memory.gone}
    return tuple(s.id for s in memory.node.satellites if s.disqualified_at is None and s.id not in gone)


def unpriced(memory: Memory) -> tuple[str, ...]:
    """The satellites that store or move data for which the node knows no price."""
    months = dict(memory.satellites)
    return tuple(
        key
        for key in serving(memory)
        if key in months
        and _busy(months[key])
        and (prices := price_of(memory, key)) is not None
        and not prices.known
    )


def price_of(memory: Memory, satellite: str) -> Prices | None:
    """The prices of a satellite: as stated by themselves, else within its month."""
    own = dict(memory.prices).get(satellite)
    if own is not None and own.known:
        return own
    month = dict(memory.satellites).get(satellite)
    return month.prices if month is not None and month.prices is not None else own


def pace(flows: tuple[Flow, ...]) -> Pace | None:
    """USD per hour before anything is held back; None until every satellite has told its prices and its use.

    The interval is that of the mean of whole days' egress (90 %, Student's t); with fewer than two whole days
    egress may be anything from nothing to twice what was seen.
    """
    if not flows:
        return None
    storage, egress = sum(flow.storage for flow in flows), sum(flow.egress for flow in flows)
    days: dict[datetime, float] = {}
    for flow in flows:
        for day, usd in flow.by_day:
            days[day] = days.get(day, 0.0) + usd
    spread = _spread(tuple(usd / 24 for usd in days.values()))
    reach = egress if spread is None else spread
    return Pace(
        unit="USD",
        low=storage + max(0.0, egress - reach),
        mean=storage + egress,
        high=storage + egress + reach,
        evidence="estimated",
        window_s=max(flow.hours for flow in flows) * 3600,
        as_of=min(flow.as_of for flow in flows),
    )


def outlook(memory: Memory, flows: tuple[Flow, ...]) -> Outlook | None:
    """What one more GB on the disk earns per hour once it is filled, and how fast GB fill.

    A GB on the disk earns less than a GB the satellites count, for trash and garbage share the disk unpaid.
    Before anything is stored it is the price of storage alone.
    """
    node = memory.node
    if node is None:
        return None
    used_gb = node.disk.used / BYTES_PER_GB
    per_unit: float | None = None
    if flows:
        stored_gb = sum(flow.stored for flow in flows) / BYTES_PER_GB
        per_unit = _bare_price(memory)
        if stored_gb > 0:
            per_unit = sum(flow.storage + flow.egress for flow in flows) / max(stored_gb, used_gb)
    return Outlook(
        form="stock",
        resource="storage_gb",
        unit="USD",
        per_unit_hour=per_unit,
        used=used_gb,
        fill_per_hour=_fill(memory, node),
    )


def flows_of(memory: Memory) -> tuple[Flow, ...]:
    """One per paying satellite, or none at all while one of them is still unknown."""
    months = dict(memory.satellites)
    flows = []
    for key in serving(memory):
        month, prices = months.get(key), price_of(memory, key)
        if month is None or prices is None or (not prices.known and _busy(month)):
            return ()
        flow = _flow(month, prices)
        if flow is None:
            return ()
        flows.append(flow)
    return tuple(flows)


def _flow(month: Month, prices: Prices) -> Flow | None:
    start = max(month.covered_from, day_start(month.as_of - WINDOW))
    if month.joined_at is not None:
        start = max(start, min(month.joined_at, month.as_of))
    hours = (month.as_of - start).total_seconds() / 3600
    if hours < SHORTEST_WINDOW_H:
        return None
    stored = month.stored.amount if month.stored is not None else 0.0
    first = day_start(start)
    by_day = {t.day: _worth(t, prices) for t in month.traffic if t.day >= first}
    whole = _whole_days(start, month.as_of)
    return Flow(
        storage=stored / BYTES_PER_TB * prices.disk / CENTS_PER_USD / HOURS_PER_MONTH,
        egress=sum(by_day.values()) / hours,
        stored=stored,
        by_day=tuple((day, by_day.get(day, 0.0)) for day in whole),
        hours=hours,
        as_of=month.as_of,
    )


def _worth(traffic: Traffic, prices: Prices) -> float:
    """USD of one day's egress; repair goes at the audit price, as in the node's own estimate."""
    cents = traffic.usage * prices.egress + traffic.repair_audit * prices.audit
    return cents / BYTES_PER_TB / CENTS_PER_USD


def _fill(memory: Memory, node: Node) -> float | None:
    """GB per hour that demand brings while there is room; None when nothing was seen at all.

    Own measurements of the disk come first, for they also know what is deleted without being reported; a jump
    of the counters (a scan that ends) is capped by the most that ever came in. Else the node's daily traffic
    speaks: ingress less deletions, over the days on which the disk had room. A disk that was never
    seen with room only takes what deletions free, and that is a lower limit of demand.
    """
    days = _days(memory.merged)
    measured = memory.grown_per_hour
    if measured is not None:
        most = max((day.ingress / day.hours for day in days), default=measured)
        return max(0.0, min(measured, most)) / BYTES_PER_GB
    whole = [day for day in days if day.hours == 24]
    full = node.disk.free < ROOM_BYTES or any(sample.free < ROOM_BYTES for sample in memory.disk_samples)
    if not full:
        rates = [day.net / 24 for day in whole[-WINDOW.days :] or days[-1:] if day.hours >= SHORTEST_WINDOW_H]
    else:
        growing = [day.net for day in whole if day.net > GROWING_SHARE * day.ingress]
        rates = [net / 24 for net in growing if net >= max(growing) / 2]
        rates = rates or [day.ingress / 24 for day in whole if day.ingress > 0]
    return fmean(rates) / BYTES_PER_GB if rates else None


class _Day(Value):
    """Bytes of one day and how many of its hours are known."""

    ingress: int
    net: int
    hours: float


def _days(month: Month | None) -> list[_Day]:
    """The known days, oldest first; the last is today's part of a day."""
    if month is None:
        return []
    start = max(month.covered_from, day_start(month.as_of - TRAFFIC_KEPT))
    if month.joined_at is not None:
        start = max(start, min(month.joined_at, month.as_of))
    today = day_start(month.as_of)
    known = {traffic.day: traffic for traffic in month.traffic}
    days = []
    for day in (*_whole_days(start, month.as_of), today):
        traffic = known.get(day)
        hours = 24.0 if day < today else (month.as_of - max(start, today)).total_seconds() / 3600
        if hours >= SHORTEST_WINDOW_H:
            ingress = traffic.ingress if traffic else 0
            days.append(
                _Day(ingress=ingress, net=max(0, ingress - (traffic.deleted if traffic else 0)), hours=hours)
            )
    return days


def grown(samples: Sequence[DiskSample]) -> float | None:
    """Bytes per hour the disk use grew by while there was room, once seen for some hours in all."""
    pairs = [
        (after.used - before.used, (after.taken_at - before.taken_at).total_seconds() / 3600)
        for before, after in pairwise(samples)
        if min(before.free, after.free) >= ROOM_BYTES
    ]
    hours = sum(each for _, each in pairs)
    return sum(by for by, _ in pairs) / hours if hours >= OWN_GROWTH_H else None


def _bare_price(memory: Memory) -> float | None:
    """USD per GB-hour of storage alone, the mean over the satellites that state a price."""
    known = [p.disk for key in serving(memory) if (p := price_of(memory, key)) is not None and p.known]
    if not known:
        return None
    return fmean(known) / CENTS_PER_USD / HOURS_PER_MONTH / (BYTES_PER_TB / BYTES_PER_GB)


def _whole_days(start: datetime, end: datetime) -> tuple[datetime, ...]:
    first = day_start(start)
    if first < start:
        first += timedelta(days=1)
    return tuple(first + timedelta(days=n) for n in range(max(0, (day_start(end) - first).days)))


def _spread(rates: tuple[float, ...]) -> float | None:
    if len(rates) < 2:
        return None
    middle, count = fmean(rates), len(rates)
    deviation = sqrt(sum((rate - middle) ** 2 for rate in rates) / (count - 1))
    return T_90[min(count - 1, len(T_90)) - 1] * deviation / sqrt(count)


def _newer(old: Month, new: Month) -> Stored | None:
    if new.stored is None or (old.stored is not None and old.stored.day > new.stored.day):
        return old.stored
    return new.stored


def _busy(month: Month) -> bool:
    stored = month.stored is not None and month.stored.amount > 0
    return stored or any(t.usage or t.repair_audit for t in month.traffic)
