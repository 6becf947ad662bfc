"""KPIs of a day written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orch.model.forecasts import ForecastScore
from orch.model.resources import Resources
from orch.reports.kpis import Tally, kpis, observe
from tests.fakes.values import node_state, rate, reallocation, snapshot

if TYPE_CHECKING:
    from orch.model.fleet import NodeState, Snapshot
    from orch.model.moves import Reallocation

T0 = datetime(2026, 11, 22, tzinfo=UTC)


def node(name: str, health: str, mean: float | None, cores: float, used: float | None) -> NodeState:
    return node_state(
        name,
        health=health,
        rate=None if mean is None else rate(mean),
        allocation=Resources(cpu_cores=cores, memory_gb=2 * cores),
        used=Resources(cpu_cores=used),
    )


def health_at(minute: int) -> str:
    """The node `a` of the hand-written day: down 06:00-06:30 and 18:00-18:10, unknown 12:00-13:00."""
    if 360 <= minute < 390 or 1080 <= minute < 1090:
        return "offline"
    return "unknown" if 720 <= minute < 780 else "online"


def day(minute: int) -> Snapshot:
    return snapshot(
        node("a", health_at(minute), 0.03, 4.0, 3.0),
        node("b", "degraded", 0.01, 2.0, None),
        node("c", "online", None, 1.0, 0.5),
        at=T0 + timedelta(minutes=minute),
    )


def move(hour: int, verdict: str, realised: float | None = None, state: str = "settled") -> Reallocation:
    return reallocation(
        f"r{hour}",
        state=state,
        started_at=T0 + timedelta(hours=hour),
        predicted_gain_usd_per_hour=rate(0.010, 0.4),
        cost_usd=Decimal("0.02"),
        realised_gain_usd_per_hour=None if realised is None else rate(realised),
        verdict=verdict,
    )


def test_a_day_written_by_hand():
    tally = Tally()
    for minute in range(24 * 60):
        tally = observe(tally, day(minute))
    moves = [
        move(1, "paid", 0.012),
        move(5, "lost", 0.002),
        move(9, "pending"),
        move(11, "pending", state="rolled_back"),
    ]
    found = kpis(tally, day(24 * 60 - 1), moves, ForecastScore(mape_pct=12.5, coverage_pct=90.0, scored=8))

    assert found.total_usd_per_hour == pytest.approx(0.04)
    assert found.allocation_efficiency == Resources(
        cpu_cores=pytest.approx(0.04 / 6), memory_gb=pytest.approx(0.04 / 12)
    )
    assert found.uptime_pct == pytest.approx(100 * (1440 - 60 - 40) / (1440 - 60))
    assert found.uptime_unknown_pct == pytest.approx(100 * 60 / 1440)
    assert found.reallocations_per_day == pytest.approx(3.0, rel=1e-3)
    assert found.success_rate_pct == pytest.approx(50.0)
    assert found.nodes["a"].utilisation.cpu_cores == pytest.approx(0.75)
    assert found.nodes["a"].time_to_reconnect_s == pytest.approx((30 + 10) * 60 / 2)
    assert found.nodes["b"].utilisation == Resources()
    assert found.nodes["c"].usd_per_hour is None
    assert found.cost_effectiveness == pytest.approx((0.012 + 0.002) * 24 / 0.04)
    assert (found.prediction_mape_pct, found.prediction_coverage_pct) == (12.5, 90.0)


def test_nothing_known_is_nothing_claimed():
    found = kpis(Tally(), snapshot(), [])
    assert found.total_usd_per_hour is None
    assert found.uptime_pct is None
    assert found.success_rate_pct is None
    assert found.prediction_mape_pct is None
