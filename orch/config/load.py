"""`orch.toml` to `Config`, with every fault at once."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from orch.config.alerts import read_alerting
from orch.config.choices import read_optimizer
from orch.config.costs import read_costs
from orch.config.limits import read_limits
from orch.config.nodes import NodeReader
from orch.config.plugins import Plugins, installed
from orch.config.prices import read_prices
from orch.config.reader import Reader, joined
from orch.config.resolve import limit_faults
from orch.config.schema import (
    CadenceTable,
    Config,
    HostTable,
    OrchTable,
    WebConfig,
    WebTable,
)
from orch.config.secrets import Vault, place
from orch.errors import ConfigError
from orch.model.readings import Finding
from orch.model.resources import Resources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

T = TypeVar("T", bound=msgspec.Struct)

HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
TABLES = (
    "orch",
    "host",
    "cadence",
    "optimizer",
    "limits",
    "costs",
    "nodes",
    "prices",
    "web",
    "notify",
    "alerts",
)


def load(
    path: Path,
    environ: Mapping[str, str],
    *,
    resolve_secrets: bool = True,
    plugins: Plugins | None = None,
) -> Config:
    """The configuration in a file.

    Args:
        path: A TOML 1.0 file; relative paths inside start at its directory.
        environ: For `{ env = ... }` and `~`.
        resolve_secrets: False leaves every secret out: commands on recorded data need none.
        plugins: What can be named; everything installed by default.

    Raises:
        ConfigError: It cannot be used; holds every fault that was found.
    """
    try:
        tables = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror}",)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((f"{path}: not TOML: {' '.join(str(error).split())}",)) from error
    except UnicodeDecodeError as error:
        raise ConfigError((f"{path}: not TOML: byte {error.start} is not UTF-8",)) from error
    except (RecursionError, ValueError) as error:
        raise ConfigError((f"{path}: not TOML: nested too deeply or with a number too long",)) from error
    return from_tables(
        tables,
        environ,
        path.absolute().parent,
        source=str(path),
        resolve_secrets=resolve_secrets,
        plugins=plugins,
    )


def from_tables(
    tables: Mapping[str, Any],
    environ: Mapping[str, str],
    base_dir: Path,
    *,
    source: str = "configuration",
    resolve_secrets: bool = True,
    plugins: Plugins | None = None,
) -> Config:
    """The configuration in tables that are parsed already; see `load`.

    Args:
        tables: As `tomllib` gives them.
        environ: For `{ env = ... }` and `~`.
        base_dir: Where relative paths start.
        source: What faults call it.
        resolve_secrets: False leaves every secret out.
        plugins: What can be named; everything installed by default.

    Raises:
        ConfigError: They cannot be used; holds every fault that was found.
    """
    plugins = plugins or installed()
    vault = Vault(environ, base_dir, resolve=resolve_secrets)
    reader = Reader(source, vault, [], [])
    for key, raw in tables.items():
        if key not in TABLES:
            reader.unknown(joined("", key), key, raw, TABLES)
    orch = _table(reader, OrchTable, tables, "orch")
    prices = read_prices(reader, tables.get("prices", {}))
    alerting = read_alerting(reader, tables)
    config = Config(
        source=source,
        base_dir=base_dir,
        data_dir=place(orch.data_dir, base_dir, environ),
        mode=orch.mode,
        host=_table(reader, HostTable, tables, "host"),
        cadence=_table(reader, CadenceTable, tables, "cadence"),
        optimizer=read_optimizer(reader, tables.get("optimizer", {}), plugins, base_dir, environ),
        limits=read_limits(reader, tables.get("limits", {})),
        costs=read_costs(reader, tables.get("costs", {}), prices, base_dir, environ),
        nodes=NodeReader(reader, vault, plugins, base_dir, environ).read_all(tables.get("nodes", {})),
        prices=prices,
        web=_web(reader, tables),
        notify=tuple(alerting.urls.values()),
        alerting=alerting,
    )
    if not tables.get("nodes"):
        reader.findings.append(
            Finding(
                code="no_nodes",
                severity="warning",
                sentence="no node is configured",
                remedy="add a table [nodes.NAME] with its protocol",
            )
        )
    reader.faults.extend(limit_faults(config, Resources()))
    if reader.faults:
        raise ConfigError(tuple(reader.faults))
    return msgspec.structs.replace(config, findings=tuple(reader.findings))


def _table(reader: Reader, kind: type[T], tables: Mapping[str, Any], key: str) -> T:
    """One top-level table, or its defaults where it is absent or wrong (its faults are noted)."""
    return reader.struct(kind, tables.get(key, {}), key) or kind()


def _web(reader: Reader, tables: Mapping[str, Any]) -> WebConfig:
    table = _table(reader, WebTable, tables, "web")
    try:
        is_local = table.bind == "localhost" or ipaddress.ip_address(table.bind).is_loopback
    except ValueError:
        reader.fault("web.bind", "must be an IP address of this host, or localhost", table.bind)
        return WebConfig()
    if not is_local and table.open_reads:
        reader.fault(
            "web.open_reads", f"only works on loopback, and web.bind is {table.bind}; remove it", table.open_reads
        )
    open_reads = is_local and not table.names if table.open_reads is None else table.open_reads
    for index, name in enumerate(table.names):
        if not HOST_NAME.fullmatch(name):
            reader.fault(f"web.names[{index}]", "must be a host's name, without scheme and port", name)
    names = tuple(name.lower() for name in table.names)
    return WebConfig(bind=table.bind, port=table.port, open_reads=open_reads, names=names)
