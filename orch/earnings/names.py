"""What a token is called where prices are known, and what prices are counted in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.model.base import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Dollar: TypeAlias = Literal["USD", "USDT", "USDC"]
STABLECOINS: tuple[Dollar, ...] = ("USDT", "USDC")


class Names(Value):
    """What a token is called at each source; None: not asked for there.

    A pair of an exchange ends with what it is counted in: USD, USDT or USDC.
    """

    coingecko: str | None = None
    defillama: str | None = None
    binance: str | None = None
    coinbase: str | None = None
    bybit: str | None = None


NAMES: dict[str, Names] = {
    "STORJ": Names(
        coingecko="storj",
        defillama="coingecko:storj",
        binance="STORJUSDT",
        coinbase="STORJ-USD",
        bybit="STORJUSDT",
    ),
    "GLM": Names(
        coingecko="golem", defillama="coingecko:golem", binance="GLMUSDT", coinbase="GLM-USD", bybit="GLMUSDT"
    ),
    "DATA": Names(coingecko="streamr", defillama="coingecko:streamr", binance="DATAUSDT", bybit="DATAUSDT"),
    "GRASS": Names(coingecko="grass", defillama="coingecko:grass", bybit="GRASSUSDT"),
    "POL": Names(
        coingecko="polygon-ecosystem-token",
        defillama="coingecko:polygon-ecosystem-token",
        binance="POLUSDT",
        coinbase="POL-USD",
        bybit="POLUSDT",
    ),
    "USDT": Names(coingecko="tether", defillama="coingecko:tether", coinbase="USDT-USD"),
    "USDC": Names(coingecko="usd-coin", defillama="coingecko:usd-coin"),
}
"""Never look a token up by its symbol: symbols collide. More tokens and other names come from configuration."""

_CODES = (
    "AED ARS AUD BDT BHD BMD BRL CAD CHF CLP CNY CZK DKK EUR GBP GEL HKD HUF IDR ILS INR JPY KRW KWD LKR MMK MXN"
    " MYR NGN NOK NZD PHP PKR PLN RUB SAR SEK SGD THB TRY TWD UAH VND ZAR"
)
FIAT = frozenset(_CODES.split())
"""Currencies that CoinGecko states prices in: the ratio of one coin's two prices is the rate of exchange."""


def dollar_of(pair: str) -> Dollar | None:
    """What the price of a pair is counted in; None when it is no kind of dollar."""
    found: tuple[Dollar, ...] = ("USDT", "USDC", "USD")
    return next((each for each in found if pair.endswith(each) and len(pair) > len(each)), None)


def named(names: Mapping[str, Names], tokens: Iterable[str], source: str) -> dict[str, str]:
    """The tokens that a source has a name for."""
    found = ((token, getattr(names.get(token, Names()), source)) for token in tokens)
    return {token: name for token, name in found if name is not None}
