"""Plans, fleets and records to move with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from orch.model.fleet import LeverState, Limits, NodeState, Snapshot
from orch.model.money import EarnedUsd, Rate
from orch.model.moves import Reallocation
from orch.model.plans import Plan
from orch.model.resources import RESOURCES, ZERO, Resources
from orch.reallocation.steps import changes_of, order_steps

START = datetime(2026, 1, 1, tzinfo=UTC)
RATE = Rate(low=0.9, mean=1.0, high=1.1, net_mean=None, evidence="accrued", window_s=3600, age_s=0)


def node(name, allocation, **changes):
    """A healthy node whose every resource has a lever in auto mode."""
    fields = {
        "name": name,
        "host": "h",
        "protocol": "storj",
        "emulated": False,
        "health": "online",
        "health_reason": "",
        "last_seen_at": START,
        "resources_as_of": START,
        "rate": RATE,
        "worth": None,
        "earned": EarnedUsd(),
        "points": None,
        "allocation": allocation,
        "used": Resources(),
        "committed": Resources(),
        "floor": Resources(),
        "levers": (LeverState(kind="emulated", sets=RESOURCES, mode="auto"),),
    }
    defaults = dict.fromkeys(("outlooks", "findings", "failures", "facts"), ())
    return NodeState(**{"limits": Limits(), **defaults, **fields, **changes})


def snapshot(nodes, taken_at=START, **capacity):
    """A fleet; without capacity it is boundless."""
    return Snapshot(
        tick=1,
        host="h",
        taken_at=taken_at,
        due_at=taken_at,
        capacity=Resources(**capacity),
        reserve=ZERO,
        host_used=ZERO,
        nodes=tuple(nodes.values()),
        prices=(),
        earned=EarnedUsd(),
    )


def plan(present, goal, identity="p1"):
    """A plan worth making."""
    return Plan(
        id=identity,
        decision_id=f"d-{identity}",
        decided_at=START,
        reasons=("GAIN_ABOVE_COST",),
        sentence="It pays.",
        strategy="threshold",
        solver="linear",
        solver_chain=("linear",),
        from_value=present,
        to_value=goal,
        gain_usd_per_hour=RATE,
        gain_usd=Decimal(10),
        cost_usd=Decimal(1),
        net_benefit_usd=Decimal(9),
        net_benefit_pct=90.0,
        horizon_h=24,
        can_reallocate=True,
        blockers=(),
        status="optimal",
        bound=None,
        gap_pct=None,
        dual_prices=Resources(),
        improvement_pct=None,
        opportunities=(),
    )


def record(identity, present, goal, started_at=START):
    """The record and the steps a saga opens with."""
    return Reallocation(
        id=identity,
        plan_id="p1",
        decision_id="d1",
        state="proposed",
        trigger="auto",
        started_at=started_at,
        ended_at=None,
        changes=changes_of(present, goal),
        reasons=(),
        sentence="It pays.",
        predicted_gain_usd_per_hour=None,
        cost_usd=None,
        realised_gain_usd_per_hour=None,
        verdict="pending",
        rolled_back_reason=None,
    ), order_steps(present, goal)
