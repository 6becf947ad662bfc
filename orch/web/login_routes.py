"""Logging in: the page gives the token once, and its browser keeps what it is given for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.exceptions import NotAuthorizedException

from orch.web.answers import backend_of
from orch.web.guard import has_session, has_token
from orch.web.refusals import errors
from orch.web.sessions import SESSION_S
from orch.web.shapes import SessionBody

if TYPE_CHECKING:
    from orch.web.sessions import Sessions


class LoginBody(msgspec.Struct):
    """The token that stands in `web.token` of the data directory."""

    token: Annotated[str, msgspec.Meta(max_length=1000)]


@get("/api/v1/session", opt={"open": True})
async def session(state: State, request: Request[Any, Any, Any]) -> SessionBody:
    """Whether whoever asks may give orders, and whether reading takes the token too; always open."""
    return SessionBody(
        may_order=has_token(request) or has_session(request), reads_need_token=not backend_of(state).open_reads
    )


@post("/api/v1/login", opt={"open": True}, status_code=200, responses=errors(400, 401, 413, 415))
async def login(state: State, request: Request[Any, Any, Any], data: LoginBody) -> Response[SessionBody]:
    """Give the token, get a cookie that page code cannot read: from now on this browser may give orders."""
    sessions: Sessions = state.sessions
    if not sessions.is_token(data.token.strip()):
        raise NotAuthorizedException("That is not the token in web.token of the data directory")
    body = SessionBody(may_order=True, reads_need_token=not backend_of(state).open_reads)
    return Response(body, cookies=[_cookie(state, request, sessions.begin(), SESSION_S)])


@post("/api/v1/logout", opt={"open": True}, status_code=200, responses=errors(413, 415))
async def logout(state: State, request: Request[Any, Any, Any]) -> Response[SessionBody]:
    """End the session of this browser, if it has one."""
    sessions: Sessions = state.sessions
    known = request.cookies.get(state.cookie)
    if known is not None:
        sessions.end(known)
    body = SessionBody(may_order=False, reads_need_token=not backend_of(state).open_reads)
    return Response(body, cookies=[_cookie(state, request, "", 0)])


def _cookie(state: State, request: Request[Any, Any, Any], value: str, max_age_s: int) -> Cookie:
    # A proxy that speaks TLS to the browser says so.
    scheme = request.headers.get("x-forwarded-proto", request.scope["scheme"])
    return Cookie(
        key=state.cookie,
        value=value,
        max_age=max_age_s,
        path="/",
        httponly=True,
        samesite="strict",
        secure=scheme == "https",
    )


ROUTES = (session, login, logout)
