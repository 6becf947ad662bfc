"""Small exchanges between nodes, judged by a plug-in in batches: what is left to do after a search over states."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.resources import RESOURCES, resources
from orch.solvers.answers import objective
from orch.solvers.objectives import extra_usd_per_hour
from orch.solvers.spans import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orch.model.problems import Problem
    from orch.model.resources import ResourceName, Resources
    from orch.solvers.spans import Span

SHARES = (1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128)
"""How much of a capacity changes hands at once, the largest first."""
BATCH = 256


def retouched(problem: Problem, split: dict[str, Resources], ended: Callable[[], bool]) -> dict[str, Resources]:
    """Move amounts from node to node, or to nobody, while that improves the whole; running nodes keep running."""
    plain = replace(problem, objective=None)
    best, worth = split, _worths(problem, plain, [split])[0]
    ranges = _ranges(problem, split)
    for share in SHARES:
        improved = True
        while improved and not ended():
            improved = False
            moves = _exchanges(problem, best, ranges, share)
            while not ended() and (batch := list(itertools.islice(moves, BATCH))):
                worths = _worths(problem, plain, batch)
                top = max(range(len(batch)), key=worths.__getitem__)
                if worths[top] > worth + 1e-12 * abs(worth):
                    best, worth, improved = batch[top], worths[top], True
                    break
    return best


def _worths(problem: Problem, plain: Problem, splits: list[dict[str, Resources]]) -> list[float]:
    extra = extra_usd_per_hour(problem, splits)
    return [objective(plain, each) + problem.horizon_h * more for each, more in zip(splits, extra, strict=True)]


def _ranges(problem: Problem, split: dict[str, Resources]) -> dict[tuple[str, ResourceName], Span]:
    """What may be moved: of nodes that move anyway (no further change is needed) and have no steps."""
    found: dict[tuple[str, ResourceName], Span] = {}
    for node in problem.nodes:
        own = split[node.name]
        still = own == node.present and (node.change_usd > 0.0 or problem.max_changes is not None)
        stopped = node.may_stop and not any(amount for _, amount in own.known())
        if node.locked or still or stopped:
            continue
        for span in spans(problem, node):
            if not span.fixed and span.step is None:
                found[node.name, span.resource] = span
    return found


def _exchanges(
    problem: Problem, split: dict[str, Resources], ranges: dict[tuple[str, ResourceName], Span], share: float
) -> Iterator[dict[str, Resources]]:
    for name, capacity in problem.capacity.known():
        amount = capacity * share
        movable = [node for node, resource in ranges if resource == name]
        left = capacity - sum(each.or_zero(name) for each in split.values())
        for giver, taker in itertools.permutations([*movable, None], 2):
            moved = amount
            if giver is not None:
                moved = min(moved, split[giver].or_zero(name) - ranges[giver, name].least)
            else:
                moved = min(moved, left)
            if taker is not None:
                moved = min(moved, ranges[taker, name].most - split[taker].or_zero(name))
            if moved <= 1e-9 * capacity:
                continue
            changed = dict(split)
            if giver is not None:
                changed[giver] = _plus(split[giver], name, -moved)
            if taker is not None:
                changed[taker] = _plus(split[taker], name, moved)
            yield changed


def _plus(vector: Resources, name: ResourceName, more: float) -> Resources:
    return resources(
        {each: vector.or_zero(each) + more if each == name else vector.get(each) for each in RESOURCES}
    )
