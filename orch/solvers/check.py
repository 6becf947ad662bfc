"""An independent check of answers: what a solver claims, held against the problem's own words.

Shares no code with any solver. What an allocation earns is found by a small simplex of its own (Bland's rule, on
plain lists, one node at a time), or, where no activity takes more than one resource, by buying the dearest first.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from orch.model.resources import RESOURCES
from orch.solvers.objectives import extra_usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orch.model.problems import Activity, Answer, Problem, ProblemNode
    from orch.model.resources import ResourceName, Resources

AMOUNT = 1e-6
"""Tolerance of amounts, as a share of the resource's capacity."""
MONEY = 1e-5
"""Tolerance of money, as a share of what the whole problem is worth."""
VARIANCE = 1e-6
"""Tolerance of a bounded variance, as a share of the bound."""
Split: TypeAlias = "dict[str, Resources]"
Slacks: TypeAlias = "dict[ResourceName, float]"
Paying: TypeAlias = "Sequence[tuple[Activity, dict[ResourceName, float]]]"


def check(problem: Problem, answer: Answer) -> tuple[str, ...]:
    """What is wrong with an answer, in words; empty when it may be believed.

    Constraints, the claimed objective, bound and gap are all checked. An answer without a split (infeasible, out
    of time) is wrong only if it calls a problem infeasible that the present split satisfies.
    """
    if not answer.shares and answer.status in ("infeasible", "out_of_time"):
        return tuple(_false_despair(problem, answer))
    names = [share.node for share in answer.shares]
    if sorted(names) != sorted(node.name for node in problem.nodes):
        return (f"the answer is about {', '.join(names) or 'nobody'}, not about each node once",)
    split = {share.node: share.allocation for share in answer.shares}
    wrong = [*violations(problem, split)]
    if not wrong:
        wrong += _false_claims(problem, answer, split)
    return tuple(wrong)


def objective(problem: Problem, split: Split) -> float:
    """The problem's objective of a split, in USD over the horizon, recomputed from nothing but the problem."""
    total, slacks = 0.0, _slacks(problem)
    for node in problem.nodes:
        given = split[node.name]
        total += problem.horizon_h * _income(node, given, slacks)
        moved = {name: abs((given.get(name) or 0.0) - was) for name, was in node.present.known()}
        total -= sum((node.unit_usd.get(name) or 0.0) * amount for name, amount in moved.items())
        if any(amount > slacks[name] for name, amount in moved.items()):
            total -= node.change_usd
    running = _running(problem, split, slacks)
    for pair in problem.pairs:
        if pair.first in running and pair.second in running:
            total += problem.horizon_h * pair.usd_per_hour
    return total + problem.horizon_h * extra_usd_per_hour(problem, [split])[0]


def variance(problem: Problem, split: Split) -> float:
    """The variance of a split's hourly income, (USD/h)^2, by the words of the problem."""
    slacks, count = _slacks(problem), len(problem.nodes)
    exposures = []
    for index, node in enumerate(problem.nodes):
        here = problem.covariance_at[index] if problem.covariance_at else _income(node, node.present, slacks)
        exposures.append(_income(node, split[node.name], slacks) / here if here > 0.0 else 1.0)
    return math.fsum(
        exposures[i] * exposures[j] * problem.covariance[i][j] for i in range(count) for j in range(count)
    )


def violations(problem: Problem, split: Split) -> tuple[str, ...]:
    """The constraints of a problem that a split violates, one sentence each."""
    slacks = _slacks(problem)
    wrong = [
        sentence
        for node in problem.nodes
        for sentence in _node_violations(problem, node, split[node.name], slacks)
    ]
    if wrong:
        return tuple(wrong)
    changed = 0
    for node in problem.nodes:
        changed += any(
            abs((split[node.name].get(name) or 0.0) - was) > slacks[name] for name, was in node.present.known()
        )
    if problem.max_changes is not None and changed > problem.max_changes:
        wrong.append(f"{changed} nodes change, and only {problem.max_changes} may")
    for name in RESOURCES:
        capacity = problem.capacity.get(name)
        if capacity is None:
            continue
        given = sum(split[node.name].get(name) or 0.0 for node in problem.nodes)
        if given > capacity + slacks[name]:
            wrong.append(f"{name}: {given:.9g} is given out, and only {capacity:.9g} may be")
    return (*wrong, *_together(problem, split, slacks))


