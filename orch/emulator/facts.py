"""The emulated host, its nodes and the split they start with."""

from __future__ import annotations

from typing import Literal, TypeAlias

from orch.model.resources import RESOURCES, ResourceName, Resources

NodeName: TypeAlias = Literal["disk", "compute", "relay", "address"]

NODES: tuple[NodeName, ...] = ("disk", "compute", "relay", "address")
"""A Storj, a Golem, a Streamr and a Grass node on one host."""
PROTOCOLS: dict[NodeName, str] = {"disk": "storj", "compute": "golem", "relay": "streamr", "address": "grass"}

HOST = Resources(cpu_cores=16.0, memory_gb=64.0, bandwidth_mbps=500.0, storage_gb=12_000.0)
RESERVE = Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=20.0, storage_gb=100.0)

POOR_SPLIT: dict[NodeName, Resources] = {
    "disk": Resources(cpu_cores=6.0, memory_gb=16.0, bandwidth_mbps=150.0, storage_gb=3000.0),
    "compute": Resources(cpu_cores=2.0, memory_gb=8.0, bandwidth_mbps=100.0, storage_gb=6000.0),
    "relay": Resources(cpu_cores=4.0, memory_gb=16.0, bandwidth_mbps=100.0, storage_gb=100.0),
    "address": Resources(cpu_cores=2.0, memory_gb=8.0, bandwidth_mbps=100.0, storage_gb=100.0),
}
"""Deliberately poor: the disk is nearly full beside 6 TB that earn nothing, the cores are where no work is."""

FLOORS: dict[NodeName, Resources] = {
    "disk": Resources(cpu_cores=1.0, memory_gb=4.0, bandwidth_mbps=50.0, storage_gb=500.0),
    "compute": Resources(cpu_cores=1.0, memory_gb=2.0, bandwidth_mbps=10.0, storage_gb=100.0),
    "relay": Resources(cpu_cores=0.5, memory_gb=1.0, bandwidth_mbps=20.0, storage_gb=10.0),
    "address": Resources(cpu_cores=0.25, memory_gb=0.75, bandwidth_mbps=10.0, storage_gb=5.0),
}
"""What a careful operator would never go below (the minima of the demonstration's configuration)."""

MINUTE = 60
HOUR = 3600
DAY = 86_400
DAY_MINUTES = 1440
HISTORY_DAYS = 30

APP_KEY = "emulated-app-key"
"""The only application key the emulated yagna accepts."""


def as_dict(amounts: Resources) -> dict[ResourceName, float]:
    """All four amounts as plain floats (unknown reads as 0)."""
    return {name: amounts.or_zero(name) for name in RESOURCES}
