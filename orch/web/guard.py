"""Who may do what: reading is open on loopback unless its owner says otherwise, an order needs the token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.exceptions import NotAuthorizedException, PermissionDeniedException

from orch.web.shield import READS

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from orch.web.backend import Backend
    from orch.web.sessions import Sessions

COOKIE = "orch_session_{port}"
"""By port, for browsers send a host's cookies to all its ports, and a host may run more than one engine."""
SIGN_IN = "Send the token in web.token of the data directory (Authorization: Bearer ...), or log in on the page"


async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Refuse what needs the token and comes without it.

    A browser's session counts for an order only with the Origin that browsers send with every order.
    """
    if handler.opt.get("open"):
        return
    backend: Backend = connection.app.state.backend
    is_order = connection.scope.get("method", "GET") not in READS
    if backend.open_reads and not is_order:
        return
    if has_token(connection):
        return
    if not has_session(connection):
        raise NotAuthorizedException(SIGN_IN)
    if is_order and "origin" not in connection.headers:
        raise PermissionDeniedException("A browser's order says which page it comes from (Origin)")


def has_token(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the request carries the token."""
    sessions: Sessions = connection.app.state.sessions
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and sessions.is_token(given.strip())


def has_session(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the request comes from a browser that has logged in."""
    sessions: Sessions = connection.app.state.sessions
    session = connection.cookies.get(connection.app.state.cookie)
    return session is not None and sessions.is_known(session)
