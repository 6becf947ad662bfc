"""The answers of yagna and the files of ya-provider, decoded strictly.

Money comes as decimal strings and stays exact. Times are RFC 3339 with up to nine digits of a second, or
naive UTC in `payAgreements`. Sources: yagna's payment-api, market-api and net-api (0.17) and the data
directory of ya-provider.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orch.errors import AbsurdError, ShapeError
from orch.model.base import Value
from orch.model.resources import Resources
from orch.protocols.decode import decode, decode_or_none, instant, money, within
from orch.protocols.golem_memory import Invoice, InvoiceStatus, Offer, Pay, Presets, Price, Terms

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import Reply

GB_PER_GIB = 1.073741824
MOST_THREADS = 100_000
MOST_GIB = 1e9
MOST_PRICE = 1e9

_CPU = "golem.usage.cpu_sec"
_WALL = "golem.usage.duration_sec"
_PLATFORM = "golem.com.payment.platform."


class _Me(Value, rename="camel"):
    identity: str


class _Net(Value, rename="camel"):
    sessions: int
    public_ip: str | None = None


class _Pay(Value, rename="camel"):
    id: str
    role: str
    payment_platform: str
    total_amount_due: Decimal
    total_amount_accepted: Decimal
    total_amount_paid: Decimal
    owner_id: str | None = None
    created_ts: str | None = None


class _Invoice(Value, rename="camel"):
    invoice_id: str
    issuer_id: str
    agreement_id: str
    timestamp: str
    amount: Decimal
    status: InvoiceStatus
    payment_due_date: str | None = None


class _Offer(Value, rename="camel"):
    offer_id: str
    properties: dict[str, Any]
    timestamp: str | None = None


class _Running(Value, rename="camel"):
    id: str
    role: str


class _AgreedOffer(Value, rename="camel"):
    properties: dict[str, Any]


class _Agreement(Value, rename="camel"):
    agreement_id: str
    offer: _AgreedOffer
    approved_date: str | None = None


class _Profile(Value):
    cpu_threads: int
    mem_gib: float
    storage_gib: float


class _Hardware(Value):
    active: str
    profiles: dict[str, _Profile]


class _Preset(Value, rename="kebab"):
    name: str
    pricing_model: str
    usage_coeffs: dict[str, float]
    initial_price: float = 0.0
    exeunit_name: str = ""


class _Presets(Value):
    ver: str
    active: list[str]
    presets: list[_Preset]


def read_identity(reply: Reply) -> str:
    """`/me`: the node id this key belongs to, in lower case."""
    identity = decode(reply, _Me, "me").identity.lower()
    if not identity.startswith("0x"):
        raise ShapeError(f"me: {identity[:60]!r} is not a node id")
    return identity


def read_net(reply: Reply) -> tuple[int, str | None]:
    """`/net-api/v2/net/status`: the number of sessions, and the public address where there is one."""
    answer = decode(reply, _Net, "net")
    return within(answer.sessions, "net: sessions", 0, 1_000_000), answer.public_ip


def read_pays(reply: Reply, key: str, identity: str, now: datetime) -> tuple[list[Pay], int, datetime | None]:
    """A page of `payAgreements`.

    Returns:
        The agreements that `identity` provides, the rows on the page, and the time of its newest row.
    """
    rows = decode(reply, list[_Pay], key)
    newest = max(filter(None, (_instant(row.created_ts, key, now) for row in rows)), default=None)
    asked_at = now - timedelta(seconds=reply.elapsed_s)
    mine = [row for row in rows if row.role == "P" and (row.owner_id or identity).lower() == identity]
    return [_pay(row, key, asked_at, now) for row in mine], len(rows), newest


def read_pay(reply: Reply, key: str, agreement_id: str, now: datetime) -> Pay | None:
    """One row of `payAgreements/{id}`; None where the daemon answers `null`: it does not know the agreement."""
    row = decode_or_none(reply, _Pay, key)
    if row is None:
        return None
    if row.id != agreement_id or row.role != "P":
        raise ShapeError(f"{key}: the answer is about another agreement ({row.id[:12]!r}, role {row.role[:12]!r})")
    return _pay(row, key, now - timedelta(seconds=reply.elapsed_s), now)


def read_invoices(
    reply: Reply, key: str, identity: str, now: datetime
) -> tuple[list[Invoice], int, datetime | None]:
    """A page of `invoices`: those issued by `identity`, the rows on the page, and the time of its newest row."""
    rows = decode(reply, list[_Invoice], key)
    newest = max(filter(None, (_instant(row.timestamp, key, now) for row in rows)), default=None)
    return [_invoice(row, key, now) for row in rows if row.issuer_id.lower() == identity], len(rows), newest


def read_invoice(reply: Reply, key: str, invoice_id: str, now: datetime) -> Invoice:
    """`invoices/{id}`."""
    row = decode(reply, _Invoice, key)
    if row.invoice_id != invoice_id:
        raise ShapeError(f"{key}: the answer is about another invoice ({row.invoice_id[:40]!r})")
    return _invoice(row, key, now)


def read_offers(reply: Reply) -> tuple[Offer, ...]:
    """`offers`: what this node has published now."""
    return tuple(
        Offer(
            offer_id=row.offer_id,
            published_at=instant(row.timestamp, "offers: timestamp"),
            resources=_resources(row.properties, "offers"),
            price=_price(row.properties, "offers"),
            testnet=_testnet(row.properties),
        )
        for row in decode(reply, list[_Offer], "offers")
    )


def read_running(reply: Reply) -> tuple[str, ...]:
    """`agreements?state=Approved`: the agreements this node provides now, each once."""
    rows = decode(reply, list[_Running], "agreements")
    return tuple(dict.fromkeys(row.id for row in rows if row.role == "Provider"))


def read_terms(reply: Reply, key: str, agreement_id: str) -> Terms:
    """`agreements/{id}`: what was agreed."""
    row = decode(reply, _Agreement, key)
    if row.agreement_id != agreement_id:
        raise ShapeError(f"{key}: the answer is about another agreement ({row.agreement_id[:12]!r})")
    return Terms(
        agreement_id=agreement_id,
        approved_at=instant(row.approved_date, f"{key}: approvedDate"),
        resources=_resources(row.offer.properties, key),
        price=_price(row.offer.properties, key),
    )


def read_hardware(reply: Reply, content_type: str | None) -> Resources:
    """`hardware.json`: the active profile in decimal units."""
    answer = decode(reply, _Hardware, "hardware", content_type=content_type)
    profile = answer.profiles.get(answer.active)
    if profile is None:
        raise ShapeError(f"hardware: the active profile {answer.active[:60]!r} is not among the profiles")
    return Resources(
        cpu_cores=float(within(profile.cpu_threads, "hardware: cpu_threads", 0, MOST_THREADS)),
        memory_gb=within(profile.mem_gib, "hardware: mem_gib", 0, MOST_GIB) * GB_PER_GIB,
        storage_gb=within(profile.storage_gib, "hardware: storage_gib", 0, MOST_GIB) * GB_PER_GIB,
    )


def read_presets(reply: Reply, content_type: str | None) -> Presets:
    """`presets.json` (version V1): which presets are on sale, and their prices."""
    answer = decode(reply, _Presets, "presets", content_type=content_type)
    known = {preset.name: preset for preset in answer.presets}
    missing = [name for name in answer.active if name not in known]
    if answer.ver != "V1" or missing:
        fault = f"active preset {missing[0][:60]!r} is missing" if missing else f"version {answer.ver[:20]!r}"
        raise ShapeError(f"presets: {fault}")
    prices = []
    for name in answer.active:
        preset = known[name]
        if preset.pricing_model != "linear":
            raise ShapeError(f"presets: {preset.pricing_model[:60]!r} is not the linear pricing model")
        prices.append(_price_of(preset.usage_coeffs, preset.initial_price, "presets"))
    runtimes = tuple(known[name].exeunit_name for name in answer.active)
    return Presets(active=tuple(answer.active), prices=tuple(prices), runtimes=runtimes)


def _pay(row: _Pay, key: str, asked_at: datetime, now: datetime) -> Pay:
    return Pay(
        agreement_id=row.id,
        platform=row.payment_platform,
        due=money(row.total_amount_due, f"{key}: totalAmountDue"),
        accepted=money(row.total_amount_accepted, f"{key}: totalAmountAccepted"),
        paid=money(row.total_amount_paid, f"{key}: totalAmountPaid"),
        created_at=_instant(row.created_ts, key, now),
        seen_at=now,
        asked_at=asked_at,
    )


def _invoice(row: _Invoice, key: str, now: datetime) -> Invoice:
    issued_at = _instant(row.timestamp, key, now)
    if issued_at is None:
        raise ShapeError(f"{key}: invoice {row.invoice_id[:40]!r} has no timestamp")
    return Invoice(
        invoice_id=row.invoice_id,
        agreement_id=row.agreement_id,
        status=row.status,
        amount=money(row.amount, f"{key}: amount"),
        issued_at=issued_at,
        due_at=instant(row.payment_due_date, f"{key}: paymentDueDate"),
    )


def _instant(text: str | None, key: str, now: datetime) -> datetime | None:
    moment = instant(text, key)
    if moment is not None and (moment - now).total_seconds() > 86_400:
        raise AbsurdError(f"{key}: {moment.isoformat()} lies in the future")
    return moment


def _number(properties: dict[str, Any], name: str, key: str, most: float) -> float | None:
    value = properties.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ShapeError(f"{key}: {name} is not a number")
    return float(within(value, f"{key}: {name}", 0, most))


def _resources(properties: dict[str, Any], key: str) -> Resources:
    threads = _number(properties, "golem.inf.cpu.threads", key, MOST_THREADS)
    memory = _number(properties, "golem.inf.mem.gib", key, MOST_GIB)
    storage = _number(properties, "golem.inf.storage.gib", key, MOST_GIB)
    return Resources(
        cpu_cores=threads,
        memory_gb=None if memory is None else memory * GB_PER_GIB,
        storage_gb=None if storage is None else storage * GB_PER_GIB,
    )


def _price(properties: dict[str, Any], key: str) -> Price | None:
    """The linear price in an offer: one coefficient per entry of the usage vector, the initial price last."""
    vector = properties.get("golem.com.usage.vector")
    coefficients = properties.get("golem.com.pricing.model.linear.coeffs")
    if vector is None or coefficients is None:
        return None
    if not isinstance(vector, list) or not isinstance(coefficients, list) or len(coefficients) != len(vector) + 1:
        raise ShapeError(f"{key}: the price coefficients do not match the usage vector")
    numbers = [each for each in coefficients if isinstance(each, int | float) and not isinstance(each, bool)]
    names = [each for each in vector if isinstance(each, str)]
    if len(numbers) != len(coefficients) or len(names) != len(vector):
        raise ShapeError(f"{key}: the price coefficients are not numbers by name")
    return _price_of(dict(zip(names, numbers[:-1], strict=True)), numbers[-1], key)


def _price_of(per_second: dict[str, float], initial: float, key: str) -> Price:
    checked = {
        name: within(float(value), f"{key}: price of {name[:60]}", 0, MOST_PRICE)
        for name, value in per_second.items()
    }
    return Price(
        cpu_hour=checked.get(_CPU, 0.0) * 3600,
        wall_hour=checked.get(_WALL, 0.0) * 3600,
        initial=within(float(initial), f"{key}: initial price", 0, MOST_PRICE),
    )


def _testnet(properties: dict[str, Any]) -> bool:
    platforms = {
        name.removeprefix(_PLATFORM).partition(".")[0] for name in properties if name.startswith(_PLATFORM)
    }
    return bool(platforms) and all(platform.endswith("-tglm") for platform in platforms)
