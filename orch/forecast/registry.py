"""Forecasters by name: the entry points of group `orch.forecasters`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.entrypoints import load_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.forecast.base import Forecaster

GROUP = "orch.forecasters"


def load_forecasters() -> dict[str, Callable[[], Forecaster]]:
    """A function per installed forecaster that imports and returns it.

    Raises:
        ConfigError: Two packages offer the same name. (A loader raises it when its import fails.)
    """
    return load_group(GROUP)
