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


def run(data: Path, owner: str, deal: Deal, *, threads: int, state: str = "Approved") -> None:
    """Sign a seeded agreement on the market, with one activity that works on it, as if it ran (or had ended)."""
    properties = {
        "golem.runtime.name": "vm",
        "golem.inf.cpu.cores": threads,
        "golem.inf.cpu.threads": threads,
        "golem.inf.mem.gib": 4.0,
        "golem.inf.storage.gib": 20.0,
        "golem.com.usage.vector": ["golem.usage.cpu_sec", "golem.usage.duration_sec"],
        "golem.com.pricing.model": "linear",
        "golem.com.pricing.model.linear.coeffs": [0.025 / 3600, 0.005 / 3600, 0.0],
        "golem.com.payment.platform.erc20-polygon-glm.address": owner,
        "golem.com.scheme": "payu",
        "golem.com.scheme.payu.debit-note.interval-sec?": 120,
        "golem.node.id.name": "genuine",
    }
    agreement, subscription = f"P-{deal.agreement_id}", f"{deal.activity_id}-{deal.agreement_id}"
    signed = _stamp(deal.created_at - timedelta(minutes=2))
    with closing(sqlite3.connect(data / "market.db", timeout=20)) as connection, connection:
        _insert(
            connection,
            "market_agreement",
            id=agreement,
            demand_properties=json.dumps({"golem.srv.comp.expiration": 1}),
            demand_constraints="()",
            offer_properties=json.dumps(properties),
            offer_constraints="()",
            **{f"{each}_id": subscription for each in ("offer", "demand")},
            **{f"{each}_proposal_id": agreement for each in ("offer", "demand")},
            provider_id=owner,
            requestor_id=REQUESTOR,
            creation_ts=signed,
            approved_ts=signed,
            valid_to=_stamp(deal.created_at + timedelta(days=30)),
            state=state,
        )
        event = {"agreement_id": agreement, "timestamp": signed, "issuer": "R"}
        _insert(connection, "market_agreement_event", event_type="Approved", **event)
    with closing(sqlite3.connect(data / "activity.db", timeout=20)) as connection, connection:
        now = _stamp(deal.created_at)
        states = _insert(connection, "activity_state", name=json.dumps(["Ready", None]), updated_date=now)
        usage = _insert(connection, "activity_usage", vector_json="[61.5,240.25]", updated_date=now)
        ids = {"natural_id": deal.activity_id, "agreement_id": deal.agreement_id}
        _insert(connection, "activity", **ids, state_id=states, usage_id=usage)


def tell(database: Path, owner: str, deal: Deal, event: str, at: datetime, details: object = None) -> None:
    """Write an event of an agreement's invoice (`ACCEPTED`, `REJECTED`, `SETTLED`) and of its first debit note."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        common = {"owner_id": owner, "event_type": event, "timestamp": _stamp(at)}
        written = None if details is None else json.dumps(details)
        invoice = _uuid(deal, "invoice")
        _insert(connection, "pay_invoice_event", invoice_id=invoice, details=written, **common)
        if event == "ACCEPTED":
            _insert(connection, "pay_debit_note_event", debit_note_id=_uuid(deal, "note 1"), **common)


def pay(database: Path, owner: str, deal: Deal, amount: str, number: int, at: datetime) -> None:
    """Record a transaction of so much for an agreement; its totals are changed apart from that."""
    parties = {
        "owner_id": owner,
        "role": deal.role,
        "peer_id": REQUESTOR,
        "payment_platform": deal.platform,
        "payee_addr": owner,
        "payer_addr": REQUESTOR,
    }
    invoice = None if deal.status is None else _uuid(deal, "invoice")
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        _write_transaction(connection, parties, deal, invoice, amount, f"payment {number}", at)


def invoice_again(database: Path, owner: str, deal: Deal, at: datetime) -> None:
    """Issue a second invoice for an agreement whose first one was cancelled."""
    with closing(sqlite3.connect(database, timeout=20)) as connection, connection:
        common = {"owner_id": owner, "role": deal.role}
        _write_invoice(connection, common, deal, at, status="ISSUED", name="second invoice")


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


def _write_invoice(
    connection: sqlite3.Connection,
    common: dict[str, str],
    deal: Deal,
    at: datetime,
    *,
    status: str | None = None,
    name: str = "invoice",
) -> str:
    invoice = _uuid(deal, name)
    _insert(
        connection,
        "pay_invoice",
        id=invoice,
        **common,
        agreement_id=deal.agreement_id,
        status=status or deal.status,
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
    paid_at = (deal.invoiced_at or deal.created_at) + timedelta(hours=1)
    _write_transaction(connection, parties, deal, invoice, deal.paid, "payment", paid_at)


def _write_transaction(
    connection: sqlite3.Connection,
    parties: dict[str, str],
    deal: Deal,
    invoice: str | None,
    amount: str,
    name: str,
    at: datetime,
) -> None:
    payment = _uuid(deal, name)
    _insert(
        connection,
        "pay_payment",
        id=payment,
        **parties,
        amount=amount,
        timestamp=_stamp(at),
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
        amount=amount,
    )


def _uuid(deal: Deal, what: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{deal.name}/{what}"))


def _insert(connection: sqlite3.Connection, table: str, **row: object) -> int | None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    cursor = connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
    return cursor.lastrowid


def _stamp(moment: datetime) -> str:
    """A time as the database keeps it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"
