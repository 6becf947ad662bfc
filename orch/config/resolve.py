"""From shares and `"auto"` to units: what the host gives, and what each node may have. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.config.schema import Amounts, Percent
from orch.errors import ConfigError
from orch.model.base import Value
from orch.model.fleet import MODES, Limits, Mode
from orch.model.resources import RESOURCES, TOLERANCE, Resources, resources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.config.schema import Config, NodeConfig
    from orch.model.resources import ResourceName


class HostLimits(Value):
    """A host in units: `available` is its capacity less its reserve; unknown where the capacity is."""

    capacity: Resources
    reserve: Resources
    available: Resources
    nodes: dict[str, Limits]


def resolve(config: Config, measured: Resources) -> HostLimits:
    """All amounts of a configuration in units.

    Args:
        config: As loaded.
        measured: This machine's capacity, for `"auto"`; unknown parts stay unknown.

    Raises:
        ConfigError: With the measured capacity, the limits cannot all be kept; holds every fault.
    """
    faults = limit_faults(config, measured)
    if faults:
        raise ConfigError(tuple(faults))
    return _units(config, measured)


def limit_faults(config: Config, measured: Resources) -> list[str]:
    """One sentence for each limit that cannot be kept, as far as capacities are known."""
    units = _units(config, measured)
    return [f"{config.source}: {fault}" for name in RESOURCES for fault in _faults_of(config, units, name)]


def effective_mode(*modes: Mode | None) -> Mode:
    """The lowest of the rungs given: of the house, of a node, of a lever. None sets no ceiling of its own."""
    return min((mode for mode in modes if mode is not None), key=MODES.index, default="observe")


def _units(config: Config, measured: Resources) -> HostLimits:
    capacity = resources({name: _capacity(config, measured, name) for name in RESOURCES})
    reserve = resources({name: getattr(config.host.reserve, name) for name in RESOURCES})
    available = resources({name: max(amount - reserve.or_zero(name), 0.0) for name, amount in capacity.known()})
    return HostLimits(
        capacity=capacity,
        reserve=reserve,
        available=available,
        nodes={node.name: _limits(config, node, available) for node in config.nodes},
    )


def _capacity(config: Config, measured: Resources, name: ResourceName) -> float | None:
    stated = getattr(config.host, name)
    return measured.get(name) if stated == "auto" else float(stated)


def _limits(config: Config, node: NodeConfig, available: Resources) -> Limits:
    minimum, maximum = {}, {}
    for name in RESOURCES:
        whole = available.get(name)
        minimum[name] = _amount(node.minimum, config.limits.min_per_node, name, whole)
        most = _amount(node.maximum, config.limits.max_per_node, name, whole)
        maximum[name] = most if most is None or whole is None else min(most, whole)
    return Limits(minimum=resources(minimum), maximum=resources(maximum))


def _amount(own: Amounts, usual: Percent | Amounts, name: ResourceName, whole: float | None) -> float | None:
    stated = getattr(own, name)
    if stated is None:
        stated = usual if isinstance(usual, Percent) else getattr(usual, name)
    if isinstance(stated, Percent):
        return None if whole is None else whole * stated.percent / 100.0
    return None if stated is None else float(stated)


def _faults_of(config: Config, units: HostLimits, name: ResourceName) -> Iterator[str]:
    capacity, available = units.capacity.get(name), units.available.get(name)
    reserve = units.reserve.or_zero(name)
    if capacity is not None and reserve > capacity:
        yield f"host.reserve.{name} = {reserve:g}: more than the host's {capacity:g}"
    floors: dict[str, float] = {}
    for node in config.nodes:
        low, high = units.nodes[node.name].minimum.get(name), units.nodes[node.name].maximum.get(name)
        where = f"nodes.{node.name}.min.{name}"
        if low is None:
            continue
        if available is not None and low > available + TOLERANCE:
            yield f"{where} = {low:g}: more than the {available:g} that capacity less reserve leaves"
        elif high is not None and low > high + TOLERANCE:
            yield f"{where} = {low:g}: more than the node's maximum, {high:g}"
        elif low > 0:
            floors[where] = low
    together = sum(floors.values())
    if available is not None and together > available + TOLERANCE:
        asked = " + ".join(floors)
        yield f"{asked} = {together:g}: more than the {available:g} that capacity less reserve leaves"
