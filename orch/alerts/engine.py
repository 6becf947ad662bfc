"""From conditions to alerts: pending while a condition holds, firing after its time, resolved when it is gone.

The states are those of Prometheus and Alertmanager (`for`, `keep_firing_for`). One alert per rule and node.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.alerts.rules import TIMING, Timing
from orch.model.alerts import Alert, Condition, Rule
from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Mapping


class Tracked(Value):
    """An alert with when its condition was last seen to hold."""

    alert: Alert
    last_held_at: datetime


class Outcome(Value):
    """The alerts after a look, and which of them changed with it."""

    tracked: tuple[Tracked, ...]
    raised: tuple[Alert, ...] = ()
    resolved: tuple[Alert, ...] = ()


def advance(
    tracked: tuple[Tracked, ...],
    conditions: tuple[Condition, ...],
    now: datetime,
    timing: Mapping[Rule, Timing] = TIMING,
) -> Outcome:
    """Take in the conditions that hold now."""
    holding = {(condition.rule, condition.node): condition for condition in conditions}
    known = {(each.alert.rule, each.alert.node): each for each in tracked}
    kept: list[Tracked] = []
    raised: list[Alert] = []
    resolved: list[Alert] = []
    for key, condition in holding.items():
        before = known.get(key)
        after = _held(before, condition, now, timing[condition.rule])
        kept.append(after)
        if after.alert.state == "firing" and _is_news(before, after.alert):
            raised.append(after.alert)
    for key, each in known.items():
        if key in holding:
            continue
        if each.alert.state == "firing":
            quiet = now - each.last_held_at
            if quiet < timedelta(seconds=timing[each.alert.rule].keep_firing_s):
                kept.append(each)
            else:
                resolved.append(replace(each.alert, state="resolved", resolved_at=now))
    return Outcome(tracked=tuple(kept), raised=tuple(raised), resolved=tuple(resolved))


def _is_news(before: Tracked | None, alert: Alert) -> bool:
    """Whether a firing alert is to be told: it did not fire before, or it is graver now."""
    if before is None or before.alert.state != "firing":
        return True
    return alert.severity == "page" != before.alert.severity


def _held(before: Tracked | None, condition: Condition, now: datetime, timing: Timing) -> Tracked:
    since = before.alert.since if before else now
    held_s = (now - since).total_seconds()
    firing = held_s >= timing.for_s or (before is not None and before.alert.state == "firing")
    name = f"{condition.rule}-{condition.node or 'host'}-{since:%Y%m%dT%H%M%S}"
    alert = Alert(
        id=before.alert.id if before else name,
        rule=condition.rule,
        node=condition.node,
        severity=condition.severity,
        state="firing" if firing else "pending",
        since=since,
        sentence=condition.sentence,
        remedy=condition.remedy,
    )
    return Tracked(alert=alert, last_held_at=now)
