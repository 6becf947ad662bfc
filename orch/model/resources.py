"""What a host has to give: cores, memory, bandwidth and storage.

Units: cores, decimal GB (1e9 bytes), Mbit/s, decimal GB. `None` means unknown, which is not zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ResourceName: TypeAlias = Literal["cpu_cores", "memory_gb", "bandwidth_mbps", "storage_gb"]
RESOURCES: tuple[ResourceName, ...] = ("cpu_cores", "memory_gb", "bandwidth_mbps", "storage_gb")
SHORT: dict[ResourceName, str] = {
    "cpu_cores": "cpu",
    "memory_gb": "memory",
    "bandwidth_mbps": "bandwidth",
    "storage_gb": "storage",
}
UNITS: dict[ResourceName, str] = {
    "cpu_cores": "cores",
    "memory_gb": "GB",
    "bandwidth_mbps": "Mbit/s",
    "storage_gb": "GB",
}
TOLERANCE: float = 1e-6
"""Two amounts closer than this (in the resource's own unit) are the same."""


class Resources(Value):
    """An amount of each resource; `None` where it is unknown."""

    cpu_cores: float | None = None
    memory_gb: float | None = None
    bandwidth_mbps: float | None = None
    storage_gb: float | None = None

    def get(self, name: ResourceName) -> float | None:
        """The amount of one resource, or None."""
        amount: float | None = getattr(self, name)
        return amount

    def or_zero(self, name: ResourceName) -> float:
        """The amount of one resource with unknown read as 0: only for sums that say what they leave out."""
        return getattr(self, name) or 0.0

    def known(self) -> list[tuple[ResourceName, float]]:
        """The resources with a known amount."""
        cores, memory, bandwidth, storage = self.cpu_cores, self.memory_gb, self.bandwidth_mbps, self.storage_gb
        # Asked for all the time: written out, it takes half as long.
        found: list[tuple[ResourceName, float]] = []
        if cores is not None:
            found.append(("cpu_cores", cores))
        if memory is not None:
            found.append(("memory_gb", memory))
        if bandwidth is not None:
            found.append(("bandwidth_mbps", bandwidth))
        if storage is not None:
            found.append(("storage_gb", storage))
        return found

    def filled(self, other: Resources) -> Resources:
        """This, with unknown amounts taken from `other`."""
        return Resources(
            cpu_cores=other.cpu_cores if self.cpu_cores is None else self.cpu_cores,
            memory_gb=other.memory_gb if self.memory_gb is None else self.memory_gb,
            bandwidth_mbps=other.bandwidth_mbps if self.bandwidth_mbps is None else self.bandwidth_mbps,
            storage_gb=other.storage_gb if self.storage_gb is None else self.storage_gb,
        )


ZERO = Resources(cpu_cores=0.0, memory_gb=0.0, bandwidth_mbps=0.0, storage_gb=0.0)


def resources(amounts: Mapping[ResourceName, float | None]) -> Resources:
    """Resources from a mapping; absent names are unknown."""
    return Resources(
        cpu_cores=amounts.get("cpu_cores"),
        memory_gb=amounts.get("memory_gb"),
        bandwidth_mbps=amounts.get("bandwidth_mbps"),
        storage_gb=amounts.get("storage_gb"),
    )


def combine(of: Callable[[float | None, float | None], float | None], a: Resources, b: Resources) -> Resources:
    """Resource by resource, `of(a, b)`."""
    return Resources(
        cpu_cores=of(a.cpu_cores, b.cpu_cores),
        memory_gb=of(a.memory_gb, b.memory_gb),
        bandwidth_mbps=of(a.bandwidth_mbps, b.bandwidth_mbps),
        storage_gb=of(a.storage_gb, b.storage_gb),
    )


def known_only(of: Callable[[float, float], float]) -> Callable[[float | None, float | None], float | None]:
    """A combination that is unknown as soon as one side is."""
    return lambda x, y: None if x is None or y is None else of(x, y)


def plus(a: Resources, b: Resources) -> Resources:
    """A + b; unknown where either is unknown."""
    return combine(known_only(lambda x, y: x + y), a, b)


def minus(a: Resources, b: Resources) -> Resources:
    """A - b; unknown where either is unknown."""
    return combine(known_only(lambda x, y: x - y), a, b)


def lower(a: Resources, b: Resources) -> Resources:
    """The smaller of each; unknown where either is unknown."""
    return combine(known_only(min), a, b)


def upper(a: Resources, b: Resources) -> Resources:
    """The larger of each; unknown where either is unknown."""
    return combine(known_only(max), a, b)


def total(many: Iterable[Resources]) -> Resources:
    """The sum with unknown amounts left out (the caller says which)."""
    sums = dict.fromkeys(RESOURCES, 0.0)
    for each in many:
        for name, amount in each.known():
            sums[name] += amount
    return resources(sums)


def close(a: float | None, b: float | None, tolerance: float = TOLERANCE) -> bool:
    """Whether two amounts are the same within a tolerance that grows with their size."""
    if a is None or b is None:
        return a is None and b is None
    return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))


def same(a: Resources, b: Resources, tolerance: float = TOLERANCE) -> bool:
    """Whether all known amounts of `b` are those of `a`."""
    return all(close(a.get(name), amount, tolerance) for name, amount in b.known())
