"""The four networks on one machine: storage that fills, cores that sell, stake that needs a floor, one address."""

from __future__ import annotations

import random

from orch.model.problems import Activity, Problem, ProblemNode
from orch.model.resources import Resources


def seed4(size: int, seed: int) -> Problem:  # noqa: ARG001 - every family takes a size; these are always four
    """A poor present split of a machine with 8 cores, 32 GB, 500 Mbit/s and 8 TB between the four networks."""
    draw = random.Random(f"seed4 {seed}")
    return Problem(
        host="bench",
        capacity=Resources(cpu_cores=7.5, memory_gb=31.0, bandwidth_mbps=480.0, storage_gb=7950.0),
        nodes=(_storj(draw), _golem(draw), _streamr(draw), _grass(draw)),
        horizon_h=24.0,
    )


def _unit(usd: float = 0.001) -> Resources:
    return Resources(
        cpu_cores=usd / 7.5, memory_gb=usd / 31.0, bandwidth_mbps=usd / 480.0, storage_gb=usd / 7950.0
    )


def _storj(draw: random.Random) -> ProblemNode:
    """Bytes that are there earn, room to grow earns what fills within the horizon."""
    used = draw.uniform(1500.0, 3500.0)
    worth = 1.5e-3 / 730.0 * draw.uniform(0.8, 1.3)
    fills = draw.uniform(20.0, 200.0)
    return ProblemNode(
        name="storj",
        present=Resources(cpu_cores=2.0, memory_gb=8.0, bandwidth_mbps=200.0, storage_gb=used + 10.0),
        floor=Resources(cpu_cores=0.5, memory_gb=1.0, bandwidth_mbps=50.0, storage_gb=used),
        cap=Resources(storage_gb=6000.0),
        activities=(
            Activity(
                takes=Resources(storage_gb=1.0), width=fills, usd_per_hour=worth, low=0.7 * worth, high=1.3 * worth
            ),
        ),
        base_usd_per_hour=used * worth,
        change_usd=used * worth * 60.0 / 3600.0,
        unit_usd=_unit(),
    )


def _golem(draw: random.Random) -> ProblemNode:
    """Cores and memory in one proportion, whole cores, demand that thins out."""
    worth = draw.uniform(0.004, 0.012)
    return ProblemNode(
        name="golem",
        present=Resources(cpu_cores=2.0, memory_gb=6.0, bandwidth_mbps=50.0, storage_gb=100.0),
        floor=Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=10.0, storage_gb=50.0),
        cap=Resources(),
        activities=tuple(
            Activity(
                takes=Resources(cpu_cores=1.0, memory_gb=2.0), width=1.5, usd_per_hour=worth * share,
                low=0.5 * worth * share, high=1.5 * worth * share,
            )
            for share in (1.0, 0.7, 0.35)
        ),
        base_usd_per_hour=worth,
        step=Resources(cpu_cores=1.0),
        change_usd=worth * 10.0 / 3600.0,
        unit_usd=_unit(),
    )  # fmt: skip


def _streamr(draw: random.Random) -> ProblemNode:
    """A floor that protects the stake; more is worth nothing."""
    return ProblemNode(
        name="streamr",
        present=Resources(cpu_cores=1.0, memory_gb=4.0, bandwidth_mbps=50.0, storage_gb=20.0),
        floor=Resources(cpu_cores=0.5, memory_gb=1.0, bandwidth_mbps=10.0, storage_gb=5.0),
        cap=Resources(),
        base_usd_per_hour=draw.uniform(0.002, 0.02),
        unit_usd=_unit(),
    )


def _grass(draw: random.Random) -> ProblemNode:
    """On or off."""
    return ProblemNode(
        name="grass",
        present=Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=40.0, storage_gb=5.0),
        floor=Resources(cpu_cores=0.2, memory_gb=0.5, bandwidth_mbps=20.0, storage_gb=1.0),
        cap=Resources(),
        base_usd_per_hour=draw.uniform(0.0002, 0.002),
        may_stop=True,
        change_usd=0.0001,
        unit_usd=_unit(),
    )