def _together(problem: Problem, split: Split, slacks: Slacks) -> Iterator[str]:
    """What no node violates alone: groups and the variance."""
    running = _running(problem, split, slacks)
    for group in problem.groups:
        count = len(running.intersection(group.nodes))
        if count > group.most:
            yield f"{count} of {group.name} run, and only {group.most} may"
    if problem.max_variance is not None:
        risk, at_most = variance(problem, split), problem.max_variance
        if risk > at_most * (1.0 + VARIANCE) + 1e-18:
            yield f"its variance of {risk:.9g} is above {at_most:.9g} (USD/h)^2"


def _running(problem: Problem, split: Split, slacks: Slacks) -> set[str]:
    return {node.name for node in problem.nodes if not node.may_stop or _on(node, split[node.name], slacks)}


def _slacks(problem: Problem) -> Slacks:
    """How far an amount of each resource may be off."""
    global _last  # noqa: PLW0603 - the last problem's, which is asked for several times in a row
    if _last is not None and _last[0] is problem:
        return _last[1]
    slacks: Slacks = {}
    for name in RESOURCES:
        sizes = [problem.capacity.get(name) or 0.0, *((node.present.get(name) or 0.0) for node in problem.nodes)]
        slacks[name] = AMOUNT * (max(sizes) or 1.0)
    _last = (problem, slacks)
    return slacks


_last: tuple[Problem, Slacks] | None = None


def _needs(node: ProblemNode, name: ResourceName) -> float:
    need = node.need.get(name)
    return (node.floor.get(name) or 0.0) if need is None else need


def _on(node: ProblemNode, given: Resources, slacks: Slacks) -> bool:
    """Whether a node has all it needs to run."""
    for name, _ in node.present.known():
        least = max(node.floor.get(name) or 0.0, _needs(node, name))
        if (given.get(name) or 0.0) < least - min(slacks[name], least / 2.0):
            return False
    return True


def _node_violations(problem: Problem, node: ProblemNode, given: Resources, slacks: Slacks) -> Iterator[str]:
    for name in RESOURCES:
        was, now = node.present.get(name), given.get(name)
        if was is None:
            if now is not None:
                yield f"{node.name} is given {now:g} {name}, and what it has now is unknown"
        elif now is None or not math.isfinite(now):
            yield f"{node.name} is given no amount of {name}"
        elif now < 0.0:
            yield f"{node.name} is given {now:g} {name}"
        else:
            yield from _amount_violations(problem, node, name, was, now, slacks[name])
    running = _on(node, given, slacks)
    if not running and not node.may_stop:
        yield f"{node.name} gets less than its floor or need, and may not stop"
    if not running and node.may_stop:
        for name, now in given.known():
            if now > slacks[name]:
                yield f"{node.name} gets {now:.9g} {name}, too little to run and more than nothing"


def _amount_violations(
    problem: Problem, node: ProblemNode, name: ResourceName, was: float, now: float, slack: float
) -> Iterator[str]:
    if (node.locked or problem.capacity.get(name) is None) and abs(now - was) > slack:
        why = "it is locked" if node.locked else "the capacity is unknown"
        yield f"{node.name} goes from {was:.9g} to {now:.9g} {name}, although {why}"
    cap = node.cap.get(name)
    if cap is not None and now > cap + slack:
        yield f"{node.name} gets {now:.9g} {name}, above its cap of {cap:.9g}"
    step = node.step.get(name)
    if step is None or step <= 0.0 or abs(now - was) <= slack:
        return
    steps = (now - (node.floor.get(name) or 0.0)) / step
    stopped = node.may_stop and now <= slack
    if abs(steps - round(steps)) * step > slack + AMOUNT * step and not stopped:
        yield f"{node.name} gets {now:.9g} {name}, not a whole number of steps of {step:g}"


def _size(problem: Problem) -> float:
    """What the whole problem is about, in USD over the horizon, for tolerances."""
    most, costs, slacks = 0.0, 0.0, _slacks(problem)
    for node in problem.nodes:
        most += abs(node.base_usd_per_hour)
        costs += node.change_usd
        costs += sum(unit * slacks[name] / AMOUNT for name, unit in node.unit_usd.known())
        for each in node.activities:
            ways = [
                (max(problem.capacity.get(name) or 0.0, node.present.get(name) or 0.0)) / amount
                for name, amount in each.takes.known()
                if amount > 0.0
            ]
            most += abs(each.usd_per_hour) * min([each.width, *ways])
        for law in node.laws:
            most += abs(law.usd_per_hour) * math.pow(slacks[law.resource] / AMOUNT, law.power)
    most += sum(abs(pair.usd_per_hour) for pair in problem.pairs)
    return max(most * problem.horizon_h + costs, 1e-9)


