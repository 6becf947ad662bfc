"""A problem as a menu: what each node may be (stopped, unchanged, free, at a step), and what that brings.

Every option of a node has a constant worth, an amount it takes of every row (capacities in shares of themselves,
the number of changes, the groups), and stretches by which it can grow: a stretch between 0 and 1 of which brings
`gain` USD over the horizon and takes `take` of the rows. Where moving costs by the unit, amounts a node has and
does not use may be `held`, which saves that cost and takes what is held; what is held or grown into is one
stock.

The stretches of one option are concave: at any prices of the rows the earlier ones are worth more. Choosing an
option for every node leaves a linear program with as few rows as there are resources (`orch.solvers.inner`).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from orch.solvers.inner import split_of_choice
from orch.solvers.levels import evaluate, ranked, runs
from orch.solvers.spans import TIGHT, can_stop, idle, may_keep, spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from orch.model.problems import Problem, ProblemNode
    from orch.model.resources import ResourceName, Resources
    from orch.solvers.inner import Chosen
    from orch.solvers.levels import Paying
    from orch.solvers.spans import Span

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]
    Flags: TypeAlias = NDArray[np.bool_]

Kind: TypeAlias = Literal["off", "keep", "free"]
MOST_LEVELS = 48
"""A node with more combinations of whole steps than this is not put on a menu."""
SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Of what a node may be given: its options beside the free one, where a plug-in judges."""


class Path(NamedTuple):
    """Resources that grow together: from `start`, by `per_unit` each for a unit of the path."""

    start: dict[ResourceName, float]
    per_unit: dict[ResourceName, float]


class Stretch(NamedTuple):
    """A part of a path, `length` units long."""

    path: int
    length: float
    gain: float
    take: dict[ResourceName, float]
    stock: dict[ResourceName, float]


class Hold(NamedTuple):
    """An amount of a resource that a node has, need not use, and would pay `unit_usd` per unit to give away."""

    resource: ResourceName
    amount: float
    unit_usd: float


class Option(NamedTuple):
    """One thing a node may be. `least` is what it is given before it grows or holds anything."""

    node: int
    kind: Kind
    runs: bool
    changed: bool
    constant: float
    least: dict[ResourceName, float]
    paths: tuple[Path, ...]
    stretches: tuple[Stretch, ...]
    holds: tuple[Hold, ...]


class NoMenuError(ValueError):
    """A problem whose options cannot be listed: mixed proportions within a node, or too many steps."""


