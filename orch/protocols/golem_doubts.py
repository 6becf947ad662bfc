"""What an operator should know about a Golem provider's money: what is late, lost, unsure or worth nothing."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from orch.model.kept import kept_by
from orch.model.readings import Finding
from orch.protocols.golem_memory import UNANSWERED
from orch.protocols.golem_money import why_lost

if TYPE_CHECKING:
    from datetime import datetime

    from orch.protocols.golem_memory import GolemMemory, Invoice, Pay

REJECTED_WITHIN = timedelta(days=7)
UNINVOICED_AFTER = timedelta(minutes=30)
UNDELIVERED_AFTER = timedelta(minutes=30)
UNACCEPTED_AFTER = timedelta(hours=1)
NOTE_WAITS_AFTER = timedelta(minutes=10)
LATE_AFTER = timedelta(hours=25)
"""Requestors pay out once a day, so settlement up to 25 h after the due date is normal."""

LOOKED_AT_EVERY_S = 300
"""What only time changes about invoices takes half an hour at least."""

MISMATCH_AFTER = timedelta(hours=2)
"""Totals and payments are read at different times; only a difference that stays is one."""

_ASK_WHY = "see `yagna payment invoice status --last 7d`; the requestor decides, nothing can be claimed"
_WAIT = "the requestor may be offline; check this node's own connection"
_RESTART = "restart ya-provider while no agreement runs; an invoice below the sum of its notes is refused"
_NEVER = "it counts again should it still be accepted; a list of requestors to refuse can be kept in ya-provider"


def money_findings(memory: GolemMemory, now: datetime) -> tuple[Finding, ...]:
    """What the operator should know about this node's money."""
    return (*_testnet(memory), *_accounts(memory), *_documents(memory, now), *_books(memory, now))


def _testnet(memory: GolemMemory) -> list[Finding]:
    worthless = memory.digest.for_test_tokens
    if not worthless and not any(offer.testnet for offer in memory.offers or ()):
        return []
    return [
        _finding(
            "testnet",
            f"This node works for test tokens (tGLM), which are worth nothing; {worthless} agreement(s) so far.",
            "run ya-provider with `--payment-network mainnet` to be paid in GLM",
        )
    ]


def _accounts(memory: GolemMemory) -> list[Finding]:
    found = []
    if memory.signs.accounts == ():
        found.append(
            _finding(
                "no_account",
                "No account can receive payments: work done now cannot be paid.",
                "run `yagna payment init --receiver --network polygon` as the node's user",
            )
        )
    if memory.signs.driver:
        found.append(
            _finding(
                "payment_driver",
                f"The payment driver reports {', '.join(memory.signs.driver)}.",
                "see `yagna payment driver status`; most often the chain's RPC does not answer",
            )
        )
    counters = memory.signs.counters
    if counters.rpc_bad and not counters.rpc_good:
        found.append(
            _finding(
                "chain_unreachable",
                f"All {counters.rpc_bad} question(s) to the chain failed since the daemon started: payments are "
                "not seen, and settlement lags.",
                "set another RPC address (`POLYGON_GETH_ADDR`) and restart yagna while no agreement runs",
            )
        )
    return found


