"""What is measured on, and what a process tree costs there."""

from __future__ import annotations

import os
import platform
import threading
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Self

PACKAGES = ("duckdb", "numpy", "msgspec", "pykka", "requests", "highspy", "litestar")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, str | int]:
    """The processor, the system, and the versions of what the figures depend on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def load() -> list[float]:
    """The load averages of one, five and fifteen minutes: who else was at work."""
    return [round(each, 2) for each in os.getloadavg()]


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


@dataclass(frozen=True)
class Memory:
    """Of a process tree, in MB (a million bytes). `pss` shares what is mapped by others too, `rss` does not."""

    pss: float
    rss: float


def tree(pid: int) -> tuple[int, ...]:
    """A process and all that descend from it; those that have ended are left out."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        try:
            tasks = list(Path(f"/proc/{each}/task").iterdir())
        except OSError:
            continue
        found.append(each)
        for task in tasks:
            with suppress(OSError):  # threads come and go; the process is still there
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return tuple(found)


def memory(pid: int) -> Memory:
    """What a process tree holds now, by the kernel's own sums (`smaps_rollup`)."""
    pss = rss = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
        pss, rss = pss + sizes["Pss"], rss + sizes["Rss"]
    return Memory(pss=pss * 1024 / 1e6, rss=rss * 1024 / 1e6)


def cpu_s(pid: int) -> float:
    """Seconds of a core that a process tree has used, its ended children with it."""
    total = 0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS_PER_S


class MemoryWatch:
    """Looks at a process tree's memory again and again while its block runs."""

    def __init__(self, pid: int, every_s: float) -> None:
        self._pid = pid
        self._every_s = every_s
        self._ended = threading.Event()
        self._seen: list[Memory] = []
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def peak(self) -> Memory:
        """The largest of each."""
        return Memory(pss=max(each.pss for each in self._seen), rss=max(each.rss for each in self._seen))

    def usual(self) -> Memory:
        """The median of each."""
        return Memory(pss=median(each.pss for each in self._seen), rss=median(each.rss for each in self._seen))

    def _look(self) -> None:
        while True:
            self._seen.append(memory(self._pid))
            if self._ended.wait(self._every_s):
                return
