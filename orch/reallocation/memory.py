"""What the journal has been told and tells: the one writer of it, and what all its lines come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.errors import EngineError, JournalError
from orch.model.moves import JournalRecord
from orch.reallocation.following import followed
from orch.reallocation.holds import Past, after_step_back, past_of, remember
from orch.reallocation.story import Story, fold, stories
from orch.reallocation.trust import Standing, obeyed, standing_of, thawing_in_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from orch.model.moves import Order, Reallocation
    from orch.model.proofs import Proof
    from orch.ports import Journal
    from orch.reallocation.settings import MoveLimits


class Memory:
    """The sagas' journal, and what it comes to: open and ended moves, holds, orders that stand.

    Nothing is remembered that was not written first. Used by one thread.

    Args:
        journal: Where lines go; without one nothing can be written.
        limits: How long nodes rest.
    """

    def __init__(self, journal: Journal | None, limits: MoveLimits) -> None:
        self._journal = journal
        self._limits = limits
        self._sequence = 1
        self.unreadable: str | None = None
        self.open: dict[str, Story] = {}
        self.followed: dict[str, Story] = {}
        self.past = Past()
        self.standing = Standing()

    @property
    def sequence(self) -> int:
        """The number that the next line will have."""
        return self._sequence

    def read(self) -> Sequence[JournalRecord]:
        """All lines. Raises JournalError when they cannot be read, EngineError without a journal."""
        if self._journal is None:
            raise EngineError("the reallocation actor needs a journal")
        return self._journal.read()

    def begin(self, now: datetime) -> tuple[Sequence[JournalRecord], dict[str, Story]]:
        """Take in what is written already, seen from now on even where its clock was ahead.

        Raises:
            JournalError: The journal cannot be read, or contradicts itself; nothing can be written then.
        """
        try:
            records = self.read()
            told = stories(records)
        except JournalError as error:
            self.unreadable = str(error)
            raise
        self._sequence = records[-1].sequence + 1 if records else 1
        self.past = after_step_back(past_of(told.values(), self._limits), now)
        self.standing = thawing_in_time(standing_of(records), now)
        self.open = {identity: story for identity, story in told.items() if not story.ended}
        self.followed = followed(told.values(), now)
        return records, told

    def append(self, line: JournalRecord) -> None:
        """Write a line of a move that is not over. Raises JournalError when it cannot be written."""
        self._write(line)
        self.open[line.reallocation_id] = fold(self.open.get(line.reallocation_id), line)

    def judge(self, identity: str, proof: Proof, now: datetime) -> Story:
        """Write down what a settled move has been seen to bring. Raises JournalError when it cannot be written."""
        line = JournalRecord(
            sequence=0, written_at=now, reallocation_id=identity, event="judged", state="settled", proof=proof
        )
        self._write(line)
        story = self.followed[identity] = fold(self.followed[identity], line)
        return story

    def obey(self, order: Order, now: datetime) -> None:
        """Write down an order, and let it stand. Raises JournalError when it cannot be written."""
        self._write(
            JournalRecord(sequence=0, written_at=now, reallocation_id="", event="ordered", state=None, order=order)
        )
        self.standing = obeyed(self.standing, order, now)

    def end(self, story: Story) -> None:
        """A move is over: it holds its nodes, and is followed from now on."""
        self.past = remember(self.past, story, self._limits)
        self.followed[story.record.id] = story
        self.open.pop(story.record.id, None)

    def forget_old(self, now: datetime) -> None:
        """Let go of moves that nobody looks at any more."""
        self.followed = followed(self.followed.values(), now)

    def made_of(self, plan_id: str) -> Reallocation | None:
        """The move that carries out, or carried out, a plan; one that was refused is none."""
        known = (*self.followed.values(), *self.open.values())
        made = (story.record for story in known if story.record.plan_id == plan_id)
        return next((each for each in made if each.state != "refused"), None)

    def _write(self, line: JournalRecord) -> None:
        if self.unreadable is not None or self._journal is None:
            raise JournalError(self.unreadable or "there is no journal")
        self._journal.append(replace(line, sequence=self._sequence))
        self._sequence += 1
