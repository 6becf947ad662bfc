"""The five price sources as one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from orch.earnings.aggregators import ask_coingecko, ask_defillama, read_coingecko, read_defillama
from orch.earnings.exchanges import ask_binance, ask_bybit, ask_coinbase, read_binance, read_bybit, read_coinbase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from orch.earnings.names import Names
    from orch.earnings.quotes import Family, Heard, Question
    from orch.model.wire import Reply, Secret


@dataclass(frozen=True)
class Source:
    """One place that knows prices. No network here.

    `ask` makes its questions for tokens; `read` makes quotes of an answer, or raises a ProtocolError where nothing
    of it can be used.
    """

    name: str
    family: Family
    kind: Literal["aggregator", "exchange"]
    url: str
    ask: Callable[[str, Mapping[str, Names], tuple[str, ...], Secret | None], tuple[Question, ...]]
    read: Callable[[Reply, Question, Mapping[str, Names], datetime], Heard]


SOURCES: dict[str, Source] = {
    each.name: each
    for each in (
        Source("coingecko", "coingecko", "aggregator", "https://api.coingecko.com", ask_coingecko, read_coingecko),
        Source("defillama", "coingecko", "aggregator", "https://coins.llama.fi", ask_defillama, read_defillama),
        Source("binance", "binance", "exchange", "https://data-api.binance.vision", ask_binance, read_binance),
        Source(
            "coinbase", "coinbase", "exchange", "https://api.exchange.coinbase.com", ask_coinbase, read_coinbase
        ),
        Source("bybit", "bybit", "exchange", "https://api.bybit.com", ask_bybit, read_bybit),
    )
}
