"""From a storage node's estimates and statements to accruals: one stream per satellite and month.

A month is estimated while it runs, keeps its last estimate when it is over, and is replaced by the paystub
once there is one. All amounts are gross: what is held back was earned, and a `held` accrual says so.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

import msgspec

from orch.model.money import Accrual, Amounts
from orch.protocols.storj_calendar import day_exists_in_previous_month, month_name, months_back, span
from orch.protocols.storj_values import MonthMoney

if TYPE_CHECKING:
    from datetime import datetime

    from orch.protocols.storj_values import Estimate, Memory, Payout, Paystub

ESTIMATE_MONTHS = 4
STATEMENT_MONTHS = 24
"""How far back income is known; older months stay as they are in the ledger."""

EDGE = timedelta(minutes=2)
"""A node's clock may be this far from ours: nearer to a month's edge its answer could mean either month."""


def with_estimate(memory: Memory, satellite: str, estimate: Estimate) -> Memory:
    """The memory with one satellite's estimate taken in.

    Answers near a change of month are left out, for it is not sure which month they call current. The previous
    month is believed only on days that it had itself: the node subtracts one from the month's number, so
    that the 31st of October finds "the 31st of September" and repeats October. An estimate of nothing
    for real use means that the node does not know the prices; what was known then stays.
    """
    first, last = estimate.asked_at - EDGE, estimate.as_of + EDGE
    trusted = estimate.current.trusted and estimate.previous.trusted
    untrusted = tuple(each for each in memory.untrusted if each != satellite)
    memory = msgspec.structs.replace(memory, untrusted=untrusted if trusted else (*untrusted, satellite))
    if month_name(first) != month_name(last):
        return memory
    rates = (
        *((key, rate) for key, rate in memory.held_rates if key != satellite),
        (satellite, estimate.current.held_rate),
    )
    memory = msgspec.structs.replace(memory, held_rates=rates)
    memory = _with_month(memory, satellite, month_name(first), estimate.current, estimate.as_of)
    if day_exists_in_previous_month(first) and day_exists_in_previous_month(last):
        memory = _with_month(memory, satellite, months_back(first, 1), estimate.previous, estimate.as_of)
    return memory


def with_paystubs(memory: Memory, stubs: tuple[Paystub, ...], now: datetime) -> Memory:
    """The memory with the final statements taken in; they replace estimates and older statements."""
    new = {(stub.satellite, stub.month) for stub in stubs}
    oldest = months_back(now, STATEMENT_MONTHS)
    kept = tuple(s for s in memory.paystubs if (s.satellite, s.month) not in new and s.month >= oldest)
    return msgspec.structs.replace(memory, paystubs=(*kept, *stubs))


def accruals(memory: Memory, now: datetime) -> tuple[Accrual, ...]:
    """All streams that are known, each once: a month's estimate is left out beside its paystub."""
    stated = {(stub.satellite, stub.month) for stub in memory.paystubs}
    joined = {key: month.joined_at for key, month in memory.satellites}
    lost = {
        satellite.id: satellite.disqualified_at
        for satellite in (memory.node.satellites if memory.node else ())
        if satellite.disqualified_at is not None
    }
    found = [
        _estimated(memory, estimate, joined.get(estimate.satellite), lost.get(estimate.satellite), now)
        for estimate in memory.estimates
        if (estimate.satellite, estimate.month) not in stated
    ]
    for stub in memory.paystubs:
        found.extend(_stated(stub, joined.get(stub.satellite)))
    return tuple(sorted(found, key=attrgetter("stream", "kind")))


def _with_month(memory: Memory, satellite: str, month: str, payout: Payout, as_of: datetime) -> Memory:
    known = any((each.satellite, each.month) == (satellite, month) for each in memory.estimates)
    current = month == month_name(as_of)
    if not payout.trusted or (payout.gross == 0 and not known and not current):
        return memory
    oldest = months_back(as_of, ESTIMATE_MONTHS)
    others = tuple(
        each
        for each in memory.estimates
        if (each.satellite, each.month) != (satellite, month) and each.month >= oldest
    )
    newest = MonthMoney(satellite=satellite, month=month, gross=payout.gross, as_of=as_of)
    return msgspec.structs.replace(memory, estimates=(*others, newest))


def _estimated(
    memory: Memory, estimate: MonthMoney, joined_at: datetime | None, lost_at: datetime | None, now: datetime
) -> Accrual:
    start, end = span(estimate.month)
    gross, as_of = estimate.gross, estimate.as_of
    if lost_at is not None and lost_at < end:
        # A satellite that disqualifies a node pays nothing for the month in which it did.
        gross = Decimal(0)
        as_of = max(as_of, memory.node.as_of) if memory.node else as_of
    return Accrual(
        stream=f"{estimate.satellite}:{estimate.month}",
        unit="USD",
        amounts=Amounts(estimated=gross),
        period_start=_since(joined_at, start, min(end, as_of)),
        as_of=as_of,
        semantics="per_period",
        reference=f"estimated-payout {estimate.month}",
        period_end=end if now >= end else None,
    )


@lru_cache(maxsize=4096)
def _stated(stub: Paystub, joined_at: datetime | None) -> tuple[Accrual, ...]:
    start, end = span(stub.month)
    final = stub.distributed >= stub.paid
    new_money = max(Decimal(0), stub.paid - stub.disposed)
    # Money that is held back was earned, but it is not paid: the network acknowledges it, no more.
    settled = new_money if final else min(new_money, max(Decimal(0), stub.distributed - stub.disposed))

    def accrual(kind: Literal["earned", "held", "released"], amounts: Amounts) -> Accrual:
        return Accrual(
            stream=f"{stub.satellite}:{stub.month}",
            unit="USD",
            amounts=amounts,
            period_start=_since(joined_at, start, end),
            as_of=stub.as_of,
            kind=kind,
            semantics="per_period",
            reference=f"paystub {stub.month}",
            final=final,
            period_end=end,
        )

    found = [accrual("earned", Amounts(settled=settled, accrued=stub.gross - settled))]
    if stub.held:
        found.append(accrual("held", Amounts(accrued=stub.held)))
    if stub.disposed:
        found.append(
            accrual("released", Amounts(settled=stub.disposed) if final else Amounts(accrued=stub.disposed))
        )
    return tuple(found)


def _since(joined_at: datetime | None, start: datetime, end: datetime) -> datetime:
    """When the income of a month began: with the month, or with the node."""
    return joined_at if joined_at is not None and start < joined_at < end else start
