"""What routes share: how they find the backend, what they are asked with, how they answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from litestar import Response
from litestar.exceptions import NotFoundException
from litestar.openapi import ResponseSpec
from litestar.params import Parameter

from orch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb
    from litestar import Request
    from litestar.datastructures import State

    from orch.web.backend import Backend
    from orch.web.desk import Desk

T = TypeVar("T")
MOST_ITEMS = 500
LONGEST_NAME = 200
JSON = "application/json"
ENCODER = msgspec.json.Encoder(decimal_format="string")
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Limit = Annotated[int, Parameter(ge=1, le=MOST_ITEMS, description="How many at most")]
Cursor = Annotated[
    str | None, Parameter(max_length=LONGEST_NAME, description="`next` of the part before; nothing for the first")
]
Name = Annotated[str, Parameter(max_length=LONGEST_NAME)]
NodeFilter = Annotated[str | None, Parameter(max_length=LONGEST_NAME, description="Only what is about this node")]
TIME = {"format": "date-time"}
Since = Annotated[
    str | None,
    Parameter(
        max_length=LONGEST_NAME, schema_extra=TIME, description="From this time on; without a zone it is UTC"
    ),
]
Until = Annotated[
    str | None,
    Parameter(
        max_length=LONGEST_NAME, schema_extra=TIME, description="Before this time; without a zone it is UTC"
    ),
]


def backend_of(state: State) -> Backend:
    """What the app stands on."""
    backend: Backend = state.backend
    return backend


async def from_store(state: State, question: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
    """What a question makes of the database. Raises StoreError where it cannot be answered now."""
    desk: Desk = state.desk
    return await desk.ask(question)


def or_not_found(found: T | None, otherwise: str) -> T:
    """What was found. Raises NotFoundException, which says `otherwise`, where that is nothing."""
    if found is None:
        raise NotFoundException(otherwise)
    return found


def given(body: type[Any], description: str = "", media_type: str = JSON) -> dict[int, ResponseSpec]:
    """What a route answers when all is well, for its description."""
    return {
        200: ResponseSpec(
            body, description=description or "Here it is", media_type=media_type, generate_examples=False
        )
    }


UNCHANGED = {304: ResponseSpec(None, description="You have it already", generate_examples=False)}
"""What `as_is` answers to whoever sends the tag of what it has."""


def as_json(body: Any) -> Response[bytes]:
    """A value, encoded: money as text, rates as numbers."""
    return Response(ENCODER.encode(body), media_type=JSON)


def as_is(body: bytes, etag: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """JSON that is encoded already; nothing when whoever asks has it."""
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def is_known(request: Request[Any, Any, Any], etag: str) -> bool:
    """Whether whoever asks has this already (RFC 9110, 13.1.2: compared weakly)."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    strong = etag.removeprefix("W/")
    return any(each.strip().removeprefix("W/") in (strong, "*") for each in known.split(","))


def time_of(text: str | None) -> datetime | None:
    """A time as it was given (RFC 3339); without a zone it is UTC.

    Raises:
        UsageError: It is none, or none that a clock of this world has shown.
    """
    if text is None:
        return None
    try:
        # A plus sign that was not escaped has become a blank on its way.
        when = msgspec.convert(text.replace(" ", "+"), datetime)
    except msgspec.ValidationError as error:
        raise UsageError(f"{text!r} is not a time such as 2026-11-22T12:00:00Z") from error
    full = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    if not EARLIEST <= full <= LATEST:
        raise UsageError(f"{text} is not a time that anything could have been recorded at")
    return full
