"""A problem as columns and rows for HiGHS, scaled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orch.solvers.highs import Model
from orch.solvers.spans import TIGHT, Span, can_stop, idle, scales, spans

if TYPE_CHECKING:
    from orch.model.problems import Problem, ProblemNode
    from orch.model.resources import ResourceName
    from orch.solvers.highs import Outcome

TIE = 2e-8
"""What moving a whole capacity costs, as a share of the largest coefficient: it breaks ties, no more."""


class Layout:
    """Where the parts of a problem are in the model.

    `given` is what is given out now by resource, in its unit. `moves` has the growth and shrinkage columns by node
    and resource, in shares of the resource's scale, `levels`
    the columns of activities by node, with what each earns in USD per hour when it is 1. `money`
    is the USD of one unit of the model's objective, `constant_usd` what is earned whatever is decided.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.model = Model()
        self.scale = scales(problem)
        self.given = {name: math.fsum(node.present.or_zero(name) for node in problem.nodes) for name in self.scale}
        self.money = 1.0
        self.constant_usd = 0.0
        self.moves: dict[tuple[str, ResourceName], tuple[int, int]] = {}
        self.on: dict[str, int] = {}
        self.changed: dict[str, int] = {}
        self.levels: dict[str, list[tuple[int, float]]] = {}
        self.capacity_rows: dict[ResourceName, int] = {}
        self.tie_usd = 0.0

    def bound_usd(self, outcome: Outcome) -> float:
        """An upper bound of the problem's objective: the model's, without what breaks ties."""
        return outcome.bound * self.money + self.constant_usd + self.tie_usd


def build(problem: Problem) -> Layout:
    """The model of a problem without faults or conflicts."""
    layout = Layout(problem)
    for node in problem.nodes:
        _add_node(layout, node)
    _add_capacities(layout)
    _add_pairs(layout)
    _add_groups(layout)
    if problem.max_changes is not None:
        terms = [(column, 1.0) for column in layout.changed.values()]
        layout.model.row(-math.inf, float(max(problem.max_changes, 0)), terms)
    _scale_money(layout)
    return layout


def _add_node(layout: Layout, node: ProblemNode) -> None:
    """Columns and rows of one node; gains in USD over the horizon."""
    problem, model = layout.problem, layout.model
    stoppable = can_stop(problem, node)
    if stoppable:
        layout.on[node.name] = model.column(
            0.0, 1.0, gain=problem.horizon_h * node.base_usd_per_hour, integer=True
        )
    else:
        layout.constant_usd += problem.horizon_h * node.base_usd_per_hour
    ranges = [(span, _most(layout, node, span)) for span in spans(problem, node)]
    if not node.locked and (node.change_usd > 0.0 or problem.max_changes is not None):
        layout.changed[node.name] = model.column(0.0, 1.0, gain=-node.change_usd, integer=True)
    for span, most in ranges:
        _add_move(layout, node, span, most, stoppable=stoppable)
    if node.activities:
        _add_levels(layout, node, ranges)


def _add_move(layout: Layout, node: ProblemNode, span: Span, most: float, *, stoppable: bool) -> None:
    model, size, least = layout.model, layout.scale[span.resource], span.least
    if span.fixed:
        if stoppable and least > span.present:
            model.row(-math.inf, 0.0, [(layout.on[node.name], 1.0)])
        return
    up = max(most - span.present, 0.0)
    up_least = 0.0 if stoppable else max(least - span.present, 0.0)
    down = span.present if stoppable else max(span.present - least, 0.0)
    down_least = 0.0 if stoppable else max(span.present - most, 0.0)
    # A range too small to matter would become a coefficient too large to solve with.
    up, down = (0.0 if reach <= TIGHT * size else reach for reach in (up, down))
    cost = -span.unit_usd * size
    grow = model.column(min(up_least, up) / size, up / size, gain=cost)
    shrink = model.column(min(down_least, down) / size, down / size, gain=cost)
    layout.moves[node.name, span.resource] = (grow, shrink)
    moved = [(grow, 1.0), (shrink, -1.0)]
    if stoppable:
        on = layout.on[node.name]
        model.row(-math.inf, -span.present / size, [*moved, (on, -most / size)])
        model.row(-span.present / size, math.inf, [*moved, (on, -least / size)])
    changed = layout.changed.get(node.name)
    if changed is not None:
        ranges = ((grow, model.upper[grow]), (shrink, model.upper[shrink]))
        model.row(-math.inf, 0.0, [*((column, 1.0 / top) for column, top in ranges if top > 0.0), (changed, -1.0)])
    if span.step is not None:
        _add_steps(layout, node, span, most)


def _most(layout: Layout, node: ProblemNode, span: Span) -> float:
    """A node's cap; without one, more than the capacity.

    Were it the capacity itself, two limits would bind at once and share the capacity's price between them.
    """
    beyond = 2.0 * layout.scale[span.resource] + span.present
    if layout.problem.capacity.or_zero(span.resource) <= 0.0:
        beyond = span.present
    return beyond if node.cap.get(span.resource) is None else min(span.most, beyond)


