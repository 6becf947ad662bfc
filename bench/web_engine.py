"""The engine whose HTTP interface is measured: its process, watched from inside.

`python -m bench.web_engine` reads what to run as JSON on its first line, says its URL on its own first line, and
at the end of its input tells when each tick was told how late, and when each board was swapped in. Times are the
machine's monotonic clock, the same in every process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.engine_ticks import Tap, tap_coordinator
from bench.peers import Time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

START_WITHIN_S = 120.0
MANY = 10**9


class Watched:
    """An engine in another process. `found` is filled at the end of the block."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url
        self.found: dict[str, Any] = {}


@contextmanager
def watched(data_dir: Path, served: dict[str, Any], poll_s: float) -> Iterator[Watched]:
    """Run an engine on a data directory until the block ends."""
    order = {"served": served, "data_dir": str(data_dir), "poll_s": poll_s}
    with subprocess.Popen(
        [sys.executable, "-m", "bench.web_engine"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | served["environment"],
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the engine's process has no pipes")
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        engine = Watched(process.pid, process.stdout.readline().strip())
        try:
            if not engine.url:
                raise RuntimeError("the engine did not start")
            yield engine
        finally:
            process.stdin.close()
            said = process.stdout.read()
            process.wait(timeout=30)
        engine.found = json.loads(said)


class TimedTap(Tap):
    """Also remembers when each tick was told."""

    def __init__(self) -> None:
        super().__init__(1.0, MANY)
        self.when: dict[int, float] = {}

    def put(self, tick: int, begun_s: float, told_s: float) -> None:
        """A snapshot has been told to one more reader."""
        super().put(tick, begun_s, told_s)
        self.when[tick] = time.monotonic()


def main() -> None:
    """Run the engine that is described on the first line, until the input ends."""
    from orch.boot.engine import Arrangement, Engine
    from orch.config.load import from_tables

    order = json.loads(sys.stdin.readline())
    served, data_dir = order["served"], Path(order["data_dir"])
    tap = TimedTap()
    tap_coordinator(tap)

    def arrange(where: Path, _: ExitStack) -> Arrangement:
        tables = dict(served["configuration"])
        tables["orch"] = {"mode": "suggest", "data_dir": str(data_dir)}
        tables["cadence"] = {"poll_s": order["poll_s"]}
        config = from_tables(tables, served["environment"], where, source="bench")
        return Arrangement(config=config, kind="emulated", clock=Time.from_now(1.0).clock())

    engine = Engine(data_dir, arrange, port=0)
    swaps: list[tuple[str, float]] = []
    slot = engine._slot  # noqa: SLF001 - watched from inside

    def swapped() -> None:
        at = time.monotonic()
        published = slot.published()
        if published is not None:
            swaps.append((published.etag.strip('"'), at))

    slot.watch(swapped)
    engine.start()
    try:
        engine.await_board(0, START_WITHIN_S)
        print(engine.url, flush=True)
        sys.stdin.read()
    finally:
        engine.stop()
    ticks = [(tap.when[tick], tap.told[tick]) for tick in sorted(tap.told)]
    print(json.dumps({"ticks": ticks, "missed": tap.missed(), "swaps": swaps}))


if __name__ == "__main__":
    main()
