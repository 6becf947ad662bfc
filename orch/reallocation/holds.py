"""What ended moves leave behind: which nodes rest how long, and how many moves the last hour and day saw."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.model.base import Value
from orch.model.resources import ResourceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from orch.model.moves import Change
    from orch.reallocation.settings import MoveLimits
    from orch.reallocation.story import Story

LONGEST_HOLD_S = 24 * 3600.0
LONGEST_DOUBLING = 4
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Turned(Value):
    """Which way a resource of a node last went, and when."""

    resource: ResourceName
    up: bool
    ended_at: datetime


class NodePast(Value):
    """What a node's moves left behind.

    `failures` counts flip-backs and rollbacks in a row, each soon after the last; `lost` the moves that were taken
    back because they were seen to lose.
    """

    ended_at: datetime
    hold_s: float
    failures: int = 0
    lost: int = 0
    rolled_back: bool = False
    turned: tuple[Turned, ...] = ()

    @property
    def until(self) -> datetime:
        """When the node may be moved again."""
        return self.ended_at + timedelta(seconds=self.hold_s)


class Ended(Value):
    """A move that ended, and which nodes it touched."""

    id: str
    ended_at: datetime
    nodes: tuple[str, ...] = ()


class Past(Value):
    """What guards need to know of all ended moves. `ended`: those of the last day."""

    nodes: dict[str, NodePast] = msgspec.field(default_factory=dict)
    ended: tuple[Ended, ...] = ()
    stuck: str | None = None


def _flips(before: NodePast, changes: Sequence[Change], started_at: datetime) -> bool:
    """Whether a change takes back, within two holds, what the node's last change of that resource did."""
    window = timedelta(seconds=2 * before.hold_s)
    ways = {turned.resource: turned for turned in before.turned}
    return any(
        change.resource in ways
        and ways[change.resource].up != _up(change)
        and started_at <= ways[change.resource].ended_at + window
        for change in changes
    )


def _up(change: Change) -> bool:
    return (change.to_value or 0.0) > (change.from_value or 0.0)


def _node_after(
    before: NodePast | None, changes: Sequence[Change], story: Story, ended_at: datetime, limits: MoveLimits
) -> NodePast:
    """Held for its least hold; each quick reversal in a row, within two holds, doubles that, up to a day."""
    record = story.record
    settled = record.state == "settled"
    failures = 0
    if before is not None:
        soon = record.started_at <= before.ended_at + timedelta(seconds=2 * before.hold_s)
        again = _flips(before, changes, record.started_at) if settled else (before.rolled_back and soon)
        failures = before.failures + 1 if again else 0
    turned = before.turned if before is not None else ()
    if settled:
        names = {change.resource for change in changes}
        turned = tuple(each for each in turned if each.resource not in names) + tuple(
            Turned(resource=change.resource, up=_up(change), ended_at=ended_at) for change in changes
        )
    least_s = max((limits.hold_s(change.node, change.resource) for change in changes), default=limits.min_hold_s)
    hold_s = min(max(LONGEST_HOLD_S, least_s), least_s * 2.0 ** min(failures, 64))
    lost = before.lost if before is not None else 0
    if settled and "MOVE_LOST" in record.reasons:
        # What lost once is not tried again before its money could have spoken, and ever later after that.
        window_s = max((limits.window_s.get(change.node, 0.0) for change in changes), default=0.0)
        hold_s = max(hold_s, window_s * 2.0 ** min(lost, LONGEST_DOUBLING))
        lost += 1
    return NodePast(
        ended_at=ended_at,
        hold_s=hold_s,
        failures=failures,
        lost=lost,
        rolled_back=not settled,
        turned=turned,
    )


def remember(past: Past, story: Story, limits: MoveLimits) -> Past:
    """The past with one more ended saga.

    A stuck one stops everything until a person has it rolled back. Settled and rolled-back moves hold the
    nodes they touched and count towards the moves per hour. Refused ones, and those that ended before any
    lever was pulled, leave nothing behind.
    """
    record = story.record
    stuck = past.stuck if past.stuck != record.id else None
    if record.state == "stuck":
        return replace(past, stuck=record.id)
    if record.ended_at is None or not story.touched:
        return replace(past, stuck=stuck)
    nodes = dict(past.nodes)
    touched = tuple(sorted({story.steps[index].node for index in story.tried}))
    for node in touched:
        own = tuple(change for change in record.changes if change.node == node)
        nodes[node] = _node_after(nodes.get(node), own, story, record.ended_at, limits)
    ended = tuple(each for each in past.ended if each.id != record.id and each.ended_at + DAY > record.ended_at)
    now_ended = Ended(id=record.id, ended_at=record.ended_at, nodes=touched)
    return Past(nodes=nodes, ended=(*ended, now_ended), stuck=stuck)


def past_of(told: Iterable[Story], limits: MoveLimits) -> Past:
    """The past from folded sagas, in the order in which they ended."""
    past = Past()
    ended = [story for story in told if story.ended and story.record.ended_at is not None]
    for story in sorted(ended, key=lambda each: (each.record.ended_at or each.record.started_at, each.record.id)):
        past = remember(past, story, limits)
    return past


def after_step_back(past: Past, now: datetime) -> Past:
    """The past seen from a clock that has stepped back: what it would have ended later ended just now.

    A move that was recorded by a clock years ahead would else hold its nodes for years. From the moment of the
    step each hold lasts as long as it would have, and no longer.
    """
    nodes = {
        name: replace(
            node,
            ended_at=min(node.ended_at, now),
            turned=tuple(replace(each, ended_at=min(each.ended_at, now)) for each in node.turned),
        )
        for name, node in past.nodes.items()
    }
    ended = tuple(replace(each, ended_at=min(each.ended_at, now)) for each in past.ended)
    return replace(past, nodes=nodes, ended=ended)
