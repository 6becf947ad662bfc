"""Plans, decisions, opportunities, blockers: what orch would do, does, and why not."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from orch.model.base import Value
from orch.model.money import Evidence, Rate
from orch.model.resources import ResourceName, Resources

Code: TypeAlias = Literal[
    "GAIN_ABOVE_COST",
    "GAIN_BELOW_COST",
    "ALREADY_BEST",
    "HOLD_ACTIVE",
    "RATE_LIMITED",
    "RATE_UNKNOWN",
    "PRICE_STALE",
    "PRICE_UNKNOWN",
    "NODE_OFFLINE",
    "NODE_STALE",
    "NODE_COMMITTED",
    "ALLOCATION_UNKNOWN",
    "LEVER_MISSING",
    "LEVER_IN_OBSERVE_MODE",
    "LEVER_IN_SUGGEST_MODE",
    "LEVER_NEEDS_APPROVAL",
    "REALLOCATION_RUNNING",
    "SAGA_STUCK",
    "FROZEN",
    "PROTECTED_FLOOR",
    "INFEASIBLE",
    "SOLVER_REFUSED",
    "STRATEGY_KEEPS",
    "STRATEGY_FAILED",
    "INTERVAL_RUNNING",
    "FORECAST_UNKNOWN",
    "FORECAST_UNSURE",
    "RISK_ABOVE_TOLERANCE",
    "NOT_READY",
    "MOVE_LOST",
    "OUTSIDE_WINDOW",
    "DAY_BUDGET_SPENT",
    "PLAN_EXPIRED",
    "PLAN_STALE",
    "ALLOCATION_CHANGED",
    "LEVER_FAILED",
    "JOURNAL_FAILED",
    "CALLED_OFF",
    "INTERRUPTED",
]


class Blocker(Value):
    """Something that stands in the way of a move, and until when."""

    code: Code
    sentence: str
    node: str | None = None
    until: datetime | None = None


class Opportunity(Value):
    """Income that a different split would bring."""

    kind: Literal["underused", "misallocated", "floor_blocked", "price_shift"]
    node: str
    resource: ResourceName | None
    from_value: float | None = msgspec.field(name="from")
    to_value: float | None = msgspec.field(name="to")
    usd_per_hour: Rate | None
    evidence: Evidence | None
    blockers: tuple[Blocker, ...] = ()


class PlanStep(Value):
    """One step of a plan in the order in which it would be made: all releases before any grant.

    `does` says in words, or as commands, what is done. `lever` is its kind, None where only a person can do it;
    `mode` is how far that lever is trusted.
    """

    index: int
    node: str
    kind: Literal["release", "grant"]
    goal: Resources
    undo: Resources
    does: tuple[str, ...] = ()
    lever: str | None = None
    mode: Literal["observe", "suggest", "approve", "auto"] | None = None


class Decision(Value):
    """What was decided at one decide tick, also when nothing was to be done (surfaces: DECISION)."""

    id: str
    decided_at: datetime
    verdict: Literal["move", "stay"]
    reasons: tuple[Code, ...]
    sentence: str
    strategy: str
    solver: str
    solver_chain: tuple[str, ...]
    plan_id: str | None
    from_value: dict[str, Resources] = msgspec.field(name="from")
    to_value: dict[str, Resources] = msgspec.field(name="to")
    gain_usd_per_hour: Rate | None
    gain_usd: Decimal | None
    cost_usd: Decimal | None
    net_benefit_usd: Decimal | None
    net_benefit_pct: float | None
    horizon_h: float
    can_reallocate: bool
    blockers: tuple[Blocker, ...]


class Plan(Value):
    """The best split found, with what it gains and costs, and the `steps` that lead to it.

    `move` says what it would change, whatever was decided; empty where that is nothing.
    """

    id: str
    decision_id: str
    decided_at: datetime
    reasons: tuple[Code, ...]
    sentence: str
    strategy: str
    solver: str
    solver_chain: tuple[str, ...]
    from_value: dict[str, Resources] = msgspec.field(name="from")
    to_value: dict[str, Resources] = msgspec.field(name="to")
    gain_usd_per_hour: Rate | None
    gain_usd: Decimal | None
    cost_usd: Decimal | None
    net_benefit_usd: Decimal | None
    net_benefit_pct: float | None
    horizon_h: float
    can_reallocate: bool
    blockers: tuple[Blocker, ...]
    status: str
    bound: float | None
    gap_pct: float | None
    dual_prices: Resources
    improvement_pct: float | None
    opportunities: tuple[Opportunity, ...]
    steps: tuple[PlanStep, ...] = ()
    move: str = ""


class PlanStanding(Value):
    """Whether a plan may be approved now, in a sentence that says what to do where it may not.

    `open`: it may. `decided`: it was carried out, is being carried out, or was rejected; `reallocation_id` names
    the move. `expired` and `stale`: too old, or made for another split. `blocked`: what `blockers` say.
    """

    plan_id: str
    state: Literal["open", "unknown", "decided", "expired", "stale", "blocked"]
    sentence: str
    reallocation_id: str | None = None
    blockers: tuple[Blocker, ...] = ()
