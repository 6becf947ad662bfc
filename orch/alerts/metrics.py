"""The figures that an operator's own rules may name, and what they are now; unknown is None, never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.resources import RESOURCES, SHORT, UNITS, total

if TYPE_CHECKING:
    from orch.alerts.rules import Facts
    from orch.model.board import Kpis
    from orch.model.fleet import NodeState

OF_A_NODE = "node"
OF_THE_HOST = "host"


def _names() -> dict[str, tuple[str, str]]:
    node = {
        "usd_per_hour": "what the node earns, gross, USD/h",
        "usd_per_hour_low": "the lower end of its 90 % interval",
        "usd_per_hour_high": "the upper end",
        "net_usd_per_hour": "after running costs, where these are known",
        "usual_usd_per_hour": "its mean over its last day",
        "income_age_s": "the age of its newest evidence of income, s",
        "seen_age_s": "since it last answered, s",
        "online": "1 when it answers, 0 when it does not",
        "findings": "how many findings it has beyond mere information",
        "earned_usd": "earned so far, settled, accrued and estimated",
        "questions_per_hour": "what observing it costs: questions",
    }
    for name, short in SHORT.items():
        node[f"{short}_allocated"] = f"what it is given of {short}, {UNITS[name]}"
        node[f"{short}_used"] = f"what it uses, {UNITS[name]}"
        node[f"{short}_used_share"] = "used / allocated, 0 to 1"
        node[f"{short}_committed"] = "what cannot be taken back now"
        node[f"{short}_worth"] = f"USD/h of one more {UNITS[name]}"
    host = {
        "total_usd_per_hour": "what all known nodes earn, gross, USD/h",
        "nodes_online": "how many answer",
        "nodes_offline": "how many do not",
        "nodes_unknown": "of how many that is not known",
        "improvement_pct": "how much more the best split found would earn, %",
        "net_benefit_usd": "what the newest plan would bring after its cost",
        "oldest_price_s": "the age of the oldest price that income is counted in, s",
        "uptime_pct": "share of ticks with all nodes online, last 24 h",
        "reallocations_per_day": "moves in the last 24 h",
        "success_rate_pct": "paid / (paid + lost) of all moves",
        "prediction_mape_pct": "error of the forecasts of income",
        "prediction_coverage_pct": "how often the truth lay within their interval",
    }
    for name, short in SHORT.items():
        host[f"host_{short}_used"] = f"what all programs use, {UNITS[name]}"
        host[f"host_{short}_capacity"] = f"what the host has, {UNITS[name]}"
        host[f"host_{short}_allocated"] = f"what nodes are given together, {UNITS[name]}"
    return {name: (OF_A_NODE, what) for name, what in node.items()} | {
        name: (OF_THE_HOST, what) for name, what in host.items()
    }


METRICS: dict[str, tuple[str, str]] = _names()
"""Whose figure it is, and what it says, by name."""


def host_metrics(facts: Facts, kpis: Kpis | None) -> dict[str, float | None]:
    """The host's figures now."""
    snapshot, decision = facts.snapshot, facts.decision
    rates = [node.rate.mean for node in snapshot.nodes if node.rate is not None]
    health = [node.health for node in snapshot.nodes]
    ages = [price.age_s for price in snapshot.prices]
    dated = [age for age in ages if age is not None]
    found: dict[str, float | None] = {
        "total_usd_per_hour": sum(rates) if rates else None,
        "nodes_online": float(sum(each in ("online", "degraded") for each in health)),
        "nodes_offline": float(health.count("offline")),
        "nodes_unknown": float(health.count("unknown")),
        "improvement_pct": facts.plan.improvement_pct if facts.plan is not None else None,
        "net_benefit_usd": None if decision is None else _number(decision.net_benefit_usd),
        "oldest_price_s": max(dated) if dated and len(dated) == len(ages) else None,
    }
    for name in ("uptime_pct", "reallocations_per_day", "success_rate_pct"):
        found[name] = getattr(kpis, name) if kpis is not None else None
    for name in ("prediction_mape_pct", "prediction_coverage_pct"):
        found[name] = getattr(kpis, name) if kpis is not None else None
    given = total(node.allocation for node in snapshot.nodes)
    for each in RESOURCES:
        found[f"host_{SHORT[each]}_used"] = snapshot.host_used.get(each)
        found[f"host_{SHORT[each]}_capacity"] = snapshot.capacity.get(each)
        found[f"host_{SHORT[each]}_allocated"] = given.get(each)
    return found


def node_metrics(facts: Facts, node: NodeState) -> dict[str, float | None]:
    """One node's figures now."""
    rate, now = node.rate, facts.now
    seen = node.last_seen_at
    earned = node.earned
    found: dict[str, float | None] = {
        "usd_per_hour": rate.mean if rate is not None else None,
        "usd_per_hour_low": rate.low if rate is not None else None,
        "usd_per_hour_high": rate.high if rate is not None else None,
        "net_usd_per_hour": rate.net_mean if rate is not None else None,
        "usual_usd_per_hour": facts.usual.get(node.name),
        "income_age_s": rate.age_s if rate is not None else None,
        "seen_age_s": (now - seen).total_seconds() if seen is not None else None,
        "online": None if node.health == "unknown" else float(node.health != "offline"),
        "findings": None
        if node.health == "unknown"
        else float(sum(each.severity != "info" for each in node.findings)),
        "earned_usd": float(earned.settled + earned.accrued + earned.estimated),
        "questions_per_hour": node.observed_per_hour.requests if node.observed_per_hour is not None else None,
    }
    for name in RESOURCES:
        short, used, given = SHORT[name], node.used.get(name), node.allocation.get(name)
        found[f"{short}_allocated"] = given
        found[f"{short}_used"] = used
        found[f"{short}_used_share"] = used / given if used is not None and given else None
        found[f"{short}_committed"] = node.committed.get(name)
        found[f"{short}_worth"] = node.worth.per_unit.get(name) if node.worth is not None else None
    return found


def _number(amount: object) -> float | None:
    return None if amount is None else float(amount)  # type: ignore[arg-type]
