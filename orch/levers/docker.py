"""The lever of Docker containers: cores and memory while they run, and whether they run.

https://docs.docker.com/reference/api/engine/ (containers/{id}/update, start, stop). A container made with `--cpus`
carries NanoCpus and refuses a quota; one made with a quota refuses NanoCpus: what it has is what is set. No limit
means the whole machine. Where it may be switched, no core at all means stopped: a container that is off uses
nothing, and one that is paused only looks dead to its network.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from orch.errors import LeverError
from orch.levers.asking import call, grain, machine, order_body, refuse_below_use
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.resources import Resources
from orch.model.wire import ToolCall

if TYPE_CHECKING:
    from orch.model.resources import ResourceName

PERIOD_US = 100_000
NANO = 1_000_000_000
LEAST = 0.001
"""Less than this of a core or of a GB is none."""
NOTHING = Resources(cpu_cores=0.0, memory_gb=0.0)
START_DEADLINE_S = 60.0
SWITCH_DWELL_S = 6 * 3600.0
"""A network that sees a node come and go trusts it less: hours, not minutes, between a stop and a start."""


class DockerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The container by name (an id changes when it is made anew), and the engine's socket if not the usual one.

    `switch`: it is stopped when it shall have no core, and started when it shall have some again. It is given
    `stop_timeout_s` to end by itself before it is killed; `start_s` of its income are lost by a stop and a start.
    """

    container: str
    socket: str | None = None
    switch: bool = False
    stop_timeout_s: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 300
    start_s: Annotated[float, msgspec.Meta(ge=0.0, le=86_400.0)] = 600.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", self.container):
            message = "container must be the name of a container"
            raise ValueError(message)


class _State(msgspec.Struct, rename="pascal"):
    running: bool


class _HostConfig(msgspec.Struct, rename="pascal"):
    nano_cpus: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory: int = 0


class _Container(msgspec.Struct, rename="pascal"):
    id: str
    state: _State
    host_config: _HostConfig


class _Memory(msgspec.Struct):
    usage: int
    stats: dict[str, int] = {}


class _Stats(msgspec.Struct):
    memory_stats: _Memory


