"""Token prices that wander: geometric random walks drawn back gently to where they began.

Prices change once a minute at most and do not depend on anything but the seed and the time.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from orch.emulator.facts import DAY_MINUTES

if TYPE_CHECKING:
    from orch.emulator.draws import Draws

COINS: dict[str, tuple[str, float, float]] = {
    "STORJ": ("storj", 0.17, 0.04),
    "GLM": ("golem", 0.23, 0.035),
    "DATA": ("streamr", 0.03, 0.05),
    "GRASS": ("grass", 0.31, 0.05),
    "POL": ("polygon-ecosystem-token", 0.40, 0.03),
}
"""Token: CoinGecko id, USD around which it wanders, standard deviation of a day's log move."""

STABLE = {"USDT": "tether", "USDC": "usd-coin"}
"""Tokens that keep to one dollar, by CoinGecko id."""

FIAT = {"eur": 1.08, "gbp": 1.27, "czk": 0.043}
"""USD per one unit of a currency: these do not wander."""

PAIRS: dict[tuple[str, str], str] = {
    **{("binance", f"{token}USDT"): token for token in ("STORJ", "GLM", "DATA", "POL")},
    **{("coinbase", f"{token}-USD"): token for token in ("STORJ", "GLM", "USDT")},
    **{("bybit", f"{token}USDT"): token for token in ("STORJ", "GLM", "GRASS")},
}
"""What is traded where: not every exchange lists every token."""

PULL = 0.04
"""Share of the distance from home that is given back per day."""


class Market:
    """USD prices by minute.

    Days are walked one after the other from `first_minute` and kept: about 40 microseconds a day and coin.
    """

    def __init__(self, draws: Draws, first_minute: int) -> None:
        self._draws = draws
        self._first_day = first_minute // DAY_MINUTES
        self._paths: dict[str, list[np.ndarray]] = {token: [] for token in COINS}
        self._sums: dict[str, list[np.ndarray]] = {token: [] for token in COINS}
        self._logs: dict[str, float] = {
            token: math.log(home) + draws.between(-0.1, 0.1, "price", token)
            for token, (_, home, _) in COINS.items()
        }

    def _reach(self, token: str, day: int) -> int:
        index = max(0, day - self._first_day)
        paths, sums = self._paths[token], self._sums[token]
        coin, home, sigma = COINS[token]
        while len(paths) <= index:
            noise = self._draws.stream(f"price/{coin}", self._first_day + len(paths))
            opening = self._logs[token]
            step = noise.normal(
                PULL * (math.log(home) - opening) / DAY_MINUTES, sigma / DAY_MINUTES**0.5, DAY_MINUTES
            )
            logs = opening + np.cumsum(step)
            path = np.round(np.exp(logs), 7)
            before = sums[-1][-1] if sums else 0.0
            paths.append(path)
            sums.append(before + np.cumsum(path))
            self._logs[token] = float(logs[-1])
        return index

    def usd(self, token: str, minute: int) -> float:
        """USD of one token in the minute with this Unix number (seven decimals)."""
        if token in STABLE:
            return 1.0
        index = self._reach(token, minute // DAY_MINUTES)
        return float(self._paths[token][index][minute % DAY_MINUTES])

    def exact(self, token: str, minute: int) -> Decimal:
        """The same price as its shortest decimal."""
        return Decimal(repr(self.usd(token, minute)))

    def _sum_before(self, token: str, minute: int) -> float:
        index = self._reach(token, (minute - 1) // DAY_MINUTES)
        return float(self._sums[token][index][(minute - 1) % DAY_MINUTES])

    def usd_minutes(self, token: str, begin: int, end: int) -> float:
        """The sum of the price over the minutes `[begin, end)`: what one unit per minute was worth."""
        if end <= begin:
            return 0.0
        return self._sum_before(token, end) - self._sum_before(token, begin)