class Menu:
    """The options of all nodes as arrays. `of_node` has their places by node; rows are scaled to limits of 1.

    Args:
        problem: One without faults or conflicts.

    Raises:
        NoMenuError: A node's activities share resources in different proportions, or its steps are too many.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.options: list[Option] = []
        self.of_node: list[list[int]] = []
        for index, node in enumerate(problem.nodes):
            first = len(self.options)
            self.options += options_of(problem, index, node)
            self.of_node.append(list(range(first, len(self.options))))
        self.capacities: list[ResourceName] = [name for name, _ in problem.capacity.known()]
        self.names = {node.name: index for index, node in enumerate(problem.nodes)}
        self._rows()
        self._stretches()
        self._pairs()

    @property
    def possible(self) -> bool:
        """Whether every node has an option."""
        return all(self.of_node)

    def _rows(self) -> None:
        problem, options = self.problem, self.options
        capacity = dict(problem.capacity.known())
        self.size = [capacity[name] if capacity[name] > 0.0 else 1.0 for name in self.capacities]
        limit = [1.0 if capacity[name] > 0.0 else 0.0 for name in self.capacities]
        columns = [
            [option.least.get(name, 0.0) / size for option in options]
            for name, size in zip(self.capacities, self.size, strict=True)
        ]
        if problem.max_changes is not None:
            limit.append(float(max(problem.max_changes, 0)))
            columns.append([float(option.changed) for option in options])
        for group in problem.groups:
            members = {self.names[each] for each in group.nodes}
            limit.append(float(group.most))
            columns.append([float(option.runs and option.node in members) for option in options])
        self.limit: Floats = np.array(limit)
        self.uses: Floats = np.array(columns).T.reshape(len(options), len(limit))
        self.constant: Floats = np.array([option.constant for option in options])
        self.runs: Flags = np.array([option.runs for option in options], dtype=bool)
        self.node_of: Ints = np.array([option.node for option in options], dtype=np.int64)
        self.first: Ints = np.array([each[0] if each else 0 for each in self.of_node], dtype=np.int64)

    def _stretches(self) -> None:
        """Stretches and holds, flat; `stock` and `unit` are by capacity, in scaled amounts."""
        flat = [(place, each) for place, option in enumerate(self.options) for each in option.stretches]
        held = [(place, each) for place, option in enumerate(self.options) for each in option.holds]
        rows, count = len(self.capacities), len(self.limit)
        where = {name: row for row, name in enumerate(self.capacities)}
        self.gain: Floats = np.array([each.gain for _, each in flat], dtype=float)
        self.take: Floats = np.zeros((len(flat), count))
        self.stock: Floats = np.zeros((len(flat), rows))
        self.option_of: Ints = np.array([place for place, _ in flat], dtype=np.int64)
        self.hold_of: Ints = np.array([place for place, _ in held], dtype=np.int64)
        self.hold_row: Ints = np.array([where[each.resource] for _, each in held], dtype=np.int64)
        self.hold_amount: Floats = np.array([each.amount / self.size[where[each.resource]] for _, each in held])
        self.hold_unit: Floats = np.array([each.unit_usd * self.size[where[each.resource]] for _, each in held])
        units = np.zeros((len(self.options), rows))
        units[self.hold_of, self.hold_row] = self.hold_unit
        for index, (_, each) in enumerate(flat):
            for name, amount in each.take.items():
                self.take[index, where[name]] = amount / self.size[where[name]]
            for name, amount in each.stock.items():
                self.stock[index, where[name]] = amount / self.size[where[name]]
        self.unit: Floats = units[self.option_of] if flat else np.zeros((0, rows))
        begins = np.searchsorted(self.option_of, np.arange(len(self.options) + 1))
        self.stretch_range = [(int(a), int(b)) for a, b in itertools.pairwise(begins)]
        hold_begins = np.searchsorted(self.hold_of, np.arange(len(self.options) + 1))
        self.hold_range = [(int(a), int(b)) for a, b in itertools.pairwise(hold_begins)]

    def _pairs(self) -> None:
        horizon = self.problem.horizon_h
        worth: dict[tuple[int, int], float] = {}
        for pair in self.problem.pairs:
            one, other = sorted((self.names[pair.first], self.names[pair.second]))
            worth[one, other] = worth.get((one, other), 0.0) + horizon * pair.usd_per_hour
        self.pairs = [(one, other, usd) for (one, other), usd in worth.items() if usd]

    def margins(self, prices: Floats) -> Floats:
        """By stretch, what it adds when every row's unit costs its price."""
        margin: Floats = self.gain - self.take @ prices
        if len(self.hold_of):
            own = prices[: len(self.capacities)]
            margin -= (self.stock * np.maximum(self.unit - own, 0.0)).sum(axis=1)
        return margin

    def worth(self, prices: Floats, margins: Floats | None = None) -> Floats:
        """By option, the most it is worth when every row's unit costs its price: an exact conjugate.

        `prices` are USD over the horizon for the whole of a row's limit of 1, not negative.
        """
        found: Floats = self.constant - self.uses @ prices
        if len(self.hold_of):
            own = prices[: len(self.capacities)]
            saved = np.maximum(self.hold_unit - own[self.hold_row], 0.0) * self.hold_amount
            found += np.bincount(self.hold_of, saved, len(found))
        if len(self.gain):
            margins = self.margins(prices) if margins is None else margins
            found += np.bincount(self.option_of, np.maximum(margins, 0.0), len(found))
        return found

    def split(self, places: Sequence[int], chosen: Chosen) -> dict[str, Resources]:
        """The allocations by node name that a choice means."""
        return split_of_choice(self, places, chosen)

    def load(self, prices: Floats, margins: Floats, chosen: Ints) -> Floats:
        """What the chosen options take of every row when each grows as far as it pays at these prices."""
        taken: Floats = self.uses[chosen].sum(axis=0)
        picked = np.zeros(len(self.constant), dtype=bool)
        picked[chosen] = True
        if len(self.gain):
            taken += ((margins > 0.0) & picked[self.option_of]) @ self.take
        if len(self.hold_of):
            kept = (self.hold_unit > prices[self.hold_row]) & picked[self.hold_of]
            rows = self.hold_row[kept]
            taken[: len(self.capacities)] += np.bincount(rows, self.hold_amount[kept], len(self.capacities))
        return taken


def options_of(problem: Problem, index: int, node: ProblemNode) -> Iterator[Option]:
    """Everything one node may be, the present split first where it is allowed."""
    ranges = spans(problem, node)
    present: dict[ResourceName, float] = dict(node.present.known())
    resting = idle(problem, node) or (can_stop(problem, node) and not any(present.values()))
    if resting or may_keep(problem, node) or node.locked:
        income = problem.horizon_h * evaluate(node, node.present).mean
        yield Option(index, "keep", runs(node, node.present), False, income, present, (), (), ())
    if node.locked:
        return
    if can_stop(problem, node) and not resting:
        moved = math.fsum(span.unit_usd * span.present for span in ranges)
        yield Option(index, "off", False, True, -node.change_usd - moved, dict.fromkeys(present, 0.0), (), (), ())
    if problem.objective is not None:
        yield from _graded(problem, index, node, ranges)
    stepped = [span for span in ranges if span.step is not None and not span.fixed]
    levels = [_levels(span, problem) for span in stepped]
    if math.prod(len(each) for each in levels) > MOST_LEVELS:
        raise NoMenuError(f"{node.name} has too many combinations of steps")
    for amounts in itertools.product(*levels):
        chosen = {span.resource: amount for span, amount in zip(stepped, amounts, strict=True)}
        option = _running(problem, index, node, ranges, chosen)
        if option is not None:
            yield option


