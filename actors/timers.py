"""One thread for all timers.

A `threading.Timer` is a thread of its own: a thousand of them cost half a second and 17 MB. A heap does not care.
"""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orch.messages.base import Message
    from orch.ports import Clock, Directory

RECHECK_S: Final = 1.0
"""Longest real wait in one go: the system clock may be set, or the machine may have slept, meanwhile."""

log = logging.getLogger(__name__)


class Agenda:
    """What to tell whom and when: a plain structure, in order of due time, first come first served in a tie.

    Times of the clock and real times are kept apart, for their relation may change while they wait.
    """

    def __init__(self) -> None:
        self._by_clock: list[tuple[datetime, int, str, Message]] = []
        self._by_real: list[tuple[float, int, str, Message]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._by_clock) + len(self._by_real)

    def add(self, when: datetime, name: str, message: Message) -> bool:
        """Note a time of the clock; True when it has become the next of its kind."""
        entry = (when, next(self._order), name, message)
        heappush(self._by_clock, entry)
        return self._by_clock[0] is entry

    def add_real(self, due: float, name: str, message: Message) -> bool:
        """Note a reading of the real, monotonic clock; True when it has become the next of its kind."""
        entry = (due, next(self._order), name, message)
        heappush(self._by_real, entry)
        return self._by_real[0] is entry

    def take(self, now: datetime, monotonic: float) -> list[tuple[str, Message]]:
        """Remove and return what is due."""
        due: list[tuple[str, Message]] = []
        while self._by_real and self._by_real[0][0] <= monotonic:
            due.append(heappop(self._by_real)[2:])
        while self._by_clock and self._by_clock[0][0] <= now:
            due.append(heappop(self._by_clock)[2:])
        return due

    def wait_s(self, now: datetime, monotonic: float, speed: float) -> float | None:
        """Real seconds until the next is due, at most `RECHECK_S`; None when nothing is noted."""
        waits: list[float] = []
        if self._by_clock:
            waits.append((self._by_clock[0][0] - now).total_seconds() / speed)
        if self._by_real:
            waits.append(self._by_real[0][0] - monotonic)
        return max(0.0, min(*waits, RECHECK_S)) if waits else None


class LiveTimers:
    """The `Timers` port over a clock that may run faster than real time.

    Nothing is told early, and a later timer never waits for an earlier one's handler: telling does not block.
    Whoever wants a period re-arms at `due + period`, so that lateness does not add up.
    """

    def __init__(self, clock: Clock, directory: Directory) -> None:
        self._clock = clock
        self._directory = directory
        self._agenda = Agenda()
        self._changed = threading.Condition(threading.Lock())
        self._stopping = False
        # A daemon: it holds nothing that would need an orderly end.
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)

    def start(self) -> None:
        """Begin to tell; timers may be set before."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; nothing is told any more. May be called twice, and without a start."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def waiting(self) -> int:
        """How many timers are set."""
        with self._changed:
            return len(self._agenda)

    def after(self, seconds: float, name: str, message: Message) -> None:
        """Tell after so many seconds of the clock."""
        self.at(self._clock.now() + timedelta(seconds=seconds), name, message)

    def at(self, when: datetime, name: str, message: Message) -> None:
        """Tell at a time of the clock, at once when past."""
        with self._changed:
            if self._agenda.add(when, name, message):
                self._changed.notify()

    def after_real(self, seconds: float, name: str, message: Message) -> None:
        """Tell after so many real seconds."""
        with self._changed:
            if self._agenda.add_real(self._clock.monotonic() + seconds, name, message):
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                now, monotonic = self._clock.now(), self._clock.monotonic()
                due = self._agenda.take(now, monotonic)
                if not due:
                    self._changed.wait(self._agenda.wait_s(now, monotonic, self._clock.speed))
                    continue
            for name, message in due:
                try:
                    self._directory.tell(name, message)
                except Exception:
                    log.exception("a timer could not tell %s %s", name, type(message).__name__)
