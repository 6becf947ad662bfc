"""Proposed plans: how long they stand, whether they still fit what is there, and parts of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.plans import Blocker, PlanStanding
from orch.model.resources import RESOURCES, resources
from orch.reallocation.guards import can_reallocate
from orch.reallocation.steps import changed, order_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from orch.model.fleet import Snapshot
    from orch.model.moves import Guards, Reallocation
    from orch.model.plans import Plan
    from orch.model.resources import ResourceName, Resources
    from orch.reallocation.settings import SagaSettings

MOST = 500
NEWEST = "`orch plan` shows the newest one; approve that."


def remembered(
    known: Mapping[str, Plan], plan: Plan, now: datetime, patience_s: float, most: int = MOST
) -> dict[str, Plan]:
    """The proposals with one more, without those that have expired; the oldest go where there are too many."""
    oldest = now - timedelta(seconds=patience_s)
    kept = {name: each for name, each in known.items() if each.decided_at >= oldest and name != plan.id}
    return dict([*kept.items(), (plan.id, plan)][-most:])


def objections(
    plan: Plan, snapshot: Snapshot | None, settings: SagaSettings, now: datetime, patience_s: float
) -> tuple[Blocker, ...]:
    """Why a plan can no longer be taken at its word: its age, and what has changed since it was made."""
    found = []
    age_s = (now - plan.decided_at).total_seconds()
    if age_s > patience_s:
        sentence = (
            f"Plan {plan.id} was made {age_s / 60:.0f} min ago and stood for {patience_s / 60:.0f} min. {NEWEST}"
        )
        found.append(Blocker(code="PLAN_EXPIRED", sentence=sentence))
    states = {state.name: state for state in snapshot.nodes} if snapshot is not None else {}
    for node, goal in sorted(plan.to_value.items()):
        before = plan.from_value.get(node)
        if before is None or node not in states:
            continue
        for name in changed(before, goal):
            has = states[node].allocation.get(name)
            if has is not None and not settings.equal(name, has, before.or_zero(name)):
                sentence = (
                    f"{node} has {has:g} {name} now, and plan {plan.id} was made for {before.or_zero(name):g}."
                )
                found.append(Blocker(code="PLAN_STALE", sentence=f"{sentence} {NEWEST}", node=node))
    return tuple(found)


def plan_standing(
    plan_id: str,
    plan: Plan | None,
    *,
    made: Reallocation | None,
    rejected: bool,
    guards: Guards,
    snapshot: Snapshot | None,
    settings: SagaSettings,
    now: datetime,
    patience_s: float,
) -> PlanStanding:
    """Whether a plan may be approved now.

    Args:
        plan_id: Its id.
        plan: The plan; None where nobody knows of it.
        made: The move that carried it out, or is about to.
        rejected: Whether a person has turned it down.
        guards: What the journal allows now.
        snapshot: The newest one, None before the first.
        settings: What counts as equal.
        now: The clock's time.
        patience_s: How many seconds of the clock a plan stands.
    """
    if made is not None:
        sentence = f"Plan {plan_id} was taken already: `orch history` shows reallocation {made.id}, {made.state}."
        return PlanStanding(plan_id=plan_id, state="decided", sentence=sentence, reallocation_id=made.id)
    if rejected:
        return PlanStanding(plan_id=plan_id, state="decided", sentence=f"Plan {plan_id} was rejected. {NEWEST}")
    if plan is None:
        return PlanStanding(plan_id=plan_id, state="unknown", sentence=f"There is no plan {plan_id}. {NEWEST}")
    old = objections(plan, snapshot, settings, now, patience_s)
    if old:
        return PlanStanding(
            plan_id=plan_id,
            state="expired" if old[0].code == "PLAN_EXPIRED" else "stale",
            sentence=old[0].sentence,
            blockers=old,
        )
    can = can_reallocate(plan, guards, snapshot, now, "approved")
    if not can.allowed:
        said = " ".join(each.sentence for each in can.blockers)
        return PlanStanding(plan_id=plan_id, state="blocked", sentence=said, blockers=can.blockers)
    return PlanStanding(plan_id=plan_id, state="open", sentence=f"Plan {plan_id} may be approved.")


def part_of(plan: Plan, steps: Iterable[int]) -> Plan:
    """A plan of which only some steps are taken; what that gains and costs was never worked out."""
    chosen = set(steps)
    goal: dict[str, dict[ResourceName, float | None]] = {
        node: {name: before.get(name) for name in RESOURCES} for node, before in plan.from_value.items()
    }
    every = order_steps(plan.from_value, plan.to_value)
    for step in every:
        if step.index in chosen:
            goal[step.node].update(step.goal.known())
    if chosen.issuperset(step.index for step in every):
        return plan
    to_value: dict[str, Resources] = {node: resources(amounts) for node, amounts in goal.items()}
    numbers = ", ".join(str(step.index + 1) for step in every if step.index in chosen) or "none"
    return replace(
        plan,
        to_value=to_value,
        gain_usd_per_hour=None,
        gain_usd=None,
        cost_usd=None,
        net_benefit_usd=None,
        net_benefit_pct=None,
        improvement_pct=None,
        move=f"Step {numbers} of {len(every)} of: {plan.move or plan.sentence}",
    )
