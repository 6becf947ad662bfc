"""Bundles, fixed proportions, steps, stops and costs per change, exactly: HiGHS.

A linear program, and a mixed-integer one where something is discrete (`step`, `may_stop`, `change_usd`,
`max_changes`). Amounts are scaled to the capacity and money to the largest coefficient, because HiGHS's
tolerances are absolute. Each allocation is the present one plus a growth less a shrinkage, which makes the
proportional cost linear; both carry a tiny cost, so that among equally good splits the one that moves least is
found and no node loses what nobody gains. A few costs per change and whole steps are branched over here
(`changes.py`), all else by HiGHS; then the integers are fixed and the linear rest is solved once more: for clean
numbers and for the dual prices.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from orch.model.resources import RESOURCES, ResourceName, Resources, resources
from orch.solvers.answers import fitted, found, nothing, present_split
from orch.solvers.changes import branches, solve_changes
from orch.solvers.infeasible import why_infeasible
from orch.solvers.linear_model import TIE, Layout, build
from orch.solvers.powers import in_pieces
from orch.solvers.spans import TIGHT, Span, conflicts, faults, spans

if TYPE_CHECKING:
    from orch.model.problems import Answer, Budget, Problem, ProblemNode
    from orch.solvers.highs import Outcome


@in_pieces
def solve(problem: Problem, budget: Budget, seed: int) -> Answer:
    """Solve one host's problem to proven optimality, or as far as the budget allows.

    `dual_prices` are those of the capacities, in USD per hour per unit; of a mixed-integer problem with its
    integers fixed.

    Raises:
        OrchError: HiGHS ended in a way that says nothing about the problem.
    """
    started = time.perf_counter()

    def spent() -> float:
        return time.perf_counter() - started

    wrong = faults(problem) or conflicts(problem)
    if wrong:
        return nothing("infeasible", "linear", wrong, seconds=spent(), seed=seed)
    layout = build(problem)
    if not layout.model.lower:
        return found(
            problem, "linear", present_split(problem), bound=layout.constant_usd, seconds=spent(), seed=seed,
            dual_prices=_no_prices(problem),
        )  # fmt: skip
    outcome = solve_changes(layout, seconds=budget.seconds, seed=seed) if branches(layout) else None
    branched = outcome is not None
    if outcome is None:
        outcome = layout.model.run(seconds=budget.seconds, seed=seed)
    if outcome.status == "infeasible" or outcome.status == "out_of_time":  # noqa: PLR1714 - mypy narrows only this
        why: tuple[str, ...] = (f"no split was found within {budget.seconds:g} s",)
        if outcome.status == "infeasible":
            why = why_infeasible(problem)
        return nothing(outcome.status, "linear", why, seconds=spent(), seed=seed)
    bound = layout.bound_usd(outcome)
    outcome = outcome if branched else _polished(layout, outcome, seed)
    return found(
        problem,
        "linear",
        fitted(problem, _allocations(problem, layout, outcome)),
        bound=bound,
        seconds=spent(),
        seed=seed,
        dual_prices=_prices(problem, layout, outcome),
        reason="" if outcome.status == "optimal" else f"stopped after {budget.seconds:g} s",
    )


def _polished(layout: Layout, outcome: Outcome, seed: int) -> Outcome:
    """The same with the integers fixed; the first outcome where their rounding left no room."""
    if not layout.model.integer:
        return outcome
    fixed = {column: float(round(outcome.values[column])) for column in layout.model.integer}
    again = layout.model.run(seconds=10.0, seed=seed, fixed=fixed)
    if again.status != "optimal":
        return outcome._replace(prices=[])
    return again._replace(status=outcome.status)


def _allocations(problem: Problem, layout: Layout, outcome: Outcome) -> dict[str, Resources]:
    return {node.name: resources(_amounts(problem, node, layout, outcome)) for node in problem.nodes}


def _amounts(
    problem: Problem, node: ProblemNode, layout: Layout, outcome: Outcome
) -> dict[ResourceName, float | None]:
    on = layout.on.get(node.name)
    if on is not None and outcome.values[on] < 0.5:
        return dict.fromkeys((span.resource for span in spans(problem, node)), 0.0)
    amounts: dict[ResourceName, float | None] = {}
    for span in spans(problem, node):
        columns = layout.moves.get((node.name, span.resource))
        size = layout.scale[span.resource]
        moved = 0.0 if columns is None else outcome.values[columns[0]] - outcome.values[columns[1]]
        amounts[span.resource] = span.present if abs(moved) <= TIGHT * 10.0 else _snapped(span, moved * size)
    return amounts


def _snapped(span: Span, moved: float) -> float:
    amount = span.present + moved
    if span.step is not None:
        amount = span.floor + span.step * round((amount - span.floor) / span.step)
    return min(max(amount, span.least), span.most)


def _prices(problem: Problem, layout: Layout, outcome: Outcome) -> Resources:
    if not outcome.prices:
        return Resources()
    prices: dict[ResourceName, float | None] = dict(_no_prices(problem).known())
    for name, row in layout.capacity_rows.items():
        price = outcome.prices[row] * layout.money / layout.scale[name] / problem.horizon_h
        # A price as small as the cost that breaks ties is none.
        prices[name] = price if outcome.prices[row] > 4.0 * TIE and math.isfinite(price) else 0.0
    return resources(prices)


def _no_prices(problem: Problem) -> Resources:
    return resources({name: 0.0 for name in RESOURCES if problem.capacity.get(name) is not None})
