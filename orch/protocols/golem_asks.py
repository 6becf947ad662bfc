"""What a Golem provider is asked: every endpoint, with its period and lane, given what is known.

Rows of lists keep their time while their totals change, so lists are read again from the oldest row that is
still open, and older open rows one by one, the rarer the older they are. Event lists are asked with `timeout=0`,
which answers at once; yagna's long polls and its CLI are not used.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from orch.model.kept import kept_by
from orch.model.wire import FileRead, HttpRequest, Secret
from orch.protocols.base import Endpoint
from orch.protocols.golem_host import host_endpoints
from orch.protocols.golem_memory import WRITTEN_OFF
from orch.protocols.golem_money import OVERLAP, PAGE, RECENT, asked_after
from orch.protocols.golem_signs import MESSAGE_END, PREFIXES

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import Lane, Request
    from orch.protocols.golem_memory import GolemMemory

PERIOD_S = 60.0
NOTES_S = 120.0
"""Debit notes come every two minutes; what an activity has used in between is of no use without them."""
INVOICES_S = 300.0
RUNNING_S = 120.0
SIGNS_S = 300.0
"""Also the provider's files: somebody changes them by hand, and levers read them anew before they act."""
ACCOUNTS_S = 1800.0
VERSION_S = 12 * 3600.0
OPEN_S = 3600.0
OLD_S = 6 * 3600.0
ANCIENT_S = 7 * 24 * 3600.0
OLD_AFTER_DAYS = 14
ANCIENT_AFTER_DAYS = 60
SIGNED = 60
"""Of so many agreements that ended last it is asked what they were signed for."""

AGAIN = "/again"
AGAIN_S = 6 * 3600.0
AGAIN_BACK = timedelta(hours=48)
"""Every list is read again from so far back now and then: a clock that stepped back wrote rows behind ours."""

CHECK_DEADLINE_S = 25.0
"""The daemon's own check of itself can take a quarter of a minute."""

FIRST_MESSAGE_BYTES = 1_000_000

_PAYMENT = "/payment-api/v1"
_MARKET = "/market-api/v1"


