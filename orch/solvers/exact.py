"""Thresholds, steps, costs per change, pairs and groups on one host, with proof.

The discrete part is a menu of options by node; prices of the scarce rows bound what any choice is worth, and what
the bound leaves open is enumerated: in machine code where that is ready (`orch.solvers.fast`), otherwise by
NumPy. Above its size, or where a problem cannot be put on a menu, HiGHS's mixed-integer solver takes over, and
the better of both answers and of both bounds counts.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.solvers import fast
from orch.solvers.answers import EXACT, found, money_scale, nothing
from orch.solvers.enumerate import prove
from orch.solvers.infeasible import why_infeasible
from orch.solvers.menu import Menu, NoMenuError
from orch.solvers.powers import in_pieces
from orch.solvers.prices import Market, answer_of
from orch.solvers.spans import conflicts, faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.model.problems import Answer, Budget, Problem
    from orch.solvers.prices import Quote

STEPS = 4
"""Steps towards the lowest bound, and as many more as half the nodes."""
SETS_OF_PRICES = 4
SHARE_BEFORE_HANDING_OVER = 0.3
"""The share of the budget after which an unfinished proof is left to the mixed-integer solver."""


@in_pieces
def solve(problem: Problem, budget: Budget, seed: int) -> Answer:
    """Solve one host's problem to proven optimality, or as far as the budget allows.

    `dual_prices` are those of the capacities with the discrete choices made, USD per hour per unit.
    """
    started = time.perf_counter()

    def spent() -> float:
        return time.perf_counter() - started

    if fast.ready():
        proven = fast.proven(problem, SHARE_BEFORE_HANDING_OVER * budget.seconds, seed)
        if proven is not None:
            return replace(proven, seconds=spent())
    wrong = faults(problem) or conflicts(problem)
    if wrong:
        return nothing("infeasible", "exact", wrong, seconds=spent(), seed=seed)
    try:
        menu = Menu(problem)
    except NoMenuError as error:
        return _handed_over(problem, budget, seed, spent, None, str(error))
    if not menu.possible:
        return nothing("infeasible", "exact", why_infeasible(problem), seconds=spent(), seed=seed)
    market = Market(menu, lambda: spent() > SHARE_BEFORE_HANDING_OVER * budget.seconds)
    quotes = market.settle(STEPS + len(problem.nodes) // 2)
    slack = 0.1 * EXACT * money_scale(problem)
    proof = prove(market, _few(quotes), slack)
    bound = min(proof.bound, quotes[0].bound)
    if market.best is None:
        if proof.complete:
            return nothing("infeasible", "exact", why_infeasible(problem), seconds=spent(), seed=seed)
        return _handed_over(problem, budget, seed, spent, None, "no split was found by enumeration")
    own = answer_of(problem, market, "exact", bound=bound, seconds=spent(), seed=seed)
    if proof.complete or own.status == "optimal":
        return own
    return _handed_over(problem, budget, seed, spent, own, "too many choices to enumerate")


def _few(quotes: list[Quote]) -> list[Quote]:
    """The best quote and a few others from the way to it, which bound other choices better."""
    if len(quotes) <= SETS_OF_PRICES:
        return quotes
    return [*quotes[:3], *quotes[3 : len(quotes) : max((len(quotes) - 3) // (SETS_OF_PRICES - 3), 1)]][
        :SETS_OF_PRICES
    ]


def _handed_over(
    problem: Problem, budget: Budget, seed: int, spent: Callable[[], float], own: Answer | None, why: str
) -> Answer:
    from orch.solvers import linear

    left = replace(budget, seconds=max(budget.seconds - spent(), 0.01))
    other = linear.solve(problem, left, seed)
    reason = f"{why}: handed over to the mixed-integer solver"
    if own is None or own.objective_usd is None:
        reasons = reason if not other.reason else f"{reason}; {other.reason}"
        return replace(other, solver="exact", seconds=spent(), reason=reasons)
    bounds = [each.bound_usd for each in (own, other) if each.bound_usd is not None]
    better = own
    if other.objective_usd is not None and other.objective_usd > own.objective_usd:
        better = other
    split = {share.node: share.allocation for share in better.shares}
    return found(
        problem, "exact", split, bound=min(bounds, default=None), seconds=spent(), seed=seed,
        dual_prices=better.dual_prices, reason=reason,
    )  # fmt: skip
