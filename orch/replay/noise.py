"""Whether one income is really more than another: a block bootstrap over days.

Whole blocks of days are drawn, for days that follow each other are alike: a strategy that sits in the wrong place
sits there for weeks (circular block bootstrap: Politis & Romano, *A circular block-resampling procedure for
stationary data*, 1992). How long the blocks are follows from how long days resemble each other (Politis & White,
*Automatic block-length selection for the dependent bootstrap*, 2004, corrected by Patton, Politis & White, 2009).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orch.model.base import Value

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 2000
LEAST_DAYS = 14
"""Fewer days say nothing of noise."""


class Difference(Value):
    """By how much one income exceeds another in USD, within which bounds (90 %).

    `noise` is whether the bounds hold 0, so that neither is known to be better; None with less than two weeks.
    """

    usd: float
    low: float | None
    high: float | None
    noise: bool | None


def compare(one: NDArray[np.float64], other: NDArray[np.float64], seed: int) -> Difference:
    """Two incomes by day."""
    gaps = np.asarray(one, dtype=float) - np.asarray(other, dtype=float)
    total, days = float(gaps.sum()), len(gaps)
    if not gaps.any():
        return Difference(usd=0.0, low=0.0, high=0.0, noise=True)
    if days < LEAST_DAYS:
        return Difference(usd=total, low=None, high=None, noise=None)
    length = block_length(gaps)
    blocks = -(-days // length)
    around = np.concatenate([gaps, gaps[: length - 1]])
    sums = np.convolve(around, np.ones(length), mode="valid")
    drawn = np.random.default_rng(seed).integers(0, days, size=(DRAWS, blocks))
    totals = sums[drawn].sum(axis=1) * (days / (blocks * length))
    low, high = (float(each) for each in np.quantile(totals, (0.05, 0.95)))
    return Difference(usd=total, low=low, high=high, noise=low <= 0.0 <= high)


def block_length(values: NDArray[np.float64]) -> int:
    """In how long blocks a series is to be drawn, for the circular bootstrap of its mean."""
    count = len(values)
    centred = values - values.mean()
    in_a_row = max(5, math.ceil(math.sqrt(math.log10(count))))
    longest = math.ceil(math.sqrt(count)) + in_a_row
    lags = range(min(2 * longest + 1, count))
    together = np.array([centred[: count - lag] @ centred[lag:] for lag in lags]) / count
    if together[0] <= 0.0:
        return 1
    alike = np.abs(together / together[0]) >= 2.0 * math.sqrt(math.log10(count) / count)
    quiet = (lag for lag in range(1, longest + 1) if not alike[lag : lag + in_a_row].any())
    last = next(quiet, None)
    if last is None:
        seen = np.flatnonzero(alike[1 : longest + 1])
        last = int(seen[-1]) + 2 if seen.size else 2
    reach = min(2 * max(last - 1, 1), longest, len(together) - 1)
    lag = np.arange(-reach, reach + 1)
    window = np.clip(2.0 * (1.0 - np.abs(lag) / reach), 0.0, 1.0)
    part = window * together[np.abs(lag)]
    spectrum = float(part.sum())
    if spectrum <= 0.0:
        return 1
    slope = float((np.abs(lag) * part).sum())
    length = (2.0 * slope**2 / (4.0 / 3.0 * spectrum**2) * count) ** (1.0 / 3.0)
    return max(1, round(float(min(length, 3.0 * math.sqrt(count), count / 3.0))))
