"""Alerts about prices: one per rule, naming every token."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from orch.alerts.rules import Facts, check_alerts
from orch.earnings.prices import STATES
from orch.model.money import Price, PriceNow
from tests.fakes.values import snapshot


def known(token, agreement, note="", state=None):
    seen = snapshot().taken_at
    price = Price(
        token=token,
        usd=Decimal(1),
        source="bybit",
        observed_at=seen,
        fetched_at=seen,
        agreement=agreement,
        note=note,
    )
    return PriceNow(token=token, state=state or STATES[agreement], price=price, age_s=900.0)


def told(*prices):
    present = replace(snapshot(), prices=prices)
    conditions = check_alerts(Facts(now=present.taken_at, snapshot=present))
    return [(each.rule, each.severity, each.sentence) for each in conditions if each.rule.startswith("price")]


def test_agreed_and_pinned_prices_are_no_news():
    assert told(known("GLM", "agreed"), known("DATA", "pinned")) == []


def test_a_dispute_is_a_warning_with_what_each_source_says():
    found = told(known("GLM", "disputed", "bybit 2 and coingecko 1 USD"), known("DATA", "single_source"))
    assert found == [("price_doubtful", "warning", "The price of GLM is disputed (bybit 2 and coingecko 1 USD).")]


def test_a_single_source_is_worth_knowing():
    (found,) = told(known("GLM", "single_source", "only bybit states it"))
    assert found == ("price_doubtful", "info", "The price of GLM has a single source (only bybit states it).")


def test_every_old_price_is_named_in_one_alert_with_what_holds_it():
    old = known("GLM", "held", "bybit states 9 USD, which waits for a second word", "stale")
    never = PriceNow(token="DATA", state="unknown", price=None, age_s=None)
    (found,) = told(old, never)
    assert found[:2] == ("price_stale", "warning")
    assert found[2] == (
        "The price of GLM is 15 min old (bybit states 9 USD, which waits for a second word), "
        "that of DATA was never known; the split is frozen until it is fresh."
    )


@pytest.mark.parametrize("state", ["stale", "unknown", "disputed", "single_source"])
def test_a_price_that_only_a_cost_is_counted_in_freezes_nothing(state):
    assert told(PriceNow(token="POL", state=state, price=None, age_s=9e4, only_costs=True)) == []
