"""From the fleet's state to a problem for a solver."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from orch.model.plans import Blocker
from orch.model.problems import Problem, ProblemNode
from orch.model.resources import RESOURCES, ResourceName, resources
from orch.planning.locks import held_free, lever_blockers, node_locks, price_blockers, with_hands

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.model.fleet import NodeState, Snapshot, Worth
    from orch.model.moves import Guards
    from orch.model.plans import Code
    from orch.planning.settings import PlanSettings


class Draft(NamedTuple):
    """A node on its way into the problem: its state, why it is locked, what some lever sets, and what binds it.

    `bounds` are those of a node that may be moved, by resource of known allocation.
    """

    state: NodeState
    locked_by: tuple[Code, ...]
    may_stop: bool
    settable: tuple[ResourceName, ...]
    bounds: Mapping[ResourceName, Bounds]


class Bounds(NamedTuple):
    """One node's limits of one resource, in its unit."""

    floor: float
    cap: float | None
    need: float


def build_problem(
    snapshot: Snapshot, guards: Guards, settings: PlanSettings
) -> tuple[Problem, tuple[Blocker, ...]]:
    """The problem of a snapshot, and everything that keeps nodes or resources from moving.

    What may be given out is the capacity less the reserve, less what nodes of unknown allocation use. A node that
    may not be moved is locked: it keeps what it has and takes part with it. Where what must be kept exceeds what
    may be given out, every node keeps its amount of that resource and the rest is planned without it.
    """
    snapshot = with_hands(snapshot)
    frozen = price_blockers(snapshot, settings)
    blockers = list(frozen)
    drafts: list[Draft] = []
    for state in snapshot.nodes:
        locks = node_locks(state, guards, settings, snapshot.taken_at)
        codes = tuple(dict.fromkeys(each.code for each in (*frozen, *locks)))
        drafts.append(_draft(state, codes, settings))
        blockers += locks or lever_blockers(state)
    given = {name: _given(snapshot, name) for name in RESOURCES}
    short: set[ResourceName] = set()
    for name, amount in given.items():
        kept = math.fsum(_must_keep(draft, name) for draft in drafts)
        if amount is not None and kept > amount * (1.0 + 1e-9) + 1e-9:
            short.add(name)
            given[name] = math.fsum(draft.state.allocation.or_zero(name) for draft in drafts)
            blockers.append(
                Blocker(
                    code="INFEASIBLE",
                    sentence=f"Nodes must keep {kept:g} {name}, {amount:g} may be given out: it stays as it is.",
                )
            )
    problem = Problem(
        host=snapshot.host,
        capacity=resources(given),
        nodes=tuple(_node(draft, given, short, settings) for draft in drafts),
        horizon_h=settings.horizon_h,
        max_changes=settings.max_changes,
    )
    return problem, tuple(blockers)


def _given(snapshot: Snapshot, name: ResourceName) -> float | None:
    """What may be given out of one resource; None when the capacity is unknown."""
    capacity = snapshot.capacity.get(name)
    if capacity is None:
        return None
    room = max(capacity - snapshot.reserve.or_zero(name), 0.0)
    unplanned = [node for node in snapshot.nodes if node.allocation.get(name) is None]
    present = math.fsum(node.allocation.or_zero(name) for node in snapshot.nodes)
    if not unplanned:
        return room
    if any(node.used.get(name) is None for node in unplanned):
        return min(room, present)  # what is free cannot be told from what they use: nothing new is given out
    used = math.fsum(
        max(node.used.or_zero(name), node.committed.or_zero(name), node.floor.or_zero(name)) for node in unplanned
    )
    return min(room, max(room - used, present))


def _draft(state: NodeState, locked_by: tuple[Code, ...], settings: PlanSettings) -> Draft:
    settable = held_free(state)
    may_stop = not locked_by and _may_stop(state, settable)
    bounds = {
        name: _bounds(state, name, present, settings, may_stop=may_stop)
        for name, present in state.allocation.known()
    }
    return Draft(state, locked_by, may_stop, settable, bounds)


def _may_stop(state: NodeState, settable: tuple[ResourceName, ...]) -> bool:
    """Whether a node is all or nothing, and nothing speaks against nothing."""
    on_off = any(outlook.form == "on_off" for outlook in state.outlooks)
    vectors = (state.limits.minimum, state.committed, state.floor)
    bound = any(amount > 0.0 for vector in vectors for _, amount in vector.known())
    return on_off and len(settable) == len(state.allocation.known()) and not bound


