"""The board: one body for the terminal, the API and the command line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from orch.earnings.costs import RunningCosts, idle_cost, less, total_cost
from orch.earnings.rates import add_rates
from orch.model.base import Value
from orch.model.board import (
    Dashboard,
    DisplayView,
    EngineView,
    Kpis,
    NodeView,
    ObserverView,
    OpportunityView,
    TotalView,
)
from orch.model.resources import RESOURCES, Resources, resources

if TYPE_CHECKING:
    from orch.model.alerts import Alert
    from orch.model.fleet import NodeState, Snapshot
    from orch.model.money import Rate
    from orch.model.moves import Reallocation
    from orch.model.plans import Blocker, Decision, Opportunity, Plan

RECENT = 10
STANDING = frozenset({"FROZEN", "SAGA_STUCK"})


class Times(Value):
    """When the next decision is due, and the earliest time at which the best plan may be carried out."""

    next_decision_at: datetime | None = None
    next_reallocation_at: datetime | None = None


def get_dashboard_metrics(
    snapshot: Snapshot,
    engine: EngineView,
    decision: Decision | None,
    plan: Plan | None,
    times: Times,
    reallocations: tuple[Reallocation, ...],
    alerts: tuple[Alert, ...],
    kpis: Kpis,
    costs: RunningCosts,
    display: str | None = None,
    opportunities: tuple[Opportunity, ...] = (),
    standing: tuple[Blocker, ...] | None = None,
) -> Dashboard:
    """The whole board from what is known.

    `display` is the currency that people are shown beside USD. `standing` is what keeps every move from beginning
    now, newer than the newest decision; None when that is not known.
    """
    total = _total(snapshot, costs)
    mean = total.usd_per_hour.mean if total.usd_per_hour is not None else None
    recent = sorted(reallocations, key=lambda each: each.started_at, reverse=True)[:RECENT]
    return Dashboard(
        schema=1,
        as_of=snapshot.taken_at,
        engine=engine,
        total=total,
        nodes=tuple(_node(node, snapshot, mean, decision, plan) for node in snapshot.nodes),
        capacity=snapshot.capacity,
        reserve=snapshot.reserve,
        opportunity=_opportunity(decision),
        can_reallocate=decision is not None and decision.can_reallocate and not standing,
        blockers=_blockers(decision, standing),
        next_decision_at=times.next_decision_at,
        next_reallocation_at=times.next_reallocation_at,
        recent_changes=tuple(recent),
        alerts=alerts,
        kpis=kpis,
        display=_display(snapshot, display),
        opportunities=opportunities,
    )


def _blockers(decision: Decision | None, standing: tuple[Blocker, ...] | None) -> tuple[Blocker, ...]:
    said = decision.blockers if decision is not None else ()
    if standing is None:
        return said
    return (*standing, *(each for each in said if each.code not in STANDING))


def _display(snapshot: Snapshot, currency: str | None) -> DisplayView | None:
    """A currency with its rate; None when people are to be shown USD only."""
    if currency is None or currency == "USD":
        return None
    found = next((each for each in snapshot.currencies if each.token == currency), None)
    if found is None or found.price is None:
        sentence = f"the rate of {currency} is not known: shown in USD only"
        return DisplayView(
            currency=currency,
            usd=None,
            source=None,
            observed_at=None,
            age_s=None,
            state="unknown",
            sentence=sentence,
        )
    price = found.price
    age = "" if found.age_s is None else f", {found.age_s / 60.0:.0f} min old"
    stale = ", stale" if found.state == "stale" else ""
    return DisplayView(
        currency=currency,
        usd=price.usd,
        source=price.source,
        observed_at=price.observed_at,
        age_s=found.age_s,
        state=found.state,
        sentence=f"1 {currency} = {price.usd:.6g} USD ({price.source}{age}{stale})",
    )


def _total(snapshot: Snapshot, costs: RunningCosts) -> TotalView:
    known = [node for node in snapshot.nodes if node.rate is not None]
    by_protocol: dict[str, list[Rate]] = {}
    for node in known:
        if node.rate is not None:
            by_protocol.setdefault(node.protocol, []).append(node.rate)
    rate = add_rates(tuple(node.rate for node in known if node.rate is not None))
    idle = idle_cost(snapshot.costs or costs)
    if rate is not None and rate.cost is not None and idle is not None:
        rate = less(rate, total_cost((rate.cost, idle)), rate.net_note)
    elif rate is not None:
        rate = less(rate, None, rate.net_note)
    sums = {protocol: add_rates(tuple(rates)) for protocol, rates in by_protocol.items()}
    return TotalView(
        usd_per_hour=rate,
        earned_usd=snapshot.earned,
        leaves_out=tuple(node.name for node in snapshot.nodes if node.rate is None),
        by_protocol={protocol: found for protocol, found in sums.items() if found is not None},
    )


def _node(
    node: NodeState, snapshot: Snapshot, total: float | None, decision: Decision | None, plan: Plan | None
) -> NodeView:
    best = plan.to_value.get(node.name) if plan is not None else None
    codes = [b.code for b in decision.blockers if b.node == node.name] if decision is not None else []
    return NodeView(
        name=node.name,
        host=node.host,
        protocol=node.protocol,
        emulated=node.emulated,
        health=node.health,
        health_reason=node.health_reason,
        last_seen_at=node.last_seen_at,
        usd_per_hour=node.rate,
        share_pct=100.0 * node.rate.mean / total if node.rate is not None and total else None,
        allocation=node.allocation,
        allocation_pct=_percent(node.allocation, snapshot.capacity),
        optimal=best or Resources(),
        used=node.used,
        committed=node.committed,
        worth=node.worth.per_unit if node.worth is not None else Resources(),
        earned_usd=node.earned,
        locked_by=tuple(dict.fromkeys(codes)),
        observer=ObserverView(
            requests=node.requests,
            bytes=node.bytes_read,
            seconds=node.seconds_waited,
            since=node.observed_since,
            per_hour=node.observed_per_hour,
        ),
    )


def _percent(part: Resources, whole: Resources) -> Resources:
    shares: dict[str, float | None] = {}
    for name in RESOURCES:
        amount, of = part.get(name), whole.get(name)
        shares[name] = 100.0 * amount / of if amount is not None and of else None
    return resources({name: shares[name] for name in RESOURCES})


def _opportunity(decision: Decision | None) -> OpportunityView | None:
    if decision is None or decision.gain_usd_per_hour is None:
        return None
    return OpportunityView(
        decision_id=decision.id,
        gain_usd_per_hour=decision.gain_usd_per_hour,
        gain_usd=decision.gain_usd,
        cost_usd=decision.cost_usd,
        net_benefit_usd=decision.net_benefit_usd,
        net_benefit_pct=decision.net_benefit_pct,
        horizon_h=decision.horizon_h,
        sentence=decision.sentence,
    )
