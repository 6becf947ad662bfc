"""Pricing on the stage: whom it asks how often, what it tells and keeps."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from actors.pricing import Pricing, PricingPlan
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from orch.earnings.names import NAMES
from orch.earnings.price_desk import PriceTerms
from orch.messages import FetchPrices, PricesAccepted
from tests.fakes.caches import MemoryCache
from tests.fakes.roles import T0, Listener, refused, reply


def pricing_stage(answer, cache=None, **rest):
    stage = Stage(1, T0)
    asked = []

    def answering(request, now, node):
        asked.append(now)
        return answer(now), 0.1

    house = stage.house(VirtualTransport(stage, answering))
    known = {"tokens": ("GLM",), "names": NAMES, "urls": {"coingecko": "http://prices"}, "refresh_s": 300.0}
    listener = Listener("coordinator", house)
    stage.add(listener)
    stage.add(Pricing("pricing", house, PricingPlan(terms=PriceTerms(**(known | rest)), cache=cache)))
    return stage, listener, asked


def quoted(now):
    return reply(now, {"golem": {"usd": 0.23, "last_updated_at": now.timestamp()}})


def test_prices_are_fetched_and_told():
    stage, listener, asked = pricing_stage(quoted)
    stage.run_for(640)
    told = listener.of(PricesAccepted)
    assert len(asked) == len(told) == 3
    assert (told[-1].prices[0].token, told[-1].prices[0].usd) == ("GLM", Decimal("0.23"))


def test_a_source_that_fails_is_asked_less_and_less_often_and_says_why():
    stage, listener, asked = pricing_stage(refused)
    stage.run_for(3600)
    gaps = [(b - a).total_seconds() for a, b in pairwise(asked)]
    assert gaps == pytest.approx([15.1, 30.1, 60.1, 120.1, 240.1, 480.1, 960.1])
    assert all(each.failures[0].reason == "refused" for each in listener.of(PricesAccepted))


def test_pinned_prices_ask_nobody():
    stage, listener, asked = pricing_stage(refused, overrides={"GLM": Decimal("0.2")})
    stage.run_for(316)
    stage.tell("pricing", FetchPrices(due_at=T0))
    stage.drain()
    assert asked == []
    assert [each.prices[0].source for each in listener.of(PricesAccepted)] == ["override", "override"]


def test_accepted_prices_are_kept_and_known_again_before_anybody_is_asked():
    cache = MemoryCache()
    stage, _, _ = pricing_stage(quoted, cache)
    stage.run_for(10)
    assert b'"GLM"' in cache.body
    stage, listener, asked = pricing_stage(refused, MemoryCache(cache.body))
    stage.drain()
    (told,) = listener.of(PricesAccepted)
    assert (told.restored, [each.usd for each in told.prices], asked) == (True, [Decimal("0.23")], [T0])
    stage.run_for(10)
    assert [each.restored for each in listener.of(PricesAccepted)] == [True, False]
    assert listener.of(PricesAccepted)[-1].prices == told.prices
