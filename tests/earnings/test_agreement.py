"""One price from several: families, disputes, jumps, pegs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orch.earnings.agreement import Suspicion, combine, guard, unpegged
from orch.earnings.quotes import Quote

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAMILY = {
    "coingecko": "coingecko",
    "defillama": "coingecko",
    "binance": "binance",
    "coinbase": "coinbase",
    "bybit": "bybit",
}


def quote(source: str, usd: object, age_s: float = 60, **named) -> Quote:
    return Quote(
        **{
            "token": "GLM",
            "usd": Decimal(str(usd)),
            "source": source,
            "family": FAMILY[source],
            "kind": "aggregator" if FAMILY[source] == "coingecko" else "exchange",
            "observed_at": NOW - timedelta(seconds=age_s),
            "fetched_at": NOW,
            **named,
        }
    )


def price(*quotes: Quote, off=frozenset()):
    return combine("GLM", quotes, NOW, off)


def summary(*quotes: Quote):
    found = price(*quotes)
    return None if found is None else (float(found.usd), found.agreement, found.source)


@pytest.mark.parametrize(
    ("quoted", "expected"),
    [
        ({"coingecko": 1.0}, (1.0, "single_source", "coingecko")),
        ({"coingecko": 1.0, "defillama": 1.0}, (1.0, "single_source", "coingecko")),
        ({"coingecko": 1.0, "binance": 1.04}, (1.02, "agreed", "binance+coingecko")),
        ({"coingecko": 1.0, "binance": 1.06}, (1.0, "disputed", "binance+coingecko")),
        ({"coingecko": 1.0, "binance": 1.02, "bybit": 1.04}, (1.02, "agreed", "binance+bybit+coingecko")),
        ({"coingecko": 1.0, "binance": 1.02, "bybit": 9.0}, (1.01, "agreed", "binance+coingecko")),
        ({"coingecko": 1.0, "defillama": 9.0, "binance": 1.0, "bybit": 9.0}, (1.0, "agreed", "binance+coingecko")),
        ({"coingecko": 1.0, "binance": 2.0, "bybit": 4.0}, (2.0, "disputed", "binance+bybit+coingecko")),
        (
            {"coingecko": 1.0, "binance": 1.0, "coinbase": 1.01, "bybit": 1.02},
            (1.005, "agreed", "binance+bybit+coinbase+coingecko"),
        ),
    ],
)
def test_the_median_over_families(quoted, expected):
    # Of one family the newest counts: here CoinGecko's, DefiLlama lags behind.
    found = summary(*(quote(name, usd, 240 if name == "defillama" else 60) for name, usd in quoted.items()))
    assert found == expected


def test_of_a_family_the_newest_counts():
    assert summary(quote("coingecko", 1, 900), quote("defillama", 2, 240)) == (2.0, "single_source", "defillama")


def test_too_old_quotes_are_left_out():
    assert summary(quote("binance", 1, 901)) is None
    assert summary(quote("coingecko", 1, 1799)) is not None
    assert summary(quote("coingecko", 1, 1801)) is None


def test_a_quote_without_a_time_is_never_alone():
    assert summary(quote("coingecko", 1, observed_at=None)) is None
    found = price(quote("coingecko", 1.02, observed_at=None), quote("binance", 1))
    assert (found.agreement, found.observed_at) == ("agreed", NOW - timedelta(seconds=60))


def test_a_thin_market_counts_only_where_there_is_no_other():
    thin = quote("bybit", 2, volume_usd=Decimal(100))
    assert summary(thin, quote("coingecko", 1)) == (1.0, "single_source", "coingecko")
    assert summary(thin) == (2.0, "single_source", "bybit")


def test_a_stablecoin_off_its_peg_drops_what_is_counted_in_it():
    tether = [quote("coingecko", 0.95, token="USDT"), quote("coinbase", 0.951, token="USDT")]
    off = unpegged(tether, NOW)
    assert off == {"USDT"}
    quotes = (quote("coingecko", 1.0), quote("binance", 1.05, dollar="USDT"), quote("coinbase", 1.01))
    found = price(*quotes, off=off)
    assert (float(found.usd), found.source) == (1.005, "coinbase+coingecko")
    assert unpegged([quote("coingecko", 0.985, token="USDT")], NOW) == frozenset()


# -- jumps -------------------------------------------------------------------------------------------------


def alone(usd: object, minutes: float):
    seen = NOW + timedelta(minutes=minutes)
    made = quote("coingecko", usd, observed_at=seen, fetched_at=seen)
    return combine("GLM", [made], seen)


BEFORE = replace(alone(1, 0), agreement="agreed")


def test_a_jump_of_one_source_is_held_until_three_answers_in_a_row_repeat_it():
    seen, suspicion = [], None
    for minutes in (5, 10, 15):
        accepted, suspicion = guard(BEFORE, alone("1.5", minutes), suspicion)
        seen.append((float(accepted.usd), accepted.agreement))
    assert seen == [(1.0, "held"), (1.0, "held"), (1.5, "single_source")]
    assert suspicion is None


def test_the_same_observation_twice_is_one_answer():
    _, suspicion = guard(BEFORE, alone(2, 5), None)
    for _ in range(5):
        accepted, suspicion = guard(BEFORE, alone(2, 5), suspicion)
    assert (accepted.agreement, suspicion.times) == ("held", 1)


def test_a_held_price_keeps_its_own_time_and_so_grows_stale():
    accepted, _ = guard(BEFORE, alone(2, 30), None)
    assert accepted.observed_at == BEFORE.observed_at
    assert "coingecko states 2 USD" in accepted.note


def test_a_second_family_that_agrees_ends_the_wait_at_once():
    both = price(quote("coingecko", 2), quote("binance", "2.02"))
    accepted, suspicion = guard(BEFORE, both, Suspicion(usd=Decimal(2), times=1, heard_at=NOW))
    assert (accepted, suspicion) == (both, None)


def test_a_jump_elsewhere_begins_to_count_anew_and_a_return_forgets_it():
    _, suspicion = guard(BEFORE, alone(2, 5), None)
    accepted, suspicion = guard(BEFORE, alone(9, 10), suspicion)
    assert (accepted.agreement, suspicion.times, suspicion.usd) == ("held", 1, Decimal(9))
    accepted, suspicion = guard(BEFORE, alone("1.1", 15), suspicion)
    assert (float(accepted.usd), suspicion) == (1.1, None)


@pytest.mark.parametrize("usd", ["1.29", "0.78", "1.3"])
def test_what_is_no_jump_is_accepted_at_once(usd):
    assert guard(BEFORE, alone(usd, 5), None)[0].usd == Decimal(usd)


def test_without_a_known_price_nothing_can_jump():
    assert guard(None, alone(2, 5), None)[0].usd == 2


@given(
    st.dictionaries(st.sampled_from(sorted(FAMILY)), st.decimals("0.0001", "1000", places=6), min_size=1),
)
def test_the_price_lies_between_the_quotes(quoted):
    found = price(*(quote(name, usd) for name, usd in quoted.items()))
    assert min(quoted.values()) <= found.usd <= max(quoted.values())
    assert set(found.source.split("+")) <= set(quoted)
