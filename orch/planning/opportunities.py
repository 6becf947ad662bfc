"""Income that a different split would bring, of four kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.earnings.costs import less
from orch.model.money import EVIDENCE, Rate
from orch.model.plans import Blocker, Opportunity
from orch.model.resources import RESOURCES, ResourceName, combine, resources
from orch.planning.locks import RESTING
from orch.planning.plan import changed_nodes, cost_change, income_change, split_of
from orch.planning.polish import dust_of
from orch.planning.words import amount_of
from orch.solvers.levels import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from decimal import Decimal

    from orch.model.fleet import NodeState, Snapshot
    from orch.model.plans import Code
    from orch.model.problems import Answer, Problem, ProblemNode
    from orch.model.resources import Resources
    from orch.planning.settings import PlanSettings

Kind: TypeAlias = Literal["underused", "misallocated", "floor_blocked", "price_shift"]


def analyze_opportunities(
    snapshot: Snapshot,
    problem: Problem,
    answer: Answer,
    blockers: tuple[Blocker, ...],
    settings: PlanSettings,
    *,
    previous_prices: Mapping[str, Decimal] | None = None,
    without_holds: Answer | None = None,
) -> tuple[Opportunity, ...]:
    """What could be earned: at most one opportunity per kind and node, the largest gains first.

    `misallocated`: the best split gives the node more; its own extra income. `underused`: a node leaves most of a
    resource idle that another node would earn with; what the best taker would earn. `floor_blocked`: a minimum,
    floor or commitment beyond the node's need, or a hold, keeps back what another split would earn.
    `price_shift`: the best split changes a node whose token's price moved since the last decision; `from` and
    `to` are then that price in USD.

    Args:
        snapshot: The fleet.
        problem: The problem made of it.
        answer: The best split found.
        blockers: What keeps nodes from moving.
        settings: Thresholds, and the tokens that nodes earn in.
        previous_prices: USD per token at the last decision.
        without_holds: The best split if no hold were active, when some are.
    """
    if answer.status not in ("optimal", "feasible"):
        return ()
    states = {state.name: state for state in snapshot.nodes}
    found = [
        *_misallocated(problem, answer, states),
        *_underused(problem, states, settings),
        *_floor_blocked(problem, answer, states, settings),
        *_held_back(problem, answer, states, without_holds),
        *_price_shifts(snapshot, problem, answer, settings, previous_prices or {}),
    ]
    hindered = [_with_blockers(each, blockers) for each in found]
    return tuple(sorted(hindered, key=lambda each: -(each.usd_per_hour.mean if each.usd_per_hour else 0.0)))


def _with_blockers(each: Opportunity, blockers: tuple[Blocker, ...]) -> Opportunity:
    own = tuple(one for one in blockers if one.node in (None, each.node) and one not in each.blockers)
    return Opportunity(
        kind=each.kind,
        node=each.node,
        resource=each.resource,
        from_value=each.from_value,
        to_value=each.to_value,
        usd_per_hour=each.usd_per_hour,
        evidence=each.evidence,
        blockers=(*each.blockers, *own),
    )


def _rate(change: tuple[float, float, float], *basis: NodeState | None) -> Rate | None:
    """A change of income as a rate resting on the nodes' present rates; None when one of them is unknown."""
    rates = [state.rate for state in basis if state is not None and state.rate is not None]
    if len(rates) < len(basis) or not rates:
        return None
    low, mean, high = change
    gain = Rate(
        low=low,
        mean=mean,
        high=high,
        net_mean=None,
        evidence=max((rate.evidence for rate in rates), key=EVIDENCE.index),
        window_s=max(rate.window_s for rate in rates),
        age_s=max(rate.age_s for rate in rates),
    )
    by_name = {state.name: state.rate for state in basis if state is not None}
    return less(gain, cost_change(dict.fromkeys(by_name, mean / len(by_name)), by_name))


def _opportunity(
    kind: Kind,
    node: str,
    resource: ResourceName | None,
    before: float | None,
    after: float | None,
    rate: Rate | None,
    blockers: tuple[Blocker, ...] = (),
) -> Opportunity:
    return Opportunity(
        kind=kind,
        node=node,
        resource=resource,
        from_value=before,
        to_value=after,
        usd_per_hour=rate,
        evidence=None if rate is None else rate.evidence,
        blockers=blockers,
    )


def _largest_change(problem: Problem, node: ProblemNode, allocation: Resources) -> ResourceName:
    """The resource that changes most, as a share of the capacity."""

    def share(name: ResourceName) -> float:
        was, now = node.present.get(name), allocation.get(name)
        if was is None or now is None:
            return -1.0
        return abs(now - was) / (problem.capacity.or_zero(name) or 1.0)

    return max(RESOURCES, key=share)


def _misallocated(problem: Problem, answer: Answer, states: Mapping[str, NodeState]) -> Iterator[Opportunity]:
    split, changed = split_of(problem, answer), changed_nodes(problem, answer)
    for node in problem.nodes:
        if node.name not in changed:
            continue
        change = income_change(node, split[node.name])
        if change[1] > 0.0:
            name = _largest_change(problem, node, split[node.name])
            before, after = node.present.get(name), split[node.name].get(name)
            rate = _rate(change, states.get(node.name))
            yield _opportunity("misallocated", node.name, name, before, after, rate)


