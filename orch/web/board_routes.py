"""Routes that hand out the newest board, whole or in parts, as the engine encoded it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.datastructures import State  # noqa: TC002 - Litestar reads annotations at run time
from litestar.exceptions import NotFoundException, ServiceUnavailableException
from litestar.params import Parameter
from litestar.types import ASGIApp  # noqa: TC002 - as above

from orch.model.board import Dashboard, NodeView
from orch.web.answers import UNCHANGED, Name, as_is, as_json, backend_of, given
from orch.web.metrics import exposition
from orch.web.refusals import errors
from orch.web.shapes import HealthBody, NodePage, OpportunityPage, StreamEvent
from orch.web.streams import BoardStream

if TYPE_CHECKING:
    from orch.web.backend import Backend, BoardSlot
    from orch.web.streams import Streams


class _Named(msgspec.Struct):
    name: str


class _Parts(msgspec.Struct):
    """The parts of a board that have addresses of their own, still encoded."""

    as_of: datetime
    nodes: tuple[msgspec.Raw, ...] = ()
    opportunities: tuple[msgspec.Raw, ...] = ()


class Parts:
    """The newest board taken apart: once, when the first asks for a part of it."""

    def __init__(self, board: BoardSlot) -> None:
        self._board = board
        self._etag = ""
        self._parts: _Parts | None = None

    def newest(self) -> tuple[_Parts, str]:
        """The parts and the board's tag. Raises ServiceUnavailableException before the first board."""
        published = self._board.published()
        if published is None:
            raise ServiceUnavailableException("The first board is not there yet; try again in a moment")
        if self._parts is None or self._etag != published.etag:
            self._parts, self._etag = msgspec.json.decode(published.body, type=_Parts), published.etag
        return self._parts, self._etag


def _list(items: tuple[msgspec.Raw, ...]) -> bytes:
    return b"".join((b'{"items":[', b",".join(bytes(each) for each in items), b'],"next":null}'))


@get("/api/v1/health", opt={"open": True})
async def health(state: State) -> HealthBody:
    """Whether the engine is there; always open."""
    backend: Backend = backend_of(state)
    is_ready = backend.board.body() is not None
    as_of = state.parts.newest()[0].as_of if is_ready else None
    status = "ready" if is_ready else "starting"
    return HealthBody(status=status, version=backend.version, started_at=backend.started_at, board_as_of=as_of)


@get("/api/v1/dashboard", responses=given(Dashboard) | UNCHANGED | errors(503))
async def dashboard(state: State, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The board, as `orch status --json` prints it."""
    published = backend_of(state).board.published()
    if published is None:
        raise ServiceUnavailableException("The first board is not there yet; try again in a moment")
    return as_is(published.body, published.etag, request)


@get("/api/v1/nodes", responses=given(NodePage) | UNCHANGED | errors(503))
async def nodes(state: State, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Every node as it stands on the board."""
    parts, etag = state.parts.newest()
    return as_is(_list(parts.nodes), etag, request)


@get("/api/v1/nodes/{name:str}", responses=given(NodeView) | UNCHANGED | errors(400, 404, 503))
async def node(state: State, request: Request[Any, Any, Any], name: Name) -> Response[bytes]:
    """One node as it stands on the board."""
    parts, etag = state.parts.newest()
    for each in parts.nodes:
        if msgspec.json.decode(each, type=_Named).name == name:
            return as_is(bytes(each), etag, request)
    raise NotFoundException(f"There is no node {name}")


@get("/api/v1/opportunities", responses=given(OpportunityPage) | UNCHANGED | errors(503))
async def opportunities(state: State, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Income that a different split would bring, as last analysed."""
    parts, etag = state.parts.newest()
    return as_is(_list(parts.opportunities), etag, request)


@get(
    "/api/v1/stream",
    responses=given(StreamEvent, "Server-sent events", "text/event-stream") | errors(400, 503),
)
async def stream(
    state: State,
    last: Annotated[
        str | None, Parameter(header="Last-Event-ID", description="Do not send this one again")
    ] = None,
    limit: Annotated[int, Parameter(ge=0, le=10**9, description="End after so many boards; 0: never")] = 0,
) -> ASGIApp:
    """The board live: the newest at once, then every new one. A slow reader gets the newest, not all."""
    streams: Streams = state.streams
    streams.admit()
    return BoardStream(streams, last, limit or None)


@get("/metrics", responses=given(str, "Figures for Prometheus", "text/plain"))
async def metrics(state: State, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The board's figures and the process's own, for Prometheus; `orch/web/metrics.md` lists them."""
    body, kind = exposition(state, request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": kind})


@get("/api/v1/config", responses=given(dict[str, Any]))
async def config(state: State) -> Response[bytes]:
    """The configuration, without secrets."""
    return as_json(backend_of(state).config)


ROUTES = (health, dashboard, nodes, node, opportunities, stream, metrics, config)
