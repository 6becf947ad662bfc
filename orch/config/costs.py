"""`[costs]`: tariffs, watts and traffic, with what cannot go together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from msgspec.structs import replace

from orch.config.prices import knows_rate
from orch.config.reader import suggestion
from orch.config.schema import CostsTable, Tariff
from orch.config.secrets import place
from orch.earnings.names import FIAT
from orch.model.readings import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orch.config.reader import Reader
    from orch.config.schema import PricesTable, TariffTable, WattsTable

FORMS = ("flat", "file", "url")
DATED = re.compile(r"\{date(:[^{}]*)?\}")


def read_costs(
    reader: Reader, raw: Any, prices: PricesTable, base_dir: Path, environ: Mapping[str, str]
) -> CostsTable:
    """`[costs]`, its paths made whole.

    Args:
        reader: Its faults and findings are added to.
        raw: What stands in the file.
        prices: For the rate of a tariff's currency.
        base_dir: Where relative paths start.
        environ: For `~`.
    """
    table = reader.struct(CostsTable, raw, "costs")
    if table is None:
        return CostsTable()
    if isinstance(table.usd_per_kwh, Tariff):
        _check_zone(reader, table.usd_per_kwh.zone, "costs.usd_per_kwh.zone")
    if table.tariff is not None:
        if table.usd_per_kwh is not None:
            reader.fault("costs.tariff", "there is costs.usd_per_kwh already: electricity has one price")
        _check_tariff(reader, table.tariff, prices)
        if table.tariff.file is not None:
            file = str(place(table.tariff.file, base_dir, environ))
            table = replace(table, tariff=replace(table.tariff, file=file))
    if table.watts is not None:
        _check_watts(reader, table.watts)
        if table.watts.path is not None:
            path = str(place(table.watts.path, base_dir, environ))
            table = replace(table, watts=replace(table.watts, path=path))
    _warn_of_unknown_watts(reader, table)
    return table


def _check_tariff(reader: Reader, tariff: TariffTable, prices: PricesTable) -> None:
    given = [name for name in FORMS if getattr(tariff, name) is not None]
    if len(given) != 1:
        said = f"has {' and '.join(given)}" if given else "has no price"
        reader.fault("costs.tariff", f"{said}: give one of {', '.join(FORMS)}")
    if tariff.bands and tariff.flat is None:
        reader.fault("costs.tariff.bands", "belong to flat, the price of all other hours")
    _check_zone(reader, tariff.zone, "costs.tariff.zone")
    if tariff.url is not None and set("{}") & set(DATED.sub("", tariff.url)):
        reader.fault("costs.tariff.url", "only {date} and {date:%Y-%m-%d} can stand in braces", tariff.url)
    if tariff.currency not in (*FIAT, "USD"):
        known = suggestion(tariff.currency.upper(), (*FIAT, "USD"))
        reader.fault("costs.tariff.currency", f"must be the three letters of a currency, {known}", tariff.currency)
    elif not knows_rate(prices, tariff.currency):
        sentence = f"no rate of {tariff.currency} can be had: what electricity costs stays unknown"
        remedy = f"add coingecko to prices.sources, or set prices.override.{tariff.currency} (USD for one)"
        reader.findings.append(Finding(code="rate_unknown", severity="warning", sentence=sentence, remedy=remedy))


def _check_zone(reader: Reader, zone: str | None, path: str) -> None:
    if zone is None:
        return
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reader.fault(path, f"unknown time zone, {suggestion(zone, available_timezones())[:200]}", zone)


def _check_watts(reader: Reader, watts: WattsTable) -> None:
    if watts.source == "file" and watts.path is None:
        reader.fault("costs.watts.path", "missing: which file says the watts?")
    if watts.source == "command" and not watts.command:
        reader.fault("costs.watts.command", "missing: which program says the watts?")
    if watts.source != "file" and watts.path is not None:
        reader.fault("costs.watts.path", f"is not used with source {watts.source}; remove it", watts.path)


def _warn_of_unknown_watts(reader: Reader, table: CostsTable) -> None:
    paid = table.tariff is not None or table.usd_per_kwh not in (None, 0.0)
    modelled = table.watts_per_core is not None and table.watts_idle is not None
    if paid and not modelled and table.watts is None:
        missing = " and ".join(
            f"costs.{name}" for name in ("watts_idle", "watts_per_core") if getattr(table, name) is None
        )
        reader.findings.append(
            Finding(
                code="watts_unknown",
                severity="warning",
                sentence=f"electricity has a price without {missing}: net income stays unknown",
                remedy="set watts_per_core, and watts_idle for the host, or let [costs.watts] measure",
            )
        )
