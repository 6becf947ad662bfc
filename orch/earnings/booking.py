"""One accrual against what is booked of it: which entries make up the difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

from orch.earnings.fixed import ONE, share, times, to_decimal, to_fixed
from orch.model.money import EVIDENCE, Entry, EntryKind, Evidence, PriceNow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orch.earnings.accounts import Accounts
    from orch.model.money import Accrual
    from orch.model.readings import Reading


PriceOf: TypeAlias = Callable[[str], PriceNow | None]
COSTS: frozenset[EntryKind] = frozenset({"fee", "gas", "penalty"})
"""Reported as positive running totals, booked negative."""


@dataclass(slots=True, frozen=True)
class Quote:
    """The price an entry is booked with, in fixed point."""

    usd: int
    source: str
    observed_at: datetime


class Booking:
    """One accrual being booked."""

    def __init__(
        self, accounts: Accounts, reading: Reading, accrual: Accrual, quote: Quote | None, now: datetime
    ) -> None:
        self._accounts = accounts
        self._reading = reading
        self._accrual = accrual
        self._quote = quote
        self._now = now
        self._account, self._new = accounts.account(reading.node, accrual.stream, accrual.kind, accrual.unit)
        self._out: list[Entry] = []

    @property
    def settled(self) -> bool:
        """Whether nothing of the stream waits for a price."""
        return self._account.settled

    def entries(self) -> list[Entry]:
        """Compare with what is booked, and book the difference. Out-of-order answers change nothing."""
        accrual, account = self._accrual, self._account
        if account.seen_until is not None and accrual.as_of < account.seen_until:
            return self._out
        if accrual.kind == "earned":
            income = self._accounts.income(self._reading.node)
            income.until = accrual.as_of if income.until is None else max(income.until, accrual.as_of)
        before = account.accrual
        if before is None or before.amounts != accrual.amounts:
            if accrual.semantics == "balance":
                self._book_balance(sum(to_fixed(accrual.amounts.get(evidence)) for evidence in EVIDENCE))
            else:
                self._book_difference({evidence: to_fixed(accrual.amounts.get(evidence)) for evidence in EVIDENCE})
        if self._quote is not None:
            self._price_what_had_no_price()
        account.accrual = accrual
        account.settled = not account.has_unpriced()
        account.seen_until = accrual.as_of
        return self._out

    def _book_balance(self, reported: int) -> None:
        """A balance that rises was earned; one that falls was paid out."""
        account = self._account
        level = account.level("accrued")
        paid, _ = self._accounts.account(self._reading.node, self._accrual.stream, "paid", self._accrual.unit)
        moved = reported - (level.amount - paid.level("settled").amount)
        if moved > 0:
            self._earn("accrued", moved, self._since(), self._accrual.as_of)
        elif moved < 0:
            twin = paid.level("settled")
            twin.amount -= moved
            paid.entries += 1
            usd = None if self._quote is None else times(-moved, self._quote.usd)
            twin.usd += usd or 0
            twin.unpriced -= moved if usd is None else 0
            span = (self._since(), self._accrual.as_of)
            self._write("paid", "settled", -moved, usd, span, paid.entries, quote=self._quote)

    def _book_difference(self, wanted: dict[Evidence, int]) -> None:
        account = self._account
        levels = account.levels
        grown = {e: wanted[e] - (levels[e].amount if e in levels else 0) for e in EVIDENCE}
        risen = {e: by for e, by in grown.items() if by > 0}
        fallen = {e: -by for e, by in grown.items() if by < 0}
        if not fallen:
            if risen:
                self._book_growth(risen)
            return
        for worse in [e for e in reversed(EVIDENCE) if e in fallen]:
            for better in [e for e in EVIDENCE if e in risen]:
                moved = min(fallen[worse], risen[better])
                if moved:
                    self._move(worse, better, moved)
                    fallen[worse] -= moved
                    risen[better] -= moved
        for evidence, amount in fallen.items():
            if amount:
                self._write_off(evidence, amount)
        left = {e: amount for e, amount in risen.items() if amount}
        if left:
            self._book_growth(left)

    def _book_growth(self, left: dict[Evidence, int]) -> None:
        accrual = self._accrual
        if accrual.period_end is not None and not self._new:
            for evidence, amount in left.items():
                self._earn(evidence, amount, accrual.period_start, accrual.period_end, kind="correction")
            return
        end = accrual.period_end or accrual.as_of
        segments = _segments(accrual, sum(left.values()), end) if self._new else [(self._since(), end, None)]
        pools = [(e, left[e]) for e in EVIDENCE if e in left]
        for start, stop, part in segments:
            for evidence, taken in _take(pools, part):
                self._earn(evidence, taken, start, stop)

    def _since(self) -> datetime:
        """When the income now booked began to be earned."""
        account, accrual = self._account, self._accrual
        known = account.seen_until or account.last_end or accrual.period_start
        return min(max(known, accrual.period_start), accrual.as_of)

    def _earn(
        self, evidence: Evidence, amount: int, start: datetime, end: datetime, *, kind: EntryKind = "earned"
    ) -> None:
        """Book new units. Fees, gas and penalties are reported as positive running totals and booked negative."""
        own = self._accrual.kind
        sign = _sign(own)
        level = self._account.level(evidence)
        level.amount += amount
        usd = None
        if self._quote is None:
            level.unpriced += amount
        else:
            usd = times(amount, self._quote.usd)
            level.usd += usd
        income = own == "earned" and evidence != "speculative"
        if income:
            self._accounts.credit(self._reading.node, self._accrual.unit, amount, usd or 0, start, end)
            self._accounts.add_earned(self._reading.node, evidence, usd or 0)
        written: EntryKind = kind if own == "earned" else own
        signed_usd = None if usd is None else sign * usd
        self._write(written, evidence, sign * amount, signed_usd, (start, end), self._count(), quote=self._quote)

    def _move(self, worse: Evidence, better: Evidence, amount: int) -> None:
        """Better evidence for units booked before: out at the old, in at the new, at the booked price."""
        old, new = self._account.level(worse), self._account.level(better)
        priced = old.amount - old.unpriced
        from_priced = min(amount, priced)
        usd = share(old.usd, from_priced, priced) if priced else 0
        old.amount -= amount
        old.unpriced -= amount - from_priced
        old.usd -= usd
        new.amount += amount
        new.unpriced += amount - from_priced
        new.usd += usd
        own = self._accrual.kind
        kind: EntryKind = "correction" if own == "earned" else own
        sign = _sign(own)
        span = (self._accrual.period_start, self._accrual.period_end or self._since())
        for part, worth in ((sign * from_priced, sign * usd), (sign * (amount - from_priced), None)):
            if part:
                self._write(kind, worse, -part, None if worth is None else -worth, span, self._count())
                self._write(kind, better, part, worth, span, self._count())
        if own != "earned":
            return
        for evidence, change in ((worse, -usd), (better, usd)):
            if evidence != "speculative":
                self._accounts.add_earned(self._reading.node, evidence, change)

    def _write_off(self, evidence: Evidence, amount: int) -> None:
        """Units that turned out not to be earned, at the price they were booked with."""
        level = self._account.level(evidence)
        priced = level.amount - level.unpriced
        from_priced = min(amount, priced) if level.amount >= 0 else 0
        usd = share(level.usd, from_priced, priced) if priced else 0
        level.amount -= amount
        level.unpriced -= amount - from_priced
        level.usd -= usd
        start, end = self._accrual.period_start, self._since()
        income = self._accrual.kind == "earned"
        kind: EntryKind = "correction" if income else self._accrual.kind
        sign = -_sign(self._accrual.kind)
        if income and evidence != "speculative":
            self._accounts.credit(self._reading.node, self._accrual.unit, -amount, -usd, start, end)
            self._accounts.add_earned(self._reading.node, evidence, -usd)
        if from_priced:
            self._write(kind, evidence, sign * from_priced, sign * usd, (start, end), self._count())
        if amount - from_priced:
            self._write(kind, evidence, sign * (amount - from_priced), None, (start, end), self._count())

    def _price_what_had_no_price(self) -> None:
        """Units booked while no price was known get one as soon as there is one."""
        quote, own = self._quote, self._accrual.kind
        if quote is None:
            return
        kind: EntryKind = "correction" if own == "earned" else own
        sign = _sign(own)
        for evidence, level in self._account.levels.items():
            amount = level.unpriced
            if not amount:
                continue
            usd = times(amount, quote.usd)
            level.unpriced = 0
            level.usd += usd
            span = (self._accrual.period_start, self._since())
            self._write(kind, evidence, -sign * amount, None, span, self._count())
            self._write(kind, evidence, sign * amount, sign * usd, span, self._count(), quote=quote)
            if own == "earned" and evidence != "speculative":
                self._accounts.credit(self._reading.node, self._accrual.unit, 0, usd, *span)
                self._accounts.add_earned(self._reading.node, evidence, usd)

    def _count(self) -> int:
        self._account.entries += 1
        return self._account.entries

    def _write(
        self,
        kind: EntryKind,
        evidence: Evidence,
        amount: int,
        usd: int | None,
        span: tuple[datetime, datetime],
        number: int,
        *,
        quote: Quote | None = None,
    ) -> None:
        accrual, reading, account = self._accrual, self._reading, self._account
        start, end = min(span), max(span)
        account.last_end = end if account.last_end is None else max(account.last_end, end)
        price, source, observed_at = None, None, None
        if quote is not None and usd is not None:
            price, source, observed_at = to_decimal(quote.usd), quote.source, quote.observed_at
        elif usd is not None and amount:
            price, source = to_decimal(share(usd, ONE, amount)), "as booked"
        host = self._accounts.host
        name = f"{host}|{reading.node}|{accrual.stream}|{accrual.kind}|{kind}|{evidence}|{number}|{amount}"
        self._out.append(
            Entry(
                entry_id=blake2b(name.encode(), digest_size=16).hexdigest(),
                booked_at=self._now,
                period_start=start,
                period_end=end,
                host=host,
                node=reading.node,
                protocol=reading.protocol,
                stream=accrual.stream,
                kind=kind,
                amount=to_decimal(amount),
                unit=accrual.unit,
                usd_price=price,
                usd_price_source=source,
                usd_price_at=observed_at,
                usd=None if usd is None else to_decimal(usd),
                evidence=evidence,
                reference=accrual.reference or accrual.stream,
                emulated=reading.emulated,
            )
        )


def _sign(kind: EntryKind) -> int:
    return -1 if kind in COSTS else 1


def quote_for(unit: str, price_of: PriceOf, now: datetime) -> Quote | None:
    """The price to book a unit with, or None when it has none now, or one that cannot be a price."""
    if unit == "USD":
        return Quote(ONE, "unit", now)
    known = price_of(unit)
    if known is None or known.price is None or known.state == "unknown":
        return None
    if not known.price.usd.is_finite() or known.price.usd <= 0:
        return None
    return Quote(to_fixed(known.price.usd), known.price.source, known.price.observed_at)


def _segments(accrual: Accrual, whole: int, end: datetime) -> list[tuple[datetime, datetime, int | None]]:
    """The first booking of a stream, cut along its trail: (start, end, amount), the last one takes the rest."""
    segments: list[tuple[datetime, datetime, int | None]] = []
    start, reached = accrual.period_start, 0
    for point in accrual.trail:
        total = min(max(to_fixed(point.total), reached), whole)
        if point.reached_at <= start or point.reached_at >= end:
            continue
        if total > reached:
            segments.append((start, point.reached_at, total - reached))
        start, reached = point.reached_at, total
    segments.append((start, end, None))
    return segments


def _take(pools: list[tuple[Evidence, int]], wanted: int | None) -> Iterator[tuple[Evidence, int]]:
    """Draw `wanted` (all when None) from the pools, best evidence first; the pools shrink."""
    left = sum(amount for _, amount in pools) if wanted is None else wanted
    while left > 0 and pools:
        evidence, available = pools[0]
        taken = min(available, left)
        left -= taken
        if taken == available:
            pools.pop(0)
        else:
            pools[0] = (evidence, available - taken)
        if taken:
            yield evidence, taken
