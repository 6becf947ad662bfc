"""When something deserves an alert: one plain function per rule, from facts to conditions that hold now.

A condition is not yet an alert: the engine decides whether it has held long enough.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from orch.model.alerts import Condition, Rule
from orch.model.base import Value
from orch.model.fleet import NodeState, Snapshot
from orch.model.moves import Guards, Reallocation
from orch.model.plans import Decision, Plan
from orch.model.resources import SHORT, minus, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orch.model.money import PriceNow, Rate

LOW_SHARE = 0.7
"""A node that earns less than this share of its own last day is earning little."""

POTENTIAL_PCT = 10.0
OPPORTUNITY_PCT = 5.0
BUSY_SHARE = 0.95
LEVER_MEMORY = timedelta(hours=6)
CONTENTION_SLACK = 1e-6
BLOCKING = frozenset(
    {
        "LEVER_IN_SUGGEST_MODE",
        "LEVER_NEEDS_APPROVAL",
        "LEVER_IN_OBSERVE_MODE",
        "HOLD_ACTIVE",
        "RATE_LIMITED",
        "DAY_BUDGET_SPENT",
        "OUTSIDE_WINDOW",
        "LEVER_MISSING",
        "FROZEN",
    }
)


class Timing(Value):
    """How long a condition must hold before it fires, and how long it must be gone before it resolves."""

    for_s: float
    keep_firing_s: float


TIMING: dict[Rule, Timing] = {
    "low_earnings": Timing(for_s=900, keep_firing_s=900),
    "node_lost": Timing(for_s=120, keep_firing_s=120),
    "reallocation_opportunity": Timing(for_s=300, keep_firing_s=300),
    "resource_contention": Timing(for_s=300, keep_firing_s=300),
    "optimization_potential": Timing(for_s=3600, keep_firing_s=600),
    "lever_did_not_take": Timing(for_s=0, keep_firing_s=0),
    "move_lost": Timing(for_s=0, keep_firing_s=0),
    "lever_demoted": Timing(for_s=0, keep_firing_s=0),
    "saga_stuck": Timing(for_s=0, keep_firing_s=0),
    "price_stale": Timing(for_s=60, keep_firing_s=60),
    "price_doubtful": Timing(for_s=900, keep_firing_s=900),
    "actor_failed": Timing(for_s=0, keep_firing_s=3600),
    "finding": Timing(for_s=120, keep_firing_s=120),
}


class ActorTrouble(Value):
    """An actor that died; `given_up` when it was not started again."""

    name: str
    error: str
    given_up: bool
    happened_at: datetime


class Facts(Value):
    """What the rules look at. `usual` is what each node earned per hour on average over its last day."""

    now: datetime
    snapshot: Snapshot
    usual: dict[str, float] = msgspec.field(default_factory=dict)
    decision: Decision | None = None
    plan: Plan | None = None
    reallocations: tuple[Reallocation, ...] = ()
    troubles: tuple[ActorTrouble, ...] = ()
    guards: Guards | None = None


def check_alerts(facts: Facts) -> tuple[Condition, ...]:
    """Every condition that holds now."""
    return tuple(condition for rule in RULES for condition in rule(facts))


def low_earnings(facts: Facts) -> Iterator[Condition]:
    """A node earns much less than it used to."""
    for node in facts.snapshot.nodes:
        usual = facts.usual.get(node.name)
        if node.rate is None or not usual or node.rate.mean >= LOW_SHARE * usual:
            continue
        lost = (usual - node.rate.mean) * 24
        yield Condition(
            rule="low_earnings",
            node=node.name,
            severity="warning",
            sentence=f"{node.name} earns ${node.rate.mean:.4f}/h instead of its usual ${usual:.4f}/h; "
            f"that costs ${lost:.2f} a day.",
            remedy=f"Look at the health and findings of {node.name}; compare the demand of its network.",
            cost_usd_per_day=lost,
        )


def node_lost(facts: Facts) -> Iterator[Condition]:
    """A node that was heard of does not answer."""
    for node in facts.snapshot.nodes:
        if node.health == "offline":
            lost = facts.usual.get(node.name, node.rate.mean if node.rate is not None else 0.0) * 24
            cost = f" That costs ${lost:.2f} a day." if lost else ""
            yield Condition(
                rule="node_lost",
                node=node.name,
                severity="page",
                sentence=f"{node.name} is offline: {node.health_reason}.{cost}",
                remedy=f"Check that the {node.protocol} process runs and that its API answers.",
                cost_usd_per_day=lost or None,
            )


def reallocation_opportunity(facts: Facts) -> Iterator[Condition]:
    """A move would pay, and something that a person can lift stands in its way."""
    decision = facts.decision
    if decision is None or decision.verdict == "move" or decision.net_benefit_usd is None:
        return
    stopped = [blocker for blocker in decision.blockers if blocker.code in BLOCKING]
    if not stopped or decision.net_benefit_usd <= 0 or not _worth_telling(facts):
        return
    yield Condition(
        rule="reallocation_opportunity",
        node=None,
        severity="info",
        sentence=f"A better split would bring ${decision.net_benefit_usd:.4f} over {decision.horizon_h:g} h "
        f"after its cost; it waits: {stopped[0].sentence}",
        remedy="Read `orch explain`; approve the plan or lift what blocks it.",
        cost_usd_per_day=_per_day(decision.gain_usd_per_hour),
    )


def resource_contention(facts: Facts) -> Iterator[Condition]:
    """More is given out than there is, or the host has nothing left."""
    snapshot = facts.snapshot
    available = minus(snapshot.capacity, snapshot.reserve)
    given = total(node.allocation for node in snapshot.nodes)
    for name, limit in available.known():
        out = given.or_zero(name)
        if out > limit * (1 + CONTENTION_SLACK):
            yield Condition(
                rule="resource_contention",
                node=None,
                severity="warning",
                sentence=f"Nodes are given {out:g} of {SHORT[name]} where {limit:g} may be given out.",
                remedy=f"Lower a node's {SHORT[name]}, or the reserve.",
            )
    busy, cores = snapshot.host_used.cpu_cores, snapshot.capacity.cpu_cores
    if busy is not None and cores and busy > BUSY_SHARE * cores and not any(n.emulated for n in snapshot.nodes):
        yield Condition(
            rule="resource_contention",
            node=None,
            severity="warning",
            sentence=f"The host keeps {busy:.1f} of its {cores:g} cores busy.",
            remedy="Give nodes fewer cores, or raise the reserve.",
        )


def optimization_potential(facts: Facts) -> Iterator[Condition]:
    """The present split has been well below the best one for a while."""
    plan = facts.plan
    if plan is None or plan.improvement_pct is None or plan.improvement_pct < POTENTIAL_PCT:
        return
    yield Condition(
        rule="optimization_potential",
        node=None,
        severity="info",
        sentence=f"The best split found would earn {plan.improvement_pct:.0f} % more than the present one.",
        remedy="Read `orch plan`; let orch move, or move by hand.",
        cost_usd_per_day=_per_day(plan.gain_usd_per_hour),
    )


def lever_did_not_take(facts: Facts) -> Iterator[Condition]:
    """The newest move was undone because a limit did not become what was asked for."""
    newest = max(facts.reallocations, key=lambda each: each.started_at, default=None)
    if newest is None or newest.state != "rolled_back" or newest.rolled_back_reason is None:
        return
    if newest.ended_at is not None and facts.now - newest.ended_at > LEVER_MEMORY:
        return
    nodes = sorted({change.node for change in newest.changes})
    yield Condition(
        rule="lever_did_not_take",
        node=nodes[0] if len(nodes) == 1 else None,
        severity="warning",
        sentence=f"Reallocation {newest.id} was undone: {newest.rolled_back_reason}",
        remedy="Check the lever by hand; `orch history` shows what was read back.",
        cost_usd_per_day=_per_day(newest.predicted_gain_usd_per_hour),
    )


def move_lost(facts: Facts) -> Iterator[Condition]:
    """A move has been seen to lose, and its nodes still have what it gave them."""
    for each in facts.reallocations:
        nodes = {change.node for change in each.changes}
        moved_since = any(
            other.state == "settled"
            and other.started_at > each.started_at
            and not nodes.isdisjoint(change.node for change in other.changes)
            for other in facts.reallocations
        )
        gain = each.realised_gain_usd_per_hour
        if each.verdict != "lost" or gain is None or moved_since or "MOVE_LOST" in each.reasons:
            continue
        yield Condition(
            rule="move_lost",
            node=min(nodes) if len(nodes) == 1 else None,
            severity="warning",
            sentence=f"Reallocation {each.id} loses ${-gain.mean * 24:.2f} a day "
            f"(at least ${-gain.high * 24:.2f}).",
            remedy=f"Where its levers may act by themselves it is taken back; else: `orch rollback {each.id}`.",
            cost_usd_per_day=-gain.mean * 24,
        )


def lever_demoted(facts: Facts) -> Iterator[Condition]:
    """Levers that rollbacks have cost trust, until a person restores it."""
    demotions = facts.guards.demotions if facts.guards is not None else ()
    for node in sorted({each.lever.node for each in demotions}):
        of_node = [each for each in demotions if each.lever.node == node]
        which = ", ".join(f"{each.lever.kind} to {each.mode}" for each in of_node)
        yield Condition(
            rule="lever_demoted",
            node=node,
            severity="warning",
            sentence=f"Levers of {node} were demoted after two rollbacks in a week: {which}.",
            remedy=f"See in `orch history` what failed, mend it, then: `orch promote {node}`.",
        )


def saga_stuck(facts: Facts) -> Iterator[Condition]:
    """A move could neither be finished nor undone."""
    for each in facts.reallocations:
        if each.state == "stuck":
            yield Condition(
                rule="saga_stuck",
                node=None,
                severity="page",
                sentence=f"Reallocation {each.id} is stuck: {each.rolled_back_reason or each.sentence}",
                remedy=f"Levers are frozen. Mend the lever, then take the move back: `orch rollback {each.id}`.",
            )


def price_stale(facts: Facts) -> Iterator[Condition]:
    """A price that decisions need is old or unknown."""
    old = [each for each in _of_income(facts) if each.state in ("stale", "unknown")]
    if old:
        ages = (f"{each.token} {_age(each)}{_doubt(each)}" for each in old)
        yield Condition(
            rule="price_stale",
            node=None,
            severity="warning",
            sentence=f"The price of {', that of '.join(ages)}; the split is frozen until it is fresh.",
            remedy="Check the way to the price sources, or pin the price in [prices] override.",
        )


def price_doubtful(facts: Facts) -> Iterator[Condition]:
    """Sources say different things of a price, or only one says anything."""
    disputed = [each for each in _of_income(facts) if each.state == "disputed"]
    single = [each for each in _of_income(facts) if each.state == "single_source"]
    if disputed:
        said = (f"The price of {each.token} is disputed{_doubt(each)}." for each in disputed)
        remedy = "Compare the sources; pin the price in [prices] override if you know better."
        yield Condition(
            rule="price_doubtful", node=None, severity="warning", sentence=" ".join(said), remedy=remedy
        )
    elif single:
        said = (f"The price of {each.token} has a single source{_doubt(each)}." for each in single)
        remedy = "Add sources in [prices], or names of the token there in [prices.tokens]."
        yield Condition(rule="price_doubtful", node=None, severity="info", sentence=" ".join(said), remedy=remedy)


def _of_income(facts: Facts) -> list[PriceNow]:
    """The prices that decisions rest on: one that only a cost is counted in is told beside that cost."""
    return [each for each in facts.snapshot.prices if not each.only_costs]


def _age(price: PriceNow) -> str:
    return "was never known" if price.age_s is None else f"is {price.age_s / 60:.0f} min old"


def _doubt(price: PriceNow) -> str:
    return f" ({price.price.note})" if price.price is not None and price.price.note else ""


def actor_failed(facts: Facts) -> Iterator[Condition]:
    """A part of orch itself died."""
    newest = {trouble.name: trouble for trouble in facts.troubles}
    if newest:
        yield Condition(
            rule="actor_failed",
            node=None,
            severity="page" if any(trouble.given_up for trouble in newest.values()) else "warning",
            sentence=" ".join(_failed(trouble) for trouble in newest.values()),
            remedy="Report this with the log; restart orch if it was given up.",
        )


def findings(facts: Facts) -> Iterator[Condition]:
    """What protocols find about their nodes, beyond mere information."""
    for node in facts.snapshot.nodes:
        worst = _worst_finding(node)
        if worst is not None:
            yield worst


RULES: tuple[Callable[[Facts], Iterator[Condition]], ...] = (
    low_earnings,
    node_lost,
    reallocation_opportunity,
    resource_contention,
    optimization_potential,
    lever_did_not_take,
    move_lost,
    lever_demoted,
    saga_stuck,
    price_stale,
    price_doubtful,
    actor_failed,
    findings,
)


def _worth_telling(facts: Facts) -> bool:
    plan = facts.plan
    return plan is not None and (plan.improvement_pct or 0.0) >= OPPORTUNITY_PCT


def _per_day(gain: Rate | None) -> float | None:
    """What is not gained, a day."""
    return gain.mean * 24 if gain is not None and gain.mean > 0 else None


def _failed(trouble: ActorTrouble) -> str:
    end = "and was given up" if trouble.given_up else "and was started again"
    return f"The {trouble.name} failed {end}: {trouble.error}"


def _worst_finding(node: NodeState) -> Condition | None:
    serious = [finding for finding in node.findings if finding.severity != "info"]
    if not serious:
        return None
    first = next((finding for finding in serious if finding.severity == "page"), serious[0])
    more = f" (and {len(serious) - 1} more)" if len(serious) > 1 else ""
    return Condition(
        rule="finding",
        node=node.name,
        severity=first.severity,
        sentence=f"{node.name}: {first.sentence}{more}",
        remedy=first.remedy,
    )