@kept_by(
    lambda memory, now: (
        memory.options,
        memory.identity,
        memory.emulated,
        memory.digest,
        memory.pays,
        memory.pay_pages,
        memory.invoices,
        memory.invoice_pages,
        memory.payment_pages,
        memory.rejections,
        memory.running,
        memory.terms,
        memory.no_terms,
        str(now.timestamp() // 3600),
    ),
    lambda memory, _: memory.context.node,
)
def endpoints_of(memory: GolemMemory, now: datetime) -> tuple[Endpoint, ...]:
    """Everything that may be asked; money only once the identity of the key is known."""
    always = (
        _get(memory, "me", "/me", vital=True),
        _get(memory, "net", "/net-api/v2/net/status", period_s=SIGNS_S),
        _get(memory, "offers", f"{_MARKET}/offers", period_s=NOTES_S),
        _get(memory, "agreements", f"{_MARKET}/agreements?state=Approved"),
        _file(memory, "hardware"),
        _file(memory, "presets"),
        *host_endpoints(memory),
    )
    if memory.identity is None:
        return always
    return (
        *always,
        *_pay_endpoints(memory, now),
        *_invoice_endpoints(memory, now),
        *_payment_endpoints(memory, now),
        *_terms_endpoints(memory),
        *_rejection_endpoints(memory),
        *_sign_endpoints(memory),
    )


def served(place: str) -> bool:
    """Whether the provider's files are reached over HTTP rather than in a directory."""
    return place.startswith(("http://", "https://"))


def _get(
    memory: GolemMemory,
    key: str,
    path: str,
    *,
    period_s: float = PERIOD_S,
    lane: Lane = "fast",
    vital: bool = False,
    once: bool = False,
) -> Endpoint:
    options = memory.options
    key_value = None if options.app_key is None else options.app_key.value
    return _made(options.url, key_value, key, path, period_s, lane, vital, once)


@lru_cache(maxsize=1024)
def _made(
    url: str, app_key: str | None, key: str, path: str, period_s: float, lane: Lane, vital: bool, once: bool
) -> Endpoint:
    """The same for hours, and offered at every tick: made once."""
    bearer = () if app_key is None else (("Authorization", Secret(value=f"Bearer {app_key}")),)
    request = HttpRequest(url=url.rstrip("/") + path, secret_headers=bearer)
    # Whether the daemon lives is asked before anything else that waits for the lane.
    rank = 0 if vital else 10
    return Endpoint(key=key, request=request, period_s=period_s, lane=lane, rank=rank, vital=vital, once=once)


def _file(memory: GolemMemory, key: str) -> Endpoint:
    """One of the provider's files, from its directory or from where it is served. The key of yagna is not sent."""
    place = memory.options.provider_dir
    whole = str(Path(place).expanduser()) if place.startswith("~") else place
    return _file_at(whole, memory.context.base_dir, key)


@lru_cache(maxsize=256)
def _file_at(place: str, base_dir: str, key: str) -> Endpoint:
    request: Request
    if served(place):
        request = HttpRequest(url=f"{place.rstrip('/')}/{key}.json")
    else:
        request = FileRead(path=str(Path(base_dir, place, f"{key}.json")))
    return Endpoint(key=key, request=request, period_s=SIGNS_S, lane="slow")


def _list(
    memory: GolemMemory,
    now: datetime,
    key: str,
    after: datetime | None,
    period_s: float,
    lane: Lane,
    *,
    more: bool,
    query: str = f"maxItems={PAGE}",
) -> list[Endpoint]:
    """The endpoint of a list, while its last page was full the next page (due at once), and all of late again."""
    start = "" if after is None else f"&afterTimestamp={_stamp(after)}"
    path = f"{_PAYMENT}/{key}?{query}{start}"
    found = [_get(memory, key, path, period_s=period_s, lane=lane)]
    if more:
        found.append(_get(memory, f"{key}/after{start.rpartition('=')[2]}", path, lane=lane, once=True))
    elif after is not None:
        back = _stamp(now.replace(minute=0, second=0, microsecond=0) - AGAIN_BACK)
        path = f"{_PAYMENT}/{key}?{query}&afterTimestamp={back}"
        found.append(_get(memory, key + AGAIN, path, period_s=AGAIN_S, lane="slow"))
    return found


@lru_cache(maxsize=256)
def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"


def _pay_endpoints(memory: GolemMemory, now: datetime) -> list[Endpoint]:
    """The list, and the open agreements that it does not bring again."""
    after = memory.digest.pays_after
    found = _list(memory, now, "payAgreements", after, NOTES_S, "fast", more=memory.pay_pages.more)
    for pay in map(memory.pays.__getitem__, memory.digest.open_pays):
        if pay.created_at is None or after is None or pay.created_at <= after:
            running = pay.agreement_id in (memory.running or ())
            period_s = RUNNING_S if running else _patience(pay.created_at, now)
            path = f"{_PAYMENT}/payAgreements/{quote(pay.agreement_id, safe='')}"
            found.append(_get(memory, f"agreement/{pay.agreement_id}", path, period_s=period_s, lane="slow"))
    return found


def _invoice_endpoints(memory: GolemMemory, now: datetime) -> list[Endpoint]:
    """The list, and the open invoices that it does not bring again."""
    after = memory.digest.invoices_after
    found = _list(memory, now, "invoices", after, INVOICES_S, "slow", more=memory.invoice_pages.more)
    for invoice in map(memory.invoices.__getitem__, memory.digest.open_invoices):
        if after is None or invoice.issued_at <= after:
            path = f"{_PAYMENT}/invoices/{quote(invoice.invoice_id, safe='')}"
            period_s = _patience(invoice.issued_at, now)
            found.append(_get(memory, f"invoice/{invoice.invoice_id}", path, period_s=period_s, lane="slow"))
    return found


def _payment_endpoints(memory: GolemMemory, now: datetime) -> list[Endpoint]:
    pages = memory.payment_pages
    after = asked_after(pages, (), ())
    return _list(
        memory, now, "payments", after, INVOICES_S, "slow", more=pages.more, query=f"timeout=0&maxEvents={PAGE}"
    )


def _patience(since: datetime | None, now: datetime) -> float:
    """The period for what has been open since a time: the older, the rarer it changes."""
    days = OLD_AFTER_DAYS if since is None else (now - since).days
    if days < OLD_AFTER_DAYS:
        return OPEN_S
    return OLD_S if days < ANCIENT_AFTER_DAYS else ANCIENT_S


def _terms_endpoints(memory: GolemMemory) -> list[Endpoint]:
    """What running agreements and those that ended last were signed for, each asked once."""
    wanted = [*(memory.running or ()), *memory.digest.ended[:SIGNED]]
    return [
        _get(memory, f"terms/{each}", f"{_MARKET}/agreements/{quote(each, safe='')}", lane="slow", once=True)
        for each in dict.fromkeys(wanted)
        if each not in memory.terms and each not in memory.no_terms
    ]


def _rejection_endpoints(memory: GolemMemory) -> list[Endpoint]:
    """Why the invoices rejected last were rejected, each asked once."""
    counted = map(memory.digest.invoices.__getitem__, memory.digest.ended[:RECENT])
    found = []
    for invoice in counted:
        if invoice.status in WRITTEN_OFF and invoice.invoice_id not in memory.rejections:
            start = invoice.issued_at - OVERLAP
            query = f"timeout=0&maxEvents={PAGE}&afterTimestamp={_stamp(start)}"
            path = f"{_PAYMENT}/invoiceEvents?{query}"
            found.append(_get(memory, f"rejection/{invoice.invoice_id}", path, lane="slow", once=True))
    return found


@kept_by(lambda memory: (memory.options,), lambda memory: memory.context.node)
def _sign_endpoints(memory: GolemMemory) -> list[Endpoint]:
    """What the daemon says of itself. Streams and text are allowed where yagna answers so."""
    monitor = _get(memory, "monitor", "/activity-api/v1/_monitor", period_s=NOTES_S)
    metrics = _get(memory, "metrics", f"/metrics-api/v1/filtered/{PREFIXES}", period_s=SIGNS_S, lane="slow")
    check = _get(memory, "healthcheck", "/healthcheck", period_s=SIGNS_S, lane="slow")
    return [
        _asking(monitor, json_only=False, until=MESSAGE_END, max_bytes=FIRST_MESSAGE_BYTES),
        _asking(metrics, json_only=False),
        msgspec.structs.replace(_asking(check, deadline_s=CHECK_DEADLINE_S), probe=True),
        _get(memory, "accounts", f"{_PAYMENT}/providerAccounts", period_s=ACCOUNTS_S, lane="slow"),
        _get(memory, "driver", f"{_PAYMENT}/payments/status", period_s=ACCOUNTS_S, lane="slow"),
        _get(memory, "version", "/version/get", period_s=VERSION_S, lane="slow"),
    ]


def _asking(endpoint: Endpoint, **how: object) -> Endpoint:
    return msgspec.structs.replace(endpoint, request=msgspec.structs.replace(endpoint.request, **how))
