"""The protocols by name, from the entry points of the group `orch.protocols`."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from orch.errors import ConfigError
from orch.model.entrypoints import load_group

if TYPE_CHECKING:
    from orch.protocols.base import ProtocolSpec

GROUP = "orch.protocols"

_NEEDED = ("name", "options", "tokens", "levers", "begin", "endpoints", "absorb", "failed", "reading")


def names() -> tuple[str, ...]:
    """All protocols that are installed, in alphabetical order, without importing any.

    Raises:
        ConfigError: Two packages offer the same name.
    """
    return tuple(sorted(load_group(GROUP)))


def load(name: str) -> ProtocolSpec:
    """The protocol of this name; its module is imported now.

    Raises:
        ConfigError: No such protocol (names the nearest), it cannot be imported, or it is not a protocol.
    """
    group = load_group(GROUP)
    if name not in group:
        near = get_close_matches(name, group, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(group))}"
        raise ConfigError((f"protocol: {name!r} is not a known protocol; {hint}",))
    spec: ProtocolSpec = group[name]()
    missing = [attribute for attribute in _NEEDED if not hasattr(spec, attribute)]
    if missing:
        raise ConfigError(
            (f"protocol {name!r}: its entry point is not a protocol, it lacks {', '.join(missing)}",)
        )
    if spec.name != name:
        raise ConfigError((f"protocol {name!r}: its entry point calls itself {spec.name!r}; the two must agree",))
    return spec
