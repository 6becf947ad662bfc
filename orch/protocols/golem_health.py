"""Whether a Golem provider is online, and what its operator should know.

Online means: the REST API answers, the daemon has a session to the network, and something is on sale (or an
agreement runs, or nothing is meant to be sold). Money is read whether or not the node is online.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orch.model.readings import Finding, Health

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import NoReply
    from orch.protocols.golem_memory import GolemMemory

SILENT_AFTER = timedelta(minutes=10)
"""Ten times the period of `/me`: by then what it said last is no longer believed."""

REJECTED_WITHIN = timedelta(days=7)
UNINVOICED_AFTER = timedelta(minutes=30)
UNDELIVERED_AFTER = timedelta(minutes=30)
LATE_AFTER = timedelta(hours=25)
"""Requestors pay out once a day, so settlement up to 25 h after the due date is normal."""

_UNREACHED = frozenset({"refused", "timeout", "unreachable"})


def health_of(memory: GolemMemory, now: datetime) -> tuple[Health, str]:
    """The node's health and, in a few words, why."""
    failure = memory.failures.get("me")
    if failure is not None:
        return _unanswered(failure)
    if memory.last_seen_at is None:
        return "unknown", "not asked yet"
    if now - memory.last_seen_at > SILENT_AFTER:
        return "unknown", f"no usable answer since {memory.last_seen_at:%Y-%m-%d %H:%M:%S} UTC"
    if memory.sessions is None:
        return "unknown", "the network status has not been read yet"
    if memory.sessions == 0:
        return "offline", "no relay session: the daemon runs but has no connection to the network"
    return _selling(memory)


def _unanswered(failure: NoReply) -> tuple[Health, str]:
    if failure.reason in _UNREACHED:
        return "offline", failure.sentence
    if failure.reason == "unauthorised":
        return "degraded", "unauthorised: yagna refuses the application key"
    return "degraded", failure.sentence


def _selling(memory: GolemMemory) -> tuple[Health, str]:
    if memory.running:
        return "online", f"{len(memory.running)} agreement(s) running"
    if memory.presets is not None and not memory.presets.active:
        return "online", "nothing on sale: no preset is active"
    if memory.offers is None:
        return "unknown", "the offers have not been read yet"
    if not memory.offers:
        return "degraded", "no offer is published"
    return "online", "on sale"


def findings_of(memory: GolemMemory, now: datetime) -> tuple[Finding, ...]:
    """What the operator should know, most urgent kinds first."""
    return (*_key(memory), *_provider(memory), *_testnet(memory), *_money(memory, now))


def _key(memory: GolemMemory) -> list[Finding]:
    failure = memory.failures.get("me")
    if failure is None or failure.reason != "unauthorised":
        return []
    remedy = "run `yagna app-key list --json` as the node's user and configure that key as `app_key`"
    return [_finding("app_key_refused", "page", "yagna refuses the application key.", remedy)]


def _provider(memory: GolemMemory) -> list[Finding]:
    found = []
    for name in ("hardware", "presets"):
        failure = memory.failures.get(name)
        if failure is not None:
            found.append(
                _finding(
                    f"{name}_unreadable",
                    "warning",
                    f"{name}.json of ya-provider cannot be read: {failure.sentence}",
                    "set `provider_dir` to the data directory of ya-provider and let orch read it",
                )
            )
    selling = memory.presets is not None and bool(memory.presets.active)
    if selling and memory.offers == () and not memory.running:
        names = ", ".join(memory.presets.active) if memory.presets is not None else ""
        found.append(
            _finding(
                "no_offers",
                "warning",
                f"Nothing is published although {names} is active: the node cannot be hired.",
                "look at ya-provider's log; deactivating and activating the preset publishes it anew",
            )
        )
    if memory.sessions == 0:
        found.append(
            _finding(
                "no_relay_session",
                "warning",
                "The daemon has no session to the Golem network.",
                "check the host's internet connection and outgoing UDP",
            )
        )
    return found


def _testnet(memory: GolemMemory) -> list[Finding]:
    worthless = memory.digest.for_test_tokens
    if not worthless and not any(offer.testnet for offer in memory.offers or ()):
        return []
    return [
        _finding(
            "testnet",
            "warning",
            f"This node works for test tokens (tGLM), which are worth nothing; {worthless} agreement(s) so far.",
            "run ya-provider with `--payment-network mainnet` to be paid in GLM",
        )
    ]


def _money(memory: GolemMemory, now: datetime) -> list[Finding]:
    digest = memory.digest
    invoices = digest.invoices
    unpaid = [memory.invoices[each] for each in digest.open_invoices]
    rejected = [
        each
        for each in map(invoices.__getitem__, digest.ended)
        if each.status in ("REJECTED", "FAILED") and now - each.issued_at < REJECTED_WITHIN
    ]
    undelivered = [each for each in unpaid if each.status == "ISSUED" and now - each.issued_at > UNDELIVERED_AFTER]
    late = [
        each
        for each in unpaid
        if each.status == "ACCEPTED" and each.due_at is not None and now - each.due_at > LATE_AFTER
    ]
    uninvoiced = [
        pay
        for pay in map(memory.pays.__getitem__, digest.open_pays)
        if memory.running is not None
        and memory.invoice_pages.complete
        and pay.due > 0
        and pay.agreement_id not in memory.running
        and pay.agreement_id not in invoices
        and pay.created_at is not None
        and now - max(pay.created_at, pay.grew_at or pay.created_at) > UNINVOICED_AFTER
    ]
    table = (
        ("invoice_rejected", len(rejected), "invoice(s) of the last week were rejected or failed", _ASK_WHY),
        ("invoice_undelivered", len(undelivered), "invoice(s) have not reached their requestor", _WAIT),
        ("payment_late", len(late), "accepted invoice(s) are more than a day past their due date", _ASK_WHY),
        ("not_invoiced", len(uninvoiced), "ended agreement(s) have no invoice", _RESTART),
    )
    return [_finding(code, "warning", f"{count} {what}.", remedy) for code, count, what, remedy in table if count]


_ASK_WHY = "see `yagna payment invoice status --last 7d`; the requestor decides, nothing can be claimed"
_WAIT = "the requestor may be offline; check this node's own connection"
_RESTART = "restart ya-provider while no agreement runs; an invoice below the sum of its notes is refused"


def _finding(code: str, severity: str, sentence: str, remedy: str) -> Finding:
    return Finding(
        code=code, severity="page" if severity == "page" else "warning", sentence=sentence, remedy=remedy
    )
