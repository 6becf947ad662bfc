"""The lever of control groups: processor time and memory by the kernel's own files, version 1 and 2.

https://docs.kernel.org/admin-guide/cgroup-v2.html and .../cgroup-v1/memory.html. An unlimited group has the
whole machine; giving it the whole machine takes the limit away. Memory gets its soft limit first, which makes the
kernel take back what the group can do without, and then no hard limit that it still exceeds: that would kill it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from orch.errors import LeverError
from orch.levers.asking import content, content_if_there, grain, machine, refuse_below_use, write
from orch.levers.base import CostPrior, LeverReading, LeverSpec, Task
from orch.model.base import Value
from orch.model.resources import Resources
from orch.model.wire import FileWrite

if TYPE_CHECKING:
    from orch.model.resources import ResourceName

PERIOD_US = 100_000
LEAST_QUOTA_US = 1_000
UNLIMITED_BYTES = 1 << 60
PAGE_BYTES = 65_536
"""The largest page of any kernel: limits are kept in whole ones."""


class CgroupOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which group: its `cgroup` path below the mount, else that of a `unit`, else of the process in `pidfile`.

    `program` must be the name of that process, so that a number used again by another is noticed.
    """

    cgroup: str | None = None
    unit: str | None = None
    pidfile: str | None = None
    program: str | None = None
    mount: str = "/sys/fs/cgroup"

    def __post_init__(self) -> None:
        if self.cgroup is None and self.unit is None and self.pidfile is None:
            message = "needs one of cgroup, unit and pidfile"
            raise ValueError(message)
        if self.cgroup is not None and (".." in self.cgroup.split("/") or not self.cgroup.strip("/")):
            message = "cgroup must be the path of a group below the root, such as system.slice/storagenode.service"
            raise ValueError(message)
        if self.cgroup is None and self.unit is None and self.program is None:
            message = "pidfile needs program, the name of the process it belongs to"
            raise ValueError(message)


class _Group(Value):
    """Where the files of one group are."""

    version: int
    cpu: str
    memory: str
    machine: Resources


class CgroupLever:
    """Sets the cores and the memory of a control group."""

    kind = "cgroup"
    options = CgroupOptions
    target = ("mount", "cgroup", "unit", "pidfile")
    cannot = (
        "set storage or bandwidth",
        "keep a limit over a restart of the group or the machine: the next reading finds it gone",
        "limit a group that systemd or Docker may set as well: use their lever for theirs",
    )

    def sets(self, protocol: str, options: CgroupOptions) -> tuple[ResourceName, ...]:  # noqa: ARG002 - the contract's signature
        """Cores and memory."""
        return ("cpu_cores", "memory_gb")

    def cost(self, protocol: str, options: CgroupOptions) -> CostPrior:  # noqa: ARG002 - the contract's signature
        """Next to nothing: the kernel acts at once."""
        return CostPrior(downtime_s=0.0, settle_s=0.0, deadline_s=30.0)

    def read(self, options: CgroupOptions) -> Task[LeverReading]:
        """The limits in force and the memory in use. Raises LeverError when the group is gone."""
        group = yield from _find(options)
        cores = yield from _cores(group)
        limit_bytes = yield from _number(_memory_file(group, "limit"))
        memory_bytes = UNLIMITED_BYTES if limit_bytes < 0 else limit_bytes
        used_bytes = yield from _used_bytes(group)
        whole = group.machine
        memory_gb = min(memory_bytes / 1e9, whole.or_zero("memory_gb"))
        return LeverReading(
            allocation=Resources(
                cpu_cores=grain(min(cores, whole.or_zero("cpu_cores"))), memory_gb=grain(memory_gb)
            ),
            used=Resources(memory_gb=grain(used_bytes / 1e9)),
        )

    def apply(self, options: CgroupOptions, goal: Resources) -> Task[None]:
        """Set memory and cores; an amount of the whole machine or more takes the limit away.

        Raises:
            LeverError: The group is gone, or it uses more memory than the limit would leave it: its limits are
                then as before.
        """
        group = yield from _find(options)
        if goal.memory_gb is not None:
            yield from _set_memory(group, goal.memory_gb)
        if goal.cpu_cores is not None:
            yield from _set_cores(group, goal.cpu_cores)

    def describe(self, options: CgroupOptions, goal: Resources) -> str:
        """The limits that would be written."""
        parts = []
        if goal.cpu_cores is not None:
            parts.append(f"{goal.cpu_cores:g} cores of processor time")
        if goal.memory_gb is not None:
            parts.append(f"{goal.memory_gb:g} GB of memory")
        which = options.cgroup or options.unit or f"the process in {options.pidfile}"
        return f"limit the control group of {which} to {' and '.join(parts) or 'what it has'}"


