"""The levers that this machine really has, each with something of our own to pull it on."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import tarfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench.hands_machine import READ, SET, FileNode
from orch.levers.cgroup import LEVER as CGROUP
from orch.levers.cgroup import CgroupOptions
from orch.levers.command import LEVER as COMMAND
from orch.levers.command import CommandOptions
from orch.levers.docker import LEVER as DOCKER
from orch.levers.docker import DockerOptions
from orch.levers.systemd import LEVER as SYSTEMD
from orch.levers.systemd import SystemdOptions
from orch.levers.tc import LEVER as TC
from orch.levers.tc import TcOptions
from orch.levers.together import FittedLever
from orch.model.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

NAME = "orch-bench"
PROGRAMS = "/usr/sbin:/usr/bin:/sbin:/bin"
ENGINE_START_S = 60.0
LEAST = Resources(cpu_cores=0.0, memory_gb=0.0, bandwidth_mbps=0.0)


class MissingError(Exception):
    """This machine lacks what it takes; the reason."""


def targets() -> dict[str, Callable[[], AbstractContextManager[FileNode]]]:
    """By kind of lever, how to get something it can be pulled on for as long as a block lasts.

    Entering a block raises MissingError where this machine has no such thing.
    """
    return {
        "cgroup": _cgroup,
        "command": _command,
        "docker": _docker,
        "systemd": _systemd,
        "tc": _tc,
        "storj_config": _of_the_operator("storage node", "test_lever_storj_config"),
        "golem_provider": _of_the_operator("provider", "test_yagna_engine"),
    }


def _node(spec: Any, options: Any, start: Resources) -> FileNode:
    lever = FittedLever(spec=spec, options=options, mode="auto", protocol="still")
    return FileNode(spec.kind, lever, start, LEAST)


def _need(*programs: str) -> None:
    if os.geteuid() != 0:
        raise MissingError("needs root")
    for program in programs:
        if shutil.which(program, path=PROGRAMS) is None:
            raise MissingError(f"{program} is not installed")


def _run(*words: str) -> None:
    try:
        subprocess.run(words, check=True, capture_output=True, text=True, timeout=30)
    except subprocess.CalledProcessError as error:
        raise MissingError(f"{words[0]} says: {error.stderr.strip()}") from error


def _of_the_operator(what: str, test: str) -> Callable[[], AbstractContextManager[FileNode]]:
    @contextmanager
    def refuse() -> Iterator[FileNode]:
        raise MissingError(f"a bench restarts nobody's {what}; tests/real/{test}.py tries it on one of its own")
        yield  # type: ignore[unreachable]

    return refuse


@contextmanager
def _cgroup() -> Iterator[FileNode]:
    _need()
    root, name = Path("/sys/fs/cgroup"), f"{NAME}-{os.getpid()}"
    second = (root / "cgroup.controllers").exists()
    places = [root / name] if second else [root / "cpu" / name, root / "memory" / name]
    with contextlib.ExitStack() as stack:
        for place in places:
            try:
                place.mkdir()
            except OSError as error:
                raise MissingError(f"control groups cannot be made: {error.strerror}") from error
            stack.callback(place.rmdir)
        yield _node(CGROUP, CgroupOptions(cgroup=name), Resources(cpu_cores=float(os.cpu_count() or 1)))


@contextmanager
def _command() -> Iterator[FileNode]:
    with TemporaryDirectory(prefix=f"{NAME}-") as name:
        place = Path(name) / "script"
        place.mkdir()
        for file, text in {
            "set": SET,
            "read": READ,
            "fault": "\n",
            "cpu_cores": "1\n",
            "memory_gb": "1\n",
        }.items():
            (place / file).write_text(text)
        options = CommandOptions(
            apply=("/bin/sh", str(place / "set")),
            read=("/bin/sh", str(place / "read")),
            sets=("cpu_cores", "memory_gb"),
        )
        yield _node(COMMAND, options, Resources(cpu_cores=1.0))


@contextmanager
def _systemd() -> Iterator[FileNode]:
    _need("systemd-run")
    if not Path("/run/systemd/system").is_dir():
        raise MissingError("systemd does not run this machine")
    unit = f"{NAME}-{os.getpid()}.service"
    _run("systemd-run", f"--unit={unit}", "--property=CPUAccounting=yes", "sleep", "600")
    try:
        yield _node(SYSTEMD, SystemdOptions(unit=unit), Resources(cpu_cores=float(os.cpu_count() or 1)))
    finally:
        _run("systemctl", "stop", unit)


@contextmanager
def _tc() -> Iterator[FileNode]:
    _need("ip", "tc")
    device = f"orchb{os.getpid()}"[:15]
    _run("ip", "link", "add", device, "type", "veth", "peer", "name", f"{device[:13]}p")
    try:
        _run("ip", "link", "set", device, "up")
        options = TcOptions(interface=device, link_mbps=1000.0)
        yield _node(TC, options, Resources(bandwidth_mbps=1000.0))
    finally:
        _run("ip", "link", "del", device)


@contextmanager
def _docker() -> Iterator[FileNode]:
    """A container on an engine of our own: no network, and an image of one static program."""
    _need("dockerd", "containerd", "busybox")
    with TemporaryDirectory(prefix=f"{NAME}-") as name, contextlib.ExitStack() as stack:
        place = Path(name)
        socket = f"unix://{place}/engine.sock"
        command = ["dockerd", "--host", socket, "--data-root", f"{place}/data", "--exec-root", f"{place}/exec"]
        command += ["--pidfile", f"{place}/pid", "--iptables=false", "--ip6tables=false", "--bridge=none"]
        command += ["--storage-driver=vfs", f"--cgroup-parent=/{NAME}"]
        log = stack.enter_context((place / "log").open("wb"))
        engine = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
        stack.callback(_end, engine)
        client = _connected(socket, engine, place)
        stack.callback(client.close)
        client.api.import_image_from_data(_image(), repository=NAME, tag="latest")
        sleeping = ["/bin/busybox", "sleep", "600"]
        container = client.containers.run(f"{NAME}:latest", sleeping, detach=True, network_mode="none")
        stack.callback(container.remove, force=True)
        options = DockerOptions(container=container.name, socket=socket)
        yield _node(DOCKER, options, Resources(cpu_cores=float(os.cpu_count() or 1)))


def _end(engine: subprocess.Popen[bytes]) -> None:
    engine.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        engine.wait(20)
    engine.kill()


def _connected(socket: str, engine: subprocess.Popen[bytes], place: Path) -> Any:
    import docker

    until, waiting = time.monotonic() + ENGINE_START_S, threading.Event()
    while time.monotonic() < until and engine.poll() is None:
        if Path(socket.removeprefix("unix://")).is_socket():
            with contextlib.suppress(docker.errors.DockerException):
                client = docker.DockerClient(base_url=socket, timeout=30)
                client.ping()
                return client
        waiting.wait(0.2)
    last = (place / "log").read_text(errors="replace").strip().splitlines()[-1:]
    raise MissingError(f"no Docker engine starts here: {' '.join(last)}")


def _image() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(str(shutil.which("busybox", path=PROGRAMS)), arcname="bin/busybox")
    return buffer.getvalue()
