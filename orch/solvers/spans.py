"""What each node of a problem may be given, and why a problem has no solution, in words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.model.resources import RESOURCES, ResourceName, Resources
from orch.solvers.levels import runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from orch.model.problems import Problem, ProblemNode

TIGHT = 1e-9
"""Two amounts closer than this share of a resource's scale are the same to a solver."""


class Span(Value):
    """What one running node may be given of one resource, in the resource's unit.

    `floor` is where its steps begin, `least` what it needs to run, `most` its cap. `fixed`: it keeps `present`.
    """

    resource: ResourceName
    present: float
    floor: float
    need: float
    least: float
    most: float
    step: float | None
    unit_usd: float
    fixed: bool

    def on_grid(self, amount: float) -> bool:
        """Whether an amount is a whole number of steps above the floor."""
        if self.step is None:
            return True
        steps = (amount - self.floor) / self.step
        return abs(steps - round(steps)) <= 1e-6

    def at_or_above(self, amount: float) -> float:
        """The smallest permissible amount not below this one (the present amount is always permissible)."""
        if self.step is None:
            return amount
        up = self.floor + self.step * math.ceil((amount - self.floor) / self.step - 1e-6)
        return self.present if amount <= self.present < up else up

    def at_or_below(self, amount: float) -> float:
        """The largest permissible amount not above this one."""
        if self.step is None:
            return amount
        down = self.floor + self.step * math.floor((amount - self.floor) / self.step + 1e-6)
        return self.present if down < self.present <= amount else down


class _Facts:
    """What every part of a solver asks of one problem again and again."""

    __slots__ = ("of", "problem", "scales")

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.scales = _scales(problem)
        self.of: dict[int, tuple[ProblemNode, tuple[Span, ...]]] = {}


_recent: tuple[_Facts, ...] = ()


def _facts(problem: Problem) -> _Facts:
    """Remembered for the last few problems, by identity: they are immutable, and held here."""
    global _recent  # noqa: PLW0603 - a memory of pure results, swapped whole
    for facts in _recent:
        if facts.problem is problem:
            return facts
    facts = _Facts(problem)
    _recent = (facts, *_recent[:3])
    return facts


def spans(problem: Problem, node: ProblemNode) -> tuple[Span, ...]:
    """One span per planned resource of a node: those of which its present amount is known."""
    known = _facts(problem).of
    remembered = known.get(id(node))
    if remembered is not None and remembered[0] is node:
        return remembered[1]
    found = tuple(_span(problem, node, name, present) for name, present in node.present.known())
    known[id(node)] = (node, found)
    return found


def _span(problem: Problem, node: ProblemNode, name: ResourceName, present: float) -> Span:
    floor = node.floor.or_zero(name)
    need = node.need.get(name)
    cap = node.cap.get(name)
    capacity = problem.capacity.get(name)
    step = node.step.get(name)
    return Span(
        resource=name,
        present=present,
        floor=floor,
        need=floor if need is None else need,
        least=max(floor, floor if need is None else need),
        most=(math.inf if capacity is None else max(capacity, 0.0)) if cap is None else cap,
        step=step if step is not None and step > 0.0 else None,
        unit_usd=node.unit_usd.or_zero(name),
        fixed=node.locked or capacity is None,
    )


def scales(problem: Problem) -> dict[ResourceName, float]:
    """The size of each resource's numbers: its capacity, or the largest present amount, or 1."""
    return _facts(problem).scales


def _scales(problem: Problem) -> dict[ResourceName, float]:
    found: dict[ResourceName, float] = {}
    for name in RESOURCES:
        sizes = [problem.capacity.or_zero(name), *(node.present.or_zero(name) for node in problem.nodes)]
        found[name] = max((abs(size) for size in sizes), default=0.0) or 1.0
    return found


def can_stop(problem: Problem, node: ProblemNode) -> bool:
    """Whether a node may be given nothing at all, and would then not run."""
    if not node.may_stop:
        return False
    ranges = spans(problem, node)
    needs_something = any(span.least > 0.0 for span in ranges)
    return needs_something and all(span.present <= 0.0 for span in ranges if span.fixed)


def idle(problem: Problem, node: ProblemNode) -> bool:
    """Whether a node stands still whatever is decided: it is locked with less than it needs to run."""
    if not (node.locked and node.may_stop):
        return False
    return any(span.present < span.least * (1.0 - TIGHT) for span in spans(problem, node))


