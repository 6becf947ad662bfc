"""Rates: what a node earns per hour, as a 90 % interval with its evidence.

A rate is what a node may be expected to earn per hour now, with its present split and prices, as the average over
the hours of a day. Its interval is that of this expectation, not of a single hour's income.

Income by hour is averaged over blocks, each as long as the protocol's own accrual interval and never shorter.
Paying work comes in bursts around a demand that itself drifts, so what holds now is the level of a local level
model (Harvey, *Forecasting, Structural Time Series Models and the Kalman Filter*, 1989, 2.3): blocks scatter
around a level that wanders from block to block. How much it wanders beside the scatter is not known, so several
ratios are weighed by how well each explains the blocks (Bayesian model averaging); newer blocks then count for
more just as far as the history shows a drift. A history of fewer than four blocks shows none: there the spread of
batch means, times Student's t, is the uncertainty (Law & Kelton, *Simulation Modeling and Analysis*, 9.5.3), with
batches that are longer than the income's correlation.

Income that work does not set (a stake's share) is level and changes in steps, when a sponsorship runs dry or
another staker comes. Of such income only the hours since the last step speak of now: an hour joins the window as
long as it lies within the control limits of the hours after it (Shewhart's chart for individual values). A window
that had to take in a step, for being too short otherwise, says so: its interval reaches to its newest half.

Two more doubts are added in quadrature: hours are cut where a reading need not have been, so each edge of the
window may be wrong by a reading's worth; and a price may have moved since it was seen (`wander`).
"""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from orch.earnings.accounts import HOUR_S
from orch.earnings.costs import less, total_cost
from orch.model.base import Value
from orch.model.money import EVIDENCE, Evidence, Rate

if TYPE_CHECKING:
    from orch.earnings.accounts import Income
    from orch.model.readings import Pace

BATCHES, BATCH_H = 12, 6
"""As many batches, or fewer so that none is shorter: what was agreed to work on goes on for hours."""

MAX_WINDOW_H = 28 * 24
WINDOWS = 28
"""A rate looks back over so many of the protocol's own intervals, four weeks at most."""

FEWEST_BLOCKS = 4
"""Fewer blocks than this show no drift."""

DRIFTS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Variance of the level's step from block to block, over that of a block around it; each as likely beforehand."""

HALF_A_BLOCK = 0.5
"""A block's mean stands for its middle; from the last one's to now the level goes on wandering."""

STUDENT_95 = (
    *(6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812, 1.796, 1.782, 1.771, 1.761),
    *(1.753, 1.746, 1.740, 1.734, 1.729, 1.725, 1.721, 1.717, 1.714, 1.711, 1.708, 1.706, 1.703),
)
"""Student's t, 95 %, by degrees of freedom from 1."""

SMOOTHING_S = 3600.0

EDGE_S = 300.0
"""Between two answers that tell of income about so long passes; when within it was earned is not known."""

