"""The running engine of a data directory, for commands that give it orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orch.cli.options import Where
    from orch.cli.running import RunningEngine


def engine_of(where: Where) -> RunningEngine:
    """The engine that runs.

    Raises:
        NotRunningError: None does.
        ConfigError: Where its data lies cannot be told.
    """
    from orch.cli.places import data_dir_of
    from orch.cli.running import RunningEngine
    from orch.errors import NotRunningError
    from orch.system.paths import read_engine

    data_dir = data_dir_of(where)
    info = read_engine(data_dir)
    if info is None:
        raise NotRunningError(f"No engine runs on {data_dir}: start it with `orch run`, then ask again.")
    return RunningEngine(info, data_dir)
