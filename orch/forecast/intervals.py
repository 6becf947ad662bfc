"""Forecasts with bounds that come from how wrong the forecaster has been on the same series.

Split conformal prediction over rolling origins (Lei et al., *Distribution-Free Predictive Inference for
Regression*, 2018), with the level adapted to what the bounds held (Gibbs & Candes, *Adaptive Conformal Inference
Under Distribution Shift*, 2021): bounds that were broken widen, whatever broke them. What is bounded is the mean
income of the hours ahead, for that is what a decision rests on.
"""

from __future__ import annotations

import math
from bisect import insort
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orch.forecast.base import Forecaster, Rolls
from orch.model.forecasts import HOUR, Forecast, IncomeSeries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orch.forecast.models import Floats

HISTORY_H = 31 * 24
LEAST_KNOWN_H = 24
"""With fewer known hours there is no forecast."""

LEAST_PAST_H = 48
EVERY_H = 12
ORIGINS = 44
MISSED = 0.1
PACE = 0.05
"""How fast the level follows what the bounds held."""

FULL_TRIALS = 9
"""So many outcomes can bound 90 %; with fewer, bounds are stretched."""

LEAST_PART = 0.25
"""A trial counts when this share of its hours has come and is known."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


class Trials(NamedTuple):
    """How wrong the mean of the hours ahead was: misses by origin (NaN: not known yet), and what came."""

    misses: Floats
    came: Floats
    origins: NDArray[np.int64]


def make_forecast(forecaster: Forecaster, series: IncomeSeries, now: datetime, hours: int) -> Forecast | None:
    """What a node will earn in the hours after its history ends, and within which bounds.

    None when the history is too short, ends a day or more before now, or the forecaster answers with something
    else than numbers. A short history, gaps, and hours that are missing at its end widen the bounds.

    Args:
        forecaster: Who continues the series.
        series: Income by hour; only the last 31 days count.
        now: The present.
        hours: How far ahead, 1 or more.
    """
    usd = np.array([math.nan if each is None else each for each in series.usd[-HISTORY_H:]], dtype=float)
    known = np.isfinite(usd)
    late_h = max((now - series.end) / HOUR, 0.0)
    if known.sum() < LEAST_KNOWN_H or late_h >= LEAST_KNOWN_H:
        return None
    first = series.end - len(usd) * HOUR
    said, trials, model = _rolled(forecaster, usd, (first - EARLIEST) // HOUR, hours)
    if said is None:
        return None
    points = np.maximum(said, 0.0) if (usd[known] >= 0.0).all() else said
    mean = float(points.mean())
    half, coverage_pct = _half_width(trials, hours, float(np.std(usd[known])))
    missing = 1.0 - float(known[-2 * LEAST_KNOWN_H :].mean())
    half *= (1.0 + missing) * math.sqrt(1.0 + late_h / hours)
    least = min(0.0, float(usd[known].min()))
    ended = np.isfinite(trials.misses)
    income = float(np.abs(trials.came[ended]).mean()) if ended.any() else 0.0
    return Forecast(
        node=series.node,
        first_hour=series.end,
        points=tuple(float(each) for each in points),
        low=min(max(mean - half, least), mean),
        mean=mean,
        high=mean + half,
        model=model,
        error_pct=100.0 * float(np.abs(trials.misses[ended]).mean()) / income if income > 0.0 else None,
        coverage_pct=coverage_pct,
    )


def _rolled(forecaster: Forecaster, usd: Floats, first_hour: int, hours: int) -> tuple[Floats | None, Trials, str]:
    """The points for the hours ahead, and what was said at earlier origins against what came."""
    end = len(usd)
    starts = range(max(LEAST_PAST_H, end - ORIGINS * EVERY_H + (end - LEAST_PAST_H) % EVERY_H), end, EVERY_H)
    origins = np.array([*starts, end])
    if isinstance(forecaster, Rolls):
        said, model = forecaster.rolled(usd, first_hour, origins.tolist(), hours)
    else:
        rows = [np.asarray(forecaster.points(usd[:at].copy(), first_hour, hours), dtype=float) for at in origins]
        if any(row.shape != (hours,) for row in rows):
            return None, Trials(np.empty(0), np.empty(0), origins[:0]), forecaster.name
        said, model = np.stack(rows), forecaster.name
    if not np.isfinite(said).all():
        return None, Trials(np.empty(0), np.empty(0), origins[:0]), model
    leads = origins[:-1, None] + np.arange(hours)[None, :]
    came = np.where(leads < end, usd[np.minimum(leads, end - 1)], np.nan)
    known = np.isfinite(came)
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        truth = np.where(known, came, 0.0).sum(axis=1) / count
        misses = truth - np.where(known, said[:-1], 0.0).sum(axis=1) / count
    misses[count < LEAST_PART * hours] = np.nan
    return said[-1], Trials(misses, truth, origins[:-1]), model


def _half_width(trials: Trials, hours: int, spread: float) -> tuple[float, float | None]:
    """Half the width of the bounds now, and the share (%) of the trials that such bounds would have held."""
    sizes, starts = np.abs(trials.misses).tolist(), trials.origins.tolist()
    level, held, judged, over = MISSED, 0, 0, 0
    ended: list[float] = []  # the sizes of the trials that were over by then, in order
    for start, size in zip(starts, sizes, strict=True):
        while starts[over] + hours <= start:
            if math.isfinite(sizes[over]):
                insort(ended, sizes[over])
            over += 1
        if not ended or not math.isfinite(size):
            continue
        inside = size <= _quantile(ended, level)
        level += PACE * (MISSED - (not inside))
        if len(ended) >= FULL_TRIALS:
            judged, held = judged + 1, held + inside
    ended = sorted(filter(math.isfinite, sizes))
    half = _quantile(ended, level) if ended else 2.0 * spread
    if len(ended) < FULL_TRIALS:
        half = max(half, spread) * (1.0 + (FULL_TRIALS - len(ended)) / FULL_TRIALS)
    return half, 100.0 * held / judged if judged >= FULL_TRIALS else None


def _quantile(sizes: Sequence[float], level: float) -> float:
    """The size that a share `1 - level` of outcomes stays within; beyond the largest seen it goes on growing.

    `sizes` ascend.
    """
    rank = math.ceil((len(sizes) + 1) * (1.0 - level))
    if rank > len(sizes):
        return sizes[-1] * (1.0 + max(1.0 / (len(sizes) + 1) - level, 0.0) * 5.0)
    return sizes[max(rank, 1) - 1]
