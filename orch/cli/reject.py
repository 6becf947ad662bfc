"""`orch reject`: turn a proposed plan down."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("reject", short_help="Turn a proposed plan down.")
@click.argument("plan_id", metavar="ID")
@common
def command(where: Where, plan_id: str) -> None:
    """Turn the proposed plan ID down: it can no longer be approved. Needs the running engine."""
    from orch.cli.ordering import engine_of

    engine_of(where).order(f"/api/v1/plans/{quote(plan_id, safe='')}/reject")
    click.echo(f"Plan {plan_id} is rejected.")
