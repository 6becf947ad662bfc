"""What nobody is told of: alerts that a graver one explains, and those that a person has silenced.

Inhibition as Alertmanager's: a target is muted while a source fires, on the same node where both have one. A
silenced source still inhibits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from orch.model.alerts import Alert, Silence

INHIBITS: dict[str, tuple[str, ...]] = {
    "low_earnings": ("node_lost",),
    "finding": ("node_lost",),
    "price_doubtful": ("price_stale",),
    "lever_did_not_take": ("saga_stuck",),
    "move_lost": ("saga_stuck",),
    "reallocation_opportunity": ("saga_stuck", "price_stale"),
    "optimization_potential": ("saga_stuck", "price_stale", "reallocation_opportunity"),
}
"""A rule, and those that explain it."""


def marked(
    alerts: Iterable[Alert],
    silences: Iterable[Silence],
    now: datetime,
    inhibits: Mapping[str, tuple[str, ...]] = INHIBITS,
) -> tuple[Alert, ...]:
    """The alerts, each with why it is muted, if it is."""
    alerts, silences = tuple(alerts), tuple(silences)
    active = [alert for alert in alerts if alert.is_active]
    return tuple(
        replace(
            alert,
            inhibited_by=_inhibitor(alert, active, inhibits.get(alert.rule, ())),
            silenced_until=silenced_until(alert, silences, now),
        )
        for alert in alerts
    )


def silenced_until(alert: Alert, silences: Iterable[Silence], now: datetime) -> datetime | None:
    """Until when nobody is told of it."""
    found = (
        each.until for each in silences if (each.rule, each.node) == alert.key and each.since <= now < each.until
    )
    return max(found, default=None)


def _inhibitor(alert: Alert, active: list[Alert], sources: tuple[str, ...]) -> str | None:
    return next(
        (
            each.rule
            for each in active
            if each.rule in sources and (alert.node is None or each.node in (None, alert.node))
        ),
        None,
    )
