"""Every rule fires and resolves in a world scripted by hand; the exact list is compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.alerts.engine import advance
from orch.alerts.rules import ActorTrouble, Facts, check_alerts
from orch.model.money import Price, PriceNow
from orch.model.moves import Change, Reallocation
from orch.model.plans import Blocker
from orch.model.readings import Finding
from orch.model.resources import Resources
from tests.fakes.values import decision, node_state, plan, rate, reallocation, snapshot

if TYPE_CHECKING:
    from orch.model.fleet import NodeState, Snapshot
    from orch.model.plans import Decision, Plan

T0 = datetime(2026, 11, 22, tzinfo=UTC)
TICK = timedelta(seconds=60)


def node(name: str, mean: float | None = 0.02, **rest) -> NodeState:
    return node_state(name, rate=None if mean is None else rate(mean, 0.2), **rest)


def price(state: str) -> PriceNow:
    quote = Price(token="GLM", usd=Decimal("0.2"), source="s", observed_at=T0, fetched_at=T0)
    return PriceNow(token="GLM", state=state, price=quote, age_s=0.0 if state == "fresh" else 1800.0)


def fleet(*nodes: NodeState, prices=None, busy: float = 1.0) -> Snapshot:
    return snapshot(
        *(nodes or (node("a"), node("b"))),
        at=T0,
        capacity=Resources(cpu_cores=12.0, memory_gb=32.0),
        reserve=Resources(cpu_cores=1.0, memory_gb=2.0),
        host_used=Resources(cpu_cores=busy),
        prices=(price("fresh"),) if prices is None else prices,
    )


def waiting(*blockers: Blocker, net: str = "0.5") -> Decision:
    return decision(
        reasons=("LEVER_IN_SUGGEST_MODE",),
        plan_id="p1",
        gain_usd_per_hour=rate(0.02),
        gain_usd=Decimal("0.6"),
        cost_usd=Decimal("0.1"),
        net_benefit_usd=Decimal(net),
        net_benefit_pct=83.0,
        can_reallocate=False,
        blockers=blockers,
    )


def better(improvement: float) -> Plan:
    return plan(waiting(), improvement_pct=improvement)


def move(state: str, reason: str | None = None, ended: datetime | None = None) -> Reallocation:
    return reallocation(
        "r1",
        state=state,
        started_at=T0,
        ended_at=ended,
        changes=(
            Change(node="a", resource="cpu_cores", from_value=2.0, to_value=4.0, read_back=2.0),
            Change(node="b", resource="cpu_cores", from_value=4.0, to_value=2.0, read_back=4.0),
        ),
        rolled_back_reason=reason,
    )


def run(script) -> list[tuple[int, str, str, str | None]]:
    """Minute by minute: (minute, raised or resolved, rule, node)."""
    tracked, story = (), []
    for minute, seen in script:
        now = T0 + minute * TICK
        at_now = replace(seen, now=now, snapshot=replace(seen.snapshot, taken_at=now))
        outcome = advance(tracked, check_alerts(at_now), now)
        tracked = outcome.tracked
        story += [(minute, "raised", alert.rule, alert.node) for alert in outcome.raised]
        story += [(minute, "resolved", alert.rule, alert.node) for alert in outcome.resolved]
    assert all(each.alert.state == "pending" for each in tracked), "the script ends quietly"
    return story


def facts(**rest) -> Facts:
    return Facts(**({"now": T0, "snapshot": fleet(), "usual": {"a": 0.02, "b": 0.02}} | rest))


def during(start: int, stop: int, length: int, troubled: Facts):
    return [(minute, troubled if start <= minute < stop else facts()) for minute in range(length)]


def test_a_node_that_is_lost_and_comes_back():
    lost = facts(snapshot=fleet(node("a", health="offline", health_reason="refused"), node("b")))
    assert run(during(2, 10, 20, lost)) == [(4, "raised", "node_lost", "a"), (11, "resolved", "node_lost", "a")]


def test_a_node_that_only_blinks_is_not_lost():
    lost = facts(snapshot=fleet(node("a", health="offline", health_reason="refused"), node("b")))
    assert run(during(2, 4, 10, lost)) == []


def test_low_earnings():
    poor = facts(snapshot=fleet(node("a", 0.01), node("b")))
    assert run(during(0, 20, 40, poor)) == [
        (15, "raised", "low_earnings", "a"),
        (34, "resolved", "low_earnings", "a"),
    ]


def test_an_opportunity_that_waits_for_a_person():
    waits = facts(
        decision=waiting(Blocker(code="LEVER_IN_SUGGEST_MODE", sentence="suggest only.")), plan=better(8.0)
    )
    assert run(during(0, 10, 30, waits)) == [
        (5, "raised", "reallocation_opportunity", None),
        (14, "resolved", "reallocation_opportunity", None),
    ]


def test_an_opportunity_that_does_not_pay_is_not_told():
    waits = facts(decision=waiting(Blocker(code="HOLD_ACTIVE", sentence="held."), net="-0.1"), plan=better(8.0))
    assert run(during(0, 10, 30, waits)) == []


def test_resource_contention():
    crowded = facts(
        snapshot=fleet(
            node("a", allocation=Resources(cpu_cores=8.0)),
            node("b", allocation=Resources(cpu_cores=4.0)),
        )
    )
    busy = facts(snapshot=fleet(busy=11.9))
    expected = [(5, "raised", "resource_contention", None), (14, "resolved", "resource_contention", None)]
    assert run(during(0, 10, 30, crowded)) == expected
    assert run(during(0, 10, 30, busy)) == expected


def test_optimization_potential():
    assert run(during(0, 70, 120, facts(plan=better(25.0)))) == [
        (60, "raised", "optimization_potential", None),
        (79, "resolved", "optimization_potential", None),
    ]


def test_a_lever_that_did_not_take_until_a_move_succeeds():
    undone = facts(reallocations=(move("rolled_back", "a still has 2 cores", T0),))
    later = replace(move("settled"), id="r2", started_at=T0 + timedelta(hours=1))
    script = [(0, undone), (1, undone), (2, facts(reallocations=(*undone.reallocations, later)))]
    assert run(script) == [
        (0, "raised", "lever_did_not_take", None),
        (2, "resolved", "lever_did_not_take", None),
    ]


def test_a_stuck_saga_pages_at_once():
    stuck = facts(reallocations=(move("stuck", "undo refused", T0),))
    assert run([(0, stuck), (1, stuck), (2, facts())]) == [
        (0, "raised", "saga_stuck", None),
        (2, "resolved", "saga_stuck", None),
    ]


def test_a_price_that_goes_stale():
    stale = facts(snapshot=fleet(prices=(price("stale"),)))
    assert run(during(3, 9, 15, stale)) == [
        (4, "raised", "price_stale", None),
        (9, "resolved", "price_stale", None),
    ]


def test_an_actor_that_died():
    died = facts(troubles=(ActorTrouble(name="pricing", error="boom", given_up=False, happened_at=T0),))
    assert run([(0, died), *[(minute, facts()) for minute in range(1, 70)]]) == [
        (0, "raised", "actor_failed", None),
        (60, "resolved", "actor_failed", None),
    ]


def test_a_finding_of_a_protocol():
    found = Finding(code="x", severity="warning", sentence="token expires", remedy="paste a new one")
    quiet = Finding(code="y", severity="info", sentence="new version", remedy="")
    noted = facts(snapshot=fleet(node("a", findings=(quiet, found)), node("b", findings=(quiet,))))
    assert run(during(0, 5, 10, noted)) == [(2, "raised", "finding", "a"), (6, "resolved", "finding", "a")]


def test_unknown_is_no_alert_and_no_zero():
    unknown = facts(snapshot=fleet(node("a", None, health="unknown"), node("b")))
    assert run(during(0, 30, 40, unknown)) == []
