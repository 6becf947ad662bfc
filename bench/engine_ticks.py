"""How punctual the 5 s tick is with a hundred nodes of which ten hang: the live house, watched from inside.

`python -m bench.engine_ticks` is the engine's process: it reads what to run as JSON and prints how late each
snapshot was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict, replace

from bench.machine import cpu_s
from bench.peers import Time, peers

if TYPE_CHECKING:
    from contextlib import ExitStack

    from orch.config.schema import Config, NodeConfig

NODES = 100
HANGING = 10
TICKS = 120
TICK_S = 5.0
LATE_S = 0.05
START_WITHIN_S = 60.0


def measure(nodes: int = NODES, hanging: int = HANGING, ticks: int = TICKS, speed: float = 1.0) -> dict[str, Any]:
    """Run an engine over so many ticks and see how late its snapshots were.

    Args:
        nodes: All nodes: Storj, Golem, Streamr and Grass in turn.
        hanging: How many of them take connections and never answer.
        ticks: How many ticks of 5 s.
        speed: Seconds of the clock per real second; lateness is always real.

    Returns:
        `{nodes, hanging, ticks, missed, speed, share_pct, p50_ms, p99_ms, max_ms, begun_p99_ms, first_ms, cpu_pct,
        threads}`. A snapshot counts when the last of its readers has been told within 50 ms of when it was due;
        `begun` is when its making began, `first` the lateness of the first ten, while nodes are got to know.
    """
    shared = Time.from_now(speed)
    with TemporaryDirectory(prefix="orch-bench-") as directory, peers(shared) as served:
        order = {
            "served": served,
            "time": shared.words(),
            "nodes": nodes,
            "hanging": hanging,
            "ticks": ticks,
            "data_dir": directory,
        }
        ended = subprocess.run(
            [sys.executable, "-m", "bench.engine_ticks"],
            input=json.dumps(order),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=START_WITHIN_S + 2 * ticks * TICK_S / speed,
        )
    found = json.loads(ended.stdout)
    late = [each * 1e3 for each in found["told"]]
    begun = [each * 1e3 for each in found["begun"]]
    in_time = sum(each <= LATE_S * 1e3 for each in late)
    return {
        "nodes": nodes,
        "hanging": hanging,
        "ticks": len(late) + found["missed"],
        "missed": found["missed"],
        "speed": speed,
        "share_pct": 100.0 * in_time / (len(late) + found["missed"]),
        "p50_ms": median(late),
        "p99_ms": _p99(late),
        "max_ms": max(late),
        "begun_p99_ms": _p99(begun),
        "first_ms": [round(each, 1) for each in late[:10]],
        "cpu_pct": found["cpu_pct"],
        "threads": found["threads"],
    }


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


# -- the engine's process --------------------------------------------------------------------------------


class Tap:
    """How late each snapshot was, in real seconds."""

    def __init__(self, speed: float, ticks: int) -> None:
        self._speed = speed
        self._ticks = ticks
        self.begun: dict[int, float] = {}
        self.told: dict[int, float] = {}
        self.enough = threading.Event()

    def put(self, tick: int, begun_s: float, told_s: float) -> None:
        """A snapshot has been told to one more reader."""
        self.begun[tick] = begun_s / self._speed
        self.told[tick] = told_s / self._speed
        if tick - min(self.told) + 1 >= self._ticks:
            self.enough.set()

    def missed(self) -> int:
        """Ticks without a snapshot between the first and the last."""
        return max(self.told) - min(self.told) + 1 - len(self.told)


def tap_coordinator(tap: Tap) -> None:
    """Let every coordinator that is made from now on say when its snapshots were told."""
    from actors.coordinator import Coordinator
    from orch.boot import recipes
    from orch.messages import SnapshotPublished

    class TappedCoordinator(Coordinator):
        def tell(self, name: str, message: Any) -> bool:
            told = super().tell(name, message)
            if isinstance(message, SnapshotPublished):
                due_at, taken_at = message.snapshot.due_at, message.snapshot.taken_at
                now = self.house.clock.now()
                tap.put(message.snapshot.tick, (taken_at - due_at).total_seconds(), (now - due_at).total_seconds())
            return told

    recipes.Coordinator = TappedCoordinator  # type: ignore[attr-defined]


def crowd(served: dict[str, Any], nodes: int, hanging: int, data_dir: Path) -> Config:
    """A configuration of many nodes over the same four services, every so many of them hanging."""
    from orch.config.load import from_tables

    tables = dict(served["configuration"])
    host = {name: each for name, each in tables["host"].items() if name != "reserve"}
    tables["host"] = {name: each * nodes / 4 for name, each in host.items()}
    tables["orch"] = {"mode": "suggest", "data_dir": str(data_dir)}
    config = from_tables(tables, served["environment"], data_dir, source="bench")
    every = nodes // hanging if hanging else nodes + 1
    many = []
    for number in range(nodes):
        one = replace(config.nodes[number % len(config.nodes)], name=f"{config.nodes[number % 4].name}{number}")
        many.append(_at(one, served["hanging"]) if number % every == 0 else one)
    return replace(config, nodes=tuple(many))


def _at(node: NodeConfig, url: str) -> NodeConfig:
    """The node with everything it asks at another address."""
    levers = tuple(replace(each, options=_moved(each.options, url)) for each in node.levers)
    return replace(node, options=_moved(node.options, url), levers=levers)


def _moved(options: Any, url: str) -> Any:
    texts = {name: value for name, value in asdict(options).items() if isinstance(value, str)}
    return replace(options, **{name: url for name, value in texts.items() if value.startswith("http")})


def main() -> None:
    """Run the engine that is described on the input."""
    from orch.boot.engine import Arrangement, Engine

    order = json.loads(sys.stdin.read())
    shared = Time.of(order["time"])
    tap = Tap(shared.speed, order["ticks"])
    tap_coordinator(tap)

    def arrange(data_dir: Path, _: ExitStack) -> Arrangement:
        config = crowd(order["served"], order["nodes"], order["hanging"], data_dir)
        return Arrangement(config=config, kind="emulated", clock=shared.clock())

    engine = Engine(Path(order["data_dir"]) / "data", arrange, port=0)
    began, own = time.monotonic(), cpu_s(os.getpid())
    engine.start()
    try:
        tap.enough.wait(START_WITHIN_S + 1.5 * order["ticks"] * TICK_S / shared.speed)
        threads = threading.active_count()
        seconds, spent = time.monotonic() - began, cpu_s(os.getpid()) - own
    finally:
        engine.stop()
    first = min(tap.told)
    counted = [tick for tick in sorted(tap.told) if tick < first + order["ticks"]]
    print(
        json.dumps(
            {
                "told": [tap.told[tick] for tick in counted],
                "begun": [tap.begun[tick] for tick in counted],
                "missed": tap.missed(),
                "cpu_pct": 100.0 * spent / seconds,
                "threads": threads,
            }
        )
    )


if __name__ == "__main__":
    main()
