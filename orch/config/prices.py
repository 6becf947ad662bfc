"""`[prices]`: sources, names, pinned prices, and the currency that people are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from orch.config.reader import joined, suggestion
from orch.config.schema import PricesTable
from orch.earnings.names import FIAT, Names, dollar_of
from orch.earnings.sources import SOURCES
from orch.model.readings import Finding

if TYPE_CHECKING:
    from orch.config.reader import Reader

NAME = re.compile(r"[A-Za-z0-9:_.-]{1,100}", re.ASCII)


def read_prices(reader: Reader, raw: Any) -> PricesTable:
    """`[prices]`, with every name of a token checked: two tokens of one name would be one price counted twice."""
    table = reader.struct(PricesTable, raw, "prices")
    if table is None:
        return PricesTable()
    if table.unknown_after_s < table.stale_after_s:
        reader.fault("prices.unknown_after_s", "must not be less than stale_after_s", table.unknown_after_s)
    for index, name in enumerate(table.sources):
        if name not in SOURCES:
            reader.fault(f"prices.sources[{index}]", f"unknown source, {suggestion(name, SOURCES)}", name)
    for token, usd in table.override.items():
        if usd <= 0:
            reader.fault(joined("prices.override", token), "must be a number > 0: nothing is worth nothing", usd)
    if table.display is not None and table.display not in (*FIAT, "USD"):
        known = suggestion(table.display.upper(), (*FIAT, "USD"))
        reader.fault("prices.display", f"must be the three letters of a currency, {known}", table.display)
    _check_names(reader, table)
    sources = tuple(dict.fromkeys(name for name in table.sources if name in SOURCES))
    table = msgspec.structs.replace(table, sources=sources)
    if table.display is not None and not knows_rate(table, table.display):
        sentence = f"no rate of {table.display} can be had: people are shown USD only"
        remedy = f"add coingecko to prices.sources, or set prices.override.{table.display} (USD for one)"
        reader.findings.append(Finding(code="rate_unknown", severity="warning", sentence=sentence, remedy=remedy))
    return table


def knows_rate(table: PricesTable, currency: str) -> bool:
    """Whether the rate of a currency can be had: it is pinned, or a source states it."""
    return currency == "USD" or currency in table.override or "coingecko" in table.sources


def _check_names(reader: Reader, table: PricesTable) -> None:
    for source in Names.__struct_fields__:
        first: dict[str, str] = {}
        for token, names in table.names.items():
            name = getattr(names, source)
            if name is None:
                continue
            path = f"{joined('prices.tokens', token)}.{source}"
            twin = first.setdefault(name.lower(), token)
            if twin != token:
                reader.fault(path, f"is {twin} already: symbols collide", name)
            if token in table.tokens and SOURCES[source].kind == "exchange" and dollar_of(name) is None:
                reader.fault(path, "must be a pair against USD, USDT or USDC", name)
            if token in table.tokens and not NAME.fullmatch(name):
                reader.fault(path, "has letters, digits and - _ : . only", name)
