"""What the saga has to know besides the plan: how slow each node's lever is, and what counts as equal."""

from __future__ import annotations

import msgspec

from orch.model.base import Value
from orch.model.resources import ResourceName, Resources
from orch.reallocation.windows import Windows


class MoveLimits(Value):
    """How often nodes may be moved: seconds of the clock between moves of one node, moves of the host per hour.

    `dwell_s` has the nodes that their levers want left alone for longer once one of some resources was set,
    `window_s` how long their money takes to speak: after a move that lost they rest as long. The budgets per day
    count any 24 hours, None for no bound. `windows` are when orch may move by itself.
    """

    min_hold_s: float = 3600.0
    max_moves_per_hour: int = 2
    max_moves_per_day: int | None = None
    max_moves_per_node_per_day: int | None = None
    windows: Windows = Windows()
    dwell_s: dict[str, dict[ResourceName, float]] = msgspec.field(default_factory=dict)
    window_s: dict[str, float] = msgspec.field(default_factory=dict)

    def hold_s(self, node: str, resource: ResourceName) -> float:
        """How long a node rests after a resource was moved: only what takes a restart asks for a long rest."""
        return max(self.min_hold_s, self.dwell_s.get(node, {}).get(resource, 0.0))


class LeverTiming(Value):
    """How slow one node's levers are, the slowest of them counting.

    `downtime_s`: seconds of the node's income lost per pull, `pause_s` by what is changed. `settle_s`: seconds of
    the clock until a change can be read back at the earliest. `deadline_s`: real seconds after which a change did
    not take.
    """

    downtime_s: float = 0.0
    settle_s: float = 0.0
    deadline_s: float = 60.0
    pause_s: dict[ResourceName, float] = msgspec.field(default_factory=dict)

    def pause_of(self, changed: Resources) -> float:
        """Seconds of the node's income that setting these resources costs: the dearest of them counts."""
        pauses = [self.pause_s.get(name, self.downtime_s) for name, _ in changed.known()]
        return max(pauses, default=self.downtime_s)


class SagaSettings(Value):
    """The saga's patience. Seconds are real ones.

    `levers` has a node's timing by its name, `usual` is for nodes without one. Two amounts are equal when they
    differ by at most `tolerance` of the wanted amount or by `grain`, the finest amount worth telling apart.
    """

    levers: dict[str, LeverTiming] = msgspec.field(default_factory=dict)
    usual: LeverTiming = LeverTiming()
    tolerance: float = 0.005
    grain: Resources = Resources(cpu_cores=0.01, memory_gb=0.01, bandwidth_mbps=0.1, storage_gb=0.1)
    preflight_deadline_s: float = 30.0
    read_every_s: float = 2.0
    undo_attempts: int = 4
    undo_pause_s: float = 5.0
    resume_after_s: float = 3.0

    def timing(self, node: str) -> LeverTiming:
        """How slow the levers of a node are."""
        return self.levers.get(node, self.usual)

    def equal(self, name: ResourceName, read: float | None, wanted: float) -> bool:
        """Whether an amount read back is the wanted one; an unknown amount never is."""
        if read is None:
            return False
        return abs(read - wanted) <= max(self.tolerance * abs(wanted), self.grain.or_zero(name))

    def took(self, read: Resources, wanted: Resources) -> bool:
        """Whether all known amounts of `wanted` were read back."""
        return all(self.equal(name, read.get(name), amount) for name, amount in wanted.known())