def faults(problem: Problem) -> tuple[str, ...]:
    """What makes a problem meaningless: numbers that are none, names used twice, no horizon."""
    found: list[str] = []
    if not (math.isfinite(problem.horizon_h) and problem.horizon_h > 0.0):
        found.append(f"the horizon of {problem.horizon_h} h is not a time")
    names = [node.name for node in problem.nodes]
    found += [f"there are two nodes called {name}" for name in sorted(set(names)) if names.count(name) > 1]
    found += [
        f"the capacity has {amount} {name}" for name, amount in problem.capacity.known() if not _sane(amount)
    ]
    for node in problem.nodes:
        found += [f"{node.name} has {what}" for what in _node_faults(node)]
    return (*found, *_relation_faults(problem, set(names)))


def _relation_faults(problem: Problem, names: set[str]) -> Iterator[str]:
    for pair in problem.pairs:
        if not {pair.first, pair.second} <= names or pair.first == pair.second:
            yield f"{pair.first} and {pair.second} are no pair of its nodes"
        if not math.isfinite(pair.usd_per_hour):
            yield f"{pair.first} and {pair.second} earn {pair.usd_per_hour} USD/h more together"
    for group in problem.groups:
        yield from (
            f"the group {group.name} has a node {each} that is not there" for each in {*group.nodes} - names
        )
    count = len(problem.nodes)
    rows = problem.covariance
    if rows and (len(rows) != count or any(len(row) != count for row in rows)):
        yield f"the covariance is not a matrix of {count} by {count}"
    elif not all(math.isfinite(value) for row in rows for value in row):
        yield "the covariance has values that are no numbers"
    if problem.covariance_at and len(problem.covariance_at) != count:
        yield f"the covariance belongs to {len(problem.covariance_at)} rates, and there are {count} nodes"
    if problem.max_variance is not None and not problem.max_variance >= 0.0:
        yield f"a variance of at most {problem.max_variance} is asked for"
    if problem.max_variance is not None and count and not rows:
        yield "a variance is bounded, and no covariance is known"


def _sane(amount: float) -> bool:
    return math.isfinite(amount) and amount >= 0.0


def _node_faults(node: ProblemNode) -> Iterator[str]:
    amounts: tuple[tuple[str, Resources], ...] = (
        ("present", node.present),
        ("floor", node.floor),
        ("need", node.need),
        ("step", node.step),
        ("cost per unit", node.unit_usd),
        *(("activity's takes", each.takes) for each in node.activities),
    )
    for what, vector in amounts:
        for name, amount in vector.known():
            if not _sane(amount):
                yield f"a {what} of {amount} {name}"
    yield from (f"a cap of {amount} {name}" for name, amount in node.cap.known() if not amount >= 0.0)
    if not math.isfinite(node.base_usd_per_hour):
        yield f"a base income of {node.base_usd_per_hour} USD/h"
    if not _sane(node.change_usd):
        yield f"a cost per change of {node.change_usd} USD"
    if node.laws:
        yield from _law_faults(node)
    for each in node.activities:
        if not each.width >= 0.0:
            yield f"an activity {each.width} wide"
        if not math.isfinite(each.usd_per_hour):
            yield f"an activity worth {each.usd_per_hour} USD/h"
        if math.isinf(each.width) and not any(
            amount > 0.0 and node.present.get(name) is not None for name, amount in each.takes.known()
        ):
            yield "an activity without end that takes nothing that is planned"


def _law_faults(node: ProblemNode) -> Iterator[str]:
    taken = {name for each in node.activities for name, amount in each.takes.known() if amount > 0.0}
    for law in node.laws:
        if not _sane(law.usd_per_hour):
            yield f"a law of {law.usd_per_hour} USD/h"
        if not 0.0 < law.power <= 1.0:
            yield f"a law with a power of {law.power}, which is not above 0 and at most 1"
        if law.resource in taken:
            yield f"a law and something else that both earn with {law.resource}"
        taken.add(law.resource)


def conflicts(problem: Problem) -> tuple[str, ...]:
    """The constraints that contradict each other, one sentence each; empty when a split exists.

    Complete but for `max_changes`, where only the changes that every split needs are counted.
    """
    found: list[str] = []
    scale = scales(problem)
    ranges = {node.name: {span.resource: span for span in spans(problem, node)} for node in problem.nodes}
    for node in problem.nodes:
        found += _own_conflicts(problem, node, ranges[node.name].values(), scale)
    for name, capacity in problem.capacity.known():
        parts = [(node, *_must_keep(problem, node, ranges[node.name].get(name))) for node in problem.nodes]
        total = math.fsum(amount for _, amount, _ in parts)
        if total > capacity + TIGHT * scale[name]:
            few, total = _smallest(parts, capacity + TIGHT * scale[name])
            kept = ", ".join(f"{node.name} {amount:g} ({why})" for node, amount, why in few)
            found.append(
                f"{name}: {kept} must be kept, {total:g} together, and only {capacity:g} may be given out"
            )
    for group in problem.groups:
        always = [
            node.name
            for node in problem.nodes
            if node.name in group.nodes and not can_stop(problem, node) and not idle(problem, node)
        ]
        if len(always) > group.most:
            names = ", ".join(always[: max(group.most, 0) + 1])
            found.append(f"{names} may not stop, and at most {group.most} of {group.name} may run")
    return tuple(found) + (_too_few_changes(problem) if not found else ())


