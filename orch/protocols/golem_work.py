"""What the node gives away and what is used of it: by its files, its agreements and their own bills.

Nothing here compares answers of different times: an agreement's own amount over its own duration, at its own
price, says how many threads were at work (`amount / hours = cpu price x threads + wall price`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from orch.model.resources import ResourceName, Resources, total

if TYPE_CHECKING:
    from datetime import datetime

    from orch.protocols.golem_memory import GolemMemory, Pay, Price

SURE_AFTER_H = 1 / 6
"""Debit notes come every two minutes; before ten minutes they say too little about the threads at work."""

ENDED = frozenset({"Terminated"})
SIZES: tuple[tuple[ResourceName, str], ...] = (
    ("cpu_cores", "threads"),
    ("memory_gb", "GB of memory"),
    ("storage_gb", "GB of disk"),
)
TOLERANCE = 0.01
"""Sizes and prices pass through several units; what differs by less is the same."""


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
    given = [agreed_of(memory, agreement) for agreement in memory.running]
    if any(each.cpu_cores is None for each in given):
        return Resources()
    sums = total((Resources(cpu_cores=0.0, memory_gb=0.0, storage_gb=0.0), *given))
    return Resources(cpu_cores=sums.cpu_cores, memory_gb=sums.memory_gb, storage_gb=sums.storage_gb)


def used_of(memory: GolemMemory, usual_share: float | None) -> Resources:
    """What running agreements use: their memory and disk whole, of their cores what their activities count.

    Where the daemon counts nothing for an agreement its bill tells; `usual_share` is how full the cores usually
    are, for agreements that are too young for either.
    """
    committed = committed_of(memory)
    if memory.running is None or committed.cpu_cores is None:
        return Resources()
    cores = 0.0
    for agreement in memory.running:
        agreed = agreed_of(memory, agreement).cpu_cores or 0.0
        pay = memory.pays.get(agreement)
        threads = _counted(memory, agreement)
        if threads is None and pay is not None:
            threads = threads_of(memory, pay, pay.seen_at, SURE_AFTER_H)
        if threads is None:
            threads = agreed * (1.0 if usual_share is None else usual_share)
        cores += min(threads, agreed)
    return Resources(cpu_cores=cores, memory_gb=committed.memory_gb, storage_gb=committed.storage_gb)


def _counted(memory: GolemMemory, agreement: str) -> float | None:
    """Mean threads at work by the counters of an agreement's living activities; None where they do not tell."""
    living = [
        each
        for each in memory.signs.activities or ()
        if each.agreement_id == agreement and each.state not in ENDED and each.cpu_s is not None
    ]
    wall_s = sum(each.wall_s or 0.0 for each in living)
    if wall_s < SURE_AFTER_H * 3600:
        return None
    return sum(each.cpu_s or 0.0 for each in living) / wall_s


def compared(memory: GolemMemory, now: datetime) -> GolemMemory:
    """The memory with since when the published offers are not what the files say; None while they are."""
    since = memory.differs_since or now if differences_of(memory) else None
    return msgspec.structs.replace(memory, differs_since=since)


def differences_of(memory: GolemMemory) -> tuple[str, ...]:
    """In what the published offers are not what `hardware.json` and `presets.json` say, in words.

    The agent clamps a profile to what the machine has, and does not notice an edit of the initial price alone.
    """
    profile, presets, offers = memory.profile, memory.presets, memory.offers
    if profile is None or presets is None or not offers:
        return ()
    found = []
    if len(offers) != len(presets.active) and not memory.running:
        found.append(f"{len(offers)} offer(s) for {len(presets.active)} active preset(s)")
    for offer in offers:
        for name, unit in SIZES:
            stated, wanted = offer.resources.get(name), profile.get(name)
            if stated is not None and wanted is not None and not _alike(stated, wanted):
                found.append(f"{stated:.4g} {unit} instead of {wanted:.4g}")
        if offer.price is not None and presets.prices and not any(_same(offer.price, p) for p in presets.prices):
            found.append("a price that is of no active preset")
    return tuple(dict.fromkeys(found))


def same_rates(a: Price, b: Price) -> bool:
    """Whether two prices ask about the same per hour."""
    return _alike(a.cpu_hour, b.cpu_hour) and _alike(a.wall_hour, b.wall_hour)


def _same(a: Price, b: Price) -> bool:
    return same_rates(a, b) and _alike(a.initial, b.initial)


def _alike(a: float, b: float) -> bool:
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def agreed_of(memory: GolemMemory, agreement: str) -> Resources:
    """What an agreement was given: as signed, else the present profile."""
    terms = memory.terms.get(agreement)
    agreed = terms.resources if terms is not None else Resources()
    return agreed.filled(memory.profile if memory.profile is not None else allocation_of(memory))


def started_of(memory: GolemMemory, pay: Pay) -> datetime | None:
    """When an agreement began: as approved, else when its first note was issued; None where neither is known."""
    terms = memory.terms.get(pay.agreement_id)
    approved_at = terms.approved_at if terms is not None else None
    if approved_at is None or pay.created_at is None:
        return approved_at or pay.created_at
    return min(approved_at, pay.created_at)


def threads_of(memory: GolemMemory, pay: Pay, end: datetime, least_h: float) -> float | None:
    """Mean threads at work from the start of an agreement to `end`; None where that cannot be told."""
    terms = memory.terms.get(pay.agreement_id)
    price = terms.price if terms is not None else price_of(memory)
    start = started_of(memory, pay)
    if price is None or start is None or price.cpu_hour <= 0:
        return None
    hours = (end - start).total_seconds() / 3600
    if hours < least_h:
        return None
    return max(((float(pay.due) - price.initial) / hours - price.wall_hour) / price.cpu_hour, 0.0)
