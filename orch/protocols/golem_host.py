"""What the host says of a provider that runs on it: KVM, the room for what is offered, and open files.

Asked only where yagna is reached over loopback and the provider's files lie in a directory of this host.
Processes of other users are judged by what anybody may read of them; what cannot be known is not told. Sources:
ya-provider's and golemsp's own checks, yagna's notes on running out of file descriptors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from orch.model.base import Value
from orch.model.readings import Finding
from orch.model.wire import ToolCall
from orch.protocols.base import Endpoint
from orch.protocols.decode import decode, within
from orch.protocols.golem_memory import Agent, Host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.wire import Reply
    from orch.protocols.golem_memory import GolemMemory

HOST_S = 300.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")
KVM = "/dev/kvm"
PROVIDER = "ya-provider"
PROGRAMS = ("yagna", PROVIDER)
NEEDS_KVM = "vm"
"""Runtimes whose name begins so are virtual machines."""

MOST_BYTES = 10**18
FEWEST_FILES = 4096
"""The usual 1,024 do not last on hosts with many cores; the network advises 65,535."""

NEARLY_ALL = 0.8
LEAST_ROOM_GB = 2.0
"""Images of tasks are kept beside the provider's files."""


class _Disk(Value):
    total: int
    free: int


class _Device(Value):
    exists: bool


class _Process(Value):
    name: str
    pid: int
    open_files: int | None
    may_open: int | None
    device: bool | None


class _Look(Value):
    disk: _Disk | None
    device: _Device | None
    processes: list[_Process]


def host_endpoints(memory: GolemMemory) -> tuple[Endpoint, ...]:
    """One look at the host every five minutes, where the provider runs on it."""
    place = memory.options.provider_dir
    if "://" in place or memory.emulated or urlsplit(memory.options.url).hostname not in LOOPBACK:
        return ()
    path = str(Path(memory.context.base_dir, Path(place).expanduser()))
    body = json.dumps({"path": path, "device": KVM, "programs": PROGRAMS}).encode()
    question = ToolCall(tool="host", action="look", body=body, deadline_s=10.0)
    return (Endpoint(key="host", request=question, period_s=HOST_S, lane="slow", rank=20, probe=True),)


def read_host(reply: Reply) -> Host:
    """A look at the host.

    Raises:
        ShapeError: Another shape.
        AbsurdError: A figure that cannot be.
    """
    found = decode(reply, _Look, "host", content_type=None)
    free = None if found.disk is None else within(found.disk.free, "host: free", 0, MOST_BYTES)
    return Host(
        free_gb=None if free is None else free / 1e9,
        kvm=found.device is not None and found.device.exists,
        agents=tuple(
            Agent(
                name=each.name,
                pid=each.pid,
                open_files=each.open_files,
                may_open=each.may_open,
                device=each.device,
            )
            for each in found.processes
        ),
    )


def host_findings(memory: GolemMemory) -> Iterator[Finding]:
    """What stands in the way of work on this host."""
    if memory.host is not None and not memory.emulated:
        yield from _provider(memory, memory.host)
        yield from _kvm(memory, memory.host)
        yield from _room(memory, memory.host)
        for agent in memory.host.agents:
            yield from _files(agent)


def _provider(memory: GolemMemory, host: Host) -> Iterator[Finding]:
    """A daemon without its agent sells nothing, though its last offers live on for an hour."""
    running = {each.name for each in host.agents}
    selling = memory.presets is not None and bool(memory.presets.active)
    if selling and host.free_gb is not None and running and PROVIDER not in running:
        yield _finding(
            "provider_dead",
            "warning",
            "yagna runs on this host and ya-provider does not: nothing new is sold.",
            "start it (`golemsp run`, or its service); a stale `ya-provider.lock` after a power cut stops it",
        )


def _kvm(memory: GolemMemory, host: Host) -> Iterator[Finding]:
    """Whether the agent that runs here can start virtual machines, if it is to."""
    sells = memory.presets is None or any(each.startswith(NEEDS_KVM) for each in memory.presets.runtimes)
    providers = [each for each in host.agents if each.name == PROVIDER]
    if not sells or not providers:
        return
    if not host.kvm:
        yield _finding(
            "kvm_missing",
            "warning",
            f"{KVM} is missing: no virtual machine can run, and golemsp takes the preset off the market.",
            "enable virtualisation in the BIOS (or nested virtualisation of the host), and load the module kvm",
        )
    elif any(each.device is False for each in providers):
        yield _finding(
            "kvm_refused",
            "warning",
            f"ya-provider's user may not open {KVM}: no virtual machine can run.",
            "add that user to the group `kvm` (`usermod -aG kvm USER`) and start the provider anew",
        )


def _room(memory: GolemMemory, host: Host) -> Iterator[Finding]:
    """A running task has taken part of the room that is offered, so that then only a full disk is told."""
    if host.free_gb is None:
        return
    offered = memory.profile.storage_gb if memory.profile is not None else None
    if host.free_gb < LEAST_ROOM_GB:
        yield _finding(
            "disk_full",
            "warning",
            f"The provider's disk has {host.free_gb:.1f} GB free: images of tasks have no room.",
            "make room on it, or move ya-provider's data directory",
        )
    elif offered is not None and not memory.running and host.free_gb < offered:
        yield _finding(
            "disk_too_small",
            "warning",
            f"{offered:.0f} GB of storage are offered, and the provider's disk has {host.free_gb:.0f} GB free.",
            "lower storage_gib in hardware.json (`ya-provider profile update`), or make room on the disk",
        )


_RAISE = "raise its limit (`ulimit -n 65535`, LimitNOFILE= of its unit)"


def _files(agent: Agent) -> Iterator[Finding]:
    limit = agent.may_open
    if limit is None:
        return
    if agent.open_files is not None and agent.open_files > NEARLY_ALL * limit:
        yield _finding(
            "files_exhausted",
            "warning",
            f"{agent.name} ({agent.pid}) has {agent.open_files} of {limit} files open: at the limit it freezes.",
            f"{_RAISE}, and start it anew while no agreement runs",
        )
    elif limit < FEWEST_FILES:
        yield _finding(
            "files_few",
            "info",
            f"{agent.name} ({agent.pid}) may open {limit} files; hosts with many cores freeze there.",
            f"{_RAISE}, at its next start",
        )


def _finding(code: str, severity: Literal["info", "warning"], sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity=severity, sentence=sentence, remedy=remedy)
