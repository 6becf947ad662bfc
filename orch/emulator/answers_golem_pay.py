"""yagna's payment API: running totals by agreement, debit notes, invoices, payments.

`afterTimestamp` is strictly greater and `maxItems` cuts; amounts are decimal strings of GLM with up to 18 places.
"""

from __future__ import annotations

from base64 import b64encode
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orch.emulator.asks import Ask, Response, json_response, text_response, zulu
from orch.emulator.facts import MINUTE
from orch.emulator.golem import NOTE_MINUTES, Agreement, agreements_since, row_minute

if TYPE_CHECKING:
    from orch.emulator.world import World

PLATFORM = "erc20-polygon-glm"
_PEERS = ("peerId", "payeeAddr", "payerAddr")


def answer(world: World, ask: Ask, rest: list[str]) -> Response:
    """Answer one request to the payment API."""
    parameters = ask.parameters
    try:
        after = moment(parameters.get("afterTimestamp"))
        most = int(parameters["maxItems"]) if "maxItems" in parameters else None
        events = int(parameters["maxEvents"]) if "maxEvents" in parameters else None
    except ValueError as fault:
        return text_response(f"Query deserialize error: {fault}", 400)
    match rest:
        case ["payAgreements" | "payActivities", *_]:
            return _totals(world, rest, after, most)
        case ["invoices" | "debitNotes", *_]:
            return _documents(world, rest, after, most)
        case ["payments"]:
            return json_response(_payments(world, after)[:events])
        case ["payments", "status"]:
            return _driver_status(parameters.get("driver"))
        case ["invoiceEvents"]:
            return json_response(_invoice_events(world, after)[:events])
        case ["debitNoteEvents"]:
            return json_response(_debit_note_events(world, after)[:events])
        case ["batchCycles"]:
            return json_response([_batch_cycle(world)])
        case ["providerAccounts"]:
            return json_response([_account(world)])
        case ["requestorAccounts"] | ["allocations"]:
            return json_response([])
    return Response(status=404)


def _totals(world: World, rest: list[str], after: float | None, most: int | None) -> Response:
    """Running totals, by agreement and by activity."""
    known = [each for each in _known(world, after) if _after(row_minute(each), after)]
    match rest:
        case ["payAgreements"]:
            return json_response([_pay_agreement(world, each) for each in known[:most]])
        case ["payAgreements", identity]:
            found = _find(world, identity)
            return json_response(None if found is None else _pay_agreement(world, found))
        case ["payAgreements", identity, "activities"]:
            found = _find(world, identity)
            return json_response([] if found is None else [_pay_activity(world, found)])
        case ["payActivities"]:
            return json_response([_pay_activity(world, each) for each in known[:most]])
        case ["payActivities", identity]:
            found = _by_activity(world, identity)
            return json_response(None if found is None else _pay_activity(world, found) | _peers(world, found))
        case ["payActivities", identity, "debitNotes"]:
            return json_response(_chain(world, _by_activity(world, identity)))
    return Response(status=404)


def _documents(world: World, rest: list[str], after: float | None, most: int | None) -> Response:
    """Invoices and debit notes, with what was paid for an invoice."""
    match rest:
        case ["invoices"]:
            return json_response(_invoices(world, after)[:most])
        case ["invoices", identity]:
            owner = next(
                (each for each in reversed(_known(world, None)) if invoice_id(world, each) == identity), None
            )
            row = None if owner is None else _invoice(world, owner)
            return json_response({"message": None}, 404) if row is None else json_response(row)
        case ["invoices", identity, "payments"]:
            return json_response([each for each in _payments(world, None) if _pays_for(world, each, identity)])
        case ["debitNotes"]:
            return json_response(_debit_notes(world, after)[:most])
        case ["debitNotes", identity]:
            note = _note_named(world, identity)
            return json_response({"message": None}, 404) if note is None else json_response(note)
        case ["debitNotes", _, "payments"]:
            return Response(status=501)
    return Response(status=404)


