"""Binance, Coinbase and Bybit: spot tickers, without a key.

* Binance, https://developers.binance.com/docs/binance-spot-api-docs: `ticker/24hr` (the lighter one has no time).
* Coinbase Exchange, https://docs.cdp.coinbase.com/exchange: `/products/{id}/ticker`.
* Bybit, https://bybit-exchange.github.io/docs/v5/market/tickers: errors come with status 200.

A question asks for one token: one delisted pair would fail a whole list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote as quoted

import msgspec

from orch.earnings.names import dollar_of, named
from orch.earnings.quotes import (
    Heard,
    Question,
    Quote,
    RefusedError,
    UnlistedError,
    decoded,
    from_iso,
    from_unix,
    middle,
    positive,
    request,
    volume,
)
from orch.errors import AbsurdError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from orch.earnings.names import Dollar, Names
    from orch.model.wire import NoReply, Reply, Secret


def _pairs(
    source: str, address: Callable[[str], str], names: Mapping[str, Names], tokens: tuple[str, ...]
) -> tuple[Question, ...]:
    return tuple(
        Question(source=source, key=f"{source}/{token}", tokens=(token,), request=request(address(quoted(pair))))
        for token, pair in named(names, tokens, source).items()
    )


def _pair(question: Question, names: Mapping[str, Names]) -> tuple[str, str, Dollar]:
    token = question.tokens[0]
    pair = str(getattr(names[token], question.source))
    return token, pair, dollar_of(pair) or "USD"


def ask_binance(
    url: str, names: Mapping[str, Names], tokens: tuple[str, ...], _: Secret | None = None
) -> tuple[Question, ...]:
    """A question per token."""
    return _pairs("binance", lambda pair: f"{url.rstrip('/')}/api/v3/ticker/24hr?symbol={pair}", names, tokens)


class _Binance(msgspec.Struct):
    symbol: str
    last_price: str = msgspec.field(name="lastPrice")
    close_time: int = msgspec.field(name="closeTime")
    quote_volume: Any = msgspec.field(name="quoteVolume", default=None)
    bid_price: Any = msgspec.field(name="bidPrice", default=None)
    ask_price: Any = msgspec.field(name="askPrice", default=None)


def read_binance(reply: Reply, question: Question, names: Mapping[str, Names], now: datetime) -> Heard:
    """The middle of bid and ask."""
    token, pair, dollar = _pair(question, names)
    found: _Binance = decoded(reply, _Binance, "binance")
    if found.symbol != pair:
        raise AbsurdError(f"binance answered for {found.symbol:.20} instead of {pair}")
    what = f"binance's {pair}"
    last = positive(what, found.last_price)
    return Heard(
        quotes=(
            Quote(
                token=token,
                usd=middle(what, last, found.bid_price, found.ask_price),
                source="binance",
                family="binance",
                kind="exchange",
                fetched_at=now,
                observed_at=from_unix(what, found.close_time, now, 1000),
                dollar=dollar,
                volume_usd=volume(found.quote_volume),
            ),
        )
    )


def ask_coinbase(
    url: str, names: Mapping[str, Names], tokens: tuple[str, ...], _: Secret | None = None
) -> tuple[Question, ...]:
    """A question per token."""
    return _pairs("coinbase", lambda pair: f"{url.rstrip('/')}/products/{pair}/ticker", names, tokens)


class _Coinbase(msgspec.Struct):
    price: str
    time: Any
    volume: Any = None
    bid: Any = None
    ask: Any = None


def read_coinbase(reply: Reply, question: Question, names: Mapping[str, Names], now: datetime) -> Heard:
    """The middle of bid and ask; the volume is in the token."""
    token, pair, dollar = _pair(question, names)
    found: _Coinbase = decoded(reply, _Coinbase, "coinbase")
    what = f"coinbase's {pair}"
    last, traded = positive(what, found.price), volume(found.volume)
    return Heard(
        quotes=(
            Quote(
                token=token,
                usd=middle(what, last, found.bid, found.ask),
                source="coinbase",
                family="coinbase",
                kind="exchange",
                fetched_at=now,
                observed_at=from_iso(what, found.time, now),
                dollar=dollar,
                volume_usd=None if traded is None else traded * last,
            ),
        )
    )


def ask_bybit(
    url: str, names: Mapping[str, Names], tokens: tuple[str, ...], _: Secret | None = None
) -> tuple[Question, ...]:
    """A question per token."""
    address = f"{url.rstrip('/')}/v5/market/tickers?category=spot&symbol="
    return _pairs("bybit", lambda pair: f"{address}{pair}", names, tokens)


class _BybitTicker(msgspec.Struct, rename="camel"):
    symbol: str
    last_price: str
    turnover24h: Any = None
    bid1_price: Any = None
    ask1_price: Any = None


class _BybitList(msgspec.Struct):
    list: tuple[_BybitTicker, ...] = ()


class _Bybit(msgspec.Struct):
    ret_code: int = msgspec.field(name="retCode")
    ret_msg: str = msgspec.field(name="retMsg", default="")
    result: _BybitList = msgspec.field(default_factory=_BybitList)
    time: int | None = None


BYBIT_UNKNOWN, BYBIT_TOO_OFTEN = 10001, 10006


def read_bybit(reply: Reply, question: Question, names: Mapping[str, Names], now: datetime) -> Heard:
    """The middle of bid and ask. Raises UnlistedError or RefusedError for an error with status 200."""
    token, pair, dollar = _pair(question, names)
    found: _Bybit = decoded(reply, _Bybit, "bybit")
    if found.ret_code == BYBIT_TOO_OFTEN:
        raise RefusedError(f"bybit wants to be asked less often: {found.ret_msg:.80}")
    if found.ret_code == BYBIT_UNKNOWN or (found.ret_code == 0 and not found.result.list):
        raise UnlistedError(f"bybit does not know {pair}")
    if found.ret_code != 0:
        raise ShapeError(f"bybit answered with error {found.ret_code}: {found.ret_msg:.80}")
    ticker = found.result.list[0]
    if ticker.symbol != pair:
        raise AbsurdError(f"bybit answered for {ticker.symbol:.20} instead of {pair}")
    what = f"bybit's {pair}"
    last = positive(what, ticker.last_price)
    return Heard(
        quotes=(
            Quote(
                token=token,
                usd=middle(what, last, ticker.bid1_price, ticker.ask1_price),
                source="bybit",
                family="bybit",
                kind="exchange",
                fetched_at=now,
                observed_at=from_unix(what, found.time, now, 1000),
                dollar=dollar,
                volume_usd=volume(ticker.turnover24h),
            ),
        )
    )


def unlisted(name: str, reply: NoReply) -> bool:
    """Whether a refusal says that the source does not know what it was asked for, and is well otherwise."""
    if name == "binance":
        return reply.status == 400 and b"-1121" in reply.body
    return name == "coinbase" and reply.status == 404 and b"NotFound" in reply.body
