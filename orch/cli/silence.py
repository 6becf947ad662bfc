"""`orch silence`: tell nobody of an alert for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from orch.cli.options import DURATION_TYPE, common
from orch.errors import UsageError

if TYPE_CHECKING:
    from datetime import timedelta

    from orch.cli.options import Where


@click.command("silence", short_help="Tell nobody of an alert for a while.")
@click.argument("alert", metavar="ALERT")
@click.option("--for", "lasting", type=DURATION_TYPE, metavar="2h", help="How long, in real time.")
@click.option("--lift", is_flag=True, help="End a silence instead.")
@click.option("--comment", default="", metavar="TEXT", help="Why.")
@common
def command(where: Where, alert: str, lasting: timedelta | None, lift: bool, comment: str) -> None:
    """Tell nobody of what ALERT is about for a while; it goes on being watched, and stays on the board.

    ALERT is the id of an alert, as `status --json` and every notice have it. What it is about is its rule and its
    node: further episodes are silenced too. Needs the running engine.
    """
    if lift == (lasting is not None):
        raise UsageError("Say how long with --for 2h, or --lift to end a silence.")
    from orch.cli.ordering import engine_of

    seconds = 0.0 if lasting is None else lasting.total_seconds()
    said = {"for_s": seconds, "comment": comment}
    taken = engine_of(where).order(f"/api/v1/alerts/{quote(alert, safe='')}/silence", said)
    about = taken["rule"] + (f" of {taken['node']}" if taken["node"] else "")
    what = "Nobody is told" if seconds else "People are told again"
    click.echo(f"{what} of {about}{' for ' + str(lasting) if lasting is not None else ''}.")