def moment(text: str | None) -> float | None:
    """Unix seconds of a query's time. Raises ValueError without a time of day and a zone."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("premature end of input")
    return moment.astimezone(UTC).timestamp()


def _after(minute: int, after: float | None) -> bool:
    return after is None or minute * MINUTE > after


def _known(world: World, after: float | None) -> list[Agreement]:
    return agreements_since(world.state.golem, 0 if after is None else int(after // MINUTE))


def _find(world: World, identity: str) -> Agreement | None:
    state = world.state.golem
    known = (each for each in reversed(state.agreements) if row_minute(each) <= state.minute)
    return next((each for each in known if each.id == identity), None)


def glm(atto: int) -> str:
    """Atto-GLM as yagna prints GLM: no exponent, no trailing zeros."""
    return format(Decimal(atto).scaleb(-18).normalize(), "f") if atto else "0"


def _naive(minute: int) -> str:
    """A time as `payAgreements` writes it: UTC without a zone."""
    return datetime.fromtimestamp(minute * MINUTE, UTC).replace(tzinfo=None).isoformat()


def _parties(world: World, agreement: Agreement) -> dict[str, Any]:
    return {
        "payeeAddr": world.golem.node_id,
        "payerAddr": agreement.requestor,
        "paymentPlatform": PLATFORM,
    }


def accepted(agreement: Agreement, minute: int) -> int:
    """Atto-GLM the requestor has promised: every debit note at once, the invoice when it accepts it."""
    status = agreement.status_at(minute)
    if status in {"ACCEPTED", "SETTLED"}:
        return agreement.amount
    return agreement.notes_at(minute)


def _pay_agreement(world: World, agreement: Agreement) -> dict[str, Any]:
    minute = world.state.minute
    created = _naive(row_minute(agreement))
    return {
        "id": agreement.id,
        "ownerId": world.golem.node_id,
        "role": "P",
        "peerId": agreement.requestor,
        **_parties(world, agreement),
        "totalAmountDue": glm(agreement.due_at(minute)),
        "totalAmountAccepted": glm(accepted(agreement, minute)),
        "totalAmountScheduled": "0",
        "totalAmountPaid": glm(agreement.paid_at(minute)),
        "appSessionId": "emulated-1",
        "createdTs": created,
        "updatedTs": created,
    }


def _pay_activity(world: World, agreement: Agreement) -> dict[str, Any]:
    """One activity's totals; what an invoice paid is not among them."""
    row = _pay_agreement(world, agreement)
    own = {name: value for name, value in row.items() if name not in (*_PEERS, "paymentPlatform", "appSessionId")}
    return own | {"id": agreement.id[32:], "agreementId": agreement.id, "totalAmountPaid": "0"}


def _peers(world: World, agreement: Agreement) -> dict[str, Any]:
    """What the answer about a single activity has besides."""
    row = _pay_agreement(world, agreement)
    return {name: row[name] for name in _PEERS}


def _by_activity(world: World, identity: str) -> Agreement | None:
    return next((each for each in reversed(_known(world, None)) if each.id[32:] == identity), None)


def _chain(world: World, agreement: Agreement | None) -> list[dict[str, Any]]:
    """The debit notes of one activity, newest first, numbered."""
    if agreement is None:
        return []
    notes = _notes_of(world, agreement)
    return [_debit_note(world, *note) | {"debitNonce": note[1]} for note in reversed(notes)]


def _pays_for(world: World, payment: dict[str, Any], invoice: str) -> bool:
    paid = {part["agreementId"] for part in payment["agreementPayments"]}
    return any(invoice_id(world, each) == invoice for each in _known(world, None) if each.id in paid)


def invoice_id(world: World, agreement: Agreement) -> str:
    """The id of an agreement's invoice."""
    return world.draws.uuid("invoice", agreement.id)