def _false_claims(problem: Problem, answer: Answer, split: Split) -> Iterator[str]:
    worth, slack = objective(problem, split), MONEY * _size(problem)
    claimed, bound = answer.objective_usd, answer.bound_usd
    if answer.status not in ("optimal", "feasible"):
        yield f"it calls itself {answer.status} and gives a split that satisfies everything"
    if claimed is None or not math.isfinite(claimed):
        yield "it claims no objective"
    elif abs(claimed - worth) > slack:
        yield f"it claims {claimed:.9g} USD, and the split is worth {worth:.9g}"
    if bound is not None and not bound >= worth - slack:
        yield f"its bound of {bound:.9g} USD is below what its own split is worth, {worth:.9g}"
    if answer.status == "optimal":
        if bound is None or bound > worth + slack:
            yield "it calls itself optimal without a bound that shows it"
        present = {node.name: node.present for node in problem.nodes}
        if present != split and not violations(problem, present):
            kept = objective(problem, present)
            if kept > worth + slack:
                yield f"it calls itself optimal, and keeping all is worth {kept:.9g} USD"


def _false_despair(problem: Problem, answer: Answer) -> Iterator[str]:
    present = {node.name: node.present for node in problem.nodes}
    if answer.status == "infeasible" and not violations(problem, present):
        yield "it calls the problem infeasible, and the present split satisfies everything"


def _income(node: ProblemNode, given: Resources, slacks: Slacks) -> float:
    """USD per hour of one node."""
    if node.may_stop and not _on(node, given, slacks):
        return 0.0
    room = {name: max((given.get(name) or 0.0) - _needs(node, name), 0.0) for name, _ in node.present.known()}
    paying = [
        (each, {name: amount for name, amount in each.takes.known() if amount > 0.0 and name in room})
        for each in node.activities
        if each.usd_per_hour > 0.0 and each.width > 0.0
    ]
    base = node.base_usd_per_hour + sum(
        law.usd_per_hour * math.pow(room[law.resource], law.power) for law in node.laws if law.resource in room
    )
    if all(len(takes) <= 1 for _, takes in paying):
        return base + _dearest_first(paying, room)
    return base + _simplex(paying, room)


def _dearest_first(paying: Paying, room: dict[ResourceName, float]) -> float:
    worth = math.fsum(each.usd_per_hour * each.width for each, takes in paying if not takes)
    for name, left in room.items():
        own = [
            (each.usd_per_hour / takes[name], each.width * takes[name]) for each, takes in paying if name in takes
        ]
        for per_unit, most in sorted(own, key=lambda one: -one[0]):
            units = min(left, most)
            worth += per_unit * units
            left -= units  # noqa: PLW2901 - what is left of this resource
    return worth


def _simplex(paying: Paying, room: dict[ResourceName, float]) -> float:
    """Maximise worth of levels within room and widths: a tableau whose slack variables are the first basis.

    Levels are numbered from 0, slack variables after them; only the columns of what is outside the basis are kept,
    for those of the basis are a one and zeros.
    """
    table: list[list[float]] = []
    for name, left in room.items():
        row = [takes.get(name, 0.0) for _, takes in paying]
        if any(row):
            size = max(row)
            table.append([*(value / size for value in row), left / size])
    count = len(paying)
    for index, (each, _) in enumerate(paying):
        if math.isfinite(each.width):
            table.append([0.0] * count + [each.width])
            table[-1][index] = 1.0
    goal = [-each.usd_per_hour for each, _ in paying] + [0.0]
    tiny = -1e-12 * max(each.usd_per_hour for each, _ in paying)
    outside, basis = list(range(count)), list(range(count, count + len(table)))
    for _ in range(200 + 50 * (count + len(table) + 1)):
        entering = [(number, place) for place, number in enumerate(outside) if goal[place] < tiny]
        if not entering:
            return goal[-1]
        _, enter = min(entering)
        ratios = [(row[-1] / row[enter], basis[i], i) for i, row in enumerate(table) if row[enter] > 1e-12]
        if not ratios:
            return math.inf
        _, _, leave = min(ratios)
        _pivot(table, goal, leave, enter)
        basis[leave], outside[enter] = outside[enter], basis[leave]
    return goal[-1]


def _pivot(table: list[list[float]], goal: list[float], leave: int, enter: int) -> None:
    """Solve a row for what enters; its column becomes that of what leaves."""
    row = table[leave]
    by, row[enter] = row[enter], 1.0
    table[leave] = row = [value / by for value in row]
    for other in (*table, goal):
        by = other[enter]
        if by and other is not row:
            other[enter] = 0.0
            other[:] = [value - by * own for value, own in zip(other, row, strict=True)]
