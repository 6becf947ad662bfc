"""The trust ladder, and the other things that stand whatever moves: freezes, refused plans, lost trust.

A lever whose pulls had to be rolled back twice within a week goes down one rung. Only a person takes it up again:
by an order, or by saying something else of it in the configuration.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.model.base import Value
from orch.model.fleet import MODES, Mode
from orch.model.moves import Demotion, LeverName, Order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orch.model.moves import Guards, JournalRecord
    from orch.reallocation.story import Story

WEEK = timedelta(days=7)
ROLLBACKS = 2
KEPT_REJECTED = 500


class TrustedLever(Value):
    """A configured lever: what it sets, and how far it is trusted.

    `stated` is what the configuration says of this very lever (or its node), None where it says nothing; `mode` is
    that under every ceiling. Levers of one node come in the order in which they are tried.
    """

    name: LeverName
    sets: tuple[str, ...]
    mode: Mode
    stated: Mode | None = None


class Lost(Value):
    """A lever's lost trust. `stated`: what the configuration said of it when it was demoted."""

    demotion: Demotion
    stated: Mode | None


class Standing(Value):
    """What the orders of a journal come to.

    `forgiven`: until when rollbacks of a lever no longer count, because they cost it a rung, or were forgiven.
    `repriced`: when a lever last set a new price.
    """

    frozen_since: datetime | None = None
    frozen_until: datetime | None = None
    rejected: tuple[str, ...] = ()
    lost: tuple[Lost, ...] = ()
    forgiven: dict[str, datetime] = msgspec.field(default_factory=dict)
    repriced: dict[str, datetime] = msgspec.field(default_factory=dict)

    @property
    def demotions(self) -> tuple[Demotion, ...]:
        """Every lever that has lost trust."""
        return tuple(each.demotion for each in self.lost)

    def of(self, lever: LeverName) -> Lost | None:
        """The lost trust of one lever."""
        return next((each for each in self.lost if each.demotion.lever == lever), None)


def standing_of(records: Iterable[JournalRecord]) -> Standing:
    """What all orders of a journal come to."""
    standing = Standing()
    for line in records:
        if line.order is not None:
            standing = obeyed(standing, line.order, line.written_at)
    return standing


def obeyed(standing: Standing, order: Order, when: datetime) -> Standing:
    """What stands after one more order."""
    match order.what:
        case "freeze":
            return replace(standing, frozen_since=when, frozen_until=order.until)
        case "unfreeze":
            return replace(standing, frozen_since=None, frozen_until=None)
        case "reject":
            rejected = (*(each for each in standing.rejected if each != order.plan_id), order.plan_id or "")
            return replace(standing, rejected=rejected[-KEPT_REJECTED:])
        case "demote" | "promote":
            return _trust_after(standing, order, when)
        case "reprice":
            if order.lever is None:
                return standing
            return replace(standing, repriced={**standing.repriced, _key(order.lever): when})


def _trust_after(standing: Standing, order: Order, when: datetime) -> Standing:
    if order.lever is None:
        return standing
    others = tuple(each for each in standing.lost if each.demotion.lever != order.lever)
    forgiven = {**standing.forgiven, _key(order.lever): when}
    if order.what == "promote" or order.mode is None:
        return replace(standing, lost=others, forgiven=forgiven)
    sentence = (
        f"It was demoted to {order.mode} on {when:%Y-%m-%d} after {ROLLBACKS} rollbacks in a week; "
        f"`orch promote {order.lever.node}` restores it."
    )
    demotion = Demotion(lever=order.lever, mode=order.mode, since=when, sentence=sentence)
    return replace(standing, lost=(*others, Lost(demotion=demotion, stated=order.stated)), forgiven=forgiven)


def with_standing(guards: Guards, standing: Standing, now: datetime) -> Guards:
    """The guards with what stands besides moves."""
    frozen_until = standing.frozen_until
    if frozen_until is not None and frozen_until <= now:
        frozen_until = None
    return replace(guards, frozen_until=frozen_until, demotions=standing.demotions)


