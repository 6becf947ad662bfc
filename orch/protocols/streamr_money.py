"""From blocks and events to accruals: one stream per collection of earnings, exact to the wei.

What the sponsorships owe (outstanding) grows until somebody withdraws it; a withdrawal emits Profit and what
was outstanding is realised. Both are taken at one block, so that nothing is lost or counted twice between
them. A stream is what accrues from one withdrawal to the next and is named after the block of the withdrawal
that began it: `<operator>:<block>`. That name and amount do not depend on how much history was read, so a
restart, whose history begins later, states the same figures again.

The protocol's fee is taken off at a withdrawal: it stands beside each stream as one of kind `fee`, exact once
withdrawn and at the present fraction before.

Gas of the operator's own transactions is one stream per transaction, of kind `gas`, in the chain's coin.

A withdrawal with no other within `GAP_DAYS` before it names its stream itself: `<operator>:until-<block>`;
while one that long has not come, what is owed stands under `<operator>:open`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Context, Decimal
from itertools import chain, groupby
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

from orch.model.base import Value
from orch.model.kept import kept_by
from orch.model.money import Accrual, Amounts, TrailPoint
from orch.protocols.streamr_gas import coin_of, paid_for
from orch.protocols.streamr_memory import Carry, StreamrMemory
from orch.protocols.streamr_scan import GAP_DAYS, gap_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from orch.protocols.streamr_memory import Earnings, Event

UNIT = "DATA"
WHOLE = 10**18
"""1e18 is 100 % in the contracts' fractions, and one DATA in wei."""

MONEY = frozenset({"profit", "loss", "slash"})

_EXACT = Context(prec=200)
_GAP = timedelta(days=GAP_DAYS)


class Withdrawal(Value):
    """All profit of one block: gross wei, fee and cut included. `mined_at` may not be known yet."""

    block: int
    mined_at: datetime | None
    amount: int
    fee: int
    transaction: str


class _Past(NamedTuple):
    """Withdrawals, the collections that they ended, and what was lost or paid for gas."""

    taken: list[Withdrawal]
    collections: list[Accrual]
    costs: list[Accrual]


def to_data(wei: int) -> Decimal:
    """Wei as DATA, without rounding."""
    return Decimal(wei).scaleb(-18, _EXACT)


def to_wei(data: Decimal) -> int:
    """DATA as wei."""
    return int(data.scaleb(18, _EXACT))


@kept_by(
    lambda memory: (memory.events, memory.times, memory.receipts, memory.words, memory.nodes),
    lambda memory: memory.context.node,
)
def without_time(memory: StreamrMemory) -> tuple[int, ...]:
    """Blocks of events whose time is wanted and not known, newest first.

    Those of money and of the operator's own transactions; of heartbeats besides only the newest counts.
    """
    beat = newest_heartbeat(memory)
    wanted = [event for event in memory.events if event.kind in MONEY or event is beat]
    wanted += [event for event, _ in paid_for(memory)]
    unknown = {event.block for event in wanted if time_of(memory, event) is None}
    return tuple(sorted(unknown, reverse=True))


def withdrawals(memory: StreamrMemory, until: int) -> list[Withdrawal]:
    """The withdrawals up to a block, oldest first."""
    profits = (event for event in memory.events if event.kind == "profit" and event.block <= until)
    found = []
    for block, group in groupby(profits, key=lambda event: event.block):
        events = list(group)
        found.append(
            Withdrawal(
                block=block,
                mined_at=time_of(memory, events[0]),
                amount=sum(event.amount for event in events),
                fee=sum(event.fee for event in events),
                transaction=events[0].transaction,
            )
        )
    return found


def penalties(memory: StreamrMemory, until: int) -> list[tuple[int, datetime | None, int]]:
    """Block, time and wei of what was lost up to a block.

    A slashing and the loss it causes are two events about the same money, so the larger one counts.
    """
    lost = (event for event in memory.events if event.kind in ("loss", "slash") and event.block <= until)
    found = []
    for block, group in groupby(lost, key=lambda event: event.block):
        events = list(group)
        sums = [sum(event.amount for event in events if event.kind == kind) for kind in ("loss", "slash")]
        found.append((block, time_of(memory, events[0]), max(sums)))
    return found


