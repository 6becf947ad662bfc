"""Routes that ask the database: decisions, moves, alerts, charts, whole tables."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator  # noqa: TC003 - Litestar reads annotations at run time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

from litestar import Response, get
from litestar.datastructures import State  # noqa: TC002 - as above
from litestar.openapi import ResponseSpec
from litestar.params import Parameter
from litestar.response import Stream

from orch.errors import UsageError
from orch.model.moves import Reallocation, SagaState
from orch.model.plans import Code, Decision, Plan
from orch.model.switches import Missed
from orch.store import lists, queries, series
from orch.store.export import CHUNK, TABLES, spool_table
from orch.web.answers import (
    JSON,
    LONGEST_NAME,
    Cursor,
    Limit,
    Name,
    NodeFilter,
    Since,
    Until,
    as_json,
    backend_of,
    from_store,
    given,
    or_not_found,
    time_of,
)
from orch.web.refusals import errors
from orch.web.shapes import AlertPage, DecisionPage, HistoryBody, ReallocationPage, SeriesLine

if TYPE_CHECKING:
    from orch.web.desk import Desk

MOST_POINTS = 20_000
MEDIA = {"csv": "text/csv", "json": "application/json", "parquet": "application/vnd.apache.parquet"}

TABLE = {200: ResponseSpec(str, description="The table", media_type="text/csv", generate_examples=False)}
Table = Annotated[str, Parameter(max_length=LONGEST_NAME, schema_extra={"enum": list(TABLES)})]
Metric = Literal["usd_per_hour", "allocation", "used", "health"]
Format = Literal["csv", "parquet", "json"]
ReasonFilter = Annotated[Code | None, Parameter(description="Only those with this reason")]


@get("/api/v1/decisions", responses=given(DecisionPage) | errors(400, 503))
async def decisions(
    state: State,
    limit: Limit = 100,
    cursor: Cursor = None,
    reason: ReasonFilter = None,
    node: NodeFilter = None,
    verdict: Literal["move", "stay"] | None = None,
) -> Response[bytes]:
    """Every decision, newest first, also those to do nothing."""
    page = await from_store(
        state, lambda store: lists.decisions(store, limit, cursor, reason=reason, node=node, verdict=verdict)
    )
    return as_json(page)


@get("/api/v1/decisions/{decision_id:str}", responses=given(Decision) | errors(400, 404, 503))
async def decision(state: State, decision_id: Name) -> Response[bytes]:
    """One decision."""
    found = await from_store(state, lambda store: queries.decision(store, decision_id))
    return as_json(or_not_found(found, f"There is no decision {decision_id}"))


@get("/api/v1/plan", responses=given(Plan) | errors(404, 503))
async def plan(state: State) -> Response[bytes]:
    """The newest plan."""
    found = await from_store(state, queries.plan)
    return as_json(or_not_found(found, "There is no plan yet"))


@get("/api/v1/reallocations", responses=given(ReallocationPage) | errors(400, 503))
async def reallocations(
    state: State,
    limit: Limit = 100,
    cursor: Cursor = None,
    reason: ReasonFilter = None,
    node: NodeFilter = None,
    saga_state: Annotated[
        SagaState | None, Parameter(query="state", description="Only those in this state")
    ] = None,
) -> Response[bytes]:
    """Every move, newest first."""
    page = await from_store(
        state, lambda store: lists.reallocations(store, limit, cursor, reason=reason, node=node, state=saga_state)
    )
    return as_json(page)


@get("/api/v1/reallocations/{reallocation_id:str}", responses=given(Reallocation) | errors(400, 404, 503))
async def reallocation(state: State, reallocation_id: Name) -> Response[bytes]:
    """One move."""
    found = await from_store(state, lambda store: queries.reallocation(store, reallocation_id))
    return as_json(or_not_found(found, f"There is no reallocation {reallocation_id}"))


@get("/api/v1/missed", responses=given(Missed) | errors(400, 503))
async def missed(state: State, since: Since = None) -> Response[bytes]:
    """What plans that were not carried out would have brought, as they predicted it."""
    start = time_of(since)
    return as_json(await from_store(state, lambda store: queries.missed_gains(store, start)))


@get("/api/v1/alerts", responses=given(AlertPage) | errors(400, 503))
async def alerts(
    state: State,
    limit: Limit = 100,
    cursor: Cursor = None,
    rule: Annotated[str | None, Parameter(max_length=LONGEST_NAME, description="Only those of this rule")] = None,
    node: NodeFilter = None,
    alert_state: Annotated[
        Literal["firing", "unknown", "resolved"] | None,
        Parameter(query="state", description="Only those in this state"),
    ] = None,
) -> Response[bytes]:
    """Every alert that has fired, newest first; those that only may fire soon stand on the board."""
    page = await from_store(
        state, lambda store: lists.alerts(store, limit, cursor, rule=rule, node=node, state=alert_state)
    )
    return as_json(page)


@get("/api/v1/metrics-history", responses=given(HistoryBody) | errors(400, 503))
async def metrics_history(
    state: State,
    metric: Metric = "usd_per_hour",
    node: NodeFilter = None,
    since: Since = None,
    until: Until = None,
    step_s: Annotated[int, Parameter(ge=1, le=31 * 86_400, description="Seconds of a step")] = 3600,
) -> Response[bytes]:
    """A metric over time, as means over steps; the last 24 hours when nothing else is said."""
    end = time_of(until) or backend_of(state).now()
    start = time_of(since) or end - timedelta(hours=24)
    if (end - start).total_seconds() / step_s > MOST_POINTS:
        raise UsageError(f"That is more than {MOST_POINTS} points a line: take a longer step")
    found = await from_store(
        state, lambda store: series.get_metrics_history(store, metric, node, start, end, step_s)
    )
    lines = tuple(
        SeriesLine(node=line.node, resource=line.resource, unit=line.unit, points=line.points)
        for line in found.series
    )
    return as_json(HistoryBody(schema=1, metric=found.metric, unit=found.unit, step_s=found.step_s, series=lines))


@get("/api/v1/tables/{table:str}", opt={"kinds": (JSON, MEDIA["parquet"])}, responses=TABLE | errors(400, 503))
async def tables(
    state: State,
    table: Table,
    since: Since = None,
    until: Until = None,
    fmt: Annotated[Format, Parameter(query="format", description="What of")] = "csv",
) -> Stream:
    """A whole table, streamed."""
    start, end = time_of(since), time_of(until)
    exports: Desk = state.exports
    spooled = await exports.ask(lambda store: spool_table(store, table, fmt, start, end))
    return Stream(
        _pieces(spooled),
        media_type=MEDIA[fmt],
        headers={
            "Content-Disposition": f'attachment; filename="{table}.{fmt}"',
            "Content-Length": str(os.fstat(spooled.fileno()).st_size),
        },
    )


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(CHUNK):
            yield piece


ROUTES = (
    decisions,
    decision,
    plan,
    reallocations,
    reallocation,
    missed,
    alerts,
    metrics_history,
    tables,
)
