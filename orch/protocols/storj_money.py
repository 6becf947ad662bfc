"""From a storage node's estimates and statements to accruals: one stream per satellite and month.

A month goes through four states: `estimating` while it runs and until its last reports have come; `closed`
with the last estimate; `final` with the satellite's statement, which replaces the estimate; `distributed`
once all of it was sent. `earned` is gross: what is held back was earned, and `held` says so beside it;
`released` is held money that came back, `paid` what was really sent, with its receipt.
"""

from __future__ import annotations

from bisect import insort
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from orch.model.base import Value
from orch.model.kept import kept_by
from orch.model.money import Accrual, Amounts
from orch.protocols.storj_calendar import day_exists_in_previous_month, month_name, months_back, span
from orch.protocols.storj_values import MonthMoney

if TYPE_CHECKING:
    from datetime import datetime

    from orch.protocols.storj_values import Estimate, Memory, Payout, Paystub, Receipt

MonthState: TypeAlias = Literal["estimating", "closed", "final", "distributed"]

ESTIMATE_MONTHS = 4
STATEMENT_MONTHS = 24
"""How far back income is known; older months stay as they are in the ledger."""

RECEIPT_MONTHS = 12
CLOSING = timedelta(hours=48)
"""The last days' storage is reported after the month is over; then its estimate stays as it is."""

OUT_OF_ORDER = timedelta(minutes=10)
"""An answer this little older than one taken in before has been overtaken; one still older means that the
clock was set back."""


ORDER = attrgetter("stream", "kind")


def overtaken(known: datetime, answered: datetime) -> bool:
    """Whether an answer is older than what is known already."""
    return timedelta(0) < known - answered <= OUT_OF_ORDER


def with_estimate(memory: Memory, satellite: str, estimate: Estimate) -> Memory:
    """The memory with one satellite's estimate taken in.

    Months are those of the node's own clock. Answers near a change of month are left out, for it is not sure
    which month they call current. The previous month is believed only on days that it had itself: the node
    subtracts one from the month's number, so that the 31st of October finds "the 31st of September" and repeats
    October. An estimate of nothing for real use means that the node does not know the prices; what was known then
    stays.
    """
    first, last = estimate.earliest, estimate.latest
    trusted = estimate.current.trusted and estimate.previous.trusted
    untrusted = tuple(each for each in memory.untrusted if each != satellite)
    memory = msgspec.structs.replace(memory, untrusted=untrusted if trusted else (*untrusted, satellite))
    if month_name(first) != month_name(last):
        return memory
    memory = _with_month(memory, satellite, month_name(first), estimate.current, estimate)
    if day_exists_in_previous_month(first) and day_exists_in_previous_month(last):
        memory = _with_month(memory, satellite, months_back(first, 1), estimate.previous, estimate)
    return memory


def with_paystubs(memory: Memory, stubs: tuple[Paystub, ...], now: datetime) -> Memory:
    """The memory with the final statements taken in; they replace estimates and older statements."""
    known = {(stub.satellite, stub.month): stub for stub in memory.paystubs}
    for stub in stubs:
        old = known.get((stub.satellite, stub.month))
        if old is None or not overtaken(old.as_of, stub.as_of):
            known[stub.satellite, stub.month] = stub
    oldest = months_back(now, STATEMENT_MONTHS)
    return msgspec.structs.replace(memory, paystubs=tuple(stub for stub in known.values() if stub.month >= oldest))


def with_receipts(memory: Memory, month: str, receipts: tuple[Receipt, ...], now: datetime) -> Memory:
    """The memory with the payments of one month taken in."""
    oldest = months_back(now, STATEMENT_MONTHS)
    return msgspec.structs.replace(
        memory,
        receipts=(*(each for each in memory.receipts if oldest <= each.month != month), *receipts),
        receipts_read=tuple(sorted({*(each for each in memory.receipts_read if each >= oldest), month})),
    )


def months_sent(memory: Memory, now: datetime) -> tuple[str, ...]:
    """The newest months of which something was sent, oldest first: there are receipts to ask for."""
    oldest = months_back(now, RECEIPT_MONTHS)
    return tuple(sorted({stub.month for stub in memory.paystubs if stub.distributed > 0 and stub.month >= oldest}))


