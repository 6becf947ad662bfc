"""Strategies by name: the entry points of group `orch.strategies`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.entrypoints import load_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.strategies.base import StrategySpec

GROUP = "orch.strategies"


def strategy_names() -> tuple[str, ...]:
    """The names of all installed strategies, without importing any."""
    return tuple(load_group(GROUP))


def load_strategies() -> dict[str, Callable[[], StrategySpec]]:
    """A function per installed strategy that imports and returns it.

    Raises:
        ConfigError: Two packages offer the same name. (A loader raises it when its import fails.)
    """
    return load_group(GROUP)
