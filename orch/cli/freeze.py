"""`orch freeze`: begin no move for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import DURATION_TYPE, common

if TYPE_CHECKING:
    from datetime import timedelta

    from orch.cli.options import Where


@click.command("freeze", short_help="Begin no move for a while.")
@click.option("--for", "lasting", type=DURATION_TYPE, metavar="2h", required=True, help="How long, in real time.")
@common
def command(where: Where, lasting: timedelta) -> None:
    """Begin no move for a while, whoever wants it; `orch unfreeze` ends that earlier.

    A move that runs is finished, or put back. A freeze outlives a restart. Needs the running engine.
    """
    from datetime import datetime

    from orch.cli.ordering import engine_of
    from orch.cli.words import stamp

    taken = engine_of(where).order("/api/v1/freeze", {"for": lasting.total_seconds()})
    until = datetime.fromisoformat(taken["until"])
    click.echo(f"Nothing is moved until {stamp(until)}; `orch unfreeze` ends that.")
