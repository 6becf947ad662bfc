"""The ledger's balances: what is needed to book the next difference, and nothing more.

Kept by the coordinator, rebuilt from the ledger table at every start (`store`), advanced by `earnings.ledger`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from orch.model.base import Value
from orch.model.money import EntryKind, Evidence
from orch.model.resources import ResourceName


class Balance(Value):
    """What is booked of one stream, kind and evidence.

    `amount` is the whole booked amount in the native unit, `unpriced` the part of it without a price,
    `usd` the USD booked for the rest.
    """

    node: str
    stream: str
    kind: EntryKind
    evidence: Evidence
    unit: str
    amount: Decimal = Decimal(0)
    unpriced: Decimal = Decimal(0)
    usd: Decimal = Decimal(0)
    last_period_end: datetime | None = None
    entries: int = 0


class HourlyIncome(Value):
    """Income of one node earned in one hour (by period, not by booking); speculative left out.

    `amount` is in the native `unit`, `usd` at the prices it was booked with.
    """

    node: str
    hour: datetime
    usd: float
    evidence: Evidence
    unit: str = "USD"
    amount: float = 0.0


class Turned(Value):
    """A setting of one node that a move changed: what its income by hour before that was earned with."""

    node: str
    resource: ResourceName
    before: float
    after: float
    turned_at: datetime


class Books(Value):
    """All balances, the last 31 days of income by hour, and the settings that moves changed in them."""

    balances: tuple[Balance, ...] = ()
    hourly: tuple[HourlyIncome, ...] = ()
    turned: tuple[Turned, ...] = ()
    sequence: int = 0
