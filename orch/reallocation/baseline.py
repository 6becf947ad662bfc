"""What the old split would have earned: a level, a daily season and an honest variance, from the hours before.

The variance of a mean over many hours is taken from means of blocks as long as a day (batch means: Alexopoulos &
Seila, *Output Data Analysis*, in Handbook of Simulation, 1998), for incomes hang together over hours. Then the
same forecast is tried at earlier times of the same history, where nothing was moved: if it missed by more than it
claimed to, it claims that much less.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from msgspec.structs import replace

from orch.model.forecasts import HOUR
from orch.model.proofs import Baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DAY_H = 24
BLOCKS_H = (1, 3, 6, 12, DAY_H)
LEAST_BLOCKS = 7
SEASON_DAYS = 7
TREND_DAYS = 7
CLEAR_TREND = 4.0
"""A slope so many standard errors from zero is taken for one."""
MOST_FREEDOM = 60
LEADS_H = (3, 6, 12, DAY_H, 3 * DAY_H, 7 * DAY_H)
LEAST_TRIALS = 5
BELIEVED = 5.0
"""The stated variance counts as so many trials that bore it out: trials a day apart share most of their hours."""


class Expected(NamedTuple):
    """A mean rate and its variance (USD/h, squared for the variance), with its degrees of freedom."""

    mean: float
    variance: float
    freedom: int


def hour_of(when: datetime) -> int:
    """Whole hours since the epoch (UTC)."""
    return int(when.timestamp()) // 3600


def without_control(usd: Floats, control: Floats, before: int) -> Floats:
    """A series less what it shares with an untouched one, by the covariance of their days before a move.

    The control variate of Deng, Xu, Kohavi & Walker, *Improving the Sensitivity of Online Controlled Experiments*
    (2013). Both series have shape (hours,), the first `before` of them from before the move. A control that is
    unknown in an hour leaves that hour as it is.
    """
    days = before // DAY_H
    if days < LEAST_BLOCKS:
        return usd
    own, other = (
        series[before - days * DAY_H : before].reshape(days, DAY_H).mean(axis=1) for series in (usd, control)
    )
    known = np.isfinite(own) & np.isfinite(other)
    if known.sum() < LEAST_BLOCKS:
        return usd
    usual = float(other[known].mean())
    spread = float(((other[known] - usual) ** 2).sum())
    if spread <= 0.0:
        return usd
    slope = float(((own[known] - own[known].mean()) * (other[known] - usual)).sum()) / spread
    return usd - np.where(np.isfinite(control), slope * (control - usual), 0.0)


def baseline_of(node: str, usd: Sequence[float | None] | Floats, ends_at: datetime) -> Baseline | None:
    """What a node earned with the old split; None with less than a week of whole days known.

    Args:
        node: Whose it is.
        usd: Income by hour up to the move, USD; None or NaN where it is not known.
        ends_at: The end of the last of these hours.
    """
    series = np.array([math.nan if each is None else each for each in usd], dtype=float)
    first = hour_of(ends_at) - len(series)
    found = _fitted(node, series, first)
    if found is None:
        return None
    return replace(found, widened=_widened(series, first))


def _fitted(node: str, series: Floats, first: int) -> Baseline | None:
    days = len(series) // DAY_H
    if days < LEAST_BLOCKS:
        return None
    end = first + len(series)
    series = series[len(series) - days * DAY_H :]
    first = end - len(series)
    season = _season(series, first)
    flat = series - season[(first + np.arange(len(series))) % DAY_H]
    daily = _means(flat, DAY_H)
    if len(daily) < LEAST_BLOCKS:
        return None
    slope, clear = _slope(daily)
    if clear:
        # How far back a trend was straight is not known: only its last week says where it stands.
        flat = flat[-TREND_DAYS * DAY_H :]
        daily = _means(flat, DAY_H)
        if len(daily) < TREND_DAYS:
            return None
        slope, _ = _slope(daily)
        flat = flat - slope / DAY_H * (np.arange(len(flat)) - len(flat) + 0.5)
    level = float(np.nanmean(flat))
    residuals = flat - level
    return Baseline(
        node=node,
        ends_at=datetime.fromtimestamp(end * 3600, UTC),
        hours=int(np.isfinite(flat).sum()),
        usd_per_hour=level,
        slope=slope / DAY_H if clear else 0.0,
        season=tuple(season.tolist()),
        spread=tuple((block, _spread(residuals, block)) for block in BLOCKS_H),
        freedom=min(MOST_FREEDOM, len(daily) - (2 if clear else 1)),
    )


def _widened(series: Floats, first: int) -> tuple[tuple[int, float], ...]:
    """By lead, the mean squared miss of forecasts made a day apart over the variance they stated, at least 1."""
    ratios: dict[int, list[float]] = {lead: [] for lead in LEADS_H}
    for end in range(len(series) - DAY_H // 2, LEAST_BLOCKS * DAY_H - 1, -DAY_H):
        said = _fitted("", series[:end], first)
        if said is None:
            continue
        for lead in LEADS_H:
            came = series[end : end + lead]
            if len(came) == lead and np.isfinite(came).sum() * 2 >= lead:
                usual = expected(said, said.ends_at, lead)
                if usual.variance > 0.0:
                    ratios[lead].append((float(np.nanmean(came)) - usual.mean) ** 2 / usual.variance)
    return tuple(
        (lead, max(1.0, (math.fsum(found) + BELIEVED) / (len(found) + BELIEVED)))
        for lead, found in ratios.items()
        if len(found) >= LEAST_TRIALS
    )


def expected(baseline: Baseline, since: datetime, hours: int) -> Expected:
    """What the old split would have earned per hour in so many hours from `since` on.

    A trend may go on as it was, stop at once, or anything between: half of it is expected, the rest is doubt.
    """
    first = hour_of(since)
    mean = baseline.usd_per_hour
    if baseline.season:
        mean += float(np.mean(np.asarray(baseline.season)[(first + np.arange(hours)) % DAY_H]))
    spread = next((each for block, each in reversed(baseline.spread) if block <= hours), baseline.spread[0][1])
    # The mean itself is only as well known as the hours behind it; the end of a slope is known half as well.
    doubt = 4.0 if baseline.slope else 1.0
    variance = spread * (1.0 / hours + doubt / baseline.hours)
    grown = baseline.slope * ((since - baseline.ends_at) / HOUR + hours / 2.0)
    tried = [factor for lead, factor in baseline.widened if lead <= hours] or [
        factor for _, factor in baseline.widened[:1]
    ]
    wider = tried[-1] if tried else 1.0
    return Expected(mean + grown / 2.0, wider * (variance + grown**2 / 12.0), baseline.freedom)


def _season(series: Floats, first: int) -> Floats:
    """What each hour of the day lies above the mean, drawn to nothing where it is mere noise."""
    known = np.isfinite(series)
    if known.sum() < SEASON_DAYS * DAY_H:
        return np.zeros(DAY_H)
    places = (first + np.arange(len(series))) % DAY_H
    mean = float(series[known].mean())
    count = np.bincount(places[known], minlength=DAY_H)
    sums = np.bincount(places[known], weights=series[known] - mean, minlength=DAY_H)
    raw = np.where(count > 0, sums / np.maximum(count, 1), 0.0)
    # Neighbouring hours hang together, so that a mean over five of them loses little and halves the noise.
    smooth = np.mean([np.roll(raw, shift) for shift in range(-2, 3)], axis=0)
    found: Floats = smooth - smooth.mean()
    return found


def _means(series: Floats, block: int) -> Floats:
    """Means of whole blocks, those counted back from the end of which at least half is known."""
    count = len(series) // block
    rows = series[len(series) - count * block :].reshape(count, block)
    known = np.isfinite(rows).sum(axis=1)
    sums = np.where(np.isfinite(rows), rows, 0.0).sum(axis=1)
    enough = known * 2 >= block
    means: Floats = sums[enough] / known[enough]
    return means


def _spread(residuals: Floats, block: int) -> float:
    return block * float(np.var(_means(residuals, block), ddof=1))


def _slope(daily: Floats) -> tuple[float, bool]:
    """The slope of daily means, per day, and whether it is clearly not zero."""
    count = len(daily)
    places = np.arange(count) - (count - 1) / 2.0
    square = float((places**2).sum())
    slope = float((places * daily).sum()) / square
    left = daily - daily.mean() - slope * places
    error = math.sqrt(max(float((left**2).sum()), 0.0) / max(count - 2, 1) / square)
    return slope, abs(slope) > CLEAR_TREND * error
