"""From conditions to alerts: pending while a condition holds, firing after its time, resolved when it is gone.

The states are those of Prometheus and Alertmanager (`for`, `keep_firing_for`), and one more: what cannot be seen
now is `unknown`, neither holding nor over. One alert per rule and node.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from orch.alerts.rules import TIMING
from orch.model.alerts import SEVERITIES, Alert, Condition, Rule
from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from orch.alerts.rules import Timing


class Tracked(Value):
    """An alert with when its condition was last seen to hold, and from when on nothing is known of it."""

    alert: Alert
    last_held_at: datetime
    unseen_since: datetime | None = None


class Outcome(Value):
    """The alerts after a look, and which of them changed with it (`turned`: to or from unknown)."""

    tracked: tuple[Tracked, ...]
    raised: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()
    turned: tuple[Alert, ...] = ()


def advance(
    tracked: tuple[Tracked, ...],
    conditions: tuple[Condition, ...],
    now: datetime,
    timing: Mapping[Any, Timing] = TIMING,
    unseen: Collection[tuple[Rule, str | None]] = (),
) -> Outcome:
    """Take in the conditions that hold now.

    Args:
        tracked: The alerts after the look before.
        conditions: What holds.
        now: When that was looked at.
        timing: How long each rule must hold, and be gone.
        unseen: The rules and nodes of which nobody can say now whether they hold.
    """
    holding = {(condition.rule, condition.node): condition for condition in conditions}
    known = {each.alert.key: each for each in tracked}
    kept: list[Tracked] = []
    raised: list[Alert] = []
    resolved: list[Alert] = []
    turned: list[Alert] = []
    for key, condition in holding.items():
        before = known.get(key)
        after = _held(before, condition, now, timing[condition.rule])
        kept.append(after)
        if after.alert.state == "firing" and _is_news(before, after.alert):
            raised.append(after.alert)
        elif before is not None and before.alert.state == "unknown":
            turned.append(after.alert)
    for key, each in known.items():
        if key in holding:
            continue
        if key in unseen:
            kept.append(_unseen(each, now))
            if each.alert.state == "firing":
                turned.append(kept[-1].alert)
        elif each.alert.is_active and each.unseen_since is not None:
            kept.append(_seen(each, now))
            turned.append(kept[-1].alert)
        elif each.alert.is_active:
            quiet = now - each.last_held_at
            if key[0] in timing and quiet < timedelta(seconds=timing[key[0]].keep_firing_s):
                kept.append(each)
            else:
                resolved.append(replace(each.alert, state="resolved", resolved_at=now))
    return Outcome(tracked=tuple(kept), raised=tuple(raised), resolved=tuple(resolved), turned=tuple(turned))


def resumed(tracked: tuple[Tracked, ...], saved_at: datetime, now: datetime) -> tuple[Tracked, ...]:
    """Alerts as they were kept over a time in which nobody looked: that time is unknown, not quiet."""
    return tuple(
        replace(each, last_held_at=max(each.last_held_at, now))
        if each.alert.is_active
        else replace(each, unseen_since=each.unseen_since or saved_at)
        for each in tracked
    )


def _is_news(before: Tracked | None, alert: Alert) -> bool:
    """Whether a firing alert is to be told: it did not fire before, or it is graver now."""
    if before is None or not before.alert.is_active:
        return True
    return SEVERITIES.index(alert.severity) > SEVERITIES.index(before.alert.severity)


def _held(before: Tracked | None, condition: Condition, now: datetime, timing: Timing) -> Tracked:
    since = before.alert.since if before else now
    if before is not None and before.unseen_since is not None and not before.alert.is_active:
        # Nobody saw it hold meanwhile: that time does not count.
        since += now - before.unseen_since
    held_s = (now - since).total_seconds()
    firing = held_s >= timing.for_s or (before is not None and before.alert.is_active)
    alert = Alert(
        id=before.alert.id if before else f"{condition.rule}-{condition.node or 'host'}-{since:%Y%m%dT%H%M%S}",
        rule=condition.rule,
        node=condition.node,
        severity=condition.severity,
        state="firing" if firing else "pending",
        since=since,
        sentence=condition.sentence,
        remedy=condition.remedy,
        cost_usd_per_day=condition.cost_usd_per_day,
    )
    return Tracked(alert=alert, last_held_at=now)


def _unseen(each: Tracked, now: datetime) -> Tracked:
    since = each.unseen_since or now
    if not each.alert.is_active:
        return replace(each, unseen_since=since)
    return replace(each, alert=replace(each.alert, state="unknown", unknown_since=since), unseen_since=since)


def _seen(each: Tracked, now: datetime) -> Tracked:
    """Seen again, and quiet: for how long counts from now."""
    return Tracked(alert=replace(each.alert, state="firing", unknown_since=None), last_held_at=now)
