"""From a problem to a plan: the best split, what it gains, what it costs."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from orch.earnings.costs import less, scaled, total_cost
from orch.model.money import EVIDENCE, SCALE, CostPerHour, Rate
from orch.model.plans import Plan
from orch.model.resources import TOLERANCE, close, same
from orch.planning.polish import polish
from orch.solvers.answers import moving_cost
from orch.solvers.chain import solve_chain
from orch.solvers.levels import evaluate, law_levels, levels, runs

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from orch.model.plans import Blocker, Code, Opportunity
    from orch.model.problems import Answer, Budget, Problem, ProblemNode
    from orch.model.resources import Resources
    from orch.solvers.base import Solver

DUST_PCT = 0.5


def calculate_optimal_allocation(
    problem: Problem,
    solver: str,
    budget: Budget,
    seed: int,
    solvers: Mapping[str, Solver],
    *,
    dust_pct: float = DUST_PCT,
) -> tuple[Answer, tuple[str, ...]]:
    """The best split that the wanted solver (or what it falls back to) finds, rounded and without dust.

    Returns:
        The answer, and the names of the solvers asked, in order.
    """
    answer, chain = solve_chain(problem, solver, budget, seed, solvers)
    return polish(problem, answer, dust_pct), chain


def split_of(problem: Problem, answer: Answer) -> dict[str, Resources]:
    """The allocations of an answer by node; the present ones where the problem is infeasible."""
    if answer.status not in ("optimal", "feasible"):
        return {node.name: node.present for node in problem.nodes}
    return {share.node: share.allocation for share in answer.shares}


def changed_nodes(problem: Problem, answer: Answer) -> tuple[str, ...]:
    """The nodes to which an answer gives something else than they have."""
    split = split_of(problem, answer)
    moved = (node for node in problem.nodes if split[node.name] != node.present)
    return tuple(node.name for node in moved if not same(split[node.name], node.present))


def income_change(node: ProblemNode, allocation: Resources) -> tuple[float, float, float]:
    """(low, mean, high) USD per hour by which a node's income changes with an allocation.

    What a node gains and what it loses rest on the same figures, so their doubts add up within the node.
    """
    if allocation == node.present:
        return 0.0, 0.0, 0.0
    mean = evaluate(node, allocation).mean - evaluate(node, node.present).mean
    if runs(node, allocation) != runs(node, node.present):
        there, here = evaluate(node, allocation), evaluate(node, node.present)
        return min(there.low - here.high, mean), mean, max(there.high - here.low, mean)
    down = up = 0.0
    steps = zip(levels(node, allocation), levels(node, node.present), node.activities, strict=True)
    for after, before, activity in steps:
        more = after - before
        worse, better = activity.usd_per_hour - activity.low, activity.high - activity.usd_per_hour
        down += more * worse if more > 0.0 else -more * better
        up += more * better if more > 0.0 else -more * worse
    laws = zip(law_levels(node, allocation), law_levels(node, node.present), strict=True)
    for (law, after), (_, before) in laws:
        more, worse, better = after - before, law.usd_per_hour - law.low, law.high - law.usd_per_hour
        down += more * worse if more > 0.0 else -more * better
        up += more * better if more > 0.0 else -more * worse
    return mean - max(down, 0.0), mean, mean + max(up, 0.0)


def estimate_earnings_improvement(
    problem: Problem, answer: Answer, rates: Mapping[str, Rate | None]
) -> Rate | None:
    """What an answer earns more per hour than the present split, with a 90 % interval around the mean.

    Nodes are taken as independent: their half-widths add in quadrature. Evidence is the worst, window and age the
    largest, of the nodes that change (of all known nodes when none does). None when no rate is known that could
    say, or when there is no split.

    Args:
        problem: The problem answered.
        answer: The answer.
        rates: Present rates by node; None where unknown.
    """
    if answer.status not in ("optimal", "feasible"):
        return None
    split, changed = split_of(problem, answer), changed_nodes(problem, answer)
    known = [rate for name, rate in rates.items() if rate is not None and (name in changed or not changed)]
    if not known or any(rates.get(name) is None for name in changed):
        return None
    parts = [income_change(node, split[node.name]) for node in problem.nodes if node.name in changed]
    mean = math.fsum(part[1] for part in parts)
    gain = Rate(
        low=mean - math.hypot(*(part[1] - part[0] for part in parts)),
        mean=mean,
        high=mean + math.hypot(*(part[2] - part[1] for part in parts)),
        net_mean=None,
        evidence=max((rate.evidence for rate in known), key=EVIDENCE.index),
        window_s=max(rate.window_s for rate in known),
        age_s=max(rate.age_s for rate in known),
    )
    changes = {
        name: part[1]
        for name, part in zip((n.name for n in problem.nodes if n.name in changed), parts, strict=True)
    }
    return less(gain, cost_change(changes, rates))


def cost_change(changes: Mapping[str, float], rates: Mapping[str, Rate | None]) -> CostPerHour | None:
    """By how much running costs change when nodes' incomes do: what a node uses grows with what it earns.

    None when what one of them costs is not known.
    """
    costs = []
    for name, change in changes.items():
        rate = rates.get(name)
        if rate is None or rate.cost is None:
            return None
        if rate.mean > 0.0:
            costs.append(scaled(rate.cost, change / rate.mean))
    return total_cost(costs)


def present_income(rates: Mapping[str, Rate | None]) -> float | None:
    """The sum of the known rates' means in USD per hour; None when none is known."""
    known = [rate.mean for rate in rates.values() if rate is not None]
    return math.fsum(known) if known else None


