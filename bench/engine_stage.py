"""How many messages per second the stage plays."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from actors.base import Actor
from actors.stage import Stage
from orch.messages import CommitBatch, FetchPrices

if TYPE_CHECKING:
    from actors.base import House

START = datetime(2026, 1, 1, tzinfo=UTC)


class _Relay(Actor):
    """Hands every message on to the next in the ring until the message has gone round often enough."""

    def __init__(self, name: str, house: House, following: str, hops: int) -> None:
        super().__init__(name, house)
        self._following = following
        self._hops = hops

    def handle(self, message: Any) -> None:
        if self._hops:
            self._hops -= 1
            self.tell(self._following, message)


class _Ticker(Actor):
    """Re-arms its own timer at every tick."""

    def handle(self, message: Any) -> None:
        self.house.timers.after(30.0, self.name, message)


def _ring(actors: int, messages: int) -> float:
    """Messages per second when about so many are handed on in a ring, one per actor under way."""
    stage = Stage(1, START)
    house = stage.house()
    for index in range(actors):
        stage.add(_Relay(str(index), house, str((index + 1) % actors), messages // actors - 1))
    for index in range(actors):
        stage.tell(str(index), CommitBatch())
    begun = time.perf_counter()
    played = stage.drain()
    return played / (time.perf_counter() - begun)


def _day(actors: int, days: float) -> float:
    """Messages per second of a virtual time in which every actor ticks each 30 s."""
    stage = Stage(1, START)
    house = stage.house()
    for index in range(actors):
        stage.add(_Ticker(str(index), house))
        stage.tell(str(index), FetchPrices(due_at=START))
    begun = time.perf_counter()
    played = stage.run_until(START + timedelta(days=days))
    return played / (time.perf_counter() - begun)


def messages_per_second(repeats: int = 3, messages: int = 200_000, days: float = 1.0) -> dict[str, float]:
    """Median messages per second of trivial handlers: told on in rings, and woken by timers.

    `stage.ring.N` hands so many messages on in a ring of N actors; `stage.timers.N` plays so many virtual days
    of N actors that each set a timer every 30 s.
    """
    rates: dict[str, float] = {}
    for actors in (1, 10, 100):
        rates[f"stage.ring.{actors}"] = median(_ring(actors, messages) for _ in range(repeats))
    for actors in (10, 100):
        rates[f"stage.timers.{actors}"] = median(_day(actors, days) for _ in range(repeats))
    return rates
