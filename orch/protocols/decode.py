"""Answers of nodes as typed values, or one of two errors: nothing in between, and never a guess.

A node is not trusted. `decode` refuses what is not the documented shape (ShapeError); the checks below it
refuse what has the shape and cannot be true (AbsurdError). Both say which endpoint and what was found.
Unknown keys are allowed, for networks add fields; a known key must be there and of its type.

Money is declared as `Decimal` in the Structs and comes from the digits of the JSON text, never through a
float.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from orch.errors import AbsurdError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from orch.model.wire import Reply

T = TypeVar("T")
N = TypeVar("N", int, float, Decimal)

MOST_BYTES = 1e18
"""More than any node stores or moves: an exabyte."""

MOST_MONEY = Decimal(10) ** 15
"""More than any node earns, in any unit."""

_EXCERPT = 60
_EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def decode(reply: Reply, kind: type[T], endpoint: str, *, content_type: str | None = "application/json") -> T:
    """One JSON answer as a value of `kind` (a Struct, or `list[...]` of one).

    Args:
        reply: The whole answer.
        kind: What the answer must be; conversions between types are not made.
        endpoint: The endpoint's key, for the error's sentence.
        content_type: What the Content-Type header must begin with; None where there is no such header (files).

    Raises:
        ShapeError: Another content type, an empty or malformed body, a known key gone or of another type.
        AbsurdError: The body holds a bare NaN or Infinity.
    """
    if content_type is not None:
        _check_content_type(reply, endpoint, content_type)
    if not reply.body.strip():
        raise ShapeError(f"{endpoint}: the answer has an empty body (status {reply.status})")
    wanted: Any = kind
    try:
        value: T = _decoder(wanted).decode(reply.body)
    except msgspec.ValidationError as error:
        raise ShapeError(f"{endpoint}: {error}") from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        _refuse_constants(reply.body, endpoint)
        raise ShapeError(f"{endpoint}: not JSON ({error}): {_excerpt(reply.body)}") from error
    return value


def decode_or_none(
    reply: Reply, kind: type[T], endpoint: str, *, content_type: str | None = "application/json"
) -> T | None:
    """As `decode`, with JSON `null` as None: an empty list, or nothing yet, of a node written in Go."""
    if reply.body.strip() == b"null":
        if content_type is not None:
            _check_content_type(reply, endpoint, content_type)
        return None
    return decode(reply, kind, endpoint, content_type=content_type)


def instant(text: str | None, what: str) -> datetime | None:
    """An RFC 3339 time as aware UTC; None for None, for "" and for Go's zero time (year 1).

    Up to nine digits of a second are accepted and cut to six. A date alone is its midnight in UTC, and a
    time without an offset is UTC.

    Raises:
        ShapeError: Not a time.
        AbsurdError: Before 1971 or after 2200.
    """
    if text is None or text == "" or text.startswith("0001-01-01"):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ShapeError(f"{what}: {_short(text)} is not a time") from error
    aware = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
    if not 1970 < aware.year < 2201:
        raise AbsurdError(f"{what}: {_short(text)} is not a time that can be")
    utc = aware.astimezone(UTC)
    if not _EARLIEST <= utc <= _LATEST:
        raise AbsurdError(f"{what}: {_short(text)} is not a time that can be")
    return utc


def not_future(moment: datetime | None, now: datetime, what: str, slack_s: float = 86_400.0) -> datetime | None:
    """The same time, refused when it lies more than `slack_s` seconds (clocks differ) after `now`.

    Raises:
        AbsurdError: It does.
    """
    if moment is not None and moment > now + timedelta(seconds=slack_s):
        raise AbsurdError(f"{what}: {moment.isoformat()} lies in the future")
    return moment


def natural(value: N, what: str, most: float = MOST_BYTES) -> N:
    """The same number, refused unless it is finite, not negative and at most `most`.

    Raises:
        AbsurdError: It is not.
    """
    return within(value, what, 0.0, most)


def within(value: N, what: str, least: float, most: float) -> N:
    """The same number, refused unless it is finite and between `least` and `most`, both included.

    Raises:
        AbsurdError: It is not.
    """
    finite = value.is_finite() if isinstance(value, Decimal) else isinstance(value, int) or math.isfinite(value)
    if not finite or not least <= value <= most:
        raise AbsurdError(f"{what}: {_short(str(value))} is not between {least:g} and {most:g}")
    return value


def money(value: Decimal, what: str, *, signed: bool = False) -> Decimal:
    """The same amount, refused unless it is finite, sensible in size and (unless `signed`) not negative.

    Raises:
        AbsurdError: It is not.
    """
    if not value.is_finite() or abs(value) > MOST_MONEY or (value < 0 and not signed):
        raise AbsurdError(f"{what}: {_short(str(value))} is not an amount that can be")
    return value


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _check_content_type(reply: Reply, endpoint: str, wanted: str) -> None:
    found = (reply.header("Content-Type") or "none").split(";")[0].strip().lower()
    if found != wanted:
        raise ShapeError(f"{endpoint}: the content type is {_short(found)}, not {wanted}: {_excerpt(reply.body)}")


def _refuse_constants(body: bytes, endpoint: str) -> None:
    def refuse(constant: str) -> None:
        raise AbsurdError(f"{endpoint}: the answer holds {constant}")

    try:
        json.loads(body, parse_constant=refuse)
    except (ValueError, RecursionError):
        return


def _excerpt(body: bytes) -> str:
    return _short(body[: 2 * _EXCERPT].decode("utf-8", errors="replace"))


def _short(text: str) -> str:
    return repr(text if len(text) <= _EXCERPT else text[:_EXCERPT] + "...")
