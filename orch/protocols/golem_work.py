"""What agreements say about the work: how busy the node is, how full its cores are, what one core earns.

Nothing here compares answers of different times: an agreement's own amount over its own duration, at its own
price, says how many threads were at work (`amount / hours = cpu price x threads + wall price`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.model.readings import Outlook
from orch.model.resources import Resources, total
from orch.protocols.golem_money import LOOK_BACK, RECENT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.protocols.golem_memory import GolemMemory, Invoice, Pay, Price

FEWEST = 3
"""With fewer finished agreements than this nothing is said about demand."""

SHORTEST_H = 1 / 60
SURE_AFTER_H = 1 / 6
"""Debit notes come every two minutes; before ten minutes they say too little about the threads at work."""


class Work(Value):
    """What the agreements so far say about demand; None while there are too few of them.

    `saturation` is the mean share of the agreed threads that worked, `demand` the most threads that did.
    """

    finished: int
    busy_share: float | None = None
    saturation: float | None = None
    demand: float | None = None


def allocation_of(memory: GolemMemory) -> Resources:
    """What the next agreement would be given: the active profile, or nothing while no preset is active."""
    if memory.presets is not None and not memory.presets.active:
        return Resources(cpu_cores=0.0, memory_gb=0.0, storage_gb=0.0)
    if memory.profile is not None:
        return memory.profile
    return memory.offers[0].resources if memory.offers else Resources()


def price_of(memory: GolemMemory) -> Price | None:
    """The price now: of the published offer, or of the first active preset."""
    published = next((offer.price for offer in memory.offers or () if offer.price is not None), None)
    if published is not None:
        return published
    return memory.presets.prices[0] if memory.presets is not None and memory.presets.prices else None


def committed_of(memory: GolemMemory) -> Resources:
    """What running agreements were given; they keep it until they end, whatever the profile says by then."""
    if memory.running is None:
        return Resources()
    given = [_agreed(memory, agreement) for agreement in memory.running]
    if any(each.cpu_cores is None for each in given):
        return Resources()
    sums = total((Resources(cpu_cores=0.0, memory_gb=0.0, storage_gb=0.0), *given))
    return Resources(cpu_cores=sums.cpu_cores, memory_gb=sums.memory_gb, storage_gb=sums.storage_gb)


def used_of(memory: GolemMemory, work: Work) -> Resources:
    """What running agreements use: their memory and disk whole, of their cores what their own bill says."""
    committed = committed_of(memory)
    if memory.running is None or committed.cpu_cores is None:
        return Resources()
    cores = 0.0
    for agreement in memory.running:
        agreed = _agreed(memory, agreement).cpu_cores or 0.0
        pay = memory.pays.get(agreement)
        threads = None if pay is None else _threads(memory, pay, pay.seen_at, SURE_AFTER_H)
        if threads is None:
            threads = agreed * (1.0 if work.saturation is None else work.saturation)
        cores += min(threads, agreed)
    return Resources(cpu_cores=cores, memory_gb=committed.memory_gb, storage_gb=committed.storage_gb)


def work_of(memory: GolemMemory) -> Work:
    """Demand as far as the agreements tell it."""
    digest = memory.digest
    if digest.finished < FEWEST or memory.pays_read_at is None:
        return Work(finished=digest.finished)
    ended = [(memory.pays[agreement], digest.invoices[agreement]) for agreement in digest.ended]
    shares, most = [], 0.0
    for pay, invoice in ended[:RECENT]:
        agreed = _agreed(memory, pay.agreement_id).cpu_cores
        threads = _threads(memory, pay, invoice.issued_at, SHORTEST_H)
        if agreed and threads is not None:
            shares.append(min(threads / agreed, 1.0))
            most = max(most, min(threads, agreed))
    enough = len(shares) >= FEWEST
    return Work(
        finished=digest.finished,
        busy_share=_busy_share(memory, ended, memory.pays_read_at),
        saturation=sum(shares) / len(shares) if enough else None,
        demand=most if enough else None,
    )


def outlook_of(memory: GolemMemory, work: Work) -> Outlook:
    """Cores as a dial: what one in full use earns, how often and how far they are used."""
    price = price_of(memory)
    return Outlook(
        form="dial",
        resource="cpu_cores",
        unit="GLM",
        per_unit_hour=None if price is None else price.cpu_hour,
        busy_share=work.busy_share,
        saturation=work.saturation,
        demand=work.demand,
        also=Resources(memory_gb=memory.options.memory_gb_per_core),
        step=1.0,
    )


def _agreed(memory: GolemMemory, agreement: str) -> Resources:
    """What an agreement was given: as signed, else the present profile."""
    terms = memory.terms.get(agreement)
    agreed = terms.resources if terms is not None else Resources()
    return agreed.filled(memory.profile if memory.profile is not None else allocation_of(memory))


def _started(memory: GolemMemory, pay: Pay) -> datetime | None:
    terms = memory.terms.get(pay.agreement_id)
    approved_at = terms.approved_at if terms is not None else None
    if approved_at is None or pay.created_at is None:
        return approved_at or pay.created_at
    return min(approved_at, pay.created_at)


def _threads(memory: GolemMemory, pay: Pay, end: datetime, least_h: float) -> float | None:
    """Mean threads at work from the start of an agreement to `end`; None where that cannot be told."""
    terms = memory.terms.get(pay.agreement_id)
    price = terms.price if terms is not None else price_of(memory)
    start = _started(memory, pay)
    if price is None or start is None or price.cpu_hour <= 0:
        return None
    hours = (end - start).total_seconds() / 3600
    if hours < least_h:
        return None
    return max(((float(pay.due) - price.initial) / hours - price.wall_hour) / price.cpu_hour, 0.0)


def _busy_share(memory: GolemMemory, ended: Iterable[tuple[Pay, Invoice]], now: datetime) -> float | None:
    """The share of the last week, or of the time since the first agreement, that agreements covered."""
    spans = [(start, invoice.issued_at) for pay, invoice in ended if (start := _started(memory, pay)) is not None]
    for agreement in memory.running or ():
        pay = memory.pays.get(agreement)
        start = None if pay is None else _started(memory, pay)
        if start is not None:
            spans.append((start, now))
    first = min((start for start, _ in spans), default=now)
    begin = max(first, now - LOOK_BACK)
    window_s = (now - begin).total_seconds()
    if window_s <= 0:
        return None
    covered, reached = 0.0, begin
    for began, end in sorted(spans):
        start, stop = max(began, reached), min(end, now)
        if stop > start:
            covered += (stop - start).total_seconds()
            reached = stop
    return covered / window_s
