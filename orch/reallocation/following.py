"""Settled moves followed by their money: which looks are due, and which lost move is to be taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orch.reallocation.proof import judge, touched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from orch.model.fleet import Snapshot
    from orch.model.forecasts import IncomeSeries
    from orch.model.moves import Reallocation
    from orch.model.proofs import Proof
    from orch.reallocation.proof import ProofTerms
    from orch.reallocation.story import Story

KEPT = timedelta(days=93)
"""So long a settled move is remembered: longer than two windows of the slowest network and their history."""
TRY_AGAIN = timedelta(hours=24)
"""How long after a refused undoing the next is tried."""


def followed(told: Iterable[Story], now: datetime) -> dict[str, Story]:
    """The moves worth remembering, by id, in order: what was tried in the last months, and what lost."""
    kept = (story for story in told if story.ended and (story.touched or _takes_back(story.record)))
    return {
        story.record.id: story
        for story in sorted(kept, key=lambda each: (each.record.started_at, each.record.id))
        if now - story.record.started_at < KEPT
    }


def looks_due(
    told: Mapping[str, Story], history: Sequence[IncomeSeries], snapshot: Snapshot | None, terms: ProofTerms
) -> tuple[tuple[str, Proof], ...]:
    """What the newest hours say of each settled move whose verdict is open, one look each at most."""
    found = []
    for story in told.values():
        if story.record.state != "settled" or story.record.verdict != "pending":
            continue
        before, after = _neighbours(story.record, told)
        proof = judge(
            story.record,
            story.proof,
            history,
            terms,
            controls=_controls(story.record, told, snapshot),
            old_since=None if before is None else before.ended_at or before.started_at,
            until=None if after is None else after.started_at,
        )
        if proof is not None:
            found.append((story.record.id, proof))
    return tuple(found)


def to_take_back(told: Mapping[str, Story], now: datetime) -> Reallocation | None:
    """The first lost move whose nodes have not been moved since, and whose undoing was not just refused."""
    for story in told.values():
        move = story.record
        if move.state != "settled" or move.verdict != "lost" or _takes_back(move):
            continue
        tries = [
            each.record.started_at
            for each in told.values()
            if each.record.decision_id == move.decision_id and _takes_back(each.record)
        ]
        if _neighbours(move, told)[1] is None and all(now - tried >= TRY_AGAIN for tried in tries):
            return move
    return None


def _takes_back(move: Reallocation) -> bool:
    return "MOVE_LOST" in move.reasons


def _neighbours(move: Reallocation, told: Mapping[str, Story]) -> tuple[Reallocation | None, Reallocation | None]:
    """The last move before and the first after that touched one of its nodes."""
    nodes, before, after = set(touched(move)), None, None
    for story in told.values():
        other = story.record
        if other.id == move.id or not story.touched or nodes.isdisjoint(touched(other)):
            continue
        if (other.started_at, other.id) < (move.started_at, move.id):
            before = other
        elif after is None:
            after = other
    return before, after


def _controls(move: Reallocation, told: Mapping[str, Story], snapshot: Snapshot | None) -> dict[str, str]:
    """For each touched node one of the same network that no remembered move has touched."""
    if snapshot is None:
        return {}
    protocols = {state.name: state.protocol for state in snapshot.nodes}
    moved = {node for story in told.values() if story.touched for node in touched(story.record)}
    still = sorted(set(protocols) - moved)
    pairs = ((node, [name for name in still if protocols[name] == protocols.get(node)]) for node in touched(move))
    return {node: alike[0] for node, alike in pairs if alike}
