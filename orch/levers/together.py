"""Several levers of one node pulled as one: each sets the resources it can, in the order of configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.errors import LeverError
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.base import Value
from orch.model.fleet import Mode
from orch.model.resources import RESOURCES, Resources, combine, resources

if TYPE_CHECKING:
    from orch.model.resources import ResourceName


class FittedLever(Value):
    """A lever as configured for one node."""

    spec: Any
    options: Any
    mode: Mode
    protocol: str

    @property
    def lever(self) -> LeverSpec:
        """The kind of lever."""
        spec: LeverSpec = self.spec
        return spec

    def sets(self) -> tuple[ResourceName, ...]:
        """The resources it can set here."""
        return self.lever.sets(self.protocol, self.options)


def read_all(levers: tuple[FittedLever, ...]) -> Task[LeverReading]:
    """The limits in force, as all levers state them; the first lever that knows a resource is believed."""
    together = LeverReading(allocation=Resources())
    for fitted in levers:
        found = yield from fitted.lever.read(fitted.options)
        together = LeverReading(
            allocation=together.allocation.filled(found.allocation),
            committed=_larger(together.committed, found.committed),
            used=together.used.filled(found.used),
        )
    return together


def apply_all(levers: tuple[FittedLever, ...], goal: Resources) -> Task[None]:
    """Set every known resource of `goal` by the first lever that can. Raises LeverError when one is left over."""
    left = dict(goal.known())
    for fitted in levers:
        part: dict[ResourceName, float | None] = {n: left.pop(n) for n in fitted.sets() if n in left}
        if part:
            yield from fitted.lever.apply(fitted.options, resources(part))
    if left:
        raise LeverError(f"no lever of this node sets {', '.join(left)}")


def dwells(levers: tuple[FittedLever, ...]) -> dict[ResourceName, float]:
    """For how long a node has to be left alone after each resource was set, by the lever that sets it."""
    found: dict[ResourceName, float] = {}
    for fitted in levers:
        dwell_s = fitted.lever.cost(fitted.protocol, fitted.options).dwell_s
        for name in fitted.sets():
            found.setdefault(name, dwell_s)
    return found


def pauses(levers: tuple[FittedLever, ...]) -> dict[ResourceName, float]:
    """How many seconds of a node's income a change of each resource costs, by the lever that sets it."""
    found: dict[ResourceName, float] = {}
    for fitted in levers:
        cost = fitted.lever.cost(fitted.protocol, fitted.options)
        for name in fitted.sets():
            paused = cost.pauses is None or name in cost.pauses
            found.setdefault(name, cost.downtime_s if paused else 0.0)
    return found


def pegged(levers: tuple[FittedLever, ...]) -> tuple[Any, Any, Any] | None:
    """The first lever that keeps a price near its peg: itself, its options, the peg."""
    for fitted in levers:
        peg_of = getattr(fitted.spec, "peg", None)
        peg = None if peg_of is None else peg_of(fitted.options)
        if peg is not None:
            return fitted.spec, fitted.options, peg
    return None


def settable(levers: tuple[FittedLever, ...]) -> tuple[ResourceName, ...]:
    """The resources that some lever of a node sets."""
    sets = {name for fitted in levers for name in fitted.sets()}
    return tuple(name for name in RESOURCES if name in sets)


def together_cost(levers: tuple[FittedLever, ...]) -> CostPrior:
    """The cost prior of a node: the worst of its levers, for one change may pull them all."""
    costs = [fitted.lever.cost(fitted.protocol, fitted.options) for fitted in levers]
    return CostPrior(
        downtime_s=max((cost.downtime_s for cost in costs), default=0.0),
        settle_s=max((cost.settle_s for cost in costs), default=0.0),
        deadline_s=max((cost.deadline_s for cost in costs), default=60.0),
        dwell_s=max((cost.dwell_s for cost in costs), default=0.0),
        verify_s=max((cost.verify_s for cost in costs if cost.verify_s is not None), default=None),
        read_every_s=max((cost.read_every_s for cost in costs), default=120.0),
    )


def _larger(a: Resources, b: Resources) -> Resources:
    return combine(lambda x, y: y if x is None else x if y is None else max(x, y), a, b)
