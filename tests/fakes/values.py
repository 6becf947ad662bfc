"""Values with sensible defaults, for tests that care about one or two of their fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orch.model.fleet import Limits, NodeState, Snapshot
from orch.model.money import EarnedUsd, Rate
from orch.model.moves import Reallocation
from orch.model.plans import Decision, Plan, PlanStep
from orch.model.resources import Resources

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def rate(mean: float = 0.02, spread: float = 0.0, **rest: Any) -> Rate:
    """A rate of `mean` USD/h, give or take `spread` of it."""
    known: dict[str, Any] = {"net_mean": None, "evidence": "accrued", "window_s": 86_400.0, "age_s": 0.0}
    return Rate(low=mean * (1 - spread), mean=mean, high=mean * (1 + spread), **(known | rest))


def node_state(name: str = "a", **rest: Any) -> NodeState:
    """An online node of four cores that earns two cents an hour."""
    known: dict[str, Any] = {
        "name": name,
        "host": "h",
        "protocol": "golem",
        "emulated": False,
        "health": "online",
        "health_reason": "",
        "last_seen_at": NOON,
        "resources_as_of": NOON,
        "rate": rate(),
        "worth": None,
        "earned": EarnedUsd(),
        "points": None,
        "allocation": Resources(cpu_cores=4.0),
        "used": Resources(),
        "committed": Resources(),
        "floor": Resources(),
        "limits": Limits(),
        "levers": (),
        "outlooks": (),
        "findings": (),
        "failures": (),
        "facts": (),
    }
    return NodeState(**(known | rest))


def snapshot(*nodes: NodeState, at: datetime = NOON, **rest: Any) -> Snapshot:
    """A host of eight cores, one of them reserved."""
    known: dict[str, Any] = {
        "tick": 1,
        "host": "h",
        "taken_at": at,
        "due_at": at,
        "capacity": Resources(cpu_cores=8.0),
        "reserve": Resources(cpu_cores=1.0),
        "host_used": Resources(),
        "nodes": nodes,
        "prices": (),
        "earned": EarnedUsd(),
    }
    return Snapshot(**(known | rest))


def reallocation(name: str = "r1", **rest: Any) -> Reallocation:
    """A move that settled and is not judged yet."""
    known: dict[str, Any] = {
        "id": name,
        "plan_id": None,
        "decision_id": None,
        "state": "settled",
        "trigger": "auto",
        "started_at": NOON,
        "ended_at": NOON,
        "changes": (),
        "reasons": (),
        "sentence": "moved",
        "predicted_gain_usd_per_hour": None,
        "cost_usd": None,
        "realised_gain_usd_per_hour": None,
        "verdict": "pending",
        "rolled_back_reason": None,
    }
    return Reallocation(**(known | rest))


def decision(name: str = "d1", **rest: Any) -> Decision:
    """A decision to stay, about nodes and money that nothing is known of."""
    known: dict[str, Any] = {
        "id": name,
        "decided_at": NOON,
        "verdict": "stay",
        "reasons": ("GAIN_BELOW_COST",),
        "sentence": "stays",
        "strategy": "threshold",
        "solver": "linear",
        "solver_chain": ("linear",),
        "plan_id": None,
        "from_value": {},
        "to_value": {},
        "gain_usd_per_hour": None,
        "gain_usd": None,
        "cost_usd": None,
        "net_benefit_usd": None,
        "net_benefit_pct": None,
        "horizon_h": 24.0,
        "can_reallocate": True,
        "blockers": (),
    }
    return Decision(**(known | rest))


def plan(of: Decision | None = None, **rest: Any) -> Plan:
    """The plan that a decision was about, which its solver holds for the best."""
    of = of or decision()
    shared = {name: getattr(of, name) for name in Plan.__struct_fields__ if name in Decision.__struct_fields__}
    known: dict[str, Any] = {
        "id": of.plan_id or "p1",
        "decision_id": of.id,
        "status": "optimal",
        "bound": None,
        "gap_pct": None,
        "dual_prices": Resources(),
        "improvement_pct": None,
        "opportunities": (),
    }
    return Plan(**(shared | known | rest))


def plan_step(**rest: Any) -> PlanStep:
    """The first step of a plan: disk gives cores away, by a lever that waits for approval."""
    known: dict[str, Any] = {
        "index": 0,
        "node": "disk",
        "kind": "release",
        "goal": Resources(cpu_cores=1.5),
        "undo": Resources(cpu_cores=6.0),
        "does": ("docker update --cpus 1.5 disk",),
        "lever": "docker",
        "mode": "approve",
    }
    return PlanStep(**(known | rest))
