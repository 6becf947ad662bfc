"""A bound on the variance, or a price of it, exactly: Clarabel over the problem's polyhedron.

What is discrete (stops, steps, costs per change, at most so many changes) is branched on, depth first, each node
of the tree a second-order cone program whose bound is proven. Every split that is offered has been evaluated in
the problem's own words first, its variance too.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from msgspec.structs import replace

from orch.model.resources import Resources, resources
from orch.solvers import linear
from orch.solvers.answers import changes, fitted, found, nothing, objective, present_split, running_nodes
from orch.solvers.infeasible import why_infeasible
from orch.solvers.levels import evaluate, runs
from orch.solvers.linear_model import build
from orch.solvers.powers import in_pieces
from orch.solvers.risk import variance_of
from orch.solvers.spans import TIGHT, conflicts, faults, scales, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.problems import Answer, Budget, Problem, ProblemNode
    from orch.solvers.cones import Cones, Found
    from orch.solvers.linear_model import Layout

Split: TypeAlias = "dict[str, Resources]"

NAME = "conic"
WHOLE = 1e-6
"""A number this close to a whole one is whole."""

STILL = 2e-7
"""A share of a resource's scale below which nothing was moved: interior points stop this close to a bound."""

MORE = 2e-7
"""A node may earn this share more than the model lets it: interior points stop short of their bounds."""

RISK = 5e-7
"""A variance this share above the bound is within it."""

CLOSED = 1e-6
"""A branch that can gain less than this share of the model's largest coefficient is not followed."""


class Best(NamedTuple):
    """The best split so far, and its objective in USD, less the price of its variance where it has one."""

    split: Split | None
    worth: float


@in_pieces
def solve(problem: Problem, budget: Budget, seed: int) -> Answer:
    """Solve one host's problem, its `max_variance` kept, to proven optimality or as far as the budget allows.

    Without a bound on the variance this is the linear problem, and `linear` solves it. `dual_prices` are those of
    the capacities in the relaxation.

    Raises:
        OrchError: Clarabel (or HiGHS) ended in a way that says nothing about the problem.
    """
    if problem.max_variance is None:
        return replace(linear.solve(problem, budget, seed), solver=NAME)
    return _solved(problem, budget, seed, None)


def mean_variance(problem: Problem, aversion: float, budget: Budget, seed: int) -> Answer:
    """The split with the best objective less `aversion` (USD over the horizon per (USD/h)^2) times its variance.

    The answer's objective and status are those of the problem itself: `feasible`, with no bound. `max_variance`
    does not count.
    """
    return _solved(problem, budget, seed, aversion)


def _solved(problem: Problem, budget: Budget, seed: int, aversion: float | None) -> Answer:
    started = time.perf_counter()

    def spent() -> float:
        return time.perf_counter() - started

    if not problem.covariance:
        return nothing("infeasible", NAME, ("no covariance is known",), seconds=spent(), seed=seed)
    wrong = faults(problem) or conflicts(problem)
    if wrong:
        return nothing("infeasible", NAME, wrong, seconds=spent(), seed=seed)
    from orch.solvers.cones import Cones

    layout = build(problem)
    cones = Cones(layout, aversion)
    search = _Search(problem, layout, cones, aversion, started + budget.seconds)
    relaxed = cones.solve(budget.seconds)
    if relaxed.status == "infeasible":
        return nothing("infeasible", NAME, _why_not(problem), seconds=spent(), seed=seed)
    if relaxed.status == "optimal":
        search.run(relaxed)
    best = search.best
    if best.split is None:
        why = f"no split was found within {budget.seconds:g} s"
        if not search.open:
            return nothing("infeasible", NAME, _why_not(problem), seconds=spent(), seed=seed)
        return nothing("out_of_time", NAME, (why,), seconds=spent(), seed=seed)
    bound = None
    if aversion is None and relaxed.status == "optimal":
        top = search.top if search.open else -math.inf
        bound = max(best.worth, top) if math.isfinite(best.worth) else None
    return found(
        problem, NAME, best.split, bound=bound, seconds=spent(), seed=seed, dual_prices=_prices(layout, relaxed),
        reason=f"stopped after {budget.seconds:g} s" if search.open else "",
    )  # fmt: skip


