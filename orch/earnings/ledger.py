"""Accruals to ledger entries: the one place where running totals become differences.

Adapters report what a stream amounts to; here each difference is booked once, with its evidence, its period
and the price of the moment. Resets, corrections, payouts and changes of period are handled here for all
protocols. Amounts are exact (fixed-point integers); the ledger's sum over a stream always equals the last
accrual reported of it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

from orch.earnings.accounts import HOUR_S, Account, Accounts, Income
from orch.earnings.booking import COSTS, Booking, PriceOf, quote_for
from orch.earnings.fixed import to_decimal, to_fixed
from orch.model.books import Balance, Books, HourlyIncome
from orch.model.money import EVIDENCE, EarnedUsd, Entry, EntryKind, Evidence

if TYPE_CHECKING:
    from decimal import Decimal

    from orch.model.money import Accrual
    from orch.model.readings import Reading

KEPT_HOURS = 31 * 24


class Ledger:
    """All balances of one host, advanced by `book`."""

    def __init__(self, host: str, books: Books | None = None) -> None:
        self._accounts = Accounts(host)
        self.turned = books.turned if books is not None else ()
        self._booked: dict[str, tuple[Accrual, ...]] = {}
        self._points: dict[str, tuple[Decimal, str] | None] = {}
        if books is not None:
            self._restore(books)

    # -- reading -----------------------------------------------------------------------------------------

    def earned(self, node: str) -> EarnedUsd:
        """Income of a node so far, in USD by evidence; speculative never counts."""
        sums = self._accounts.earned.get(node, {})
        return EarnedUsd(
            settled=to_decimal(sums.get("settled", 0)),
            accrued=to_decimal(sums.get("accrued", 0)),
            estimated=to_decimal(sums.get("estimated", 0)),
        )

    def calculate_total_earnings(self) -> EarnedUsd:
        """Income of all nodes so far, in USD by evidence."""
        sums: dict[Evidence, int] = dict.fromkeys(EVIDENCE, 0)
        for by_evidence in self._accounts.earned.values():
            for evidence, amount in by_evidence.items():
                sums[evidence] += amount
        return EarnedUsd(
            settled=to_decimal(sums["settled"]),
            accrued=to_decimal(sums["accrued"]),
            estimated=to_decimal(sums["estimated"]),
        )

    def speculative(self, node: str) -> tuple[Decimal, str] | None:
        """What a node has of units that are not money (points), and their name; None when it has none."""
        if node not in self._points:
            self._points[node] = self._count_points(node)
        return self._points[node]

    def _count_points(self, node: str) -> tuple[Decimal, str] | None:
        found: dict[str, int] = {}
        for (owner, _, kind), account in self._accounts.by_stream.items():
            level = account.levels.get("speculative")
            if owner == node and kind == "earned" and level is not None and level.amount:
                found[account.unit] = found.get(account.unit, 0) + level.amount
        return next(((to_decimal(amount), unit) for unit, amount in sorted(found.items())), None)

    def income(self, node: str) -> Income:
        """Income of a node by hour."""
        return self._accounts.income(node)

    def stream_total(self, node: str, stream: str, kind: EntryKind = "earned") -> Decimal:
        """What is booked of one stream, in its native unit."""
        account = self._accounts.by_stream.get((node, stream, kind))
        return to_decimal(sum(level.amount for level in account.levels.values()) if account else 0)

    def books(self) -> Books:
        """Everything needed to go on from here."""
        return Books(
            balances=tuple(
                Balance(
                    node=node,
                    stream=stream,
                    kind=kind,
                    evidence=evidence,
                    unit=account.unit,
                    amount=to_decimal(_sign(kind) * level.amount),
                    unpriced=to_decimal(_sign(kind) * level.unpriced),
                    usd=to_decimal(_sign(kind) * level.usd),
                    last_period_end=account.last_end,
                    entries=account.entries if index == 0 else 0,
                )
                for (node, stream, kind), account in self._accounts.by_stream.items()
                for index, (evidence, level) in enumerate(account.levels.items())
            ),
            hourly=tuple(
                HourlyIncome(
                    node=node,
                    hour=datetime.fromtimestamp(hour * HOUR_S, UTC),
                    usd=usd,
                    evidence="estimated",
                    unit=income.unit,
                    amount=income.native.get(hour, 0.0),
                )
                for node, income in self._accounts.by_node.items()
                for hour, usd in income.usd.items()
            ),
        )

    # -- booking -----------------------------------------------------------------------------------------

    def book(self, reading: Reading, price_of: PriceOf, now: datetime) -> tuple[Entry, ...]:
        """Entries for whatever a reading says that is not booked yet; booking it twice yields nothing.

        `price_of` gives the present price of a unit, None for units that have none by nature (points).
        """
        entries: list[Entry] = []
        settled = True
        for accrual in self._not_the_same(reading):
            account = self._accounts.by_stream.get((reading.node, accrual.stream, accrual.kind))
            if account is None or not account.settled or account.accrual != accrual:
                quote = quote_for(accrual.unit, price_of, now)
                booking = Booking(self._accounts, reading, accrual, quote, now)
                entries.extend(booking.entries())
                settled = settled and booking.settled
        self._booked[reading.node] = reading.accruals if settled else ()
        if any(entry.evidence == "speculative" for entry in entries):
            self._points.pop(reading.node, None)
        return tuple(entries)

    def _not_the_same(self, reading: Reading) -> list[Accrual]:
        """The accruals that are not the very ones booked last: of hundreds, a handful change at a time."""
        before = self._booked.get(reading.node, ())
        if before is reading.accruals:
            return []
        pairs = zip_longest(reading.accruals, before)
        return [accrual for accrual, old in pairs if accrual is not old and accrual is not None]

    def forget_hours_before(self, now: datetime) -> None:
        """Drop income by hour older than 31 days (the ledger itself keeps everything)."""
        oldest = int(now.timestamp()) // HOUR_S - KEPT_HOURS
        for income in self._accounts.by_node.values():
            for series in (income.native, income.usd):
                for hour in [hour for hour in series if hour < oldest]:
                    del series[hour]

    def _restore(self, books: Books) -> None:
        for balance in books.balances:
            kind: EntryKind = "earned" if balance.kind == "correction" else balance.kind
            key = (balance.node, balance.stream, kind)
            account = self._accounts.by_stream.setdefault(key, Account(unit=balance.unit))
            level = account.level(balance.evidence)
            level.amount += _sign(kind) * to_fixed(balance.amount)
            level.unpriced += _sign(kind) * to_fixed(balance.unpriced)
            level.usd += _sign(kind) * to_fixed(balance.usd)
            account.entries += balance.entries
            ends = [end for end in (account.last_end, balance.last_period_end) if end is not None]
            account.last_end = max(ends, default=None)
            if kind == "earned" and balance.evidence != "speculative":
                self._accounts.add_earned(balance.node, balance.evidence, to_fixed(balance.usd))
        for hourly in books.hourly:
            income = self._accounts.income(hourly.node)
            hour = int(hourly.hour.timestamp()) // HOUR_S
            income.unit = hourly.unit
            income.usd[hour] = income.usd.get(hour, 0.0) + hourly.usd
            income.native[hour] = income.native.get(hour, 0.0) + hourly.amount
            end = hourly.hour + timedelta(hours=1)
            income.since = hourly.hour if income.since is None else min(income.since, hourly.hour)
            income.until = end if income.until is None else max(income.until, end)


def _sign(kind: EntryKind) -> int:
    """Costs are kept as positive running totals and written negative."""
    return -1 if kind in COSTS else 1
