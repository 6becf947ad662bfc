"""`orch plan`: the best split found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from orch.cli.options import Where
    from orch.cli.source import Source
    from orch.model.plans import Plan


@click.command("plan", short_help="The best split found, what it gains and costs.")
@click.option("--solver", metavar="S", help="Made again with another solver: exact, genetic ... Nothing is moved.")
@click.option("--apply", "applying", is_flag=True, help="Go through it step by step, asked before each.")
@as_json
@common
def command(where: Where, json: bool, applying: bool, solver: str | None) -> None:
    """The best split found by the last decision, what it gains and costs, and what stands in its way.

    With --apply you are asked before each step. Where levers may act, the running engine carries out what you
    take; where none may, you are given the commands to run, and what came of each is read back.

    With --solver the same plan is made again here, from what it was made of, and only shown.
    """
    from orch.cli.places import data_dir_of
    from orch.cli.source import document, open_source
    from orch.errors import StoreError, UsageError

    if applying:
        if json:
            raise UsageError("--apply asks a person: leave --json out.")
        if solver is not None:
            raise UsageError("--solver only shows a plan: set `solver` in [optimizer] to have it carried out.")
        _apply(where)
        return
    with open_source(data_dir_of(where)) as source:
        plan, now = source.plan(), source.now()
        if plan is None:
            raise StoreError("There is no plan yet: the first one comes with the first decision.")
        if solver is not None:
            plan = _again(where, source, plan, solver)
    if json:
        click.echo(document(plan))
        return
    from orch.cli.console import show
    from orch.cli.pages import plan_page

    show(plan_page(plan, now))


def _again(where: Where, source: Source, plan: Plan, solver: str) -> Plan:
    from orch.cli.places import load_config
    from orch.cli.replay import bench_of
    from orch.cli.solving import known_solver, solved_again

    config = load_config(where, resolve_secrets=False) if where.config is not None else None
    return solved_again(source, plan, bench_of(config), known_solver(solver))


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
