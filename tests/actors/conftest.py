"""Small real implementations of the ports, and actors to play with."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from actors.address import LiveDirectory
from actors.base import Actor, House
from actors.stage import Stage
from actors.timers import LiveTimers
from orch.messages import CommitBatch, RestoreBooks, TickRecorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = datetime(2026, 1, 1, tzinfo=UTC)


class FastClock:
    """A clock that runs a thousand times faster than real time."""

    speed = 1000.0

    def __init__(self) -> None:
        self._zero = time.monotonic()

    def now(self) -> datetime:
        return START + timedelta(seconds=(time.monotonic() - self._zero) * self.speed)

    def monotonic(self) -> float:
        return time.monotonic()


class Unplugged:
    """A transport that nobody should use."""

    def fetch(self, request, *, reply_to, key, node, lane):
        raise AssertionError("nothing is fetched here")


class Probe(Actor):
    """An actor that notes what it handles and does what the test's script says.

    `TickRecorded(sequence=n)` is noted; `RestoreBooks(reply_to=...)` runs the script of that name.
    Scripts named `ready`, `each` and `close` run at the start, after each noted message, and at the end.
    """

    def __init__(self, name: str, house: House, **scripts: Callable[[Probe], object]) -> None:
        super().__init__(name, house)
        self.scripts = scripts
        self.seen: list[Any] = []
        self.closed = 0
        self._noted = threading.Condition()

    def ready(self) -> None:
        self.scripts.get("ready", lambda _: None)(self)

    def handle(self, message: Any) -> object:
        if isinstance(message, RestoreBooks):
            return self.scripts[message.reply_to](self)
        with self._noted:
            self.seen.append(message)
            self._noted.notify_all()
        self.scripts.get("each", lambda _: None)(self)
        return None

    def wait_for(self, condition: Callable[[list[Any]], bool]) -> bool:
        """Let another thread wait until what was noted is so."""
        with self._noted:
            return self._noted.wait_for(lambda: condition(self.seen), timeout=10)

    def close(self) -> None:
        self.closed += 1
        self.scripts.get("close", lambda _: None)(self)


class Gate:
    """Holds an actor in its handler until the test opens."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def __call__(self, _: Actor) -> None:
        self.entered.set()
        assert self._open.wait(10)

    def open(self) -> None:
        self._open.set()


class Live:
    """A running directory, timers and house, all stopped after the test."""

    def __init__(self) -> None:
        self.clock = FastClock()
        self.directory = LiveDirectory()
        self.timers = LiveTimers(self.clock, self.directory)
        self.timers.start()
        self.house = House(clock=self.clock, timers=self.timers, directory=self.directory, transport=Unplugged())
        self.stopped: list[str] = []

    def probe(self, name: str, **scripts: Callable[[Probe], object]) -> Probe:
        actor = Probe(name, self.house, **scripts)
        self.directory.admit(actor)
        return actor

    def end(self) -> None:
        self.timers.stop()
        for name in self.directory.names():
            ref = self.directory.ref(name)
            assert ref is not None
            ref.stop(block=True, timeout=5)


@pytest.fixture
def live() -> Iterator[Live]:
    house = Live()
    yield house
    house.end()


@pytest.fixture
def probe_class() -> type[Probe]:
    return Probe


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def start() -> datetime:
    return START


@pytest.fixture
def tick() -> Callable[[int], TickRecorded]:
    return lambda sequence: TickRecorded(sequence=sequence)


@pytest.fixture
def do() -> Callable[[str], RestoreBooks]:
    """A message that makes a probe run the script of that name."""
    return lambda script: RestoreBooks(reply_to=script)


@pytest.fixture
def nudge() -> CommitBatch:
    return CommitBatch()


@pytest.fixture
def stage(start) -> Stage:
    return Stage(1, start, trace=True)


@pytest.fixture
def act(stage) -> Callable[..., Probe]:
    """Puts a probe on the stage."""

    def put(name: str, **scripts: Callable[[Probe], object]) -> Probe:
        actor = Probe(name, stage.house(), **scripts)
        stage.add(actor)
        return actor

    return put
