"""`orch top`: the board in a terminal, live."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orch.cli.options import common
from orch.errors import UsageError

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("top", short_help="The board in a terminal, live, with keys for what you want to do.")
@common
def command(where: Where) -> None:
    """The board of the running engine, live; without one the last board that was recorded, with its age.

    Keys for nodes, decisions, problems and moves, to approve, reject, freeze and unfreeze; `?` shows them all.
    Nothing is changed without being asked about first. Works over ssh, from 80 columns and 24 lines on.
    """
    from orch.cli.console import on_terminal
    from orch.cli.places import data_dir_of

    if not (on_terminal() and sys.stdin.isatty()):
        raise UsageError("top draws on a terminal: elsewhere `orch status` says the same.")
    data_dir = data_dir_of(where)
    from orch.cli.top_app import TopApp
    from orch.cli.top_feed import DataDirFeed

    TopApp(DataDirFeed(data_dir)).run(mouse=False)
