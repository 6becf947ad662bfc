"""Five price services over one market: what each answers, and that a desk of sources agrees on the truth."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from orch.earnings.names import NAMES
from orch.earnings.price_desk import PriceDesk, PriceTerms
from orch.emulator.answers_prices import PRICE_SOURCES
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.market import COINS


def test_prices_leave_out_what_they_do_not_know(world, client):
    ids = "storj,golem,streamr,grass,polygon-ecosystem-token,nonsense"
    query = f"ids={ids}&vs_currencies=usd&include_last_updated_at=true"
    body = client.json("prices", "/api/v3/simple/price", query)
    assert set(body) == {"storj", "golem", "streamr", "grass", "polygon-ecosystem-token"}
    for coin, home in (("storj", 0.17), ("golem", 0.23), ("streamr", 0.03), ("grass", 0.31)):
        assert 0.4 * home < body[coin]["usd"] < 2.5 * home
        assert body[coin]["last_updated_at"] == world.time.timestamp()
    assert Decimal(str(body["golem"]["usd"])) == world.market.exact("GLM", world.state.minute)
    assert client.json("prices", "/api/v3/simple/price", "ids=golem&vs_currencies=xyz") == {"golem": {}}
    client.json("prices", "/api/v3/simple/price", "ids=golem", status=422)
    client.json("prices", "/api/v3/coins/list", status=404)


def test_rates_of_currencies_are_two_prices_of_one_coin(client):
    body = client.json("prices", "/api/v3/simple/price", "ids=tether&vs_currencies=usd,eur")
    assert body["tether"]["usd"] / body["tether"]["eur"] == pytest.approx(1.08)


def test_the_exchanges_refuse_what_they_do_not_list_each_in_its_way(client):
    bad = client.json("prices", "/api/v3/ticker/24hr", "symbol=GRASSUSDT", status=400)
    assert bad["code"] == -1121
    assert client.json("prices", "/products/DATA-USD/ticker", status=404) == {"message": "NotFound"}
    assert client.json("prices", "/v5/market/tickers", "category=spot&symbol=DATAUSDT")["retCode"] == 10001
    assert client.json("prices", "/prices/current/coingecko:nonsense") == {"coins": {}}


def test_the_middle_of_bid_and_ask_is_the_market(world, client):
    ticker = client.json("prices", "/api/v3/ticker/24hr", "symbol=GLMUSDT")
    exact = world.market.exact("GLM", world.state.minute)
    assert (Decimal(ticker["bidPrice"]) + Decimal(ticker["askPrice"])) / 2 == exact == Decimal(ticker["lastPrice"])


def test_all_sources_together_find_the_price_of_the_market_to_the_last_digit(world):
    url = emulated_urls()["prices"]
    tokens = tuple(COINS)
    desk = PriceDesk(PriceTerms(tokens=tokens, names=NAMES, urls=dict.fromkeys(PRICE_SOURCES, url)))
    now = world.time + timedelta(seconds=7)
    for question in desk.ask(now):
        reply, _ = answer_request(world, question.request, now)
        desk.answered(question.key, reply, now)
    prices = {each.token: each for each in desk.settle(now)[0]}
    assert {token: each.usd for token, each in prices.items()} == {
        token: world.market.exact(token, world.state.minute) for token in tokens
    }
    assert {each.agreement for each in prices.values()} == {"agreed"}
    assert prices["GLM"].source == "binance+bybit+coinbase+coingecko"
