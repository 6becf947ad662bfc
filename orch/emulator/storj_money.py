"""What a storage node's counters are worth: the running estimate in cents, and paystubs in micro-USD."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from orch.emulator.storj import (
    BYTE_MINUTES_PER_TB_MONTH,
    EGRESS_CENTS,
    STORAGE_CENTS,
    Month,
    Satellite,
    StorjEconomy,
    held_percent,
    month_name,
    month_start,
)
from orch.model.money import Amounts

RETURN_AGE_MONTHS = 15
"""In the 16th month half of what was held so far is returned."""


class Usage(NamedTuple):
    """One satellite's month: byte-minutes at rest; bytes read by customers, repair and audit; bytes written."""

    byte_minutes: int
    usage: int
    repair: int
    audit: int
    put: int


class Estimate(NamedTuple):
    """The node's own estimate of one satellite and month, in hundredths of a cent."""

    disk: int
    egress: int
    repair_audit: int
    held_percent: int

    @property
    def gross(self) -> int:
        """All components."""
        return self.disk + self.egress + self.repair_audit

    @property
    def held_cents(self) -> float:
        """What is held back, in cents; not rounded."""
        return self.gross * self.held_percent / 10_000

    @property
    def payout(self) -> int:
        """What is left, rounded to a hundredth of a cent."""
        return half_up(self.gross * (100 - self.held_percent), 100)


class Paystub(NamedTuple):
    """A final statement, in micro-USD."""

    disk: int
    usage: int
    repair: int
    audit: int
    held_percent: int
    held: int
    disposed: int
    distributed: int

    @property
    def earned(self) -> int:
        """All components: the gross of the month."""
        return self.disk + self.usage + self.repair + self.audit

    @property
    def paid(self) -> int:
        """What is due for the month: after held, with what is returned."""
        return self.earned - self.held + self.disposed


def half_up(numerator: int, denominator: int) -> int:
    """A quotient of non-negative integers rounded to the nearest one, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def usage_of(month: Month) -> Usage:
    """A closed month's usage."""
    return Usage(month.byte_minutes, month.usage, month.repair, month.audit, month.put)


def running(economy: StorjEconomy, index: int, satellite: Satellite) -> Usage:
    """The usage of the running month."""
    parts = [economy.egress_of(index, day) for day in satellite.days]
    return Usage(
        sum(day.byte_minutes for day in satellite.days),
        sum(part[0] for part in parts),
        sum(part[1] for part in parts),
        sum(part[2] for part in parts),
        sum(day.ingress for day in satellite.days),
    )


def estimate(economy: StorjEconomy, index: int, month: str, usage: Usage) -> Estimate:
    """What `/api/sno/estimated-payout` makes of a month."""
    return Estimate(
        half_up(usage.byte_minutes * STORAGE_CENTS * 100, BYTE_MINUTES_PER_TB_MONTH),
        half_up(usage.usage * EGRESS_CENTS * 100, 10**12),
        half_up((usage.repair + usage.audit) * EGRESS_CENTS * 100, 10**12),
        held_percent(economy.joined[index], month),
    )


def paystubs(economy: StorjEconomy, index: int, satellite: Satellite, minute: int) -> list[tuple[Month, Paystub]]:
    """The paystubs of one satellite that exist at a Unix minute, oldest first."""
    stubs = []
    held_so_far = 0
    first = month_name(economy.joined[index])
    for month in satellite.months:
        if month.stub_minute > minute:
            break
        percent = held_percent(economy.joined[index], month.name)
        parts = (
            month.byte_minutes * 1_497_600 // BYTE_MINUTES_PER_TB_MONTH,
            month.usage * 2_000_000 // 10**12,
            month.repair * 2_000_000 // 10**12,
            month.audit * 2_000_000 // 10**12,
        )
        held = sum(parts) * percent // 100
        disposed = held_so_far // 2 if month_start(first, RETURN_AGE_MONTHS) == month_start(month.name) else 0
        held_so_far += held
        paid = sum(parts) - held + disposed
        stubs.append((month, Paystub(*parts, percent, held, disposed, paid if month.paid_minute <= minute else 0)))
    return stubs


def truth(economy: StorjEconomy, index: int, satellite: Satellite, minute: int) -> dict[str, Amounts]:
    """Gross USD by month `YYYY-MM`: estimated, then (with the paystub) accrued, then settled when sent.

    What stays held back is accrued until the network returns it, the oldest first.
    """
    amounts: dict[str, Amounts] = {}
    for month in satellite.months:
        cents = estimate(economy, index, month.name, usage_of(month)).gross
        amounts[month.name] = Amounts(estimated=Decimal(cents).scaleb(-4))
    stubs = paystubs(economy, index, satellite, minute)
    returned = sum(stub.disposed for _, stub in stubs if stub.distributed >= stub.paid)
    for month, stub in stubs:
        back = min(stub.held, returned)
        returned -= back
        sent = max(0, stub.distributed - stub.disposed) + back
        amounts[month.name] = Amounts(
            settled=Decimal(sent).scaleb(-6), accrued=Decimal(stub.earned - sent).scaleb(-6)
        )
    now = month_name(minute)
    cents = estimate(economy, index, now, running(economy, index, satellite)).gross
    amounts[now] = Amounts(estimated=Decimal(cents).scaleb(-4))
    return amounts
