"""What may be moved now: the journal's word, and every check that is made before a lever is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.fleet import MODES
from orch.model.moves import CanReallocate, Guards, Hold
from orch.model.never import forbidden_moves
from orch.model.plans import Blocker
from orch.model.readings import contact_lost
from orch.model.resources import RESOURCES, TOLERANCE
from orch.reallocation.holds import DAY, HOUR
from orch.reallocation.steps import changed
from orch.reallocation.windows import opens_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime, timedelta

    from orch.model.fleet import LeverState, Mode, NodeState, Snapshot
    from orch.model.moves import Demotion, Trigger
    from orch.model.plans import Code, Plan
    from orch.model.resources import ResourceName, Resources
    from orch.reallocation.holds import NodePast, Past
    from orch.reallocation.settings import MoveLimits


def guards_of(past: Past, now: datetime, limits: MoveLimits, *, running: str | None = None) -> Guards:
    """What is allowed at a time. A running move counts towards the hour and the day."""
    holds = [
        Hold(node=name, until=node.until, sentence=_why_held(name, node))
        for name, node in sorted(past.nodes.items())
        if node.until > now
    ]
    ended = [each for each in past.ended if each.id != running]
    in_hour = sorted(each.ended_at for each in ended if each.ended_at + HOUR > now)
    in_day = sorted(each.ended_at for each in ended if each.ended_at + DAY > now)
    running_now = running is not None
    a_day = limits.max_moves_per_day
    return Guards(
        holds=(*holds, *_spent(past, now, limits)),
        moves_in_last_hour=len(in_hour) + running_now,
        max_moves_per_hour=limits.max_moves_per_hour,
        next_slot_at=_slot(in_hour, limits.max_moves_per_hour, HOUR, running_now),
        running=running,
        stuck=past.stuck,
        last_move_at=max((each.ended_at for node in past.nodes.values() for each in node.turned), default=None),
        window_opens_at=opens_at(limits.windows, now),
        moves_in_last_day=len(in_day) + running_now,
        max_moves_per_day=a_day,
        next_day_slot_at=None if a_day is None else _slot(in_day, a_day, DAY, running_now),
    )


def _slot(recent: list[datetime], most: int, period: timedelta, running: bool) -> datetime | None:
    """When enough of the recent moves have grown old that one more fits; None while one does, or never will."""
    moves = len(recent) + running
    if not moves >= most > 0 or not recent:
        return None
    return recent[min(moves - most, len(recent) - 1)] + period


def _spent(past: Past, now: datetime, limits: MoveLimits) -> Iterator[Hold]:
    """Nodes that were moved as often as a day allows."""
    most = limits.max_moves_per_node_per_day
    if most is None:
        return
    for node in sorted({name for each in past.ended for name in each.nodes}):
        recent = sorted(each.ended_at for each in past.ended if node in each.nodes and each.ended_at + DAY > now)
        if len(recent) >= most:
            until = recent[-most] + DAY
            sentence = f"{node} was moved {len(recent)} times in 24 hours, and {most} are allowed."
            yield Hold(node=node, until=until, sentence=sentence, code="DAY_BUDGET_SPENT")


def _why_held(name: str, node: NodePast) -> str:
    what = "a move of it was rolled back" if node.rolled_back else "it was moved"
    again = f"; {node.failures} quick reversals in a row lengthened the hold" if node.failures else ""
    if node.lost and not node.rolled_back:
        again += f"; {node.lost} of its moves lost money and were taken back"
    return f"{name} rests until {node.until:%Y-%m-%d %H:%M} UTC because {what}{again}."


LEVER_MODE: dict[Mode, tuple[Code, str]] = {
    "observe": ("LEVER_IN_OBSERVE_MODE", "is only observed"),
    "suggest": ("LEVER_IN_SUGGEST_MODE", "is in suggest mode: orch advises and touches nothing"),
    "approve": ("LEVER_NEEDS_APPROVAL", "moves only what a person has approved"),
}


def can_reallocate(
    plan: Plan, guards: Guards, snapshot: Snapshot | None, now: datetime, trigger: Trigger = "auto"
) -> CanReallocate:
    """Whether a plan may be carried out now, and everything that stands in its way.

    A person's word (`approved`, `manual`) overrides holds, the budget of moves and cost effectiveness,
    and never what is unsafe: a stuck or running saga, a lever not allowed, a node out of reach, a floor.
    """
    blockers = [*split_blockers(plan.from_value, plan.to_value, guards, snapshot, now, trigger)]
    if trigger == "auto":
        blockers.extend(_worthless(plan))
    return CanReallocate(allowed=not blockers, blockers=tuple(blockers))


def split_blockers(
    present: Mapping[str, Resources],
    goal: Mapping[str, Resources],
    guards: Guards,
    snapshot: Snapshot | None,
    now: datetime,
    trigger: Trigger,
) -> tuple[Blocker, ...]:
    """What stands in the way of going from one split to another, money aside."""
    touched = {node: changed(present[node], goal[node]) for node in sorted(goal) if node in present}
    touched = {node: names for node, names in touched.items() if names}
    blockers = [*_standing(guards, now, trigger)]
    if not touched:
        blockers.append(Blocker(code="ALREADY_BEST", sentence="The plan changes nothing."))
    if snapshot is None:
        blockers.append(Blocker(code="NOT_READY", sentence="No snapshot of the fleet has been taken yet."))
        return tuple(blockers)
    if trigger == "auto":
        blockers.extend(
            Blocker(code=hold.code, sentence=hold.sentence, node=hold.node, until=hold.until)
            for hold in guards.holds
            if hold.node in touched and hold.until > now
        )
    states = {state.name: state for state in snapshot.nodes}
    for node, names in touched.items():
        state = states.get(node)
        if state is None:
            blockers.append(
                Blocker(code="NODE_OFFLINE", sentence=f"{node} is not a node of this host.", node=node)
            )
            continue
        blockers.extend(_unreachable(state))
        blockers.extend(_unmovable(state, names, trigger, guards.demotions))
        blockers.extend(_unsafe(state, names, goal[node]))
    blockers.extend(forbidden_moves(snapshot.nodes, goal))
    blockers.extend(_too_much(snapshot, goal))
    return tuple(blockers)


def _standing(guards: Guards, now: datetime, trigger: Trigger) -> Iterator[Blocker]:
    yield from frozen_blockers(guards, now)
    if guards.running is not None:
        yield Blocker(code="REALLOCATION_RUNNING", sentence=f"Reallocation {guards.running} is not finished yet.")
    if trigger != "auto":
        return
    if guards.moves_in_last_hour >= guards.max_moves_per_hour:
        yield Blocker(
            code="RATE_LIMITED",
            sentence=f"{guards.moves_in_last_hour} of {guards.max_moves_per_hour} moves of this hour are made.",
            until=guards.next_slot_at,
        )
    if guards.max_moves_per_day is not None and guards.moves_in_last_day >= guards.max_moves_per_day:
        yield Blocker(
            code="DAY_BUDGET_SPENT",
            sentence=f"{guards.moves_in_last_day} of {guards.max_moves_per_day} moves of 24 hours are made.",
            until=guards.next_day_slot_at,
        )
    if guards.window_opens_at is not None and guards.window_opens_at > now:
        yield Blocker(
            code="OUTSIDE_WINDOW",
            sentence="No maintenance window is open: orch moves nothing by itself now.",
            until=guards.window_opens_at,
        )


def frozen_blockers(guards: Guards, now: datetime) -> tuple[Blocker, ...]:
    """What keeps every new move from starting, whoever wants it."""
    found = []
    if guards.stuck is not None:
        found.append(
            Blocker(
                code="SAGA_STUCK",
                sentence=f"Levers are frozen: reallocation {guards.stuck} could not be undone and needs a person.",
            )
        )
    if guards.frozen_until is not None and guards.frozen_until > now:
        sentence = "Levers are frozen by the operator; `orch unfreeze` ends that."
        found.append(Blocker(code="FROZEN", sentence=sentence, until=guards.frozen_until))
    return tuple(found)


def _unreachable(state: NodeState) -> Iterator[Blocker]:
    if state.health == "offline":
        yield Blocker(
            code="NODE_OFFLINE", sentence=f"{state.name} is offline: {state.health_reason}", node=state.name
        )
    elif state.health == "unknown":
        yield Blocker(
            code="NODE_STALE", sentence=f"Whether {state.name} is connected is not known.", node=state.name
        )
    elif (lost := contact_lost(state.failures, state.last_seen_at)) is not None:
        yield Blocker(
            code="NODE_STALE", sentence=f"{state.name} gives no usable answer: {lost.sentence}.", node=state.name
        )


def _unmovable(
    state: NodeState, names: tuple[ResourceName, ...], trigger: Trigger, demotions: tuple[Demotion, ...]
) -> Iterator[Blocker]:
    """Missing levers, and levers that are not trusted with this: one blocker per reason."""
    allowed: Mode = "auto" if trigger == "auto" else "approve"
    said: set[Code] = set()
    for name in names:
        # The first lever that sets a resource is the one that is pulled.
        lever = next((each for each in state.levers if name in each.sets), None)
        if lever is None:
            yield Blocker(code="LEVER_MISSING", sentence=f"{state.name} has no lever for {name}.", node=state.name)
            continue
        mode, demotion = trusted(state.name, lever, demotions)
        if MODES.index(mode) < MODES.index(allowed):
            code, why = LEVER_MODE[mode]
            if code not in said:
                because = f" {demotion.sentence}" if demotion is not None else ""
                sentence = f"The lever for {name} of {state.name} {why}.{because}"
                yield Blocker(code=code, sentence=sentence, node=state.name)
            said.add(code)


def trusted(node: str, lever: LeverState, demotions: Iterable[Demotion]) -> tuple[Mode, Demotion | None]:
    """How far a lever is trusted now, and the demotion that says so where one does."""
    found = next((each for each in demotions if (each.lever.node, each.lever.kind) == (node, lever.kind)), None)
    if found is None or MODES.index(found.mode) >= MODES.index(lever.mode):
        return lever.mode, None
    return found.mode, found


def _unsafe(state: NodeState, names: tuple[ResourceName, ...], goal: Resources) -> Iterator[Blocker]:
    """What cannot be taken from a node: what nobody knows, and what it has promised."""
    for name in names:
        wanted, has = goal.or_zero(name), state.allocation.get(name)
        if has is None:
            yield Blocker(
                code="ALLOCATION_UNKNOWN",
                sentence=f"How much {name} {state.name} has now is not known.",
                node=state.name,
            )
            continue
        if wanted >= has:
            continue
        committed = state.committed.get(name)
        if committed is not None and wanted < committed - TOLERANCE * max(1.0, committed):
            yield Blocker(
                code="NODE_COMMITTED",
                sentence=f"{state.name} has promised {committed:g} {name}; it cannot go down to {wanted:g}.",
                node=state.name,
            )


def _too_much(snapshot: Snapshot, goal: Mapping[str, Resources]) -> Iterator[Blocker]:
    """Resources of which the new split would give out more than there is, and more than now."""
    for name in RESOURCES:
        capacity = snapshot.capacity.get(name)
        if capacity is None:
            continue
        free = capacity - snapshot.reserve.or_zero(name)
        now = after = 0.0
        for state in snapshot.nodes:
            has = state.allocation.get(name)
            # A node whose limit nobody knows still takes what it is seen to use.
            has = state.used.or_zero(name) if has is None else has
            wanted = goal[state.name].get(name) if state.name in goal else None
            now += has
            after += has if wanted is None or state.allocation.get(name) is None else wanted
        slack = TOLERANCE * max(1.0, free)
        if after > free + slack and after > now + slack:
            yield Blocker(
                code="INFEASIBLE",
                sentence=f"The split would give out {after:g} of {free:g} {name}.",
            )


def _worthless(plan: Plan) -> Iterator[Blocker]:
    if "RISK_ABOVE_TOLERANCE" in plan.reasons:
        return  # what is bought is less risk
    if plan.gain_usd is None or plan.cost_usd is None:
        yield Blocker(code="RATE_UNKNOWN", sentence="What the move would gain or cost is not known.")
    elif plan.gain_usd <= plan.cost_usd:
        yield Blocker(
            code="GAIN_BELOW_COST",
            sentence=f"The move would gain {plan.gain_usd:.4f} USD and cost {plan.cost_usd:.4f} USD.",
        )
