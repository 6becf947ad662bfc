"""What the journal knows: how to go on after a stop at any point, and what has been."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.reallocation.machine import Saga, Turn
from orch.reallocation.saga import refuse
from orch.reallocation.story import stories

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.model.moves import JournalRecord, Reallocation
    from orch.reallocation.machine import Effect
    from orch.reallocation.settings import SagaSettings
    from orch.reallocation.story import Story


def resume(story: Story, now: datetime, settings: SagaSettings, why: str) -> tuple[Saga, tuple[Effect, ...]]:
    """Go on with a saga of which nothing but its journal is left.

    Before any lever was pulled it is refused. With every step verified its outcome is read once more.
    Otherwise everything tried is put back, steps of unknown outcome included. The first look at a node comes
    `resume_after_s` later, when its adapter is up. A stuck saga tries its way back again.

    Args:
        story: The saga as its journal tells it.
        now: The clock's time.
        settings: Timings and tolerances.
        why: What happened, as a sentence.
    """
    turn = Turn(Saga(story=story), now, settings)
    state = story.record.state
    if state in {"proposed", "approved", "preflight"}:
        refuse(turn, f"Nothing was changed: {why}", ("INTERRUPTED",))
        return turn.done()
    all_verified = bool(story.steps) and len(story.verified) == len(story.steps)
    forward = state in {"applying", "verifying"} and all_verified
    turn.write("state", "verifying" if forward else "rolling_back", sentence=why)
    turn.publish()
    turn.begin("nothing")
    turn.wait(settings.resume_after_s, real=True)
    return turn.done()


def recover(
    records: Iterable[JournalRecord], now: datetime, settings: SagaSettings
) -> tuple[tuple[Saga, tuple[Effect, ...]], ...]:
    """Everything the journal left open, each with how it goes on; at most one of them has pulled a lever.

    Raises:
        JournalError: The journal contradicts itself.
    """
    return tuple(
        resume(story, now, settings, "orch stopped in between.")
        for story in stories(records).values()
        if not story.ended
    )


def history(records: Iterable[JournalRecord]) -> tuple[Reallocation, ...]:
    """The public records of all reallocations, oldest first, as the journal alone tells them.

    Raises:
        JournalError: The journal contradicts itself.
    """
    return tuple(story.record for story in stories(records).values())


def get_reallocation_history(
    records: Iterable[JournalRecord], limit: int | None = None
) -> tuple[Reallocation, ...]:
    """The newest reallocations, newest first.

    Raises:
        JournalError: The journal contradicts itself.
    """
    newest = history(records)[::-1]
    return newest if limit is None else newest[:limit]
