"""`orch approve`: carry out a proposed plan."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("approve", short_help="Carry out a proposed plan.")
@click.argument("plan_id", metavar="ID")
@common
def command(where: Where, plan_id: str) -> None:
    """Carry out the proposed plan ID, which `orch plan` names.

    Needs the running engine. The plan is looked at once more: one that is too old, or was made for a split that is
    no longer there, is refused, and so is one that a lever in mode observe or suggest would have to carry out.
    """
    from orch.cli.ordering import engine_of

    engine_of(where).order(f"/api/v1/plans/{quote(plan_id, safe='')}/approve")
    click.echo(f"Plan {plan_id} is being carried out; `orch history` shows what comes of it.")