def _invoices(world: World, after: float | None) -> list[dict[str, Any]]:
    """Invoices by their time; a change of status does not move it."""
    rows = []
    # An invoice comes at most a term and an outage after the agreement's first row.
    oldest = None if after is None else after - 6 * 3600
    for agreement in _known(world, oldest):
        if after is None or agreement.invoiced * MINUTE + 0.5 > after:
            row = _invoice(world, agreement)
            if row is not None:
                rows.append(row)
    return rows


def _invoice(world: World, agreement: Agreement) -> dict[str, Any] | None:
    """The invoice of an agreement; None before there is one."""
    status = agreement.status_at(world.state.minute)
    if status is None:
        return None
    sent = agreement.invoiced * MINUTE + 0.5
    return {
        "invoiceId": invoice_id(world, agreement),
        "issuerId": world.golem.node_id,
        "recipientId": agreement.requestor,
        **_parties(world, agreement),
        "timestamp": _millis(sent),
        "agreementId": agreement.id,
        "activityIds": [agreement.id[32:]],
        "amount": glm(agreement.amount),
        "paymentDueDate": _millis(sent + 86_400),
        "status": status,
    }


def _millis(second: float) -> str:
    """A time as payment objects write it: milliseconds, or none."""
    text = zulu(second)
    return text if "." not in text else text[: text.index(".") + 4] + "Z"


def _debit_notes(world: World, after: float | None) -> list[dict[str, Any]]:
    """One note per activity every 120 s, each with the total so far."""
    oldest = None if after is None else after - 7 * 3600
    notes = [note for each in _known(world, oldest) for note in _notes_of(world, each)]
    wanted = [note for note in notes if after is None or note[0] > after]
    return [_debit_note(world, *note) for note in sorted(wanted, key=lambda note: note[0])]


def _notes_of(world: World, agreement: Agreement) -> list[tuple[float, int, Agreement]]:
    """The notes of one agreement so far, oldest first: when, which, of what."""
    minute = world.state.minute
    end = minute if agreement.ended < 0 else min(minute, agreement.ended)
    count = (end - agreement.signed) // NOTE_MINUTES
    return [
        ((agreement.signed + number * NOTE_MINUTES) * MINUTE + 0.123, number, agreement)
        for number in range(1, count + 1)
    ]


def _note_named(world: World, identity: str) -> dict[str, Any] | None:
    notes = (note for each in reversed(_known(world, None)) for note in _notes_of(world, each))
    named = (note for note in notes if world.draws.uuid("note", note[2].id, note[1]) == identity)
    found = next(named, None)
    return None if found is None else _debit_note(world, *found)


def _debit_note(world: World, second: float, count: int, agreement: Agreement) -> dict[str, Any]:
    minutes = count * NOTE_MINUTES
    note: dict[str, Any] = {
        "debitNoteId": world.draws.uuid("note", agreement.id, count),
        "issuerId": world.golem.node_id,
        "recipientId": agreement.requestor,
        **_parties(world, agreement),
        "timestamp": _millis(second),
        "agreementId": agreement.id,
        "activityId": agreement.id[32:],
        "totalAmountDue": glm(agreement.cost(minutes)),
        "usageCounterVector": [float(agreement.busy * minutes * MINUTE), float(minutes * MINUTE)],
        "status": "ACCEPTED",
    }
    if count > 1:
        note["previousDebitNoteId"] = world.draws.uuid("note", agreement.id, count - 1)
    return note


def _payments(world: World, after: float | None) -> list[dict[str, Any]]:
    """One row per transaction: what one requestor paid for all agreements of a cycle."""
    minute = world.state.minute
    batches: dict[tuple[int, str], list[Agreement]] = defaultdict(list)
    # Money comes at most two days after the agreement's first row.
    oldest = None if after is None else after - 3 * 86_400
    for agreement in _known(world, oldest):
        recorded = agreement.settle * MINUTE + 0.25
        if agreement.paid_at(minute) and (after is None or recorded > after):
            batches[agreement.settle, agreement.requestor].append(agreement)
    return [_payment(world, settle, payer, paid) for (settle, payer), paid in sorted(batches.items())]


