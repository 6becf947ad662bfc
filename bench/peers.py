"""What an engine is measured against, each in a process of its own: emulated nodes, and nodes that hang.

`python -m bench.peers` serves them until its input ends; its first line says where, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.ports import Clock

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Time:
    """A clock that two processes share: what it said when the machine's monotonic clock stood at `mark`."""

    speed: float
    start: datetime
    mark: float

    @classmethod
    def from_now(cls, speed: float) -> Time:
        """Begins now."""
        return cls(speed=speed, start=datetime.now(UTC), mark=time.monotonic())

    @classmethod
    def of(cls, words: list[str]) -> Time:
        """From three arguments of a command line."""
        speed, start, mark = words
        return cls(speed=float(speed), start=datetime.fromisoformat(start), mark=float(mark))

    def words(self) -> list[str]:
        """As three arguments of a command line."""
        return [str(self.speed), self.start.isoformat(), repr(self.mark)]

    def clock(self) -> Clock:
        """The clock itself; the real one at speed 1."""
        from orch.system.clock import RealClock, ScaledClock

        if self.speed == 1.0:
            return RealClock()
        return ScaledClock(self.speed, self.start + timedelta(seconds=(time.monotonic() - self.mark) * self.speed))


@contextmanager
def peers(shared: Time, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Start them; gives `{urls, environment, configuration, hanging}`."""
    command = [sys.executable, "-m", "bench.peers", "--seed", str(seed), "--time", *shared.words()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield json.loads(line)
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait(timeout=20)


class HangingNode:
    """Takes every connection and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0), backlog=128)
        self._held: list[socket.socket] = []
        self.url = f"http://{LOOPBACK}:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, name="hanging", daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._held.append(self._listener.accept()[0])

    def close(self) -> None:
        """Let go of all."""
        for each in (self._listener, *self._held):
            each.close()


def main() -> None:
    """Serve until the input ends."""
    from orch.emulator.demo import demo_environment, demo_nodes
    from orch.emulator.shell import EmulatorServer
    from orch.emulator.world import World

    parser = ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--time", nargs=3, required=True)
    given = parser.parse_args()
    shared = Time.of(given.time)
    hanging = HangingNode()
    with EmulatorServer(World(given.seed, shared.start), shared.clock()) as server:
        urls = server.urls()
        served = {
            "urls": urls,
            "environment": demo_environment(),
            "configuration": demo_nodes(urls),
            "hanging": hanging.url,
        }
        print(json.dumps(served), flush=True)
        sys.stdin.read()
    hanging.close()


if __name__ == "__main__":
    main()