CONTROL_LIMIT = 3.0
LEVEL_SHARE = 0.02
"""Hours that differ by less than this share of their level are of one level, however even they are."""


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
    income: Income,
    window_s: float,
    since: datetime | None = None,
    until: datetime | None = None,
    *,
    in_steps: bool = False,
) -> Interval | None:
    """Income per hour over the last whole hours, or None when the history is shorter than the protocol needs.

    `window_s` is the protocol's own shortest honest window; `since` and `until` leave out what came before and
    after a change. Income `in_steps` is averaged since its last step, but never over less than `window_s`.
    """
    if income.until is None or income.since is None:
        return None
    start = income.since if since is None else max(since, income.since)
    known_until = income.until if until is None else min(until, income.until)
    last = int(known_until.timestamp()) // HOUR_S
    first = math.ceil(start.timestamp() / HOUR_S)
    if (last - first) * HOUR_S < window_s:
        return None
    shortest = max(1, math.ceil(window_s / HOUR_S))
    first = max(first, last - max(shortest, min(MAX_WINDOW_H, WINDOWS * shortest)))
    values = [income.native.get(hour, 0.0) for hour in range(first, last)]
    if not values:
        return None
    if in_steps:
        values = _newest_level(values, shortest)
        low, mean, high = _batch_means(values, len(values))
        newest = values[-max(1, shortest // 2) :]
        half = sum(newest) / len(newest)
        low, high = min(low, half - _edges(half, len(newest))), max(high, half + _edges(half, len(newest)))
    elif len(values) < FEWEST_BLOCKS * shortest:
        low, mean, high = _batch_means(values, max(2, len(values) // BATCH_H))
    else:
        low, mean, high = _level_now(values, shortest)
    return Interval(
        low=max(0.0, low) if mean >= 0 else low,
        mean=mean,
        high=high,
        window_s=len(values) * float(HOUR_S),
        known_until=known_until,
    )


def pooled(one: Interval, other: Interval) -> Interval:
    """Two estimates of one thing from much the same history: their middle, with half their difference as doubt.

    Their errors are taken to go together, so half-widths are averaged, not shrunk.
    """
    mean, apart = (one.mean + other.mean) / 2, (one.mean - other.mean) / 2
    below = math.hypot((one.mean - one.low + other.mean - other.low) / 2, apart)
    above = math.hypot((one.high - one.mean + other.high - other.mean) / 2, apart)
    return Interval(
        low=max(0.0, mean - below) if min(one.low, other.low) >= 0 else mean - below,
        mean=mean,
        high=mean + above,
        window_s=max(one.window_s, other.window_s),
        known_until=max(one.known_until, other.known_until),
    )


def from_pace(pace: Pace) -> Interval:
    """A protocol's own formula as an interval."""
    return Interval(low=pace.low, mean=pace.mean, high=pace.high, window_s=pace.window_s, known_until=pace.as_of)


def to_rate(interval: Interval, usd: float, evidence: Evidence, now: datetime, doubt: float = 0.0) -> Rate:
    """An interval in native units at a price, before running costs.

    `doubt` is the share of itself by which the price may be off (90 %).
    """
    mean = interval.mean * usd
    below = math.hypot(mean - interval.low * usd, mean * doubt)
    above = math.hypot(interval.high * usd - mean, mean * doubt)
    return Rate(
        low=max(0.0, mean - below) if interval.low >= 0 else mean - below,
        mean=mean,
        high=mean + above,
        net_mean=None,
        evidence=evidence,
        window_s=interval.window_s,
        age_s=max(0.0, (now - interval.known_until).total_seconds()),
    )


def smooth(before: Interval | None, now: Interval, elapsed_s: float, over_s: float = SMOOTHING_S) -> Interval:
    """An exponential moving average over `over_s`, so that a rate does not jump with every answer.

    Of native units: a price is taken as it is, for a smoothed one would be neither the present nor a past one.
    """
    if before is None or elapsed_s >= 8 * over_s:
        return now
    keep = math.exp(-max(0.0, elapsed_s) / over_s)

    def mix(old: float, new: float) -> float:
        return new + (old - new) * keep

    return Interval(
        low=mix(before.low, now.low),
        mean=mix(before.mean, now.mean),
        high=mix(before.high, now.high),
        window_s=now.window_s,
        known_until=now.known_until,
    )


def add_rates(rates: tuple[Rate, ...]) -> Rate | None:
    """The sum of independent rates: intervals add in quadrature, evidence and age are the worst of them."""
    if not rates:
        return None
    mean = sum(rate.mean for rate in rates)
    below = math.sqrt(sum((rate.mean - rate.low) ** 2 for rate in rates))
    above = math.sqrt(sum((rate.high - rate.mean) ** 2 for rate in rates))
    costs = [rate.cost for rate in rates if rate.cost is not None]
    summed = Rate(
        low=mean - below,
        mean=mean,
        high=mean + above,
        net_mean=None,
        evidence=max((rate.evidence for rate in rates), key=EVIDENCE.index),
        window_s=max(rate.window_s for rate in rates),
        age_s=max(rate.age_s for rate in rates),
    )
    if len(costs) < len(rates):
        return less(summed, None, next(rate.net_note for rate in rates if rate.cost is None))
    return less(summed, total_cost(costs))


def _newest_level(values: list[float], shortest: int) -> list[float]:
    """The newest hours that are of one level, at least the `shortest` many."""
    start = len(values) - shortest
    total, squares = sum(values[start:]), sum(value * value for value in values[start:])
    while start > 0:
        count = len(values) - start
        mean = total / count
        deviation = math.sqrt(max(0.0, squares / count - mean * mean))
        older = values[start - 1]
        if abs(older - mean) > max(CONTROL_LIMIT * deviation, LEVEL_SHARE * abs(mean)):
            break
        start -= 1
        total += older
        squares += older * older
    return values[start:]


def _level_now(values: list[float], block: int) -> tuple[float, float, float]:
    """Low, mean and high of the level now, by the local level model over blocks of so many hours."""
    count = len(values) // block
    start = len(values) - count * block
    blocks = [sum(values[at : at + block]) / block for at in range(start, len(values), block)]
    scale = max(abs(block) for block in blocks)
    mean, spread = blocks[-1], 0.0
    if max(blocks) > min(blocks) and scale > 0:
        level, variance = _weigh_drifts([block / scale for block in blocks])
        mean, spread = level * scale, STUDENT_95[count - 2] * math.sqrt(variance) * scale
    spread = math.hypot(spread, _edges(mean, len(values)))
    return mean - spread, mean, mean + spread


def _weigh_drifts(blocks: list[float]) -> tuple[float, float]:
    """Mean and variance of the level half a block after the last, over all drifts by their likelihood."""
    found = [_filter(blocks, drift) for drift in DRIFTS]
    best = max(likelihood for likelihood, _, _ in found)
    weights = [math.exp(likelihood - best) for likelihood, _, _ in found]
    whole = sum(weights)
    mean = sum(weight * level for weight, (_, level, _) in zip(weights, found, strict=True)) / whole
    variance = sum(
        weight * (own + (level - mean) ** 2) for weight, (_, level, own) in zip(weights, found, strict=True)
    )
    return mean, variance / whole


def _filter(blocks: list[float], drift: float) -> tuple[float, float, float]:
    """The Kalman filter of a local level: log-likelihood (scale marginalised), level and its variance."""
    level, doubt, squares, logs = blocks[0], 1.0, 0.0, 0.0
    for block in blocks[1:]:
        before = doubt + drift
        whole = before + 1.0
        error = block - level
        squares += error * error / whole
        logs += math.log(whole)
        gain = before / whole
        level += gain * error
        doubt = before * (1.0 - gain)
    freedom = len(blocks) - 1
    likelihood = -0.5 * (logs + freedom * math.log(squares))
    return likelihood, level, (doubt + HALF_A_BLOCK * drift) * squares / freedom


def _batch_means(values: list[float], most: int) -> tuple[float, float, float]:
    """Low, mean and high by the spread of the means of so many batches, or a dozen."""
    mean = sum(values) / len(values)
    spread = math.hypot(_spread(values, min(BATCHES, most, len(values))), _edges(mean, len(values)))
    return mean - spread, mean, mean + spread


def _edges(mean: float, hours: int) -> float:
    """What the window's edges may be wrong by, per hour."""
    return abs(mean) * EDGE_S / (hours * HOUR_S)


def _spread(values: list[float], blocks: int) -> float:
    if blocks < 2:
        return abs(values[0])
    edges = [round(index * len(values) / blocks) for index in range(blocks + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    centre = sum(means) / blocks
    variance = sum((mean - centre) ** 2 for mean in means) / (blocks - 1)
    return STUDENT_95[blocks - 2] * math.sqrt(variance / blocks)
