"""Emulated months, played by the whole house with each strategy, beside the split that nobody touches.

Two worlds of one seed meet the same demand, prices and failures whatever their splits, so that the difference of
their incomes is the strategy's alone. Incomes are the worlds' own books, not what orch believes.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

START = datetime(2026, 11, 2, tzinfo=UTC)
CADENCE = {"poll_s": 60, "analyze_s": 300, "decide_s": 600}
HOUR_S = 3600


def play(seed: int, hours: float, strategy: str, cadence: dict[str, int] | None = None) -> dict[str, Any]:
    """One world with orch in charge: true USD, the moves that were made, and what they cost."""
    import duckdb

    from orch.boot.staged import staged_house
    from orch.config.load import from_tables
    from orch.emulator.demo import demo_environment, demo_nodes
    from orch.emulator.inprocess import answer_request, emulated_urls
    from orch.emulator.world import World

    world = World(seed, START)
    before = _earned(world)
    with TemporaryDirectory() as name:
        tables: dict[str, Any] = {
            "orch": {"mode": "auto", "data_dir": name},
            "cadence": cadence or CADENCE,
            "optimizer": {"strategy": strategy},
            **demo_nodes(emulated_urls()),
        }
        house = staged_house(
            from_tables(tables, demo_environment(), Path(name)),
            Path(name),
            lambda request, now, _: answer_request(world, request, now),
            start=world.start,
            seed=seed,
            commit_every_s=HOUR_S,
            board_every_s=HOUR_S,
            tidy_every_s=24 * HOUR_S,
        )
        house.stage.run_until(world.start)
        began = time.process_time()
        house.stage.run_for(hours * HOUR_S)
        seconds = time.process_time() - began
        house.close()
        world.advance(world.start + timedelta(hours=hours))
        query = "SELECT count(*), coalesce(sum(cost_usd), 0) FROM reallocations WHERE state = 'settled'"
        with duckdb.connect(str(Path(name) / "orch.duckdb"), read_only=True) as connection:
            moves, cost = connection.execute(query).fetchall()[0]
    return {
        "seed": seed,
        "strategy": strategy,
        "hours": hours,
        "usd": _earned(world) - before,
        "moves": moves,
        "moving_cost_usd": float(cost),
        "times_real": hours * HOUR_S / seconds,
        "failures": house.failures(),
    }


def keep(seed: int, hours: float) -> float:
    """USD that the same world earns when nobody touches it."""
    from orch.emulator.world import World

    world = World(seed, START)
    before = _earned(world)
    world.advance(world.start + timedelta(hours=hours))
    return _earned(world) - before


def best_fixed(seed: int, hours: float) -> float:
    """USD that it earns with the world's own best fixed split from the beginning."""
    from orch.emulator.world import World

    world = World(seed, START)
    before = _earned(world)
    world.set_split_now(world.best_fixed_split())
    world.advance(world.start + timedelta(hours=hours))
    return _earned(world) - before


def _earned(world: Any) -> float:
    from orch.emulator.facts import NODES

    return float(sum(world.usd_income(node) for node in NODES))