class _Search:
    """Depth-first branch and bound. `open`: it ended before everything was looked at; `top` bounds the rest."""

    def __init__(
        self, problem: Problem, layout: Layout, cones: Cones, aversion: float | None, deadline: float
    ) -> None:
        self._problem, self._layout, self._cones, self._aversion = problem, layout, cones, aversion
        self._deadline = deadline
        self._closed = CLOSED * layout.money
        self.best = Best(None, -math.inf)
        self.top = math.inf
        self.open = True
        self._offer(present_split(problem))

    def run(self, relaxed: Found) -> None:
        """Look at everything, or as much as there is time for."""
        waiting: list[tuple[dict[int, tuple[float, float]], Found | None, float]] = [
            ({}, relaxed, self._usd(relaxed.bound))
        ]
        while waiting:
            fixed, outcome, bound = waiting.pop()
            if bound <= self.best.worth + self._closed:
                continue
            left = self._deadline - time.perf_counter()
            if outcome is None and left > 0.0:
                outcome = self._cones.solve(left, fixed)
            if left <= 0.0 or outcome is None or outcome.status == "out_of_time":
                self.top = max([bound, *(each for _, _, each in waiting)])
                return
            if outcome.status == "infeasible" or self._usd(outcome.bound) <= self.best.worth + self._closed:
                continue
            self._offer(self._split(outcome))
            waiting += self._branches(fixed, outcome)
        self.open = False
        self.top = self.best.worth

    def _branches(
        self, fixed: dict[int, tuple[float, float]], outcome: Found
    ) -> Iterator[tuple[dict[int, tuple[float, float]], Found | None, float]]:
        """Both sides of the least whole of the columns that must be whole, the nearer one to be looked at first.

        What is yielded last is looked at first.
        """
        model = self._layout.model
        off = {column: abs(outcome.values[column] - round(outcome.values[column])) for column in model.integer}
        column = max(off, key=lambda each: off[each], default=None)
        if column is None or off[column] <= WHOLE:
            return
        value = float(outcome.values[column])
        low, high = fixed.get(column, (model.lower[column], model.upper[column]))
        sides = [(low, math.floor(value)), (math.ceil(value), high)]
        for side in sides if value - math.floor(value) >= 0.5 else sides[::-1]:
            yield {**fixed, column: side}, None, self._usd(outcome.bound)

    def _usd(self, gain: float) -> float:
        return gain * self._layout.money + self._layout.constant_usd + self._layout.tie_usd

    def _split(self, outcome: Found) -> Split:
        """The amounts of an outcome, whole where they must be, and no more than its incomes need."""
        split = {}
        for node in self._problem.nodes:
            amounts = _amounts(self._problem, self._layout, node, outcome)
            split[node.name] = _earning(node, amounts, self._income(node, outcome))
        return fitted(self._problem, split)

    def _income(self, node: ProblemNode, outcome: Found) -> float:
        """What the model lets a node earn, when it runs."""
        levels = self._layout.levels.get(node.name, ())
        return node.base_usd_per_hour + sum(
            usd * max(float(outcome.values[column]), 0.0) for column, usd in levels
        )

    def _offer(self, split: Split) -> None:
        """Keep a split if it is allowed and better."""
        if not _allowed(self._problem, split, bounded=self._aversion is None):
            return
        worth = objective(self._problem, split)
        if self._aversion is not None:
            worth -= self._aversion * variance_of(self._problem, split)
        if worth > self.best.worth:
            self.best = Best(split, worth)


