"""The configuration as values: one Struct per table of `orch.toml`.

The Structs named `...Table` mirror the file; `Config` and `NodeConfig` are what the rest of the house reads.
Defaults stand here and nowhere else.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from orch.config.alerting import AlertingConfig
from orch.earnings.names import NAMES, Names
from orch.earnings.sources import SOURCES
from orch.model.base import Value
from orch.model.fleet import Mode
from orch.model.readings import Finding
from orch.model.wire import Secret

NotNegative: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0)]
HttpUrl: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+\S*$")]
ClockTime: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Percent(Value):
    """A share of the host's capacity less its reserve, 0 to 100; written `"12%"`."""

    percent: float


Amount: TypeAlias = NotNegative | Percent
Measured: TypeAlias = NotNegative | Literal["auto"]


class Amounts(Value):
    """An amount by resource, in units or as a share; absent is not limited here."""

    cpu_cores: Amount | None = None
    memory_gb: Amount | None = None
    bandwidth_mbps: Amount | None = None
    storage_gb: Amount | None = None


class ReserveTable(Value):
    """`[host] reserve`: what the host keeps for itself, in units."""

    cpu_cores: NotNegative = 0.0
    memory_gb: NotNegative = 0.0
    bandwidth_mbps: NotNegative = 0.0
    storage_gb: NotNegative = 0.0


class OrchTable(Value):
    """`[orch]`. `mode` is a ceiling for every lever."""

    mode: Mode = "suggest"
    data_dir: str = "~/.local/share/orch"


class HostTable(Value):
    """`[host]`: the capacity, `"auto"` where it is measured. Bandwidth cannot be measured by looking."""

    cpu_cores: Measured = "auto"
    memory_gb: Measured = "auto"
    bandwidth_mbps: Measured = "auto"
    storage_gb: Measured = "auto"
    reserve: ReserveTable = ReserveTable()


class CadenceTable(Value):
    """`[cadence]`: seconds of the clock between two polls, analyses, decisions.

    With more than ten minutes between polls, what nodes last said is too old to move anything on. With more time
    between analyses all but a node's signs of life is asked as rarely, up to five minutes apart.
    """

    poll_s: Positive = 5.0
    analyze_s: Positive = 30.0
    decide_s: Positive = 60.0


class OptimizerTable(Value):
    """`[optimizer]` without the tables of its strategies.

    `solver` and `strategy` are installed ones, or files such as `"./my_rule.py"`. A move has to pay for itself
    within `horizon_h`, and where moving is dear within up to `longest_horizon_h`.
    """

    solver: str = "linear"
    strategy: str = "threshold"
    forecaster: str = "ensemble"
    horizon_h: Positive = 24.0
    longest_horizon_h: Positive = 168.0


class WindowTable(Value):
    """One of `[limits] windows`, `start` inclusive to `end` exclusive, over midnight when that is not later.

    `days` are those on which it begins.
    """

    start: ClockTime = msgspec.field(name="from")
    end: ClockTime = msgspec.field(name="to")
    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class LimitsTable(Value):
    """`[limits]`. The two `per_node` are for nodes (and resources) without a min or max of their own.

    `max_changed_nodes`: of how many nodes one move may change the allocation; absent, of all. The two `per_day`
    are budgets of moves in any 24 hours. With `windows`, orch moves things by itself only while one is open,
    by the clock of `zone` (the machine's own when absent). A plan may be approved for `plan_expires_s` real
    seconds.
    """

    min_hold_s: NotNegative = 3600.0
    max_reallocations_per_hour: Annotated[int, msgspec.Meta(ge=0)] = 2
    max_reallocations_per_day: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_reallocations_per_node_per_day: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_changed_nodes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    windows: tuple[WindowTable, ...] = ()
    zone: str | None = None
    plan_expires_s: Positive = 1800.0
    min_per_node: Percent | Amounts = Percent(percent=0.0)
    max_per_node: Percent | Amounts = Percent(percent=100.0)


class TariffBand(Value):
    """Another price at some hours, `start` inclusive to `end` exclusive, over midnight when it is earlier."""

    start: ClockTime = msgspec.field(name="from")
    end: ClockTime = msgspec.field(name="to")
    usd_per_kwh: float
    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Tariff(Value):
    """`[costs.usd_per_kwh]`: a price for all hours but those of its bands (the first that fits counts).

    Bands are in the clock of `zone`, the machine's own when absent.
    """

    default: float
    bands: tuple[TariffBand, ...] = ()
    zone: str | None = None


class PriceBand(Value):
    """A band of `[costs.tariff]`, in its currency and unit."""

    start: ClockTime = msgspec.field(name="from")
    end: ClockTime = msgspec.field(name="to")
    price: float
    days: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class TariffTable(Value):
    """`[costs.tariff]`: electricity in any currency: `flat` (with `bands`), or hourly prices of a `file` or `url`.

    What is paid is the price times `factor` plus `add`, which is per kWh. `{date}` in a URL is the day asked for.
    `time` and `price` name the columns of a table where looking does not find them.
    """

    currency: str = "USD"
    unit: Literal["kWh", "MWh"] = "kWh"
    zone: str | None = None
    flat: float | None = None
    bands: tuple[PriceBand, ...] = ()
    file: str | None = None
    url: HttpUrl | None = None
    time: str | None = None
    price: str | None = None
    factor: float = 1.0
    add: float = 0.0
    refresh_s: Annotated[float, msgspec.Meta(ge=60)] = 3600.0