def month_state(memory: Memory, satellite: str, month: str, now: datetime) -> MonthState:
    """How far the money of one satellite's month has come."""
    stub = next((s for s in memory.paystubs if (s.satellite, s.month) == (satellite, month)), None)
    if stub is not None:
        return "distributed" if stub.distributed >= stub.paid else "final"
    return "closed" if now >= span(month)[1] + CLOSING else "estimating"


def held_rates(memory: Memory) -> dict[str, float]:
    """Per cent held back of the newest estimated month, by satellite."""
    newest = sorted(memory.estimates, key=lambda each: each.month)
    return {each.satellite: float(each.held_rate) for each in newest}


@kept_by(
    lambda memory, now: (
        memory.estimates,
        memory.paystubs,
        memory.satellites,
        memory.receipts,
        memory.receipts_read,
        memory.troubles,
        _disqualified(memory) and memory.node,
        month_name(now),
    ),
    lambda memory, _: memory.context.node,
)
def accruals(memory: Memory, now: datetime) -> tuple[Accrual, ...]:
    """All streams that are known, each once: a month's estimate is left out beside its paystub."""
    stated = {(stub.satellite, stub.month) for stub in memory.paystubs}
    joined = {key: month.joined_at for key, month in memory.satellites}
    lost = _disqualified(memory)
    guessed = sorted((each.satellite, each.month) for each in memory.estimates if each.held_rate > 0)
    found = list(_of_statements(memory, guessed, now))
    for estimate in memory.estimates:
        if (estimate.satellite, estimate.month) not in stated:
            for each in _estimated(
                memory, estimate, joined.get(estimate.satellite), lost.get(estimate.satellite), now
            ):
                insort(found, each, key=ORDER)
    return tuple(found)


@kept_by(
    lambda memory, guessed, now: (
        memory.paystubs,
        memory.satellites,
        memory.receipts,
        memory.receipts_read,
        memory.troubles,
        memory.node and memory.node.satellites,
        str(guessed),
        month_name(now),
    ),
    lambda memory, _guessed, _now: memory.context.node,
)
def _of_statements(memory: Memory, guessed: list[tuple[str, str]], now: datetime) -> list[Accrual]:
    """The streams of months that are stated, in order.

    Of those `guessed` before, money held back was told already.
    """
    joined = {key: month.joined_at for key, month in memory.satellites}
    references, lost = _payments(memory, now), _disqualified(memory)
    found: list[Accrual] = []
    for stub, returned in _with_returned(memory.paystubs):
        key = (stub.satellite, stub.month)
        found += _stated(
            stub,
            joined.get(stub.satellite),
            references.get(key),
            returned,
            gone=stub.satellite in lost,
            held_was_guessed=key in guessed,
        )
    return sorted(found, key=ORDER)


def _disqualified(memory: Memory) -> dict[str, datetime]:
    """The satellites that pay no more, and since when."""
    return {
        satellite.id: satellite.disqualified_at
        for satellite in (memory.node.satellites if memory.node else ())
        if satellite.disqualified_at is not None
    }


def _with_month(memory: Memory, satellite: str, month: str, payout: Payout, estimate: Estimate) -> Memory:
    before = next((each for each in memory.estimates if (each.satellite, each.month) == (satellite, month)), None)
    current = month == month_name(estimate.latest)
    gross = payout.storage + payout.egress
    if not payout.trusted or (gross == 0 and before is None and not current):
        return memory
    kept = Decimal(0)
    if before is not None:
        if overtaken(before.as_of, estimate.as_of) or before.as_of >= span(month)[1] + CLOSING:
            return memory
        kept = before.kept
        if payout.moved < before.moved:
            # A month's traffic never falls: the node has lost a part of its count (a crash, a new database).
            kept += max(Decimal(0), before.egress - payout.egress)
    oldest = months_back(estimate.latest, ESTIMATE_MONTHS)
    others = tuple(
        each
        for each in memory.estimates
        if (each.satellite, each.month) != (satellite, month) and each.month >= oldest
    )
    newest = MonthMoney(
        satellite=satellite,
        month=month,
        storage=payout.storage,
        egress=payout.egress,
        moved=payout.moved,
        held_rate=payout.held_rate,
        as_of=estimate.as_of,
        kept=kept,
    )
    return msgspec.structs.replace(memory, estimates=(*others, newest))