def _graded(problem: Problem, index: int, node: ProblemNode, ranges: Sequence[Span]) -> Iterator[Option]:
    """Fixed shares of what a node may be given, for an objective whose slopes nobody knows."""
    for share in SHARES:
        chosen: dict[ResourceName, float] = {}
        for span in ranges:
            most = min(span.most, max(problem.capacity.or_zero(span.resource), 0.0))
            amount = span.least + share * max(most - span.least, 0.0)
            chosen[span.resource] = span.at_or_below(amount) if amount > span.least else amount
        option = _running(problem, index, node, ranges, chosen)
        if option is not None:
            yield option


def _levels(span: Span, problem: Problem) -> list[float]:
    """The amounts a stepped resource may have."""
    most = min(span.most, max(problem.capacity.or_zero(span.resource), 0.0))
    first = span.at_or_above(span.least)
    step = span.step or 1.0
    begin = span.floor + step * math.ceil((span.least - span.floor) / step - 1e-6)
    count = math.floor((most - begin) / step + 1e-6) + 1
    if count > MOST_LEVELS:
        raise NoMenuError(f"{span.resource} has too many steps")
    found = [begin + step * each for each in range(max(count, 0))]
    if span.least <= span.present <= most and first not in found:
        found.append(first)
    if span.least <= span.present <= most and not span.on_grid(span.present) and span.present not in found:
        found.append(span.present)
    return found


def _running(
    problem: Problem, index: int, node: ProblemNode, ranges: Sequence[Span], chosen: dict[ResourceName, float]
) -> Option | None:
    constant = problem.horizon_h * node.base_usd_per_hour - node.change_usd
    least: dict[ResourceName, float] = {}
    most: dict[ResourceName, float] = {}
    present: dict[ResourceName, float] = {}
    unit: dict[ResourceName, float] = {}
    need: dict[ResourceName, float] = {}
    holds: list[Hold] = []
    for span in ranges:
        name = span.resource
        low, high = span.least, min(span.most, max(problem.capacity.or_zero(name), 0.0))
        if span.fixed:
            low = high = span.present
        elif name in chosen:
            low = high = chosen[name]
        slack = TIGHT * max(high, low)
        if low > high + slack or low < span.least - slack:
            return None
        least[name], most[name], need[name] = low, max(high, low), span.need
        present[name], unit[name] = span.present, span.unit_usd
        constant -= span.unit_usd * abs(low - span.present)
        spare = min(span.present, high) - low
        if spare > 0.0 and span.unit_usd > 0.0:
            holds.append(Hold(name, spare, span.unit_usd))
    paths: list[Path] = []
    stretches: list[Stretch] = []
    for group, same_direction in ranked(node.activities, tuple(least)):
        if not group[0].takes:
            constant += problem.horizon_h * group[0].width * group[0].usd_per_hour
            continue
        if not same_direction:
            raise NoMenuError(f"{node.name} has activities of different proportions")
        paths.append(Path(need, group[0].takes))
        stretches += _path(problem, len(paths) - 1, group, paths[-1], least, most, present, unit)
    return Option(index, "free", True, True, constant, least, tuple(paths), tuple(stretches), tuple(holds))


def _path(
    problem: Problem, place: int, group: Sequence[Paying], path: Path,
    least: dict[ResourceName, float], most: dict[ResourceName, float],
    present: dict[ResourceName, float], unit: dict[ResourceName, float],
) -> Iterator[Stretch]:  # fmt: skip
    """The stretches of a path: cut where an activity ends, and where what is used for nothing or held ends."""
    start, per_unit = path
    end = min((most[name] - start[name]) / amount for name, amount in per_unit.items())
    lead = next(iter(per_unit))
    cuts = {(least[name] - start[name]) / amount for name, amount in per_unit.items()}
    cuts |= {(present[name] - start[name]) / amount for name, amount in per_unit.items()}
    at = 0.0
    for each in group:
        ratio = each.takes[lead] / per_unit[lead]
        until = min(at + each.width * ratio, end)
        marks = [at, *sorted(cut for cut in cuts if at < cut < until), until]
        for a, b in itertools.pairwise(marks):
            if b - a <= 0.0:
                continue
            gain = problem.horizon_h * each.usd_per_hour / ratio * (b - a)
            take: dict[ResourceName, float] = {}
            stock: dict[ResourceName, float] = {}
            for name, amount in per_unit.items():
                middle = start[name] + amount * (a + b) / 2.0
                used = amount * (b - a)
                if middle < least[name]:
                    continue
                if problem.capacity.get(name) is not None:
                    take[name] = used
                if middle < present[name]:
                    gain += unit[name] * used
                    if unit[name] > 0.0:
                        stock[name] = used
                else:
                    gain -= unit[name] * used
            if gain > 0.0:
                yield Stretch(place, b - a, gain, take, stock)
        at = until
        if at >= end:
            return
