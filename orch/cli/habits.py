"""How orch itself is run: as whom, with which keys, beside which containers, with which file modes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from orch.cli.findings import Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orch.config.schema import Config, NodeConfig
    from orch.system.containers import ContainerSeen


def habits(config: Config) -> Iterator[Line]:
    """Look at all of it on this host. Docker is asked when its socket is there."""
    yield from root_with_key(config.nodes, os.geteuid())
    yield from open_files(secret_files(config.data_dir))
    storj = tuple(node for node in config.nodes if node.protocol == "storj")
    if storj:
        yield from _containers(storj)


def root_with_key(nodes: tuple[NodeConfig, ...], user_id: int) -> Iterator[Line]:
    """The superuser with a key that can move funds: more power in one process than measuring needs."""
    for node in nodes:
        if user_id == 0 and node.protocol == "golem" and getattr(node.options, "app_key", None) is not None:
            yield Line(
                subject=node.name,
                asked="root with key",
                result="warning",
                sentence="orch runs as root and holds an application key of yagna, which can move funds: "
                "yagna has no lesser keys",
                remedy="run orch as a user of its own, and give only that user the key (a file of mode 0600)",
            )


def secret_files(data_dir: Path) -> tuple[Path, ...]:
    """The files of the data directory that nobody else should read."""
    from orch.system.paths import TOKEN_FILE

    return (data_dir / TOKEN_FILE,)


def open_files(paths: tuple[Path, ...]) -> Iterator[Line]:
    """Secrets that other users of this host can read."""
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & 0o077:
            yield Line(
                subject="orch",
                asked="file mode",
                result="warning",
                sentence=f"{path} can be read by other users of this host (mode {mode:04o})",
                remedy=f"chmod 600 {path}",
            )


def _containers(nodes: tuple[NodeConfig, ...]) -> Iterator[Line]:
    from orch.discovery.traces import VARIABLES
    from orch.system.containers import read_containers
    from orch.system.surroundings import docker_socket_of

    found, trouble = read_containers(docker_socket_of(os.environ), ("storagenode", "storj"), VARIABLES)
    if trouble is not None:
        remedy = "let this user read it (group docker) if a node of yours runs in a container"
        yield Line(subject="orch", asked="docker", result="note", sentence=trouble, remedy=remedy)
    yield from fixed_sizes(nodes, found)


def fixed_sizes(nodes: tuple[NodeConfig, ...], containers: tuple[ContainerSeen, ...]) -> Iterator[Line]:
    """Storage nodes in Docker whose size an environment variable or argument fixes."""
    from orch.discovery.judge import storage_override

    for container in containers:
        ports = {each.port for each in container.published}
        own = [node for node in nodes if port_of(getattr(node.options, "url", "")) in ports]
        subject = own[0].name if own else nodes[0].name if len(nodes) == 1 else "orch"
        for each in storage_override((container,)):
            yield Line(
                subject=subject, asked="STORAGE", result="warning", sentence=each.sentence, remedy=each.remedy
            )


def port_of(url: str) -> int | None:
    """The port of a URL, when it names one."""
    from urllib.parse import urlsplit

    try:
        return urlsplit(url).port
    except ValueError:
        return None
