"""The forecaster of the house: of several simple models, the one that was least wrong on this very series."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from orch.forecast.models import DAY_H, MODELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orch.forecast.base import Forecaster
    from orch.forecast.models import Floats

RECENT_TRIALS = 20.0
"""A trial this many trials ago counts 1/e of the newest."""

TRIALS = 12
TRIAL_EVERY_H = 12


class Ensemble:
    """Chosen per series and per origin by rolling backtest: only trials that were over by then have a say."""

    name = "ensemble"

    def points(self, usd: NDArray[np.float64], first_hour: int, hours: int) -> Sequence[float]:
        """What the best model by its last trials expects."""
        end = len(usd)
        trials = range(max(2 * DAY_H, end - TRIALS * TRIAL_EVERY_H), end, TRIAL_EVERY_H)
        found, _ = self.rolled(usd, first_hour, (*trials, end), hours)
        return [float(value) for value in found[-1]]

    def rolled(
        self, usd: NDArray[np.float64], first_hour: int, origins: Sequence[int], hours: int
    ) -> tuple[NDArray[np.float64], str]:
        """The points for each origin, and the model of the last one."""
        series, places = filled(usd), np.asarray(origins)
        said = np.stack([model(series, first_hour, places, hours) for model in MODELS.values()])
        errors = _errors(said, usd, places, hours)
        chosen = [_best(errors, places, row, hours) for row in range(len(places))]
        rows = np.arange(len(places))
        points = said[chosen, rows]
        fallback = said[0, rows]
        return np.where(np.isfinite(points), points, fallback), list(MODELS)[chosen[-1]]


def filled(usd: Floats) -> Floats:
    """The series with each gap filled by the same hour of the day before; by the mean where that is unknown."""
    series = usd.copy()
    known = np.isfinite(series)
    if known.all():
        return series
    usual = float(series[known].mean()) if known.any() else 0.0
    for place in np.flatnonzero(~known).tolist():
        series[place] = series[place - DAY_H] if place >= DAY_H else usual
    return series


def _errors(said: Floats, usd: Floats, origins: NDArray[np.int64], hours: int) -> Floats:
    """Mean absolute errors by model and origin over the hours that came; NaN where none did."""
    leads = origins[:, None] + np.arange(hours)[None, :]
    came = np.where(leads < len(usd), usd[np.minimum(leads, len(usd) - 1)], np.nan)
    misses = np.abs(said - came[None])
    known = np.isfinite(came)[None] & np.ones_like(misses, dtype=bool)
    count = known.sum(axis=2)
    sums = np.where(known, misses, 0.0).sum(axis=2)  # a model without an answer stays NaN
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, sums / count, np.nan)


def _best(errors: Floats, origins: NDArray[np.int64], row: int, hours: int) -> int:
    """The model with the least error in the trials that were over at an origin; the first one without any."""
    over = np.flatnonzero(origins[:row] + hours <= origins[row])
    if over.size == 0:
        return 0
    trials = errors[:, over]
    trials = trials[:, np.isfinite(trials[0])]
    if trials.shape[1] == 0:
        return 0
    weights = np.exp(-np.arange(trials.shape[1])[::-1] / RECENT_TRIALS)
    mean = (trials * weights).sum(axis=1)
    mean[~np.isfinite(mean)] = np.inf
    return int(np.argmin(mean))


FORECASTER: Forecaster = Ensemble()
