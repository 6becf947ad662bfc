"""`[prices]`: every fault with its path and value, and names that collide."""

from __future__ import annotations

from decimal import Decimal

import pytest

from orch.earnings.names import NAMES
from orch.model.wire import Secret


def test_all_five_sources_unless_said_otherwise(read):
    prices = read("").prices
    assert prices.sources == ("coingecko", "defillama", "binance", "coinbase", "bybit")
    assert prices.urls["bybit"] == "https://api.bybit.com"
    assert prices.names == NAMES


def test_own_names_complete_the_built_in_ones(read):
    prices = read("""
        [prices]
        sources = ["coingecko", "bybit", "coingecko"]
        display = "EUR"
        coingecko_key = { env = "KEY" }
        override = { EUR = 1.08 }
        [prices.tokens.MYST]
        coingecko = "mysterium"
        [prices.tokens.GLM]
        bybit = "GLMUSDC"
    """).prices
    assert prices.sources == ("coingecko", "bybit")
    assert set(prices.urls) == {"coingecko", "bybit"}
    assert prices.names["MYST"].coingecko == "mysterium"
    assert (prices.names["GLM"].bybit, prices.names["GLM"].coingecko) == ("GLMUSDC", "golem")
    assert (prices.display, prices.override["EUR"]) == ("EUR", Decimal("1.08"))


def test_a_key_is_a_secret(read):
    prices = read('[prices]\ncoingecko_key = { env = "KEY" }', {"KEY": "hush"}).prices
    assert prices.coingecko_key == Secret(value="hush")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'sources = ["bybit", "coingeko"]',
            ['prices.sources[1] = "coingeko": unknown source, did you mean "coingecko"?'],
        ),
        ("override = { GLM = 0 }", ["prices.override.GLM = 0: must be a number > 0: nothing is worth nothing"]),
        ("dispaly = 1", ['prices.dispaly = 1: unknown key, did you mean "display"?']),
        (
            'display = "EURO"',
            ['prices.display = "EURO": must be the three letters of a currency, did you mean "EUR"?'],
        ),
        ('coingecko_key = "hush"', None),
        ("tokens = { GLM = { coingeko = 'x' } }", None),
        (
            'tokens = { GLMR = { coingecko = "golem" } }',
            ['prices.tokens.GLMR.coingecko = "golem": is GLM already: symbols collide'],
        ),
        (
            'tokens = { MYST = { binance = "MYSTBTC" } }',
            ['prices.tokens.MYST.binance = "MYSTBTC": must be a pair against USD, USDT or USDC'],
        ),
        (
            'tokens = { MYST = { coingecko = "a/../b?c" } }',
            ['prices.tokens.MYST.coingecko = "a/../b?c": has letters, digits and - _ : . only'],
        ),
    ],
)
def test_what_cannot_be(faults, text, expected):
    found = faults(f"[prices]\n{text}")
    assert found == expected or (expected is None and len(found) == 1)


def test_a_currency_without_a_rate_is_a_warning(read):
    text = '[prices]\nsources = ["binance"]\ndisplay = "CZK"\n'
    assert "no rate of CZK can be had: people are shown USD only" in read(text).warnings[0]
    assert not any("CZK" in each for each in read(text + "override = { CZK = 0.043 }").warnings)
    assert not any("CZK" in each for each in read(text.replace("binance", "coingecko")).warnings)