def _payment(world: World, settle: int, payer: str, agreements: list[Agreement]) -> dict[str, Any]:
    receipt = bytes.fromhex(world.draws.identity("transaction", settle, payer))
    parts = [{"agreementId": each.id, "amount": glm(each.amount)} for each in agreements]
    return {
        "paymentId": world.draws.uuid("payment", settle, payer),
        "payerId": payer,
        "payeeId": world.golem.node_id,
        "payerAddr": payer,
        "payeeAddr": world.golem.node_id,
        "paymentPlatform": PLATFORM,
        "amount": glm(sum(each.amount for each in agreements)),
        "timestamp": _millis(settle * MINUTE + 0.25),
        "agreementPayments": parts,
        "activityPayments": [],
        "details": b64encode(receipt).decode(),
    }


def _invoice_events(world: World, after: float | None) -> list[dict[str, Any]]:
    """Accepted, rejected and settled invoices by the time that it happened."""
    minute = world.state.minute
    events: list[tuple[float, dict[str, Any]]] = []
    for agreement in _known(world, None if after is None else after - 3 * 86_400):
        if agreement.status_at(minute) in {None, "RECEIVED"}:
            continue
        identity = invoice_id(world, agreement)
        decided = (agreement.invoiced + agreement.accept) * MINUTE + 0.12
        event: dict[str, Any] = {"invoiceId": identity, "eventDate": _millis(decided)}
        if agreement.rejected:
            rejection = {
                "rejectionReason": "BAD_SERVICE",
                "totalAmountAccepted": "0",
                "message": "work not usable",
            }
            events.append((decided, event | {"eventType": "InvoiceRejectedEvent", "rejection": rejection}))
            continue
        events.append((decided, event | {"eventType": "InvoiceAcceptedEvent"}))
        if minute >= agreement.settle:
            paid = agreement.settle * MINUTE + 0.3
            row = {"invoiceId": identity, "eventDate": _millis(paid), "eventType": "InvoiceSettledEvent"}
            events.append((paid, row))
    events.sort(key=lambda pair: pair[0])
    return [event for second, event in events if after is None or second > after]


def _debit_note_events(world: World, after: float | None) -> list[dict[str, Any]]:
    """Requestors accept a note within a second."""
    events = []
    for note in _debit_notes(world, None if after is None else after - 1):
        second = datetime.fromisoformat(note["timestamp"]).timestamp() + 0.75
        if after is None or second > after:
            event = {"debitNoteId": note["debitNoteId"], "eventDate": _millis(second)}
            events.append(event | {"eventType": "DebitNoteAcceptedEvent"})
    return events


def _batch_cycle(world: World) -> dict[str, Any]:
    """When this node would pay, did it buy anything: once a day."""
    following = (world.state.minute // (24 * 60) + 1) * 24 * 3600
    return {
        "cron": None,
        "extraPayTimeSec": 3600,
        "intervalSec": 86_400,
        "lastProcess": None,
        "maxIntervalSec": 86_400,
        "nextProcess": datetime.fromtimestamp(following, UTC).isoformat(),
        "nodeId": world.golem.node_id,
        "platform": PLATFORM,
    }


def _driver_status(driver: str | None) -> Response:
    if driver not in {None, "erc20"}:
        return json_response({"message": f"Requested driver not registered {driver}"}, 404)
    return json_response([])


def _account(world: World) -> dict[str, Any]:
    return {
        "platform": PLATFORM,
        "address": world.golem.node_id,
        "driver": "erc20",
        "network": "polygon",
        "token": "GLM",
        "send": False,
        "receive": True,
    }
