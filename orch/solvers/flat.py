"""One host's problem as a few arrays, for the compiled solvers: read once, quickly, and only where it is plain.

Plain: every number is one, every name is known, and nothing is asked for that a menu does not list (a plug-in's
objective, a bounded variance, power laws). Of anything else the ordinary way has the words.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from orch.solvers.spans import conflicts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orch.model.problems import Problem

    Floats: TypeAlias = NDArray[np.float64]
    Ints: TypeAlias = NDArray[np.int64]

PRESENT, FLOOR, CAP, NEED, STEP, UNIT = range(6)
BASE, CHANGE, MAY_STOP, LOCKED = range(4)
WIDTH, WORTH = 4, 5


class Flat(NamedTuple):
    """A problem in arrays; resources in the order of `RESOURCES`, NaN where an amount is unknown.

    `amounts` (N, 6, 4): present, floor, cap, need, step, cost per unit. `facts` (N, 4): base income in USD per
    hour, cost per change, may stop, locked. `activities` (A, 6): what each takes, its width, USD per hour; node n
    has those from `ends[n]` to `ends[n + 1]`. `pairs` (P, 3): two nodes, USD over the horizon. `members` (G, N)
    and `most` (G,): groups. `limits` (2,): the horizon in hours and the most changes (infinite: any).
    """

    amounts: Floats
    facts: Floats
    activities: Floats
    ends: Ints
    capacity: Floats
    pairs: Floats
    members: Floats
    most: Floats
    limits: Floats


def flat(problem: Problem) -> Flat | None:
    """The arrays of a plain problem; None of any other."""
    if problem.objective is not None or problem.max_variance is not None or problem.covariance:
        return None
    amounts: list[float | None] = []
    facts: list[float] = []
    activities: list[float | None] = []
    ends = [0]
    names: dict[str, int] = {}
    for index, node in enumerate(problem.nodes):
        if node.laws:
            return None
        # Written out: this is what takes the time of a solver that takes none.
        for at in (node.present, node.floor, node.cap, node.need, node.step, node.unit_usd):
            amounts += (at.cpu_cores, at.memory_gb, at.bandwidth_mbps, at.storage_gb)
        for each in node.activities:
            at = each.takes
            activities += (
                at.cpu_cores, at.memory_gb, at.bandwidth_mbps, at.storage_gb, each.width, each.usd_per_hour,
            )  # fmt: skip
        ends.append(len(activities) // 6)
        facts += (node.base_usd_per_hour, node.change_usd, node.may_stop, node.locked)
        names[node.name] = index
    count = len(problem.nodes)
    if not count or len(names) < count:
        return None
    at = problem.capacity
    capacity = [at.cpu_cores, at.memory_gb, at.bandwidth_mbps, at.storage_gb]
    if not math.isfinite(problem.horizon_h) or problem.horizon_h <= 0.0:
        return None
    pairs = _pairs(problem, names)
    members = _members(problem, names)
    if pairs is None or members is None:
        return None
    made = Flat(
        np.array(amounts, dtype=float).reshape(count, 6, 4),
        np.array(facts, dtype=float).reshape(count, 4),
        np.array(activities, dtype=float).reshape(-1, 6),
        np.array(ends, dtype=np.int64),
        np.array(capacity, dtype=float),
        pairs,
        members,
        np.array([float(group.most) for group in problem.groups]),
        np.array([problem.horizon_h, math.inf if problem.max_changes is None else max(problem.max_changes, 0)]),
    )
    unknown = amounts.count(None) + activities.count(None) + capacity.count(None)
    if not _plain(made, unknown):
        return None
    # A node that keeps what it has may contradict itself, which no menu knows.
    keeps = bool(made.facts[:, LOCKED].any()) or bool(np.isnan(made.capacity).any())
    return None if keeps and conflicts(problem) else made


def _plain(made: Flat, unknown: int) -> bool:
    """Whether every known number is one: what is none, and what is unknown, are told apart by their count."""
    amounts, activities = made.amounts, made.activities
    nans = np.isnan(amounts).sum() + np.isnan(activities).sum() + np.isnan(made.capacity).sum()
    if nans != unknown or not np.isfinite(made.facts).all() or (made.facts[:, CHANGE] < 0.0).any():
        return False
    infinite = np.isinf(amounts)
    infinite[:, CAP] = False
    if infinite.any() or (amounts < 0.0).any() or np.isinf(made.capacity).any() or (made.capacity < 0.0).any():
        return False
    endless = np.isinf(activities)
    endless[:, WIDTH] = False
    return not (endless.any() or (activities[:, :WORTH] < 0.0).any())


def _pairs(problem: Problem, names: dict[str, int]) -> Floats | None:
    worth: dict[tuple[int, int], float] = {}
    for pair in problem.pairs:
        one, other = names.get(pair.first, -1), names.get(pair.second, -1)
        if one < 0 or other < 0 or one == other or not math.isfinite(pair.usd_per_hour):
            return None
        key = (one, other) if one < other else (other, one)
        worth[key] = worth.get(key, 0.0) + problem.horizon_h * pair.usd_per_hour
    rows = [(one, other, usd) for (one, other), usd in worth.items() if usd]
    return np.array(rows, dtype=float).reshape(-1, 3)


def _members(problem: Problem, names: dict[str, int]) -> Floats | None:
    found = np.zeros((len(problem.groups), len(names)))
    for row, group in enumerate(problem.groups):
        for name in group.nodes:
            place = names.get(name)
            if place is None:
                return None
            found[row, place] = 1.0
    return found
