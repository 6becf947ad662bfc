"""The saga as a value, the effects it asks for, and one turn of working them out.

Within a turn a line of the journal always comes before the effect it announces.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from orch.messages import AllocationRead, ApplyAllocation, ReadBack
from orch.model.base import Value
from orch.model.moves import JournalRecord, Reallocation, SagaState, Step, StepRecord
from orch.model.resources import Resources
from orch.reallocation.story import Story, fold

if TYPE_CHECKING:
    from orch.model.plans import Code
    from orch.reallocation.settings import SagaSettings

Doing: TypeAlias = Literal["preflight", "step", "verify", "undo", "pause", "nothing"]
Awaiting: TypeAlias = Literal["reads", "applied", "timer"]
Event: TypeAlias = Literal[
    "state", "step_trying", "step_verified", "step_failed", "undo_trying", "undo_verified", "undo_failed", "closed"
]
Outcome: TypeAlias = Literal["trying", "applied", "verified", "refused", "mismatch", "timeout"]


class WriteLine(Value):
    """Append this to the journal before anything that follows. `sequence` is the writer's to fill in."""

    line: JournalRecord


class TellNode(Value):
    """Tell a node's adapter."""

    node: str
    message: ReadBack | ApplyAllocation


class SetTimer(Value):
    """Come back with this token after so many seconds, real ones or the clock's."""

    seconds: float
    real: bool
    token: str


class Publish(Value):
    """The public record has changed, perhaps by a step."""

    reallocation: Reallocation
    step: StepRecord | None = None


Effect: TypeAlias = WriteLine | TellNode | SetTimer | Publish


class Saga(Value):
    """A saga under way: what its journal says, and what it is waiting for right now.

    `token` names the answer or timer that carries on, `deadline` the timer that gives up; anything else is
    stale. `asked` are the nodes whose limits are being read, `reads` their answers so far. `seen` is the last
    reading of the step's node. `refused` are steps whose lever said that nothing was touched.
    """

    story: Story
    doing: Doing = "nothing"
    awaiting: Awaiting = "timer"
    token: str = ""
    deadline: str = ""
    serial: int = 0
    step: int = 0
    attempt: int = 0
    since: datetime | None = None
    asked: tuple[str, ...] = ()
    reads: dict[str, AllocationRead] = msgspec.field(default_factory=dict)
    seen: Resources | None = None
    refused: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        """The reallocation's id."""
        return self.story.record.id

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.story.ended

    @property
    def at_step(self) -> Step:
        """The step being done or undone."""
        return self.story.steps[self.step]

    @property
    def wanted(self) -> Resources:
        """What the step being done or undone has to reach."""
        return self.at_step.undo if self.doing == "undo" else self.at_step.goal


def touched_nodes(story: Story) -> tuple[str, ...]:
    """The nodes a saga changes, in the order of their first step."""
    return tuple(dict.fromkeys(step.node for step in story.steps))


class Turn:
    """One turn: the saga so far, and what is to be done, in order."""

    def __init__(self, saga: Saga, now: datetime, settings: SagaSettings) -> None:
        self.saga = saga
        self.now = now
        self.settings = settings
        self.effects: list[Effect] = []

    def done(self) -> tuple[Saga, tuple[Effect, ...]]:
        """The outcome of the turn."""
        return self.saga, tuple(self.effects)

    def write(
        self,
        event: Event,
        state: SagaState | None = None,
        *,
        step: int | None = None,
        read_back: Resources | None = None,
        sentence: str = "",
        reasons: tuple[Code, ...] = (),
    ) -> None:
        """Write a line about what is about to happen, or has."""
        line = JournalRecord(
            sequence=0,
            written_at=self.now,
            reallocation_id=self.saga.id,
            event=event,
            state=state or self.saga.story.record.state,
            step_index=step,
            read_back=read_back,
            sentence=sentence,
            reasons=reasons,
        )
        self.saga = replace(self.saga, story=fold(self.saga.story, line))
        self.effects.append(WriteLine(line=line))

    def publish(self) -> None:
        """Show the record as it now is."""
        self.effects.append(Publish(reallocation=self.saga.story.record))

    def publish_step(self, outcome: Outcome, sentence: str = "") -> None:
        """Show the record with how its present step fares."""
        saga, step = self.saga, self.saga.at_step
        report = StepRecord(
            reallocation_id=saga.id,
            step_index=step.index,
            node=step.node,
            kind=step.kind,
            phase="backward" if saga.doing == "undo" else "forward",
            goal=step.goal,
            undo=step.undo,
            started_at=saga.since or self.now,
            ended_at=None if outcome in {"trying", "applied"} else self.now,
            outcome=outcome,
            read_back=saga.seen,
            sentence=sentence,
        )
        self.effects.append(Publish(reallocation=saga.story.record, step=report))

    def begin(self, doing: Doing, *, step: int = 0, attempt: int = 0) -> None:
        """Turn to something new; whatever was awaited is stale from here on."""
        self.saga = replace(
            self.saga, doing=doing, step=step, attempt=attempt, since=self.now, token="", deadline="", seen=None
        )

    def _fresh(self) -> str:
        # The count of lines makes a token differ from every token of an earlier life of this saga.
        self.saga = replace(self.saga, serial=self.saga.serial + 1)
        return f"{self.saga.story.lines}.{self.saga.serial}"

    def give_up_after(self, seconds: float) -> None:
        """Set the real-time deadline of what has begun."""
        token = self._fresh()
        self.saga = replace(self.saga, deadline=token)
        self.effects.append(SetTimer(seconds=seconds, real=True, token=token))

    def wait(self, seconds: float, *, real: bool) -> None:
        """Carry on after a while."""
        token = self._fresh()
        self.saga = replace(self.saga, awaiting="timer", token=token)
        self.effects.append(SetTimer(seconds=seconds, real=real, token=token))

    def read(self, nodes: tuple[str, ...]) -> None:
        """Ask nodes for their limits in force and await all answers."""
        token = self._fresh()
        self.saga = replace(self.saga, awaiting="reads", token=token, asked=nodes, reads={})
        for node in nodes:
            self.effects.append(TellNode(node=node, message=ReadBack(reallocation_id=self.saga.id, token=token)))

    def pull(self, node: str, goal: Resources) -> None:
        """Have a node's lever pulled and await its word."""
        token = self._fresh()
        self.saga = replace(self.saga, awaiting="applied", token=token)
        message = ApplyAllocation(reallocation_id=self.saga.id, token=token, goal=goal)
        self.effects.append(TellNode(node=node, message=message))
