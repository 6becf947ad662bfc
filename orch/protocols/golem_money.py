"""From agreements and invoices to accruals: what is paid, promised, expected and lost. Exact decimals only.

Rules (yagna's payment-api): `due` is the sum of the newest debit notes, raised to the invoice; `accepted` is
what the requestor promised; `paid` was seen on chain. Debit notes, invoices and payments describe the same
money, so only the agreement's totals are counted and the invoice decides what became of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from orch.model.kept import with_parts
from orch.model.money import Accrual, Amounts
from orch.protocols.golem_memory import CLOSED, UNANSWERED, WRITTEN_OFF, Digest, GolemMemory, Pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.protocols.golem_memory import Invoice, Pay

PAGE = 500
"""Rows asked for at once."""

REREAD = 250
"""Rows that a list may bring again for the sake of those still open; older open ones are asked for one by one."""

RECENT = 20
LOOK_BACK = timedelta(days=7)
"""Demand is read from the last twenty agreements and from those of the last week."""

OVERLAP = timedelta(seconds=1)
"""Times are whole seconds and the server compares strictly."""

NEVER_AFTER = timedelta(days=14)
"""Requestors accept within minutes and pay within a day or two of the due date; after two weeks nobody will."""

OUT_OF_ORDER = timedelta(seconds=30)
"""No request takes longer; what seems to be asked for longer ago than that was asked after a step of the clock."""

_EXACT = Context(prec=200)


def minus(a: Decimal, b: Decimal) -> Decimal:
    """A - b without rounding, or 0 when b is larger."""
    return _EXACT.subtract(a, b) if a > b else Decimal(0)


def plus(*amounts: Decimal) -> Decimal:
    """The sum without rounding."""
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, amount)
    return total


def amounts_of(pay: Pay, *, written_off: bool) -> Amounts:
    """What one agreement amounts to by evidence.

    Paid is settled, what the requestor accepted beyond it accrued, what is due beyond both estimated. Work that
    is `written_off` leaves what was paid. Test tokens buy nothing: all speculative.
    """
    promised = pay.paid if written_off else max(pay.accepted, pay.paid)
    expected = pay.paid if written_off else max(pay.due, promised)
    if pay.unit == "tGLM":
        return Amounts(speculative=expected)
    return Amounts(settled=pay.paid, accrued=minus(promised, pay.paid), estimated=minus(expected, promised))


def why_lost(memory: GolemMemory, pay: Pay, invoice: Invoice | None, now: datetime) -> str | None:
    """Why what is not paid of an agreement is written off, in a few words; None while it may still be paid.

    A rejected, failed or cancelled invoice is lost at once; one that nobody accepts, or work that was never
    invoiced, two weeks after it should have been. Should it be accepted or paid later, it counts again.
    """
    if invoice is None:
        silent_since = max(filter(None, (pay.created_at, pay.grew_at)), default=None)
        ended = memory.running is not None and pay.agreement_id not in memory.running
        if ended and silent_since is not None and now - silent_since > NEVER_AFTER:
            return "never invoiced"
        return None
    if invoice.status in WRITTEN_OFF:
        reason = memory.rejections.get(invoice.invoice_id)
        return f"{invoice.status.lower()}: {reason}" if reason else invoice.status.lower()
    if invoice.status in UNANSWERED and now - (invoice.due_at or invoice.issued_at) > NEVER_AFTER:
        return "never accepted"
    return None


def is_final(pay: Pay, invoice: Invoice | None) -> bool:
    """Whether nothing about an agreement's money can change any more."""
    if invoice is None:
        return False
    if invoice.status in WRITTEN_OFF:
        return True
    covered = pay.paid >= max(pay.due, invoice.amount)
    return covered and (invoice.status == "SETTLED" or pay.due > 0)


def with_pays(memory: GolemMemory, pays: Iterable[Pay], now: datetime) -> GolemMemory:
    """The memory with newer rows of agreements; what grew since the last row says when.

    Totals only grow. A row that says less and was asked for before the known one is an older answer that took
    longer, and is dropped; one asked for later is believed (a database restored from a backup).
    """
    merged, paid, newest = dict(memory.pays), memory.paid, memory.newest
    for pay in pays:
        old = merged.get(pay.agreement_id)
        if old is not None and _is_overtaken(pay, old):
            continue
        merged[pay.agreement_id] = msgspec.structs.replace(
            pay,
            grew_at=now if old is not None and pay.due > old.due else old.grew_at if old else None,
            waits_since=_waits_since(pay, old, now),
        )
        if pay.unit != "tGLM" and (old is None or pay.paid != old.paid):
            paid = _EXACT.add(paid, _EXACT.subtract(pay.paid, old.paid if old is not None else Decimal(0)))
        if pay.created_at is not None and (newest is None or _age(pay) > _age(merged[newest])):
            newest = pay.agreement_id
    return msgspec.structs.replace(memory, pays=merged, paid=paid, newest=newest)


