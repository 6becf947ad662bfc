"""Clocks that only go forward."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

JUMP = timedelta(seconds=1)


def _wall() -> datetime:
    return datetime.now(UTC)


class RealClock:
    """The time of this machine, as a `Clock`, without its steps back.

    It advances with the monotonic clock. When the system clock is more than a second ahead (a correction
    forward, a suspend) it follows; when the system clock steps back it does not.

    Args:
        monotonic: Seconds that never step back; replaced in tests.
        wall: The system clock, aware UTC; replaced in tests.
    """

    def __init__(
        self, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], datetime] = _wall
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._base = wall()
        self._mark = monotonic()

    @property
    def speed(self) -> float:
        """Always 1."""
        return 1.0

    def now(self) -> datetime:
        """Aware UTC; never steps back."""
        with self._lock:
            steady = self._base + timedelta(seconds=self._monotonic() - self._mark)
            wall = self._wall()
            if wall - steady > JUMP:
                self._base, self._mark = wall, self._monotonic()
                return wall
            return steady

    def monotonic(self) -> float:
        """Seconds for measuring and for deadlines."""
        return self._monotonic()


class ScaledClock:
    """A `Clock` that runs `speed` times as fast as the real one.

    Args:
        speed: Seconds of `now` per real second, above 0.
        start: What `now` says at construction: the later of real time and the last virtual time.
        monotonic: Real seconds that never step back; replaced in tests.

    Raises:
        ValueError: The speed is not above 0, or the start is without a time zone.
    """

    def __init__(self, speed: float, start: datetime, monotonic: Callable[[], float] = time.monotonic) -> None:
        if not speed > 0:
            raise ValueError(f"a clock's speed must be above 0, not {speed}")
        if start.tzinfo is None:
            raise ValueError("a clock must start at a time with a time zone")
        self._speed = speed
        self._start = start.astimezone(UTC)
        self._monotonic = monotonic
        self._mark = monotonic()

    @property
    def speed(self) -> float:
        """Seconds of `now` per real second."""
        return self._speed

    def now(self) -> datetime:
        """Aware UTC; never steps back."""
        return self._start + timedelta(seconds=(self._monotonic() - self._mark) * self._speed)

    def monotonic(self) -> float:
        """Real seconds for measuring and for deadlines."""
        return self._monotonic()
