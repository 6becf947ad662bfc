"""`orch plan`: the best split found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("plan", short_help="The best split found, what it gains and costs.")
@click.option("--apply", "applying", is_flag=True, help="Go through it step by step, asked before each.")
@as_json
@common
def command(where: Where, json: bool, applying: bool) -> None:
    """The best split found by the last decision, what it gains and costs, and what stands in its way.

    With --apply you are asked before each step. Where levers may act, the running engine carries out what you
    take; where none may, you are given the commands to run, and what came of each is read back.
    """
    from orch.cli.places import data_dir_of
    from orch.cli.source import document, open_source
    from orch.errors import StoreError, UsageError

    if applying:
        if json:
            raise UsageError("--apply asks a person: leave --json out.")
        _apply(where)
        return
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


def _apply(where: Where) -> None:
    from orch.cli.applying import apply, refuse_without_terminal
    from orch.cli.console import show
    from orch.cli.ordering import engine_of
    from orch.cli.pages import plan_page
    from orch.errors import StoreError

    refuse_without_terminal()
    engine = engine_of(where)
    plan = engine.plan()
    if plan is None:
        raise StoreError("There is no plan yet: the first one comes with the first decision.")
    show(plan_page(plan, engine.now()))
    apply(plan, engine)
