"""`orch rollback`: put back what a move changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("rollback", short_help="Put back what a move changed.")
@click.argument("reallocation_id", metavar="ID")
@common
def command(where: Where, reallocation_id: str) -> None:
    """Put back what the settled reallocation ID changed, or have a stuck one try its way back again.

    Needs the running engine: it makes the change as a reallocation of its own, with all its checks.
    """
    from orch.cli.places import data_dir_of
    from orch.cli.running import RunningEngine
    from orch.errors import NotRunningError
    from orch.system.paths import read_engine

    data_dir = data_dir_of(where)
    info = read_engine(data_dir)
    if info is None:
        raise NotRunningError(f"No engine runs on {data_dir}: start it with `orch run`, then ask again.")
    RunningEngine(info, data_dir).roll_back(reallocation_id)
    click.echo(f"The order to roll back {reallocation_id} was taken; `orch history` shows what comes of it.")
