"""Simple models of income by hour, each for many origins at once.

Every model gets a series without gaps and answers, for each origin `o` (ascending), what it expects in the hours
`o .. o + hours - 1` from `series[:o]` alone: shape (origins, hours), NaN where its history is too short.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Places: TypeAlias = NDArray[np.int64]
    Model: TypeAlias = Callable[[Floats, int, Places, int], Floats]

DAY_H, WEEK_H = 24, 168
PROFILE_DAYS = 14
PROFILE_WEEKS = 4
DAILY_WAVES, WEEKLY_WAVES = 3, 2
RIDGE = 1e-3
LEVEL_FADES_H = 24.0


def mean_of_last(length: int) -> Model:
    """A flat line at the mean of the last hours."""

    def model(series: Floats, first_hour: int, origins: Places, hours: int) -> Floats:  # noqa: ARG001 - a model's signature
        sums = np.concatenate(([0.0], np.cumsum(series)))
        start = np.maximum(origins - length, 0)
        level = (sums[origins] - sums[start]) / np.maximum(origins - start, 1)
        return np.repeat(level[:, None], hours, axis=1)

    return model


def same_hour(period: int, cycles: int) -> Model:
    """The mean of the same hours in the last cycles: of one, the seasonal naive forecast."""

    def model(series: Floats, first_hour: int, origins: Places, hours: int) -> Floats:  # noqa: ARG001 - a model's signature
        return _seasonal(series, origins, hours, period, cycles)

    return model


def profile_at_level(series: Floats, first_hour: int, origins: Places, hours: int) -> Floats:
    """The mean day of the last fortnight, raised or lowered to the last day's mean."""
    day = _seasonal(series, origins, hours, DAY_H, PROFILE_DAYS)
    last = mean_of_last(DAY_H)(series, first_hour, origins, 1)
    long = mean_of_last(DAY_H * PROFILE_DAYS)(series, first_hour, origins, 1)
    return day + (last - long)


def _seasonal(series: Floats, origins: Places, hours: int, period: int, cycles: int) -> Floats:
    leads = np.arange(hours) % period
    back = period * np.arange(1, cycles + 1)
    places = origins[:, None, None] - back[None, :, None] + leads[None, None, :]
    known = places >= 0
    values = np.where(known, series[np.maximum(places, 0)], 0.0)
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(count > 0, values.sum(axis=1) / count, np.nan)
    return found


def holt_winters(
    level_weight: float, season_weight: float, trend_weight: float = 0.01, damping: float = 0.9
) -> Model:
    """Additive Holt-Winters with a day's season and a damped trend (Hyndman & Athanasopoulos, 8.3)."""

    def model(series: Floats, first_hour: int, origins: Places, hours: int) -> Floats:  # noqa: ARG001 - a model's signature
        found = np.full((len(origins), hours), np.nan)
        wanted = {int(origin): row for row, origin in enumerate(origins)}
        fades = np.cumsum(damping ** np.arange(1, hours + 1))
        values = series.tolist()
        start = values[:DAY_H]
        level = sum(start) / max(len(start), 1)
        season = [value - level for value in start] + [0.0] * (DAY_H - len(start))
        trend = 0.0
        for time in range(DAY_H, len(values) + 1):
            row = wanted.get(time)
            if row is not None:
                leads = (time + np.arange(hours)) % DAY_H
                found[row] = level + trend * fades + np.array(season)[leads]
            if time == len(values):
                break
            slot, value, before = time % DAY_H, values[time], level
            expected = before + damping * trend
            level = expected + level_weight * (value - season[slot] - expected)
            trend = damping * trend + trend_weight * (level - before - damping * trend)
            season[slot] += season_weight * (value - level - season[slot])
        return found

    return model


def harmonic(series: Floats, first_hour: int, origins: Places, hours: int) -> Floats:
    """Waves of the day and the week by ridge regression, and the last day's distance from them, which fades."""
    waves, products = _waves_and_products(first_hour, len(series), hours)
    past = waves[: len(series)]
    towards = np.concatenate((np.zeros((1, waves.shape[1])), np.cumsum(past * series[:, None], axis=0)))
    size = np.maximum(origins, 1)[:, None, None]
    penalty = RIDGE * np.eye(waves.shape[1])
    penalty[0, 0] = 0.0  # the level is not drawn to zero
    weights = np.linalg.solve(
        products[origins] / size + penalty + 1e-12 * np.eye(waves.shape[1]), towards[origins][:, :, None] / size
    )[:, :, 0]
    leads = origins[:, None] + np.arange(hours)[None, :]
    curve = np.einsum("olf,of->ol", waves[leads], weights)
    back = np.maximum(origins[:, None] - 1 - np.arange(DAY_H)[None, :], 0)
    misses = series[back] - np.einsum("obf,of->ob", waves[back], weights)
    fading = np.exp(-np.arange(1, hours + 1) / LEVEL_FADES_H)
    found: Floats = curve + misses.mean(axis=1)[:, None] * fading[None, :]
    found[origins < 2 * DAY_H] = np.nan
    return found


@lru_cache(maxsize=4)
def _waves_and_products(first_hour: int, length: int, hours: int) -> tuple[Floats, Floats]:
    """The waves of the hours, and the sums of their products before each hour: the same for all nodes' series."""
    waves = _waves(first_hour + np.arange(length + hours))
    past = waves[:length]
    sums = np.cumsum(past[:, :, None] * past[:, None, :], axis=0)
    products = np.concatenate((np.zeros((1, *sums.shape[1:])), sums))
    waves.flags.writeable = products.flags.writeable = False
    return waves, products


def _waves(times: Places) -> Floats:
    columns = [np.ones(len(times))]
    for period, count in ((DAY_H, DAILY_WAVES), (WEEK_H, WEEKLY_WAVES)):
        for wave in range(1, count + 1):
            angle = 2.0 * np.pi * wave * (times % period) / period
            columns += [np.cos(angle), np.sin(angle)]
    return np.stack(columns, axis=1)


MODELS: Mapping[str, Model] = {
    "week's mean": mean_of_last(WEEK_H),
    "day's mean": mean_of_last(DAY_H),
    "yesterday": same_hour(DAY_H, 1),
    "last week": same_hour(WEEK_H, 1),
    "mean week": same_hour(WEEK_H, PROFILE_WEEKS),
    "mean day": profile_at_level,
    "Holt-Winters, calm": holt_winters(0.05, 0.1),
    "Holt-Winters, quick": holt_winters(0.3, 0.2),
    "waves": harmonic,
}
"""The first is the one to take before anything is known of the others."""
