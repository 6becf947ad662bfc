"""Plug-ins by name: what installed packages offer under one group of entry points.

Protocols, solvers, strategies and levers are all found this way. Nothing is imported until it is asked for,
so that the command line stays quick and one broken plug-in does not take the others with it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from orch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def load_group(group: str) -> dict[str, Callable[[], Any]]:
    """The plug-ins of one group: name to a function that imports and returns the object.

    Args:
        group: The entry point group, such as `orch.protocols`.

    Returns:
        One loader per name, in alphabetical order. A loader raises ConfigError when its import fails.

    Raises:
        ConfigError: Two packages offer different objects under the same name.
    """
    found: dict[str, EntryPoint] = {}
    faults: list[str] = []
    for entry in sorted(entry_points(group=group), key=lambda each: (each.name, each.value)):
        first = found.setdefault(entry.name, entry)
        if first.value != entry.value:
            faults.append(
                f"{group}: the name {entry.name!r} is offered twice, by {_origin(first)} and by {_origin(entry)}; "
                f"uninstall one of them"
            )
    if faults:
        raise ConfigError(tuple(faults))
    return {name: _loader(group, entry) for name, entry in found.items()}


def _loader(group: str, entry: EntryPoint) -> Callable[[], Any]:
    def load() -> Any:
        try:
            return entry.load()
        except Exception as error:
            sentence = f"{group}: {entry.name!r} of {_origin(entry)} cannot be loaded: {error}"
            raise ConfigError((sentence,)) from error

    return load


def _origin(entry: EntryPoint) -> str:
    package = entry.dist.name if entry.dist is not None else "an unnamed package"
    return f"{package} ({entry.value})"
