"""What observing a node costs it: requests, bytes, seconds waited; since the start and per hour. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from orch.model.base import Value
from orch.model.readings import ObserverRate

APART = timedelta(minutes=5)
"""Marks are at least so far apart, and no rate is stated over less."""
SPAN = timedelta(hours=1)


class Mark(Value):
    """The totals at one time."""

    at: datetime
    requests: int = 0
    bytes: int = 0
    seconds: float = 0.0


def marked(marks: tuple[Mark, ...], now: Mark) -> tuple[Mark, ...]:
    """The marks with a new one, when the last is old enough; those that no rate needs any more are left out."""
    if marks and now.at - marks[-1].at < APART:
        return marks
    needed = next((i for i in reversed(range(len(marks))) if now.at - marks[i].at >= SPAN), 0)
    return (*marks[needed:], now)


def per_hour(marks: tuple[Mark, ...], now: Mark) -> ObserverRate | None:
    """The cost per hour over the last hour, or since the start where that is less; None in the first minutes."""
    first = next((mark for mark in reversed(marks) if now.at - mark.at >= SPAN), marks[0] if marks else None)
    if first is None or now.at - first.at < APART:
        return None
    hours = (now.at - first.at) / timedelta(hours=1)
    return ObserverRate(
        requests=(now.requests - first.requests) / hours,
        bytes=(now.bytes - first.bytes) / hours,
        seconds=(now.seconds - first.seconds) / hours,
    )
