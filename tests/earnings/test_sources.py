"""Five price sources: every recorded shape, and every way in which one of them fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from orch.earnings.names import FIAT, NAMES, dollar_of
from orch.earnings.quotes import RefusedError, UnlistedError
from orch.earnings.sources import SOURCES
from orch.errors import AbsurdError, ShapeError
from orch.model.wire import Reply, Secret

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
THEN = NOW - timedelta(seconds=60)
S, MS = int(THEN.timestamp()), int(THEN.timestamp() * 1000)

COINGECKO = {"golem": {"usd": 0.23001, "usd_24h_vol": 12866000.1, "last_updated_at": S}}
LLAMA = {"coins": {"coingecko:golem": {"symbol": "GLM", "price": 0.23001, "timestamp": S, "confidence": 0.99}}}
BINANCE = {
    "symbol": "GLMUSDT",
    "lastPrice": "0.23001000",
    "bidPrice": "0.23000000",
    "askPrice": "0.23002000",
    "quoteVolume": "4100000.1",
    "closeTime": MS,
}
COINBASE = {
    "price": "0.23001",
    "time": "2026-11-22T11:59:00.000000Z",
    "volume": "1000000",
    "bid": "0.23",
    "ask": "0.23002",
}
BYBIT = {
    "retCode": 0,
    "retMsg": "OK",
    "result": {
        "category": "spot",
        "list": [
            {
                "symbol": "GLMUSDT",
                "lastPrice": "0.23001",
                "bid1Price": "0.23",
                "ask1Price": "0.23002",
                "turnover24h": "500000",
            }
        ],
    },
    "time": MS,
}
GOOD = {"coingecko": COINGECKO, "defillama": LLAMA, "binance": BINANCE, "coinbase": COINBASE, "bybit": BYBIT}


def reply(body: object) -> Reply:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Reply(status=200, headers=(), body=raw, received_at=NOW, elapsed_s=0.1)


def question(source: str, *tokens: str):
    (asked,) = SOURCES[source].ask("https://prices.example/", NAMES, tokens or ("GLM",), None)
    return asked


def read(source: str, body: object, *tokens: str):
    return SOURCES[source].read(reply(body), question(source, *tokens), NAMES, NOW)


def changed(body: dict, *path_and_value) -> dict:
    """A copy of a body in which one place says something else."""
    *path, last, value = path_and_value
    copy = msgspec.json.decode(msgspec.json.encode(body))
    place = copy
    for key in path:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return copy


PRICE_AT = {
    "coingecko": ("golem", "usd"),
    "defillama": ("coins", "coingecko:golem", "price"),
    "binance": ("lastPrice",),
    "coinbase": ("price",),
    "bybit": ("result", "list", 0, "lastPrice"),
}
TIME_AT = {
    "coingecko": ("golem", "last_updated_at"),
    "defillama": ("coins", "coingecko:golem", "timestamp"),
    "binance": ("closeTime",),
    "coinbase": ("time",),
    "bybit": ("time",),
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_recorded_shape_is_one_quote_with_its_time(source):
    (quote,) = read(source, GOOD[source]).quotes
    assert (quote.token, quote.source, quote.usd.normalize()) == ("GLM", source, Decimal("0.23001"))
    assert (quote.observed_at, quote.fetched_at) == (THEN, NOW)
    assert quote.dollar == ("USDT" if source in ("binance", "bybit") else "USD")


def test_defillama_is_of_coingecko_s_family_and_the_exchanges_are_their_own():
    assert {name: each.family for name, each in SOURCES.items()} == {
        "coingecko": "coingecko",
        "defillama": "coingecko",
        "binance": "binance",
        "coinbase": "coinbase",
        "bybit": "bybit",
    }


def test_aggregators_are_asked_once_for_all_and_exchanges_once_per_token():
    wanted = ("STORJ", "GLM", "DATA", "GRASS", "POL")
    counts = {name: len(each.ask(each.url, NAMES, wanted, None)) for name, each in SOURCES.items()}
    assert counts == {"coingecko": 1, "defillama": 1, "binance": 4, "coinbase": 3, "bybit": 5}
    (asked,) = SOURCES["coingecko"].ask("https://api.example", NAMES, wanted, None)
    assert "ids=storj,golem,streamr,grass,polygon-ecosystem-token&vs_currencies=usd&" in asked.request.url


def test_nobody_asks_for_a_token_without_a_name_there():
    assert [each.ask(each.url, NAMES, ("NOT_LISTED",), None) for each in SOURCES.values()] == [()] * 5


def test_a_key_goes_into_a_secret_header_of_its_plan():
    ask = SOURCES["coingecko"].ask
    for url, header in (("https://api.x", "x-cg-demo-api-key"), ("https://pro-api.x", "x-cg-pro-api-key")):
        (asked,) = ask(url, NAMES, ("GLM",), Secret(value="hush"))
        assert asked.request.secret_headers == ((header, Secret(value="hush")),)
        assert "hush" not in repr(asked)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("raw", [0, "0", -1, "-0.5", "NaN", "Infinity", "1e999999999"])
def test_a_price_of_0_nan_or_less_is_refused(source, raw):
    body = changed(GOOD[source], *PRICE_AT[source], raw if source in ("coingecko", "defillama") else str(raw))
    if SOURCES[source].kind == "aggregator":
        heard = read(source, body)
        assert (heard.quotes, [each.reason for each in heard.faults]) == ((), ["absurd"])
    else:
        with pytest.raises(AbsurdError):
            read(source, body)


def test_one_absurd_price_does_not_spoil_the_others():
    body = COINGECKO | {"streamr": {"usd": 0, "last_updated_at": S}}
    heard = read("coingecko", body, "GLM", "DATA")
    assert [each.token for each in heard.quotes] == ["GLM"]
    assert [(each.token, each.reason) for each in heard.faults] == [("DATA", "absurd")]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("body", [b"<html>just a moment</html>", b"", b"\xff\xfe", [], 5, {"golem": 3}, {"x": []}])
def test_another_shape_is_refused_whole(source, body):
    with pytest.raises((ShapeError, UnlistedError)):
        read(source, body)


@pytest.mark.parametrize("source", SOURCES)
def test_a_quote_from_the_future_is_refused(source):
    late = NOW + timedelta(minutes=10)
    stamp = {"coinbase": late.isoformat(), "coingecko": late.timestamp(), "defillama": late.timestamp()}
    body = changed(GOOD[source], *TIME_AT[source], stamp.get(source, int(late.timestamp() * 1000)))
    if SOURCES[source].kind == "aggregator":
        assert [each.reason for each in read(source, body).faults] == ["absurd"]
    else:
        with pytest.raises(AbsurdError, match="future"):
            read(source, body)


@pytest.mark.parametrize("source", ["coingecko", "defillama"])
def test_a_quote_without_a_time_is_a_witness(source):
    (quote,) = read(source, changed(GOOD[source], *TIME_AT[source], ...)).quotes
    assert quote.observed_at is None


@pytest.mark.parametrize(
    "body", [{}, {"golem": {}}, {"golem": None}, {"golem": {"usd": None, "last_updated_at": S}}]
)
def test_coingecko_leaves_an_unknown_id_out_and_it_is_never_0(body):
    heard = read("coingecko", body)
    assert (heard.quotes, heard.faults) == ((), ())


def test_coingecko_answering_for_something_else_is_refused():
    with pytest.raises(ShapeError, match="glmr"):
        read("coingecko", COINGECKO | {"glmr": {"usd": 1}})


def test_defillama_leaves_a_missing_coin_and_an_unsure_one_out():
    assert read("defillama", {"coins": {}}).quotes == ()
    unsure = changed(LLAMA, "coins", "coingecko:golem", "confidence", 0.1)
    assert read("defillama", unsure).quotes == ()


def test_defillama_s_other_token_of_that_name_is_refused():
    heard = read("defillama", changed(LLAMA, "coins", "coingecko:golem", "symbol", "GLMR"))
    assert heard.quotes == ()
    assert "GLMR, not GLM" in heard.faults[0].sentence


@pytest.mark.parametrize(
    ("source", "path"), [("binance", ("symbol",)), ("bybit", ("result", "list", 0, "symbol"))]
)
def test_an_exchange_answering_for_another_pair_is_refused(source, path):
    with pytest.raises(AbsurdError, match="GLMRUSDT"):
        read(source, changed(GOOD[source], *path, "GLMRUSDT"))


@pytest.mark.parametrize(
    "body",
    [
        {"retCode": 10001, "retMsg": "Not supported symbols", "result": {}, "time": MS},
        {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": []}, "time": MS},
    ],
)
def test_bybit_says_with_status_200_that_it_does_not_know_a_pair(body):
    with pytest.raises(UnlistedError, match="GLMUSDT"):
        read("bybit", body)


def test_bybit_says_with_status_200_that_it_is_asked_too_often():
    with pytest.raises(RefusedError, match="less often"):
        read("bybit", {"retCode": 10006, "retMsg": "Too many visits!", "result": {}, "time": MS})


def test_bybit_s_other_errors_are_not_prices():
    with pytest.raises(ShapeError, match="10016"):
        read("bybit", {"retCode": 10016, "retMsg": "Server error", "result": {}, "time": MS})


@pytest.mark.parametrize("source", ["binance", "coinbase", "bybit"])
def test_a_market_whose_bid_and_ask_are_far_apart_has_no_price(source):
    asks = {"binance": ("askPrice",), "coinbase": ("ask",), "bybit": ("result", "list", 0, "ask1Price")}
    with pytest.raises(AbsurdError, match="too far apart"):
        read(source, changed(GOOD[source], *asks[source], "0.3"))


def test_the_middle_counts_not_the_last_trade():
    (quote,) = read("binance", changed(BINANCE, "lastPrice", "0.2290")).quotes
    assert quote.usd == Decimal("0.23001")


def test_a_thin_market_says_so():
    assert read("bybit", changed(BYBIT, "result", "list", 0, "turnover24h", "900")).quotes[0].thin
    assert read("coinbase", changed(COINBASE, "volume", "2000")).quotes[0].thin
    assert not read("coinbase", changed(COINBASE, "volume", ...)).quotes[0].thin


def test_rates_of_currencies_come_from_two_prices_of_one_coin():
    body = COINGECKO | {"tether": {"usd": 1.0, "eur": 0.8, "last_updated_at": S}}
    asked = question("coingecko", "GLM", "EUR")
    assert "ids=golem,tether&vs_currencies=usd,eur&" in asked.request.url
    rate = next(each for each in read("coingecko", body, "GLM", "EUR").quotes if each.token == "EUR")
    assert (rate.usd, rate.observed_at) == (Decimal("1.25"), THEN)
    assert {"EUR", "CZK", "GBP"} <= FIAT


@pytest.mark.parametrize(
    ("pair", "dollar"),
    [("GLMUSDT", "USDT"), ("GLM-USD", "USD"), ("GLMUSDC", "USDC"), ("GLMBTC", None), ("USD", None)],
)
def test_what_a_pair_is_counted_in(pair, dollar):
    assert dollar_of(pair) == dollar
