"""What people are told: what happened, what it costs a day, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.alerts import SEVERITIES, Alert, Severity
from orch.model.base import Value
from orch.model.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

MOST = 10
"""Alerts that one notice spells out; the rest is counted."""
LONGEST_TITLE = 150

NAMES: dict[str, str] = {
    "low_earnings": "Low earnings",
    "node_lost": "Node lost",
    "reallocation_opportunity": "A better split waits",
    "resource_contention": "Resource contention",
    "optimization_potential": "The split could earn more",
    "lever_did_not_take": "A limit did not take",
    "move_lost": "A move loses money",
    "lever_demoted": "A lever lost trust",
    "saga_stuck": "A move is stuck",
    "price_stale": "Prices are stale",
    "price_doubtful": "Prices are doubtful",
    "actor_failed": "A part of orch failed",
    "finding": "Finding",
}


class Said(Value):
    """What a notice is about: what fires (with what is new), what is over; `again` when nothing of it is new."""

    firing: tuple[Alert, ...] = ()
    ended: tuple[Alert, ...] = ()
    again: bool = False


def write_notice(
    said: Said, notice_id: str, channel: str, now: datetime, host: str = "", emulated: bool = False
) -> Notice:
    """A notice in words."""
    about = said.firing or said.ended
    severity: Severity = max((alert.severity for alert in about), key=SEVERITIES.index, default="info")
    return Notice(
        id=notice_id,
        channel=channel,
        kind="alerts",
        title=_title(said, host, emulated),
        body="\n\n".join(_parts(said, now, emulated)),
        severity=severity,
        created_at=now,
        is_over=not said.firing,
    )


def rule_in_words(rule: str) -> str:
    """A rule as a heading."""
    return NAMES.get(rule) or rule.replace("_", " ").capitalize()


def _title(said: Said, host: str, emulated: bool) -> str:
    about = said.firing or said.ended
    words = "; ".join(_headed(rule, [each for each in about if each.rule == rule]) for rule in _rules(about))
    state = ("Still: " if said.again else "") if said.firing else "Over: "
    marks = "".join((f"[{host}] " if host else "", "EMULATED " if emulated else ""))
    known = [alert.cost_usd_per_day for alert in said.firing if alert.cost_usd_per_day is not None]
    cost = f" (${sum(known):.2f} a day)" if known else ""
    title = f"{marks}{state}{words}"
    return f"{title[:LONGEST_TITLE]}{cost}"


def _rules(alerts: Iterable[Alert]) -> list[str]:
    return list(dict.fromkeys(alert.rule for alert in alerts))


def _headed(rule: str, alerts: list[Alert]) -> str:
    nodes = [alert.node for alert in alerts if alert.node is not None]
    count = f" x{len(nodes)}" if len(nodes) > 1 else ""
    return f"{rule_in_words(rule)}{count}: {', '.join(nodes)}" if nodes else rule_in_words(rule)


def _parts(said: Said, now: datetime, emulated: bool) -> Iterator[str]:
    if emulated:
        yield "These nodes are emulated: no money is at stake."
    for alert in said.firing[:MOST]:
        yield _firing(alert, now)
    if len(said.firing) > MOST:
        yield f"And {len(said.firing) - MOST} more: `orch status` has all of them."
    if said.ended and said.firing:
        yield "Over:"
    for alert in said.ended[:MOST]:
        yield f"It is over after {lasted((now - alert.since).total_seconds())}: {alert.sentence}"
    if len(said.ended) > MOST:
        yield f"And {len(said.ended) - MOST} more are over."


def _firing(alert: Alert, now: datetime) -> str:
    lines = [alert.sentence]
    if alert.cost_usd_per_day is None:
        lines.append("What it costs a day is not known.")
    elif "a day" not in alert.sentence:
        lines.append(f"That costs ${alert.cost_usd_per_day:.2f} a day.")
    if alert.state == "unknown":
        lines.append("Whether it still is so cannot be seen now.")
    since = f"{alert.since:%Y-%m-%d %H:%M} UTC, {lasted((now - alert.since).total_seconds())} ago"
    lines.append(f"To do: {alert.remedy}")
    lines.append(f"Severity {alert.severity}, since {since}. Alert {alert.id}")
    return "\n".join(lines)


def lasted(seconds: float) -> str:
    """A length of time in its largest fitting unit.

    >>> lasted(45), lasted(90), lasted(7200), lasted(200_000)
    ('45 s', '2 min', '2 h', '2 days')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"