class WattsTable(Value):
    """`[costs.watts]`: power as it is measured; `scale` makes watts of what a `file` or a `command` says."""

    source: Literal["rapl", "file", "command"]
    path: str | None = None
    command: tuple[str, ...] = ()
    scale: Positive = 1.0
    period_s: Annotated[float, msgspec.Meta(ge=1)] = 10.0
    doubt_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 10.0


class CostsTable(Value):
    """`[costs]`. Absent is unknown: then no net income is stated; traffic that is absent is not metered."""

    usd_per_kwh: float | Tariff | None = None
    tariff: TariffTable | None = None
    watts_idle: NotNegative | None = None
    watts_per_core: NotNegative | None = None
    watts_doubt_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 20.0
    watts: WattsTable | None = None
    usd_per_gb_up: NotNegative = 0.0
    usd_per_gb_down: NotNegative = 0.0


class PricesTable(Value):
    """`[prices]`. `override` pins USD prices by token or currency; `tokens` says what a token is called where.

    `display` is the currency that people are shown beside USD.
    """

    sources: tuple[str, ...] = tuple(SOURCES)
    override: dict[str, Decimal] = msgspec.field(default_factory=dict)
    tokens: dict[str, Names] = msgspec.field(default_factory=dict)
    display: str | None = None
    coingecko_url: HttpUrl = SOURCES["coingecko"].url
    defillama_url: HttpUrl = SOURCES["defillama"].url
    binance_url: HttpUrl = SOURCES["binance"].url
    coinbase_url: HttpUrl = SOURCES["coinbase"].url
    bybit_url: HttpUrl = SOURCES["bybit"].url
    coingecko_key: Secret | None = None
    refresh_s: Positive = 300.0
    stale_after_s: Positive = 600.0
    unknown_after_s: Positive = 86_400.0

    @property
    def urls(self) -> dict[str, str]:
        """Where each source that is asked is."""
        return {name: getattr(self, f"{name}_url") for name in self.sources}

    @property
    def names(self) -> dict[str, Names]:
        """What every known token is called at each source; own names go before the built-in ones."""
        mine = {token: _named_by(NAMES.get(token, Names()), own) for token, own in self.tokens.items()}
        return NAMES | mine


def _named_by(usual: Names, own: Names) -> Names:
    stated = {name: getattr(own, name) for name in Names.__struct_fields__ if getattr(own, name) is not None}
    return msgspec.structs.replace(usual, **stated)


class WebTable(Value):
    """`[web]`. Without `open_reads`, GET needs a token when `bind` is beyond loopback, or there are `names`.

    `names`: what a proxy in front of it, or other hosts, call this one; it answers under no other name.
    """

    bind: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8787
    open_reads: bool | None = None
    names: tuple[str, ...] = ()


class NodeTable(Value):
    """The keys that `[nodes.X]` has whatever its protocol.

    `process` is the name of its program, `pidfile` a file with its process number: what it uses is read
    from the system. `ip_group` names the internet address it shares with other nodes.
    """

    protocol: str
    minimum: Amounts = msgspec.field(name="min", default=Amounts())
    maximum: Amounts = msgspec.field(name="max", default=Amounts())
    levers: tuple[dict[str, Any], ...] = ()
    mode: Mode | None = None
    process: str | None = None
    pidfile: str | None = None
    ip_group: str | None = None


class LeverTable(Value):
    """The keys that every `[[nodes.X.levers]]` has."""

    kind: str
    mode: Mode | None = None


class LeverConfig(Value):
    """A lever that is installed. `options` is of its own Struct; no `mode` means the ceiling above it."""

    kind: str
    options: Any
    mode: Mode | None = None


class NodeConfig(Value):
    """One configured node. `options` is of its protocol's Struct; `findings` is what its operator should know."""

    name: str
    protocol: str
    options: Any
    minimum: Amounts = Amounts()
    maximum: Amounts = Amounts()
    levers: tuple[LeverConfig, ...] = ()
    mode: Mode | None = None
    process: str | None = None
    pidfile: Path | None = None
    ip_group: str | None = None
    findings: tuple[Finding, ...] = ()


class OptimizerConfig(Value):
    """The solver and strategy that will be used (fallbacks taken), and every strategy's options by name.

    `solver_file` and `strategy_files` are absolute paths of those that are a user's own.
    """

    solver: str = "linear"
    strategy: str = "threshold"
    horizon_h: float = 24.0
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    longest_horizon_h: float = 168.0
    forecaster: str = "ensemble"
    solver_file: str | None = None
    strategy_files: dict[str, str] = msgspec.field(default_factory=dict)


class WebConfig(Value):
    """`[web]` with `open_reads` decided."""

    bind: str = "127.0.0.1"
    port: int = 8787
    open_reads: bool = True
    names: tuple[str, ...] = ()


class Config(Value):
    """The whole configuration, checked. `source` names it in sentences; relative paths start at `base_dir`."""

    source: str
    base_dir: Path
    data_dir: Path
    mode: Mode = "suggest"
    host: HostTable = HostTable()
    cadence: CadenceTable = CadenceTable()
    optimizer: OptimizerConfig = OptimizerConfig()
    limits: LimitsTable = LimitsTable()
    costs: CostsTable = CostsTable()
    nodes: tuple[NodeConfig, ...] = ()
    prices: PricesTable = PricesTable()
    web: WebConfig = WebConfig()
    notify: tuple[Secret, ...] = ()
    alerting: AlertingConfig = AlertingConfig()
    findings: tuple[Finding, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence with its remedy per finding, the whole configuration's first."""
        found = [*self.findings, *(each for node in self.nodes for each in node.findings)]
        return tuple(f"{each.sentence}; {each.remedy}" for each in found)
