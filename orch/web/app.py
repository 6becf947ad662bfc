"""The HTTP interface: reads hand out what is there already, orders become messages and answer 202.

Handlers that read the database run in a worker thread of their own, so that a slow query never holds up the
board.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator  # noqa: TC003 - Litestar reads annotations at run time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Literal

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.datastructures import State  # noqa: TC002 - Litestar reads annotations at run time
from litestar.exceptions import (
    HTTPException,
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    ServiceUnavailableException,
)
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import Parameter
from litestar.response import Stream

from orch.errors import OrchError, UsageError
from orch.messages import RollBackReallocation
from orch.model.board import Dashboard
from orch.model.moves import Reallocation
from orch.model.plans import Decision, Plan
from orch.model.switches import Missed
from orch.store import queries, series
from orch.store.export import CHUNK, spool_table
from orch.web.guard import guard, on_anything, on_http, on_orch
from orch.web.page_files import asset, index, load_page
from orch.web.shapes import (
    AcceptedBody,
    DecisionPage,
    ErrorBody,
    HealthBody,
    HistoryBody,
    ReallocationPage,
    SeriesLine,
)

if TYPE_CHECKING:
    from orch.web.backend import Backend

REALLOCATION = "reallocation"
MOST_ITEMS = 500
MOST_POINTS = 20_000
DENIED = [NotAuthorizedException, PermissionDeniedException]
ENCODER = msgspec.json.Encoder(decimal_format="string")
MEDIA = {"csv": "text/csv", "json": "application/json", "parquet": "application/vnd.apache.parquet"}

Limit = Annotated[int, Parameter(ge=1, le=MOST_ITEMS, description="How many at most")]
Cursor = Annotated[str | None, Parameter(description="`next` of the part before")]
Metric = Literal["usd_per_hour", "allocation", "used", "health"]
Format = Literal["csv", "parquet", "json"]


def _json(body: Any, **rest: Any) -> Response[bytes]:
    return Response(ENCODER.encode(body), media_type="application/json", **rest)


def _backend(state: State) -> Backend:
    backend: Backend = state.backend
    return backend


def _errors(*statuses: int) -> dict[int, ResponseSpec]:
    return {status: ResponseSpec(ErrorBody, description="Refused") for status in statuses}


@get("/api/v1/health", guards=[], opt={"open": True}, responses=_errors(403))
async def health(state: State) -> HealthBody:
    """Whether the engine is there; always open."""
    backend = _backend(state)
    published = backend.board.published()
    as_of = msgspec.json.decode(published.body, type=_AsOf).as_of if published is not None else None
    status = "ready" if published is not None else "starting"
    return HealthBody(status=status, version=backend.version, started_at=backend.started_at, board_as_of=as_of)


class _AsOf(msgspec.Struct):
    as_of: datetime


@get(
    "/api/v1/dashboard",
    guards=[guard],
    raises=[*DENIED, ServiceUnavailableException],
    responses={200: ResponseSpec(Dashboard)} | _errors(401, 403, 503),
)
async def dashboard(state: State, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The board, as `status --json` prints it."""
    published = _backend(state).board.published()
    if published is None:
        raise ServiceUnavailableException("The first snapshot is not there yet; try again in a moment")
    headers = {"ETag": published.etag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == published.etag:
        return Response(b"", status_code=304, headers=headers)
    return Response(published.body, media_type="application/json", headers=headers)


@get(
    "/api/v1/decisions",
    guards=[guard],
    sync_to_thread=True,
    responses={200: ResponseSpec(DecisionPage)} | _errors(400, 401, 403, 503),
)
def decisions(state: State, limit: Limit = 100, cursor: Cursor = None) -> Response[bytes]:
    """Every decision, newest first, also those to do nothing."""
    with _backend(state).shelf.reader() as connection:
        page = queries.decisions(connection, limit, cursor)
    return _json(DecisionPage(items=page.items, next=page.next))


@get(
    "/api/v1/decisions/{decision_id:str}",
    guards=[guard],
    sync_to_thread=True,
    responses={200: ResponseSpec(Decision)} | _errors(400, 401, 403, 404, 503),
)
def decision(state: State, decision_id: str) -> Response[bytes]:
    """One decision."""
    with _backend(state).shelf.reader() as connection:
        found = queries.decision(connection, decision_id)
    if found is None:
        raise NotFoundException(f"There is no decision {decision_id}")
    return _json(found)


@get(
    "/api/v1/plan",
    guards=[guard],
    sync_to_thread=True,
    responses={200: ResponseSpec(Plan)} | _errors(401, 403, 404, 503),
)
def plan(state: State) -> Response[bytes]:
    """The newest plan."""
    with _backend(state).shelf.reader() as connection:
        found = queries.plan(connection)
    if found is None:
        raise NotFoundException("There is no plan yet")
    return _json(found)


@get(
    "/api/v1/reallocations",
    guards=[guard],
    sync_to_thread=True,
    responses={200: ResponseSpec(ReallocationPage)} | _errors(400, 401, 403, 503),
)
def reallocations(state: State, limit: Limit = 100, cursor: Cursor = None) -> Response[bytes]:
    """Every move, newest first."""
    with _backend(state).shelf.reader() as connection:
        page = queries.reallocations(connection, limit, cursor)
    return _json(ReallocationPage(items=page.items, next=page.next))


@get(
    "/api/v1/missed",
    guards=[guard],
    sync_to_thread=True,
    responses={200: ResponseSpec(Missed)} | _errors(400, 401, 403, 503),
)
def missed(state: State, since: datetime | None = None) -> Response[bytes]:
    """What plans that were not carried out would have brought, as they predicted it."""
    with _backend(state).shelf.reader() as connection:
        found = queries.missed_gains(connection, _aware(since))
    return _json(found)


@get(
    "/api/v1/reallocations/{reallocation_id:str}",
    guards=[guard],
    sync_to_thread=True,
    responses={200: ResponseSpec(Reallocation)} | _errors(400, 401, 403, 404, 503),
)
def reallocation(state: State, reallocation_id: str) -> Response[bytes]:
    """One move."""
    with _backend(state).shelf.reader() as connection:
        found = queries.reallocation(connection, reallocation_id)
    if found is None:
        raise NotFoundException(f"There is no reallocation {reallocation_id}")
    return _json(found)


@post(
    "/api/v1/reallocations/{reallocation_id:str}/rollback",
    guards=[guard],
    status_code=202,
    sync_to_thread=True,
    responses=_errors(400, 401, 403, 404, 503),
)
def rollback(state: State, reallocation_id: str) -> AcceptedBody:
    """Put back what a settled move changed: a new reallocation, with its own checks."""
    backend = _backend(state)
    with backend.shelf.reader() as connection:
        found = queries.reallocation(connection, reallocation_id)
    if found is None:
        raise NotFoundException(f"There is no reallocation {reallocation_id}")
    if not backend.tell(REALLOCATION, RollBackReallocation(reallocation_id=reallocation_id)):
        raise ServiceUnavailableException("The reallocation engine is not there now; try again in a moment")
    return AcceptedBody(accepted="rollback", id=reallocation_id)


@get(
    "/api/v1/metrics-history",
    guards=[guard],
    sync_to_thread=True,
    responses={200: ResponseSpec(HistoryBody)} | _errors(400, 401, 403, 503),
)
def metrics_history(
    state: State,
    metric: Metric = "usd_per_hour",
    node: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    step_s: Annotated[int, Parameter(ge=1, le=31 * 86_400)] = 3600,
) -> Response[bytes]:
    """A metric over time, as means over steps."""
    backend = _backend(state)
    end = _aware(until) or backend.now()
    start = _aware(since) or end - timedelta(hours=24)
    if (end - start).total_seconds() / step_s > MOST_POINTS:
        raise UsageError(f"That is more than {MOST_POINTS} points a line: take a longer step")
    with backend.shelf.reader() as connection:
        found = series.get_metrics_history(connection, metric, node, start, end, step_s)
    lines = tuple(
        SeriesLine(node=line.node, resource=line.resource, unit=line.unit, points=line.points)
        for line in found.series
    )
    return _json(HistoryBody(schema=1, metric=found.metric, unit=found.unit, step_s=found.step_s, series=lines))


@get("/api/v1/tables/{table:str}", guards=[guard], sync_to_thread=True, responses=_errors(400, 401, 403, 503))
def tables(
    state: State,
    table: str,
    since: datetime | None = None,
    until: datetime | None = None,
    fmt: Annotated[Format, Parameter(query="format")] = "csv",
) -> Stream:
    """A whole table, streamed."""
    with _backend(state).shelf.reader() as connection:
        spooled = spool_table(connection, table, fmt, _aware(since), _aware(until))
    return Stream(
        _pieces(spooled),
        media_type=MEDIA[fmt],
        headers={
            "Content-Disposition": f'attachment; filename="{table}.{fmt}"',
            "Content-Length": str(os.fstat(spooled.fileno()).st_size),
        },
    )


@get("/api/v1/config", guards=[guard], responses=_errors(401, 403))
async def config(state: State) -> dict[str, Any]:
    """The configuration, without secrets."""
    return _backend(state).config


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := file.read(CHUNK):
            yield piece


def _aware(when: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when


def create_app(backend: Backend, bind: str = "127.0.0.1") -> Litestar:
    """The app over a backend; the OpenAPI document is at `/schema/openapi.json`, nothing comes from outside."""
    app = Litestar(
        route_handlers=[
            health,
            dashboard,
            decisions,
            decision,
            plan,
            reallocations,
            missed,
            reallocation,
            rollback,
            metrics_history,
            tables,
            config,
            index,
            asset,
        ],
        openapi_config=OpenAPIConfig(
            title="orch",
            version=backend.version,
            path="/schema",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        ),
        exception_handlers={HTTPException: on_http, OrchError: on_orch, Exception: on_anything},
        response_headers=[],
        debug=False,
        request_max_body_size=64_000,
        logging_config=None,
    )
    app.state.backend = backend
    app.state.bind = bind
    app.state.page = load_page()
    return app
