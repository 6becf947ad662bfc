"""Simple models of income by hour, each for many origins at once.

Every model gets a series without gaps and answers, for each origin `o` (ascending), what it expects in the hours
`o .. o + hours - 1` from `series[:o]` alone: shape (origins, hours), NaN where its history is too short.
"""

from __future__ import annotations

import itertools
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
        values = series.tolist()
        start = values[:DAY_H]
        level, trend, time = sum(start) / max(len(start), 1), 0.0, DAY_H
        season = [value - level for value in start] + [0.0] * (DAY_H - len(start))
        levels, trends, seasons = [], [], []
        late = origins >= DAY_H
        # Hour by hour on plain numbers: for so few at a time arrays cost more than they save.
        steps = zip(itertools.cycle(range(DAY_H)), values[DAY_H:], strict=False)
        for origin in origins[late].tolist():
            for slot, value in itertools.islice(steps, origin - time):
                usual, fading = season[slot], damping * trend
                expected = level + fading
                after = expected + level_weight * (value - usual - expected)
                trend = fading + trend_weight * (after - level - fading)
                season[slot] = usual + season_weight * (value - after - usual)
                level = after
            time = origin
            levels.append(level)
            trends.append(trend)
            seasons.append(season.copy())
        fades = np.cumsum(damping ** np.arange(1, hours + 1))
        slots = (origins[late][:, None] + np.arange(hours)) % DAY_H
        found = np.full((len(origins), hours), np.nan)
        if levels:
            lines = np.array(levels)[:, None] + np.array(trends)[:, None] * fades
            found[late] = lines + np.take_along_axis(np.array(seasons), slots, axis=1)
        return found

    return model


def harmonic(series: Floats, first_hour: int, origins: Places, hours: int) -> Floats:
    """Waves of the day and the week by ridge regression, and the last day's distance from them, which fades."""
    week, _ = _week()
    waves = week[(first_hour + np.arange(len(series) + hours)) % WEEK_H]
    towards = _sums_before(waves[: len(series)] * series[:, None], origins)
    size = np.maximum(origins, 1)[:, None, None]
    penalty = RIDGE * np.eye(waves.shape[1])
    penalty[0, 0] = 0.0  # the level is not drawn to zero
    weights = np.linalg.solve(
        _products(first_hour % WEEK_H, tuple(origins.tolist())) / size + penalty + 1e-12 * np.eye(waves.shape[1]),
        towards[:, :, None] / size,
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
def _products(first_hour: int, origins: tuple[int, ...]) -> Floats:
    """The sums of the waves' products before each origin, (origins, waves, waves): the same for all nodes' series.

    `first_hour` is that of the series within a week.
    """
    _, pairs = _week()
    sums = _sums_before(pairs[(first_hour + np.arange(origins[-1])) % WEEK_H], np.array(origins))
    waves = 1 + 2 * (DAILY_WAVES + WEEKLY_WAVES)
    found = np.empty((len(origins), waves, waves))
    rows, columns = np.triu_indices(waves)
    found[:, rows, columns] = found[:, columns, rows] = sums
    found.flags.writeable = False
    return found


def _sums_before(rows: Floats, origins: Places) -> Floats:
    """The sums of the rows before each origin, (origins, columns)."""
    sums = np.cumsum(rows, axis=0)
    return np.where(origins[:, None] > 0, sums[np.maximum(origins, 1) - 1], 0.0)


@lru_cache(maxsize=1)
def _week() -> tuple[Floats, Floats]:
    """The waves of each hour of the week, after which all repeat, (168, waves), and the products of each two."""
    waves = _waves(np.arange(WEEK_H))
    rows, columns = np.triu_indices(waves.shape[1])
    return waves, waves[:, rows] * waves[:, columns]


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
