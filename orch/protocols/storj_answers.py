"""The console API of a Storj storage node (v1.79 to v1.162): how its answers are read.

Three units of money meet here: cents as decimals (`estimated-payout`), micro-USD as integers (paystubs) and
whole cents per decimal TB (prices). All amounts leave this module as USD in `Decimal`. Bytes are bytes.
Lists may be JSON null, the zero time means never, and keys that came with later versions may be missing.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from msgspec import field

from orch.errors import AbsurdError
from orch.model.base import Value
from orch.protocols.decode import decode, decode_or_none, instant, money, natural, not_future, within
from orch.protocols.storj_calendar import day_start, month_start
from orch.protocols.storj_values import (
    Disk,
    Estimate,
    Month,
    Node,
    Payout,
    Paystub,
    Prices,
    Satellite,
    Stored,
    Traffic,
)

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import Reply

CENTS = Decimal(100)
MICRO = Decimal(1_000_000)
MOST_SATELLITES = 50
MOST_CENTS_PER_TB = 1_000_000
LONGEST_INTERVAL_H = 62 * 24
CLOCK_DOUBT = timedelta(minutes=2)
"""A node's clock may be this far from ours: nearer to a month's edge its answer could mean either month."""
DATE_DOUBT = timedelta(seconds=2)
"""The same when the node says what its clock shows, in whole seconds."""

MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")
SATELLITE_ID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,60}")


class _Satellite(Value, rename="camel"):
    id: str
    url: str
    disqualified: str | None
    suspended: str | None


class _Disk(Value, rename="camel"):
    used: int
    available: int
    trash: int
    overused: int = 0
    allocated: int | None = None
    reclaimable: int = 0


class _Node(Value, rename="camel"):
    node_id: str = field(name="nodeID")
    satellites: list[_Satellite] | None
    disk_space: _Disk
    last_pinged: str
    started_at: str
    version: str
    up_to_date: bool
    allowed_version: str = ""
    quic_status: str = ""


class _Egress(Value):
    repair: int
    audit: int
    usage: int


class _Ingress(Value):
    repair: int
    usage: int


class _Traffic(Value, rename="camel"):
    egress: _Egress
    ingress: _Ingress
    interval_start: str
    delete: int = 0


class _Stored(Value, rename="camel"):
    interval_start: str
    at_rest_total: float
    at_rest_total_bytes: float | None = None
    interval_in_hours: float | None = None
    calculated: bool = False


class _Scores(Value, rename="camel"):
    audit_score: float
    suspension_score: float
    online_score: float


class _PriceModel(Value, rename="pascal"):
    egress_bandwidth: int
    repair_bandwidth: int
    audit_bandwidth: int
    disk_space: int


class _AllSatellites(Value, rename="camel"):
    storage_daily: list[_Stored] | None
    bandwidth_daily: list[_Traffic] | None
    earliest_joined_at: str


class _OneSatellite(Value, rename="camel"):
    storage_daily: list[_Stored] | None
    bandwidth_daily: list[_Traffic] | None
    audits: _Scores
    price_model: _PriceModel
    node_joined_at: str


class _Pricing(Value, rename="camel"):
    egress_bandwidth: int
    repair_bandwidth: int
    audit_bandwidth: int
    disk_space: int


class _Payout(Value, rename="camel"):
    egress_bandwidth: int
    egress_bandwidth_payout: Decimal
    egress_repair_audit: int
    egress_repair_audit_payout: Decimal
    disk_space: float
    disk_space_payout: Decimal
    held_rate: Decimal


class _Estimate(Value, rename="camel"):
    current_month: _Payout
    previous_month: _Payout


class _Paystub(Value, rename="camel"):
    satellite_id: str
    period: str
    paid: int
    held: int
    disposed: int
    distributed: int


def read_node(reply: Reply, key: str) -> Node:
    """`GET /api/sno/`.

    `available` was the allocation up to v1.142 and is what can still be filled since; the presence of
    `allocated` tells them apart, and with it whether `used` counts the trash.
    """
    body = decode(reply, _Node, key)
    satellites = body.satellites or []
    if len(satellites) > MOST_SATELLITES:
        raise AbsurdError(f"{key}: {len(satellites)} satellites")
    return Node(
        as_of=reply.received_at,
        node_id=body.node_id[:80],
        satellites=tuple(_satellite(each, key) for each in satellites),
        disk=_disk(body.disk_space, key),
        last_pinged_at=instant(body.last_pinged, f"{key}: lastPinged"),
        started_at=instant(body.started_at, f"{key}: startedAt"),
        version=body.version[:40],
        allowed_version=body.allowed_version[:40],
        up_to_date=body.up_to_date,
        quic=body.quic_status[:40],
    )


def read_all_satellites(reply: Reply, key: str) -> Month:
    """`GET /api/sno/satellites`: all satellites merged. `earliestJoinedAt` is "now" when nothing is known."""
    body = decode(reply, _AllSatellites, key)
    joined_at = instant(body.earliest_joined_at, f"{key}: earliestJoinedAt")
    known = joined_at is not None and joined_at < reply.received_at - timedelta(hours=1)
    return Month(
        as_of=reply.received_at,
        covered_from=month_start(reply.received_at),
        traffic=_traffic(body.bandwidth_daily, reply.received_at, key),
        stored=_stored(body.storage_daily, reply.received_at, key),
        joined_at=joined_at if known else None,
    )


def read_satellite(reply: Reply, key: str) -> Month:
    """`GET /api/sno/satellite/{id}`."""
    body = decode(reply, _OneSatellite, key)
    model = body.price_model
    return Month(
        as_of=reply.received_at,
        covered_from=month_start(reply.received_at),
        traffic=_traffic(body.bandwidth_daily, reply.received_at, key),
        stored=_stored(body.storage_daily, reply.received_at, key),
        joined_at=instant(body.node_joined_at, f"{key}: nodeJoinedAt"),
        prices=_prices(
            (model.egress_bandwidth, model.repair_bandwidth, model.audit_bandwidth, model.disk_space), key
        ),
        audit_score=within(body.audits.audit_score, f"{key}: auditScore", 0, 1),
        suspension_score=within(body.audits.suspension_score, f"{key}: suspensionScore", 0, 1),
        online_score=within(body.audits.online_score, f"{key}: onlineScore", 0, 1),
    )


def read_pricing(reply: Reply, key: str) -> Prices:
    """`GET /api/sno/satellites/{id}/pricing`."""
    body = decode(reply, _Pricing, key)
    return _prices((body.egress_bandwidth, body.repair_bandwidth, body.audit_bandwidth, body.disk_space), key)


def read_estimate(reply: Reply, key: str) -> Estimate:
    """`GET /api/sno/estimated-payout?id=`: the sums by what was paid for, for `payout` is rounded and net."""
    body = decode(reply, _Estimate, key)
    told_at = node_time(reply)
    doubt = CLOCK_DOUBT if told_at is None else DATE_DOUBT
    taken = timedelta(seconds=within(reply.elapsed_s, f"{key}: time taken", 0, 86_400))
    return Estimate(
        as_of=reply.received_at,
        earliest=(told_at or reply.received_at) - taken - doubt,
        latest=(told_at or reply.received_at) + doubt,
        current=_payout(body.current_month, f"{key}: currentMonth"),
        previous=_payout(body.previous_month, f"{key}: previousMonth"),
    )


def node_time(reply: Reply) -> datetime | None:
    """When the node answered, by its own clock (the header `Date`), or None."""
    stated = reply.header("Date")
    if stated is None or reply.header("X-Orch-Emulated") is not None:
        return None
    try:
        moment = parsedate_to_datetime(stated)
    except ValueError:
        return None
    return None if moment.tzinfo is None or not 1970 < moment.year < 2201 else moment.astimezone(UTC)


def read_paystubs(reply: Reply, key: str, first: str, last: str) -> tuple[Paystub, ...]:
    """`GET /api/heldamount/paystubs/{month}` or `.../{first}/{last}`: null until a statement of them has come."""
    rows = decode_or_none(reply, list[_Paystub], key) or []
    return tuple(_paystub(row, reply.received_at, key, (first, last)) for row in rows)


def _satellite(body: _Satellite, key: str) -> Satellite:
    if SATELLITE_ID.fullmatch(body.id) is None:
        raise AbsurdError(f"{key}: {body.id[:60]!r} is not a satellite id")
    return Satellite(
        id=body.id,
        host=body.url.rsplit(":", 1)[0][:80] or body.id[:12],
        disqualified_at=instant(body.disqualified, f"{key}: disqualified"),
        suspended_at=instant(body.suspended, f"{key}: suspended"),
    )


def _disk(body: _Disk, key: str) -> Disk:
    used = natural(body.used, f"{key}: diskSpace.used")
    available = natural(body.available, f"{key}: diskSpace.available")
    trash = natural(body.trash, f"{key}: diskSpace.trash")
    overused = natural(body.overused, f"{key}: diskSpace.overused")
    reclaimable = natural(body.reclaimable, f"{key}: diskSpace.reclaimable")
    if body.allocated is None:
        allocated, used = available, used + trash
        free = max(0, allocated - used)
    else:
        allocated, free = natural(body.allocated, f"{key}: diskSpace.allocated"), available
    return Disk(used=used, allocated=allocated, free=free, overused=overused, trash=trash, reclaimable=reclaimable)


def _traffic(rows: list[_Traffic] | None, as_of: datetime, key: str) -> tuple[Traffic, ...]:
    read = []
    for row in rows or []:
        what = f"{key}: bandwidthDaily.intervalStart"
        day = not_future(instant(row.interval_start, what), as_of, what)
        if day is None:
            continue
        moved = (row.egress.usage, row.egress.repair, row.egress.audit, row.ingress.usage, row.ingress.repair)
        usage, repair, audit, fresh, repaired = (natural(each, f"{key}: bandwidthDaily") for each in moved)
        read.append(
            Traffic(
                day=day_start(day),
                usage=usage,
                repair_audit=repair + audit,
                ingress=fresh + repaired,
                deleted=natural(row.delete, f"{key}: bandwidthDaily.delete"),
            )
        )
    return tuple(sorted(read, key=lambda each: each.day))


def _stored(rows: list[_Stored] | None, as_of: datetime, key: str) -> Stored | None:
    """The newest reported day; when nothing was reported this month, what the node fills in, marked as such.

    Before v1.162 a report that had not come was a row of 0, and the bytes came with the next one, over a longer
    interval: a 0 after something is no report, nor is a row over more hours than two months have.
    """
    reported: list[Stored] = []
    projected: list[Stored] = []
    for row in rows or []:
        natural(row.at_rest_total, f"{key}: storageDaily.atRestTotal", 1e21)
        if row.at_rest_total_bytes is None:
            continue
        amount = natural(row.at_rest_total_bytes, f"{key}: storageDaily.atRestTotalBytes")
        what = f"{key}: storageDaily.intervalStart"
        day = not_future(instant(row.interval_start, what), as_of, what)
        hours = row.interval_in_hours
        if day is None or (hours is not None and not 0 <= hours <= LONGEST_INTERVAL_H):
            continue
        found = Stored(day=day, amount=amount, projected=row.calculated)
        (projected if row.calculated else reported).append(found)
    believed = [each for each in reported if each.amount > 0] or reported
    return max(believed or projected, key=lambda each: each.day, default=None)


def _prices(cents: tuple[int, int, int, int], key: str) -> Prices:
    egress, repair, audit, disk = (natural(each, f"{key}: a price", MOST_CENTS_PER_TB) for each in cents)
    return Prices(egress=egress, repair=repair, audit=audit, disk=disk)


def _payout(body: _Payout, what: str) -> Payout:
    egress = money(body.egress_bandwidth_payout, what) + money(body.egress_repair_audit_payout, what)
    storage = money(body.disk_space_payout, what)
    work = (body.egress_bandwidth, body.egress_repair_audit, body.disk_space)
    busy = any(natural(amount, what) > 10e9 for amount in work)
    return Payout(
        storage=storage / CENTS,
        egress=egress / CENTS,
        moved=body.egress_bandwidth + body.egress_repair_audit,
        held_rate=within(body.held_rate, f"{what}.heldRate", 0, 100),
        trusted=storage + egress > 0 or not busy,
    )


def _paystub(body: _Paystub, as_of: datetime, key: str, months: tuple[str, str]) -> Paystub:
    if MONTH.fullmatch(body.period) is None or not months[0] <= body.period <= months[1]:
        raise AbsurdError(f"{key}: a statement of {body.period[:20]!r}")
    if SATELLITE_ID.fullmatch(body.satellite_id) is None:
        raise AbsurdError(f"{key}: {body.satellite_id[:60]!r} is not a satellite id")
    amounts = (body.paid, body.held, body.disposed, body.distributed)
    paid, held, disposed, distributed = (money(Decimal(each), f"{key}: an amount") / MICRO for each in amounts)
    stub = Paystub(
        satellite=body.satellite_id,
        month=body.period,
        as_of=as_of,
        paid=paid,
        held=held,
        disposed=disposed,
        distributed=distributed,
    )
    money(stub.gross, f"{key}: paid + held - disposed")
    return stub
