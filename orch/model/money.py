"""Money as the networks count it, and rates as orch states them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

from orch.model.base import Value

Evidence: TypeAlias = Literal["settled", "accrued", "estimated", "speculative"]
EVIDENCE: tuple[Evidence, ...] = ("settled", "accrued", "estimated", "speculative")
"""Best first. What has no evidence at all is unknown: `None`, never 0."""

EntryKind: TypeAlias = Literal["earned", "held", "released", "paid", "fee", "gas", "penalty", "correction"]
Semantics: TypeAlias = Literal["cumulative", "per_period", "balance"]

SCALE = Decimal(1).scaleb(-18)
"""The finest amount kept: one wei. Native amounts, prices and USD are quantised to it."""


class Amounts(Value):
    """How much of a stream rests on which evidence, in its native unit."""

    settled: Decimal = Decimal(0)
    accrued: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)
    speculative: Decimal = Decimal(0)

    def get(self, evidence: Evidence) -> Decimal:
        """The amount resting on one kind of evidence."""
        amount: Decimal = getattr(self, evidence)
        return amount

    @property
    def total(self) -> Decimal:
        """The whole amount."""
        return self.settled + self.accrued + self.estimated + self.speculative


class TrailPoint(Value):
    """A known earlier value of a running total, for first contact."""

    reached_at: datetime
    total: Decimal


class Accrual(Value):
    """What a network says a stream of income amounts to, as of a time.

    `stream` is a natural key of the network (satellite and month, agreement, operator, epoch); with `kind` it is
    unique within its node. `amounts` is the running total of the stream, not a difference. `semantics`:
    `cumulative` only falls by a correction; `per_period` likewise, with the period in `stream`;
    `balance` falls when it is paid out. `trail` (oldest first, strictly before `as_of`) lets the first
    booking of a stream be spread over the times it was really earned in. `period_end` is set once the
    stream can no longer grow by new work (the month is over, the agreement has ended): what still changes
    is a correction of that period, not new income.

    `kind` says what the total counts, always positive: `earned` is income before any fee of the network; `fee`
    what the network keeps of it, `gas` what the operator's own transactions cost (in the chain's coin), `penalty`
    what was taken away (these three are booked negative). `held` is earned money that the network keeps back,
    `released` what it gave back of that, `paid` what reached the operator: they move earned money and are not
    income. A stream's fee, hold and payment have the stream's own name, or one of their own where there are
    several of them, such as one per transaction. A falling `balance` is booked as paid by itself.

    `reference` is what an outsider would look the amount up by: a transaction, a paystub, an agreement with
    its invoice. It may change while the stream grows: an entry keeps the reference it was booked with.
    """

    stream: str
    unit: str
    amounts: Amounts
    period_start: datetime
    as_of: datetime
    kind: EntryKind = "earned"
    semantics: Semantics = "cumulative"
    reference: str = ""
    final: bool = False
    period_end: datetime | None = None
    trail: tuple[TrailPoint, ...] = ()


class Entry(Value):
    """One line of the ledger; the fields are the table's and the CSV's columns.

    `amount` is signed and in `unit`; `usd` is None when no price was known. Never changed once written.
    """

    entry_id: str
    booked_at: datetime
    period_start: datetime
    period_end: datetime
    host: str
    node: str
    protocol: str
    stream: str
    kind: EntryKind
    amount: Decimal
    unit: str
    usd_price: Decimal | None
    usd_price_source: str | None
    usd_price_at: datetime | None
    usd: Decimal | None
    evidence: Evidence
    reference: str
    emulated: bool


Agreement: TypeAlias = Literal["agreed", "single_source", "disputed", "held", "pinned"]
"""How sure a price is: independent families agree; only one says so; two say different things and the lower
counts; a jump waits for a second word and the price before it counts; a person has set it."""


class Price(Value):
    """USD per one unit of a token, as its sources state it; `source` names those that agree, joined by `+`.

    `note` says in words what is doubtful about it.
    """

    token: str
    usd: Decimal
    source: str
    observed_at: datetime
    fetched_at: datetime
    agreement: Agreement = "agreed"
    note: str = ""


PriceState: TypeAlias = Literal["fresh", "single_source", "disputed", "stale", "unknown"]


class PriceNow(Value):
    """A price as it stands at some time; `price` is None when unknown.

    `only_costs`: no income is counted in it, so that without it costs are not known, and nothing else changes.
    """

    token: str
    state: PriceState
    price: Price | None
    age_s: float | None
    only_costs: bool = False


class CostPerHour(Value):
    """What running costs, in USD per hour: a mean within its 90 % interval."""

    low: float
    mean: float
    high: float


class Rate(Value):
    """USD per hour before running costs, as an interval, and what is left after them.

    `low <= mean <= high` is a 90 % interval; `window_s` is the time the figure was observed over; `age_s` the age
    of its newest evidence when it was stated. `cost` is what was taken off for the net figures; they are None when
    it is not known, or when they are smaller than what it is known to, and `net_note` says so.
    """

    low: float
    mean: float
    high: float
    net_mean: float | None
    evidence: Evidence
    window_s: float
    age_s: float
    net_low: float | None = None
    net_high: float | None = None
    cost: CostPerHour | None = None
    net_note: str = ""


class EarnedUsd(Value):
    """Income so far by evidence; speculative never counts."""

    settled: Decimal = Decimal(0)
    accrued: Decimal = Decimal(0)
    estimated: Decimal = Decimal(0)