@kept_by(
    lambda memory, now: (
        memory.digest,
        memory.pays,
        memory.invoices,
        memory.rejections,
        memory.running,
        str(now.timestamp() // LOOKED_AT_EVERY_S),
    ),
    lambda memory, _: memory.context.node,
)
def _documents(memory: GolemMemory, now: datetime) -> list[Finding]:
    digest = memory.digest
    unpaid = [memory.invoices[each] for each in digest.open_invoices]
    lately = [
        each for each in map(digest.invoices.__getitem__, digest.ended) if now - each.issued_at < REJECTED_WITHIN
    ]
    rejected = [each for each in lately if each.status in ("REJECTED", "FAILED")]
    cancelled = [each for each in lately if each.status == "CANCELLED"]
    abandoned = [each for each in unpaid if _abandoned(memory, each, now)]
    waiting = [each for each in unpaid if each.status in UNANSWERED and each not in abandoned]
    undelivered = [
        each for each in waiting if each.status == "ISSUED" and now - each.issued_at > UNDELIVERED_AFTER
    ]
    unaccepted = [
        each for each in waiting if each.status == "RECEIVED" and now - each.issued_at > UNACCEPTED_AFTER
    ]
    late = [
        each
        for each in unpaid
        if each.status == "ACCEPTED" and each.due_at is not None and now - each.due_at > LATE_AFTER
    ]
    table = (
        (
            "invoice_rejected",
            len(rejected),
            f"invoice(s) of the last week were rejected or failed{_why(memory, rejected)}",
        ),
        ("invoice_cancelled", len(cancelled), "invoice(s) of the last week were cancelled"),
        ("invoice_undelivered", len(undelivered), "invoice(s) have not reached their requestor"),
        (
            "invoice_not_accepted",
            len(unaccepted),
            "invoice(s) were received and not accepted for more than an hour",
        ),
        (
            "never_accepted",
            len(abandoned),
            "invoice(s) were never accepted; what was not paid of them is written off",
        ),
        ("payment_late", len(late), "accepted invoice(s) are more than a day past their due date"),
    )
    remedies = {"invoice_undelivered": _WAIT, "never_accepted": _NEVER}
    return [
        _finding(code, f"{count} {what}.", remedies.get(code, _ASK_WHY)) for code, count, what in table if count
    ]


def _abandoned(memory: GolemMemory, invoice: Invoice, now: datetime) -> bool:
    pay = memory.pays.get(invoice.agreement_id)
    return pay is not None and invoice.status in UNANSWERED and why_lost(memory, pay, invoice, now) is not None


def _why(memory: GolemMemory, rejected: list[Invoice]) -> str:
    reasons = Counter(filter(None, (memory.rejections.get(each.invoice_id) for each in rejected)))
    told = ", ".join(f"{count} for {reason}" for reason, count in reasons.most_common(3))
    return f" ({told})" if told else ""


def _books(memory: GolemMemory, now: datetime) -> list[Finding]:
    """What is odd about agreements themselves: notes not accepted, work not invoiced, sums that do not agree."""
    found = []
    running = memory.running or ()
    pays = [memory.pays[each] for each in memory.digest.open_pays]
    waits = [
        each
        for each in pays
        if each.agreement_id in running and each.waits_since and each.seen_at - each.waits_since > NOTE_WAITS_AFTER
    ]
    if waits:
        amount = sum(each.due - each.accepted for each in waits)
        sentence = f"{len(waits)} running agreement(s) have {amount:f} GLM of notes that nobody accepts."
        found.append(_finding("notes_not_accepted", sentence, "the provider breaks such an agreement by itself"))
    uninvoiced = [each for each in pays if _uninvoiced(memory, each, now)]
    if uninvoiced:
        found.append(_finding("not_invoiced", f"{len(uninvoiced)} ended agreement(s) have no invoice.", _RESTART))
    if memory.mismatch_since is not None and now - memory.mismatch_since > MISMATCH_AFTER:
        found.append(
            _finding(
                "payments_differ",
                f"Agreements say that was paid what payments do not add up to ({memory.payments:f} GLM).",
                "compare `yagna payment status` with the wallet's transactions; orch counts what agreements say",
            )
        )
    return found


def _uninvoiced(memory: GolemMemory, pay: Pay, now: datetime) -> bool:
    return (
        memory.running is not None
        and memory.invoice_pages.complete
        and pay.due > 0
        and pay.agreement_id not in memory.running
        and pay.agreement_id not in memory.digest.invoices
        and pay.created_at is not None
        and now - max(pay.created_at, pay.grew_at or pay.created_at) > UNINVOICED_AFTER
    )


def _finding(code: str, sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity="warning", sentence=sentence, remedy=remedy)
