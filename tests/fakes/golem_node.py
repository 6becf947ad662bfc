"""A Golem provider told answer by answer: rows as yagna writes them, and a memory that takes them in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from orch.model.wire import NoReply, Reply
from orch.protocols.base import Context
from orch.protocols.golem import PROTOCOL
from orch.protocols.golem_memory import GolemOptions

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
ME = "0x" + "19" * 20
REQUESTOR = "0x" + "5e" * 20
REASONS = {401: "unauthorised", 403: "unauthorised", 429: "rate_limited"}


def agreement_id(number: int) -> str:
    """An id as yagna gives them."""
    return f"{number:064x}"


def zulu(moment: datetime) -> str:
    """A time as invoices, payments and the market write it."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}Z"


def pay_row(number: int, due: str, accepted: str, paid: str, created_at: datetime, **other: object) -> dict:
    """A row of `payAgreements`."""
    created = f"{created_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    row = {
        "id": agreement_id(number),
        "ownerId": ME,
        "role": "P",
        "peerId": REQUESTOR,
        "payeeAddr": ME,
        "payerAddr": REQUESTOR,
        "paymentPlatform": "erc20-polygon-glm",
        "totalAmountDue": due,
        "totalAmountAccepted": accepted,
        "totalAmountScheduled": "0",
        "totalAmountPaid": paid,
        "appSessionId": None,
        "createdTs": created,
        "updatedTs": created,
    }
    return row | other


def invoice_row(number: int, amount: str, status: str, issued_at: datetime, **other: object) -> dict:
    """A row of `invoices`."""
    row = {
        "invoiceId": f"invoice-{number}",
        "issuerId": ME,
        "recipientId": REQUESTOR,
        "payeeAddr": ME,
        "payerAddr": REQUESTOR,
        "paymentPlatform": "erc20-polygon-glm",
        "timestamp": zulu(issued_at),
        "agreementId": agreement_id(number),
        "activityIds": [agreement_id(number)[32:]],
        "amount": amount,
        "paymentDueDate": zulu(issued_at + timedelta(days=1)),
        "status": status,
    }
    return row | other


def payment_row(number: int, amount: str, at: datetime, *, agreement: int | None = None, **other: object) -> dict:
    """A row of `payments` for one agreement."""
    paid_for = agreement_id(number if agreement is None else agreement)
    row = {
        "paymentId": f"payment-{number}",
        "payerId": REQUESTOR,
        "payeeId": ME,
        "payerAddr": REQUESTOR,
        "payeeAddr": ME,
        "paymentPlatform": "erc20-polygon-glm",
        "amount": amount,
        "timestamp": zulu(at),
        "agreementPayments": [{"agreementId": paid_for, "amount": amount}],
        "activityPayments": [],
        "details": "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=",
    }
    return row | other


def terms_row(number: int, threads: int, approved_at: datetime, glm_per_core_hour: float = 0.025) -> dict:
    """An answer of `agreements/{id}`."""
    properties = {
        "golem.inf.cpu.threads": threads,
        "golem.inf.mem.gib": float(threads),
        "golem.inf.storage.gib": 20.0,
        "golem.com.usage.vector": ["golem.usage.cpu_sec", "golem.usage.duration_sec"],
        "golem.com.pricing.model.linear.coeffs": [glm_per_core_hour / 3600, 0.005 / 3600, 0.0],
    }
    return {
        "agreementId": agreement_id(number),
        "offer": {"properties": properties},
        "approvedDate": zulu(approved_at),
    }


class Node:
    """A provider as orch comes to know it; `say` and `fail` take one answer in."""

    def __init__(self, now: datetime = NOW, **options: object) -> None:
        self.now = now
        self.memory = PROTOCOL.begin(GolemOptions(**options), Context(node="compute", host="here"))

    def say(self, key: str, body: object, *, kind: str = "application/json", elapsed_s: float = 0.01) -> Node:
        """A usable answer to one endpoint, after so many seconds."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = (("Content-Type", kind),)
        answer = Reply(status=200, headers=headers, body=raw, received_at=self.now, elapsed_s=elapsed_s)
        self.memory = PROTOCOL.absorb(self.memory, key, answer, self.now)
        return self

    def fail(self, key: str, status: int | None = None, body: bytes = b"", reason: str | None = None) -> Node:
        """No usable answer: a status, or a reason such as `refused`."""
        failure = NoReply(
            reason=reason or REASONS.get(status, "http_status"),
            sentence=f"status {status}" if status else str(reason),
            retryable=status is None or status >= 500,
            failed_at=self.now,
            elapsed_s=0.01,
            status=status,
            body=body,
        )
        self.memory = PROTOCOL.failed(self.memory, key, failure, self.now)
        return self

    def later(self, **by: float) -> Node:
        """The clock moves (also back)."""
        self.now += timedelta(**by)
        return self

    def online(self, *, threads: int = 4, agreements: tuple[int, ...] = ()) -> Node:
        """Identity, sessions, files, one offer, and what runs."""
        per_second = {"golem.usage.cpu_sec": 0.025 / 3600, "golem.usage.duration_sec": 0.005 / 3600}
        preset = {"name": "vm", "pricing-model": "linear", "initial-price": 0.0, "usage-coeffs": per_second}
        profile = {"cpu_threads": threads, "mem_gib": float(threads), "storage_gib": 20.0}
        offer = terms_row(0, threads, self.now)["offer"] | {"offerId": "offer", "timestamp": zulu(self.now)}
        self.say("me", {"identity": ME}).say("net", {"sessions": 7, "publicIp": "203.0.113.7:11500"})
        self.say("hardware", {"active": "default", "profiles": {"default": profile}}, kind="text/plain")
        self.say("presets", {"ver": "V1", "active": ["vm"], "presets": [preset]}, kind="text/plain")
        self.say("offers", [offer])
        return self.say("agreements", [{"id": agreement_id(each), "role": "Provider"} for each in agreements])

    def reading(self):
        """Everything known now."""
        return PROTOCOL.reading(self.memory, self.now)

    def endpoints(self):
        """What may be asked now, by key."""
        return {each.key: each for each in PROTOCOL.endpoints(self.memory, self.now)}

    def earned(self):
        """The accruals of agreements by number."""
        return {int(each.stream, 16): each for each in self.reading().accruals if each.kind == "earned"}

    def codes(self):
        """The codes of what is found."""
        return {finding.code for finding in self.reading().findings}