def _estimated(
    memory: Memory, estimate: MonthMoney, joined_at: datetime | None, lost_at: datetime | None, now: datetime
) -> tuple[Accrual, ...]:
    """The streams of one month that is not stated yet."""
    start, end = span(estimate.month)
    gross, as_of = estimate.gross, estimate.as_of
    if lost_at is not None and lost_at < end:
        # A satellite that disqualifies a node pays nothing for the month in which it did.
        gross = Decimal(0)
        as_of = max(as_of, memory.node.as_of) if memory.node else as_of
    earned = Accrual(
        stream=f"{estimate.satellite}:{estimate.month}",
        unit="USD",
        amounts=Amounts(estimated=gross),
        period_start=_since(joined_at, start, min(end, as_of)),
        as_of=as_of,
        semantics="per_period",
        reference=f"estimated-payout {estimate.month}",
        period_end=end if now >= end else None,
    )
    if estimate.held_rate <= 0:
        return (earned,)
    held = Amounts(estimated=gross * estimate.held_rate / 100)
    return earned, msgspec.structs.replace(earned, kind="held", amounts=held)


class _Returned(Value):
    """How much of what a statement held back has come back since: said, and sent."""

    said: Decimal
    sent: Decimal


def _with_returned(stubs: tuple[Paystub, ...]) -> list[tuple[Paystub, _Returned]]:
    """Each statement with what came back of its held money; what returns is the oldest of it."""
    found = []
    by_satellite: dict[str, list[Paystub]] = {}
    for stub in sorted(stubs, key=attrgetter("month")):
        by_satellite.setdefault(stub.satellite, []).append(stub)
    for months in by_satellite.values():
        said = sum((stub.disposed for stub in months), Decimal(0))
        sent = sum((stub.disposed for stub in months if stub.distributed >= stub.paid), Decimal(0))
        for stub in months:
            parts = _Returned(said=min(stub.held, said), sent=min(stub.held, sent))
            said, sent = said - parts.said, sent - parts.sent
            found.append((stub, parts))
    return found


def _payments(memory: Memory, now: datetime) -> dict[tuple[str, str], str]:
    """By satellite and month what to call its payment, once that is known or will not be known.

    A payment is booked once, with its receipt; so it waits for the receipt as long as there may be one.
    """
    known = {(each.satellite, each.month): each.reference for each in memory.receipts}
    failing = {trouble.key for trouble in memory.troubles}
    asked = months_back(now, RECEIPT_MONTHS)
    return {
        (stub.satellite, stub.month): known.get((stub.satellite, stub.month), f"paystub {stub.month}")
        for stub in memory.paystubs
        if stub.distributed > 0
        and (stub.month in memory.receipts_read or stub.month < asked or f"payouts/{stub.month}" in failing)
    }


@lru_cache(maxsize=4096)
def _stated(
    stub: Paystub,
    joined_at: datetime | None,
    payment: str | None,
    returned: _Returned,
    *,
    gone: bool,
    held_was_guessed: bool,
) -> tuple[Accrual, ...]:
    start, end = span(stub.month)
    final = stub.distributed >= stub.paid
    new_money = max(Decimal(0), stub.paid - stub.disposed)
    # Held money was earned, but it is not paid: the network acknowledges it, no more, until it returns.
    settled = new_money if final else min(new_money, max(Decimal(0), stub.distributed - stub.disposed))
    settled += returned.sent
    # A satellite that has disqualified the node keeps what it held back.
    lost = stub.held - returned.said if gone else Decimal(0)

    def accrual(
        kind: Literal["earned", "held", "released", "paid"], amounts: Amounts, reference: str | None = None
    ) -> Accrual:
        return Accrual(
            stream=f"{stub.satellite}:{stub.month}",
            unit="USD",
            amounts=amounts,
            period_start=_since(joined_at, start, end),
            as_of=stub.as_of,
            kind=kind,
            semantics="per_period",
            reference=reference or f"paystub {stub.month}",
            final=final,
            period_end=end,
        )

    found = [accrual("earned", Amounts(settled=settled, accrued=max(Decimal(0), stub.gross - settled - lost)))]
    if stub.held or held_was_guessed:
        found.append(accrual("held", Amounts(accrued=stub.held - lost)))
    if stub.disposed:
        found.append(
            accrual("released", Amounts(settled=stub.disposed) if final else Amounts(accrued=stub.disposed))
        )
    if payment is not None:
        found.append(accrual("paid", Amounts(settled=stub.distributed), payment))
    return tuple(found)


def _since(joined_at: datetime | None, start: datetime, end: datetime) -> datetime:
    """When the income of a month began: with the month, or with the node."""
    return joined_at if joined_at is not None and start < joined_at < end else start
