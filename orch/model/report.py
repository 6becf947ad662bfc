"""The report of a period: what it came to, whether moves paid, and what could be better."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from orch.model.base import Value
from orch.model.proofs import MoneyVerdict
from orch.model.resources import Resources


class Booked(Value):
    """Sums of USD over ledger entries booked in the period: the same as of an export of that time.

    `income_usd` is what was earned and corrected, by evidence beside it; speculative never counts. `fees_usd` are
    fees, gas and penalties (negative). `unpriced`: entries left out for want of a price.
    """

    income_usd: Decimal = Decimal(0)
    settled_usd: Decimal = Decimal(0)
    accrued_usd: Decimal = Decimal(0)
    estimated_usd: Decimal = Decimal(0)
    fees_usd: Decimal = Decimal(0)
    after_fees_usd: Decimal = Decimal(0)
    entries: int = 0
    unpriced: int = 0


class Net(Value):
    """Income less costs over those hours of the period whose running costs are known.

    `gross_usd` is counted by when it was earned, not by when it was booked.
    """

    hours: int
    gross_usd: float
    fees_usd: float
    running_usd: float
    net_usd: float


class NodePart(Value):
    """One node. Shares are in percent, unknown ticks are left out of its uptime and counted apart.

    `unpriced`: ledger entries that no sum holds, for want of a price.
    """

    node: str
    protocol: str
    income_usd: Decimal
    settled_usd: Decimal
    accrued_usd: Decimal
    estimated_usd: Decimal
    fees_usd: Decimal
    earned_usd: float | None
    usd_per_hour: float | None
    share_pct: float | None
    uptime_pct: float | None
    unknown_pct: float | None
    unpriced: int = 0
    cpu_allocated: float | None = None
    cpu_used_pct: float | None = None
    memory_used_pct: float | None = None
    bandwidth_used_pct: float | None = None
    storage_used_pct: float | None = None


class UptimePart(Value):
    """Poll ticks of the whole host: up when every node was online."""

    uptime_pct: float | None
    unknown_pct: float | None
    ticks: int


class MovesPart(Value):
    """The moves of the period added up; what is `pending` waits for its earnings to speak."""

    count: int
    settled: int
    rolled_back: int
    paid: int
    lost: int
    inconclusive: int
    pending: int
    success_rate_pct: float | None
    realised_usd: float | None
    cost_usd: float | None
    missed_usd: float
    missed_hours: float


class MovePart(Value):
    """One move."""

    id: str
    started_at: datetime
    state: str
    verdict: MoneyVerdict
    predicted_usd_per_hour: float | None
    realised_usd_per_hour: float | None
    cost_usd: Decimal | None
    sentence: str


class ForecastPart(Value):
    """How good forecasts of income proved, as a mean over the hours that were scored."""

    error_pct: float | None
    coverage_pct: float | None
    hours: int


class Comparison(Value):
    """What the split that was held earned by the recorded curves, beside what other splits would have.

    Everything in it is estimated, of the hours that are recorded well enough. `best_fixed` is the best of the
    `splits` that were held or proposed, kept all the time; moving to it is not charged. `moving_cost_usd` is what
    moves were reckoned to cost, and is taken off what moving gained.
    """

    hours: float
    as_recorded_usd: float
    never_moved_usd: float
    best_fixed_usd: float
    moving_cost_usd: float
    gained_by_moving_usd: float
    left_on_the_table_usd: float
    splits: int
    best_fixed: dict[str, Resources] = msgspec.field(default_factory=dict)


class DecisionsPart(Value):
    """How often was decided, and why; one decision may have several reasons."""

    count: int
    moves: int
    reasons: dict[str, int]


class AlertPart(Value):
    """How often a rule fired in the period, and for how long in all."""

    rule: str
    node: str | None
    severity: str
    count: int
    lasted_s: float


class Suggestion(Value):
    """What could be better, and what to do; `usd_per_day` is what it would bring, where that is known."""

    sentence: str
    remedy: str
    usd_per_day: float | None = None


class Drawn(Value):
    """One line of a chart: USD (or USD/h) by the start of each step; steps without a figure are left out."""

    node: str
    points: tuple[tuple[datetime, float], ...]


class Report(Value):
    """All of it. What is not known is None, and `unknown` says in words what that is and why."""

    schema: int
    kind: str
    host: str
    as_of: datetime
    since: datetime
    until: datetime
    period_s: float
    booked: Booked
    earned_usd: float | None
    usd_per_hour: float | None
    net: Net | None
    nodes: tuple[NodePart, ...]
    efficiency_usd_per_hour: Resources
    uptime: UptimePart
    moves: MovesPart
    reallocations: tuple[MovePart, ...]
    forecasts: ForecastPart
    comparison: Comparison | None
    decisions: DecisionsPart
    alerts: tuple[AlertPart, ...]
    suggestions: tuple[Suggestion, ...]
    unknown: tuple[str, ...]
    income_step_s: int = 86_400
    income: tuple[Drawn, ...] = ()
    rate_step_s: int = 3600
    rates: tuple[Drawn, ...] = ()
