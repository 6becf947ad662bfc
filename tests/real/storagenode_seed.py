"""What satellites would have told a storage node, written into its SQLite files while it is stopped."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
REPORTED_DAYS = range(-45, -1)
"""Days before today whose storage has been reported; yesterday's and today's have not."""
TRAFFIC_DAYS = range(-45, 1)


@dataclass(frozen=True)
class Book:
    """One satellite's figures: bytes at rest, bytes a day, months since joined, scores, prices in cents per TB."""

    satellite: str
    stored: int = 0
    usage: int = 0
    repair: int = 0
    audit: int = 0
    ingress: int = 0
    deleted: int = 0
    months: int = 15
    scores: tuple[float, float, float] = (1.0, 1.0, 1.0)
    prices: tuple[int, int, int, int] = (200, 200, 200, 149)
    disqualified: bool = False
    suspended: bool = False


@dataclass(frozen=True)
class Stub:
    """One satellite's statement of a month, micro-USD; `receipt` names its payment."""

    satellite: str
    period: str
    held: int
    disposed: int
    paid: int
    distributed: int
    receipt: str | None = None


def write(storage: Path, books: tuple[Book, ...], stubs: tuple[Stub, ...], now: datetime) -> None:
    """Add everything; the node must be stopped."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for book in books:
        who = blob(book.satellite)
        usage = [
            (
                stamp(today + timedelta(days=day)),
                who,
                book.stored * 24.0,
                stamp(today + timedelta(days=day, hours=23)),
            )
            for day in REPORTED_DAYS
        ]
        _insert(
            storage,
            "storage_usage",
            "storage_usage",
            "timestamp, satellite_id, at_rest_total, interval_end_time",
            usage,
        )
        moved = (book.ingress, book.usage, book.audit, book.repair, 0, book.deleted)
        traffic = [
            ((today + timedelta(days=day)).strftime("%Y-%m-%d %H:%M:%S"), who, *moved) for day in TRAFFIC_DAYS
        ]
        columns = (
            "interval_start, satellite_id, put_total, get_total, get_audit_total, get_repair_total,"
            " put_repair_total, delete_total"
        )
        _insert(storage, "bandwidth", "bandwidth_usage", columns, traffic)
        _insert(
            storage,
            "pricing",
            "pricing",
            "satellite_id, egress_bandwidth_price, repair_bandwidth_price, audit_bandwidth_price,"
            " disk_space_price",
            [(who, *book.prices)],
        )
        _insert(storage, "reputation", "reputation", *_reputation(book, who, now))
    for number, stub in enumerate(stubs):
        _statement(storage, stub, number, now)


def notify(storage: Path, kind: int, title: str, now: datetime) -> None:
    """One unread notification."""
    columns = "id, sender_id, type, title, message, created_at"
    row = (bytes(15) + bytes([kind + 1]), bytes(32), kind, title, title, stamp(now))
    _insert(storage, "notifications", "notifications", columns, [row])


def joined(now: datetime, months: int) -> datetime:
    """The third day of the month so many months ago."""
    year, month = divmod(now.year * 12 + now.month - 1 - months, 12)
    return datetime(year, month + 1, 3, 4, 5, 6, tzinfo=UTC)


def blob(satellite: str) -> bytes:
    """A satellite's id as the databases hold it: 32 bytes of base58, less version and checksum."""
    number = 0
    for letter in satellite:
        number = number * 58 + ALPHABET.index(letter)
    return number.to_bytes(37, "big")[1:33]


def stamp(moment: datetime) -> str:
    """A time as the node's SQLite driver writes it."""
    return moment.strftime("%Y-%m-%d %H:%M:%S+00:00")


def _reputation(book: Book, who: bytes, now: datetime) -> tuple[str, list[tuple[object, ...]]]:
    audit, suspension, online = book.scores
    since = joined(now, book.months)
    row = {
        "satellite_id": who,
        "audit_success_count": 900,
        "audit_total_count": 900,
        "audit_reputation_alpha": 19.0,
        "audit_reputation_beta": 0.0,
        "audit_reputation_score": audit,
        "audit_unknown_reputation_alpha": 19.0,
        "audit_unknown_reputation_beta": 0.0,
        "audit_unknown_reputation_score": suspension,
        "online_score": online,
        "audit_history": _history(now, online),
        "disqualified_at": stamp(now - timedelta(days=2)) if book.disqualified else None,
        "suspended_at": stamp(now - timedelta(days=1)) if book.suspended else None,
        "updated_at": stamp(now),
        "joined_at": stamp(since),
        "vetted_at": stamp(since + timedelta(days=25)) if since + timedelta(days=25) < now else None,
    }
    return ", ".join(row), [tuple(row.values())]


def _history(now: datetime, score: float) -> bytes:
    """The protocol buffer AuditHistory: one window {start = 1 {seconds = 1}, online = 2, total = 3}, score = 2."""
    start = b"\x08" + _varint(int(now.timestamp()) // 43_200 * 43_200)
    window = b"\x0a" + bytes([len(start)]) + start + b"\x10" + _varint(41) + b"\x18" + _varint(41)
    return b"\x0a" + bytes([len(window)]) + window + b"\x11" + struct.pack("<d", score)


def _varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _statement(storage: Path, stub: Stub, number: int, now: datetime) -> None:
    who, created = blob(stub.satellite), stamp(now - timedelta(hours=1))
    gross = stub.paid + stub.held - stub.disposed
    row = {
        "period": stub.period,
        "satellite_id": who,
        "created_at": created,
        "codes": "",
        "usage_at_rest": gross / 1_497_600 * 720e12,
        **dict.fromkeys(("usage_get", "usage_put", "usage_get_repair", "usage_put_repair", "usage_get_audit"), 0),
        "comp_at_rest": gross,
        **dict.fromkeys(("comp_get", "comp_put", "comp_get_repair", "comp_put_repair", "comp_get_audit"), 0),
        "surge_percent": 100,
        "held": stub.held,
        "owed": stub.paid,
        "disposed": stub.disposed,
        "paid": stub.paid,
        "distributed": stub.distributed,
    }
    _insert(storage, "heldamount", "paystubs", ", ".join(row), [tuple(row.values())])
    if stub.receipt is not None:
        columns = "id, created_at, satellite_id, period, amount, receipt, notes"
        payment = (number + 1, created, who, stub.period, stub.distributed, stub.receipt, "")
        _insert(storage, "heldamount", "payments", columns, [payment])


def _insert(storage: Path, database: str, table: str, columns: str, rows: list[tuple[object, ...]]) -> None:
    marks = ", ".join("?" for _ in columns.split(","))
    with closing(sqlite3.connect(storage / f"{database}.db")) as connection, connection:
        connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
