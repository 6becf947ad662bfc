"""Prices: missing is unknown, old is stale, impossible is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from orch.earnings.costs import RunningCosts, idle_cost, node_cost
from orch.earnings.prices import coingecko_request, newest, overridden, price_now, read_coingecko
from orch.errors import AbsurdError, ShapeError
from orch.model.money import Price
from orch.model.wire import Reply

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def reply(body: object) -> Reply:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Reply(status=200, headers=(), body=raw, received_at=NOW, elapsed_s=0.1)


def quote(usd: str, age_s: float, source: str = "coingecko") -> Price:
    seen = NOW - timedelta(seconds=age_s)
    return Price(token="GLM", usd=Decimal(usd), source=source, observed_at=seen, fetched_at=NOW)


def test_one_batched_question_by_id():
    url = coingecko_request("https://prices.example/", ("GLM", "DATA", "NOT_LISTED")).url
    assert url.startswith("https://prices.example/api/v3/simple/price?ids=streamr,golem&vs_currencies=usd")


def test_exact_prices_with_their_age_and_missing_ids_left_out():
    body = {"golem": {"usd": 0.23001, "last_updated_at": int(NOW.timestamp()) - 60}, "streamr": {}}
    (price,) = read_coingecko(reply(body), ("GLM", "DATA", "GRASS"), NOW)
    assert (price.token, price.usd, price.observed_at) == ("GLM", Decimal("0.23001"), NOW - timedelta(seconds=60))


@pytest.mark.parametrize("body", [b"<html>", b"", {"golem": 3}, [], {"golem": {"usd": "many"}}])
def test_another_shape_is_refused(body):
    with pytest.raises(ShapeError):
        read_coingecko(reply(body), ("GLM",), NOW)


@pytest.mark.parametrize(
    "quoted", [{"usd": 0}, {"usd": -1}, {"usd": 1.0, "last_updated_at": NOW.timestamp() + 3600}]
)
def test_an_impossible_price_is_refused(quoted):
    with pytest.raises(AbsurdError):
        read_coingecko(reply({"golem": quoted}), ("GLM",), NOW)


@pytest.mark.parametrize(
    ("age_s", "state"),
    [(0, "fresh"), (599, "fresh"), (601, "stale"), (23 * 3600, "stale"), (25 * 3600, "unknown")],
)
def test_prices_age(age_s, state):
    found = price_now({"GLM": quote("0.2", age_s)}, "GLM", NOW)
    assert (found.state, found.price is None) == (state, state == "unknown")


def test_an_older_answer_does_not_replace_a_newer_one():
    known = newest({}, [quote("0.2", 10)])
    assert newest(known, [quote("0.9", 20)])["GLM"].usd == Decimal("0.2")
    assert newest(known, [quote("0.3", 5)])["GLM"].usd == Decimal("0.3")


def test_a_pinned_price_never_goes_stale():
    (pinned,) = overridden({"GLM": Decimal("0.21")}, NOW - timedelta(days=9))
    assert price_now({"GLM": pinned}, "GLM", NOW).state == "fresh"


def test_running_costs_are_unknown_without_a_tariff_or_a_measurement():
    costs = RunningCosts(usd_per_kwh=0.3, watts_idle=25, watts_per_core=8)
    assert node_cost(costs, 2.0) == pytest.approx(0.0048)
    assert idle_cost(costs) == pytest.approx(0.0075)
    assert node_cost(costs, None) is None
    assert node_cost(RunningCosts(), 2.0) is None
