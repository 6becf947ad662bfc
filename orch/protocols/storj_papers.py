"""What a storage node has on file: payments, held amounts, notifications. All amounts leave here as USD."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import field

from orch.errors import AbsurdError
from orch.model.base import Value
from orch.protocols.decode import decode, decode_or_none, instant, money, within
from orch.protocols.storj_answers import MICRO, MOST_SATELLITES, SATELLITE_ID
from orch.protocols.storj_values import Held, Notice, Receipt

if TYPE_CHECKING:
    from orch.model.wire import Reply

NOTICES_ASKED = 20
LONGEST_RECEIPT = 200


class _Payout(Value, rename="camel"):
    satellite_id: str = field(name="satelliteID")
    receipt: str


class _Held(Value, rename="camel"):
    satellite_id: str = field(name="satelliteID")
    total_held: int
    total_disposed: int


class _Notice(Value, rename="camel"):
    type: int
    title: str
    read_at: str | None
    created_at: str


class _Page(Value):
    notifications: list[_Notice] | None


class _Notices(Value):
    page: _Page


def read_receipts(reply: Reply, key: str, month: str) -> tuple[Receipt, ...]:
    """`GET /api/heldamount/payout-history/{month}`: how each satellite's month was paid out, where it was.

    A node that does not know when it joined cannot state a share of nothing: it answers 200 with an empty body,
    and that is no data.
    """
    if not reply.body.strip():
        return ()
    rows = decode_or_none(reply, list[_Payout], key) or []
    return tuple(
        Receipt(satellite=_satellite(row.satellite_id, key), month=month, reference=row.receipt[:LONGEST_RECEIPT])
        for row in rows
        if row.receipt
    )


def read_held(reply: Reply, key: str) -> tuple[Held, ...]:
    """`GET /api/heldamount/held-history`: micro-USD by satellite; those without any statement are left out."""
    rows = decode_or_none(reply, list[_Held], key) or []
    if len(rows) > MOST_SATELLITES:
        raise AbsurdError(f"{key}: {len(rows)} satellites")
    return tuple(
        Held(
            satellite=_satellite(row.satellite_id, key),
            held=money(Decimal(row.total_held), f"{key}: totalHeld") / MICRO,
            returned=money(Decimal(row.total_disposed), f"{key}: totalDisposed") / MICRO,
        )
        for row in rows
    )


def read_notices(reply: Reply, key: str) -> tuple[Notice, ...]:
    """`GET /api/notifications/list`: the unread ones, newest first."""
    rows = decode(reply, _Notices, key).page.notifications or []
    return tuple(
        Notice(
            kind=within(row.type, f"{key}: type", 0, 1000),
            title=row.title[:LONGEST_RECEIPT],
            created_at=instant(row.created_at, f"{key}: createdAt"),
        )
        for row in rows[:NOTICES_ASKED]
        if row.read_at is None
    )


def _satellite(identity: str, key: str) -> str:
    if SATELLITE_ID.fullmatch(identity) is None:
        raise AbsurdError(f"{key}: {identity[:60]!r} is not a satellite id")
    return identity
