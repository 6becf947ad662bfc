"""Alerts as the world sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from orch.model.base import Value

Severity: TypeAlias = Literal["info", "warning", "page"]
Rule: TypeAlias = Literal[
    "low_earnings",
    "node_lost",
    "reallocation_opportunity",
    "resource_contention",
    "optimization_potential",
    "lever_did_not_take",
    "move_lost",
    "saga_stuck",
    "price_stale",
    "price_doubtful",
    "actor_failed",
    "finding",
]


class Condition(Value):
    """A rule that holds now: not yet an alert (it may have to hold for a while first)."""

    rule: Rule
    node: str | None
    severity: Severity
    sentence: str
    remedy: str


class Alert(Value):
    """One alert (surfaces: ALERT). `id` is stable for one episode."""

    id: str
    rule: Rule
    node: str | None
    severity: Severity
    state: Literal["pending", "firing", "resolved"]
    since: datetime
    sentence: str
    remedy: str
    resolved_at: datetime | None = None
