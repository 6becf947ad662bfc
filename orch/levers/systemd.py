"""The lever of systemd units: processor time and memory by the properties of a running unit.

systemd.resource-control(5), org.freedesktop.systemd1(5): `SetUnitProperties`, for this boot or for good. No limit
means the whole machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from orch.errors import LeverError
from orch.levers.asking import call, grain, machine, order_body, refuse_below_use
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.resources import Resources
from orch.model.wire import ToolCall

if TYPE_CHECKING:
    from orch.model.resources import ResourceName

INFINITY = (1 << 64) - 1
SECOND_US = 1_000_000
KINDS = ("service", "scope", "slice")


class SystemdOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The unit, whether its limits outlive a reboot (`persistent`), and the bus if not the system's."""

    unit: str
    persistent: bool = False
    socket: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9@_.:\\-]+", self.unit) or self.unit.rpartition(".")[2] not in KINDS:
            message = f"unit must be the whole name of a unit, ending in .{', .'.join(KINDS)}"
            raise ValueError(message)


class _Unit(msgspec.Struct):
    state: str = msgspec.field(name="ActiveState")
    quota_us: int = msgspec.field(name="CPUQuotaPerSecUSec")
    memory_high: int = msgspec.field(name="MemoryHigh")
    memory_max: int = msgspec.field(name="MemoryMax")
    memory_current: int = msgspec.field(name="MemoryCurrent")


class SystemdLever:
    """Sets the cores and the memory of a unit."""

    kind = "systemd"
    options = SystemdOptions
    target = ("unit",)
    cannot = (
        "set storage or bandwidth",
        "start or stop the unit",
        "keep a limit over a reboot, unless it is configured as persistent",
        "give back what a drop-in of yours said before: the whole machine is then stated in its place",
    )

    def sets(self, protocol: str, options: SystemdOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """Cores and memory."""
        return ("cpu_cores", "memory_gb")

    def cost(self, protocol: str, options: SystemdOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """Next to nothing: the unit goes on."""
        return CostPrior(downtime_s=0.0, settle_s=0.0, deadline_s=30.0)

    def read(self, options: SystemdOptions) -> Task[LeverReading]:
        """The limits in force. Raises LeverError when there is no such unit, or it does not run."""
        unit = yield from _unit(options)
        whole = yield from machine()
        all_cores, all_gb = whole.or_zero("cpu_cores"), whole.or_zero("memory_gb")
        cores = all_cores if unit.quota_us == INFINITY else min(unit.quota_us / SECOND_US, all_cores)
        memory_gb = all_gb if unit.memory_max == INFINITY else min(unit.memory_max / 1e9, all_gb)
        used = None if unit.memory_current == INFINITY else grain(unit.memory_current / 1e9)
        return LeverReading(
            allocation=Resources(cpu_cores=grain(cores), memory_gb=grain(memory_gb)),
            used=Resources(memory_gb=used),
        )

    def apply(self, options: SystemdOptions, goal: Resources) -> Task[None]:
        """Set memory, the soft limit first, and cores.

        The soft limit makes the kernel take back what the unit can do without, such as cached files; only what is
        in use after that says whether a hard limit would kill it.

        Raises:
            LeverError: No such unit, not running, or it uses more memory than the limit would leave it: its limits
                are then as before.
        """
        unit = yield from _unit(options)
        whole = yield from machine()
        if goal.memory_gb is not None:
            size = INFINITY if goal.memory_gb >= grain(whole.or_zero("memory_gb")) else round(goal.memory_gb * 1e9)
            yield from _set(options, {"MemoryHigh": size})
            if size != INFINITY:
                yield from _refuse_what_kills(options, unit, goal.memory_gb)
            yield from _set(options, {"MemoryMax": size})
        if goal.cpu_cores is not None:
            all_of_it = goal.cpu_cores >= whole.or_zero("cpu_cores")
            quota = INFINITY if all_of_it else round(goal.cpu_cores * SECOND_US)
            yield from _set(options, {"CPUQuotaPerSecUSec": quota})

    def describe(self, options: SystemdOptions, goal: Resources) -> str:
        """The command that does the same."""
        parts = []
        if goal.cpu_cores is not None:
            parts.append(f"CPUQuota={goal.cpu_cores * 100:g}%")
        if goal.memory_gb is not None:
            parts.append(f"MemoryHigh={round(goal.memory_gb * 1e9)} MemoryMax={round(goal.memory_gb * 1e9)}")
        how = "" if options.persistent else "--runtime "
        return f"systemctl set-property {how}{options.unit} {' '.join(parts)}"


def _refuse_what_kills(options: SystemdOptions, before: _Unit, memory_gb: float) -> Task[None]:
    """Raise LeverError, with the soft limit put back, where the unit still uses more than fits."""
    used = (yield from _unit(options)).memory_current
    try:
        refuse_below_use(options.unit, 0 if used == INFINITY else used, memory_gb)
    except LeverError:
        yield from _set(options, {"MemoryHigh": before.memory_high})
        raise


def _set(options: SystemdOptions, properties: dict[str, int]) -> Task[None]:
    order = {"unit": options.unit, "properties": properties, "runtime": not options.persistent}
    yield from call(ToolCall(tool="systemd", action="set", body=order_body(order), socket=options.socket), dict)


def _unit(options: SystemdOptions) -> Task[_Unit]:
    names = ("ActiveState", "CPUQuotaPerSecUSec", "MemoryHigh", "MemoryMax", "MemoryCurrent")
    body = order_body({"unit": options.unit, "names": names})
    unit = yield from call(ToolCall(tool="systemd", action="get", body=body, socket=options.socket), _Unit)
    if unit.state != "active":
        raise LeverError(f"the unit {options.unit} is {unit.state}")
    return unit


LEVER: LeverSpec = SystemdLever()