def _amounts(problem: Problem, layout: Layout, node: ProblemNode, outcome: Found) -> Resources:
    on = layout.on.get(node.name)
    if on is not None and outcome.values[on] < 0.5:
        return resources({span.resource: 0.0 for span in spans(problem, node)})
    amounts = {}
    for span in spans(problem, node):
        columns = layout.moves.get((node.name, span.resource))
        moved = 0.0 if columns is None else float(outcome.values[columns[0]] - outcome.values[columns[1]])
        amount = span.present if abs(moved) <= STILL else span.present + moved * layout.scale[span.resource]
        if amount != span.present and span.step is not None:
            amount = span.floor + span.step * math.floor((amount - span.floor) / span.step + WHOLE)
        amounts[span.resource] = amount if amount == span.present else min(max(amount, span.least), span.most)
    return resources(amounts)


def _earning(node: ProblemNode, amounts: Resources, income: float) -> Resources:
    """Amounts with which a node earns no more than this: what it could earn beyond is risk that nobody wants."""
    could = evaluate(node, amounts).mean
    if could <= income + MORE * max(abs(income), abs(could)) or could == 0.0 or node.locked:
        return amounts
    taken = {name for each in node.activities for name, amount in each.takes.known() if amount > 0.0}
    least = {name: max(node.floor.or_zero(name), node.need.or_zero(name)) for name in taken}

    def at(share: float) -> Resources:
        return resources(
            {
                name: amount if name not in taken else least[name] + share * max(amount - least[name], 0.0)
                for name, amount in amounts.known()
            }
        )

    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if evaluate(node, at(middle)).mean <= income else (low, middle)
    return at(low)


def _allowed(problem: Problem, split: Split, *, bounded: bool) -> bool:
    """Whether a split keeps to every rule, roundings aside."""
    scale = scales(problem)
    for node in problem.nodes:
        given, stopped = split[node.name], node.may_stop and not runs(node, split[node.name])
        for span in spans(problem, node):
            amount, slack = given.or_zero(span.resource), 100.0 * TIGHT * scale[span.resource]
            if span.fixed and abs(amount - span.present) > slack:
                return False
            if stopped:
                if amount > slack:
                    return False
                continue
            whole = amount == span.present or span.on_grid(amount)
            if not whole or not span.least - slack <= amount <= span.most + slack:
                return False
    for name, capacity in problem.capacity.known():
        if math.fsum(each.or_zero(name) for each in split.values()) > capacity + 100.0 * TIGHT * scale[name]:
            return False
    if problem.max_changes is not None and changes(problem, split) > problem.max_changes:
        return False
    running = running_nodes(problem, split) if problem.groups else set()
    if any(len(running.intersection(group.nodes)) > group.most for group in problem.groups):
        return False
    at_most = problem.max_variance
    return not bounded or at_most is None or variance_of(problem, split) <= at_most * (1.0 + RISK) + 1e-18


def _prices(layout: Layout, relaxed: Found) -> Resources:
    if not relaxed.prices.size:
        return Resources()
    per_hour = layout.money / layout.problem.horizon_h
    return resources(
        {
            name: max(float(relaxed.prices[row]) * per_hour / layout.scale[name], 0.0)
            for name, row in layout.capacity_rows.items()
        }
    )


def _why_not(problem: Problem) -> tuple[str, ...]:
    """Why there is no split: the constraints, or the least variance that they allow."""
    from orch.solvers.cones import Cones

    free = replace(problem, max_variance=None)
    if problem.max_variance is None:
        return why_infeasible(free)
    layout = build(free)
    layout.model.gain = [0.0] * len(layout.model.gain)
    layout.money = max(problem.max_variance, *(abs(each) for row in problem.covariance for each in row)) or 1.0
    least = Cones(layout, aversion=1.0).solve(1.0)
    if least.status == "infeasible":
        return why_infeasible(free)
    said = f"at least {-least.gain * layout.money:.3g} " if least.status == "optimal" else "more "
    return (f"every split varies by {said}and at most {problem.max_variance:.3g} (USD/h)^2 is asked for",)
