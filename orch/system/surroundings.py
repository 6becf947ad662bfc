"""What runs on this host, as far as this user may see: processes, their ports, containers, files. Only looks."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.system.containers import ContainerSeen, read_containers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

INTERPRETERS = frozenset({"node", "nodejs", "python", "sh", "bash", "tini", "dumb-init"})
DOCKER_SOCKET = Path("/var/run/docker.sock")
LARGEST_FILE = 1_000_000


class LookFor(Value):
    """What is worth seeing: nothing else is read or kept.

    `programs` are names of programs, `images` words in the names of container images, `variables` the environment
    variables that may be kept, `files` the places that are looked at (absolute).
    """

    programs: frozenset[str]
    images: tuple[str, ...]
    variables: frozenset[str]
    files: tuple[str, ...]


class ProcessSeen(Value):
    """One process. `arguments` are looked through and never shown, for they may hold secrets."""

    program: str
    pid: int
    arguments: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    def variable(self, name: str) -> str | None:
        """One of the environment variables that were asked for."""
        return dict(self.environment).get(name)

    def flag(self, name: str) -> str | None:
        """The value of `--name value` or `--name=value`."""
        for index, each in enumerate(self.arguments):
            if each == f"--{name}" and index + 1 < len(self.arguments):
                return self.arguments[index + 1]
            if each.startswith(f"--{name}="):
                return each.partition("=")[2]
        return None


class FileSeen(Value):
    """A file that is there. `text` is None where this user may not read it."""

    path: str
    text: str | None = None


class Surroundings(Value):
    """All that was seen. `docker_trouble` says why there are no containers though Docker is there."""

    processes: tuple[ProcessSeen, ...] = ()
    containers: tuple[ContainerSeen, ...] = ()
    files: tuple[FileSeen, ...] = ()
    docker_trouble: str | None = None

    def file(self, path: str) -> FileSeen | None:
        """One of the files, when it is there."""
        return next((each for each in self.files if each.path == path), None)


def look(wanted: LookFor, docker_socket: Path = DOCKER_SOCKET) -> Surroundings:
    """Look around once. Takes some tenths of a second; nothing is asked over the network."""
    containers, trouble = read_containers(docker_socket, wanted.images, wanted.variables)
    return Surroundings(
        processes=tuple(_processes(wanted)),
        containers=containers,
        files=tuple(read_files(wanted.files)),
        docker_trouble=trouble,
    )


def docker_socket_of(environ: Mapping[str, str]) -> Path:
    """Where Docker listens: `$DOCKER_HOST` when that is a unix socket, else the usual place."""
    named = environ.get("DOCKER_HOST", "")
    return Path(named.removeprefix("unix://")) if named.startswith("unix://") else DOCKER_SOCKET


def read_files(paths: tuple[str, ...]) -> Iterator[FileSeen]:
    """Those that are there, with their content where it may be read."""
    for path in paths:
        place = Path(path)
        with contextlib.suppress(OSError):
            if not place.is_file():
                continue
            try:
                text = place.read_bytes()[:LARGEST_FILE].decode("utf-8", errors="replace")
            except OSError:
                yield FileSeen(path=path)
            else:
                yield FileSeen(path=path, text=text)


def program_of(arguments: tuple[str, ...]) -> str:
    """The name of a program by its command line; of an interpreter, the script's.

    >>> program_of(("/usr/bin/node", "/opt/streamr-node.js", "config.json"))
    'streamr-node.js'
    """
    named = [Path(each).name for each in arguments if not each.startswith("-")]
    if len(named) > 1 and named[0].rstrip("0123456789.") in INTERPRETERS:
        return named[1]
    return named[0] if named else ""


def _processes(wanted: LookFor) -> Iterator[ProcessSeen]:
    import psutil

    for each in psutil.process_iter(["name", "cmdline"]):
        arguments = tuple(each.info["cmdline"] or ())
        program = program_of(arguments) or each.info["name"] or ""
        if program not in wanted.programs and each.info["name"] not in wanted.programs:
            continue
        name = program if program in wanted.programs else each.info["name"]
        environment: tuple[tuple[str, str], ...] = ()
        ports: tuple[int, ...] = ()
        with contextlib.suppress(psutil.Error, OSError):
            environment = tuple((key, value) for key, value in each.environ().items() if key in wanted.variables)
        with contextlib.suppress(psutil.Error, OSError):
            open_now = each.net_connections("tcp")
            ports = tuple(sorted({link.laddr.port for link in open_now if link.status == psutil.CONN_LISTEN}))
        yield ProcessSeen(program=name, pid=each.pid, arguments=arguments, ports=ports, environment=environment)