def _smallest(
    parts: list[tuple[ProblemNode, float, str]], limit: float
) -> tuple[list[tuple[ProblemNode, float, str]], float]:
    """The fewest amounts that exceed a limit together: the largest ones, in the problem's order."""
    total, chosen = 0.0, set()
    for index in sorted(range(len(parts)), key=lambda each: -parts[each][1]):
        chosen.add(index)
        total += parts[index][1]
        if total > limit:
            break
    return [each for index, each in enumerate(parts) if index in chosen], total


def _own_conflicts(
    problem: Problem, node: ProblemNode, ranges: Iterable[Span], scale: Mapping[ResourceName, float]
) -> Iterator[str]:
    if can_stop(problem, node) and (not node.locked or all(amount <= 0.0 for _, amount in node.present.known())):
        return
    for span in ranges:
        slack = TIGHT * scale[span.resource]
        which = "floor" if span.floor >= span.need else "need"
        if span.fixed:
            why = "is locked" if node.locked else f"keeps what it has (capacity of {span.resource} unknown)"
            if span.present < span.least - slack:
                yield f"{node.name} {why} at {span.present:g} {span.resource}, below its {which} of {span.least:g}"
            if span.present > span.most + slack:
                yield f"{node.name} {why} at {span.present:g} {span.resource}, above its cap of {span.most:g}"
        elif span.at_or_above(span.least) > span.most + slack and node.cap.get(span.resource) is not None:
            yield f"{node.name}: its {which} of {span.least:g} {span.resource} exceeds its cap of {span.most:g}"


def _must_keep(problem: Problem, node: ProblemNode, span: Span | None) -> tuple[float, str]:
    if span is None:
        return 0.0, "not planned"
    if span.fixed:
        return span.present, "locked"
    if can_stop(problem, node):
        return 0.0, "may stop"
    return span.at_or_above(span.least), "floor" if span.floor >= span.need else "need"


def kept_out(problem: Problem) -> tuple[str, ...]:
    """What the present split itself violates, one sentence each; empty when everything may stay as it is."""
    found: list[str] = []
    for node in problem.nodes:
        found += _outside(problem, node)
    scale = scales(problem)
    for name, capacity in problem.capacity.known():
        total = math.fsum(node.present.or_zero(name) for node in problem.nodes)
        if total > capacity + TIGHT * scale[name]:
            found.append(f"{name}: {total:g} is given out now, and only {capacity:g} may be")
    running = {node.name for node in problem.nodes if runs(node, node.present)}
    for group in problem.groups:
        count = len(running.intersection(group.nodes))
        if count > group.most:
            found.append(f"{count} of {group.name} run now, and only {group.most} may")
    return tuple(found)


def may_keep(problem: Problem, node: ProblemNode) -> bool:
    """Whether what a node has now is within its own floors and caps."""
    return not any(_outside(problem, node))


def _outside(problem: Problem, node: ProblemNode) -> Iterator[str]:
    if node.may_stop and all(amount <= 0.0 for _, amount in node.present.known()):
        return
    scale = scales(problem)
    for span in spans(problem, node):
        slack = TIGHT * scale[span.resource]
        if span.present < span.least - slack:
            which = "floor" if span.floor >= span.need else "need"
            yield f"{node.name} has {span.present:g} {span.resource}, below its {which} of {span.least:g}"
        if span.present > span.most + slack and node.cap.get(span.resource) is not None:
            yield f"{node.name} has {span.present:g} {span.resource}, above its cap of {span.most:g}"


def _too_few_changes(problem: Problem) -> tuple[str, ...]:
    if problem.max_changes is None:
        return ()
    allowed = max(problem.max_changes, 0)
    moving = [node.name for node in problem.nodes if any(_outside(problem, node))]
    if len(moving) > allowed:
        names = ", ".join(moving)
        return (f"{names} must change to be within floors and caps, and only {allowed} may change",)
    if allowed == 0:
        return tuple(f"{each}, and no node may change" for each in kept_out(problem))
    return ()
