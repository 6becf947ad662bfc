"""Plans, fleets and records to move with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from orch.model.fleet import LeverState
from orch.model.money import Rate
from orch.model.resources import RESOURCES, ZERO, Resources
from orch.reallocation.guards import guards_of
from orch.reallocation.holds import past_of
from orch.reallocation.steps import changes_of, order_steps
from orch.reallocation.story import stories
from tests.fakes import values

START = datetime(2026, 1, 1, tzinfo=UTC)
RATE = Rate(low=0.9, mean=1.0, high=1.1, net_mean=None, evidence="accrued", window_s=3600, age_s=0)


def node(name, allocation, **changes):
    """A healthy node whose every resource has a lever in auto mode."""
    fields = {
        "protocol": "storj",
        "last_seen_at": START,
        "resources_as_of": START,
        "rate": RATE,
        "allocation": allocation,
        "levers": (LeverState(kind="emulated", sets=RESOURCES, mode="auto"),),
    }
    return values.node_state(name, **fields | changes)


def snapshot(nodes, taken_at=START, **capacity):
    """A fleet; without capacity it is boundless."""
    return values.snapshot(
        *nodes.values(), at=taken_at, capacity=Resources(**capacity), reserve=ZERO, host_used=ZERO
    )


def plan(present, goal, identity="p1"):
    """A plan worth making."""
    return values.plan(
        values.decision(
            f"d-{identity}",
            plan_id=identity,
            decided_at=START,
            reasons=("GAIN_ABOVE_COST",),
            sentence="It pays.",
            from_value=present,
            to_value=goal,
            gain_usd_per_hour=RATE,
            gain_usd=Decimal(10),
            cost_usd=Decimal(1),
            net_benefit_usd=Decimal(9),
            net_benefit_pct=90.0,
        )
    )


def record(identity, present, goal, started_at=START):
    """The record and the steps a saga opens with."""
    opened = values.reallocation(
        identity,
        plan_id="p1",
        decision_id="d1",
        state="proposed",
        started_at=started_at,
        ended_at=None,
        changes=changes_of(present, goal),
        sentence="It pays.",
    )
    return opened, order_steps(present, goal)


def guards_at(records, now, limits):
    """What a whole journal allows at a time."""
    told = stories(records)
    running = next((identity for identity, story in told.items() if not story.ended), None)
    return guards_of(past_of(told.values(), limits), now, limits, running=running)
