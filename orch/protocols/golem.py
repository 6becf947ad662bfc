"""Golem: a provider that sells CPU time, read from yagna's REST API and the two files of ya-provider.

Money: `payAgreements` holds the running totals of every agreement, `invoices` what became of them. Rows keep
their time while their totals change, so lists are read again from the oldest row that is still open, and
older open rows one by one. Work: running agreements keep the size they were signed for. Sources: yagna's
payment-api, market-api and net-api (0.17), `hardware.json` and `presets.json` of ya-provider.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from orch.errors import ShapeError
from orch.model.readings import Reading
from orch.model.wire import FileRead, HttpRequest, Secret
from orch.protocols import golem_answers as answers
from orch.protocols.base import Context, Endpoint
from orch.protocols.golem_health import findings_of, health_of
from orch.protocols.golem_memory import GolemMemory, GolemOptions
from orch.protocols.golem_money import (
    PAGE,
    next_pages,
    settle,
    with_invoices,
    with_pays,
)
from orch.protocols.golem_rate import outlook_of, pace_of, work_of
from orch.protocols.golem_work import allocation_of, committed_of, price_of, used_of

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import Lane, NoReply, Reply, Request
    from orch.protocols.golem_rate import Work

PERIOD_S = 60.0
INVOICES_S = 300.0
RUNNING_S = 120.0
OPEN_S = 3600.0
OLD_S = 6 * 3600.0
OLD_AFTER_DAYS = 14
WINDOW_S = 24 * 3600.0

SIGNED = 60
"""Of so many agreements that ended last it is asked what they were signed for."""

_PAYMENT = "/payment-api/v1"
_MARKET = "/market-api/v1"
_FIXED = ("me", "net", "offers", "agreements", "payAgreements", "invoices", "hardware", "presets")
_FILES = ("hardware", "presets")


class Golem:
    """The protocol `golem`."""

    name = "golem"
    options = GolemOptions
    tokens = ("GLM",)
    levers = ("emulated", "golem_provider")

    def begin(self, options: GolemOptions, context: Context) -> GolemMemory:
        """An empty memory."""
        return GolemMemory(options=options, context=context)

    def endpoints(self, memory: GolemMemory, now: datetime) -> tuple[Endpoint, ...]:
        """Everything that may be asked; money only once the identity of the key is known."""
        always = (
            _get(memory, "me", "/me", vital=True),
            _get(memory, "net", "/net-api/v2/net/status"),
            _get(memory, "offers", f"{_MARKET}/offers"),
            _get(memory, "agreements", f"{_MARKET}/agreements?state=Approved"),
            _file(memory, "hardware"),
            _file(memory, "presets"),
        )
        if memory.identity is None:
            return always
        return (*always, *_pay_endpoints(memory, now), *_invoice_endpoints(memory, now), *_terms_endpoints(memory))

    def absorb(self, memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
        """The memory with one answer taken in.

        Raises:
            ShapeError: The answer is not of the documented shape.
            AbsurdError: It is, and cannot be true.
        """
        taken = _absorb(memory, key, reply, now)
        failures = {name: failure for name, failure in taken.failures.items() if name != key}
        emulated = taken.emulated if key in _FILES else reply.header("X-Orch-Emulated") is not None
        return msgspec.structs.replace(taken, failures=failures, emulated=emulated)

    def failed(
        self,
        memory: GolemMemory,
        key: str,
        failure: NoReply,
        now: datetime,  # noqa: ARG002 - ProtocolSpec
    ) -> GolemMemory:
        """The memory with one failure taken in: terms that are purged are not asked for again."""
        if key in _FIXED:
            return msgspec.structs.replace(memory, failures={**memory.failures, key: failure})
        kind, _, name = key.partition("/")
        if kind == "terms" and failure.status in (400, 404):
            return msgspec.structs.replace(memory, no_terms=memory.no_terms | {name})
        return memory

    def reading(self, memory: GolemMemory, now: datetime) -> Reading:
        """Everything known now. Used and committed cores are those of running agreements."""
        health, reason = health_of(memory, now)
        work = work_of(memory)
        return Reading(
            node=memory.context.node,
            protocol=self.name,
            taken_at=now,
            emulated=memory.emulated,
            health=health,
            health_reason=reason,
            last_seen_at=memory.last_seen_at,
            accruals=tuple(memory.accruals.values()),
            allocation=allocation_of(memory),
            used=used_of(memory, work.saturation),
            committed=committed_of(memory),
            outlooks=(outlook_of(memory, work),),
            pace=pace_of(memory, work),
            paced=True,
            window_s=WINDOW_S,
            speculative=0 < len(memory.pays) == memory.digest.for_test_tokens,
            findings=findings_of(memory, now),
            facts=_facts(memory, work),
        )


PROTOCOL = Golem()


def _get(
    memory: GolemMemory,
    key: str,
    path: str,
    *,
    period_s: float = PERIOD_S,
    lane: Lane = "fast",
    vital: bool = False,
) -> Endpoint:
    app_key = memory.options.app_key
    bearer = () if app_key is None else (("Authorization", Secret(value=f"Bearer {app_key.value}")),)
    request = HttpRequest(url=memory.options.url.rstrip("/") + path, secret_headers=bearer)
    return Endpoint(key=key, request=request, period_s=period_s, lane=lane, vital=vital)


def _file(memory: GolemMemory, key: str) -> Endpoint:
    """One of the provider's files, from its directory or from where it is served. The key of yagna is not sent."""
    place = memory.options.provider_dir
    request: Request
    if _served(place):
        request = HttpRequest(url=f"{place.rstrip('/')}/{key}.json")
    else:
        request = FileRead(path=str(Path(memory.context.base_dir, Path(place).expanduser(), f"{key}.json")))
    return Endpoint(key=key, request=request, period_s=PERIOD_S, lane="slow")


