"""A Docker engine of our own: its own data, its own socket, no network, an image of one static program."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import socket as sockets
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

START_S = 60.0
NAME = "orch-test"


@pytest.fixture(scope="module")
def docker_engine(tmp_path_factory):
    """A client of a running engine and its socket. Skipped with the reason where none can run."""
    if os.geteuid() != 0:
        pytest.skip("a Docker engine is started by root")
    for program in ("dockerd", "containerd", "busybox"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"{program} is not installed (apt install docker.io busybox-static)")
    import docker

    place = tmp_path_factory.mktemp("docker", numbered=True)
    socket = f"unix://{place}/engine.sock"
    log = (place / "log").open("wb")
    command = ["dockerd", "--host", socket, "--data-root", f"{place}/data", "--exec-root", f"{place}/exec"]
    command += ["--pidfile", f"{place}/pid", "--iptables=false", "--ip6tables=false", "--bridge=none"]
    command += ["--storage-driver=vfs", f"--cgroup-parent=/{NAME}"]
    _come_first()
    with subprocess.Popen(command, stdout=log, stderr=log) as engine:
        try:
            client = _connected(docker, socket, engine, place)
            client.api.import_image_from_data(_image(), repository=NAME, tag="latest")
            yield client, socket
            client.close()
        finally:
            engine.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                engine.wait(20)
            engine.kill()
            log.close()


def _come_first():
    """What is measured here is a limit: nothing else this machine does may limit it too."""
    for folder, file, weight in (("/cpu", "cpu.shares", "200000"), ("", "cpu.weight", "10000")):
        group = Path(f"/sys/fs/cgroup{folder}/{NAME}")
        with contextlib.suppress(OSError):
            group.mkdir(exist_ok=True)
            (group / file).write_text(weight)


def _connected(docker, socket, engine, place):
    until = time.monotonic() + START_S
    while time.monotonic() < until and engine.poll() is None:
        # The library leaves a socket open when nobody listens yet.
        if _listens(socket):
            client = docker.DockerClient(base_url=socket, timeout=30)
            client.ping()
            return client
        with contextlib.suppress(subprocess.TimeoutExpired):
            engine.wait(0.3)
    last = (place / "log").read_text(errors="replace").strip().splitlines()[-1:]
    return pytest.skip(f"no Docker engine starts here: {' '.join(last)}")


def _listens(socket):
    with sockets.socket(sockets.AF_UNIX) as trial:
        try:
            trial.connect(socket.removeprefix("unix://"))
        except OSError:
            return False
    return True


def _image():
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(busybox, arcname="bin/busybox")
    return buffer.getvalue()


@contextlib.contextmanager
def busy_container(client, *, held_bytes=0, **limits):
    """A container that holds so much memory and never pauses; removed when the block ends."""
    hold = f"x=$(/bin/busybox head -c {held_bytes} /dev/zero | /bin/busybox tr '\\0' x)"
    command = ["/bin/busybox", "sh", "-c", f"{hold}; while :; do :; done"]
    container = client.containers.run(
        f"{NAME}:latest", command, detach=True, network_mode="none", cpu_shares=200_000, **limits
    )
    try:
        container.reload()
        yield container
    finally:
        container.remove(force=True)
