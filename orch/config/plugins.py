"""What can be named in a configuration: the installed protocols, levers, strategies and solvers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from orch.model.entrypoints import load_group
from orch.protocols import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Plugins:
    """Loaders by name. Nothing is imported before a configuration names it.

    Args:
        protocols: Name to a function that gives a `ProtocolSpec` or raises ConfigError.
        levers: The same for `LeverSpec`.
        strategies: The same for `StrategySpec`.
        solvers: Only the names count here.
        forecasters: Likewise; what is installed by default.
    """

    def __init__(
        self,
        *,
        protocols: Mapping[str, Callable[[], Any]],
        levers: Mapping[str, Callable[[], Any]],
        strategies: Mapping[str, Callable[[], Any]],
        solvers: Mapping[str, Callable[[], Any]],
        forecasters: Mapping[str, Callable[[], Any]] | None = None,
    ) -> None:
        self.protocols = protocols
        self.levers = levers
        self.strategies = strategies
        self.solvers = solvers
        self.forecasters = forecasters if forecasters is not None else load_group("orch.forecasters")


def installed() -> Plugins:
    """Everything that installed packages offer by entry points.

    Raises:
        ConfigError: Two packages offer the same name.
    """
    return Plugins(
        protocols={name: partial(registry.load, name) for name in registry.names()},
        levers=load_group("orch.levers"),
        strategies=load_group("orch.strategies"),
        solvers=load_group("orch.solvers"),
    )
