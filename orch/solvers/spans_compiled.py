"""What one node may be given, and how it earns, read from a flat problem by machine code (numba, extra `fast`)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from orch.solvers.batch_bundle_compiled import compiled, inlined
from orch.solvers.flat import CAP, FLOOR, LOCKED, NEED, PRESENT, STEP, UNIT, WIDTH, WORTH
from orch.solvers.menu import MOST_LEVELS


class Ranges(NamedTuple):
    """One node's spans: `known`, `fixed` are 0 or 1; the amounts are those of `Span`."""

    known: Any
    fixed: Any
    present: Any
    floor: Any
    need: Any
    least: Any
    most: Any
    step: Any
    unit: Any


class Paths(NamedTuple):
    """One node's paying activities, path after path (`begins`), the dearest first; `free` takes nothing."""

    order: Any
    begins: Any
    many: int
    free: float


@compiled
def sizes(amounts: Any, capacity: Any) -> Any:
    """The size of each resource's numbers, as `orch.solvers.spans.scales` has it."""
    scale = np.zeros(4)
    for name in range(4):
        if not np.isnan(capacity[name]):
            scale[name] = capacity[name]
        for node in range(len(amounts)):
            scale[name] = max(scale[name], amounts[node, PRESENT, name])
        if scale[name] == 0.0:
            scale[name] = 1.0
    return scale


@compiled
def spans_of(amounts: Any, facts: Any, capacity: Any) -> Any:
    """The spans of one node."""
    spans = Ranges(
        np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4),
        np.zeros(4),
    )  # fmt: skip
    for name in range(4):
        if np.isnan(amounts[PRESENT, name]):
            continue
        spans.known[name] = 1.0
        spans.present[name] = amounts[PRESENT, name]
        floor = amounts[FLOOR, name]
        spans.floor[name] = 0.0 if np.isnan(floor) else floor
        need = amounts[NEED, name]
        spans.need[name] = spans.floor[name] if np.isnan(need) else need
        spans.least[name] = max(spans.floor[name], spans.need[name])
        unknown = np.isnan(capacity[name])
        cap = amounts[CAP, name]
        spans.most[name] = (np.inf if unknown else capacity[name]) if np.isnan(cap) else cap
        step = amounts[STEP, name]
        spans.step[name] = max(0.0, step)
        unit = amounts[UNIT, name]
        spans.unit[name] = 0.0 if np.isnan(unit) else unit
        spans.fixed[name] = 1.0 if unknown or facts[LOCKED] > 0.0 else 0.0
    return spans


@compiled
def levels_of(spans: Any, capacity: Any, name: int, levels: Any) -> int:
    """The amounts a stepped resource may have, into its row; how many (999: too many)."""
    step = spans.step[name]
    if step <= 0.0 or spans.fixed[name] > 0.0:
        return 1
    floor, least, present = spans.floor[name], spans.least[name], spans.present[name]
    most = min(spans.most[name], capacity[name])
    begin = floor + step * np.ceil((least - floor) / step - 1e-6)
    count = int(np.floor((most - begin) / step + 1e-6)) + 1
    if count > MOST_LEVELS:
        return 999
    count = max(count, 0)
    for place in range(count):
        levels[name, place] = begin + step * place
    if least <= present <= most:
        off = present
        for place in range(count):
            if levels[name, place] == off:
                return count
        steps = (present - floor) / step
        if abs(steps - np.round(steps)) > 1e-6 or present < begin:
            levels[name, count] = present
            count += 1
    return count


@compiled
def paths_of(  # noqa: PLR0912 - grouping and sorting in one
    acts: Any, start: int, end: int, spans: Any
) -> tuple[bool, Any]:
    """Group what pays so that no resource is taken by two paths; false where proportions differ within one."""
    count = end - start
    order, begins = np.zeros(count, np.int64), np.zeros(count + 1, np.int64)
    group, masks = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    free, groups = 0.0, 0
    for place in range(count):
        each = acts[start + place]
        if each[WORTH] <= 0.0 or each[WIDTH] <= 0.0:
            continue
        mask = 0
        for name in range(4):
            if spans.known[name] > 0.0 and each[name] > 0.0:
                mask |= 1 << name
        if mask == 0 and np.isinf(each[WIDTH]):
            return False, Paths(order, begins, 0, 0.0)
        if mask == 0:
            free += each[WIDTH] * each[WORTH]
            continue
        group[place] = groups
        for before in range(groups):
            if masks[before] & mask:
                mask |= masks[before]
                masks[before] = 0
                for other in range(place):
                    if group[other] == before:
                        group[other] = groups
        masks[groups] = mask
        groups += 1
    kept = np.zeros(count)
    total, paths = 0, 0
    for own in range(groups):
        if masks[own] == 0:
            continue
        low = total
        for place in range(count):
            if group[place] != own:
                continue
            top = 0.0
            for name in range(4):
                if masks[own] & (1 << name):
                    if acts[start + place, name] <= 0.0 or np.isnan(acts[start + place, name]):
                        return False, Paths(order, begins, 0, 0.0)
                    top = max(top, acts[start + place, name])
            worth = acts[start + place, WORTH] / top
            at = total
            while at > low and kept[at - 1] < worth:
                kept[at], order[at] = kept[at - 1], order[at - 1]
                at -= 1
            kept[at], order[at] = worth, start + place
            total += 1
        if not _same_direction(acts, order, low, total, masks[own]):
            return False, Paths(order, begins, 0, 0.0)
        paths += 1
        begins[paths] = total
    return True, Paths(order, begins, paths, free)


@compiled
def _same_direction(acts: Any, order: Any, low: int, high: int, mask: int) -> bool:
    lead = 0
    while not mask & (1 << lead):
        lead += 1
    first = acts[order[low]]
    for place in range(low + 1, high):
        each = acts[order[place]]
        ratio = each[lead] / first[lead]
        for name in range(4):
            if mask & (1 << name):
                one, other = each[name], ratio * first[name]
                if abs(one - other) > 1e-9 * max(abs(one), abs(other)):
                    return False
    return True


@inlined
def income_of(acts: Any, paths: Any, spans: Any, base: float) -> float:
    """What a running node earns per hour with what it has."""
    income = base + paths.free
    room = np.maximum(spans.present - spans.need, 0.0)
    for place in range(paths.begins[paths.many]):
        each = acts[paths.order[place]]
        level = each[WIDTH]
        for name in range(4):
            if spans.known[name] > 0.0 and each[name] > 0.0:
                level = min(level, room[name] / each[name])
        for name in range(4):
            if level > 0.0 and spans.known[name] > 0.0 and each[name] > 0.0:
                room[name] = max(room[name] - each[name] * level, 0.0)
        income += each[WORTH] * max(level, 0.0)
    return float(income)