class DockerLever:
    """Sets the cores and the memory of a container, and starts and stops it."""

    kind = "docker"
    options = DockerOptions
    target = ("container",)
    cannot = (
        "set storage or bandwidth",
        "change what is fixed when a container is made: its environment, its ports, its volumes",
        "start or stop it, unless `switch` is set; nor keep one off that somebody else starts",
        "plan for a node that is off: what orch stopped for good, a person starts again (docker start)",
        "give back a limit that was never there: one of the whole machine takes its place",
    )

    def sets(self, protocol: str, options: DockerOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """Cores and memory."""
        return ("cpu_cores", "memory_gb")

    def cost(self, protocol: str, options: DockerOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """Next to nothing: the container goes on; where it may be switched, a stop and a start."""
        if options.switch:
            deadline = options.stop_timeout_s + 60.0
            return CostPrior(downtime_s=options.start_s, settle_s=0.0, deadline_s=deadline, dwell_s=SWITCH_DWELL_S)
        return CostPrior(downtime_s=0.0, settle_s=0.0, deadline_s=60.0)

    def read(self, options: DockerOptions) -> Task[LeverReading]:
        """The limits in force, none of anything while it is off. Raises LeverError where it cannot be asked."""
        found = yield from _inspect(options)
        if options.switch and not found.state.running:
            return LeverReading(allocation=NOTHING, used=NOTHING)
        whole = yield from machine()
        limits = found.host_config
        cores = whole.or_zero("cpu_cores")
        if limits.nano_cpus:
            cores = limits.nano_cpus / NANO
        elif limits.cpu_quota > 0:
            cores = limits.cpu_quota / (limits.cpu_period or PERIOD_US)
        memory_gb = min(limits.memory / 1e9 or math.inf, whole.or_zero("memory_gb"))
        used_gb = grain((yield from _used_bytes(options)) / 1e9) if found.state.running else None
        return LeverReading(
            allocation=Resources(cpu_cores=grain(cores), memory_gb=grain(memory_gb)),
            used=Resources(memory_gb=used_gb),
        )

    def apply(self, options: DockerOptions, goal: Resources) -> Task[None]:
        """Set cores and memory in one order, before it is started where it is off; or stop it.

        Raises:
            LeverError: Not running, or it uses more memory than the limit would leave it; nothing was changed.
        """
        found = yield from _inspect(options)
        if options.switch and _is_off(goal):
            yield from _order(options, "stop", deadline_s=options.stop_timeout_s + 30.0)
            return
        if not found.state.running and not options.switch:
            raise LeverError(f"the container {options.container} does not run")
        whole = yield from machine()
        least = grain(whole.or_zero("memory_gb"))
        if found.state.running and goal.memory_gb is not None and goal.memory_gb < least:
            name = f"the container {options.container}"
            refuse_below_use(name, (yield from _used_bytes(options)), goal.memory_gb)
        update = {**_cores(found.host_config, goal, whole), **_memory(goal, whole)}
        order = order_body({"container": options.container, "update": update})
        yield from call(ToolCall(tool="docker", action="update", body=order, socket=options.socket), dict)
        if not found.state.running:
            yield from _order(options, "start", deadline_s=START_DEADLINE_S)

    def describe(self, options: DockerOptions, goal: Resources) -> str:
        """The command that does the same."""
        if options.switch and _is_off(goal):
            return f"docker stop -t {options.stop_timeout_s} {options.container}"
        parts = []
        if goal.cpu_cores is not None:
            parts.append(f"--cpus {goal.cpu_cores:g}")
        if goal.memory_gb is not None:
            parts.append(f"--memory {round(goal.memory_gb * 1e9)}b")
        start = f", and docker start {options.container} if it is off" if options.switch else ""
        return f"docker update {' '.join(parts)} {options.container}{start}"


def _is_off(goal: Resources) -> bool:
    """Whether no core, or no memory, is to be had: neither can be set, so it means stopped."""
    return any(amount is not None and amount < LEAST for amount in (goal.cpu_cores, goal.memory_gb))


def _order(options: DockerOptions, action: str, *, deadline_s: float) -> Task[None]:
    body = order_body({"container": options.container, "stop_timeout_s": options.stop_timeout_s})
    order = ToolCall(tool="docker", action=action, body=body, socket=options.socket, deadline_s=deadline_s)
    yield from call(order, dict)


def _inspect(options: DockerOptions) -> Task[_Container]:
    order = order_body({"container": options.container})
    question = ToolCall(tool="docker", action="inspect", body=order, socket=options.socket, deadline_s=10.0)
    return (yield from call(question, _Container))


def _used_bytes(options: DockerOptions) -> Task[int]:
    """Memory that a running container cannot give back: its use less the file cache, as `docker stats` counts."""
    order = order_body({"container": options.container})
    found = yield from call(ToolCall(tool="docker", action="stats", body=order, socket=options.socket), _Stats)
    cache = found.memory_stats.stats
    return max(0, found.memory_stats.usage - cache.get("total_inactive_file", cache.get("inactive_file", 0)))


def _cores(limits: _HostConfig, goal: Resources, whole: Resources) -> dict[str, int]:
    if goal.cpu_cores is None:
        return {}
    all_of_it = goal.cpu_cores >= whole.or_zero("cpu_cores")
    if limits.nano_cpus:
        return {"NanoCpus": round(min(goal.cpu_cores, whole.or_zero("cpu_cores")) * NANO)}
    if all_of_it:
        return {"CpuQuota": -1}
    return {"CpuPeriod": PERIOD_US, "CpuQuota": round(goal.cpu_cores * PERIOD_US)}


def _memory(goal: Resources, whole: Resources) -> dict[str, int]:
    if goal.memory_gb is None:
        return {}
    if goal.memory_gb >= grain(whole.or_zero("memory_gb")):
        # Engines refuse to take a limit away: one of the whole machine limits nothing.
        size = round(whole.or_zero("memory_gb") * 1e9)
        return {"Memory": size, "MemorySwap": 2 * size}
    size = round(goal.memory_gb * 1e9)
    # Swap must never be below memory, and an update of one alone is refused where the other contradicts it.
    return {"Memory": size, "MemorySwap": size}


LEVER: LeverSpec = DockerLever()
