"""`orch report`: what a time came to."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orch.cli.options import DURATION_TYPE, common

if TYPE_CHECKING:
    from orch.cli.options import Where
    from orch.web.reporting import ReportFormat

FORMATS = ("text", "json", "html")
WEEK = timedelta(days=7)


@click.command("report", short_help="Income, costs, moves and whether they paid.")
@click.option("--period", type=DURATION_TYPE, default=WEEK, metavar="7d", help="How far it looks back (7d).")
@click.option("--format", "fmt", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--output", type=Path, metavar="F", help="A file instead of stdout, written whole or not at all.")
@common
def command(where: Where, period: timedelta, fmt: ReportFormat, output: Path | None) -> None:
    """Income by node and evidence, gross and net, uptime, moves and whether they paid, and what could be better.

    html is one file that opens anywhere without a connection. Sums of money are those of `orch export ledger` over
    the same time.
    """
    from orch.cli.export import written_whole
    from orch.cli.places import data_dir_of, whole
    from orch.cli.source import document, open_source

    with open_source(data_dir_of(where)) as source:
        report = source.report(period)
    if fmt == "json":
        text = document(report) + "\n"
    else:
        from orch.web.reporting import rendered

        text = rendered(report, fmt)
    if output is None:
        click.echo(text, nl=False)
    else:
        size = written_whole(whole(output), (text.encode(),))
        click.echo(f"{size:,} bytes of report written to {output}", err=True)
