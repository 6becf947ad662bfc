"""`orch history`: all moves, or a metric over time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from orch.cli.options import DURATION_TYPE, MOMENT_TYPE, as_json, common, moment
from orch.errors import UsageError

if TYPE_CHECKING:
    from orch.cli.options import Since, Where
    from orch.cli.source import Metric, Source
    from orch.web.shapes import HistoryBody

METRICS = ("usd_per_hour", "allocation", "used", "health")
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOST_POINTS = 20_000


@click.command("history", short_help="Every move and what came of it; or a metric over time.")
@click.option("--metric", type=click.Choice(METRICS), help="A series instead of the moves.")
@click.option("--node", metavar="N", help="Only this node's series.")
@click.option("--since", type=MOMENT_TYPE, metavar="24h", help="From then on: a duration or a time.")
@click.option("--step", type=DURATION_TYPE, metavar="1h", help="The length of one point of a series.")
@as_json
@common
def command(
    where: Where, metric: Metric | None, node: str | None, since: Since | None, step: timedelta | None, json: bool
) -> None:
    """Every move, what was read back and what came of it; with --metric a series (24h in steps of 1h)."""
    if metric is None and (node is not None or step is not None):
        raise UsageError("--node and --step belong to a series: name it with --metric.")
    from orch.cli.places import data_dir_of
    from orch.cli.source import open_source

    with open_source(data_dir_of(where)) as source:
        if metric is None:
            _moves(source, since, json=json)
        else:
            _series(source, metric, node, DAY if since is None else since, step or HOUR, json=json)


def _moves(source: Source, since: Since | None, *, json: bool) -> None:
    now = source.now()
    found = source.reallocations(None if since is None else moment(since, now))
    from orch.reports.switches import switch_ledger

    ledger = switch_ledger(found, source.missed(None if since is None else moment(since, now)))
    if json:
        from orch.cli.source import document

        click.echo(document({"schema": 1, "reallocations": found, "switches": ledger}))
        return
    from orch.cli.console import show
    from orch.cli.pages import moves_page

    show(moves_page(found, now, ledger))


def _series(
    source: Source, metric: Metric, node: str | None, since: Since, step: timedelta, *, json: bool
) -> None:
    now = source.now()
    start, step_s = moment(since, now), int(step.total_seconds())
    if step_s < 1:
        raise UsageError("--step must be at least 1s.")
    if (now - start).total_seconds() / step_s > MOST_POINTS:
        raise UsageError(f"That is more than {MOST_POINTS:,} points a line: give a longer --step.")
    found: HistoryBody = source.history(metric, node, start, step_s)
    if node is not None and not found.series:
        known = [each.name for each in source.board().nodes]
        if node not in known:
            raise UsageError(f"There is no node {node!r}: take one of {', '.join(known) or 'none'}.")
    if json:
        from orch.cli.source import document

        click.echo(document(found))
        return
    from orch.cli.console import show
    from orch.cli.pages import series_page

    show(series_page(found))
