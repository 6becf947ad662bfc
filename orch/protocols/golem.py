"""Golem: a provider that sells CPU time, read from yagna's REST API and the two files of ya-provider.

Money: `payAgreements` holds the running totals of every agreement, `invoices` what became of them. Rows keep
their time while their totals change, so lists are read again from the oldest row that is still open, and
older open rows one by one. Work: running agreements keep the size they were signed for. Sources: yagna's
payment-api, market-api and net-api (0.17), `hardware.json` and `presets.json` of ya-provider.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from orch.errors import ShapeError
from orch.model.kept import kept_by, with_parts
from orch.model.readings import Reading
from orch.protocols import golem_answers as answers
from orch.protocols import golem_signs as signs
from orch.protocols.golem_asks import AGAIN, endpoints_of, served
from orch.protocols.golem_doubts import money_findings
from orch.protocols.golem_health import facts_of, findings_of, health_of
from orch.protocols.golem_host import read_host
from orch.protocols.golem_memory import GolemMemory, GolemOptions
from orch.protocols.golem_money import checked, next_pages, settle, with_invoices, with_pays
from orch.protocols.golem_payouts import with_payments
from orch.protocols.golem_rate import outlook_of, pace_of, work_of
from orch.protocols.golem_signs import trouble_of
from orch.protocols.golem_work import allocation_of, committed_of, compared, used_of

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.money import Accrual
    from orch.model.wire import NoReply, Reply
    from orch.protocols.base import Context, Endpoint
    from orch.protocols.golem_memory import Work

WINDOW_S = 24 * 3600.0

_FIXED = (
    *("me", "net", "offers", "agreements", "payAgreements", "invoices", "payments", "hardware", "presets"),
    *("monitor", "metrics", "healthcheck", "accounts", "driver", "version"),
)
_BEARING = ("digest", "running", "terms", "no_terms", "offers", "profile", "presets")
WORK_STANDS = timedelta(minutes=5)
"""Demand is a matter of days: where nothing but the time is new, it is worked out so often."""

_FILES = ("hardware", "presets", "host")


class Golem:
    """The protocol `golem`."""

    name = "golem"
    options = GolemOptions
    tokens = ("GLM",)
    verify_s = 7 * 86_400.0
    seen_in = "last_seen_at"
    levers = ("golem_provider", "cgroup", "docker", "systemd", "tc", "command", "emulated")

    def begin(self, options: GolemOptions, context: Context) -> GolemMemory:
        """An empty memory."""
        return GolemMemory(options=options, context=context)

    def endpoints(self, memory: GolemMemory, now: datetime) -> tuple[Endpoint, ...]:
        """Everything that may be asked; money only once the identity of the key is known."""
        return endpoints_of(memory, now)

    def absorb(self, memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
        """The memory with one answer taken in.

        Raises:
            ShapeError: The answer is not of the documented shape.
            AbsurdError: It is, and cannot be true.
        """
        taken = _with_work(memory, _absorb(memory, key, reply, now))
        emulated = taken.emulated if key in _FILES else reply.header("X-Orch-Emulated") is not None
        if emulated == taken.emulated and key not in taken.failures:
            return taken
        failures = {name: failure for name, failure in taken.failures.items() if name != key}
        return msgspec.structs.replace(taken, failures=failures, emulated=emulated)

    def failed(
        self,
        memory: GolemMemory,
        key: str,
        failure: NoReply,
        now: datetime,
    ) -> GolemMemory:
        """The memory with one failure taken in: what the daemon does not know any more is not asked for again."""
        if key in _FIXED:
            failed = msgspec.structs.replace(memory, failures={**memory.failures, key: failure})
            trouble = trouble_of(failure) if key == "healthcheck" and failure.status == 500 else None
            return failed if trouble is None else _with_signs(failed, trouble=trouble)
        kind, _, name = key.partition("/")
        if failure.status in (400, 404):
            return _without(memory, kind, name, now)
        return memory

    def reading(self, memory: GolemMemory, now: datetime) -> Reading:
        """Everything known now. Used and committed cores are those of running agreements."""
        health, reason = health_of(memory, now)
        work = memory.work
        return Reading(
            node=memory.context.node,
            protocol=self.name,
            taken_at=now,
            emulated=memory.emulated,
            health=health,
            health_reason=reason,
            last_seen_at=memory.last_seen_at,
            accruals=_accruals(memory),
            allocation=allocation_of(memory),
            used=used_of(memory, work.saturation),
            committed=committed_of(memory),
            outlooks=(outlook_of(memory, work),),
            pace=pace_of(memory, work),
            paced=True,
            window_s=WINDOW_S,
            speculative=0 < len(memory.pays) == memory.digest.for_test_tokens,
            findings=(*findings_of(memory, now), *money_findings(memory, now)),
            facts=facts_of(memory),
        )


PROTOCOL = Golem()


def _absorb(memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
    replace = msgspec.structs.replace
    kind, _, name = key.partition("/")
    match kind:
        case "me":
            return _with_identity(memory, answers.read_identity(reply), now)
        case "net":
            sessions, public_ip = answers.read_net(reply)
            memory = with_parts(memory, sessions=sessions, public_ip=public_ip)
            return _with_signs(memory, had_public_ip=memory.signs.had_public_ip or public_ip is not None)
        case "offers":
            return compared(with_parts(memory, offers=answers.read_offers(reply)), now)
        case "agreements":
            return with_parts(memory, running=answers.read_running(reply))
        case "hardware":
            return compared(with_parts(memory, profile=answers.read_hardware(reply, _content_type(memory))), now)
        case "presets":
            return compared(with_parts(memory, presets=answers.read_presets(reply, _content_type(memory))), now)
        case "host":
            return replace(memory, host=read_host(reply))
        case "terms":
            return replace(memory, terms={**memory.terms, name: answers.read_terms(reply, key, name)})
        case "payAgreements" | "agreement" | "invoices" | "invoice" | "payments" | "rejection":
            return _absorb_money(memory, key, reply, now)
        case _:
            return _absorb_sign(memory, kind, reply)


def _absorb_money(memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
    """The memory with something about money; none of it is asked for before the identity of the key is known."""
    if memory.identity is None:
        raise ShapeError(f"{key}: an answer before the identity of the key is known")
    kind, _, name = key.partition("/")
    match kind:
        case "payAgreements":
            return _with_pay_page(memory, memory.identity, key, reply, now)
        case "agreement":
            return _with_pay(memory, key, name, reply, now)
        case "invoices":
            return _with_invoice_page(memory, memory.identity, key, reply, now)
        case "payments":
            return _with_payment_page(memory, key, reply, now)
        case "rejection":
            reason = signs.read_rejection(reply, key, name)
            return msgspec.structs.replace(memory, rejections={**memory.rejections, name: reason})
        case _:
            invoice = answers.read_invoice(reply, key, name, now)
            return settle(with_invoices(memory, (invoice,)), (invoice.agreement_id,), now)


def _absorb_sign(memory: GolemMemory, key: str, reply: Reply) -> GolemMemory:
    """The memory with something that the daemon says of itself."""
    match key:
        case "monitor":
            return _with_signs(memory, activities=signs.read_activities(reply))
        case "metrics":
            return _with_signs(memory, counters=signs.read_counters(reply))
        case "healthcheck":
            signs.read_health(reply)
            return _with_signs(memory, trouble="")
        case "accounts":
            return _with_signs(memory, accounts=signs.read_accounts(reply))
        case "driver":
            return _with_signs(memory, driver=signs.read_driver(reply))
        case "version":
            version, update = signs.read_version(reply)
            return _with_signs(memory, version=version, update=update)
        case _:
            raise ShapeError(f"{key}: an answer to a question that is not asked")


def _with_signs(memory: GolemMemory, **said: object) -> GolemMemory:
    return with_parts(memory, signs=msgspec.structs.replace(memory.signs, **said))


def _without(memory: GolemMemory, kind: str, name: str, now: datetime) -> GolemMemory:
    """The memory once the daemon said that it does not know something; its last figures stay."""
    if kind == "terms":
        return _with_work(memory, msgspec.structs.replace(memory, no_terms=memory.no_terms | {name}))
    invoice = memory.invoices.get(name) if kind == "invoice" else None
    if invoice is None:
        return memory
    gone = msgspec.structs.replace(invoice, gone=True)
    return settle(with_invoices(memory, (gone,)), (), now)


def _with_work(before: GolemMemory, memory: GolemMemory) -> GolemMemory:
    """The memory with what agreements say about demand, worked out anew where an answer has a bearing on it."""
    for each in _BEARING:
        old, new = getattr(before, each), getattr(memory, each)
        if old is not new and old != new:
            break
    else:
        if not _is_old(memory.work, memory.pays_read_at):
            return memory
    return msgspec.structs.replace(memory, work=work_of(memory))


def _is_old(work: Work, read_at: datetime | None) -> bool:
    """Whether agreements were read so long after what was made of them that time alone changes it."""
    return read_at is not None and (work.read_at is None or read_at - work.read_at >= WORK_STANDS)


@kept_by(lambda memory: (memory.accruals,), lambda memory: memory.context.node)
def _accruals(memory: GolemMemory) -> tuple[Accrual, ...]:
    return tuple(memory.accruals.values())


def _content_type(memory: GolemMemory) -> str | None:
    return "application/json" if served(memory.options.provider_dir) else None


def _with_identity(memory: GolemMemory, identity: str, now: datetime) -> GolemMemory:
    """Another identity is another node: what was known of the first one's money is dropped."""
    if memory.identity not in (None, identity):
        kept = PROTOCOL.begin(memory.options, memory.context)
        memory = msgspec.structs.replace(kept, profile=memory.profile, presets=memory.presets)
    return with_parts(memory, identity=identity, last_seen_at=now)


