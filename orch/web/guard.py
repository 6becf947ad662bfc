"""Who may do what: the token, the Host header, the Origin. One error shape for every refusal."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, NotAuthorizedException, PermissionDeniedException

from orch.errors import OrchError, StoreError, UsageError
from orch.web.shapes import ErrorBody, ErrorDetail

if TYPE_CHECKING:
    from litestar import Request
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler

    from orch.web.backend import Backend

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
CODES = {
    400: "bad_request",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    503: "not_ready",
}


async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Refuse what comes under a foreign name, from a foreign page, or without the token where it is needed."""
    backend: Backend = connection.app.state.backend
    host = connection.headers.get("host", "")
    bind = connection.app.state.bind
    if bind in LOOPBACK and host.rsplit(":", 1)[0] not in LOOPBACK:
        raise PermissionDeniedException(f"This interface does not answer to the name {host[:80]!r}")
    origin = connection.headers.get("origin")
    changes = connection.scope.get("method", "GET") not in ("GET", "HEAD", "OPTIONS")
    if changes and origin is not None and origin.split("://", 1)[-1] != host:
        raise PermissionDeniedException("Orders are not taken from foreign pages")
    if changes or not backend.open_reads:
        _check_token(connection.headers.get("authorization", ""), backend.token)


def _check_token(header: str, token: str) -> None:
    kind, _, given = header.partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(given.encode(), token.encode()):
        raise NotAuthorizedException("Send the token of the data directory: Authorization: Bearer ...")


def refusal(status: int, message: str, details: dict[str, Any] | None = None) -> Response[bytes]:
    """An error in the one shape."""
    code = CODES.get(status, "internal" if status >= 500 else "refused")
    body = ErrorBody(error=ErrorDetail(code=code, message=message, details=details or {}))
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What Litestar refuses, in the one shape."""
    details = error.extra if isinstance(error.extra, dict) else {"reasons": error.extra} if error.extra else {}
    response = refusal(error.status_code, error.detail or CODES.get(error.status_code, "refused"), details)
    if error.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def on_orch(_: Request[Any, Any, Any], error: OrchError) -> Response[bytes]:
    """What orch itself refuses, in the one shape."""
    status = 400 if isinstance(error, UsageError) else 503 if isinstance(error, StoreError) else 500
    return refusal(status, str(error))


def on_anything(_: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault of ours: named by its kind only."""
    return refusal(500, f"Something went wrong inside ({type(error).__name__})")
