"""A machine for the levers in one directory: nodes that are files, and a log of all that changed them.

The levers read and write the files by their own code, as they would a real node's. What stands behind the files is
played here: the storage node and the provider's agent, each with what it runs with apart from what its file says,
the kernel's control groups, and the operator's own programs. Everything outlives a `kill -9`, for it is on disk.

The log has a line before and one after each change of a limit that is in force: a change cut off between them
counts as both values.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orch.levers.cgroup import LEVER as CGROUP
from orch.levers.cgroup import CgroupOptions
from orch.levers.command import LEVER as COMMAND
from orch.levers.command import CommandOptions
from orch.levers.golem_provider import LEVER as GOLEM
from orch.levers.golem_provider import GolemProviderOptions
from orch.levers.storj_config import LEVER as STORJ
from orch.levers.storj_config import StorjConfigOptions
from orch.levers.together import FittedLever
from orch.model.resources import RESOURCES, Resources
from orch.model.wire import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

GIB_GB = 1.073741824
CPU_PERIOD_US = 100_000
PROGRAM_DEADLINE_S = 0.5
HANG_S = 5.0
SPARE = 0.05
"""Of what all nodes have: so little is free that a grant before its release would be too much."""
GRAIN = 0.0011
"""Amounts are set in thousandths, and a provider's memory in GiB."""

# Each change is one `mv`, between two lines of the log.
SET = r"""#!/bin/sh
cd "${0%/*}" || exit 2
read -r goal
read -r fault <fault
case $fault in
refuse) echo "not today" >&2; exit 1 ;;
ignore) exit 0 ;;
hang) sleep HANG ;;
esac
for name in cpu_cores memory_gb; do
  value=${goal#*\"$name\":}
  [ "$value" = "$goal" ] && continue
  value=${value%%[,\}]*}
  echo "before script $name $value" >>../log
  echo "$value" >$name.new && mv $name.new $name
  echo "after script $name $value" >>../log
  [ "$fault" = half ] && exit 0
done
exit 0
"""
READ = r"""#!/bin/sh
cd "${0%/*}" || exit 2
read -r cores <cpu_cores && read -r memory <memory_gb || exit 1
echo "{\"allocation\":{\"cpu_cores\":$cores,\"memory_gb\":$memory}}"
"""
RESTART = r"""#!/bin/sh
cd "${0%/*}" || exit 2
read -r fault <fault
case $fault in
refuse) echo "no such unit" >&2; exit 1 ;;
ignore) exit 0 ;;
hang) sleep HANG ;;
esac
while read -r key value unit; do
  [ "$key" = storage.allocated-disk-space: ] || continue
  echo "before disk storage_gb $value" >>../log
  echo "$value" >running.new && mv running.new running
  echo "after disk storage_gb $value" >>../log
done <config.yaml
exit 0
"""
CONFIG = """# how much disk space may be used
storage.allocated-disk-space: {size} GB
# the wallet
operator.wallet: "0x0000000000000000000000000000000000000000"
"""


@dataclass(frozen=True)
class FileNode:
    """A node, its lever, what it has at the beginning, and the least and the most it may be given."""

    name: str
    lever: FittedLever
    start: Resources
    least: Resources
    most: Resources = field(default_factory=Resources)


