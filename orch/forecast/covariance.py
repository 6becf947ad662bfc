"""How hourly incomes vary together: the sample covariance, shrunk where the sample is small.

Shrinkage towards one variance and no correlation, by the amount that is best in expectation: Ledoit & Wolf, *A
well-conditioned estimator for large-dimensional covariance matrices*, Journal of Multivariate Analysis 88 (2004),
lemma 3.2 and section 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orch.model.forecasts import HOUR, Covariance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orch.model.forecasts import IncomeSeries

LEAST_HOURS = 7 * 24
MOST_HOURS = 28 * 24


def ledoit_wolf(samples: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The shrunk covariance of samples of shape (observations, variables), and the shrinkage in [0, 1]."""
    count, width = samples.shape
    centred = samples - samples.mean(axis=0)
    sample = centred.T @ centred / count
    mean_variance = float(np.trace(sample)) / width
    target = mean_variance * np.eye(width)
    distance = float(((sample - target) ** 2).sum()) / width
    if distance <= 0.0:
        return target, 1.0
    squares = centred**2
    spread = float((squares.T @ squares / count - sample**2).sum()) / count / width
    shrinkage = min(max(spread, 0.0), distance) / distance
    return shrinkage * target + (1.0 - shrinkage) * sample, shrinkage


def covariance_of(history: Sequence[IncomeSeries]) -> Covariance | None:
    """The covariance of the hourly incomes of these nodes over at most the last four weeks.

    None with less than 7 days of hours in which all of them are known. Only such hours count.
    """
    if not history:
        return None
    start = max(each.first_hour for each in history)
    end = min(each.end for each in history)
    hours = min((end - start) // HOUR, MOST_HOURS)
    if hours < LEAST_HOURS:
        return None
    rows = [each.between(end - hours * HOUR, end) for each in history]
    samples = np.array([[np.nan if usd is None else usd for usd in row] for row in rows], dtype=float).T
    samples = samples[np.isfinite(samples).all(axis=1)]
    if len(samples) < LEAST_HOURS:
        return None
    matrix, shrinkage = ledoit_wolf(samples)
    return Covariance(
        nodes=tuple(each.node for each in history),
        matrix=tuple(tuple(float(value) for value in row) for row in matrix),
        at_usd_per_hour=tuple(float(value) for value in samples.mean(axis=0)),
        hours=len(samples),
        shrinkage=shrinkage,
    )
