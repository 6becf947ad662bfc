"""How often the truth lies where orch says it does: its published intervals held against an emulated world's own.

A rate's figure claims to be what a node is *expected* to earn per hour with the split and at the prices of now, as
an average over the hours of a day: `World.true_rate` with no horizon. What nobody knows the USD of (a Grass point
without `tokens_per_point`) has no true rate, so no figure may be shown for it.
"""

from __future__ import annotations

import math
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


START = datetime(2026, 11, 2, tzinfo=UTC)
"""Of the first seed's world; the following ones begin a day later each, so that month edges are met."""
GOLDEN = (math.sqrt(5) - 1) / 2
CADENCE = {"poll_s": 300, "analyze_s": 3600, "decide_s": 3600}
SETTLING_H = 24
HOURS = 36
START_DAYS = 30
COVERAGE = (0.85, 0.97)
WIDTHS = {"storj": 0.2, "golem": 0.6, "streamr": 0.3}
"""The most that the median of `(high - low) / mean` may be."""


@dataclass(frozen=True)
class NodeHour:
    """One node once in an hour: what orch said, and the truth; None is unknown."""

    seed: int
    hour: int
    node: str
    protocol: str
    low: float | None
    mean: float | None
    high: float | None
    truth: float | None

    @property
    def shown(self) -> bool:
        """Whether there was a figure."""
        return self.mean is not None

    @property
    def inside(self) -> bool:
        """Whether the truth lay within the interval."""
        if self.truth is None or self.low is None or self.high is None:
            return False
        return self.low <= self.truth <= self.high

    @property
    def width(self) -> float:
        """`(high - low) / mean`."""
        if self.low is None or self.high is None or not self.mean:
            return float("inf")
        return (self.high - self.low) / self.mean


def observe(seed: int, hours: int = HOURS, settling_h: int = SETTLING_H) -> list[NodeHour]:
    """Play one world with orch watching and changing nothing; every node once in every hour after settling."""
    from msgspec.json import decode

    from orch.boot.staged import staged_house
    from orch.config.load import from_tables
    from orch.emulator.demo import demo_environment, demo_nodes
    from orch.emulator.facts import NODES, PROTOCOLS
    from orch.emulator.inprocess import answer_request, emulated_urls
    from orch.emulator.world import World
    from orch.model.board import Dashboard

    world = World(seed, START + timedelta(days=seed % START_DAYS))
    found = []
    with TemporaryDirectory(prefix="orch-truth-") as name:
        tables = {
            "orch": {"mode": "observe", "data_dir": name},
            "cadence": CADENCE,
            **demo_nodes(emulated_urls()),
        }
        house = staged_house(
            from_tables(tables, demo_environment(), Path(name)),
            Path(name),
            lambda request, now, _: answer_request(world, request, now),
            start=world.start,
            seed=seed,
            commit_every_s=24 * 3600,
            board_every_s=CADENCE["poll_s"],
            tidy_every_s=24 * 3600,
        )
        for hour in range(settling_h, settling_h + hours):
            until = world.start + timedelta(hours=hour, seconds=_moment(seed, hour))
            house.stage.run_until(until)
            world.advance(until)
            body = house.board.body()
            views = {view.name: view.usd_per_hour for view in decode(body, type=Dashboard).nodes} if body else {}
            for node in NODES:
                rate = views.get(node)
                found.append(
                    NodeHour(
                        seed=seed,
                        hour=hour,
                        node=node,
                        protocol=PROTOCOLS[node],
                        low=rate.low if rate else None,
                        mean=rate.mean if rate else None,
                        high=rate.high if rate else None,
                        truth=None if node == "address" else world.true_rate(node),
                    )
                )
        house.close()
    return found


def _moment(seed: int, hour: int) -> float:
    """Seconds past the hour at which somebody looks: any time between two ticks, each as often as another."""
    return CADENCE["poll_s"] * math.fmod((seed * 1000 + hour) * GOLDEN, 1.0)


def observe_all(seeds: Iterable[int], hours: int = HOURS, settling_h: int = SETTLING_H) -> list[NodeHour]:
    """`observe` for many seeds, two at a time."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        tasks = [pool.submit(observe, seed, hours, settling_h) for seed in seeds]
        return [each for task in tasks for each in task.result()]


def calibration(found: list[NodeHour]) -> list[dict[str, Any]]:
    """One row per protocol, and one for all with a truth: coverage and median width beside their aims."""
    protocols = list(dict.fromkeys(each.protocol for each in found))
    rows = [_row(name, [each for each in found if each.protocol == name]) for name in protocols]
    return [*rows, _row("all", [each for each in found if each.truth is not None])]


def is_covered(row: dict[str, Any]) -> bool:
    """Whether the truth lies inside often enough, and not so often that the intervals say too little."""
    if row["known"] == 0:
        return bool(row["shown_unknown"] == 0)
    low, high = COVERAGE
    return bool(row["shown_unknown"] == 0 and low * 100 <= (row["inside_pct"] or 0.0) <= high * 100)


def is_narrow(row: dict[str, Any]) -> bool:
    """Whether the median interval is as narrow as is aimed at."""
    return row["widest"] is None or (row["median_width"] is not None and row["median_width"] <= row["widest"])


def _row(name: str, found: list[NodeHour]) -> dict[str, Any]:
    known = [each for each in found if each.truth is not None]
    shown = [each for each in known if each.shown]
    return {
        "protocol": name,
        "node_hours": len(found),
        "known": len(known),
        "shown": len(shown),
        "shown_unknown": sum(each.shown for each in found if each.truth is None),
        "inside_pct": 100 * sum(each.inside for each in shown) / len(shown) if shown else None,
        "median_width": median(each.width for each in shown) if shown else None,
        "widest": WIDTHS.get(name),
    }