class Machine:
    """The nodes of one round in their directory, made anew or found again after a crash.

    Args:
        folder: Theirs alone.
        seed: Which nodes there are, and what they have.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        chance = random.Random(seed)
        self.folder = folder
        self.journal = folder / "journal.jsonl"
        kinds = chance.sample(("disk", "compute", "script", "group1", "group2"), chance.randint(3, 5))
        self.nodes = tuple(_NODES[kind](folder, kind, chance) for kind in sorted(kinds))
        self.capacity = {
            name: sum(node.start.or_zero(name) for node in self.nodes) * (1 + SPARE) for name in RESOURCES
        }

    def make(self) -> None:
        """Put the files there."""
        for node in self.nodes:
            (self.folder / node.name).mkdir(parents=True)
            _MAKE[node.name](self.folder / node.name, node.start)
        (self.folder / "log").touch()

    def note(self, when: str, node: str, name: str, value: float) -> None:
        """One line of the log, by one write."""
        handle = os.open(self.folder / "log", os.O_WRONLY | os.O_APPEND)
        os.write(handle, f"{when} {node} {name} {value!r}\n".encode())
        os.close(handle)

    def tell(self, what: str) -> None:
        """Something happened that is to be counted, also when whoever saw it is killed."""
        handle = os.open(self.folder / "events", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, f"{what}\n".encode())
        os.close(handle)

    def told(self) -> Counter[str]:
        """What happened, and how often."""
        events = self.folder / "events"
        return Counter(events.read_text().splitlines()) if events.exists() else Counter()

    def note_all(self) -> None:
        """What is in force now, nothing being under way: whatever was cut off has or has not happened."""
        for node in self.nodes:
            for name, value in self.in_force(node.name).known():
                self.note("after", node.name, name, value)

    def in_force(self, node: str) -> Resources:
        """The limits that a node runs with, read past the levers."""
        return _IN_FORCE[node](self.folder / node)

    def written(self, node: str) -> Resources:
        """What a node's files say besides: what it would run with after its next start, a group's soft limit."""
        return _WRITTEN.get(node, _IN_FORCE[node])(self.folder / node)

    def too_much(self) -> Iterator[str]:
        """The lines of the log at which more was given out than there is."""
        may_be: dict[tuple[str, str], set[float]] = {
            (node.name, name): {amount} for node in self.nodes for name, amount in node.start.known()
        }
        for number, line in enumerate((self.folder / "log").read_text().splitlines(), 1):
            when, node, name, value = line.split()
            values = may_be[node, name]
            if when == "after":
                values.clear()
            values.add(float(value))
            given = sum(max(values) for (_, each), values in may_be.items() if each == name)
            if given > self.capacity[name] + GRAIN * len(self.nodes):  # type: ignore[index]
                yield f"line {number} of the log ({line}): {given:g} of {self.capacity[name]:g} {name}"  # type: ignore[index]


def same(found: Resources, wanted: Resources) -> bool:
    """Whether all known amounts of `wanted` are in force, to the grain that levers write."""
    return all(abs(found.or_zero(name) - amount) <= GRAIN for name, amount in wanted.known())


# -- the nodes -----------------------------------------------------------------------------------------------


def _fit(spec: Any, options: Any) -> FittedLever:
    return FittedLever(spec=spec, options=options, mode="auto", protocol="still")


def _disk(folder: Path, name: str, chance: random.Random) -> FileNode:
    place = folder / name
    options = StorjConfigOptions(
        path=str(place / "config.yaml"),
        restart=("/bin/sh", str(place / "restart")),
        program=f"no-such-program-{os.getpid()}",
        restart_timeout_s=PROGRAM_DEADLINE_S,
        ready_timeout_s=60.0,
    )
    start = Resources(storage_gb=float(chance.randint(2000, 6000)))
    return FileNode(name, _fit(STORJ, options), start, Resources(storage_gb=600.0))


def _compute(folder: Path, name: str, chance: random.Random) -> FileNode:
    options = GolemProviderOptions(path=str(folder / name), app_key=Secret(value="key"))
    start = Resources(
        cpu_cores=float(chance.randint(3, 8)), memory_gb=_gb(chance, 8, 16), storage_gb=_gb(chance, 900, 1500)
    )
    return FileNode(name, _fit(GOLEM, options), start, Resources(cpu_cores=1.0, memory_gb=1.0, storage_gb=100.0))


def _script(folder: Path, name: str, chance: random.Random) -> FileNode:
    place = folder / name
    options = CommandOptions(
        apply=("/bin/sh", str(place / "set")),
        read=("/bin/sh", str(place / "read")),
        sets=("cpu_cores", "memory_gb"),
        timeout_s=PROGRAM_DEADLINE_S,
    )
    start = Resources(cpu_cores=round(chance.uniform(1, 4), 2), memory_gb=_gb(chance, 2, 8))
    return FileNode(name, _fit(COMMAND, options), start, Resources(cpu_cores=0.2, memory_gb=0.2))


def _group(folder: Path, name: str, chance: random.Random) -> FileNode:
    options = CgroupOptions(cgroup="node", mount=str(folder / name))
    start = Resources(cpu_cores=round(chance.uniform(0.3, 0.8), 2), memory_gb=_gb(chance, 1, 2))
    # All of this machine would be no limit, which these files do not tell apart.
    most = Resources(cpu_cores=0.9 * (os.cpu_count() or 1), memory_gb=2.5)
    return FileNode(name, _fit(CGROUP, options), start, Resources(cpu_cores=0.05, memory_gb=0.3), most)


def _gb(chance: random.Random, least: float, most: float) -> float:
    return round(chance.uniform(least, most), 3)


_NODES = {"disk": _disk, "compute": _compute, "script": _script, "group1": _group, "group2": _group}


def _make_disk(place: Path, start: Resources) -> None:
    size = f"{start.or_zero('storage_gb'):g}"
    (place / "config.yaml").write_text(CONFIG.format(size=size))
    (place / "running").write_text(f"{size}\n")
    _make_program(place, "restart", RESTART)


def _make_compute(place: Path, start: Resources) -> None:
    profile = {
        "cpu_threads": round(start.or_zero("cpu_cores")),
        "mem_gib": start.or_zero("memory_gb") / GIB_GB,
        "storage_gib": start.or_zero("storage_gb") / GIB_GB,
    }
    (place / "hardware.json").write_text(json.dumps({"active": "default", "profiles": {"default": profile}}))
    (place / "presets.json").write_text(json.dumps({"active": ["vm"], "presets": [{"name": "vm"}]}))
    (place / "published").write_text(json.dumps(profile))


def _make_script(place: Path, start: Resources) -> None:
    for name, amount in start.known():
        (place / name).write_text(f"{amount!r}\n")
    _make_program(place, "set", SET)
    _make_program(place, "read", READ)


def _make_group(place: Path, start: Resources) -> None:
    """Files in the shape of version 2; only what the levers use of them."""
    (place / "cgroup.controllers").write_text("cpu memory\n")
    group = place / "node"
    group.mkdir()
    limit = round(start.or_zero("memory_gb") * 1e9)
    quota = round(start.or_zero("cpu_cores") * CPU_PERIOD_US)
    for name, text in {
        "cpu.max": f"{quota} {CPU_PERIOD_US}",
        "memory.max": str(limit),
        "memory.high": str(limit),
        "memory.current": "100000000",
    }.items():
        (group / name).write_text(f"{text}\n")


def _make_program(place: Path, name: str, text: str) -> None:
    (place / name).write_text(text.replace("HANG", f"{HANG_S:g}"))
    (place / "fault").write_text("\n")


_MAKE = {
    "disk": _make_disk,
    "compute": _make_compute,
    "script": _make_script,
    "group1": _make_group,
    "group2": _make_group,
}


# -- what they run with --------------------------------------------------------------------------------------


def _disk_runs(place: Path) -> Resources:
    return Resources(storage_gb=float((place / "running").read_text()))


def _disk_says(place: Path) -> Resources:
    lines = (place / "config.yaml").read_text().splitlines()
    (size,) = (line.split()[1] for line in lines if line.startswith("storage.allocated-disk-space:"))
    return Resources(storage_gb=float(size))


def profile_limits(profile: Mapping[str, Any]) -> Resources:
    """A provider's profile as limits."""
    return Resources(
        cpu_cores=float(profile["cpu_threads"]),
        memory_gb=round(profile["mem_gib"] * GIB_GB, 3),
        storage_gb=round(profile["storage_gib"] * GIB_GB, 3),
    )


