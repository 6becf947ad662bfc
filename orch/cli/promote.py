"""`orch promote`: trust a node's levers as configured again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("promote", short_help="Trust a node's demoted levers again.")
@click.argument("node", metavar="NODE")
@click.option("--lever", metavar="KIND", help="Only its lever of this kind.")
@common
def command(where: Where, node: str, lever: str | None) -> None:
    """Trust the levers of NODE as configured again, after rollbacks have cost them trust.

    Needs the running engine. Saying another `mode` of such a lever in the configuration does the same.
    """
    from orch.cli.ordering import engine_of
    from orch.errors import UsageError

    engine = engine_of(where)
    known = [each.name for each in engine.board().nodes]
    if node not in known:
        raise UsageError(f"There is no node {node!r}: take one of {', '.join(known) or 'none'}.")
    said = None if lever is None else {"kind": lever}
    engine.order(f"/api/v1/nodes/{quote(node, safe='')}/promote", said)
    click.echo(f"The levers of {node} are trusted as configured.")
