"""`orch unfreeze`: moves may begin again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("unfreeze", short_help="Let moves begin again.")
@common
def command(where: Where) -> None:
    """Let moves begin again after `orch freeze`. Needs the running engine."""
    from orch.cli.ordering import engine_of

    engine_of(where).order("/api/v1/unfreeze")
    click.echo("Moves may begin again.")