def _compute_runs(place: Path) -> Resources:
    return profile_limits(json.loads((place / "published").read_bytes()))


def _compute_says(place: Path) -> Resources:
    return profile_limits(json.loads((place / "hardware.json").read_bytes())["profiles"]["default"])


def _script_runs(place: Path) -> Resources:
    return Resources(
        cpu_cores=float((place / "cpu_cores").read_text()), memory_gb=float((place / "memory_gb").read_text())
    )


def _group_runs(place: Path) -> Resources:
    return _group_limits(place, "memory.max")


def _group_says(place: Path) -> Resources:
    return _group_limits(place, "memory.high")


def _group_limits(place: Path, memory: str) -> Resources:
    quota, period = first_line((place / "node" / "cpu.max").read_bytes()).split()
    return Resources(
        cpu_cores=int(quota) / int(period), memory_gb=int(first_line((place / "node" / memory).read_bytes())) / 1e9
    )


def first_line(body: bytes) -> bytes:
    """What a file of the kernel would hold: in a common one a shorter value leaves the end of a longer one."""
    return body.partition(b"\n")[0] + b"\n"


_IN_FORCE = {
    "disk": _disk_runs,
    "compute": _compute_runs,
    "script": _script_runs,
    "group1": _group_runs,
    "group2": _group_runs,
}
_WRITTEN = {"disk": _disk_says, "compute": _compute_says, "group1": _group_says, "group2": _group_says}
