"""What strategies are measured against: doing nothing, the best fixed choice, other programs' rules, foresight.

The rules of the mining switchers are single mechanisms in their published settings, not whole products: each puts
all of a unit to one option by the newest reading of every option. Sources: NiceHash Miner
`doc/Advanced/TweakingSwitchTiming.md` (a rise counts after 2 to 3 readings in a row, a fall at once, 2 %);
RainbowMiner `README.md` (MinerSwitchingHysteresis 3 %); NPlusMiner `Config/config.json` (ActiveMinerGainPct 8 %);
Hash Auger (minimum switch gain 12 %); minerstat profit switch (readings beyond 3 sigma of the last 4 hours are
replaced by their mean; here with 5 %).
"""

from __future__ import annotations

import math
import random
from collections import deque
from statistics import fmean, pstdev
from typing import TYPE_CHECKING, Protocol

import numpy as np

from orch.replay.contenders import moving_cost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from orch.replay.contenders import Terms
    from orch.replay.market import Floats, Market

EMA_S = 3600.0
STABLE_TICKS = (2, 3)
OUTLIER, OUTLIER_H = 3.0, 4


class Rule(Protocol):
    """What another program makes of a reading."""

    def __call__(self, reading: Sequence[float]) -> Sequence[float]:
        """The readings as it believes them."""


class Ema:
    """An exponential moving average over an hour."""

    def __init__(self, step_s: float, _: random.Random) -> None:
        self._new = -math.expm1(-step_s / EMA_S)
        self._mean: list[float] = []

    def __call__(self, reading: Sequence[float]) -> Sequence[float]:
        """The averages."""
        before = self._mean or reading
        self._mean = [old + (new - old) * self._new for old, new in zip(before, reading, strict=True)]
        return self._mean


class Live:
    """Readings as they are."""

    def __init__(self, step_s: float, draws: random.Random) -> None:
        del step_s, draws

    def __call__(self, reading: Sequence[float]) -> Sequence[float]:
        """The same."""
        return reading


class SlowRise:
    """A rise counts after several readings above the last believed one, a fall at once."""

    def __init__(self, _: float, draws: random.Random) -> None:
        self._draws = draws
        self._believed: list[float] = []
        self._above: list[int] = []

    def __call__(self, reading: Sequence[float]) -> Sequence[float]:
        """What is believed by now."""
        if not self._believed:
            self._believed, self._above = list(reading), [0] * len(reading)
        ticks = self._draws.randint(*STABLE_TICKS)
        for place, value in enumerate(reading):
            self._above[place] = self._above[place] + 1 if value > self._believed[place] else 0
            if value <= self._believed[place] or self._above[place] >= ticks:
                self._believed[place], self._above[place] = value, 0
        return self._believed


class NoOutliers:
    """A reading far from those of the last hours is replaced by their mean."""

    def __init__(self, step_s: float, _: random.Random) -> None:
        self._kept = max(OUTLIER_H, int(OUTLIER_H * 3600 / step_s))
        self._past: list[deque[float]] = []

    def __call__(self, reading: Sequence[float]) -> Sequence[float]:
        """Readings without outliers."""
        self._past = self._past or [deque(maxlen=self._kept) for _ in reading]
        believed = []
        for past, value in zip(self._past, reading, strict=True):
            far = len(past) == self._kept and abs(value - fmean(past)) > OUTLIER * pstdev(past)
            believed.append(fmean(past) if far else value)
            past.append(value)
        return believed


RULES: dict[str, tuple[str, Callable[[float, random.Random], Rule], float]] = {
    "ema60_3pct": ("60-minute EMA + 3 %", Ema, 3.0),
    "best_live": ("always the best reading", Live, 0.0),
    "nicehash_2pct": ("NiceHash: slow rise, 2 %", SlowRise, 2.0),
    "rainbow_3pct": ("RainbowMiner: + 3 %", Live, 3.0),
    "nplus_8pct": ("NPlusMiner: + 8 %", Live, 8.0),
    "hashauger_12pct": ("Hash Auger: + 12 %", Live, 12.0),
    "minerstat_3sigma": ("minerstat: 3 sigma, 5 %", NoOutliers, 5.0),
}
"""By name: what it is, how it reads, and by how many per cent another option must be better."""


