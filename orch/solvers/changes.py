"""Costs of changes, whole steps and stops, by branching over linear programs, each begun where the last one ended.

What a change costs can always be rounded up: to have paid for a change and not make it breaks no rule. A
relaxed program then gives a bound and a split at once; costs of changes are small beside what changes bring, steps
are few, and a handful of programs prove the best split sooner than a mixed-integer solve has started.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from orch.solvers.highs import Outcome, Session
    from orch.solvers.linear_model import Layout

MOST_COLUMNS = 12
MOST_PROGRAMS = 60
SAME = 1e-9
"""Gains of the model closer than this are the same, as in a mixed-integer solve."""

WHOLE = 1e-7
"""A number this close to a whole one is whole."""

Bounds = dict[int, tuple[float, float]]


class Case(NamedTuple):
    """A part of all choices: bounds of integer columns, and what none of it gains more than."""

    most: float
    bounds: Bounds


class _Best(NamedTuple):
    """A split: what it gains, the bounds that fix its integers, and the program that it was rounded from."""

    gain: float
    bounds: Bounds
    found: Outcome


def branches(layout: Layout) -> bool:
    """Whether few things are discrete: costs of changes of any number, whole steps, and nodes that may stop."""
    problem = layout.problem
    alone = problem.max_changes is None and not problem.pairs and not problem.groups
    return alone and bool(layout.changed) and len(layout.model.integer) <= MOST_COLUMNS


def solve_changes(layout: Layout, *, seconds: float, seed: int) -> Outcome | None:
    """The best split with its bound, its integers fixed.

    None where too many programs would be needed, or the last of them does not bear the others out.

    Raises:
        OrchError: HiGHS refused the model or ended for a reason other than time.
    """
    with layout.model.session(seed=seed, seconds=seconds) as session:
        return _branched(layout, session, seconds)


def _branched(layout: Layout, session: Session, seconds: float) -> Outcome | None:
    deadline = time.perf_counter() + seconds
    best: _Best | None = None
    cases, closed = [Case(math.inf, {})], -math.inf
    for _ in range(MOST_PROGRAMS):
        while cases and best is not None and cases[-1].most <= best.gain + SAME:
            closed = max(closed, cases.pop().most)
        if not cases:
            break
        if best is not None and time.perf_counter() >= deadline:
            return _ended(session, best, max(each.most for each in cases), proven=False)
        case = cases.pop()
        found = session.run(case.bounds)
        if found.status == "out_of_time" or (found.status == "infeasible" and not case.bounds):
            return found
        if found.status == "infeasible":
            continue
        split = _steps(layout, case, found)
        if split:
            cases += split
            continue
        rounded, rest = _rounded(layout, case, found)
        if best is None or rounded.gain > best.gain:
            best = rounded
        cases += rest
    if cases or best is None:
        return None
    return _ended(session, best, closed, proven=True)


def _steps(layout: Layout, case: Case, found: Outcome) -> list[Case]:
    """Two cases where a number of steps is broken, the nearer one last: it is looked at first."""
    changes = set(layout.changed.values())
    for column in layout.model.integer:
        value = found.values[column]
        if column in changes or abs(value - round(value)) <= WHOLE:
            continue
        low, high = case.bounds.get(column, (layout.model.lower[column], layout.model.upper[column]))
        below = Case(found.gain, {**case.bounds, column: (low, math.floor(value))})
        above = Case(found.gain, {**case.bounds, column: (math.ceil(value), high)})
        return [below, above] if value - math.floor(value) >= 0.5 else [above, below]
    return []


def _rounded(layout: Layout, case: Case, found: Outcome) -> tuple[_Best, list[Case]]:
    """What a program is worth with its changes paid in full, and the cases in which there might be more.

    These are: each of its changes not made while those before it are, and all of them made.
    """
    changes = list(layout.changed.values())
    part = [each for each in changes if each not in case.bounds and found.values[each] > SAME]
    missing = math.fsum(layout.model.gain[each] * (1.0 - min(found.values[each], 1.0)) for each in part)
    whole = {each: float(round(found.values[each])) for each in layout.model.integer}
    bounds = {each: (value, value) for each, value in whole.items()}
    bounds |= {each: (1.0, 1.0) if each in part else case.bounds.get(each, (0.0, 0.0)) for each in changes}
    best = _Best(found.gain + missing, bounds, found)
    if missing >= -SAME:
        return best, []
    cases, made = [], dict(case.bounds)
    for each in part:
        cases.append(Case(found.gain, {**made, each: (0.0, 0.0)}))
        made[each] = (1.0, 1.0)
    return best, [*cases, Case(found.gain, made)]


def _ended(session: Session, best: _Best, bound: float, *, proven: bool) -> Outcome | None:
    """The best split's own program: clean numbers, and the prices of its capacities.

    None where whole steps leave a hair less room than there is: programs with looser bounds overlook that.
    """
    found = best.found
    fixed = all(low == found.values[at] == high for at, (low, high) in best.bounds.items())
    if found is not session.last or found.status != "optimal" or not fixed:
        found = session.run(best.bounds)
    # Else it is where it would end: its integers were found where they are to be fixed.
    if found.status != "optimal":
        return None
    return found._replace(status="optimal" if proven else "feasible", bound=max(bound, found.gain))
