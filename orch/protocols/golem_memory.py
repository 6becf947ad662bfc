"""What is known of one Golem provider: the facts kept between answers, all immutable.

Amounts are exact `Decimal` in GLM (or tGLM), prices are GLM per hour, times aware UTC, resources decimal
units. Source of the fields: the yagna REST API (payment, market, net) and the provider's two JSON files.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from orch.model.base import Value
from orch.model.money import Accrual
from orch.model.resources import Resources
from orch.model.wire import NoReply, Secret
from orch.protocols.base import Context

InvoiceStatus: TypeAlias = Literal["ISSUED", "RECEIVED", "ACCEPTED", "SETTLED", "REJECTED", "FAILED", "CANCELLED"]

WRITTEN_OFF: frozenset[InvoiceStatus] = frozenset({"REJECTED", "FAILED", "CANCELLED"})
CLOSED: frozenset[InvoiceStatus] = WRITTEN_OFF | {"SETTLED"}


class GolemOptions(Value):
    """What `[nodes.X]` may hold for a Golem provider.

    `url` is yagna's REST address; `app_key` an application key of the provider's identity; `provider_dir` the
    data directory of ya-provider, or an http URL under which its two files are served; `memory_gb_per_core`
    how much memory a sold core needs beside it.
    """

    url: str = "http://127.0.0.1:7465"
    app_key: Secret | None = None
    provider_dir: str = "~/.local/share/ya-provider"
    memory_gb_per_core: float = 1.0


class Pay(Value):
    """The money of one agreement this node provides.

    `created_at` is when its first note or invoice was issued (None on rows of old versions), `seen_at` when
    these figures were read, `grew_at` when `due` was last seen to rise. `gone`: the daemon no longer knows it.
    """

    agreement_id: str
    platform: str
    due: Decimal
    accepted: Decimal
    paid: Decimal
    created_at: datetime | None
    seen_at: datetime
    grew_at: datetime | None = None
    gone: bool = False

    @property
    def unit(self) -> str:
        """`GLM`, `tGLM` on a testnet, or another token's name."""
        token = self.platform.rpartition("-")[2]
        return {"glm": "GLM", "tglm": "tGLM"}.get(token.lower(), token.upper())


class Invoice(Value):
    """One invoice this node issued."""

    invoice_id: str
    agreement_id: str
    status: InvoiceStatus
    amount: Decimal
    issued_at: datetime
    due_at: datetime | None


class Price(Value):
    """A linear price: GLM per core-hour, per hour of wall time, and per activity."""

    cpu_hour: float
    wall_hour: float
    initial: float = 0.0


class Terms(Value):
    """What an agreement was signed for."""

    agreement_id: str
    approved_at: datetime | None
    resources: Resources
    price: Price | None


class Offer(Value):
    """One published offer."""

    offer_id: str
    published_at: datetime | None
    resources: Resources
    price: Price | None
    testnet: bool


class Presets(Value):
    """`presets.json`: the active presets in their order, with the price of each."""

    active: tuple[str, ...]
    prices: tuple[Price, ...]


class Pages(Value):
    """How far a list has been read.

    `newest` is the time of the newest row so far; `complete` once its end was reached; `more` while the last
    page was full; `strict` when a whole page shared one time, so that the overlap must be given up; `crowded`
    once a page was full although the end had been reached before: then only new rows are asked for.
    """

    newest: datetime | None = None
    complete: bool = False
    more: bool = False
    strict: bool = False
    crowded: bool = False


class Digest(Value):
    """What follows from all agreements and invoices, worked out once per answer about money.

    `invoices` is the invoice that counts, by agreement; `ended` the agreements that ended last, newest first,
    and `finished` how many did; `open_pays` and `open_invoices` what can still change; `pays_after` and
    `invoices_after` where the next page of each list begins; `for_test_tokens` how many agreements pay tGLM.
    `matured` agreements ended and are paid or lost: so much GLM was due for them and so much was paid.
    """

    invoices: dict[str, Invoice] = msgspec.field(default_factory=dict)
    ended: tuple[str, ...] = ()
    finished: int = 0
    open_pays: tuple[str, ...] = ()
    open_invoices: tuple[str, ...] = ()
    pays_after: datetime | None = None
    invoices_after: datetime | None = None
    for_test_tokens: int = 0
    matured: int = 0
    matured_due: float = 0.0
    matured_paid: float = 0.0


class GolemMemory(Value):
    """Everything known of one provider. The dictionaries are replaced, never changed.

    `accruals` holds what each agreement amounts to, by agreement. `failures` holds the last failure of the
    endpoints that have a fixed key, until they answer again.
    """

    options: GolemOptions
    context: Context
    emulated: bool = False
    last_seen_at: datetime | None = None
    identity: str | None = None
    sessions: int | None = None
    public_ip: str | None = None
    pays: dict[str, Pay] = msgspec.field(default_factory=dict)
    pay_pages: Pages = Pages()
    pays_read_at: datetime | None = None
    invoices: dict[str, Invoice] = msgspec.field(default_factory=dict)
    invoice_pages: Pages = Pages()
    accruals: dict[str, Accrual] = msgspec.field(default_factory=dict)
    digest: Digest = Digest()
    offers: tuple[Offer, ...] | None = None
    running: tuple[str, ...] | None = None
    terms: dict[str, Terms] = msgspec.field(default_factory=dict)
    no_terms: frozenset[str] = frozenset()
    profile: Resources | None = None
    presets: Presets | None = None
    failures: dict[str, NoReply] = msgspec.field(default_factory=dict)