def _age(pay: Pay) -> tuple[datetime | None, str]:
    return pay.created_at, pay.agreement_id


def _is_overtaken(pay: Pay, old: Pay) -> bool:
    says_less = pay.due < old.due or pay.accepted < old.accepted or pay.paid < old.paid
    earlier_by = (old.asked_at or old.seen_at) - (pay.asked_at or pay.seen_at)
    return says_less and timedelta(0) < earlier_by < OUT_OF_ORDER


def _waits_since(pay: Pay, old: Pay | None, now: datetime) -> datetime | None:
    if pay.accepted >= pay.due:
        return None
    if old is None or old.waits_since is None or pay.accepted > old.accepted:
        return now
    return old.waits_since


def settle(memory: GolemMemory, agreements: Iterable[str], now: datetime) -> GolemMemory:
    """The memory with the accruals of these agreements (those whose rows or invoices are new) and what follows.

    Nothing is stated before all invoices have been read once: an agreement's invoice tells until when its
    money was earned, and whether it was.
    """
    touched, counted = tuple(agreements), memory.digest.invoices
    news, last = {}, newest_pay(memory)
    for agreement in touched if memory.invoice_pages.complete else ():
        pay = memory.pays.get(agreement)
        if pay is not None:
            stated = _accrual(memory, pay, counted.get(agreement), now, newest=pay is last)
            if stated != memory.accruals.get(agreement):
                news[agreement] = stated
    if news:
        memory = msgspec.structs.replace(memory, accruals={**memory.accruals, **news})
    return with_parts(checked(memory, now), digest=_digest(memory, touched, now))


def checked(memory: GolemMemory, now: datetime) -> GolemMemory:
    """The memory with since when the payments' sum is not what agreements say was paid; None while they agree."""
    if not memory.payment_pages.complete or not memory.pay_pages.complete:
        return memory
    since = None if memory.paid == memory.payments else memory.mismatch_since or now
    return with_parts(memory, mismatch_since=since)


def newest_pay(memory: GolemMemory) -> Pay | None:
    """The agreement that began to be paid for last."""
    return None if memory.newest is None else memory.pays.get(memory.newest)


def next_pages(pages: Pages, rows: int, newest: datetime | None, now: datetime) -> Pages:
    """How far a list has been read after a page with this many rows and this newest time.

    Pages overlap by a second, for rows with equal times are left out by a strict comparison. When a full
    page lies within that overlap the next one starts strictly after it. A row from the future (the node's clock
    was wrong, or ours is) does not hide those that are written before that time comes.
    """
    full = rows >= PAGE
    if newest is not None and not full:
        newest = min(newest, now)
    reached = max(filter(None, (pages.newest, newest)), default=None)
    return Pages(
        newest=reached,
        complete=pages.complete or not full,
        more=full,
        strict=full and reached == pages.newest,
        crowded=pages.crowded or (pages.complete and full),
    )


def asked_after(pages: Pages, open_times: Iterable[datetime], known_times: Iterable[datetime]) -> datetime | None:
    """The `afterTimestamp` of the next page; None asks from the beginning.

    Rows whose money still changes keep their time, so once the list has been read to its end it is read again
    from the oldest of them, as long as that is not too many rows.
    """
    if pages.newest is None:
        # A whole page of rows without a time: any start leaves those out and goes on with the others.
        return datetime.fromtimestamp(0, UTC) if pages.strict else None
    after = pages.newest
    if pages.complete and not pages.more and not pages.crowded:
        oldest_first = sorted(open_times)
        reach = sorted(known_times)[-REREAD:][:1] if oldest_first else []
        after = next((moment for moment in oldest_first if [moment] >= reach), after)
    return after if pages.strict else after - OVERLAP


