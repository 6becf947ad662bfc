"""What is set badly today, worked out from one look at the nodes, before orch has ever run. Pure."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from orch.boot.plans import coordinator_plan, optimizer_plan
from orch.earnings.ledger import Ledger
from orch.earnings.prices import price_now
from orch.model.fleet import LeverState
from orch.model.moves import Guards
from orch.model.resources import RESOURCES, ZERO, Resources, combine
from orch.planning.decide import study
from orch.planning.snapshot import appraise_node, node_state, snapshot

if TYPE_CHECKING:
    from datetime import datetime

    from orch.boot.plans import Setting
    from orch.model.fleet import NodeState
    from orch.model.money import Price, PriceNow
    from orch.model.plans import Opportunity
    from orch.model.readings import Failure, Reading

SOLVER_S = 2.0
BY_HAND = LeverState(kind="by hand", sets=RESOURCES, mode="suggest")
"""A person can set what no lever of orch does: advice needs no lever."""


class Seen(NamedTuple):
    """One node as it was just seen."""

    reading: Reading
    failures: tuple[Failure, ...]


def opportunities_now(
    setting: Setting, seen: dict[str, Seen], prices: tuple[Price, ...], now: datetime
) -> tuple[Opportunity, ...]:
    """What another split would bring, by what the nodes have just said of themselves and of their past.

    Nothing when too little is known: the rate of a node needs its whole window of history.
    """
    plan = coordinator_plan(setting)
    ledger = Ledger(plan.host.host)
    by_token = {price.token: price for price in prices}

    def price_of(token: str, *, at: datetime) -> PriceNow | None:
        if token not in plan.tokens:
            return None
        return price_now(
            by_token, token, at, stale_after_s=plan.stale_after_s, unknown_after_s=plan.unknown_after_s
        )

    known = {token: price for token in plan.tokens if (price := price_of(token, at=now)) is not None}
    states = []
    for profile in plan.nodes:
        reading, failures = seen[profile.name]
        ledger.book(reading, partial(price_of, at=now), now)
        appraisal = appraise_node(reading, ledger, known, plan.costs, None, now, plan.host.horizon_h)
        state = node_state(profile, plan.host, reading, appraisal, ledger, failures, now)
        states.append(_by_hand(state))
    fleet = snapshot(plan.host, 1, now, now, tuple(states), tuple(known.values()), ledger, Resources())
    solving = optimizer_plan(setting, SOLVER_S, elsewhere=False)
    return study(fleet, Guards(), solving.settings, solving.solvers).opportunities


def _by_hand(state: NodeState) -> NodeState:
    """A node as a person could set it: what it may use of a resource, unless it says so, is its minimum or use."""
    least = combine(_larger, combine(_larger, state.limits.minimum, state.floor), state.used)
    allocation = state.allocation.filled(least).filled(ZERO)
    return replace(state, allocation=allocation, levers=state.levers or (BY_HAND,))


def _larger(one: float | None, other: float | None) -> float | None:
    return max((each for each in (one, other) if each is not None), default=None)