def play_rule(market: Market, terms: Terms, name: str, seed: int) -> Floats:
    """The shares by step and option of a switcher's rule. A reading that is unknown leaves all as it is."""
    _, make, margin_pct = RULES[name]
    rule, shares = make(float(market.step_s), random.Random(seed)), terms.beginning(len(market.options))
    found = np.empty_like(market.rates)
    rows, known = market.rates.tolist(), market.known.tolist()
    for step in range(len(rows)):
        if step and known[step - 1]:
            believed = rule(rows[step - 1])
            now = math.fsum(share * value for share, value in zip(shares, believed, strict=True))
            best = max(range(len(believed)), key=believed.__getitem__)
            if believed[best] > now + margin_pct / 100.0 * abs(now):
                shares = tuple(1.0 if place == best else 0.0 for place in range(len(believed)))
        found[step] = shares
    return found


def fixed(market: Market, shares: Sequence[float]) -> Floats:
    """The same shares in every step."""
    return np.tile(np.asarray(shares, dtype=float), (len(market.starts), 1))


def best_fixed(market: Market) -> int:
    """The option that earned most over all counted steps, as one knows afterwards."""
    return int(np.argmax(market.rates[market.known].sum(axis=0)))


def last_known(market: Market) -> Floats:
    """Rates with each gap filled by what was known last (0 before anything was): what a pause is taken to cost."""
    rates = market.rates.copy()
    rates[0] = np.where(np.isfinite(rates[0]), rates[0], 0.0)
    for step in range(1, len(rates)):
        gap = ~np.isfinite(rates[step])
        rates[step, gap] = rates[step - 1, gap]
    return rates


def foreseen(market: Market, terms: Terms) -> Floats:
    """The shares of whoever knows all rates beforehand: dynamic programming over where the unit is put.

    Income and costs are linear in the shares that move, so no division of the unit earns more than the best way
    of all of it: the options, and the shares at the beginning, are all the states there are. Holds and the
    budget of moves do not bind it.
    """
    count = len(market.options)
    start = terms.beginning(count)
    states = [start, *(tuple(float(place == each) for place in range(count)) for each in range(count))]
    matrix = np.asarray(states)
    rates = last_known(market)
    hours = market.step_s / 3600.0
    earned = np.where(market.known[:, None], rates @ matrix.T, 0.0) * hours
    moved = np.array(
        [[sum(max(b - a, 0.0) for a, b in zip(one, two, strict=True)) for two in states] for one in states]
    )
    best = np.full(len(states), -math.inf)
    best[0] = earned[0, 0]
    came: list[NDArray[np.int64]] = []
    paused = np.array(
        [[[b if a != b else 0.0 for a, b in zip(one, two, strict=True)] for two in states] for one in states]
    )
    for step in range(len(rates)):
        pause = np.maximum(rates[step], 0.0) * terms.downtime_s / 3600.0
        cost = paused @ pause + moved * terms.move_usd
        # Nobody returns to the beginning's shares: a division is never better than its best part.
        cost[1:, 0] = math.inf
        whole = (best if step else np.where(np.arange(len(states)) == 0, 0.0, -math.inf))[:, None] - cost
        came.append(np.argmax(whole, axis=0))
        best = whole[came[-1], np.arange(len(states))] + earned[step]
    path = [int(np.argmax(best))]
    for before in reversed(came[1:]):
        path.append(int(before[path[-1]]))
    return matrix[path[::-1]]


def costs(market: Market, shares: Floats, terms: Terms) -> tuple[Floats, int]:
    """What the moves cost in USD by step, and how many there are."""
    rates, found, moves = last_known(market), np.zeros(len(shares)), 0
    before: Sequence[float] = terms.beginning(shares.shape[1])
    changed = np.any(np.diff(shares, axis=0, prepend=np.asarray([before])) != 0.0, axis=1)
    for step in np.flatnonzero(changed).tolist():
        found[step] = moving_cost(
            before if step == 0 else shares[step - 1].tolist(), shares[step].tolist(), rates[step].tolist(), terms
        )
        moves += 1
    return found, moves