def _best_taker(
    problem: Problem, giver: str, allocations: Mapping[str, Resources], released: Mapping[ResourceName, float]
) -> tuple[str, tuple[float, float, float]] | None:
    """Who would earn most with what a node could release, and how much; None when nobody would earn."""
    best: tuple[str, tuple[float, float, float]] | None = None
    extra = resources(dict(released))
    for node in problem.nodes:
        if node.name == giver or node.locked:
            continue
        here = allocations[node.name]
        more = combine(lambda have, by: None if have is None else have + (by or 0.0), here, extra)
        within = combine(lambda have, cap: have if have is None or cap is None else min(have, cap), more, node.cap)
        if within == here:
            continue
        after, before = evaluate(node, within), evaluate(node, here)
        change = (after.low - before.low, after.mean - before.mean, after.high - before.high)
        if change[1] > 1e-12 and (best is None or change[1] > best[1][1]):
            best = (node.name, (min(change), change[1], max(change)))
    return best


def _underused(problem: Problem, states: Mapping[str, NodeState], settings: PlanSettings) -> Iterator[Opportunity]:
    """Idle beyond what the problem lets the node release does not count; locked nodes do."""
    present = {node.name: node.present for node in problem.nodes}
    dust = dust_of(problem, settings.dust_pct)
    for node in problem.nodes:
        state = states[node.name]
        idle: dict[ResourceName, float] = {}
        for name, amount in node.present.known():
            used = state.used.get(name)
            if used is None or amount <= 0.0 or used > amount * settings.underused_pct / 100.0:
                continue
            spare = amount - max(used, node.floor.or_zero(name))
            if spare >= dust[name]:
                idle[name] = spare
        taker = _best_taker(problem, node.name, present, idle) if idle else None
        if taker is None:
            continue
        name = max(idle, key=lambda each: idle[each] / (problem.capacity.or_zero(each) or 1.0))
        before = node.present.get(name)
        after = None if before is None else before - idle[name]
        rate = _rate(taker[1], states.get(taker[0]))
        yield _opportunity("underused", node.name, name, before, after, rate)


def _floor_blocked(
    problem: Problem, answer: Answer, states: Mapping[str, NodeState], settings: PlanSettings
) -> Iterator[Opportunity]:
    """Resources that are scarce in the best split and kept back by a bound beyond the node's own need."""
    split, dust = split_of(problem, answer), dust_of(problem, settings.dust_pct)
    for node in problem.nodes:
        if node.locked:
            continue
        back: dict[ResourceName, float] = {}
        for name, amount in split[node.name].known():
            floor = node.floor.or_zero(name)
            at_floor = amount <= floor + dust[name] and node.cap.get(name) != floor
            beyond = floor - _earning_need(states[node.name], name)
            if at_floor and beyond >= dust[name] and answer.dual_prices.or_zero(name) > 0.0:
                back[name] = beyond
        taker = _best_taker(problem, node.name, split, back) if back else None
        if taker is None:
            continue
        name = max(back, key=lambda each: back[each] * answer.dual_prices.or_zero(each))
        floor = node.floor.or_zero(name)
        rate = _rate(taker[1], states.get(taker[0]))
        why = _floor_blocker(states[node.name], name, floor)
        yield _opportunity("floor_blocked", node.name, name, floor, floor - back[name], rate, (why,))


def _earning_need(state: NodeState, name: ResourceName) -> float:
    """What of a resource the node's income rests on, as far as is known: its need, or what it uses."""
    need = None if state.worth is None else state.worth.need.get(name)
    if need is not None:
        return need
    used = state.used.get(name)
    return state.allocation.or_zero(name) if used is None else used


def _floor_blocker(state: NodeState, name: ResourceName, floor: float) -> Blocker:
    committed = state.committed.get(name)
    code: Code = "NODE_COMMITTED" if committed is not None and committed >= floor else "PROTECTED_FLOOR"
    what = "has promised" if code == "NODE_COMMITTED" else "must keep"
    return Blocker(code=code, sentence=f"{state.name} {what} {amount_of(name, floor)}.", node=state.name)


def _held_back(
    problem: Problem, answer: Answer, states: Mapping[str, NodeState], without_holds: Answer | None
) -> Iterator[Opportunity]:
    """What held nodes would earn more, were they not held."""
    if without_holds is None or without_holds.status not in ("optimal", "feasible"):
        return
    if without_holds.shares == answer.shares:
        return
    freed, split = split_of(problem, without_holds), split_of(problem, answer)
    more = sum(income_change(node, freed[node.name])[1] for node in problem.nodes)
    less = sum(income_change(node, split[node.name])[1] for node in problem.nodes)
    if more <= less + 1e-12:
        return
    whole = (0.0, more - less, more - less)
    for node in problem.nodes:
        if not RESTING.intersection(node.locked_by) or node.name not in changed_nodes(problem, without_holds):
            continue
        name = _largest_change(problem, node, freed[node.name])
        before, after = node.present.get(name), freed[node.name].get(name)
        rate = _rate(whole, states.get(node.name))
        yield _opportunity("floor_blocked", node.name, name, before, after, rate)


def _price_shifts(
    snapshot: Snapshot, problem: Problem, answer: Answer, settings: PlanSettings, previous: Mapping[str, Decimal]
) -> Iterator[Opportunity]:
    now = {each.token: each.price.usd for each in snapshot.prices if each.price is not None}
    split, states = split_of(problem, answer), {state.name: state for state in snapshot.nodes}
    changed = changed_nodes(problem, answer)
    for node in problem.nodes:
        for token in settings.of(node.name).tokens:
            before, after = previous.get(token), now.get(token)
            if before is None or after is None or before <= 0 or node.name not in changed:
                continue
            if abs(float(after / before) - 1.0) * 100.0 > settings.price_shift_pct:
                rate = _rate(income_change(node, split[node.name]), states.get(node.name))
                yield _opportunity("price_shift", node.name, None, float(before), float(after), rate)
                break
