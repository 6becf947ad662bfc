"""The private dashboard API of Grass: its answers as checked values, and what the operator's token says.

Success is always `{"result": {"data": ...}}`. There is no documentation and no promise: known keys that are
needed must be there, everything else may come and go. A missing `data` is a change of the API; an empty list
is "nothing connected". Points are not tokens and no money.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from orch.errors import AbsurdError
from orch.model.base import Value
from orch.protocols.decode import decode, instant, money, natural, within

if TYPE_CHECKING:
    from orch.model.wire import Reply

T = TypeVar("T")

MOST_DEVICES = 10_000
LONGEST_EPOCH = timedelta(days=400)


class Device(Value):
    """A connected device. `score` 0..100 is its address's network score; None is unknown, 0 earns nothing."""

    id: str
    address: str
    score: float | None
    uptime_s: float | None
    multiplier: float


class Epoch(Value):
    """One reward period of about a month; `points` are 0 while it runs and settle after its end."""

    name: str
    start: datetime
    end: datetime
    points: Decimal
    uptime_s: float | None


class _Result(Value, Generic[T]):
    data: T


class _Answer(Value, Generic[T]):
    result: _Result[T]


class _User(Value, rename="camel"):
    total_points: Decimal


class _Device(Value, rename="camel"):
    device_id: str
    ip_address: str
    agg_uptime: float | None
    ip_score: float | None = None
    multiplier: float | None = None


class _Epoch(Value, rename="camel"):
    epoch_name: str
    start_date: str
    end_date: str
    total_points: Decimal
    total_uptime: float | None = None


class _Epochs(Value):
    data: list[_Epoch]


class _Settings(Value, rename="camel"):
    is_connection_paused: bool
    pause_connection_expiry: str | None = None


class _Claims(Value):
    exp: float | None = None


def read_user(reply: Reply, key: str) -> Decimal:
    """`GET /retrieveUser`: the points of the last settled epoch."""
    return money(decode(reply, _Answer[_User], key).result.data.total_points, f"{key}: totalPoints")


def read_devices(reply: Reply, key: str) -> tuple[Device, ...]:
    """`GET /activeDevices`: what is connected now."""
    rows = decode(reply, _Answer[list[_Device]], key).result.data
    if len(rows) > MOST_DEVICES:
        raise AbsurdError(f"{key}: {len(rows)} devices")
    return tuple(_device(row, key) for row in rows)


def read_epochs(reply: Reply, key: str) -> tuple[Epoch, ...]:
    """`GET /epochEarnings`: results by epoch, oldest first. An end that is a date includes that day."""
    rows = decode(reply, _Answer[_Epochs], key).result.data.data
    return tuple(sorted((_epoch(row, key) for row in rows), key=lambda each: each.start))


def read_pause(reply: Reply, key: str) -> str | None:
    """`GET /retrieveUserSettings`: until when the connection is paused, in words; None while it is not."""
    found = decode(reply, _Answer[_Settings], key).result.data
    if not found.is_connection_paused:
        return None
    until = instant(found.pause_connection_expiry, f"{key}: pauseConnectionExpiry")
    return "somebody resumes it" if until is None else f"{until:%Y-%m-%d %H:%M} UTC"


def usable_token(token: str) -> str | None:
    """The bare token as it goes into a header, or None for what can't: nothing is ever sent of such a one."""
    bare = token.strip().removeprefix("Bearer ").strip()
    return bare if bare.isascii() and bare.isprintable() and bare and " " not in bare else None


@lru_cache(maxsize=64)
def token_expiry(token: str) -> datetime | None:
    """When a JWT ends by its own word (the signature is not checked); None when it says nothing readable."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=_Claims)
        return None if claims.exp is None else datetime.fromtimestamp(claims.exp, UTC)
    except (msgspec.DecodeError, binascii.Error, ValueError, OverflowError, OSError, RecursionError):
        return None


def _device(row: _Device, key: str) -> Device:
    score, uptime_s = row.ip_score, row.agg_uptime
    return Device(
        id=row.device_id[:80],
        address=row.ip_address[:80],
        score=None if score is None else within(score, f"{key}: ipScore", 0, 100),
        uptime_s=None if uptime_s is None else natural(uptime_s, f"{key}: aggUptime", 1e10),
        multiplier=1.0 if row.multiplier is None else within(row.multiplier, f"{key}: multiplier", 0, 100),
    )


def _epoch(row: _Epoch, key: str) -> Epoch:
    start = instant(row.start_date, f"{key}: startDate")
    end = instant(row.end_date, f"{key}: endDate")
    if end is not None and "T" not in row.end_date:
        end += timedelta(days=1)
    if start is None or end is None or not start < end <= start + LONGEST_EPOCH:
        raise AbsurdError(f"{key}: an epoch from {row.start_date[:30]!r} to {row.end_date[:30]!r}")
    if not row.epoch_name.strip():
        raise AbsurdError(f"{key}: an epoch without a name")
    uptime_s = row.total_uptime
    return Epoch(
        name=row.epoch_name[:80],
        start=start,
        end=end,
        points=money(row.total_points, f"{key}: totalPoints"),
        uptime_s=None if uptime_s is None else natural(uptime_s, f"{key}: totalUptime", 1e11),
    )
