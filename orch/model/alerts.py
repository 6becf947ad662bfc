"""Alerts as the world sees them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias, get_args

from orch.model.base import Value

Severity: TypeAlias = Literal["info", "warning", "page"]
State: TypeAlias = Literal["pending", "firing", "unknown", "resolved"]
"""`unknown`: it fired, and whether it still would cannot be seen now. Not seen is not over."""
BuiltIn: TypeAlias = Literal[
    "low_earnings",
    "node_lost",
    "reallocation_opportunity",
    "resource_contention",
    "optimization_potential",
    "lever_did_not_take",
    "move_lost",
    "lever_demoted",
    "saga_stuck",
    "price_stale",
    "price_doubtful",
    "actor_failed",
    "finding",
]
BUILT_IN: tuple[BuiltIn, ...] = get_args(BuiltIn)
Rule: TypeAlias = str
"""A built-in rule, or the name of one of the operator's own."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Least first."""


class Condition(Value):
    """A rule that holds now: not yet an alert (it may have to hold for a while first).

    `cost_usd_per_day` is what it costs as long as it lasts; None where that is not known.
    """

    rule: Rule
    node: str | None
    severity: Severity
    sentence: str
    remedy: str
    cost_usd_per_day: float | None = None


class Alert(Value):
    """One alert (surfaces: ALERT). `id` is stable for one episode.

    `unknown_since` is set in state `unknown`. `silenced_until` and `inhibited_by` (the rule of a graver alert that
    explains this one) say why nobody is told of it.
    """

    id: str
    rule: Rule
    node: str | None
    severity: Severity
    state: State
    since: datetime
    sentence: str
    remedy: str
    resolved_at: datetime | None = None
    cost_usd_per_day: float | None = None
    unknown_since: datetime | None = None
    silenced_until: datetime | None = None
    inhibited_by: str | None = None

    @property
    def key(self) -> tuple[Rule, str | None]:
        """What it is about; the next episode has the same."""
        return self.rule, self.node

    @property
    def is_active(self) -> bool:
        """Whether it fired and is not known to be over."""
        return self.state in ("firing", "unknown")


class Silence(Value):
    """Nobody is told of what a rule says about a node (None: about the host) until then."""

    rule: Rule
    node: str | None
    since: datetime
    until: datetime
    comment: str = ""
