"""A saga as its journal tells it: lines in, the public record and what was tried out.

The running saga folds every line it writes with the same function, so that memory and journal cannot differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.errors import JournalError
from orch.model.base import Value
from orch.model.moves import TERMINAL, JournalRecord, Reallocation, SagaState, Step
from orch.model.proofs import Proof

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.model.plans import Code
    from orch.model.resources import Resources

FOLLOWS: dict[SagaState, frozenset[SagaState]] = {
    "proposed": frozenset({"approved", "refused"}),
    "approved": frozenset({"preflight", "refused"}),
    "preflight": frozenset({"applying", "refused"}),
    "applying": frozenset({"verifying", "rolling_back"}),
    "verifying": frozenset({"verifying", "settled", "rolling_back"}),
    "rolling_back": frozenset({"rolling_back", "rolled_back", "stuck"}),
    "stuck": frozenset({"rolling_back"}),
    "settled": frozenset(),
    "refused": frozenset(),
    "rolled_back": frozenset(),
}
"""What may come after each state. `verifying` and `rolling_back` follow themselves when a crash came between;
a person may have a stuck saga try its way back again."""


class Story(Value):
    """What the journal says of one saga. `tried`, `verified`, `undone` and `failed` are step indices in order.

    `proof` is what a settled one has been seen to bring, so far.
    """

    record: Reallocation
    steps: tuple[Step, ...]
    lines: int = 1
    tried: tuple[int, ...] = ()
    verified: tuple[int, ...] = ()
    undone: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    proof: Proof | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.record.state in TERMINAL

    @property
    def touched(self) -> bool:
        """Whether any lever may have been pulled."""
        return bool(self.tried)

    @property
    def to_undo(self) -> tuple[int, ...]:
        """The tried steps not yet undone, the next to undo first."""
        return tuple(index for index in sorted(self.tried, reverse=True) if index not in self.undone)


def _odd(line: JournalRecord, why: str) -> JournalError:
    return JournalError(f"Line {line.sequence} of the journal ({line.event} of {line.reallocation_id}) {why}.")


def _read_back(record: Reallocation, node: str, read: Resources | None) -> Reallocation:
    if read is None:
        return record
    changes = tuple(
        replace(change, read_back=read.get(change.resource))
        if change.node == node and read.get(change.resource) is not None
        else change
        for change in record.changes
    )
    return replace(record, changes=changes)


def _moved_on(story: Story, line: JournalRecord) -> Story:
    record = story.record
    if line.state is None or line.state not in FOLLOWS[record.state]:
        raise _odd(line, f"goes to {line.state}, which cannot follow {record.state}")
    if (line.event == "closed") != (line.state in TERMINAL):
        raise _odd(line, f"does not fit the state {line.state}")
    telling = line.state == "rolling_back" or line.event == "closed"
    sentence = line.sentence if telling and line.sentence else record.sentence
    record = replace(record, state=line.state, sentence=sentence, ended_at=None)
    if line.state == "rolling_back" and record.rolled_back_reason is None:
        record = replace(record, rolled_back_reason=line.sentence or None)
    if line.event == "closed":
        verdict = record.verdict if line.state == "settled" else "inconclusive"
        record = replace(record, ended_at=line.written_at, verdict=verdict, reasons=_reasons(record, line))
    return replace(story, record=record)


def _reasons(record: Reallocation, line: JournalRecord) -> tuple[Code, ...]:
    """Why it ended so; that it was to take back a lost move stays said."""
    if not line.reasons:
        return record.reasons
    marks: tuple[Code, ...] = ("MOVE_LOST",) if "MOVE_LOST" in record.reasons else ()
    return tuple(dict.fromkeys((*marks, *line.reasons)))


def _stepped(story: Story, line: JournalRecord) -> Story:
    index = line.step_index
    if index is None or not 0 <= index < len(story.steps):
        raise _odd(line, "names no step of its saga")
    if line.state != story.record.state:
        raise _odd(line, f"says {line.state} while the saga is {story.record.state}")
    backward = line.event.startswith("undo_")
    if backward != (line.state == "rolling_back") or line.state in TERMINAL:
        raise _odd(line, f"cannot happen while {line.state}")
    if line.event == "step_trying":
        if line.state != "applying" or index in story.tried or any(i not in story.verified for i in range(index)):
            raise _odd(line, "tries a step out of order")
        return replace(story, tried=(*story.tried, index))
    if index not in story.tried:
        raise _odd(line, "speaks of a step that was never tried")
    record = _read_back(story.record, story.steps[index].node, line.read_back)
    if line.event == "step_verified" and index not in story.verified:
        return replace(story, record=record, verified=(*story.verified, index))
    if line.event == "undo_verified" and index not in story.undone:
        return replace(story, record=record, undone=(*story.undone, index))
    if line.event in {"step_failed", "undo_failed"} and index not in story.failed:
        return replace(story, record=record, failed=(*story.failed, index))
    return replace(story, record=record)


def _judged(story: Story, line: JournalRecord) -> Story:
    if line.proof is None or story.record.state != "settled" or story.record.verdict != "pending":
        raise _odd(line, "judges what is not a settled move whose verdict is open")
    before = story.proof.sentence if story.proof is not None else ""
    said = story.record.sentence.removesuffix(before).rstrip()
    record = replace(
        story.record,
        verdict=line.proof.verdict,
        realised_gain_usd_per_hour=line.proof.gain,
        counterfactual_usd_per_hour=line.proof.counterfactual,
        sentence=f"{said} {line.proof.sentence}".strip(),
    )
    return replace(story, record=record, proof=line.proof)


def fold(story: Story | None, line: JournalRecord) -> Story:
    """The story with one more line.

    Raises:
        JournalError: The line contradicts what came before it.
    """
    if line.event == "opened":
        if story is not None:
            raise _odd(line, "opens a saga a second time")
        if line.record is None or line.record.id != line.reallocation_id or line.state != "proposed":
            raise _odd(line, "opens a saga without its record")
        return Story(record=line.record, steps=line.steps)
    if story is None:
        raise _odd(line, "speaks of a saga that was never opened")
    story = replace(story, lines=story.lines + 1)
    if line.event == "judged":
        return _judged(story, line)
    return _moved_on(story, line) if line.event in {"state", "closed"} else _stepped(story, line)


def stories(records: Iterable[JournalRecord]) -> dict[str, Story]:
    """All sagas of a journal by id, in the order in which they were opened; orders are no part of any.

    Raises:
        JournalError: The journal contradicts itself.
    """
    told: dict[str, Story] = {}
    last = None
    for line in records:
        if last is not None and line.sequence <= last:
            raise _odd(line, f"comes after line {last}")
        last = line.sequence
        if line.event == "ordered":
            continue
        told[line.reallocation_id] = fold(told.get(line.reallocation_id), line)
    moving = [
        story.record.id
        for story in told.values()
        if story.record.state in {"applying", "verifying", "rolling_back"}
    ]
    if len(moving) > 1:
        raise JournalError(f"The journal has {len(moving)} sagas open at once: {', '.join(moving)}.")
    return told
