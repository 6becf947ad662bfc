"""This machine: what it has, what is used now, and what one node's processes use.

Sources: psutil; sched_getaffinity(2); the CPU and memory controllers of cgroups v2 and v1
(kernel documentation, admin-guide/cgroup-v2 and cgroup-v1).
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from orch.model.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GB = 1e9
SHORTEST_LOOK_S = 0.05
"""Two looks closer than this say nothing about a rate: the earlier figure stands."""
RESCAN_S = 15.0


def measure_capacity(data_dir: Path, *, root: Path = Path("/")) -> Resources:
    """What this process could give away: cores, memory, and the disk under `data_dir`.

    Cores respect the CPU affinity and the quotas of all enclosing cgroups, memory their limits.
    Bandwidth cannot be measured by looking and stays unknown.

    Args:
        data_dir: Need not exist yet; its nearest existing parent is taken.
        root: Where `proc` and `sys` are; replaced in tests.
    """
    cores = float(len(os.sched_getaffinity(0)))
    memory = float(psutil.virtual_memory().total)
    for quota, limit in _cgroup_limits(root):
        cores = min(cores, quota)
        memory = min(memory, limit)
    storage = psutil.disk_usage(str(_existing(data_dir))).total
    return Resources(cpu_cores=cores, memory_gb=memory / GB, storage_gb=storage / GB)


def _existing(path: Path) -> Path:
    full = path.absolute()
    return next((each for each in (full, *full.parents) if each.is_dir()), Path("/"))


def _cgroup_limits(root: Path) -> Iterator[tuple[float, float]]:
    """Cores and bytes allowed by this process's cgroups and their parents; infinite where unlimited."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for name in controllers.split(",") if controllers else ("",):
            top = mounted / name
            inside = top / path.lstrip("/")
            # Inside a container the path may be the host's: then the mount point itself is our group.
            here = inside if inside.is_dir() and ".." not in Path(path).parts else top
            for group in (here, *here.parents):
                if not group.is_relative_to(top):
                    break
                yield _limits_of(group, name)


def _limits_of(group: Path, controller: str) -> tuple[float, float]:
    quota, limit = math.inf, math.inf
    if controller == "":
        allowed, _, period = _read(group / "cpu.max").partition(" ")
        quota = _ratio(allowed, period)
        limit = _positive(_read(group / "memory.max"))
    elif controller == "cpu":
        quota = _ratio(_read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us"))
    elif controller == "memory":
        limit = _positive(_read(group / "memory.limit_in_bytes"))
    return quota, limit


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _positive(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and int(text) > 0 else math.inf


def _ratio(part: str, whole: str) -> float:
    divisor = _positive(whole)
    return _positive(part) / divisor if divisor < math.inf else math.inf


class PsutilHost:
    """The `Host` port: what all programs of this machine use now.

    Rates (cores, Mbit/s) are means since the call before; the first call counts from construction.

    Args:
        data_dir: Its disk is the one reported.
        monotonic: Seconds that never step back; replaced in tests.
    """

    def __init__(self, data_dir: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._disk = str(_existing(data_dir))
        self._monotonic = monotonic
        self._cores: float | None = None
        self._mbps: float | None = None
        self._look()

    def used(self) -> Resources:
        """Cores, GB of memory not available, Mbit/s in both directions together, GB of the data disk."""
        if self._monotonic() - self._looked >= SHORTEST_LOOK_S:
            looked, busy, octets = self._looked, self._busy, self._octets
            self._look()
            seconds = self._looked - looked
            self._cores = max(self._busy - busy, 0.0) / seconds
            # Interfaces come, go and start again at 0: only growth of one seen before counts.
            grown = sum(max(now - octets[name], 0) for name, now in self._octets.items() if name in octets)
            self._mbps = grown * 8 / 1e6 / seconds
        memory = psutil.virtual_memory()
        return Resources(
            cpu_cores=self._cores,
            memory_gb=(memory.total - memory.available) / GB,
            bandwidth_mbps=self._mbps,
            storage_gb=self._disk_used(),
        )

    def _look(self) -> None:
        times = psutil.cpu_times()
        self._busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        self._octets = _octets()
        self._looked = self._monotonic()

    def _disk_used(self) -> float | None:
        try:
            return psutil.disk_usage(self._disk).used / GB
        except OSError:
            return None


def _octets() -> dict[str, int]:
    """Bytes in and out by interface: the physical ones, or all but loopback where none is physical.

    A container's traffic passes its virtual interface, a bridge and the physical one: counted once.
    """
    counters = psutil.net_io_counters(pernic=True)
    octets = {name: each.bytes_sent + each.bytes_recv for name, each in counters.items() if name != "lo"}
    physical = {name: count for name, count in octets.items() if Path(f"/sys/class/net/{name}/device").exists()}
    return physical or octets


class ProcessUsage:
    """What the processes of one node use: those of a name, or one by its number, with all their children.

    Args:
        target: A process name, a number, or the path of a file that holds a number.
        monotonic: Seconds that never step back; replaced in tests.
    """

    def __init__(self, target: str | int | Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._monotonic = monotonic
        self._family: dict[int, psutil.Process] = {}
        self._spent: dict[psutil.Process, float] = {}
        self._scanned: float | None = None
        self._looked: float | None = None
        self._cores: float | None = None

    def used(self) -> Resources:
        """Cores (mean since the call before) and GB of resident memory; unknown when there is no such process."""
        now = self._monotonic()
        if self._scanned is None or now - self._scanned >= RESCAN_S or not self._all_run():
            self._family = {each.pid: each for each in _family(self._roots())}
            self._scanned = now
        spent, resident = self._measure()
        if not spent:
            self._spent, self._looked, self._cores = {}, None, None
            return Resources()
        if self._looked is None or now - self._looked >= SHORTEST_LOOK_S:
            if self._looked is not None:
                # When a process seen for the first time spent its time is not known: it counts from now on.
                grown = sum(seconds - self._spent[each] for each, seconds in spent.items() if each in self._spent)
                self._cores = max(grown, 0.0) / (now - self._looked)
            self._spent, self._looked = spent, now
        return Resources(cpu_cores=self._cores, memory_gb=resident / GB)

    def _all_run(self) -> bool:
        return bool(self._family) and all(each.is_running() for each in self._family.values())

    def _measure(self) -> tuple[dict[psutil.Process, float], int]:
        spent: dict[psutil.Process, float] = {}
        resident = 0
        for each in self._family.values():
            try:
                with each.oneshot():
                    times = each.cpu_times()
                    memory = each.memory_info().rss
            except psutil.Error:
                continue
            spent[each] = times.user + times.system
            resident += memory
        return spent, resident

    def _roots(self) -> list[int]:
        target = self._target
        if isinstance(target, Path):
            text = _read(target)
            return [int(text)] if text.isascii() and text.isdigit() else []
        if isinstance(target, int):
            return [target]
        return [each.pid for each in psutil.process_iter(["name"]) if each.info["name"] == target]


def _family(roots: list[int]) -> Iterator[psutil.Process]:
    """The processes and all their descendants, each once."""
    if not roots:
        return
    children: dict[int, list[psutil.Process]] = {}
    known: dict[int, psutil.Process] = {}
    for each in psutil.process_iter(["ppid"]):
        known[each.pid] = each
        children.setdefault(each.info["ppid"], []).append(each)
    waiting, seen = [known[pid] for pid in roots if pid in known], set[int]()
    while waiting:
        each = waiting.pop()
        if each.pid not in seen:
            seen.add(each.pid)
            yield each
            waiting += children.get(each.pid, [])
