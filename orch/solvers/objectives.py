"""A plug-in's say in what a split is worth: a function named by a problem, asked for many splits at once."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np

from orch.errors import ConfigError
from orch.model.entrypoints import load_group
from orch.model.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from orch.model.problems import Problem
    from orch.model.resources import Resources

GROUP = "orch.objectives"


class Objective(Protocol):
    """One function, one entry point in `orch.objectives` (or `module:name`)."""

    def __call__(self, problem: Problem, splits: NDArray[np.float64]) -> NDArray[np.float64]:
        """What splits are worth besides what the problem's curves say.

        Args:
            problem: The problem.
            splits: By split, node (in the problem's order) and resource (in the order of `RESOURCES`), in the
                resources' own units; NaN where a resource is not planned for a node.

        Returns:
            USD per hour by split, to be added.
        """


@lru_cache(maxsize=16)
def load_objective(name: str) -> Objective:
    """The function of a name.

    Raises:
        ConfigError: There is none, or it cannot be imported.
    """
    if ":" not in name:
        found = load_group(GROUP).get(name)
        if found is None:
            raise ConfigError((f"{GROUP}: nothing is installed under the name {name!r}",))
        return cast("Objective", found())
    module, _, attribute = name.partition(":")
    try:
        return cast("Objective", getattr(import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise ConfigError((f"{GROUP}: {name!r} cannot be loaded: {error}",)) from error


def as_array(problem: Problem, splits: Sequence[Mapping[str, Resources]]) -> NDArray[np.float64]:
    """Splits as an `Objective` takes them."""
    rows: list[list[list[Any]]] = [
        [[each[node.name].get(name) for name in RESOURCES] for node in problem.nodes] for each in splits
    ]
    shape = (len(splits), len(problem.nodes), len(RESOURCES))
    return np.array(rows, dtype=float).reshape(shape)


def extra_usd_per_hour(problem: Problem, splits: Sequence[Mapping[str, Resources]]) -> list[float]:
    """What a problem's plug-in adds for each split; 0 without one. A value that is no number becomes -infinity.

    Raises:
        ConfigError: The plug-in cannot be loaded. What it raises itself is let through.
    """
    if problem.objective is None or not splits:
        return [0.0] * len(splits)
    said = np.asarray(load_objective(problem.objective)(problem, as_array(problem, splits)), dtype=float)
    if said.shape != (len(splits),):
        raise ValueError(f"the objective {problem.objective!r} gave {said.shape} values for {len(splits)} splits")
    return [float(value) if np.isfinite(value) else -np.inf for value in said]