def repricing_objection(
    lever: LeverName,
    hold_s: float,
    levers: Iterable[TrustedLever],
    standing: Standing,
    guards: Guards,
    now: datetime,
) -> str | None:
    """Why a lever may not set a new price now; None when it may.

    What holds for moves holds for prices: only in `auto`, not while levers are frozen or one is being pulled,
    within the maintenance windows, and never sooner than `hold_s` after its last price (a clock that steps back
    makes that later, never sooner).
    """
    trusted = next((each for each in levers if each.name == lever), None)
    if trusted is None or rung_of(trusted, standing) != "auto":
        return "its lever may not act by itself"
    if guards.stuck is not None or guards.running is not None or guards.frozen_until is not None:
        return "a move is under way, or levers are frozen"
    if guards.window_opens_at is not None:
        return f"changes are made in the maintenance windows, the next one from {guards.window_opens_at:%H:%M} UTC"
    last = standing.repriced.get(_key(lever))
    if last is not None and now - last < timedelta(seconds=hold_s):
        return f"it stands since {last:%Y-%m-%d %H:%M} UTC and has to for {hold_s / 3600.0:g} h"
    return None


def thawing_in_time(standing: Standing, now: datetime) -> Standing:
    """The same seen from a clock that has stepped back: a freeze lasts as long as was asked for from now on."""
    since, until = standing.frozen_since, standing.frozen_until
    if since is None or until is None or since <= now:
        return standing
    return replace(standing, frozen_since=now, frozen_until=now + (until - since))


def demotions_due(
    told: Iterable[Story], levers: Sequence[TrustedLever], standing: Standing, now: datetime
) -> tuple[Order, ...]:
    """Levers that have earned to go down a rung."""
    rollbacks: dict[LeverName, int] = {}
    for story in told:
        when = story.record.ended_at
        if story.record.state not in {"rolled_back", "stuck"} or when is None or now - when >= WEEK:
            continue
        for lever in blamed(story, levers):
            if when > standing.forgiven.get(_key(lever), when - WEEK):
                rollbacks[lever] = rollbacks.get(lever, 0) + 1
    return tuple(
        Order(what="demote", lever=each.name, mode=MODES[MODES.index(rung) - 1], stated=each.stated)
        for each in levers
        if rollbacks.get(each.name, 0) >= ROLLBACKS and (rung := rung_of(each, standing)) != "observe"
    )


def rung_of(lever: TrustedLever, standing: Standing) -> Mode:
    """How far a configured lever is trusted now."""
    lost = standing.of(lever.name)
    return lever.mode if lost is None else min(lever.mode, lost.demotion.mode, key=MODES.index)


def promotions_stated(levers: Iterable[TrustedLever], standing: Standing) -> tuple[Order, ...]:
    """Levers of which the configuration says something else than when they were demoted: a person has spoken."""
    stated: Mapping[LeverName, Mode | None] = {each.name: each.stated for each in levers}
    return tuple(
        Order(what="promote", lever=each.demotion.lever)
        for each in standing.lost
        if each.demotion.lever in stated and stated[each.demotion.lever] != each.stated
    )


def promotions_ordered(standing: Standing, node: str, kind: str | None) -> tuple[Order, ...]:
    """The orders that restore a node's demoted levers, or those of one kind."""
    return tuple(
        Order(what="promote", lever=each.lever)
        for each in standing.demotions
        if each.lever.node == node and kind in (None, each.lever.kind)
    )


def blamed(story: Story, levers: Iterable[TrustedLever]) -> tuple[LeverName, ...]:
    """The levers of the steps that failed: a move called off, or cut short by a stop of orch, blames nobody."""
    found: dict[LeverName, None] = {}
    by_node: dict[str, list[TrustedLever]] = {}
    for lever in levers:
        by_node.setdefault(lever.name.node, []).append(lever)
    for index in story.failed:
        step = story.steps[index]
        for name, _ in step.goal.known():
            pulled = next((each for each in by_node.get(step.node, ()) if name in each.sets), None)
            if pulled is not None:
                found.setdefault(pulled.name)
    return tuple(found)


def _key(lever: LeverName) -> str:
    return f"{lever.node}/{lever.kind}"
