"""The shapes of `status --json` and `GET /api/v1/dashboard` (surfaces: NODE, KPIS, the dashboard body)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from orch.model.alerts import Alert
from orch.model.base import Value
from orch.model.fleet import Mode
from orch.model.money import EarnedUsd, PriceState, Rate
from orch.model.moves import Reallocation
from orch.model.plans import Blocker, Opportunity
from orch.model.readings import Health, ObserverRate
from orch.model.resources import Resources


class ObserverView(Value):
    """What observing a node has cost it since orch was started, and costs it per hour (null at first).

    `requests` are questions sent to it (its levers included), `bytes` the bodies of its answers, `seconds` the
    time that answers took.
    """

    requests: int
    bytes: int
    seconds: float
    since: datetime | None
    per_hour: ObserverRate | None


class NodeView(Value):
    """One node on the board (surfaces: NODE)."""

    name: str
    host: str
    protocol: str
    emulated: bool
    health: Health
    health_reason: str
    last_seen_at: datetime | None
    usd_per_hour: Rate | None
    share_pct: float | None
    allocation: Resources
    allocation_pct: Resources
    optimal: Resources
    used: Resources
    committed: Resources
    worth: Resources
    earned_usd: EarnedUsd
    locked_by: tuple[str, ...]
    observer: ObserverView | None = None


class NodeKpis(Value):
    """The KPIs of one node."""

    usd_per_hour: float | None
    utilisation: Resources
    time_to_reconnect_s: float | None


class Kpis(Value):
    """The KPIs of surfaces.md, by exact name."""

    total_usd_per_hour: float | None = None
    allocation_efficiency: Resources = Resources()
    uptime_pct: float | None = None
    uptime_unknown_pct: float | None = None
    reallocations_per_day: float | None = None
    success_rate_pct: float | None = None
    nodes: dict[str, NodeKpis] = msgspec.field(default_factory=dict)
    cost_effectiveness: float | None = None
    prediction_mape_pct: float | None = None
    prediction_coverage_pct: float | None = None


class EngineView(Value):
    """The engine behind the figures."""

    running: bool
    pid: int | None
    version: str
    mode: Mode
    kind: str
    speed: float


class TotalView(Value):
    """The sum over the known nodes, saying whom it leaves out."""

    usd_per_hour: Rate | None
    earned_usd: EarnedUsd
    leaves_out: tuple[str, ...]
    by_protocol: dict[str, Rate]


class OpportunityView(Value):
    """The money fields of the newest decision."""

    decision_id: str
    gain_usd_per_hour: Rate | None
    gain_usd: Decimal | None
    cost_usd: Decimal | None
    net_benefit_usd: Decimal | None
    net_benefit_pct: float | None
    horizon_h: float
    sentence: str


class DisplayView(Value):
    """The currency that people are shown beside USD. JSON itself stays in USD.

    `usd` is what one unit of it is in USD, None when no rate is known: then people are shown USD only, and
    `sentence` says so.
    """

    currency: str
    usd: Decimal | None
    source: str | None
    observed_at: datetime | None
    age_s: float | None
    state: PriceState
    sentence: str


class Dashboard(Value):
    """The whole board."""

    schema: int
    as_of: datetime
    engine: EngineView
    total: TotalView
    nodes: tuple[NodeView, ...]
    capacity: Resources
    reserve: Resources
    opportunity: OpportunityView | None
    can_reallocate: bool
    blockers: tuple[Blocker, ...]
    next_decision_at: datetime | None
    next_reallocation_at: datetime | None
    recent_changes: tuple[Reallocation, ...]
    alerts: tuple[Alert, ...]
    kpis: Kpis
    display: DisplayView | None = None
    opportunities: tuple[Opportunity, ...] = ()
