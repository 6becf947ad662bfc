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
    from orch.cli.ordering import engine_of

    engine_of(where).roll_back(reallocation_id)
    click.echo(f"The order to roll back {reallocation_id} was taken; `orch history` shows what comes of it.")
