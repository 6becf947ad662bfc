"""How a storage node fills, what its satellites say of it month by month, and what more disk would bring.

An empty gigabyte earns nothing until it is filled.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

import msgspec

from orch.model.base import Value
from orch.model.kept import kept_by
from orch.model.readings import Outlook
from orch.protocols.storj_calendar import day_start
from orch.protocols.storj_money import overtaken
from orch.protocols.storj_values import DiskSample, Month

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.protocols.storj_pace import Flow
    from orch.protocols.storj_values import Memory, Node, Prices, Stored

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

TOLD_FOR = timedelta(hours=24)

FALL = 0.0005
"""Scores are rounded and drift by less."""


def joined_up(old: Month | None, new: Month) -> Month:
    """The newest answer with the traffic of earlier days kept, also over the edge of a month."""
    if old is None:
        return new
    if old.as_of > new.as_of:
        return old if overtaken(old.as_of, new.as_of) else new
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
        **_fall(old, new),
    )


def _fall(old: Month, new: Month) -> dict[str, Any]:
    """The last fall of the audit score, until it has risen again or a day has passed."""
    if 0 < new.audit_score < old.audit_score - FALL:
        return {"audit_fell_from": old.audit_score, "audit_fell_at": new.as_of}
    since, before = old.audit_fell_at, old.audit_fell_from
    if since is None or before is None or new.as_of - since > TOLD_FOR or new.audit_score >= before:
        return {}
    return {"audit_fell_from": before, "audit_fell_at": since}


def sampled(samples: tuple[DiskSample, ...], node: Node) -> tuple[DiskSample, ...]:
    """The hourly disk samples with the newest answer added when an hour has passed."""
    if samples and node.as_of - samples[-1].taken_at < SAMPLE_EVERY:
        return samples
    unpaid = node.disk.trash + node.disk.reclaimable
    newest = DiskSample(taken_at=node.as_of, used=node.disk.used, free=node.disk.free, unpaid=unpaid)
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
        and busy(months[key])
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
        if stored_gb > 0:
            per_unit = sum(flow.storage + flow.egress for flow in flows) / max(stored_gb, used_gb)
        else:
            per_unit = _bare_price(memory)
    return Outlook(
        form="stock",
        resource="storage_gb",
        unit="USD",
        per_unit_hour=per_unit,
        used=used_gb,
        fill_per_hour=_fill(memory, node),
    )


def _fill(memory: Memory, node: Node) -> float | None:
    """GB per hour that demand brings while there is room; None when nothing was seen at all.

    Own measurements of the disk come first, for they also know what is deleted without being reported; a jump
    of the counters (a scan that ends) is capped by the most that ever came in. Else the node's daily traffic
    speaks: ingress less deletions, over the days on which the disk had room. A disk that was never
    seen with room only takes what deletions free, and that is a lower limit of demand.
    """
    measured = memory.grown_per_hour
    if measured is not None:
        most = _most_ingress(memory)
        return max(0.0, measured if most is None else min(measured, most)) / BYTES_PER_GB
    days = known_days(memory.merged)
    whole = [day for day in days if day.hours == 24]
    full = node.disk.free < ROOM_BYTES or any(sample.free < ROOM_BYTES for sample in memory.disk_samples)
    if not full:
        rates = [day.net / 24 for day in whole[-WINDOW.days :] or days[-1:] if day.hours >= SHORTEST_WINDOW_H]
    else:
        growing = [day.net for day in whole if day.net > GROWING_SHARE * day.ingress]
        rates = [net / 24 for net in growing if net >= max(growing) / 2]
        rates = rates or [day.ingress / 24 for day in whole if day.ingress > 0]
    return fmean(rates) / BYTES_PER_GB if rates else None


@kept_by(lambda memory: (memory.merged,), lambda memory: memory.context.node)
def _most_ingress(memory: Memory) -> float | None:
    """Bytes per hour that came in on the day of most; None where no day is known."""
    return max((day.ingress / day.hours for day in known_days(memory.merged)), default=None)


class DayMoved(Value):
    """Bytes of one day and how many of its hours are known."""

    ingress: int
    net: int
    hours: float


def known_days(month: Month | None) -> list[DayMoved]:
    """The known days, oldest first; the last is today's part of a day."""
    if month is None:
        return []
    start = max(month.covered_from, day_start(month.as_of - TRAFFIC_KEPT))
    if month.joined_at is not None:
        start = max(start, min(month.joined_at, month.as_of))
    today = day_start(month.as_of)
    known = {traffic.day: traffic for traffic in month.traffic}
    days = []
    for day in (*whole_days(start, month.as_of), today):
        traffic = known.get(day)
        hours = 24.0 if day < today else (month.as_of - max(start, today)).total_seconds() / 3600
        if hours >= SHORTEST_WINDOW_H:
            ingress = traffic.ingress if traffic else 0
            days.append(
                DayMoved(ingress=ingress, net=max(0, ingress - (traffic.deleted if traffic else 0)), hours=hours)
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


def whole_days(start: datetime, end: datetime) -> tuple[datetime, ...]:
    """The UTC days that lie wholly within a time."""
    first = day_start(start)
    if first < start:
        first += timedelta(days=1)
    return tuple(first + timedelta(days=n) for n in range(max(0, (day_start(end) - first).days)))


def _newer(old: Month, new: Month) -> Stored | None:
    """The newer report; a guess of the node only where there never was one."""
    if new.stored is None or old.stored is None:
        return new.stored or old.stored
    if new.stored.projected != old.stored.projected:
        return old.stored if new.stored.projected else new.stored
    return old.stored if old.stored.day > new.stored.day else new.stored


def busy(month: Month) -> bool:
    """Whether anything is stored or read for a satellite."""
    stored = month.stored is not None and month.stored.amount > 0
    return stored or any(t.usage or t.repair_audit for t in month.traffic)
