"""The menu of `orch.solvers.menu`, listed by machine code from a flat problem (numba, extra `fast`).

The same options with the same stretches and holds, in the same order of nodes; only where the ordinary menu would
call for help (mixed proportions, too many steps) nothing is listed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from orch.solvers.batch_bundle_compiled import compiled, inlined
from orch.solvers.flat import BASE, CAP, CHANGE, LOCKED, MAY_STOP, WIDTH, WORTH
from orch.solvers.menu import MOST_LEVELS
from orch.solvers.spans import TIGHT
from orch.solvers.spans_compiled import income_of, levels_of, paths_of, sizes, spans_of

KEEP, OFF, FREE = 0, 1, 2
MOST_CUTS = 10


class Listed(NamedTuple):
    """Options, stretches and holds of all nodes, as `Menu` has them.

    `first` (N + 1): where the options of each node begin; `stretches`, `holds` (O + 1): the same by option. `gain`
    (S,), `take`, `stock`, `unit` (S, C) as in `Menu`; `path`, `length` (S,) and `per_unit` (S, 4) say how far what
    resources grow. `hold_row`, `hold_amount`, `hold_unit` (H,). `row_of` (4,): the row of a resource, or -1.
    """

    first: Any
    kind: Any
    runs: Any
    constant: Any
    uses: Any
    least: Any
    stretches: Any
    gain: Any
    take: Any
    stock: Any
    unit: Any
    path: Any
    length: Any
    per_unit: Any
    holds: Any
    hold_row: Any
    hold_amount: Any
    hold_unit: Any
    row_of: Any
    size: Any
    limit: Any
    counts: Any


@compiled
def listed(flat: Any) -> tuple[bool, Any]:
    """The menu of a flat problem, and whether there is one."""
    amounts, facts, capacity = flat.amounts, flat.facts, flat.capacity
    nodes, ends, horizon = len(facts), flat.ends, flat.limits[0]
    scale = sizes(amounts, capacity)
    most = 0
    cuts = 0
    levels = np.empty((4, MOST_LEVELS + 4))
    for node in range(nodes):
        combined = 1
        spans = spans_of(amounts[node], facts[node], capacity)
        if facts[node, LOCKED] == 0.0:
            for name in range(4):
                combined *= max(levels_of(spans, capacity, name, levels), 0)
            if combined > MOST_LEVELS:
                return False, _room(flat, 0, 0)
        most += combined + 2
        own = ends[node + 1] - ends[node]
        cuts += combined * (own + 2 * 4)
    out = _room(flat, most, cuts)
    for node in range(nodes):
        spans = spans_of(amounts[node], facts[node], capacity)
        good, paths = paths_of(flat.activities, ends[node], ends[node + 1], spans)
        if not good:
            return False, out
        _node(flat, out, node, spans, paths, scale, horizon, levels)
        out.first[node + 1] = out.counts[0]
    _rows(flat, out)
    return True, out


@compiled
def _room(flat: Any, options: int, stretches: int) -> Any:
    row_of = np.full(4, -1, np.int64)
    rows = 0
    for name in range(4):
        if not np.isnan(flat.capacity[name]):
            row_of[name] = rows
            rows += 1
    size = np.ones(rows)
    every = rows + len(flat.most) + (1 if flat.limits[1] < np.inf else 0)
    holds = 4 * options
    return Listed(
        np.zeros(len(flat.facts) + 1, np.int64), np.zeros(options, np.int64), np.zeros(options), np.zeros(options),
        np.zeros((options, every)), np.zeros((options, 4)), np.zeros(options + 1, np.int64), np.zeros(stretches),
        np.zeros((stretches, rows)), np.zeros((stretches, rows)), np.zeros((stretches, rows)),
        np.zeros(stretches, np.int64), np.zeros(stretches), np.zeros((stretches, 4)),
        np.zeros(options + 1, np.int64), np.zeros(holds, np.int64), np.zeros(holds), np.zeros(holds), row_of, size,
        np.zeros(every), np.zeros(3, np.int64),
    )  # fmt: skip


@inlined
def _node(flat: Any, out: Any, node: int, spans: Any, paths: Any, scale: Any, horizon: float, levels: Any) -> None:
    facts = flat.facts[node]
    may_stop, locked = facts[MAY_STOP] > 0.0, facts[LOCKED] > 0.0
    needs, still, nothing, short, outside, moved = False, True, True, False, False, 0.0
    for name in range(4):
        if spans.known[name] == 0.0:
            continue
        present, least = spans.present[name], spans.least[name]
        needs = needs or least > 0.0
        still = still and (spans.fixed[name] == 0.0 or present <= 0.0)
        nothing = nothing and present <= 0.0
        short = short or present < least * (1.0 - TIGHT)
        slack = TIGHT * scale[name]
        over = present > spans.most[name] + slack and not np.isnan(flat.amounts[node, CAP, name])
        outside = outside or present < least - slack or over
        moved += spans.unit[name] * present
    can_stop = may_stop and needs and still
    resting = (locked and may_stop and short) or (can_stop and nothing)
    if resting or not outside or (may_stop and nothing) or locked:
        on = not (may_stop and short)
        income = income_of(flat.activities, paths, spans, facts[BASE]) if on else 0.0
        _emit(out, KEEP, on, horizon * income, spans.present)
    if locked:
        return
    if can_stop and not resting:
        _emit(out, OFF, False, -facts[CHANGE] - moved, np.zeros(4))
    counts = np.ones(4, np.int64)
    for name in range(4):
        counts[name] = levels_of(spans, flat.capacity, name, levels)
    for one in range(counts[0]):
        for two in range(counts[1]):
            for three in range(counts[2]):
                for four in range(counts[3]):
                    at = (one, two, three, four)
                    _running(flat, out, node, spans, paths, horizon, levels, at)


@inlined
def _emit(out: Any, kind: int, on: bool, constant: float, least: Any) -> None:
    place = out.counts[0]
    out.kind[place] = kind
    out.runs[place] = 1.0 if on else 0.0
    out.constant[place] = constant
    out.least[place] = least
    out.stretches[place + 1] = out.counts[1]
    out.holds[place + 1] = out.counts[2]
    out.counts[0] = place + 1


@inlined
def _running(flat: Any, out: Any, node: int, spans: Any, paths: Any, horizon: float, levels: Any, at: Any) -> None:
    facts = flat.facts[node]
    constant = horizon * (facts[BASE] + paths.free) - facts[CHANGE]
    low, high, held = np.zeros(4), np.zeros(4), out.counts[2]
    for name in range(4):
        if spans.known[name] == 0.0:
            continue
        present = spans.present[name]
        capacity = flat.capacity[name]
        low[name] = spans.least[name]
        high[name] = min(spans.most[name], 0.0 if np.isnan(capacity) else capacity)
        if spans.fixed[name] > 0.0:
            low[name] = high[name] = present
        elif spans.step[name] > 0.0:
            low[name] = high[name] = levels[name, at[name]]
        slack = TIGHT * max(high[name], low[name])
        if low[name] > high[name] + slack or low[name] < spans.least[name] - slack:
            out.counts[2] = held
            return
        spare = min(present, high[name]) - low[name]
        high[name] = max(high[name], low[name])
        constant -= spans.unit[name] * abs(low[name] - present)
        if spare > 0.0 and spans.unit[name] > 0.0:
            row, place = out.row_of[name], out.counts[2]
            out.hold_row[place] = row
            out.hold_amount[place] = spare / _size(flat, name)
            out.hold_unit[place] = spans.unit[name] * _size(flat, name)
            out.counts[2] = place + 1
    for path in range(paths.many):
        _path(flat, out, spans, paths, path, low, high, horizon)
    for place in range(out.stretches[out.counts[0]], out.counts[1]):
        for hold in range(held, out.counts[2]):
            out.unit[place, out.hold_row[hold]] = out.hold_unit[hold]
    _emit(out, FREE, True, constant, low)


@inlined
def _size(flat: Any, name: int) -> float:
    return flat.capacity[name] if flat.capacity[name] > 0.0 else 1.0


@inlined
def _path(flat: Any, out: Any, spans: Any, paths: Any, path: int, low: Any, high: Any, horizon: float) -> None:
    """The stretches of a path, as the ordinary menu cuts them."""
    acts, start, end = flat.activities, paths.begins[path], paths.begins[path + 1]
    first = acts[paths.order[start]]
    until_end, lead = np.inf, -1
    marks = np.empty(MOST_CUTS)
    for name in range(4):
        if spans.known[name] > 0.0 and first[name] > 0.0:
            lead = name if lead < 0 else lead
            until_end = min(until_end, (high[name] - spans.need[name]) / first[name])
    at = 0.0
    for place in range(start, end):
        each = acts[paths.order[place]]
        ratio = each[lead] / first[lead]
        until = min(at + each[WIDTH] * ratio, until_end)
        marks[0], count = at, 1
        for name in range(4):
            if spans.known[name] > 0.0 and first[name] > 0.0:
                count = _cut(marks, count, (low[name] - spans.need[name]) / first[name], at, until)
                count = _cut(marks, count, (spans.present[name] - spans.need[name]) / first[name], at, until)
        marks[count] = until
        for cut in range(count):
            a, b = marks[cut], marks[cut + 1]
            if b > a:
                _stretch(flat, out, spans, path, first, low, a, b, horizon * each[WORTH] / ratio * (b - a))
        at = until
        if at >= until_end:
            return


@inlined
def _cut(marks: Any, count: int, cut: float, low: float, high: float) -> int:
    """Put a cut in its place among the marks where it lies between; how many marks there are then."""
    if not low < cut < high:
        return count
    place = count
    while place > 1 and marks[place - 1] > cut:
        marks[place] = marks[place - 1]
        place -= 1
    marks[place] = cut
    return count + 1


@inlined
def _stretch(
    flat: Any, out: Any, spans: Any, path: int, per_unit: Any, low: Any, a: float, b: float, gain: float
) -> None:
    place = out.counts[1]
    for name in range(4):
        if spans.known[name] == 0.0 or not per_unit[name] > 0.0:
            continue
        out.per_unit[place, name] = per_unit[name]
        middle, used, row = (
            spans.need[name] + per_unit[name] * (a + b) / 2.0,
            per_unit[name] * (b - a),
            out.row_of[name],
        )
        if middle < low[name]:
            continue
        if row >= 0:
            out.take[place, row] = used / _size(flat, name)
        if middle < spans.present[name]:
            gain += spans.unit[name] * used
            if spans.unit[name] > 0.0 and row >= 0:
                out.stock[place, row] = used / _size(flat, name)
        else:
            gain -= spans.unit[name] * used
    if gain > 0.0:
        out.gain[place], out.path[place], out.length[place] = gain, path, b - a
        out.counts[1] = place + 1
        return
    out.take[place], out.stock[place], out.per_unit[place] = 0.0, 0.0, 0.0


@inlined
def _rows(flat: Any, out: Any) -> None:
    """What every option takes of every row, and the rows' limits."""
    rows = len(out.size)
    for name in range(4):
        row = out.row_of[name]
        if row >= 0:
            out.size[row] = _size(flat, name)
            out.limit[row] = 1.0 if flat.capacity[name] > 0.0 else 0.0
            for place in range(out.counts[0]):
                out.uses[place, row] = out.least[place, name] / out.size[row]
    if flat.limits[1] < np.inf:
        out.limit[rows] = flat.limits[1]
        for place in range(out.counts[0]):
            out.uses[place, rows] = 0.0 if out.kind[place] == KEEP else 1.0
        rows += 1
    for group in range(len(flat.most)):
        out.limit[rows + group] = flat.most[group]
        for node in range(len(flat.facts)):
            for place in range(out.first[node], out.first[node + 1]):
                out.uses[place, rows + group] = out.runs[place] * flat.members[group, node]
