"""How a change would be made, for a person who reads it: by the levers there are, or by hand where there are none.

By hand there are the nodes' own settings (a storage node's `storage.allocated-disk-space`, a provider's profile)
and the system's limits (`docker update`, `systemctl set-property`, `tc`), which hold for any program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from orch.levers.asking import grain
from orch.model.fleet import MODES, Mode
from orch.model.resources import resources

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from orch.levers.together import FittedLever
    from orch.model.resources import ResourceName, Resources

GIB_GB = 1.073741824


class Advice(NamedTuple):
    """What is done, in words or commands. `lever` is None as soon as a person has to do part of it."""

    does: tuple[str, ...]
    lever: str | None = None
    mode: Mode | None = None


def advise(levers: tuple[FittedLever, ...], protocol: str, options: Mapping[str, Any], goal: Resources) -> Advice:
    """How a node would get to a goal.

    Args:
        levers: The node's, in the order in which they are tried.
        protocol: The node's.
        options: What is configured of the node, by key; where its files lie is taken from it.
        goal: What it shall have; unknown amounts stay.
    """
    left = dict(goal.known())
    does: list[str] = []
    kinds: list[str] = []
    modes: list[Mode] = []
    for fitted in levers:
        part: dict[ResourceName, float | None] = {name: left.pop(name) for name in fitted.sets() if name in left}
        if part:
            does.append(fitted.lever.describe(fitted.options, resources(part)))
            kinds.append(fitted.lever.kind)
            modes.append(fitted.mode)
    if left:
        does.extend(by_hand(protocol, options, left))
        return Advice(tuple(does))
    return Advice(tuple(does), "+".join(kinds) or None, min(modes, key=MODES.index, default=None))


def by_hand(protocol: str, options: Mapping[str, Any], wanted: Mapping[ResourceName, float]) -> tuple[str, ...]:
    """The commands that set these amounts for a node of a protocol; names in <> are the reader's to fill in."""
    left = dict(wanted)
    said: list[str] = []
    if protocol == "golem":
        said.extend(_golem(options, left))
    if protocol == "storj" and "storage_gb" in left:
        said.extend(_storj(options, left.pop("storage_gb")))
    said.extend(_system(left))
    return tuple(said)


def _golem(options: Mapping[str, Any], left: dict[ResourceName, float]) -> Iterator[str]:
    parts = []
    if "cpu_cores" in left:
        parts.append(f"--cpu-threads {round(left.pop('cpu_cores'))}")
    if "memory_gb" in left:
        parts.append(f"--mem-gib {left.pop('memory_gb') / GIB_GB:.4f}")
    if "storage_gb" in left:
        parts.append(f"--storage-gib {left.pop('storage_gb') / GIB_GB:.4f}")
    if parts:
        where = f"DATA_DIR={options['provider_dir']} " if options.get("provider_dir") else ""
        yield f"{where}ya-provider profile update --name default {' '.join(parts)}"
        yield "(name the profile that `ya-provider profile active` tells; running agreements keep their size)"


def _storj(options: Mapping[str, Any], amount_gb: float) -> Iterator[str]:
    size = f"{grain(amount_gb):g}"
    where = options.get("config_path") or "<the node's config.yaml>"
    yield f"set `storage.allocated-disk-space: {size} GB` in {where}, then systemctl restart storagenode"
    yield f'(in Docker: docker stop -t 300 storagenode, docker rm it, and run it again with -e STORAGE="{size}GB")'


def _system(left: Mapping[ResourceName, float]) -> Iterator[str]:
    cores, memory, mbps = left.get("cpu_cores"), left.get("memory_gb"), left.get("bandwidth_mbps")
    docker, systemd = [], []
    if cores is not None:
        docker.append(f"--cpus {grain(cores):g}")
        systemd.append(f"CPUQuota={grain(cores) * 100:g}%")
    if memory is not None:
        octets = round(memory * 1e9)
        docker.append(f"--memory {octets}b --memory-swap {octets}b")
        systemd.append(f"MemoryHigh={octets} MemoryMax={octets}")
    if docker:
        yield f"docker update {' '.join(docker)} <its container>"
        yield f"(or: systemctl set-property <its unit> {' '.join(systemd)})"
    if mbps is not None:
        rate = f"rate {grain(mbps):g}mbit burst 64kb latency 50ms"
        yield f"tc qdisc replace dev <its interface> root tbf {rate}"
    if "storage_gb" in left:
        yield f"let it use at most {grain(left['storage_gb']):g} GB of disk, by its own settings"
