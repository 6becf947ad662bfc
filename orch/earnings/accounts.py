"""The books in memory: what is booked of every stream, and income by hour, in fixed point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orch.earnings.fixed import ONE
from orch.model.money import Evidence  # noqa: TC001 - dataclass fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orch.model.money import Accrual, EntryKind

HOUR_S = 3600


@dataclass(slots=True)
class Level:
    """What is booked at one evidence, in fixed point."""

    amount: int = 0
    unpriced: int = 0
    usd: int = 0


@dataclass(slots=True)
class Account:
    """One stream of one kind."""

    unit: str
    levels: dict[Evidence, Level] = field(default_factory=dict)
    entries: int = 0
    accrual: Accrual | None = None
    settled: bool = False
    seen_until: datetime | None = None
    last_end: datetime | None = None

    def has_unpriced(self) -> bool:
        """Whether units wait for a price."""
        return any(level.unpriced for level in self.levels.values())

    def level(self, evidence: Evidence) -> Level:
        """What is booked at one evidence."""
        level = self.levels.get(evidence)
        if level is None:
            level = self.levels[evidence] = Level()
        return level


@dataclass(slots=True)
class Income:
    """What one node earned, by hour since the epoch, in its native unit and in USD at booking."""

    unit: str = "USD"
    native: dict[int, float] = field(default_factory=dict)
    usd: dict[int, float] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None


class Accounts:
    """Every account of one host, what each node earned by hour, and the totals by evidence."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.by_stream: dict[tuple[str, str, EntryKind], Account] = {}
        self.by_node: dict[str, Income] = {}
        self.earned: dict[str, dict[Evidence, int]] = {}

    def account(self, node: str, stream: str, kind: EntryKind, unit: str) -> tuple[Account, bool]:
        """The account of a stream, and whether it is new."""
        key = (node, stream, kind)
        account = self.by_stream.get(key)
        if account is None:
            account = self.by_stream[key] = Account(unit=unit)
            return account, True
        return account, False

    def income(self, node: str) -> Income:
        """Income of a node by hour."""
        return self.by_node.setdefault(node, Income())

    def credit(self, node: str, unit: str, native: int, usd: int, start: datetime, end: datetime) -> None:
        """Spread income over the hours of its period."""
        income = self.income(node)
        income.unit = unit
        income.since = start if income.since is None else min(income.since, start)
        income.until = end if income.until is None else max(income.until, end)
        for hour, part in hours_of(start, end):
            if native:
                income.native[hour] = income.native.get(hour, 0.0) + native / ONE * part
            if usd:
                income.usd[hour] = income.usd.get(hour, 0.0) + usd / ONE * part

    def add_earned(self, node: str, evidence: Evidence, usd: int) -> None:
        """Keep the running total by evidence."""
        sums = self.earned.setdefault(node, {})
        sums[evidence] = sums.get(evidence, 0) + usd


def hours_of(start: datetime, end: datetime) -> Iterator[tuple[int, float]]:
    """Hours since the epoch that a period touches, each with its share of the period."""
    a, b = start.timestamp(), end.timestamp()
    hour, length = int(a) // HOUR_S, b - a
    if length <= 0 or b <= (hour + 1) * HOUR_S:
        yield int(b) // HOUR_S if length <= 0 else hour, 1.0
        return
    while hour * HOUR_S < b:
        overlap = min(b, (hour + 1) * HOUR_S) - max(a, hour * HOUR_S)
        if overlap > 0:
            yield hour, overlap / length
        hour += 1