def _bounds(
    state: NodeState, name: ResourceName, present: float, settings: PlanSettings, *, may_stop: bool
) -> Bounds:
    """The limits of a movable node, whatever is locked or has no lever.

    What protects (floor, commitment, need, use) never asks for more than a node has; an operator's minimum does.
    """
    worth = state.worth
    protected = max(
        state.floor.or_zero(name), state.committed.or_zero(name), _rests_on(state, worth, name, settings)
    )
    if not may_stop:
        protected = min(protected, present)
    floor = max(state.limits.minimum.or_zero(name), protected)
    cap = state.limits.maximum.get(name)
    need = 0.0 if worth is None else worth.need.or_zero(name)
    return Bounds(floor, None if cap is None else max(cap, floor), min(need, floor))


def _rests_on(state: NodeState, worth: Worth | None, name: ResourceName, settings: PlanSettings) -> float:
    """How much of a resource present income rests on.

    A stated need, when it earns. Where neither need nor floor is stated and no activity says what the resource is
    worth: what is used, with headroom, and all of it when the use is unknown or the node is all or nothing.
    """
    if worth is None:
        return 0.0
    need = worth.need.get(name)
    if need is not None:
        return need if worth.base_usd_per_hour > 0.0 or worth.activities else 0.0
    if any(each.takes.or_zero(name) > 0.0 for each in worth.activities):
        return 0.0
    used, present = state.used.get(name), state.allocation.or_zero(name)
    if state.floor.get(name) is not None:
        return 0.0 if used is None else min(used, present)
    if used is None or any(outlook.form == "on_off" for outlook in state.outlooks):
        return present
    return used * (1.0 + settings.headroom_pct / 100.0)


def _must_keep(draft: Draft, name: ResourceName) -> float:
    present = draft.state.allocation.get(name)
    if present is None:
        return 0.0
    if draft.locked_by or name not in draft.settable:
        return present
    return 0.0 if draft.may_stop else min(draft.bounds[name].floor, present)


def _node(
    draft: Draft, given: dict[ResourceName, float | None], short: set[ResourceName], settings: PlanSettings
) -> ProblemNode:
    state, worth = draft.state, draft.state.worth
    floor: dict[ResourceName, float | None] = {}
    cap: dict[ResourceName, float | None] = {}
    need: dict[ResourceName, float | None] = {}
    step: dict[ResourceName, float | None] = {}
    unit: dict[ResourceName, float | None] = {}
    known = state.allocation.known()
    for name, present in known:
        bounds = draft.bounds[name]
        if draft.locked_by or name in short or name not in draft.settable:
            bounds = Bounds(present, present, min(bounds.need, present))
        elif (size := _step(state, name)) is not None:
            step[name], bounds = size, _in_steps(bounds, present, size)
        floor[name], cap[name], need[name] = bounds
        unit[name] = settings.whole_move_usd / amount if (amount := given[name]) else 0.0
    low, high = _base_bounds(state)
    pause_usd = _pauses_usd(state, settings)
    movable = [name for name in pause_usd if draft.may_stop or cap[name] is None or floor[name] != cap[name]]
    return ProblemNode(
        name=state.name,
        present=state.allocation,
        floor=resources(floor),
        cap=resources(cap),
        activities=() if worth is None else worth.activities,
        base_usd_per_hour=0.0 if worth is None else worth.base_usd_per_hour,
        step=resources(step),
        may_stop=draft.may_stop and not short,
        locked=bool(draft.locked_by),
        locked_by=draft.locked_by,
        change_usd=max((pause_usd[name] for name in movable), default=0.0),
        pause_usd=resources(pause_usd),
        unit_usd=resources(unit),
        need=resources(need),
        base_low_usd_per_hour=low,
        base_high_usd_per_hour=high,
    )


def _step(state: NodeState, name: ResourceName) -> float | None:
    steps = [each.step for each in state.outlooks if each.resource == name and each.step]
    return max(steps, default=None)


def _in_steps(bounds: Bounds, present: float, step: float) -> Bounds:
    """A floor on the grid of steps from 0, unless only the present amount itself is above it."""
    floor = step * math.ceil(bounds.floor / step - 1e-6)
    if floor > present >= bounds.floor:
        floor = present
    cap = None if bounds.cap is None else max(bounds.cap, floor)
    return Bounds(floor, cap, min(bounds.need, floor))


def _base_bounds(state: NodeState) -> tuple[float | None, float | None]:
    """The base income's bounds: those of the node's rate, in proportion."""
    rate, worth = state.rate, state.worth
    if rate is None or worth is None or rate.mean <= 0.0:
        return None, None
    share = worth.base_usd_per_hour / rate.mean
    return share * rate.low, share * rate.high


def _pauses_usd(state: NodeState, settings: PlanSettings) -> dict[ResourceName, float]:
    """The income lost while a change of one resource makes the node pause, by resource of known allocation."""
    income = 0.0 if state.rate is None else max(state.rate.mean, 0.0)
    terms = settings.of(state.name)
    return {name: income * terms.pause_of(name) / 3600.0 for name, _ in state.allocation.known()}
