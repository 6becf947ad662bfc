"""The containers of this host, read from Docker's own socket: plain HTTP, no library.

API: https://docs.docker.com/reference/api/engine/ (`/containers/json`, `/containers/{id}/json`). Only reads.
"""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

import msgspec

from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Container as Collection
    from pathlib import Path

WITHIN_S = 3.0
LARGEST = 8_000_000


class Published(Value):
    """A port of a container, and where this host offers it."""

    inside: int
    address: str
    port: int


class Mount(Value):
    """A directory of this host inside a container."""

    source: str
    destination: str


class ContainerSeen(Value):
    """One container.

    `environment` holds the variables that were asked for and no others: the rest may be secrets. `command` is
    its arguments; they are looked through and never shown.
    """

    id: str
    name: str
    image: str
    running: bool
    published: tuple[Published, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()

    def variable(self, name: str) -> str | None:
        """One of the environment variables that were asked for."""
        return dict(self.environment).get(name)


class _Listed(msgspec.Struct, rename="pascal"):
    id: str
    image: str = ""
    state: str = ""
    names: list[str] = []


class _Binding(msgspec.Struct):
    host_ip: str = msgspec.field(name="HostIp", default="")
    host_port: str = msgspec.field(name="HostPort", default="")


class _Config(msgspec.Struct, rename="pascal"):
    env: list[str] | None = None
    cmd: list[str] | None = None


class _Network(msgspec.Struct, rename="pascal"):
    ports: dict[str, list[_Binding] | None] | None = None


class _Mounted(msgspec.Struct, rename="pascal"):
    source: str = ""
    destination: str = ""


class _Inspected(msgspec.Struct, rename="pascal"):
    config: _Config = msgspec.field(default_factory=_Config)
    network_settings: _Network = msgspec.field(default_factory=_Network)
    mounts: list[_Mounted] | None = None


class _UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=WITHIN_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(WITHIN_S)
        self.sock.connect(str(self._path))


def read_containers(
    path: Path, images: tuple[str, ...], variables: Collection[str]
) -> tuple[tuple[ContainerSeen, ...], str | None]:
    """The containers, also stopped ones, whose image or name holds one of the words; and why there are none.

    Args:
        path: Docker's socket.
        images: Words to look for in images and names.
        variables: The environment variables that may be kept.

    Returns:
        The containers, and a sentence when Docker could not be asked (None when it was, or is not installed).
    """
    if not path.exists():
        return (), None
    try:
        listed = msgspec.json.decode(_get(path, "/containers/json?all=1"), type=list[_Listed])
        found = [each for each in listed if _fits(each, images)]
        return tuple(_inspect(path, each, variables) for each in found), None
    except PermissionError:
        return (), f"Docker's socket {path} may not be read by this user"
    except (OSError, HTTPException, msgspec.MsgspecError, UnicodeDecodeError) as error:
        return (), f"Docker at {path} could not be asked ({type(error).__name__})"


def _fits(container: _Listed, words: tuple[str, ...]) -> bool:
    named = " ".join((container.image, *container.names)).lower()
    return any(word in named for word in words)


def _inspect(path: Path, listed: _Listed, variables: Collection[str]) -> ContainerSeen:
    told = msgspec.json.decode(_get(path, f"/containers/{listed.id}/json"), type=_Inspected)
    pairs = (each.partition("=") for each in told.config.env or ())
    return ContainerSeen(
        id=listed.id[:12],
        name=listed.names[0].lstrip("/") if listed.names else listed.id[:12],
        image=listed.image,
        running=listed.state == "running",
        published=tuple(
            Published(inside=int(inside), address=each.host_ip or "0.0.0.0", port=int(each.host_port))  # noqa: S104 - read, not bound
            for key, bindings in (told.network_settings.ports or {}).items()
            if (inside := key.partition("/")[0]).isdigit()
            for each in bindings or ()
            if each.host_port.isdigit()
        ),
        environment=tuple((name, value) for name, _, value in pairs if name in variables),
        command=tuple(told.config.cmd or ()),
        mounts=tuple(Mount(source=each.source, destination=each.destination) for each in told.mounts or ()),
    )


def _get(path: Path, target: str) -> bytes:
    connection = _UnixConnection(path)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        body = answer.read(LARGEST)
        if answer.status != 200:
            raise HTTPException(f"status {answer.status}")
        return body
    finally:
        connection.close()