def money(value: float) -> Decimal:
    """A float as an exact amount, as it is written, to the finest amount kept."""
    return Decimal(repr(float(value))).quantize(SCALE)


def billed(problem: Problem, split: Mapping[str, Resources]) -> float:
    """What a split's changes cost in USD: each node pauses only as long as what is changed of it makes it."""
    cost = moving_cost(problem, split)
    for node in problem.nodes:
        pauses = [
            node.change_usd if (pause := node.pause_usd.get(name)) is None else pause
            for name, present in node.present.known()
            if not close(split[node.name].or_zero(name), present, TOLERANCE)
        ]
        cost -= max(node.change_usd - max(pauses), 0.0) if pauses else 0.0
    return cost


def gain_over(gain: Rate | None, horizon_h: float) -> Decimal | None:
    """`gain_usd`: the lower bound of the gain times the horizon."""
    if gain is None:
        return None
    return (Decimal(repr(float(gain.low))) * Decimal(repr(float(horizon_h)))).quantize(SCALE)


def make_plan(
    problem: Problem,
    answer: Answer,
    chain: tuple[str, ...],
    rates: Mapping[str, Rate | None],
    *,
    plan_id: str,
    decision_id: str,
    decided_at: datetime,
    strategy: str,
    opportunities: tuple[Opportunity, ...] = (),
    reasons: tuple[Code, ...] = (),
    sentence: str = "",
    can_reallocate: bool = False,
    blockers: tuple[Blocker, ...] = (),
) -> Plan:
    """A plan with its money: `gain_usd = gain.low * horizon`, `net_benefit_usd = gain_usd - cost_usd`.

    `net_benefit_pct` is None when `gain_usd <= 0`; `improvement_pct` is 100 * mean gain / present mean. An
    infeasible problem makes a plan that changes nothing and has no money.
    """
    split = split_of(problem, answer)
    solved = answer.status in ("optimal", "feasible")
    gain = estimate_earnings_improvement(problem, answer, rates)
    gain_usd = gain_over(gain, problem.horizon_h)
    cost_usd = money(billed(problem, split)) if solved else None
    net = None if gain_usd is None or cost_usd is None else gain_usd - cost_usd
    present = present_income(rates)
    return Plan(
        id=plan_id,
        decision_id=decision_id,
        decided_at=decided_at,
        reasons=reasons,
        sentence=sentence,
        strategy=strategy,
        solver=answer.solver,
        solver_chain=chain,
        from_value={node.name: node.present for node in problem.nodes},
        to_value=split,
        gain_usd_per_hour=gain,
        gain_usd=gain_usd,
        cost_usd=cost_usd,
        net_benefit_usd=net,
        net_benefit_pct=float(100 * net / gain_usd)
        if net is not None and gain_usd is not None and gain_usd > 0
        else None,
        horizon_h=problem.horizon_h,
        can_reallocate=can_reallocate,
        blockers=blockers,
        status=answer.status,
        bound=answer.bound_usd,
        gap_pct=answer.gap_pct,
        dual_prices=answer.dual_prices,
        improvement_pct=100.0 * gain.mean / present
        if gain is not None and present is not None and present > 0.0
        else None,
        opportunities=opportunities,
    )
