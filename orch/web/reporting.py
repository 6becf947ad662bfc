"""Reports: read from the database in one go, handed out as JSON, text, or one page that needs nothing else."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from litestar import Response, get
from litestar.datastructures import State  # noqa: TC002 - Litestar reads annotations at run time
from litestar.params import Parameter

from orch.errors import UsageError
from orch.model.report import Report
from orch.replay.hindsight import look_back
from orch.reports.html import report_html
from orch.reports.report import Sources, generate_report
from orch.reports.text import report_text
from orch.store import queries, reporting, series
from orch.web.answers import Until, as_json, backend_of, given, time_of
from orch.web.refusals import errors

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from orch.web.desk import Desk

PERIOD = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd])", re.ASCII)
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST_S = 20 * 366 * 86_400.0
MOST_POINTS = 300
HOUR_S = 3600

ALONE = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""A page that carries its style in itself, and no script."""

ReportFormat = Literal["json", "text", "html"]
Period = Annotated[str, Parameter(max_length=20, description="How far it looks back, such as 24h, 7d or 30d")]


def compose_report(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> Report:
    """The report of [since, until).

    Raises:
        StoreError: The database cannot be read.
    """
    moves = queries.get_reallocation_history(connection, since, until)
    costs = [float(each.cost_usd) for each in moves if each.state == "settled" and each.cost_usd is not None]
    past = look_back(connection, since, until, sum(costs))
    known = {each.hour: each.usd for each in past.costs}
    step_s = _step_s((until - since).total_seconds())
    meta = queries.meta(connection)
    found = Sources(
        kind=meta.kind,
        host=meta.host,
        ledger=reporting.ledger_sums(connection, since, until),
        times=reporting.node_times(connection, since, until),
        uptime=series.uptime(connection, since, until),
        kpis=series.kpi_hours(connection, since, until),
        decisions=reporting.decision_counts(connection, since, until),
        alerts=reporting.alert_sums(connection, since, until),
        rates=series.get_metrics_history(connection, "usd_per_hour", None, since, until, step_s).series,
        recorded_since=reporting.recorded_since(connection),
        comparison=past.comparison,
        costs=known,
        charged_usd=reporting.charged_usd(connection, _first_hour(known, since), until),
    )
    hourly = tuple(
        each for each in queries.get_earnings_trends(connection, since, until, HOUR_S) if each.starts_at < until
    )
    missed = queries.missed_gains(connection, since)
    return generate_report(found, moves, missed, hourly, since, until, step_s)


def rendered(report: Report, fmt: ReportFormat) -> str:
    """The report as text or as a page."""
    return report_html(report) if fmt == "html" else report_text(report)


def _step_s(period_s: float) -> int:
    """Whole hours, and not more points than a chart can show."""
    return max(1, round(period_s / HOUR_S / MOST_POINTS)) * HOUR_S


def _first_hour(costs: dict[int, float], since: datetime) -> datetime:
    if not costs:
        return since
    hours = min(costs) - int(since.timestamp()) // HOUR_S
    return max(since, since + timedelta(hours=hours))


def _seconds(period: str) -> float:
    found = PERIOD.fullmatch(period.strip())
    seconds = float(found[1]) * SECONDS[found[2]] if found is not None else 0.0
    if not 0 < seconds <= LONGEST_S:
        raise UsageError("period must be a length of time, such as 24h, 7d or 30d")
    return seconds


@get("/api/v1/report", opt={"kinds": ("text/plain", "text/html")}, responses=given(Report) | errors(400, 503))
async def report(
    state: State,
    period: Period = "7d",
    until: Until = None,
    fmt: Annotated[ReportFormat, Parameter(query="format", description="What of")] = "json",
) -> Response[bytes] | Response[str]:
    """What a period came to: income, costs, moves and whether they paid, what other splits would have earned."""
    end = time_of(until) or backend_of(state).now()
    seconds = _seconds(period)
    exports: Desk = state.exports
    found = await exports.ask(lambda store: compose_report(store, end - timedelta(seconds=seconds), end))
    if fmt == "json":
        return as_json(found)
    if fmt == "html":
        return Response(rendered(found, fmt), media_type="text/html", headers={"Content-Security-Policy": ALONE})
    return Response(rendered(found, fmt), media_type="text/plain")


ROUTES = (report,)
