"""Printing: Rich to text of the right width, plain where nobody sees colours."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

WIDTH = 80
WIDEST = 120


def make_console() -> Console:
    """A console for stdout: as wide as the terminal up to a limit, else as `$COLUMNS` says, else 80."""
    from rich.console import Console

    if on_terminal():
        console = Console(highlight=False, emoji=False, markup=False)
        console.width = min(console.width, WIDEST)
        return console
    stated = os.environ.get("COLUMNS", "")
    width = int(stated) if stated.isascii() and stated.isdigit() and int(stated) > 0 else WIDTH
    return Console(
        width=min(width, WIDEST),
        color_system=None,
        highlight=False,
        emoji=False,
        markup=False,
        force_terminal=False,
    )


def on_terminal() -> bool:
    """Whether a person looks at stdout, on a terminal that can be drawn on."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def show(*parts: RenderableType) -> None:
    """Print to stdout."""
    console = make_console()
    with console.capture() as captured:
        for part in parts:
            console.print(part, crop=False)
    text = "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))
    click.echo(text, color=on_terminal() or None)
