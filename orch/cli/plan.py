"""`orch plan`: the best split found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("plan", short_help="The best split found, what it gains and costs.")
@as_json
@common
def command(where: Where, json: bool) -> None:
    """The best split found by the last decision, what it gains and costs, and what stands in its way."""
    from orch.cli.places import data_dir_of
    from orch.cli.source import document, open_source
    from orch.errors import StoreError

    with open_source(data_dir_of(where)) as source:
        plan, now = source.plan(), source.now()
    if plan is None:
        raise StoreError("There is no plan yet: the first one comes with the first decision.")
    if json:
        click.echo(document(plan))
        return
    from orch.cli.console import show
    from orch.cli.pages import plan_page

    show(plan_page(plan, now))
