"""`orch explain`: why a decision was what it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from orch.cli.options import Where
    from orch.cli.source import Source
    from orch.model.plans import Decision


@click.command("explain", short_help="Why a decision was what it was.")
@click.argument("wanted", metavar="[ID]", required=False)
@as_json
@common
def command(where: Where, wanted: str | None, json: bool) -> None:
    """Why the last decision, or the one with this ID, was what it was.

    ID is a decision's, or a reallocation's: then the decision behind it is told.
    """
    from orch.cli.places import data_dir_of
    from orch.cli.source import document, open_source
    from orch.errors import StoreError, UsageError

    with open_source(data_dir_of(where)) as source:
        decision, now = _find(source, wanted), source.now()
        plan = None if decision is None or decision.plan_id is None else source.plan(decision.plan_id)
    if decision is None and wanted is not None:
        raise UsageError(f"There is no decision {wanted}: `orch history` and `orch plan` name the ids.")
    if decision is None:
        raise StoreError("There is no decision yet: the first one comes a minute after the start.")
    if json:
        click.echo(document(decision))
        return
    from orch.cli.console import show
    from orch.cli.pages import decision_page

    show(decision_page(decision, now, plan))


def _find(source: Source, wanted: str | None) -> Decision | None:
    decision = source.decision(wanted)
    if decision is not None or wanted is None:
        return decision
    move = source.reallocation(wanted)
    return None if move is None or move.decision_id is None else source.decision(move.decision_id)
