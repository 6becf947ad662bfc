"""The saga: from a plan to a settled, refused, rolled-back or stuck move, one event at a time.

Pure: an event and a time in, the next saga and its effects out. Whoever runs it writes the journal's lines
first and stops at the first line that cannot be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.messages import (
    AllocationApplied,
    AllocationRead,
    AllocationRefused,
    ContinueSaga,
    RollBackReallocation,
)
from orch.model.resources import TOLERANCE
from orch.reallocation.machine import Turn, touched_nodes
from orch.reallocation.steps import in_words, undo_order

if TYPE_CHECKING:
    from datetime import datetime
    from typing import TypeAlias

    from orch.model.moves import Step
    from orch.model.plans import Code
    from orch.model.resources import ResourceName
    from orch.reallocation.machine import Effect, Outcome, Saga
    from orch.reallocation.settings import SagaSettings

    SagaEvent: TypeAlias = (
        AllocationApplied | AllocationRead | AllocationRefused | ContinueSaga | RollBackReallocation
    )


def advance(
    saga: Saga, event: SagaEvent, now: datetime, settings: SagaSettings
) -> tuple[Saga, tuple[Effect, ...]]:
    """The saga after one event, and what is to be done about it, in order. Stale events change nothing."""
    turn = Turn(saga, now, settings)
    if saga.ended or event.reallocation_id != saga.id:
        return saga, ()
    match event:
        case RollBackReallocation():
            _called_off(turn)
        case ContinueSaga(token=token) if token and token == saga.deadline:
            _too_late(turn)
        case ContinueSaga(token=token) if token == saga.token and saga.awaiting == "timer":
            _carry_on(turn)
        case AllocationApplied(token=token) if token == saga.token and saga.awaiting == "applied":
            turn.publish_step("applied")
            turn.wait(settings.timing(saga.at_step.node).settle_s, real=False)
        case AllocationRefused(token=token) if token == saga.token and saga.awaiting != "timer":
            _refused(turn, event)
        case AllocationRead(token=token) if token == saga.token and saga.awaiting == "reads":
            _was_read(turn, event)
        case _:
            pass
    return turn.done()


# -- going forward ---------------------------------------------------------------------------------------


def begin_preflight(turn: Turn) -> None:
    """Read reality before anything is touched."""
    turn.write("state", "preflight")
    turn.publish()
    turn.begin("preflight")
    turn.give_up_after(turn.settings.preflight_deadline_s)
    turn.read(touched_nodes(turn.saga.story))


def refuse(turn: Turn, sentence: str, reasons: tuple[Code, ...]) -> None:
    """End the saga before any lever was pulled, for reasons that can be counted."""
    turn.begin("nothing")
    turn.write("closed", "refused", sentence=sentence, reasons=reasons)
    turn.publish()


def _judge_reality(turn: Turn) -> None:
    objections = [
        objection
        for step in turn.saga.story.steps
        for objection in _objections(step, turn.saga.reads[step.node], turn.settings)
    ]
    if objections:
        sentences = dict.fromkeys(sentence for _, sentence in objections)
        codes = dict.fromkeys(code for code, _ in objections)
        refuse(turn, "Nothing was changed: " + " ".join(sentences), tuple(codes))
        return
    turn.write("state", "applying")
    _try_step(turn, 0)


def _objections(step: Step, read: AllocationRead, settings: SagaSettings) -> list[tuple[Code, str]]:
    """Why a step must not be begun, given what its node really has."""
    if not read.connected:
        return [("NODE_OFFLINE", f"{step.node} is not connected.")]
    said: list[tuple[Code, str]] = []
    for name, planned in step.undo.known():
        real = read.allocation.get(name)
        if real is None:
            said.append(("ALLOCATION_UNKNOWN", f"{step.node} does not tell its {name}."))
        elif not settings.equal(name, real, planned):
            sentence = f"{step.node} has {real:g} {name} and the plan was made for {planned:g}."
            said.append(("ALLOCATION_CHANGED", sentence))
    if step.kind == "release":
        said.extend(
            (
                "NODE_COMMITTED",
                f"{step.node} has promised {read.committed.or_zero(name):g} {name}: it cannot have {goal:g}.",
            )
            for name, goal in step.goal.known()
            if _promised(read, name, goal)
        )
    return said


def _try_step(turn: Turn, index: int) -> None:
    step = turn.saga.story.steps[index]
    turn.write("step_trying", step=index)
    turn.begin("step", step=index)
    turn.publish_step("trying")
    turn.give_up_after(turn.settings.timing(step.node).deadline_s)
    turn.pull(step.node, step.goal)


def begin_verifying(turn: Turn, sentence: str = "") -> None:
    """Read everything that was changed once more, together."""
    turn.write("state", "verifying", sentence=sentence)
    turn.publish()
    turn.begin("verify")
    nodes = touched_nodes(turn.saga.story)
    turn.give_up_after(max(turn.settings.timing(node).deadline_s for node in nodes))
    turn.read(nodes)


def _judge_outcome(turn: Turn) -> None:
    reads, steps = turn.saga.reads, turn.saga.story.steps
    if not all(_reached(reads[step.node], step, turn.settings) for step in steps):
        turn.wait(turn.settings.read_every_s, real=True)
        return
    for step in steps:
        turn.write("step_verified", step=step.index, read_back=reads[step.node].allocation)
    turn.begin("nothing")
    turn.write("closed", "settled")
    turn.publish()


# -- going back ------------------------------------------------------------------------------------------


def begin_rollback(turn: Turn, reason: str) -> None:
    """Put back everything that was tried, verified or not."""
    turn.begin("nothing")
    turn.write("state", "rolling_back", sentence=reason)
    turn.publish()
    undo_next(turn)


def undo_next(turn: Turn) -> None:
    """Undo the next step, or close the saga when none is left."""
    story = turn.saga.story
    left = undo_order(story.steps, story.to_undo)
    if left:
        _try_undo(turn, left[0].index, attempt=0)
        return
    turn.begin("nothing")
    turn.write("closed", "rolled_back")
    turn.publish()


def _try_undo(turn: Turn, index: int, attempt: int) -> None:
    step = turn.saga.story.steps[index]
    attempts = turn.settings.undo_attempts
    turn.write("undo_trying", step=index, sentence=f"attempt {attempt + 1} of {attempts}")
    turn.begin("undo", step=index, attempt=attempt)
    turn.publish_step("trying")
    turn.give_up_after(turn.settings.timing(step.node).deadline_s)
    if attempt == 0 and index in turn.saga.refused:
        # A lever that says nothing was touched needs no second pull if reality agrees.
        turn.read((step.node,))
    else:
        turn.pull(step.node, step.undo)


def _undo_failed(turn: Turn, outcome: Outcome, sentence: str) -> None:
    saga, settings = turn.saga, turn.settings
    turn.publish_step(outcome, sentence)
    attempt = saga.attempt + 1
    if attempt < settings.undo_attempts:
        turn.begin("pause", step=saga.step, attempt=attempt)
        turn.wait(settings.undo_pause_s * 2.0**saga.attempt, real=True)
        return
    step = saga.at_step
    turn.begin("nothing")
    turn.write("undo_failed", step=step.index, read_back=saga.seen, sentence=sentence)
    turn.write(
        "closed",
        "stuck",
        sentence=f"{step.node} could not be put back to {in_words(step.undo)}: {sentence} "
        "All levers are frozen. Repair the node, then roll this reallocation back.",
    )
    turn.publish()


# -- events ----------------------------------------------------------------------------------------------


def _failed(turn: Turn, outcome: Outcome, sentence: str) -> None:
    """What is being done cannot be done."""
    saga = turn.saga
    if saga.doing == "undo":
        _undo_failed(turn, outcome, sentence)
    elif saga.doing == "step":
        turn.write("step_failed", step=saga.step, read_back=saga.seen, sentence=sentence)
        turn.publish_step(outcome, sentence)
        begin_rollback(turn, sentence)
    elif saga.doing == "verify":
        begin_rollback(turn, sentence)
    elif saga.doing == "preflight":
        refuse(turn, f"Nothing was changed: {sentence}", ("LEVER_FAILED",))


def _called_off(turn: Turn) -> None:
    sentence = "A person called it off."
    if turn.saga.story.record.state in {"applying", "verifying"}:
        begin_rollback(turn, sentence)
    elif turn.saga.story.record.state != "rolling_back":
        refuse(turn, sentence, ("CALLED_OFF",))


def _too_late(turn: Turn) -> None:
    saga = turn.saga
    if saga.doing in {"step", "undo"}:
        node, wanted = saga.at_step.node, in_words(saga.wanted)
        if saga.seen is None:
            _failed(turn, "timeout", f"{node} did not confirm {wanted} in time.")
        else:
            _failed(turn, "mismatch", f"{node} did not take {wanted}: it still says {in_words(saga.seen)}.")
        return
    silent = [node for node in saga.asked if node not in saga.reads]
    if silent:
        _blame(turn, silent, "did not answer in time")
        _failed(turn, "timeout", f"{', '.join(silent)} did not answer in time.")
        return
    wrong = [step.node for step in saga.story.steps if not _reached(saga.reads[step.node], step, turn.settings)]
    _blame(turn, wrong, "did not keep what was set")
    _failed(turn, "mismatch", f"{', '.join(dict.fromkeys(wrong))} did not keep what was set.")


def _blame(turn: Turn, nodes: list[str], why: str) -> None:
    """Write down whose steps failed when everything was looked at together: that costs their levers trust."""
    if turn.saga.doing != "verify":
        return
    for step in turn.saga.story.steps:
        if step.node in nodes:
            turn.write("step_failed", step=step.index, sentence=f"{step.node} {why}.")


def _carry_on(turn: Turn) -> None:
    """A wait is over: read again, try the undo again, or go on after a restart."""
    saga = turn.saga
    match saga.doing:
        case "step" | "undo":
            turn.read((saga.at_step.node,))
        case "preflight" | "verify":
            turn.read(touched_nodes(saga.story))
        case "pause":
            _try_undo(turn, saga.step, saga.attempt)
        case "nothing" if saga.story.record.state == "verifying":
            begin_verifying(turn)
        case "nothing" if saga.story.record.state == "rolling_back":
            undo_next(turn)
        case _:
            pass


def _refused(turn: Turn, event: AllocationRefused) -> None:
    saga = turn.saga
    if saga.awaiting == "applied" or saga.doing == "preflight":
        if saga.doing == "step" and not event.touched:
            turn.saga = replace(saga, refused=(*saga.refused, saga.step))
        _failed(turn, "refused", f"{event.node}: {event.sentence}")
    else:
        # A limit that cannot be read now may be readable a moment later; the deadline ends this.
        turn.wait(turn.settings.read_every_s, real=True)


def _was_read(turn: Turn, event: AllocationRead) -> None:
    if event.node not in turn.saga.asked:
        return
    turn.saga = replace(turn.saga, reads={**turn.saga.reads, event.node: event})
    if any(node not in turn.saga.reads for node in turn.saga.asked):
        return
    match turn.saga.doing:
        case "preflight":
            _judge_reality(turn)
        case "verify":
            _judge_outcome(turn)
        case "step" | "undo":
            _judge_step(turn, event)
        case _:
            pass


def _judge_step(turn: Turn, read: AllocationRead) -> None:
    turn.saga = replace(turn.saga, seen=read.allocation)
    saga = turn.saga
    if not _reached(read, saga.at_step, turn.settings, back=saga.doing == "undo"):
        looked_only = saga.doing == "undo" and saga.attempt == 0 and saga.step in saga.refused
        if looked_only:
            turn.saga = replace(saga, refused=())
            turn.pull(saga.at_step.node, saga.wanted)
        else:
            turn.wait(turn.settings.read_every_s, real=True)
        return
    if saga.doing == "undo":
        turn.write("undo_verified", step=saga.step, read_back=read.allocation)
        turn.publish_step("verified")
        undo_next(turn)
        return
    turn.write("step_verified", step=saga.step, read_back=read.allocation)
    turn.publish_step("verified")
    if saga.step + 1 < len(saga.story.steps):
        _try_step(turn, saga.step + 1)
    else:
        begin_verifying(turn)


def _reached(read: AllocationRead, step: Step, settings: SagaSettings, *, back: bool = False) -> bool:
    """Whether a node has what it shall have, and after giving something up, has really let go of it.

    A change smaller than what else counts as equal has only come about where the node is nearer to it than to
    what it had.
    """
    wanted, other = (step.undo, step.goal) if back else (step.goal, step.undo)
    if not settings.took(read.allocation, wanted):
        return False
    for name, amount in wanted.known():
        has = read.allocation.or_zero(name)
        if abs(has - amount) > abs(has - other.or_zero(name)):
            return False
    shrinks = (step.kind == "release") != back
    return not (shrinks and any(_promised(read, name, amount) for name, amount in wanted.known()))


def _promised(read: AllocationRead, name: ResourceName, amount: float) -> bool:
    """Whether a node has given its word for more than an amount."""
    committed = read.committed.get(name)
    return committed is not None and amount < committed - TOLERANCE * max(1.0, committed)
