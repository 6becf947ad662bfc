"""The live board in a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from orch.cli.console import make_console
from orch.cli.render import ROOMY, render
from orch.cli.source import decode
from orch.model.board import Dashboard

if TYPE_CHECKING:
    from orch.cli.session import Engine, Until
    from orch.cli.watcher import Watcher


def watch(engine: Engine, watcher: Watcher, until: Until) -> None:
    """Draw the newest board at most four times a second until it is over; the last one stays."""
    from rich.live import Live
    from rich.text import Text

    waiting = Text("Waiting for the first answers of the nodes ...", style="dim")
    drawn: bytes | None = None
    with Live(
        waiting,
        console=make_console(),
        auto_refresh=False,
        redirect_stderr=sys.stderr.isatty(),
        vertical_overflow="crop",
    ) as live:
        while until.left_s() > 0:
            body = engine.board()
            if body is not None and body is not drawn:
                drawn = body
                board = decode(body, Dashboard)
                watcher.take(board)
                live.update(render(board, compact=live.console.height < ROOMY), refresh=True)
            until.pause()
