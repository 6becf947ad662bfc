"""Rates: what a node earns per hour, as a 90 % interval with its evidence.

Income by hour is averaged over a window that is never shorter than the protocol's own accrual interval; the
interval is that of batch means (Law & Kelton, *Simulation Modeling and Analysis*, 9.5.3): the window is cut
into blocks, and the spread of the blocks' means, times Student's t, is the uncertainty. Blocks longer than
the correlation of the income make this honest for bursty work.
"""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from orch.earnings.accounts import HOUR_S
from orch.model.base import Value
from orch.model.money import EVIDENCE, Evidence, Rate

if TYPE_CHECKING:
    from orch.earnings.accounts import Income
    from orch.model.readings import Pace

BLOCKS = 12
MAX_WINDOW_H = 7 * 24
WINDOWS = 7
"""A rate looks back over so many of the protocol's own intervals, a week at most."""

STUDENT_95 = (6.31, 2.92, 2.35, 2.13, 2.02, 1.94, 1.90, 1.86, 1.83, 1.81, 1.80)
"""Student's t, 95 %, by degrees of freedom from 1."""

SMOOTHING_S = 3600.0


class Interval(Value):
    """Native units per hour: a mean within its 90 % interval, over a window, known until a time."""

    low: float
    mean: float
    high: float
    window_s: float
    known_until: datetime

    def scaled(self, by: float) -> Interval:
        """In other units (a price, a share)."""
        return Interval(
            low=self.low * by,
            mean=self.mean * by,
            high=self.high * by,
            window_s=self.window_s,
            known_until=self.known_until,
        )


def mean_income(
    income: Income, window_s: float, since: datetime | None = None, until: datetime | None = None
) -> Interval | None:
    """Income per hour over the last whole hours, or None when the history is shorter than the protocol needs.

    `window_s` is the protocol's own shortest honest window; `since` and `until` leave out what came before and
    after a change.
    """
    if income.until is None or income.since is None:
        return None
    start = income.since if since is None else max(since, income.since)
    known_until = income.until if until is None else min(until, income.until)
    last = int(known_until.timestamp()) // HOUR_S
    first = math.ceil(start.timestamp() / HOUR_S)
    if (last - first) * HOUR_S < window_s:
        return None
    wanted = max(1, min(MAX_WINDOW_H, math.ceil(WINDOWS * window_s / HOUR_S)))
    first = max(first, last - wanted)
    values = [income.native.get(hour, 0.0) for hour in range(first, last)]
    if not values:
        return None
    mean = sum(values) / len(values)
    spread = _spread(values)
    return Interval(
        low=max(0.0, mean - spread) if mean >= 0 else mean - spread,
        mean=mean,
        high=mean + spread,
        window_s=len(values) * float(HOUR_S),
        known_until=known_until,
    )


def from_pace(pace: Pace) -> Interval:
    """A protocol's own formula as an interval."""
    return Interval(low=pace.low, mean=pace.mean, high=pace.high, window_s=pace.window_s, known_until=pace.as_of)


def to_rate(interval: Interval, usd: float, evidence: Evidence, cost: float | None, now: datetime) -> Rate:
    """An interval in native units at a price, with what running the node costs per hour taken off its mean."""
    mean = interval.mean * usd
    return Rate(
        low=interval.low * usd,
        mean=mean,
        high=interval.high * usd,
        net_mean=None if cost is None else mean - cost,
        evidence=evidence,
        window_s=interval.window_s,
        age_s=max(0.0, (now - interval.known_until).total_seconds()),
    )


def smooth(before: Rate | None, now: Rate, elapsed_s: float, over_s: float = SMOOTHING_S) -> Rate:
    """An exponential moving average over `over_s`, so that a rate does not jump with every answer."""
    if before is None or elapsed_s >= 8 * over_s:
        return now
    keep = math.exp(-max(0.0, elapsed_s) / over_s)

    def mix(old: float, new: float) -> float:
        return new + (old - new) * keep

    net = None
    if now.net_mean is not None:
        net = now.net_mean if before.net_mean is None else mix(before.net_mean, now.net_mean)
    return Rate(
        low=mix(before.low, now.low),
        mean=mix(before.mean, now.mean),
        high=mix(before.high, now.high),
        net_mean=net,
        evidence=now.evidence,
        window_s=now.window_s,
        age_s=now.age_s,
    )


def add_rates(rates: tuple[Rate, ...]) -> Rate | None:
    """The sum of independent rates: intervals add in quadrature, evidence and age are the worst of them."""
    if not rates:
        return None
    mean = sum(rate.mean for rate in rates)
    below = math.sqrt(sum((rate.mean - rate.low) ** 2 for rate in rates))
    above = math.sqrt(sum((rate.high - rate.mean) ** 2 for rate in rates))
    nets = [rate.net_mean for rate in rates]
    return Rate(
        low=mean - below,
        mean=mean,
        high=mean + above,
        net_mean=None if any(net is None for net in nets) else sum(net for net in nets if net is not None),
        evidence=max((rate.evidence for rate in rates), key=EVIDENCE.index),
        window_s=max(rate.window_s for rate in rates),
        age_s=max(rate.age_s for rate in rates),
    )


def _spread(values: list[float]) -> float:
    blocks = min(BLOCKS, len(values))
    if blocks < 2:
        return abs(values[0])
    edges = [round(index * len(values) / blocks) for index in range(blocks + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    centre = sum(means) / blocks
    variance = sum((mean - centre) ** 2 for mean in means) / (blocks - 1)
    return STUDENT_95[blocks - 2] * math.sqrt(variance / blocks)
