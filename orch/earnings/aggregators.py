"""CoinGecko and DefiLlama: all tokens in one question, nothing of their own observed.

* CoinGecko, https://docs.coingecko.com/reference/simple-price: ids it does not know are missing from the answer.
* DefiLlama, https://api-docs.defillama.com, `/prices/current`: its `coingecko:` keys are CoinGecko's own prices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote as quoted

import msgspec

from orch.earnings.names import FIAT, named
from orch.earnings.quotes import Fault, Heard, Question, Quote, decoded, from_unix, positive, request, volume, why
from orch.errors import AbsurdError, ProtocolError, ShapeError
from orch.model.money import SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from orch.earnings.names import Names
    from orch.model.wire import Reply, Secret

RATE_COIN = "tether"
"""The ratio of its prices in two currencies is their rate of exchange."""

LEAST_CONFIDENCE = 0.5


def heard(tokens: Iterable[str], read: Callable[[str], Quote | None]) -> Heard:
    """What an answer says of each token; one that cannot be used does not spoil the others."""
    quotes, faults = [], []
    for token in tokens:
        try:
            quote = read(token)
        except ProtocolError as error:
            faults.append(Fault(token=token, reason=why(error), sentence=str(error)))
        else:
            if quote is not None:
                quotes.append(quote)
    return Heard(quotes=tuple(quotes), faults=tuple(faults))


# -- CoinGecko ---------------------------------------------------------------------------------------------


def ask_coingecko(
    url: str, names: Mapping[str, Names], tokens: tuple[str, ...], key: Secret | None = None
) -> tuple[Question, ...]:
    """One question for all tokens and currencies."""
    known = named(names, tokens, "coingecko")
    fiat = tuple(token for token in tokens if token in FIAT and token not in known)
    if not known and not fiat:
        return ()
    ids = dict.fromkeys((*known.values(), *((RATE_COIN,) if fiat else ())))
    currencies = ",".join(("usd", *(each.lower() for each in fiat)))
    address = (
        f"{url.rstrip('/')}/api/v3/simple/price?ids={','.join(quoted(each) for each in ids)}"
        f"&vs_currencies={currencies}&include_last_updated_at=true&include_24hr_vol=true&precision=full"
    )
    header = "x-cg-pro-api-key" if "//pro-api." in url else "x-cg-demo-api-key"
    asked = request(address, ((header, key),) if key is not None else ())
    return (Question(source="coingecko", key="coingecko", tokens=(*known, *fiat), request=asked),)


def read_coingecko(reply: Reply, question: Question, names: Mapping[str, Names], now: datetime) -> Heard:
    """Prices of the ids that the answer really has; a missing id, or one without a price, is unknown, never 0."""
    body: dict[str, dict[str, Any] | None] = decoded(reply, dict[str, dict[str, Any] | None], "coingecko")
    known = named(names, question.tokens, "coingecko")
    strange = sorted(set(body) - set(known.values()) - {RATE_COIN})
    if strange:
        raise ShapeError(f"coingecko answered for {strange[0]:.40}, which was not asked for")
    rates = body.get(RATE_COIN) or {}

    def read(token: str) -> Quote | None:
        found = body.get(known[token]) or {} if token in known else rates
        usd, other = found.get("usd"), None if token in known else found.get(token.lower())
        if usd is None or (token not in known and other is None):
            return None
        price = positive(f"coingecko's price of {token}", usd)
        return Quote(
            token=token,
            usd=price
            if other is None
            else (price / positive(f"coingecko's rate of {token}", other)).quantize(SCALE),
            source="coingecko",
            family="coingecko",
            kind="aggregator",
            fetched_at=now,
            observed_at=from_unix(f"coingecko's price of {token}", found.get("last_updated_at"), now),
            # What nobody has counted is stated as 0.
            volume_usd=volume(found.get("usd_24h_vol")) or None,
        )

    return heard(question.tokens, read)


# -- DefiLlama ---------------------------------------------------------------------------------------------


def ask_defillama(
    url: str, names: Mapping[str, Names], tokens: tuple[str, ...], _: Secret | None = None
) -> tuple[Question, ...]:
    """One question for all tokens."""
    known = named(names, tokens, "defillama")
    if not known:
        return ()
    coins = ",".join(quoted(each, safe=":") for each in known.values())
    asked = request(f"{url.rstrip('/')}/prices/current/{coins}?searchWidth=4h")
    return (Question(source="defillama", key="defillama", tokens=tuple(known), request=asked),)


class _Coin(msgspec.Struct):
    price: Any
    symbol: str = ""
    timestamp: Any = None
    confidence: float | None = None


class _Coins(msgspec.Struct):
    coins: dict[str, _Coin]


def read_defillama(reply: Reply, question: Question, names: Mapping[str, Names], now: datetime) -> Heard:
    """Prices of the coins in the answer; one of another symbol than the token's is refused."""
    body = {key.lower(): coin for key, coin in decoded(reply, _Coins, "defillama").coins.items()}
    known = named(names, question.tokens, "defillama")

    def read(token: str) -> Quote | None:
        coin = body.get(known[token].lower())
        if (
            coin is None
            or coin.price is None
            or (coin.confidence is not None and coin.confidence < LEAST_CONFIDENCE)
        ):
            return None
        if coin.symbol and coin.symbol.upper() != token.upper():
            raise AbsurdError(f"defillama calls {known[token]} {coin.symbol:.20}, not {token}: another token")
        return Quote(
            token=token,
            usd=positive(f"defillama's price of {token}", coin.price),
            source="defillama",
            family="coingecko",
            kind="aggregator",
            fetched_at=now,
            observed_at=from_unix(f"defillama's price of {token}", coin.timestamp, now),
        )

    return heard(known, read)