def newest_heartbeat(memory: StreamrMemory) -> Event | None:
    """The newest heartbeat that a node wrote on the chain, as far as the events are known."""
    return next((event for event in reversed(memory.events) if event.kind == "heartbeat"), None)


def restate(memory: StreamrMemory) -> StreamrMemory:
    """The memory with its accruals at the earnings' block, if all events up to that block are known."""
    earnings, scan = memory.earnings, memory.scan
    if earnings is None or scan is None or not scan.low <= earnings.block.number <= scan.high:
        return memory
    past = _past(memory, _last_event(memory, earnings.block.number))
    memory = replace(memory, carry=_carried(memory, past.taken))
    fresh = chain(past.collections, _outstanding(memory, earnings, past.taken), past.costs)
    before = {(accrual.stream, accrual.kind): accrual for accrual in memory.stated}
    by_stream = {(new.stream, new.kind): new for new in fresh}
    stated = tuple(_known_as(before.get(name), new) for name, new in by_stream.items())
    return replace(memory, stated=stated)


def _known_as(old: Accrual | None, new: Accrual) -> Accrual:
    """The accrual as it was stated before, where nothing of it has changed."""
    return old if old is not None and (old is new or old == new) else new


def _last_event(memory: StreamrMemory, until: int) -> int:
    """The block of the newest event up to a block; -1 before any."""
    return next((event.block for event in reversed(memory.events) if event.block <= until), -1)


@kept_by(
    lambda memory, until: (
        *(memory.events, memory.times, memory.receipts, memory.words, memory.nodes, memory.options),
        f"{until} {memory.scan and memory.scan.low}",
    ),
    lambda memory, until: memory.context.node,  # noqa: ARG005 - both are given the function's own arguments
)
def _past(memory: StreamrMemory, until: int) -> _Past:
    """What the events up to a block say, which hardly ever changes."""
    taken = withdrawals(memory, until)
    return _Past(taken, [*_collections(memory, taken)], [*_lost(memory, until), *_gas(memory, until)])


def _collections(memory: StreamrMemory, taken: list[Withdrawal]) -> Iterable[Accrual]:
    """The collections that ended, each with the withdrawal that ended it."""
    gap = gap_blocks(memory.options)
    low = memory.scan.low if memory.scan is not None else 0
    for before, last in zip((None, *taken), taken, strict=False):
        if last.mined_at is None:
            continue
        if before is not None and last.block - before.block <= gap:
            if before.mined_at is not None:
                yield from _settled(memory, str(before.block), before.mined_at, last)
        elif last.block - gap >= low or low == 0:
            began_at = _began(last.mined_at, last.amount, taken)
            yield from _settled(memory, f"until-{last.block}", began_at, last)
            yield from _nothing(memory, "open", last.mined_at)


def _outstanding(memory: StreamrMemory, earnings: Earnings, taken: list[Withdrawal]) -> Iterable[Accrual]:
    """What is owed at the earnings' block."""
    scan, block = memory.scan, earnings.block
    gap = gap_blocks(memory.options)
    last = taken[-1] if taken else None
    if last is not None and block.number - last.block <= gap:
        if last.mined_at is None:
            return
        carry = memory.carry if memory.carry is not None and memory.carry.block == last.block else None
        trail = () if carry is None else (TrailPoint(reached_at=last.mined_at, total=to_data(carry.amount)),)
        began_at = last.mined_at if carry is None else carry.since
        yield from _owed(memory, str(last.block), began_at, earnings, trail)
    elif scan is not None and (block.number - gap >= scan.low or scan.low == 0):
        if last is not None:
            yield from _nothing(memory, str(last.block), block.mined_at)
        began_at = max((_began(block.mined_at, earnings.total, taken), *_first_joined(memory)))
        yield from _owed(memory, "open", min(began_at, block.mined_at), earnings, ())


def _lost(memory: StreamrMemory, until: int) -> Iterable[Accrual]:
    for block, mined_at, amount in penalties(memory, until):
        if mined_at is not None and amount:
            stream = f"{memory.operator}:penalty:{block}"
            yield _at_once(stream, memory.unit, amount, mined_at, "penalty", memory.operator)


def _gas(memory: StreamrMemory, until: int) -> Iterable[Accrual]:
    for event, wei in paid_for(memory):
        mined_at = time_of(memory, event)
        if mined_at is not None and wei and event.block <= until:
            stream = f"{memory.operator}:gas:{event.transaction}"
            yield _at_once(stream, coin_of(memory), wei, mined_at, "gas", event.transaction)


