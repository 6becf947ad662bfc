"""The limits of the emulated nodes: what was asked for, what is in force, and when the one becomes the other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from orch.emulator.facts import FLOORS, HOST, NodeName, as_dict
from orch.errors import OrchError
from orch.model.resources import RESOURCES, SHORT, TOLERANCE, ResourceName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orch.emulator.draws import Draws

STICKY: dict[NodeName, tuple[ResourceName, ...]] = {
    "disk": ("storage_gb",),
    "compute": ("cpu_cores", "memory_gb", "storage_gb"),
    "relay": (),
    "address": (),
}
"""What takes effect late: Storj reads its allocation at a restart, Golem's agent sees its file seconds later."""

LEAST: dict[NodeName, dict[ResourceName, float]] = {
    "disk": {"cpu_cores": 0.05, "memory_gb": 0.25, "bandwidth_mbps": 1.0, "storage_gb": 500.0},
    "compute": {"cpu_cores": 1.0, "memory_gb": 0.1, "storage_gb": 0.1},
    "relay": {"cpu_cores": 0.5, "memory_gb": 1.0},
    "address": {},
}
"""Below this the control API refuses: the node would not start, or could not say it."""


NEVER_S = 1e12
"""A time that no world sees: when a node that does not start will be there."""


class RefusedError(OrchError):
    """The control API refuses a value (409); `str()` is the sentence."""


class RestartingError(OrchError):
    """The node is restarting and cannot be set now (503)."""


class Change(msgspec.Struct, array_like=True):
    """One line of the lever history: Unix seconds, node, resource, from, to."""

    second: float
    node: NodeName
    resource: ResourceName
    old: float
    new: float


class Dial(msgspec.Struct):
    """The limits of one node. Between `asked_s` and `due_s` the sticky ones still have their old values."""

    target: dict[ResourceName, float]
    old: dict[ResourceName, float]
    asked_s: float = 0.0
    due_s: float = 0.0

    def in_force(self, second: float) -> dict[ResourceName, float]:
        """The limits that hold at a Unix second."""
        return self.target if second >= self.due_s else self.old

    def pending(self, second: float) -> bool:
        """Whether a change is asked for and not yet in force."""
        return self.asked_s <= second < self.due_s


def check(node: NodeName, wanted: Mapping[ResourceName, float]) -> None:
    """Refuse what the node cannot be given. Raises RefusedError."""
    for resource, amount in wanted.items():
        if not math.isfinite(amount) or amount < 0:
            raise RefusedError(f"{resource} must be a finite number of at least 0, not {amount}")
        most = HOST.or_zero(resource)
        if amount > most + TOLERANCE:
            raise RefusedError(f"{resource} {amount:g} is more than the host has ({most:g})")
        least = LEAST[node].get(resource, 0.0)
        if amount < least - TOLERANCE:
            raise RefusedError(f"{node} needs at least {least:g} {SHORT[resource]}, {amount:g} was asked for")


def turn(
    dial: Dial, node: NodeName, wanted: Mapping[ResourceName, float], second: float, draws: Draws
) -> list[Change]:
    """Ask for new limits at a Unix second; the changes made (none for values that are already asked for)."""
    changes = [
        Change(second, node, name, dial.target[name], float(wanted[name]))
        for name in RESOURCES
        if name in wanted and abs(wanted[name] - dial.target[name]) > TOLERANCE
    ]
    if not changes:
        return []
    now = dict(dial.in_force(second))
    dial.target = dial.target | {change.resource: change.new for change in changes}
    late = {name: now[name] for name in STICKY[node]}
    dial.old = dial.target | late
    sticky = any(change.resource in late for change in changes)
    if sticky and any(abs(late[name] - dial.target[name]) > TOLERANCE for name in late):
        republish(dial, node, second, draws)
    return changes


def republish(dial: Dial, node: NodeName, second: float, draws: Draws) -> None:
    """Start the node's delay: a Storj restart of 20-90 s, 3-6 s until Golem's agent has new offers out."""
    shortest, longest = (20.0, 90.0) if node == "disk" else (3.0, 6.0)
    dial.asked_s = second
    dial.due_s = second + draws.between(shortest, longest, "delay", node, round(second * 1000))


def overallocated(held: Iterable[Mapping[ResourceName, float]]) -> list[ResourceName]:
    """The resources of which the nodes together hold more than the host has."""
    sums = dict.fromkeys(RESOURCES, 0.0)
    for amounts in held:
        for name, amount in amounts.items():
            sums[name] += amount
    return [name for name in RESOURCES if sums[name] > HOST.or_zero(name) + TOLERANCE]


def floors() -> dict[NodeName, dict[ResourceName, float]]:
    """The floors as plain floats."""
    return {node: as_dict(amounts) for node, amounts in FLOORS.items()}
