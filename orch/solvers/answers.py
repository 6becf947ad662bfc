"""From allocations to an honest answer: objective, gap, status."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orch.model.problems import Answer, Share
from orch.model.resources import Resources, resources
from orch.solvers.levels import evaluate, runs
from orch.solvers.objectives import extra_usd_per_hour
from orch.solvers.risk import within_variance
from orch.solvers.spans import TIGHT, kept_out, scales

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orch.model.problems import Problem, ProblemNode, Status
    from orch.model.resources import ResourceName

EXACT = 1e-6
"""A gap below this share of all the money in a problem counts as none."""


def money_scale(problem: Problem) -> float:
    """The size of a problem's money in USD over the horizon, for tolerances."""
    most, scale = 0.0, scales(problem)
    for node in problem.nodes:
        most += abs(node.base_usd_per_hour)
        most += sum(
            abs(each.usd_per_hour) * min(each.width, _widest(scale, each.takes)) for each in node.activities
        )
        most += sum(abs(law.usd_per_hour) * scale[law.resource] ** law.power for law in node.laws)
    most += sum(abs(pair.usd_per_hour) for pair in problem.pairs)
    costs = sum(
        node.change_usd + sum(unit * scale[name] for name, unit in node.unit_usd.known()) for node in problem.nodes
    )
    return max(most * problem.horizon_h + costs, 1e-12)


def _widest(scale: Mapping[ResourceName, float], takes: Resources) -> float:
    widest = math.inf
    for name, amount in takes.known():
        if amount > 0.0:
            widest = min(widest, scale[name] / amount)
    return widest


def changes(problem: Problem, allocations: Mapping[str, Resources]) -> int:
    """How many nodes are given something else than they have."""
    scale = scales(problem)
    return sum(_changed(node, allocations[node.name], scale) for node in problem.nodes)


def _changed(node: ProblemNode, allocation: Resources, scale: Mapping[ResourceName, float]) -> bool:
    return any(
        abs(allocation.or_zero(name) - present) > 10.0 * TIGHT * scale[name]
        for name, present in node.present.known()
    )


def moving_cost(problem: Problem, allocations: Mapping[str, Resources]) -> float:
    """What the changes cost in USD: fixed per changed node, proportional per unit moved."""
    scale = scales(problem)
    cost = 0.0
    for node in problem.nodes:
        given = allocations[node.name]
        if node.change_usd and _changed(node, given, scale):
            cost += node.change_usd
        for name, unit in node.unit_usd.known():
            present = node.present.get(name)
            if unit and present is not None:
                cost += unit * abs(given.or_zero(name) - present)
    return cost


def objective(problem: Problem, allocations: Mapping[str, Resources]) -> float:
    """The problem's objective in USD over the horizon; `allocations` by node name."""
    income = math.fsum(evaluate(node, allocations[node.name]).mean for node in problem.nodes)
    if problem.pairs:
        running = running_nodes(problem, allocations)
        income += math.fsum(pair.usd_per_hour for pair in problem.pairs if {pair.first, pair.second} <= running)
    if problem.objective is not None:
        income += extra_usd_per_hour(problem, [allocations])[0]
    return problem.horizon_h * income - moving_cost(problem, allocations)


def running_nodes(problem: Problem, allocations: Mapping[str, Resources]) -> set[str]:
    """The nodes that run with their allocations."""
    return {node.name for node in problem.nodes if runs(node, allocations[node.name])}


def shares_of(problem: Problem, allocations: Mapping[str, Resources]) -> tuple[Share, ...]:
    """The allocations as an answer has them, in the problem's order."""
    return tuple(Share(node=node.name, allocation=allocations[node.name]) for node in problem.nodes)


def present_split(problem: Problem) -> dict[str, Resources]:
    """What every node has now."""
    return {node.name: node.present for node in problem.nodes}


def found(
    problem: Problem,
    solver: str,
    allocations: Mapping[str, Resources],
    *,
    bound: float | None,
    seconds: float,
    seed: int,
    dual_prices: Resources | None = None,
    reason: str = "",
) -> Answer:
    """A feasible split as an answer: optimal when the bound leaves no room above it.

    Where the variance is bounded and the split exceeds it, the answer is the split that `within_variance` leaves.
    A bound says nothing where a plug-in's objective adds to it.
    """
    within = within_variance(problem, allocations)
    if within is None:
        why = f"no split with a variance of at most {problem.max_variance:g} was found"
        return nothing("out_of_time", solver, (why,), seconds=seconds, seed=seed)
    if problem.objective is not None:
        bound = None
    allocations = within
    worth, size = objective(problem, allocations), money_scale(problem)
    if bound is None or bound - worth > EXACT * size:
        allocations, worth = _not_below_present(problem, allocations, worth)
    status: Status = "feasible"
    gap = None
    if bound is not None and math.isfinite(bound):
        bound = max(bound, worth)
        gap = 100.0 * (bound - worth) / max(abs(worth), size * EXACT)
        if bound - worth <= EXACT * size:
            status, gap = "optimal", min(gap, 100.0 * EXACT)
    else:
        bound = None
    return Answer(
        solver=solver,
        status=status,
        shares=shares_of(problem, allocations),
        objective_usd=worth,
        bound_usd=bound,
        gap_pct=gap,
        dual_prices=dual_prices if dual_prices is not None else Resources(),
        seconds=seconds,
        seed=seed,
        reason=reason,
    )


def _not_below_present(
    problem: Problem, allocations: Mapping[str, Resources], worth: float
) -> tuple[Mapping[str, Resources], float]:
    """The present split instead, where it is allowed and worth more than what was found."""
    present = present_split(problem)
    if kept_out(problem) or within_variance(problem, present) is None:
        return allocations, worth
    kept = objective(problem, present)
    return (present, kept) if kept > worth else (allocations, worth)


def nothing(status: Status, solver: str, reasons: Sequence[str], *, seconds: float, seed: int) -> Answer:
    """An answer without a split, and why."""
    return Answer(
        solver=solver,
        status=status,
        shares=(),
        objective_usd=None,
        bound_usd=None,
        gap_pct=None,
        dual_prices=Resources(),
        seconds=seconds,
        seed=seed,
        reason="; ".join(reasons),
    )


def fitted(problem: Problem, allocations: Mapping[str, Resources]) -> dict[str, Resources]:
    """The allocations without the last digits by which floating point exceeds a capacity.

    Taken from the nodes that grew most; more than rounding errors is never taken.
    """
    amounts = {name: dict(allocation.known()) for name, allocation in allocations.items()}
    for name, capacity in problem.capacity.known():
        holders = [node for node in problem.nodes if name in amounts[node.name]]
        excess = math.fsum(amounts[node.name][name] for node in holders) - capacity
        rounding = 100.0 * TIGHT * max(capacity, excess)
        for node in sorted(holders, key=lambda each: each.present.or_zero(name) - amounts[each.name][name]):
            if excess <= 0.0:
                break
            if node.locked or node.step.get(name):
                continue
            keep = max(node.floor.or_zero(name), node.need.or_zero(name))
            cut = min(excess, max(amounts[node.name][name] - keep, 0.0), rounding)
            amounts[node.name][name] -= cut
            excess -= cut
    return {each: resources(amounts[each]) for each in amounts}