def _add_steps(layout: Layout, node: ProblemNode, span: Span, most: float) -> None:
    """`x == on * floor + step * k`; a present amount between two steps may also stay."""
    model, size, step = layout.model, layout.scale[span.resource], span.step or 1.0
    grow, shrink = layout.moves[node.name, span.resource]
    on = layout.on.get(node.name)
    top = max(math.floor((most - span.floor) / step + 1e-6), 0)
    count = model.column(0.0, float(top), integer=True)
    terms = [(grow, 1.0), (shrink, -1.0), (count, -step / size)]
    start = -span.present / size
    if on is None:
        start += span.floor / size
    else:
        terms.append((on, -span.floor / size))
    if not span.on_grid(span.present):
        stays = model.column(0.0, 1.0, integer=True)
        terms.append((stays, -(span.present - span.floor) / size))
        model.row(-math.inf, float(top), [(count, 1.0), (stays, float(top))])
        if on is not None:
            model.row(-math.inf, 0.0, [(stays, 1.0), (on, -1.0)])
    model.row(start, start, terms)


def _add_levels(layout: Layout, node: ProblemNode, ranges: list[tuple[Span, float]]) -> None:
    """Columns are shares of an activity's width; one row per resource that activities take."""
    problem, model, on = layout.problem, layout.model, layout.on.get(node.name)
    room = {span.resource: max((span.present if span.fixed else most) - span.need, 0.0) for span, most in ranges}
    taken: dict[ResourceName, list[tuple[int, float]]] = {}
    levels = layout.levels.setdefault(node.name, [])
    for activity in node.activities:
        takes = [(name, amount) for name, amount in activity.takes.known() if amount > 0.0 and name in room]
        width = min([activity.width, *(room[name] / amount for name, amount in takes)])  # what caps leave room for
        if width <= 0.0 or activity.usd_per_hour <= 0.0 or not math.isfinite(width):
            continue
        column = model.column(0.0, 1.0, gain=problem.horizon_h * activity.usd_per_hour * width)
        levels.append((column, activity.usd_per_hour * width))
        if on is not None:
            model.row(-math.inf, 0.0, [(column, 1.0), (on, -1.0)])
        for name, amount in takes:
            taken.setdefault(name, []).append((column, -amount * width / layout.scale[name]))
    for span, _ in ranges:
        if span.resource not in taken:
            continue
        size = layout.scale[span.resource]
        grow, shrink = layout.moves.get((node.name, span.resource), (None, None))
        terms = taken[span.resource]
        if grow is not None and shrink is not None:
            terms = [*terms, (grow, 1.0), (shrink, -1.0)]
        limit = -span.present / size
        if on is None:
            limit += span.need / size
        else:
            terms = [*terms, (on, -span.need / size)]
        model.row(limit, math.inf, terms)


def _add_pairs(layout: Layout) -> None:
    """A column `z` per pair of which a node may stop: `z <= on` of each, or `z >= on + on - 1` where it costs."""
    problem, model = layout.problem, layout.model
    for pair in problem.pairs:
        gain = problem.horizon_h * pair.usd_per_hour
        ons = [layout.on[each] for each in (pair.first, pair.second) if each in layout.on]
        stopped = {node.name for node in problem.nodes if idle(problem, node)}
        if {pair.first, pair.second} & stopped or gain == 0.0:
            continue
        if not ons:
            layout.constant_usd += gain
        elif len(ons) == 1:
            model.gain[ons[0]] += gain
        elif gain > 0.0:
            both = model.column(0.0, 1.0, gain=gain)
            for on in ons:
                model.row(-math.inf, 0.0, [(both, 1.0), (on, -1.0)])
        else:
            both = model.column(0.0, 1.0, gain=gain)
            model.row(-1.0, math.inf, [(both, 1.0), *((on, -1.0) for on in ons)])


def _add_groups(layout: Layout) -> None:
    problem, model = layout.problem, layout.model
    nodes = {node.name: node for node in problem.nodes}
    for group in problem.groups:
        members = dict.fromkeys(group.nodes)
        always = sum(each not in layout.on and not idle(problem, nodes[each]) for each in members)
        terms = [(layout.on[each], 1.0) for each in members if each in layout.on]
        if terms or always > group.most:
            # Without a term the row cannot hold, and says so.
            model.row(-math.inf, float(group.most - always), terms)


def _add_capacities(layout: Layout) -> None:
    terms: dict[ResourceName, list[tuple[int, float]]] = {}
    for (_, name), (grow, shrink) in layout.moves.items():
        terms.setdefault(name, []).extend(((grow, 1.0), (shrink, -1.0)))
    for name, capacity in layout.problem.capacity.known():
        if name in terms:
            room = (capacity - layout.given[name]) / layout.scale[name]
            layout.capacity_rows[name] = layout.model.row(-math.inf, room, terms[name])


def _scale_money(layout: Layout) -> None:
    model = layout.model
    largest = max((abs(gain) for gain in model.gain), default=0.0)
    layout.money = largest or 1.0
    model.gain = [gain / layout.money for gain in model.gain]
    for grow, shrink in layout.moves.values():
        model.gain[grow] -= TIE
        model.gain[shrink] -= TIE
    # No split grows by more than the capacity or shrinks by more than what is given out now.
    most = 0.0
    for name, size in layout.scale.items():
        most += (layout.problem.capacity.or_zero(name) + layout.given[name]) / size
    layout.tie_usd = TIE * largest * most