def _served(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def _list(
    memory: GolemMemory, key: str, after: datetime | None, period_s: float, lane: Lane, *, more: bool
) -> list[Endpoint]:
    """The endpoint of a list, and while its last page was full the next page, which is due at once."""
    start = "" if after is None else f"&afterTimestamp={after:%Y-%m-%dT%H:%M:%S.%f}Z"
    path = f"{_PAYMENT}/{key}?maxItems={PAGE}{start}"
    found = [_get(memory, key, path, period_s=period_s, lane=lane)]
    if more:
        page = _get(memory, f"{key}/after{start.rpartition('=')[2]}", path, period_s=period_s, lane=lane)
        found.append(msgspec.structs.replace(page, once=True))
    return found


def _pay_endpoints(memory: GolemMemory, now: datetime) -> list[Endpoint]:
    """The list, and the open agreements that it does not bring again."""
    after = memory.digest.pays_after
    found = _list(memory, "payAgreements", after, PERIOD_S, "fast", more=memory.pay_pages.more)
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
    found = _list(memory, "invoices", after, INVOICES_S, "slow", more=memory.invoice_pages.more)
    for invoice in map(memory.invoices.__getitem__, memory.digest.open_invoices):
        if after is None or invoice.issued_at <= after:
            path = f"{_PAYMENT}/invoices/{quote(invoice.invoice_id, safe='')}"
            period_s = _patience(invoice.issued_at, now)
            found.append(_get(memory, f"invoice/{invoice.invoice_id}", path, period_s=period_s, lane="slow"))
    return found


def _patience(since: datetime | None, now: datetime) -> float:
    """The period for what has been open since a time: the older, the rarer it changes."""
    return OPEN_S if since is not None and (now - since).days < OLD_AFTER_DAYS else OLD_S


def _terms_endpoints(memory: GolemMemory) -> list[Endpoint]:
    """What running agreements and those that ended last were signed for, each asked once."""
    wanted = [*(memory.running or ()), *memory.digest.ended[:SIGNED]]
    return [
        msgspec.structs.replace(
            _get(memory, f"terms/{agreement}", f"{_MARKET}/agreements/{quote(agreement, safe='')}", lane="slow"),
            once=True,
        )
        for agreement in dict.fromkeys(wanted)
        if agreement not in memory.terms and agreement not in memory.no_terms
    ]


def _absorb(memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
    replace = msgspec.structs.replace
    kind, _, name = key.partition("/")
    match kind:
        case "me":
            return _with_identity(memory, answers.read_identity(reply), now)
        case "net":
            sessions, public_ip = answers.read_net(reply)
            return replace(memory, sessions=sessions, public_ip=public_ip)
        case "offers":
            return replace(memory, offers=answers.read_offers(reply))
        case "agreements":
            return replace(memory, running=answers.read_running(reply))
        case "hardware":
            return replace(memory, profile=answers.read_hardware(reply, _content_type(memory)))
        case "presets":
            return replace(memory, presets=answers.read_presets(reply, _content_type(memory)))
        case "payAgreements":
            return _with_pay_page(memory, key, reply, now)
        case "agreement":
            return _with_pay(memory, key, name, reply, now)
        case "invoices":
            return _with_invoice_page(memory, key, reply, now)
        case "invoice":
            invoice = answers.read_invoice(reply, key, name, now)
            return settle(with_invoices(memory, (invoice,)), (invoice.agreement_id,), now)
        case "terms":
            return replace(memory, terms={**memory.terms, name: answers.read_terms(reply, key, name)})
        case _:
            raise ShapeError(f"{key}: an answer to a question that is not asked")


def _content_type(memory: GolemMemory) -> str | None:
    return "application/json" if _served(memory.options.provider_dir) else None


def _with_identity(memory: GolemMemory, identity: str, now: datetime) -> GolemMemory:
    """Another identity is another node: what was known of the first one's money is dropped."""
    if memory.identity not in (None, identity):
        kept = PROTOCOL.begin(memory.options, memory.context)
        memory = msgspec.structs.replace(kept, profile=memory.profile, presets=memory.presets)
    return msgspec.structs.replace(memory, identity=identity, last_seen_at=now)


def _with_pay_page(memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
    pays, rows, newest = answers.read_pays(reply, key, now)
    memory = with_pays(memory, pays, now)
    pages = next_pages(memory.pay_pages, rows, newest)
    memory = msgspec.structs.replace(memory, pay_pages=pages, pays_read_at=now)
    return settle(memory, (pay.agreement_id for pay in pays), now)


def _with_pay(memory: GolemMemory, key: str, agreement: str, reply: Reply, now: datetime) -> GolemMemory:
    pay = answers.read_pay(reply, key, agreement, now)
    if pay is not None:
        return settle(with_pays(memory, (pay,), now), (agreement,), now)
    known = memory.pays.get(agreement)
    if known is None:
        return memory
    gone = msgspec.structs.replace(known, gone=True)
    return settle(msgspec.structs.replace(memory, pays={**memory.pays, agreement: gone}), (), now)


def _with_invoice_page(memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
    if memory.identity is None:
        raise ShapeError(f"{key}: an answer before the identity of the key is known")
    first = not memory.invoice_pages.complete
    invoices, rows, newest = answers.read_invoices(reply, key, memory.identity, now)
    pages = next_pages(memory.invoice_pages, rows, newest)
    memory = msgspec.structs.replace(with_invoices(memory, invoices), invoice_pages=pages)
    touched = memory.pays if first else {invoice.agreement_id for invoice in invoices}
    return settle(memory, tuple(touched), now)


def _facts(memory: GolemMemory, work: Work) -> tuple[tuple[str, str], ...]:
    price = price_of(memory)
    demand = "not enough data: fewer than three finished agreements"
    if work.busy_share is not None and work.saturation is not None:
        demand = f"busy {work.busy_share:.0%} of the time, {work.saturation:.0%} of the cores in use then"
    known = (
        ("identity", memory.identity),
        ("sessions", None if memory.sessions is None else str(memory.sessions)),
        ("public address", memory.public_ip),
        ("price per core-hour", None if price is None else f"{price.cpu_hour:.6g} GLM"),
        ("agreements", f"{len(memory.pays)} paid or due, {work.finished} finished"),
        ("demand", demand),
    )
    return tuple((name, value) for name, value in known if value is not None)
