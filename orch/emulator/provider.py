"""Golem's hand-written files and the agent that watches them, and the split that suits this host best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.emulator.facts import FLOORS, HOST, NODES, RESERVE, NodeName, as_dict
from orch.emulator.golem import CPU_ATTO_HOUR, ENV_ATTO_HOUR, GB_PER_THREAD, GIB_PER_GB, Offer
from orch.model.resources import RESOURCES, ResourceName, Resources, resources

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = ("hardware.json", "presets.json")


class Provider(msgspec.Struct):
    """The two files as written, and what the agent last made of them.

    `selling` is what it offers from `due_s` on; before that, `earlier`, until the moment `asked_s`: offers are
    gone in between.
    """

    files: dict[str, bytes]
    selling: Offer | None
    asked_s: float = 0.0
    due_s: float = 0.0


def begin(limits: Mapping[ResourceName, float]) -> Provider:
    """A provider with one profile and one preset at the network's default prices."""
    profile = _profile(limits)
    hardware = {"active": "default", "profiles": {"default": profile}}
    presets = {
        "ver": "V1",
        "active": ["vm"],
        "presets": [
            {
                "name": "vm",
                "exeunit-name": "vm",
                "pricing-model": "linear",
                "initial-price": 0.0,
                "usage-coeffs": {"golem.usage.cpu_sec": 0.025 / 3600, "golem.usage.duration_sec": 0.005 / 3600},
            }
        ],
    }
    files = {"hardware.json": _dump(hardware), "presets.json": _dump(presets)}
    fresh = Provider(files, None)
    fresh.selling = _read(files)
    return fresh


def _dump(document: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _profile(limits: Mapping[ResourceName, float]) -> dict[str, float]:
    return {
        "cpu_threads": int(limits["cpu_cores"] + 1e-9),
        "mem_gib": limits["memory_gb"] * GIB_PER_GB,
        "storage_gib": limits["storage_gb"] * GIB_PER_GB,
    }


def _read(files: Mapping[str, bytes]) -> Offer | None:
    """What the agent would offer with these files; None when no preset is active.

    Raises ValueError, TypeError or KeyError (all that a file can be wrong in) for files it would reject.
    """
    hardware: Any = msgspec.json.decode(files["hardware.json"])
    presets: Any = msgspec.json.decode(files["presets.json"])
    profile = hardware["profiles"][hardware["active"]]
    threads = profile["cpu_threads"]
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise TypeError("cpu_threads must be an integer")
    most = as_dict(HOST)
    by_name = {preset["name"]: preset for preset in presets["presets"]}
    active = [by_name[name] for name in presets["active"]]
    if not active:
        return None
    coefficients = active[0]["usage-coeffs"]
    return Offer(
        threads=min(max(threads, 1), int(most["cpu_cores"])),
        mem_gib=min(max(float(profile["mem_gib"]), 0.1), most["memory_gb"] * GIB_PER_GB),
        storage_gib=min(max(float(profile["storage_gib"]), 0.1), most["storage_gb"] * GIB_PER_GB),
        cpu_atto=_atto_per_hour(coefficients.get("golem.usage.cpu_sec", 0.0), CPU_ATTO_HOUR),
        env_atto=_atto_per_hour(coefficients.get("golem.usage.duration_sec", 0.0), ENV_ATTO_HOUR),
        start_atto=round(float(active[0]["initial-price"]) * 1e18),
    )


def _atto_per_hour(per_second: float, usual: int) -> int:
    """Atto-GLM per hour of a price in GLM per second; the usual price exactly, for 0.025/3600 is not a float."""
    atto = round(float(per_second) * 3600 * 1e18)
    return usual if abs(atto - usual) <= usual * 1e-12 else atto


def write(provider: Provider, name: str, body: bytes, asked_s: float, due_s: float) -> None:
    """Write a file. What the agent cannot read changes nothing."""
    provider.files[name] = body
    try:
        selling = _read(provider.files)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return
    if selling != provider.selling:
        provider.selling, provider.asked_s, provider.due_s = selling, asked_s, due_s


def set_profile(provider: Provider, limits: Mapping[ResourceName, float], asked_s: float, due_s: float) -> None:
    """Edit the active profile, keeping everything else in the file."""
    try:
        hardware: Any = msgspec.json.decode(provider.files["hardware.json"])
        hardware["profiles"][hardware["active"]] = _profile(limits)
    except (ValueError, TypeError, KeyError):
        hardware = {"active": "default", "profiles": {"default": _profile(limits)}}
    write(provider, "hardware.json", _dump(hardware), asked_s, due_s)


def offer(provider: Provider, second: float) -> Offer | None:
    """What is on offer at a Unix second; None while offers are being published anew or none is active."""
    return None if provider.asked_s <= second < provider.due_s else provider.selling


def offer_for(provider: Provider, limits: Mapping[ResourceName, float]) -> Offer | None:
    """What would be on offer with other limits and the present prices."""
    if provider.selling is None:
        return None
    profile = _profile(limits)
    return msgspec.structs.replace(
        provider.selling,
        threads=int(profile["cpu_threads"]),
        mem_gib=profile["mem_gib"],
        storage_gib=profile["storage_gib"],
    )


def size(offered: Offer) -> dict[ResourceName, float]:
    """The resources that an agreement takes: the whole profile."""
    return {
        "cpu_cores": float(offered.threads),
        "memory_gb": offered.mem_gib / GIB_PER_GB,
        "storage_gb": offered.storage_gib / GIB_PER_GB,
    }


def sizes(provider: Provider) -> dict[ResourceName, float] | None:
    """The limits that the files ask for: nothing without an active preset, None if it cannot read them."""
    try:
        read = _read(provider.files)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None
    return {"cpu_cores": 0.0, "memory_gb": 0.0, "storage_gb": 0.0} if read is None else size(read)


def best_split() -> dict[NodeName, Resources]:
    """All that is free beyond the floors: whole cores and memory to compute, storage and the rest to the disk."""
    split = {node: as_dict(amounts) for node, amounts in FLOORS.items()}
    free = {
        name: HOST.or_zero(name) - RESERVE.or_zero(name) - sum(split[node][name] for node in NODES)
        for name in RESOURCES
    }
    threads = int(free["cpu_cores"])
    split["compute"]["cpu_cores"] += threads
    split["disk"]["cpu_cores"] += free["cpu_cores"] - threads
    needed = max(0.0, split["compute"]["cpu_cores"] * GB_PER_THREAD * 1.25 - split["compute"]["memory_gb"])
    memory = min(free["memory_gb"], needed)
    split["compute"]["memory_gb"] += memory
    split["disk"]["memory_gb"] += free["memory_gb"] - memory
    split["disk"]["bandwidth_mbps"] += free["bandwidth_mbps"]
    split["disk"]["storage_gb"] += free["storage_gb"]
    return {node: resources(amounts) for node, amounts in split.items()}
