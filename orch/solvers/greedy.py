"""Falling worth per unit: exact where activities take one resource each, quick everywhere.

Without steps, stops, costs per change and a limit of changes, and with every activity taking a single resource,
the problem falls apart into one concave split per resource, and water-filling solves it exactly, power laws too.
Otherwise (laws in pieces) the
answer is the choice (move, keep, stop, so many steps) that prices of the scarce resources suggest, filled
exactly, and its bound is that of the prices. Where a node mixes proportions, or has more steps than can be
listed, it is the best of a short climb over the nodes' states, each filled greedily.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.resources import Resources, resources
from orch.solvers.answers import changes, fitted, found, nothing, objective, running_nodes
from orch.solvers.packing import fill_all, pack
from orch.solvers.powers import in_pieces
from orch.solvers.spans import can_stop, conflicts, faults, may_keep, scales
from orch.solvers.states import States, all_free, climb, discrete
from orch.solvers.waterfill import (
    Key,
    gain,
    key_resources,
    planned_takes,
    ranges_of,
    scarcity,
    separable,
    split_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.model.problems import Answer, Budget, Problem, ProblemNode
    from orch.model.resources import ResourceName

STEPS = 12
"""Looks at prices, and as many more as there are nodes."""


def solve(problem: Problem, budget: Budget, seed: int) -> Answer:
    """Split one host's resources greedily.

    `optimal` with dual prices where water-filling is exact, `feasible` with a bound otherwise; `out_of_time` when
    no split was found although nothing rules one out.
    """
    exactly = separable(problem) and not discrete(problem)
    return (_solved if exactly else in_pieces(_solved))(problem, budget, seed)


def _solved(problem: Problem, budget: Budget, seed: int) -> Answer:
    started = time.perf_counter()

    def spent() -> float:
        return time.perf_counter() - started

    wrong = faults(problem) or conflicts(problem)
    if wrong:
        return nothing("infeasible", "greedy", wrong, seconds=spent(), seed=seed)
    prices = scarcity(problem)
    key = key_resources(problem, prices)
    if separable(problem) and not discrete(problem):
        filled = fill_all(problem, all_free(problem), key)
        if filled is not None:
            split = fitted(problem, split_of(problem, filled))
            duals: dict[ResourceName, float | None] = {
                name: each.price / problem.horizon_h
                for name, each in filled.items()
                if problem.capacity.get(name) is not None
            }
            most = objective(problem, split) + math.fsum(each.hidden_usd for each in filled.values())
            return found(
                problem, "greedy", split, bound=most, seconds=spent(), seed=seed, dual_prices=resources(duals)
            )
    if not separable(problem) or discrete(problem):
        answer = _by_prices(problem, budget, spent, seed)
        if answer is not None:
            return answer
    best = _climbed(problem, prices, key, deadline=started + budget.seconds)
    if best is None:
        why = "no split was found by changing one node at a time"
        return nothing("out_of_time", "greedy", (why,), seconds=spent(), seed=seed)
    bound = _bound(problem, key)
    return found(
        problem, "greedy", best, bound=bound, seconds=spent(), seed=seed, reason="not proven to be the best"
    )


def _by_prices(problem: Problem, budget: Budget, spent: Callable[[], float], seed: int) -> Answer | None:
    """The best choice that prices of the scarce resources suggest; None where options cannot be listed."""
    from orch.solvers.menu import Menu, NoMenuError
    from orch.solvers.prices import Market, answer_of

    try:
        menu = Menu(problem)
    except NoMenuError:
        return None
    if not menu.possible:
        return None
    market = Market(menu, lambda: spent() > budget.seconds)
    quotes = market.settle(STEPS + len(problem.nodes))
    if market.best is None:
        return None
    return answer_of(
        problem, market, "greedy", bound=quotes[0].bound, seconds=spent(), seed=seed,
        reason="the choice that prices suggest",
    )  # fmt: skip


def _climbed(
    problem: Problem, prices: dict[ResourceName, float], key: Key, *, deadline: float
) -> dict[str, Resources] | None:
    """The best split met on the way up from "all may move" and from "all keep what they have"."""
    allowed = len(problem.nodes) if problem.max_changes is None else max(problem.max_changes, 0)
    exact = separable(problem)
    even: dict[ResourceName, float] = {name: 1.0 / size for name, size in scales(problem).items()}
    best: tuple[tuple[float, float], dict[str, Resources]] | None = None

    restless = {node.name for node in problem.nodes if not may_keep(problem, node)}

    def splits(states: States) -> list[dict[str, Resources]]:
        if any(states[name] == "keep" for name in restless):
            return []
        if exact:
            filled = fill_all(problem, states, key)
            return [] if filled is None else [split_of(problem, filled)]
        return [split for each in (prices, even) if (split := pack(problem, states, each)) is not None]

    def score(states: States) -> tuple[float, float] | None:
        nonlocal best
        if best is not None and time.perf_counter() > deadline:
            return None
        highest = None
        for each in splits(states):
            split = fitted(problem, each)
            broken = max(changes(problem, split) - allowed, 0) + _crowded(problem, split)
            rank = (-float(broken), objective(problem, split))
            highest = rank if highest is None else max(highest, rank)
            if best is None or rank > best[0]:
                best = (rank, split)
        return highest

    tries = 20 + 12 * len(problem.nodes)
    climb(problem, all_free(problem), score, tries)
    climb(problem, {node.name: "keep" for node in problem.nodes}, score, tries)
    return None if best is None or best[0][0] < 0.0 else best[1]


def _crowded(problem: Problem, split: dict[str, Resources]) -> int:
    """How many nodes run too many, group by group."""
    running = running_nodes(problem, split) if problem.groups else set()
    return sum(max(len(running.intersection(group.nodes)) - group.most, 0) for group in problem.groups)


def _bound(problem: Problem, key: Key) -> float | None:
    """An upper bound: the exact split of the problem without steps, stops, fixed costs and limits of changes.

    Each activity is counted on one resource only and has the others for nothing; a node that may stop earns its
    base income without needing anything.
    """
    relaxed = replace(problem, nodes=tuple(_relaxed(problem, node) for node in problem.nodes), max_changes=None)
    filled = fill_all(relaxed, all_free(relaxed), key)
    if filled is None:
        return None
    total = math.fsum(node.base_usd_per_hour for node in relaxed.nodes) * problem.horizon_h
    for name, each in filled.items():
        ranges = ranges_of(relaxed, all_free(relaxed), name)
        total += math.fsum(gain(relaxed, one, name, key, each.amounts[one.node.name]) for one in ranges)
    for node in relaxed.nodes:
        free = (each for each in node.activities if not planned_takes(node, each))
        total += problem.horizon_h * math.fsum(max(each.usd_per_hour, 0.0) * each.width for each in free)
    return total + problem.horizon_h * math.fsum(max(pair.usd_per_hour, 0.0) for pair in problem.pairs)


def _relaxed(problem: Problem, node: ProblemNode) -> ProblemNode:
    easy = replace(node, step=Resources(), change_usd=0.0, may_stop=False)
    if not can_stop(problem, node):
        return easy
    none = resources(dict.fromkeys(scales(problem), 0.0))
    return replace(easy, floor=none, need=none, base_usd_per_hour=max(node.base_usd_per_hour, 0.0))
