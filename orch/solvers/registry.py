"""Solvers by name: the entry points of group `orch.solvers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.entrypoints import load_group
from orch.solvers.far import HERE, FarSolver

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.solvers.base import Solver

GROUP = "orch.solvers"


def solver_names() -> tuple[str, ...]:
    """The names of all installed solvers, without importing any."""
    return tuple(load_group(GROUP))


def load_solvers() -> dict[str, Callable[[], Solver]]:
    """A function per installed solver that imports and returns it.

    Raises:
        ConfigError: Two packages offer the same name. (A loader raises it when its import fails.)
    """
    return load_group(GROUP)


def solvers_for(wanted: str, *, elsewhere: bool = False) -> dict[str, Solver]:
    """The wanted solver and those it falls back to, loaded; what is not installed is left out.

    Args:
        wanted: A solver's name.
        elsewhere: Whether a solver that does not answer in milliseconds is only represented (`FarSolver`), because
            it is to run in a process of its own. It is not imported here then.

    Raises:
        ConfigError: One of them cannot be imported.
    """
    if wanted == "exact":
        from orch.solvers import fast

        fast.warm()
    loaders = load_solvers()
    names = dict.fromkeys((wanted, "greedy", "keep"))
    return {
        name: FarSolver(name) if elsewhere and name not in HERE else loaders[name]()
        for name in names
        if name in loaders
    }
