"""Agreements written into a running yagna's `payment.db`, with everything that belongs to them.

The daemon reads its database for every request, so what is written is stated at once. Amounts are text and
stay exact; foreign keys are enforced. Source: the schema that yagna 0.17.6 creates.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

REQUESTOR = "0x" + "5e" * 20
LOST = ("REJECTED", "FAILED", "CANCELLED")


@dataclass(frozen=True)
class Deal:
    """One agreement to be seeded: what it amounts to, and its invoice if it has one."""

    name: str
    due: str
    accepted: str
    paid: str
    created_at: datetime
    status: str | None = None
    invoiced_at: datetime | None = None
    role: str = "P"
    platform: str = "erc20-polygon-glm"
    cpu_s: float = 3600.0

    @property
    def agreement_id(self) -> str:
        """A well-formed id that belongs to the name."""
        return hashlib.sha3_256(self.name.encode()).hexdigest()

    @property
    def activity_id(self) -> str:
        """The id of its one activity."""
        return self.agreement_id[:32]


@dataclass(frozen=True)
class Totals:
    """Sums over seeded agreements that this node provides, in GLM."""

    due: Decimal = Decimal(0)
    accepted: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    written_off: Decimal = Decimal(0)


def seed(database: Path, owner: str, deals: Iterable[Deal]) -> None:
    """Write agreements of the node `owner`."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        for deal in deals:
            _write(connection, owner, deal)


def change(database: Path, deal: Deal, **now: str) -> Deal:
    """Give a seeded agreement other totals, or its invoice another status, as the daemon would in time."""
    changed = Deal(**{**asdict(deal), **now})
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        connection.execute(
            "UPDATE pay_agreement SET total_amount_due = ?, total_amount_accepted = ?, total_amount_paid = ?"
            " WHERE id = ?",
            (changed.due, changed.accepted, changed.paid, deal.agreement_id),
        )
        connection.execute(
            "UPDATE pay_invoice SET status = ? WHERE agreement_id = ?", (changed.status, deal.agreement_id)
        )
    return changed


def totals(deals: Sequence[Deal]) -> Totals:
    """What the node must be told of its income from these agreements, as a provider paid in GLM."""
    mine = [deal for deal in deals if deal.role == "P" and deal.platform.endswith("-glm")]
    with localcontext() as exact:
        exact.prec = 100
        return Totals(
            due=sum((Decimal(deal.due) for deal in mine), Decimal(0)),
            accepted=sum((Decimal(deal.accepted) for deal in mine), Decimal(0)),
            paid=sum((Decimal(deal.paid) for deal in mine), Decimal(0)),
            written_off=sum(
                (Decimal(deal.due) - Decimal(deal.paid) for deal in mine if deal.status in LOST), Decimal(0)
            ),
        )


def _write(connection: sqlite3.Connection, owner: str, deal: Deal) -> None:
    """One agreement with its activity, two debit notes, and its invoice and payment where there are any."""
    payee, payer = (owner, REQUESTOR) if deal.role == "P" else (REQUESTOR, owner)
    common = {"owner_id": owner, "role": deal.role}
    sums = {
        "total_amount_due": deal.due,
        "total_amount_accepted": deal.accepted,
        "total_amount_scheduled": "0",
        "total_amount_paid": deal.paid,
        "created_ts": _stamp(deal.created_at),
        "updated_ts": _stamp(deal.created_at),
    }
    parties = {
        "peer_id": REQUESTOR,
        "payee_addr": payee,
        "payer_addr": payer,
        "payment_platform": deal.platform,
    }
    _insert(connection, "pay_agreement", id=deal.agreement_id, **common, **parties, **sums)
    _insert(connection, "pay_activity", id=deal.activity_id, agreement_id=deal.agreement_id, **common, **sums)
    _write_notes(connection, common, deal)
    invoice = None
    if deal.status is not None and deal.invoiced_at is not None:
        invoice = _write_invoice(connection, common, deal, deal.invoiced_at)
    if Decimal(deal.paid):
        _write_payment(connection, {**common, **parties}, deal, invoice)


def _write_notes(connection: sqlite3.Connection, common: dict[str, str], deal: Deal) -> None:
    with localcontext() as exact:
        exact.prec = 100
        half = format(Decimal(deal.due) / 2, "f")
    previous = None
    for number, amount in enumerate((half, deal.due), start=1):
        note = _uuid(deal, f"note {number}")
        _insert(
            connection,
            "pay_debit_note",
            id=note,
            **common,
            previous_debit_note_id=previous,
            activity_id=deal.activity_id,
            status="ACCEPTED",
            timestamp=_stamp(deal.created_at + timedelta(minutes=2 * (number - 1))),
            total_amount_due=amount,
            usage_counter_vector=json.dumps([deal.cpu_s * number / 2, 120.0 * number]).encode(),
            debit_nonce=number,
        )
        previous = note


def _write_invoice(connection: sqlite3.Connection, common: dict[str, str], deal: Deal, at: datetime) -> str:
    invoice = _uuid(deal, "invoice")
    _insert(
        connection,
        "pay_invoice",
        id=invoice,
        **common,
        agreement_id=deal.agreement_id,
        status=deal.status,
        timestamp=_stamp(at),
        amount=deal.due,
        payment_due_date=_stamp(at + timedelta(days=1)),
    )
    _insert(
        connection,
        "pay_invoice_x_activity",
        invoice_id=invoice,
        activity_id=deal.activity_id,
        owner_id=common["owner_id"],
    )
    return invoice


def _write_payment(
    connection: sqlite3.Connection, parties: dict[str, str], deal: Deal, invoice: str | None
) -> None:
    payment = _uuid(deal, "payment")
    paid_at = (deal.invoiced_at or deal.created_at) + timedelta(hours=1)
    _insert(
        connection,
        "pay_payment",
        id=payment,
        **parties,
        amount=deal.paid,
        timestamp=_stamp(paid_at),
        details=hashlib.sha256(payment.encode()).digest(),
    )
    _insert(
        connection,
        "pay_payment_document",
        payment_id=payment,
        owner_id=parties["owner_id"],
        peer_id=parties["peer_id"],
        agreement_id=deal.agreement_id,
        invoice_id=invoice,
        activity_id=None if invoice else deal.activity_id,
        amount=deal.paid,
    )


def _uuid(deal: Deal, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{deal.name}/{what}"))


def _insert(connection: sqlite3.Connection, table: str, **row: object) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


def _stamp(moment: datetime) -> str:
    """A time as the database keeps it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
