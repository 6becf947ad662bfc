"""The forecaster of the house: of several simple models, the one that was least wrong on this very series."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from orch.forecast.models import DAY_H, MODELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from orch.forecast.base import Forecaster
    from orch.forecast.models import Floats

FADES = math.exp(-1.0 / 20.0)
"""A trial counts so much of the one after it: 1/e of one 20 trials later."""

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
        chosen = _chosen(errors, places, hours)
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
    known = np.isfinite(came)
    count = known.sum(axis=1)
    sums = np.where(known, misses, 0.0).sum(axis=2)  # a model without an answer stays NaN
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, sums / count, np.nan)


def _chosen(errors: Floats, origins: NDArray[np.int64], hours: int) -> list[int]:
    """By origin the model with the least error in the trials that were over by then; the first one before any."""
    # On plain numbers: there are nine models, and so few at a time are slow in arrays.
    trials, ends = errors.T.tolist(), (origins + hours).tolist()
    sums, best, over = [0.0] * len(errors), 0, 0
    chosen = []
    for row, origin in enumerate(origins.tolist()):
        while over < row and ends[over] <= origin:
            if math.isfinite(trials[over][0]):
                sums = [total * FADES + error for total, error in zip(sums, trials[over], strict=True)]
                comparable = [total if math.isfinite(total) else math.inf for total in sums]
                best = comparable.index(min(comparable))
            over += 1
        chosen.append(best)
    return chosen


FORECASTER: Forecaster = Ensemble()
