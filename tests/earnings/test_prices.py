"""Prices: pinned ones, what they are worth as they age, and how they survive a restart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orch.earnings.prices import from_bytes, overridden, price_now, to_bytes
from orch.model.money import Price

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def price(usd: str = "0.2", age_s: float = 0, **named) -> Price:
    seen = NOW - timedelta(seconds=age_s)
    known = {"token": "GLM", "usd": Decimal(usd), "source": "coingecko", "observed_at": seen, "fetched_at": NOW}
    return Price(**(known | named))


@pytest.mark.parametrize(
    ("age_s", "state"),
    [(0, "fresh"), (599, "fresh"), (601, "stale"), (23 * 3600, "stale"), (25 * 3600, "unknown")],
)
def test_prices_age(age_s, state):
    found = price_now({"GLM": price(age_s=age_s)}, "GLM", NOW)
    assert (found.state, found.price is None) == (state, state == "unknown")


@pytest.mark.parametrize(
    ("agreement", "young", "old"),
    [
        ("agreed", "fresh", "stale"),
        ("single_source", "single_source", "stale"),
        ("disputed", "disputed", "stale"),
        ("held", "disputed", "stale"),
        ("pinned", "fresh", "stale"),
    ],
)
def test_how_sure_a_price_is_shows_until_it_is_old(agreement, young, old):
    assert price_now({"GLM": price(agreement=agreement)}, "GLM", NOW).state == young
    assert price_now({"GLM": price(age_s=700, agreement=agreement)}, "GLM", NOW).state == old


def test_a_pinned_price_never_goes_stale():
    (pinned,) = overridden({"GLM": Decimal("0.21")}, NOW - timedelta(days=9))
    assert price_now({"GLM": pinned}, "GLM", NOW).state == "fresh"
    assert pinned.agreement == "pinned"


def test_what_was_accepted_is_known_again_after_a_restart_with_its_source_and_both_times():
    kept = (price(age_s=3000, source="binance+coingecko"), price("0.03", token="DATA", agreement="disputed"))
    assert from_bytes(to_bytes(kept), ("GLM", "DATA"), NOW) == {each.token: each for each in kept}


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[]", b'{"schema": 1}', b'{"schema": 1, "prices": [{}]}'])
def test_a_damaged_cache_is_no_prices(body):
    assert from_bytes(body, ("GLM",), NOW) == {}


@pytest.mark.parametrize(
    "bad",
    [
        {"usd": Decimal(0)},
        {"usd": Decimal(-1)},
        {"usd": Decimal("NaN")},
        {"observed_at": NOW + timedelta(hours=1)},
        {"agreement": "pinned"},
        {"token": "OTHER"},
    ],
)
def test_what_the_cache_must_not_bring_back(bad):
    assert from_bytes(to_bytes([price(**bad)]), ("GLM",), NOW) == {}
