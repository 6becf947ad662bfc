"""`orch status`: the board, or where one node's figures come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from orch.cli.options import Where
    from orch.cli.source import Source
    from orch.cli.trail import Trail


@click.command("status", short_help="What every node earns, what is wrong, what comes next.")
@as_json
@click.option("--trace", metavar="NODE", help="The ledger entries behind a node's figures.")
@common
def command(where: Where, json: bool, trace: str | None) -> None:
    """What every node earns, what is wrong, what comes next; also after orch has stopped."""
    from orch.cli.places import data_dir_of
    from orch.cli.source import document, open_source

    with open_source(data_dir_of(where)) as source:
        found = source.board() if trace is None else _trail(source, trace)
        now = source.now()
    if json:
        click.echo(document(found))
        return
    from orch.cli.console import show
    from orch.cli.render import render
    from orch.cli.trail import Trail, trail_page

    show(trail_page(found, now) if isinstance(found, Trail) else render(found, now))


def _trail(source: Source, node: str) -> Trail:
    """The trail of a node. Raises UsageError when there is no such node."""
    from orch.cli.trail import read_trail
    from orch.errors import UsageError

    trail = read_trail(node, source.table("ledger", "csv", None, None))
    known = [each.name for each in source.board().nodes]
    if not trail.streams and node not in known:
        raise UsageError(f"There is no node {node!r}: take one of {', '.join(known) or 'none'}.")
    return trail
