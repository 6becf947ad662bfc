"""Five price services over one market, as their public interfaces answer without a key.

All of them quote one market: CoinGecko and the exchanges that of the minute, DefiLlama that of four minutes ago.
Ids that CoinGecko or DefiLlama do not know are just missing; the exchanges refuse unknown pairs, each in its way.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from urllib.parse import unquote

from orch.emulator.asks import Ask, Response, json_response
from orch.emulator.facts import MINUTE
from orch.emulator.market import COINS, FIAT, PAIRS, STABLE

if TYPE_CHECKING:
    from orch.emulator.world import World

PRICE_SOURCES = ("coingecko", "defillama", "binance", "coinbase", "bybit")
VOLUME = Decimal(25_000_000)
RELAYED_AFTER = 4
HALF_SPREAD = Decimal("0.001")


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """Answer one request to any of the price services."""
    path = ask.path.rstrip("/")
    minute = int(now.timestamp()) // MINUTE
    if path == "/api/v3/ping":
        return json_response({"gecko_says": "(V3) To the Moon!"})
    if path == "/api/v3/simple/price":
        return _coingecko(world, ask, minute)
    if path.startswith("/prices/current/"):
        return _defillama(world, path.removeprefix("/prices/current/"), minute)
    if path == "/api/v3/ticker/24hr":
        return _binance(world, ask.parameters.get("symbol", ""), now, minute)
    if path.startswith("/products/") and path.endswith("/ticker"):
        return _coinbase(world, path.removeprefix("/products/").removesuffix("/ticker"), now, minute)
    if path == "/v5/market/tickers":
        return _bybit(world, ask.parameters, now, minute)
    return json_response({"error": "Not Found"}, 404)


def _coingecko(world: World, ask: Ask, minute: int) -> Response:
    parameters = ask.parameters
    wanted = [each.strip() for each in parameters.get("ids", "").split(",") if each.strip()]
    currencies = [each.strip() for each in parameters.get("vs_currencies", "").split(",") if each.strip()]
    if not wanted or not currencies:
        missing = "ids" if not wanted else "vs_currencies"
        return json_response({"error": f"Missing parameter {missing}"}, 422)
    tokens = _by_coin()
    body: dict[str, dict[str, float]] = {}
    for coin in wanted:
        if coin not in tokens:
            continue
        price = world.market.usd(tokens[coin], minute)
        rates = {"usd": 1.0, **FIAT}
        quote = {each: price / rates[each] for each in currencies if each in rates}
        if "usd" in quote and parameters.get("include_24hr_vol") == "true":
            quote["usd_24h_vol"] = round(price * float(VOLUME), 2)
        if parameters.get("include_last_updated_at") == "true":
            quote["last_updated_at"] = minute * MINUTE
        body[coin] = quote
    return json_response(body)


def _by_coin() -> dict[str, str]:
    return {coin: token for token, (coin, _, _) in COINS.items()} | {coin: token for token, coin in STABLE.items()}


def _defillama(world: World, listed: str, minute: int) -> Response:
    tokens, coins = _by_coin(), {}
    for key in unquote(listed).split(","):
        chain, _, coin = key.partition(":")
        if chain == "coingecko" and coin in tokens:
            coins[key] = {
                "symbol": tokens[coin],
                "price": world.market.usd(tokens[coin], minute - RELAYED_AFTER),
                "timestamp": (minute - RELAYED_AFTER) * MINUTE,
                "confidence": 0.99,
            }
    return json_response({"coins": coins})


def _traded(world: World, exchange: str, pair: str, minute: int) -> tuple[Decimal, Decimal, Decimal] | None:
    """Last price, bid and ask of a pair; None when it is not listed."""
    token = PAIRS.get((exchange, pair))
    if token is None:
        return None
    price = world.market.exact(token, minute)
    half = (price * HALF_SPREAD).quantize(Decimal("0.0000001"))
    return price, price - half, price + half


def _binance(world: World, pair: str, now: datetime, minute: int) -> Response:
    traded = _traded(world, "binance", pair, minute)
    if traded is None:
        return json_response({"code": -1121, "msg": "Invalid symbol."}, 400)
    last, bid, offer = traded
    close = int(now.timestamp() * 1000)
    return json_response(
        {
            "symbol": pair,
            "lastPrice": str(last),
            "bidPrice": str(bid),
            "askPrice": str(offer),
            "volume": str(VOLUME),
            "quoteVolume": str(VOLUME * last),
            "openTime": close - 86_400_000,
            "closeTime": close,
        }
    )


def _coinbase(world: World, pair: str, now: datetime, minute: int) -> Response:
    traded = _traded(world, "coinbase", pair, minute)
    if traded is None:
        return json_response({"message": "NotFound"}, 404)
    last, bid, offer = traded
    return json_response(
        {
            "ask": str(offer),
            "bid": str(bid),
            "volume": str(VOLUME),
            "trade_id": minute,
            "price": str(last),
            "size": "100",
            "time": now.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
    )


def _bybit(world: World, parameters: dict[str, str], now: datetime, minute: int) -> Response:
    pair, time = parameters.get("symbol", ""), int(now.timestamp() * 1000)
    traded = _traded(world, "bybit", pair, minute) if parameters.get("category") == "spot" else None
    if traded is None:
        refused = {
            "retCode": 10001,
            "retMsg": "Not supported symbols",
            "result": {},
            "retExtInfo": {},
            "time": time,
        }
        return json_response(refused)
    last, bid, offer = traded
    ticker = {
        "symbol": pair,
        "bid1Price": str(bid),
        "ask1Price": str(offer),
        "lastPrice": str(last),
        "turnover24h": str(VOLUME * last),
        "volume24h": str(VOLUME),
    }
    result = {"category": "spot", "list": [ticker]}
    return json_response({"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": time})
