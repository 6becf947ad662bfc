"""Time that goes from one event to the next, without waiting.

Kept in whole microseconds since the start, so that the same instant reached on two ways is the same instant.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.messages.base import Message

_MICROSECOND: Final = timedelta(microseconds=1)

_Due: TypeAlias = "tuple[int, int, str, Message] | tuple[int, int, None, Callable[[], object]]"


class VirtualTime:
    """The `Clock` and `Timers` ports over a heap. Whoever extends it moves time and tells (`Stage`).

    Real and clock seconds are one here. Raises ValueError for a naive start.
    """

    speed = 1.0

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("virtual time starts at an aware time")
        self._start = start
        self._now_us = 0
        self._now = start
        self._heap: list[_Due] = []
        self._order = count()

    # -- Clock -----------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The virtual instant."""
        return self._now

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return self._now_us / 1e6

    # -- Timers ----------------------------------------------------------------------------------------------

    def after(self, seconds: float, name: str, message: Message) -> None:
        """Tell after so many virtual seconds."""
        heappush(self._heap, (self._later(seconds), next(self._order), name, message))

    def after_real(self, seconds: float, name: str, message: Message) -> None:
        """Tell after so many virtual seconds: real ones do not pass here."""
        self.after(seconds, name, message)

    def at(self, when: datetime, name: str, message: Message) -> None:
        """Tell at a virtual time, at this instant when past."""
        heappush(self._heap, (self._instant(when), next(self._order), name, message))

    # -- scripts ---------------------------------------------------------------------------------------------

    def script(self, when: datetime, action: Callable[[], object]) -> None:
        """Call something at a virtual time, between messages: how a test changes the world."""
        heappush(self._heap, (self._instant(when), next(self._order), None, action))

    def script_after(self, seconds: float, action: Callable[[], object]) -> None:
        """Call something after so many virtual seconds."""
        heappush(self._heap, (self._later(seconds), next(self._order), None, action))

    # -- for whoever moves time ------------------------------------------------------------------------------

    def _instant(self, when: datetime) -> int:
        return max(self._now_us, (when - self._start) // _MICROSECOND)

    def _later(self, seconds: float) -> int:
        return self._now_us + max(0, round(seconds * 1e6))

    def _set_now(self, now_us: int) -> None:
        self._now_us = now_us
        self._now = self._start + timedelta(microseconds=now_us)

    def _take_due(self) -> list[_Due]:
        """Remove and return what is due by now, in order; what that adds for this same instant comes later."""
        heap, now_us = self._heap, self._now_us
        due = []
        while heap and heap[0][0] <= now_us:
            due.append(heappop(heap))
        return due
