"""KPIs of a day written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from orch.model.fleet import Limits, NodeState, Snapshot
from orch.model.money import EarnedUsd, Rate
from orch.model.moves import Reallocation
from orch.model.resources import Resources
from orch.reports.kpis import Tally, kpis, observe

T0 = datetime(2026, 11, 22, tzinfo=UTC)


def rate(mean: float) -> Rate:
    return Rate(low=mean, mean=mean, high=mean, net_mean=None, evidence="settled", window_s=3600, age_s=0)


def node(name: str, health: str, mean: float | None, cores: float, used: float | None) -> NodeState:
    return NodeState(
        name=name,
        host="h",
        protocol="golem",
        emulated=False,
        health=health,
        health_reason="",
        last_seen_at=T0,
        resources_as_of=T0,
        rate=None if mean is None else rate(mean),
        worth=None,
        earned=EarnedUsd(),
        points=None,
        allocation=Resources(cpu_cores=cores, memory_gb=2 * cores),
        used=Resources(cpu_cores=used),
        committed=Resources(),
        floor=Resources(),
        limits=Limits(),
        levers=(),
        outlooks=(),
        findings=(),
        failures=(),
        facts=(),
    )


def health_at(minute: int) -> str:
    """The node `a` of the hand-written day: down 06:00-06:30 and 18:00-18:10, unknown 12:00-13:00."""
    if 360 <= minute < 390 or 1080 <= minute < 1090:
        return "offline"
    return "unknown" if 720 <= minute < 780 else "online"


def snapshot(minute: int) -> Snapshot:
    now = T0 + timedelta(minutes=minute)
    return Snapshot(
        tick=minute,
        host="h",
        taken_at=now,
        due_at=now,
        capacity=Resources(cpu_cores=8.0),
        reserve=Resources(cpu_cores=1.0),
        host_used=Resources(),
        nodes=(
            node("a", health_at(minute), 0.03, 4.0, 3.0),
            node("b", "degraded", 0.01, 2.0, None),
            node("c", "online", None, 1.0, 0.5),
        ),
        prices=(),
        earned=EarnedUsd(),
    )


def move(hour: int, verdict: str, realised: float | None = None, state: str = "settled") -> Reallocation:
    return Reallocation(
        id=f"r{hour}",
        plan_id=None,
        decision_id=None,
        state=state,
        trigger="auto",
        started_at=T0 + timedelta(hours=hour),
        ended_at=None,
        changes=(),
        reasons=(),
        sentence="",
        predicted_gain_usd_per_hour=replace(rate(0.010), low=0.006, high=0.014),
        cost_usd=Decimal("0.02"),
        realised_gain_usd_per_hour=None if realised is None else rate(realised),
        verdict=verdict,
        rolled_back_reason=None,
    )


def test_a_day_written_by_hand():
    tally = Tally()
    for minute in range(24 * 60):
        tally = observe(tally, snapshot(minute))
    moves = [
        move(1, "paid", 0.012),
        move(5, "lost", 0.002),
        move(9, "pending"),
        move(11, "pending", state="rolled_back"),
    ]
    found = kpis(tally, snapshot(24 * 60 - 1), moves)

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
    assert found.prediction_mape_pct == pytest.approx(100 * (0.2 + 0.8) / 2)
    assert found.prediction_coverage_pct == pytest.approx(50.0)


def test_nothing_known_is_nothing_claimed():
    empty = replace(snapshot(0), nodes=())
    found = kpis(Tally(), empty, [])
    assert found.total_usd_per_hour is None
    assert found.uptime_pct is None
    assert found.success_rate_pct is None
    assert found.prediction_mape_pct is None
