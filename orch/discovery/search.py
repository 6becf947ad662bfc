"""The search itself: look around, read what processes name, knock wherever a node may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.discovery.knock import knock
from orch.discovery.traces import Candidate, Network, candidates, look_for, more_files
from orch.system.surroundings import docker_socket_of, look, read_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.discovery.knock import Opened
    from orch.discovery.proposal import Given
    from orch.system.surroundings import Surroundings


def search(
    environ: Mapping[str, str], home: str, working_dir: str, given: Given
) -> tuple[Surroundings, tuple[Opened, ...]]:
    """What runs here and who answers; takes a few seconds at most and changes nothing.

    Args:
        environ: For `DOCKER_HOST`.
        home: Whose configuration files are looked at.
        working_dir: A Storj `config.yaml` may lie here.
        given: Addresses that the operator named are knocked at first.
    """
    seen = look(look_for(home, working_dir), docker_socket_of(environ))
    seen = replace(seen, files=(*seen.files, *read_files(more_files(seen))))
    return seen, knock((*_named(given), *candidates(seen)))


def _named(given: Given) -> tuple[Candidate, ...]:
    named: list[tuple[Network, str]] = [("storj", url) for url in given.storj_urls]
    if given.golem_url:
        named.append(("golem", given.golem_url))
    if given.info_url:
        named.append(("streamr", given.info_url))
    return tuple(
        Candidate(network=network, url=url.rstrip("/"), why="the address you gave") for network, url in named
    )
