"""What planning has to be told besides the fleet's state: configuration, resolved to numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.model.base import Value
from orch.model.problems import Budget
from orch.model.resources import ResourceName

if TYPE_CHECKING:
    from collections.abc import Mapping


class NodeTerms(Value):
    """What planning has to know of one node.

    `tokens`: the tokens in whose price its income is counted; none where it earns in USD or has no rate anyway.
    `downtime_s`: seconds of its income lost per change, by its levers' cost priors. `pause_s` says it of the
    change of single resources: the longest of those changed counts, `downtime_s` for one that it does not name.
    """

    node: str
    tokens: tuple[str, ...] = ()
    downtime_s: float = 0.0
    pause_s: dict[ResourceName, float] = msgspec.field(default_factory=dict)

    def pause_of(self, resource: ResourceName) -> float:
        """Seconds of the node's income that a change of one resource costs."""
        return self.pause_s.get(resource, self.downtime_s)

    def lasting(self, downtime_s: float) -> NodeTerms:
        """The same with another downtime; the pauses of single resources keep their proportion to it."""
        times = downtime_s / self.downtime_s if self.downtime_s > 0.0 else 1.0
        pauses = {name: pause_s * times for name, pause_s in self.pause_s.items()}
        return replace(self, downtime_s=downtime_s, pause_s=pauses)


class PlanSettings(Value):
    """How to plan.

    `horizon_h`: how long a move has to pay for itself, up to `longest_horizon_h` where moving is dear.
    `stale_after_s`: a node whose figures are older is not moved. `whole_move_usd`: what moving the whole capacity
    of a resource is taken to cost, so that nothing moves without reason. `dust_pct`: changes below this share of
    the capacity are not made. `headroom_pct`: how much above its use a node keeps of a resource whose worth to it
    is unknown. `underused_pct`: use below this share of the allocation is an opportunity. `price_shift_pct`: a
    price that moved by more explains a new best split.
    """

    horizon_h: float = 24.0
    longest_horizon_h: float = 168.0
    stale_after_s: float = 900.0
    solver: str = "linear"
    budget: Budget = Budget(seconds=1.0)
    seed: int = 0
    max_changes: int | None = None
    terms: tuple[NodeTerms, ...] = ()
    whole_move_usd: float = 0.001
    dust_pct: float = 0.5
    headroom_pct: float = 25.0
    underused_pct: float = 50.0
    price_shift_pct: float = 5.0

    def of(self, node: str) -> NodeTerms:
        """The terms of one node; the defaults when none were given."""
        for each in self.terms:
            if each.node == node:
                return each
        return NodeTerms(node=node)


def with_pauses(settings: PlanSettings, downtime_s: Mapping[str, float]) -> PlanSettings:
    """The settings with what changes have been seen to cost nodes; the priors stay where nothing was seen."""
    terms = tuple(each.lasting(downtime_s.get(each.node, each.downtime_s)) for each in settings.terms)
    return replace(settings, terms=terms)
