"""The present state of one host and its nodes: what a snapshot holds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from orch.model.base import Value
from orch.model.costs import RunningCosts
from orch.model.money import EarnedUsd, PriceNow, Rate
from orch.model.problems import Activity
from orch.model.readings import Failure, Finding, Health, ObserverRate, Outlook
from orch.model.resources import Resources

Mode: TypeAlias = Literal["observe", "suggest", "approve", "auto"]
MODES: tuple[Mode, ...] = ("observe", "suggest", "approve", "auto")
"""The trust ladder, lowest first."""


class LeverState(Value):
    """What a node's levers can set, and how far they are trusted (mode under the global ceiling)."""

    kind: str
    sets: tuple[str, ...]
    mode: Mode


class Limits(Value):
    """Resolved limits of one node (percentages already turned into units)."""

    minimum: Resources = Resources()
    maximum: Resources = Resources()


class Worth(Value):
    """How a node's income depends on its allocation: learned by the core from history and outlooks.

    `base_usd_per_hour` is earned at the need `need`; `activities` say what more brings.
    `need` is what present income rests on and may not be taken away without losing it.
    """

    need: Resources = Resources()
    base_usd_per_hour: float = 0.0
    activities: tuple[Activity, ...] = ()
    per_unit: Resources = Resources()


class NodeState(Value):
    """One node now: its newest figures with their ages.

    `worth` is None while the node's rate is unknown: it then keeps what it has.
    """

    name: str
    host: str
    protocol: str
    emulated: bool
    health: Health
    health_reason: str
    last_seen_at: datetime | None
    resources_as_of: datetime | None
    rate: Rate | None
    worth: Worth | None
    earned: EarnedUsd
    points: str | None
    allocation: Resources
    used: Resources
    committed: Resources
    floor: Resources
    limits: Limits
    levers: tuple[LeverState, ...]
    outlooks: tuple[Outlook, ...]
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]
    facts: tuple[tuple[str, str], ...]
    requests: int = 0
    bytes_read: int = 0
    seconds_waited: float = 0.0
    observed_since: datetime | None = None
    observed_per_hour: ObserverRate | None = None


class Snapshot(Value):
    """The fleet's present state, published at every poll tick, whether or not a slow node answered.

    `prices` are those that income is counted in, `currencies` the USD prices of the money people count in.
    """

    tick: int
    host: str
    taken_at: datetime
    due_at: datetime
    capacity: Resources
    reserve: Resources
    host_used: Resources
    nodes: tuple[NodeState, ...]
    prices: tuple[PriceNow, ...]
    earned: EarnedUsd
    currencies: tuple[PriceNow, ...] = ()
    costs: RunningCosts | None = None
