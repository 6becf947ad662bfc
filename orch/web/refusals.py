"""Every error of the interface in one shape, whoever found it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
from litestar import Response
from litestar.openapi import ResponseSpec

from orch.errors import OrchError, StoreError, UsageError
from orch.web.shapes import ErrorBody, ErrorDetail

if TYPE_CHECKING:
    from litestar import Request
    from litestar.exceptions import HTTPException

CODES = {
    400: "bad_request",
    401: "unauthorised",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "unprocessable",
    429: "too_many",
    503: "not_ready",
}
MEANINGS = {
    400: "The request cannot be understood, or asks for what there cannot be",
    401: "The token is missing or wrong",
    403: "Under a name, or from a page, that is not this interface's own",
    404: "There is no such thing",
    405: "This cannot be done to it",
    409: "It cannot be done now",
    413: "The body is too large",
    415: "The body is not JSON",
    500: "A fault of orch",
    503: "It is not there yet, or too much is asked at once; try again in a moment",
}
JSON = "application/json"

log = logging.getLogger(__name__)


def refusal(
    status: int,
    message: str,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    """An error in the one shape."""
    said = dict(headers or {})
    if status == 401:
        said["WWW-Authenticate"] = "Bearer"
    return Response(refusal_body(status, message, details), status_code=status, media_type=JSON, headers=said)


def refusal_body(status: int, message: str, details: dict[str, Any] | None = None) -> bytes:
    """The encoded body of an error."""
    code = CODES.get(status, "internal" if status >= 500 else "refused")
    return msgspec.json.encode(ErrorBody(error=ErrorDetail(code=code, message=message, details=details or {})))


def errors(*statuses: int) -> dict[int, ResponseSpec]:
    """What a route may refuse with, for its description. What any route may is added to all of them."""
    return {
        status: ResponseSpec(ErrorBody, description=MEANINGS[status], generate_examples=False)
        for status in statuses
    }


def on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What Litestar refuses."""
    details = error.extra if isinstance(error.extra, dict) else {"reasons": error.extra} if error.extra else {}
    return refusal(
        error.status_code, error.detail or CODES.get(error.status_code, "refused"), details, error.headers
    )


def on_orch(_: Request[Any, Any, Any], error: OrchError) -> Response[bytes]:
    """What orch itself refuses."""
    status = 400 if isinstance(error, UsageError) else 503 if isinstance(error, StoreError) else 500
    return refusal(status, str(error))


def on_anything(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A fault of ours: named by its kind only, and told to the log."""
    log.error("%s %s failed", request.scope["method"], request.scope["path"], exc_info=error)
    return refusal(500, f"Something went wrong inside ({type(error).__name__})")
