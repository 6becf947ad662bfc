"""What is known of one Golem provider: the facts kept between answers, all immutable.

Amounts are exact `Decimal` in GLM (or tGLM), prices are GLM per hour, times aware UTC, resources decimal
units. Source of the fields: the yagna REST API (payment, market, net) and the provider's two JSON files.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec

from orch.model.base import Value
from orch.model.money import Accrual
from orch.model.resources import Resources
from orch.model.wire import NoReply, Secret
from orch.protocols.base import Context

InvoiceStatus: TypeAlias = Literal["ISSUED", "RECEIVED", "ACCEPTED", "SETTLED", "REJECTED", "FAILED", "CANCELLED"]

WRITTEN_OFF: frozenset[InvoiceStatus] = frozenset({"REJECTED", "FAILED", "CANCELLED"})
UNANSWERED: frozenset[InvoiceStatus] = frozenset({"ISSUED", "RECEIVED"})
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


@lru_cache(maxsize=64)
def token_of(platform: str) -> str:
    """The token of a payment platform such as `erc20-polygon-glm`."""
    token = platform.rpartition("-")[2]
    return {"glm": "GLM", "tglm": "tGLM"}.get(token.lower(), token.upper())


class Pay(Value):
    """The money of one agreement this node provides.

    `created_at` is when its first note or invoice was issued (None on rows of old versions), `asked_at` and
    `seen_at` when these figures were asked for and read, `grew_at` when `due` was last seen to rise, `waits_since`
    since when notes are not accepted. `gone`: the daemon no longer knows it.
    """

    agreement_id: str
    platform: str
    due: Decimal
    accepted: Decimal
    paid: Decimal
    created_at: datetime | None
    seen_at: datetime
    asked_at: datetime | None = None
    grew_at: datetime | None = None
    waits_since: datetime | None = None
    gone: bool = False

    @property
    def unit(self) -> str:
        """`GLM`, `tGLM` on a testnet, or another token's name."""
        return token_of(self.platform)


class Invoice(Value):
    """One invoice this node issued. `gone`: the daemon no longer knows it."""

    invoice_id: str
    agreement_id: str
    status: InvoiceStatus
    amount: Decimal
    issued_at: datetime
    due_at: datetime | None
    gone: bool = False


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
    """`presets.json`: the active presets in their order, with the price and the runtime of each."""

    active: tuple[str, ...]
    prices: tuple[Price, ...]
    runtimes: tuple[str, ...] = ()


class Agent(Value):
    """A process of the provider on this host; None is not known. `device`: whether it may open /dev/kvm."""

    name: str
    pid: int
    open_files: int | None = None
    may_open: int | None = None
    device: bool | None = None


class Host(Value):
    """What this host says of a provider on it: room beside its files (None: no such directory), /dev/kvm."""

    free_gb: float | None
    kvm: bool
    agents: tuple[Agent, ...]


class Activity(Value):
    """One activity of an agreement: its state, its runtime, and the seconds it has used so far."""

    activity_id: str
    agreement_id: str
    state: str
    runtime: str | None = None
    cpu_s: float | None = None
    wall_s: float | None = None


class Counters(Value):
    """What the daemon counted since its start; None is not counted yet. `ended` agreements by their reason."""

    proposals: int | None = None
    refused_by_us: int | None = None
    refused_by_them: int | None = None
    ended: tuple[tuple[str, int], ...] = ()
    rpc_good: int | None = None
    rpc_bad: int | None = None


class Signs(Value):
    """What the daemon says of itself; None is not read yet.

    `trouble` is the part of its own check that failed, empty when none did. `activities` are those since its
    start.
    """

    version: str | None = None
    update: str | None = None
    accounts: tuple[str, ...] | None = None
    driver: tuple[str, ...] | None = None
    trouble: str | None = None
    counters: Counters = Counters()
    activities: tuple[Activity, ...] | None = None
    had_public_ip: bool = False


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


class Work(Value):
    """What the agreements so far say; None while there are too few of them.

    `busy_share` of `window_s` was worked (utilisation). `threads` is the mean of what an hour of work used or
    would use of the present profile, `saturation` the same as a share of it, `demand` the most that was used.
    `busy_rate` is GLM per hour of work at the present price, `idle_inclusive` what was asked for per hour of the
    window, idle hours included, and `realised` the share of matured work that was paid for. `doubts` are the
    relative standard errors of utilisation, threads and realised share, `sized` how many agreements had (at
    least) the present profile, `usual_h` how long agreements take, `repriced` whether some had another price.
    `read_at` is when the agreements were read of which it speaks.
    """

    finished: int = 0
    read_at: datetime | None = None
    busy_share: float | None = None
    window_s: float = 0.0
    threads: float | None = None
    saturation: float | None = None
    demand: float | None = None
    busy_rate: float | None = None
    idle_inclusive: float | None = None
    realised: float | None = None
    matured: int = 0
    doubts: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sized: int = 0
    usual_h: float = 0.0
    repriced: bool = False


class GolemMemory(Value):
    """Everything known of one provider. The dictionaries are replaced, never changed.

    `accruals` holds what each agreement and each payment amounts to, by stream; `work` what agreements say
    about demand; `payments` the sum of what payments gave to documents, in GLM, and `mismatch_since` since
    when it is not `paid`, what agreements say in all; `newest` the agreement that began to be paid for last;
    `rejections` why invoices were rejected; `differs_since` since when offers are not what the files say.
    `failures` holds the last failure of the endpoints that have a fixed key, until they answer again.
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
    paid: Decimal = Decimal(0)
    newest: str | None = None
    invoices: dict[str, Invoice] = msgspec.field(default_factory=dict)
    invoice_pages: Pages = Pages()
    rejections: dict[str, str] = msgspec.field(default_factory=dict)
    accruals: dict[str, Accrual] = msgspec.field(default_factory=dict)
    payments: Decimal = Decimal(0)
    payment_pages: Pages = Pages()
    mismatch_since: datetime | None = None
    digest: Digest = Digest()
    work: Work = Work()
    offers: tuple[Offer, ...] | None = None
    differs_since: datetime | None = None
    running: tuple[str, ...] | None = None
    terms: dict[str, Terms] = msgspec.field(default_factory=dict)
    no_terms: frozenset[str] = frozenset()
    profile: Resources | None = None
    presets: Presets | None = None
    signs: Signs = Signs()
    failures: dict[str, NoReply] = msgspec.field(default_factory=dict)
    host: Host | None = None
