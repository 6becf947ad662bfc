"""What the operator gave, what is proposed, and what is missing: the words of discovery. Pure."""

from __future__ import annotations

from typing import Any, Literal

from orch.discovery.traces import OPERATOR, Network
from orch.errors import UsageError
from orch.model.base import Value


class Given(Value):
    """What the operator said beforehand. `exists` names the environment variables of secrets that are set."""

    operator: str | None = None
    rpc_url: str | None = None
    grass_url: str | None = None
    storj_urls: tuple[str, ...] = ()
    golem_url: str | None = None
    info_url: str | None = None
    provider_dir: str | None = None
    app_key_file: str | None = None
    grass_token_file: str | None = None
    exists: frozenset[str] = frozenset()


class Key(Value):
    """A key of a node's table. `value` is plain TOML; a reference to a secret is `{env = ..}` or `{file = ..}`."""

    name: str
    value: Any
    comment: str | None = None


class Proposed(Value):
    """A node to write. `how` says where it was seen; `minimum` what it should never fall below."""

    name: str
    protocol: Network
    how: tuple[str, ...]
    keys: tuple[Key, ...]
    emulated: bool = False
    minimum: tuple[tuple[str, float], ...] = ()
    allocated_gb: float | None = None


class Missing(Value):
    """What is not there, and what to do. `blocks`: the node is not written without it."""

    protocol: Network | Literal["docker"]
    sentence: str
    remedy: str
    blocks: bool = False


class Proposal(Value):
    """What would be written, and what the operator should know."""

    nodes: tuple[Proposed, ...] = ()
    missing: tuple[Missing, ...] = ()

    @property
    def emulated(self) -> bool:
        """Whether some node that answered is emulated."""
        return any(node.emulated for node in self.nodes)


def check_given(given: Given) -> None:
    """Refuse what cannot be meant. Raises UsageError."""
    if given.operator is not None and not OPERATOR.fullmatch(given.operator):
        raise UsageError(f"--operator {given.operator!r} is not an address: write 0x and 40 hexadecimal digits.")
    urls = {
        "--rpc-url": (given.rpc_url,),
        "--grass-url": (given.grass_url,),
        "--golem-url": (given.golem_url,),
        "--info-url": (given.info_url,),
        "--storj-url": given.storj_urls,
    }
    for option, values in urls.items():
        for url in values:
            if url is not None and not url.startswith(("http://", "https://")):
                raise UsageError(f"{option} {url!r} is not a URL: begin it with http:// or https://.")
