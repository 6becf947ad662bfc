"""Seeded randomness that does not depend on what anybody does.

Every figure is a function of seed, stream name and day, so that two worlds with one seed face the same
demand, prices and failures whatever their splits (common random numbers), however often they are asked.
"""

from __future__ import annotations

import math
import zlib
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from orch.emulator.facts import DAY

if TYPE_CHECKING:
    from numpy.random import Generator


class Draws:
    """Independent random streams of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str, number: int = 0) -> Generator:
        """A fresh generator for a named stream and a number (usually a day)."""
        return np.random.Generator(np.random.PCG64([self.seed & 0xFFFF_FFFF, zlib.crc32(name.encode()), number]))

    def between(self, low: float, high: float, *name: object) -> float:
        """A hidden parameter: uniform in `[low, high)`, always the same for the same name."""
        return low + (high - low) * self.fraction(*name)

    def fraction(self, *name: object) -> float:
        """A number in `[0, 1)`, always the same for the same name."""
        return int.from_bytes(bytes.fromhex(self.identity(*name))[:7], "big") / 2**56

    def identity(self, *name: object) -> str:
        """64 hex digits that stand for a name."""
        return _identity("/".join(map(str, (self.seed, *name))))

    def uuid(self, *name: object) -> str:
        """A version 4 UUID that stands for a name."""
        raw = self.identity(*name)
        return f"{raw[:8]}-{raw[8:12]}-4{raw[13:16]}-a{raw[17:20]}-{raw[20:32]}"

    def address(self, *name: object) -> str:
        """An address: 0x and 40 lower-case hex digits."""
        return "0x" + self.identity("address", *name)[:40]


@lru_cache(maxsize=4096)
def _identity(name: str) -> str:
    """The few dozen names of things are asked for at every answer."""
    return sha256(name.encode()).hexdigest()


class Tide:
    """Demand that ebbs and flows: a daily cycle times a slow drift over days, around 1."""

    def __init__(self, draws: Draws, name: str, *, daily: float, drift: float) -> None:
        self.daily = daily
        self.peak_s = draws.between(12, 22, name, "peak") * 3600
        self.waves = [
            (
                drift * draws.between(0.5, 1.0, name, "size", k),
                2 * math.pi / (DAY * draws.between(low, high, name, "period", k)),
                draws.between(0, 2 * math.pi, name, "phase", k),
            )
            for k, (low, high) in enumerate(((2.5, 5.0), (6.0, 11.0), (13.0, 25.0)))
        ]

    def drift(self, second: float) -> float:
        """The slow factor at a Unix second."""
        return math.exp(sum(size * math.sin(speed * second + phase) for size, speed, phase in self.waves))

    def at(self, second: float) -> float:
        """The whole factor at a Unix second."""
        return self.drift(second) * (1 + self.daily * math.cos(2 * math.pi * (second - self.peak_s) / DAY))

    def day(self, day: int) -> np.ndarray:
        """The whole factor at the 1440 minutes of a Unix day."""
        seconds = day * DAY + 60.0 * np.arange(1440)
        slow = sum(size * np.sin(speed * seconds + phase) for size, speed, phase in self.waves)
        result: np.ndarray = np.exp(slow) * (1 + self.daily * np.cos(2 * math.pi * (seconds - self.peak_s) / DAY))
        return result
