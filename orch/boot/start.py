"""Three ways to start: on a configuration, on the emulated demonstration, and the emulated nodes alone."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from orch.boot.engine import Arrangement, Engine, Kind
from orch.boot.probe import answers_as_emulated
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes, unannounced
from orch.emulator.files import Folder
from orch.emulator.keeper import load_or_create, save
from orch.emulator.shell import EmulatorServer
from orch.errors import DataDirError
from orch.store.database import look_into
from orch.store.values import from_stored_time
from orch.system.clock import RealClock, ScaledClock
from orch.system.journal import FileJournal
from orch.system.paths import DATABASE_FILE, JOURNAL_FILE, WORLD_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orch.config.schema import Config
    from orch.emulator.asks import Service
    from orch.model.fleet import Mode

DEFAULT_SEED = 1
DEMO_SPEED = 60.0
SHORTEST_TICK_S = 0.05
"""Real seconds between two ticks of a demonstration, at least."""


def real_engine(config: Config, *, mode: Mode | None = None, port: int | None = None, web: bool = True) -> Engine:
    """An engine on a configuration, in real time.

    Its data are of kind `emulated` when its nodes say so; a directory of the other kind is refused.
    """

    def arrange(data_dir: Path, _: ExitStack) -> Arrangement:
        kind: Kind = "emulated" if answers_as_emulated(config) else "real"
        kept = _kept(data_dir).get("kind", kind)
        if kept != kind:
            raise DataDirError(
                f"{data_dir} holds data of {kept} nodes, and these are {kind}; choose another one with --data-dir"
            )
        return Arrangement(config=config, kind=kind, clock=RealClock())

    return Engine(config.data_dir, arrange, mode=mode, port=port, web=web)


def demo_engine(
    data_dir: Path,
    *,
    seed: int | None = None,
    speed: float = DEMO_SPEED,
    mode: Mode = "auto",
    port: int | None = None,
    web: bool = True,
) -> Engine:
    """The demonstration: four emulated nodes behind HTTP, and an engine on them, in one process."""

    def arrange(directory: Path, stack: ExitStack) -> Arrangement:
        kept = _kept(directory)
        if kept.get("kind", "emulated") != "emulated":
            raise DataDirError(f"{directory} holds real nodes' data; choose another one with --data-dir")
        start = max([datetime.now(UTC), *_last_times(kept, directory)])
        place = directory / WORLD_DIR
        place.mkdir(mode=0o700, exist_ok=True)
        world = load_or_create(place, seed, start)
        clock = ScaledClock(speed, max(start, world.time))
        server = EmulatorServer(world, clock, "free", Folder(place, world))

        def keep_world() -> None:
            with server.lock:
                world.advance(clock.now())
                save(place, world)

        stack.callback(keep_world)
        server.start()
        stack.callback(server.stop)
        tables = demo_tables(server.urls(), directory, mode, speed)
        config = from_tables(tables, demo_environment(), directory, source="demonstration")
        return Arrangement(config=config, kind="emulated", clock=clock)

    return Engine(data_dir, arrange, mode=mode, port=port, web=web)


def demo_tables(urls: Any, data_dir: Path, mode: Mode, speed: float) -> dict[str, Any]:
    """The demonstration's configuration, as a file would give it.

    At more than some hundred times real speed its ticks are as far apart as a small machine can follow.
    """
    shortest_s = SHORTEST_TICK_S * speed
    return {
        "orch": {"mode": mode, "data_dir": str(data_dir)},
        "cadence": {
            "poll_s": max(5.0, shortest_s),
            "analyze_s": max(30.0, 2 * shortest_s),
            "decide_s": max(60.0, 4 * shortest_s),
        },
        "costs": {"usd_per_kwh": 0.15, "watts_idle": 20.0, "watts_per_core": 2.0},
        **demo_nodes(urls, str(data_dir / WORLD_DIR), speed),
    }


@contextmanager
def serve_emulator(
    seed: int = DEFAULT_SEED, speed: float = 1.0, ports: Literal["default", "free"] = "free"
) -> Iterator[dict[str, Any]]:
    """The four emulated nodes alone, until the block ends; gives their URLs and what to configure.

    Their own files lie in a directory of their own, which is gone afterwards.
    """
    from orch.emulator.world import World

    start = datetime.now(UTC)
    world = World(seed, start)
    clock = RealClock() if speed == 1.0 else ScaledClock(speed, start)
    with TemporaryDirectory(prefix="orch-emulated-") as place:
        folder = Folder(Path(place), world)
        with EmulatorServer(world, clock, ports, folder) as server:
            yield _served(server.urls(), place, seed, speed)


def _served(urls: Mapping[Service, str], place: str, seed: int, speed: float) -> dict[str, Any]:
    return {
        "schema": 1,
        "emulated": True,
        "pid": os.getpid(),
        "seed": seed,
        "speed": speed,
        "urls": dict(urls),
        "environment": demo_environment() | unannounced(urls, place),
        "configuration": demo_nodes(urls, place, speed),
    }


def _kept(data_dir: Path) -> Mapping[str, str]:
    """What the database of an earlier run says of itself."""
    return look_into(data_dir / DATABASE_FILE) or {}


def _last_times(kept: Mapping[str, str], data_dir: Path) -> Iterator[datetime]:
    """The newest times that the books of an earlier run speak of."""
    if "clock" in kept:
        yield from_stored_time(datetime.fromisoformat(kept["clock"]))
    if (data_dir / JOURNAL_FILE).exists():
        records = FileJournal(data_dir / JOURNAL_FILE).read()
        if records:
            yield records[-1].written_at