def with_invoices(memory: GolemMemory, invoices: Iterable[Invoice]) -> GolemMemory:
    """The memory with newer invoices, and by agreement the one that counts.

    That is the newest that is not written off, else the newest.
    """
    new = {each.invoice_id: each for each in invoices if memory.invoices.get(each.invoice_id) != each}
    if not new:
        return memory
    known = {**memory.invoices, **new}
    counted: dict[str, Invoice] = {}
    for invoice in known.values():
        rival = counted.get(invoice.agreement_id)
        if rival is None or _precedence(rival) < _precedence(invoice):
            counted[invoice.agreement_id] = invoice
    digest = msgspec.structs.replace(memory.digest, invoices=counted)
    return msgspec.structs.replace(memory, invoices=known, digest=digest)


def _precedence(invoice: Invoice) -> tuple[bool, datetime, str]:
    return invoice.status not in WRITTEN_OFF, invoice.issued_at, invoice.invoice_id


def _digest(memory: GolemMemory, touched: Iterable[str], now: datetime) -> Digest:
    """What follows from all agreements; what was not touched is as open as before. The same object while equal."""
    counted, pays, invoices = memory.digest.invoices, memory.pays, memory.invoices.values()
    ended = [invoice for agreement, invoice in counted.items() if agreement in pays]
    ended.sort(key=attrgetter("issued_at"), reverse=True)
    long_ago = now - LOOK_BACK
    candidates = [pays[each] for each in dict.fromkeys((*memory.digest.open_pays, *touched)) if each in pays]
    open_pays = [pay for pay in candidates if not pay.gone and not _is_known_final(memory, pay)]
    open_invoices = [each for each in invoices if each.status not in CLOSED and not each.gone]
    matured = [pays[invoice.agreement_id] for invoice in ended if invoice.status in CLOSED]
    found = Digest(
        invoices=counted,
        ended=tuple(
            [
                invoice.agreement_id
                for number, invoice in enumerate(ended)
                if number < RECENT or invoice.issued_at > long_ago
            ]
        ),
        finished=len(ended),
        open_pays=tuple([pay.agreement_id for pay in open_pays]),
        open_invoices=tuple([invoice.invoice_id for invoice in open_invoices]),
        pays_after=asked_after(
            memory.pay_pages,
            [pay.created_at for pay in open_pays if pay.created_at],
            [pay.created_at for pay in pays.values() if pay.created_at],
        ),
        invoices_after=asked_after(
            memory.invoice_pages,
            [invoice.issued_at for invoice in open_invoices],
            [invoice.issued_at for invoice in invoices],
        ),
        for_test_tokens=sum([pay.platform.endswith("-tglm") for pay in pays.values()]),
        matured=len(matured),
        matured_due=float(sum([pay.due for pay in matured])),
        matured_paid=float(sum([pay.paid for pay in matured])),
    )
    return memory.digest if found == memory.digest else found


def _is_known_final(memory: GolemMemory, pay: Pay) -> bool:
    accrual = memory.accruals.get(pay.agreement_id)
    return accrual is not None and accrual.final


def _accrual(memory: GolemMemory, pay: Pay, invoice: Invoice | None, now: datetime, *, newest: bool) -> Accrual:
    """One agreement's accrual; its reference says why, where something of it is written off."""
    before = memory.accruals.get(pay.agreement_id)
    lost = why_lost(memory, pay, invoice, now)
    amounts = amounts_of(pay, written_off=lost is not None)
    final = is_final(pay, invoice)
    reference = pay.agreement_id if invoice is None else f"{pay.agreement_id} {invoice.invoice_id}"
    if lost is not None and pay.due > pay.paid:
        reference += f" ({lost}; what was not paid is written off)"
    ended_at = invoice.issued_at if invoice else None
    began_at = min(filter(None, (pay.created_at, ended_at)), default=before.period_start if before else now)
    return Accrual(
        stream=pay.agreement_id,
        unit=pay.unit,
        amounts=amounts,
        period_start=began_at,
        as_of=max(began_at, _as_of(pay, before, ended_at, now, unchanged=final and not newest)),
        reference=reference,
        final=final,
        period_end=ended_at,
    )


def _as_of(
    pay: Pay, before: Accrual | None, ended_at: datetime | None, now: datetime, *, unchanged: bool
) -> datetime:
    """When an agreement's figures were true last; never earlier than stated before.

    One that is `unchanged` (final) keeps its time: its end when it was final at first sight, else when it
    became so. The newest agreement is never that: with it the list also says that nothing came after it.
    """
    if not unchanged:
        return max(pay.seen_at, before.as_of) if before else pay.seen_at
    if before is None:
        return ended_at or pay.seen_at
    return before.as_of if before.final else max(before.as_of, now)