def _find(options: CgroupOptions) -> Task[_Group]:
    controllers = yield from content_if_there(f"{options.mount}/cgroup.controllers")
    whole = yield from machine()
    if options.cgroup is not None:
        places = dict.fromkeys(("cpu", "memory", ""), options.cgroup)
    elif options.unit is not None:
        places = yield from _places_of_unit(options.unit, options.mount, v2=controllers is not None)
    else:
        places = yield from _places_of(options)
    if controllers is not None:
        where = f"{options.mount}/{places.get('', '').strip('/')}"
        return _Group(version=2, cpu=where, memory=where, machine=whole)
    cpu, memory = places.get("cpu", ""), places.get("memory", "")
    if not cpu.strip("/") or not memory.strip("/"):
        raise LeverError("the node is in the root group, which cannot be limited: give it a group of its own")
    return _Group(
        version=1,
        cpu=f"{options.mount}/cpu/{cpu.strip('/')}",
        memory=f"{options.mount}/memory/{memory.strip('/')}",
        machine=whole,
    )


def _places_of_unit(unit: str, mount: str, *, v2: bool) -> Task[dict[str, str]]:
    """A unit's group: below system.slice, unless a service of its own slice says otherwise."""
    name = unit if "." in unit else f"{unit}.service"
    if not re.fullmatch(r"[A-Za-z0-9@_.:\\-]+", name):
        raise LeverError(f"{unit} is not the name of a unit")
    place = f"system.slice/{name}"
    probe = f"{mount}/{place}/cgroup.procs" if v2 else f"{mount}/cpu/{place}/cgroup.procs"
    if (yield from content_if_there(probe)) is None:
        raise LeverError(f"the unit {name} has no control group {place}: is it running?")
    return dict.fromkeys(("cpu", "memory", ""), place)


def _places_of(options: CgroupOptions) -> Task[dict[str, str]]:
    text = (yield from content(str(options.pidfile))).decode(errors="replace").strip()
    if not text.isdigit():
        raise LeverError(f"{options.pidfile} does not hold a process number")
    name = yield from content_if_there(f"/proc/{text}/comm")
    if name is None:
        raise LeverError(f"the process {text} in {options.pidfile} does not run any more")
    # The kernel keeps 15 characters of a name.
    if name.decode(errors="replace").strip() != str(options.program)[:15]:
        raise LeverError(
            f"the process {text} in {options.pidfile} is {name.decode(errors='replace').strip()}, "
            f"not {options.program}: nothing was touched"
        )
    lines = (yield from content(f"/proc/{text}/cgroup")).decode().splitlines()
    found: dict[str, str] = {}
    for line in lines:
        _, names, path = line.split(":", 2)
        found |= dict.fromkeys(names.split(","), path)
    if not found.get("", "/").strip("/") and "cpu" not in found:
        raise LeverError(f"the process {text} is in the root group, which cannot be limited")
    return found


