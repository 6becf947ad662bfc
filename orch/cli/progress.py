"""A progress bar on stderr, for whoever sits before a terminal; nobody else sees anything."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.cli.source import Told


@contextmanager
def progress(title: str, *, to_file: bool) -> Iterator[Told | None]:
    """Yields whom to tell how much is done, of how much; None where there is no terminal to show it on.

    The bar is gone at the end. It is not shown either when what is exported appears on the same terminal.
    """
    if not sys.stderr.isatty() or (sys.stdout.isatty() and not to_file):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)