def _at_once(
    stream: str, unit: str, amount: int, mined_at: datetime, kind: Literal["penalty", "gas"], reference: str
) -> Accrual:
    """What one event costs, in a stream of its own that is final from its beginning."""
    return Accrual(
        stream=stream,
        unit=unit,
        amounts=Amounts(settled=to_data(amount)),
        period_start=mined_at,
        period_end=mined_at,
        as_of=mined_at,
        kind=kind,
        reference=reference,
        final=True,
    )


def _settled(memory: StreamrMemory, name: str, began_at: datetime, last: Withdrawal) -> Iterator[Accrual]:
    ended_at = last.mined_at or began_at
    collected = Accrual(
        stream=f"{memory.operator}:{name}",
        unit=memory.unit,
        amounts=Amounts(settled=to_data(last.amount)),
        period_start=began_at,
        period_end=ended_at,
        as_of=ended_at,
        reference=f"{memory.operator} {last.transaction}",
        final=True,
    )
    yield collected
    yield replace(collected, kind="fee", amounts=Amounts(settled=to_data(last.fee)))


def _owed(
    memory: StreamrMemory, name: str, began_at: datetime, earnings: Earnings, trail: tuple[TrailPoint, ...]
) -> Iterator[Accrual]:
    owed = Accrual(
        stream=f"{memory.operator}:{name}",
        unit=memory.unit,
        amounts=Amounts(accrued=to_data(earnings.total)),
        period_start=began_at,
        as_of=earnings.block.mined_at,
        reference=f"{memory.operator} block {earnings.block.number}",
        trail=trail,
    )
    yield owed
    fraction = memory.words.get("fee")
    if fraction is not None and fraction <= WHOLE:
        fee = earnings.total * fraction // WHOLE
        yield replace(owed, kind="fee", amounts=Amounts(accrued=to_data(fee)), trail=())


def _nothing(memory: StreamrMemory, name: str, as_of: datetime) -> Iterator[Accrual]:
    """A stream under which nothing is owed any more: it goes on under another name."""
    gone = Accrual(
        stream=f"{memory.operator}:{name}",
        unit=memory.unit,
        amounts=Amounts(),
        period_start=as_of,
        as_of=as_of,
        reference=memory.operator,
    )
    yield gone
    yield replace(gone, kind="fee")


def _began(until: datetime, amount: int, taken: list[Withdrawal]) -> datetime:
    """When a collection probably began whose first withdrawal is not known: at the pace of the others."""
    times = [each.mined_at for each in taken if each.mined_at is not None]
    seconds = (times[-1] - times[0]).total_seconds() if times else 0.0
    later = sum(each.amount for each in taken[1:])
    if seconds <= 0 or later <= 0:
        return until - _GAP
    return until - min(_GAP, timedelta(seconds=min(seconds * (amount / later), _GAP.total_seconds())))


def _first_joined(memory: StreamrMemory) -> tuple[datetime, ...]:
    """When the operator joined the first of its sponsorships, if that is known."""
    joined = [value for key, value in memory.words.items() if key.startswith("joined/") and value]
    if not joined or memory.earnings is None:
        return ()
    mined_at = memory.earnings.block.mined_at
    return (mined_at - timedelta(seconds=max(0.0, mined_at.timestamp() - min(joined))),)


def _carried(memory: StreamrMemory, taken: list[Withdrawal]) -> Carry | None:
    """What the newest withdrawal left behind, when it was smaller than what was owed just before."""
    last = taken[-1] if taken else None
    if last is None or (memory.carry is not None and memory.carry.block == last.block):
        return memory.carry
    owed = next(
        (
            each
            for each in memory.stated
            if each.kind == "earned" and each.period_end is None and each.amounts.accrued
        ),
        None,
    )
    if owed is None or owed.as_of >= (last.mined_at or owed.as_of):
        return memory.carry
    left = to_wei(owed.amounts.accrued) - last.amount
    return Carry(block=last.block, amount=left, since=owed.period_start) if left > 0 else memory.carry


def time_of(memory: StreamrMemory, event: Event) -> datetime | None:
    """When an event's block was mined: as its log says, or as asked for; None while it is not known."""
    return event.mined_at or memory.times.get(event.block)
