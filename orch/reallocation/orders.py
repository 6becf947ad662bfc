"""How a saga begins: by a plan, or by a person who wants an earlier move taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.moves import JournalRecord, Reallocation
from orch.reallocation.costs import estimate_reallocation_cost
from orch.reallocation.guards import can_reallocate, split_blockers
from orch.reallocation.machine import Saga, Turn, WriteLine
from orch.reallocation.saga import begin_preflight, refuse
from orch.reallocation.steps import changes_of, order_steps, split_of
from orch.reallocation.story import fold

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.model.fleet import Snapshot
    from orch.model.moves import Guards, Step, Trigger
    from orch.model.plans import Blocker, Code, Plan
    from orch.model.resources import Resources
    from orch.reallocation.machine import Effect
    from orch.reallocation.settings import SagaSettings


def identity(now: datetime, sequence: int) -> str:
    """An id that no other reallocation has, not even one of a lost journal: by time and line."""
    return f"r{now:%Y%m%dT%H%M%S}-{sequence}"


def execute_reallocation(
    plan: Plan,
    trigger: Trigger,
    *,
    guards: Guards,
    snapshot: Snapshot | None,
    now: datetime,
    settings: SagaSettings,
    sequence: int,
    objections: tuple[Blocker, ...] = (),
) -> tuple[Saga, tuple[Effect, ...]]:
    """Open a saga for a plan: it starts its preflight, or is refused with every reason at once.

    Args:
        plan: What to move.
        trigger: Who wants it.
        guards: What the journal allows now.
        snapshot: The newest one, None before the first.
        now: The clock's time.
        settings: Timings and tolerances.
        sequence: The number the saga's first line will have in the journal.
        objections: What else stands in its way.
    """
    blockers = (*objections, *can_reallocate(plan, guards, snapshot, now, trigger).blockers)
    record = Reallocation(
        id=identity(now, sequence),
        plan_id=plan.id,
        decision_id=plan.decision_id,
        state="proposed",
        trigger=trigger,
        started_at=now,
        ended_at=None,
        changes=changes_of(plan.from_value, plan.to_value),
        reasons=_codes(blockers) or _reasons(plan, trigger),
        sentence=plan.sentence if trigger == "auto" else f"A person approved it. {plan.move or plan.sentence}",
        predicted_gain_usd_per_hour=plan.gain_usd_per_hour,
        cost_usd=plan.cost_usd,
        realised_gain_usd_per_hour=None,
        verdict="pending",
        rolled_back_reason=None,
    )
    return _open(record, order_steps(plan.from_value, plan.to_value), blockers, now, settings)


def _reasons(plan: Plan, trigger: Trigger) -> tuple[Code, ...]:
    """Why it is made: of what a person approved not what stood in its way until then."""
    if trigger == "auto":
        return plan.reasons
    waited = {each.code for each in plan.blockers}
    return tuple(code for code in plan.reasons if code not in waited)


def rollback_allocation(
    settled: Reallocation,
    *,
    guards: Guards,
    snapshot: Snapshot | None,
    now: datetime,
    settings: SagaSettings,
    sequence: int,
    trigger: Trigger = "manual",
) -> tuple[Saga, tuple[Effect, ...]]:
    """Open a saga from the present split back to what a settled move found.

    It passes the same preflight; only holds, the budget of moves and money do not bind a person. It keeps the
    decision of the move it takes back, so that it can be explained. With the trigger `auto` it takes back a move
    that was seen to lose.
    """
    goal = split_of(settled.changes, "from")
    states = {state.name: state for state in snapshot.nodes} if snapshot is not None else {}
    present = _present(settled, snapshot)
    blockers = split_blockers(present, goal, guards, snapshot, now, trigger)
    steps = order_steps(present, goal)
    rates = {name: None if state.rate is None else state.rate.mean for name, state in states.items()}
    record = Reallocation(
        id=identity(now, sequence),
        plan_id=None,
        decision_id=settled.decision_id,
        state="proposed",
        trigger=trigger,
        started_at=now,
        ended_at=None,
        changes=changes_of(present, goal),
        reasons=_codes(blockers) if trigger == "manual" else ("MOVE_LOST", *_codes(blockers)),
        sentence=f"A person asked to take back {settled.id}."
        if trigger == "manual"
        else f"{settled.id} lost money: it is taken back.",
        predicted_gain_usd_per_hour=None,
        cost_usd=estimate_reallocation_cost(steps, rates, settings),
        realised_gain_usd_per_hour=None,
        verdict="pending",
        rolled_back_reason=None,
    )
    return _open(record, steps, blockers, now, settings)


def undoing_blockers(
    settled: Reallocation, guards: Guards, snapshot: Snapshot | None, now: datetime
) -> tuple[Blocker, ...]:
    """What stands in the way of orch taking back a move by itself."""
    present, goal = _present(settled, snapshot), split_of(settled.changes, "from")
    return split_blockers(present, goal, guards, snapshot, now, "auto")


def _present(settled: Reallocation, snapshot: Snapshot | None) -> dict[str, Resources]:
    """What the nodes of a move have now; what it gave them where nothing newer is known."""
    states = {state.name: state for state in snapshot.nodes} if snapshot is not None else {}
    given = split_of(settled.changes, "to")
    return {node: states[node].allocation if node in states else given[node] for node in given}


def _codes(blockers: Iterable[Blocker]) -> tuple[Code, ...]:
    return tuple(dict.fromkeys(blocker.code for blocker in blockers))


def _open(
    record: Reallocation,
    steps: tuple[Step, ...],
    blockers: tuple[Blocker, ...],
    now: datetime,
    settings: SagaSettings,
) -> tuple[Saga, tuple[Effect, ...]]:
    line = JournalRecord(
        sequence=0,
        written_at=now,
        reallocation_id=record.id,
        event="opened",
        state="proposed",
        record=record,
        steps=steps,
    )
    turn = Turn(Saga(story=fold(None, line)), now, settings)
    turn.effects.append(WriteLine(line=line))
    if blockers:
        sentence = "Nothing was changed: " + " ".join(blocker.sentence for blocker in blockers)
        refuse(turn, sentence, _codes(blockers))
    else:
        turn.write("state", "approved")
        begin_preflight(turn)
    return turn.done()