def _cores(group: _Group) -> Task[float]:
    if group.version == 2:
        text = (yield from content(f"{group.cpu}/cpu.max")).split()
        quota, period = (None if text[0] == b"max" else int(text[0])), int(text[1])
    else:
        number = yield from _number(f"{group.cpu}/cpu.cfs_quota_us")
        quota = None if number < 0 else number
        period = yield from _number(f"{group.cpu}/cpu.cfs_period_us")
    return group.machine.or_zero("cpu_cores") if quota is None else quota / period


def _set_cores(group: _Group, cores: float) -> Task[None]:
    whole = cores >= group.machine.or_zero("cpu_cores") - 1e-9
    quota = max(round(cores * PERIOD_US), LEAST_QUOTA_US)
    if group.version == 2:
        yield from _put(f"{group.cpu}/cpu.max", f"{'max' if whole else quota} {PERIOD_US}")
        return
    period = yield from _number(f"{group.cpu}/cpu.cfs_period_us")
    if not whole and period != PERIOD_US:
        # A quota is judged against the period it finds, so it goes away before the period changes.
        yield from _put(f"{group.cpu}/cpu.cfs_quota_us", "-1")
        yield from _put(f"{group.cpu}/cpu.cfs_period_us", str(PERIOD_US))
    yield from _put(f"{group.cpu}/cpu.cfs_quota_us", "-1" if whole else str(quota))


def _set_memory(group: _Group, memory_gb: float) -> Task[None]:
    whole = memory_gb >= grain(group.machine.or_zero("memory_gb"))
    nothing = "max" if group.version == 2 else "-1"
    text = nothing if whole else str(round(memory_gb * 1e9))
    soft = _memory_file(group, "soft")
    if whole:
        yield from _put_soft(soft, text)
        yield from _put(_memory_file(group, "limit"), text)
        return
    refuse_below_use("the group", (yield from _used_bytes(group)), memory_gb)
    before = (yield from content(soft)).decode().strip()
    try:
        yield from _put_soft(soft, text)
        refuse_below_use("the group", (yield from _used_bytes(group)), memory_gb)
        yield from _put(_memory_file(group, "limit"), text)
    except LeverError:
        yield from _put(soft, before)
        raise


def _put_soft(path: str, text: str) -> Task[None]:
    """A soft limit is not read back later, so it is looked at now: a low one left behind slows the node down."""
    yield from _put(path, text)
    kept = yield from _number(path)
    unlimited = kept < 0 or kept >= UNLIMITED_BYTES
    took = abs(kept - int(text)) <= PAGE_BYTES if text.isdigit() else unlimited
    if not took:
        raise LeverError(f"{path} did not take {text}: it still says {kept}")


def _used_bytes(group: _Group) -> Task[int]:
    """Memory that cannot be taken back at once: what is charged to the group less its cached files not in use."""
    charged = yield from _number(_memory_file(group, "used"))
    statistics = (yield from content_if_there(f"{group.memory}/memory.stat")) or b""
    counts = dict(line.split(b" ", 1) for line in statistics.splitlines() if b" " in line)
    cached = counts.get(b"total_inactive_file", counts.get(b"inactive_file", b"0"))
    return max(0, charged - int(cached)) if cached.isdigit() else charged


def _memory_file(group: _Group, which: str) -> str:
    names = (
        {"limit": "memory.max", "soft": "memory.high", "used": "memory.current"}
        if group.version == 2
        else {
            "limit": "memory.limit_in_bytes",
            "soft": "memory.soft_limit_in_bytes",
            "used": "memory.usage_in_bytes",
        }
    )
    return f"{group.memory}/{names[which]}"


def _number(path: str) -> Task[int]:
    text = (yield from content(path)).strip()
    if text == b"max":
        return UNLIMITED_BYTES
    try:
        return int(text)
    except ValueError as error:
        raise LeverError(f"{path} does not hold a number") from error


def _put(path: str, text: str) -> Task[None]:
    yield from write(FileWrite(path=path, body=f"{text}\n".encode(), in_place=True))


LEVER: LeverSpec = CgroupLever()
