"""The currency that people are shown beside USD."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace

from orch.cli.words import also
from orch.earnings.costs import RunningCosts
from orch.model.board import DisplayView, EngineView, Kpis
from orch.model.money import Price, PriceNow
from orch.reports.dashboard import Times, get_dashboard_metrics
from tests.fakes.values import snapshot

ENGINE = EngineView(running=True, pid=1, version="0", mode="suggest", kind="real", speed=1.0)


def board(currency: str | None, usd: str | None = "1.08", state="single_source"):
    seen = snapshot().taken_at
    price = usd and Price(token="EUR", usd=Decimal(usd), source="coingecko", observed_at=seen, fetched_at=seen)
    rate = PriceNow(token="EUR", state=state, price=price or None, age_s=180.0)
    present = replace(snapshot(), currencies=(rate,))
    return get_dashboard_metrics(
        present, ENGINE, None, None, Times(), (), (), Kpis(), RunningCosts(), currency
    ).display


def test_usd_alone_needs_no_rate():
    assert board(None) is None
    assert board("USD") is None


def test_a_rate_has_its_source_and_age():
    found = board("EUR")
    assert (found.usd, found.age_s, found.state) == (Decimal("1.08"), 180.0, "single_source")
    assert found.sentence == "1 EUR = 1.08 USD (coingecko, 3 min old)"
    assert "stale" in board("EUR", state="stale").sentence


@pytest.mark.parametrize("view", [board("EUR", None, "unknown"), board("CZK")])
def test_an_unknown_rate_is_said(view):
    assert (view.usd, view.state) == (None, "unknown")
    assert view.sentence.endswith("is not known: shown in USD only")
    assert also(1.0, view) == ""


def test_amounts_in_that_currency():
    view = board("EUR", "1.25")
    assert isinstance(view, DisplayView)
    assert also(1.0, view, "/h") == " (0.8000 EUR/h)"
    assert also(Decimal(125), view) == " (100.00 EUR)"
    assert also(None, view) == also(1.0, None) == ""
