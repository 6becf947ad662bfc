"""What running costs: electricity of the cores a node keeps busy, and of the idle host."""

from __future__ import annotations

from orch.model.base import Value


class RunningCosts(Value):
    """A flat tariff and a linear power model: `watts_idle` for the host, `watts_per_core` for each busy core."""

    usd_per_kwh: float | None = None
    watts_idle: float = 0.0
    watts_per_core: float = 0.0


def node_cost(costs: RunningCosts, cpu_used: float | None) -> float | None:
    """USD per hour that a node's busy cores cost; None when the tariff or the use is unknown."""
    if costs.usd_per_kwh is None or cpu_used is None:
        return None
    return costs.usd_per_kwh * costs.watts_per_core * cpu_used / 1000.0


def idle_cost(costs: RunningCosts) -> float | None:
    """USD per hour of the host doing nothing; None when the tariff is unknown."""
    return None if costs.usd_per_kwh is None else costs.usd_per_kwh * costs.watts_idle / 1000.0
