"""Strategies by name: the entry points of group `orch.strategies`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.errors import ConfigError
from orch.model.entrypoints import load_group
from orch.strategies.base import CombinesOthers, Fitted, StrategySpec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GROUP = "orch.strategies"
ALIASES = {"time_based": "periodic"}
"""Other names in configuration."""


def load_strategies() -> dict[str, Callable[[], StrategySpec]]:
    """A function per installed strategy that imports and returns it.

    Raises:
        ConfigError: Two packages offer the same name. (A loader raises it when its import fails.)
    """
    return load_group(GROUP)


def fit_strategy(
    name: str,
    options: Mapping[str, Any],
    loaders: Mapping[str, Callable[[], StrategySpec]],
    *,
    within: tuple[str, ...] = (),
) -> Fitted:
    """A strategy ready to be used: with its options, and with its members where it combines others.

    Args:
        name: Which.
        options: Checked options by strategy name; where they are absent, its defaults count.
        loaders: What there is.
        within: The combinations that it is a member of, outermost first.

    Raises:
        ConfigError: It is not there, cannot be loaded, has no options and needs some, or contains itself.
    """
    name = ALIASES.get(name, name)
    path = " -> ".join((*within, name))
    if name in within:
        raise ConfigError((f"optimizer.{within[-1]}.of: {path}: a strategy cannot be part of itself",))
    loader = loaders.get(name)
    if loader is None:
        where = f"optimizer.{within[-1]}.of" if within else "optimizer.strategy"
        known = ", ".join(sorted(loaders))
        raise ConfigError((f"{where}: there is no strategy {name[:60]!r}; known: {known}",))
    strategy = loader()
    chosen = options.get(name)
    if chosen is None:
        try:
            chosen = strategy.options()
        except TypeError as error:
            sentence = f"optimizer.{name}: {error}; add a table [optimizer.{name}]"
            raise ConfigError((sentence,)) from error
    if isinstance(strategy, CombinesOthers):
        strategy = strategy.combined(
            chosen, lambda member: fit_strategy(member, options, loaders, within=(*within, name))
        )
    return Fitted(strategy=strategy, options=chosen)