def _with_pay_page(memory: GolemMemory, identity: str, key: str, reply: Reply, now: datetime) -> GolemMemory:
    pays, rows, newest = answers.read_pays(reply, key, identity, now)
    memory = with_pays(memory, pays, now)
    if not key.endswith(AGAIN):
        pages = next_pages(memory.pay_pages, rows, newest, now)
        memory = with_parts(memory, pay_pages=pages, pays_read_at=now)
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


def _with_payment_page(memory: GolemMemory, key: str, reply: Reply, now: datetime) -> GolemMemory:
    memory, rows, newest = with_payments(memory, reply, key, now)
    if not key.endswith(AGAIN):
        pages = next_pages(memory.payment_pages, rows, newest, now)
        memory = with_parts(memory, payment_pages=pages)
    return checked(memory, now)


def _with_invoice_page(memory: GolemMemory, identity: str, key: str, reply: Reply, now: datetime) -> GolemMemory:
    first = not memory.invoice_pages.complete
    invoices, rows, newest = answers.read_invoices(reply, key, identity, now)
    known, before = memory.invoices, memory.invoice_pages
    memory = with_invoices(memory, invoices)
    if not key.endswith(AGAIN):
        pages = next_pages(memory.invoice_pages, rows, newest, now)
        memory = with_parts(memory, invoice_pages=pages)
    if not first and memory.invoices is known and memory.invoice_pages == before:
        return memory
    touched = memory.pays if first else {invoice.agreement_id for invoice in invoices}
    return settle(memory, tuple(touched), now)
