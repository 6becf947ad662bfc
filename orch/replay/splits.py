"""Splits of a recorded host: who held what, and what the curves of a moment give to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from orch.solvers.levels import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.model.fleet import Snapshot
    from orch.model.problems import Problem
    from orch.model.resources import Resources

Split: TypeAlias = "dict[str, Resources]"

LONGEST_STEP_S = 3600.0
"""Time without decisions (orch did not run) counts for this much at most."""


def held_in(snapshot: Snapshot) -> Split:
    """What every node has."""
    return {node.name: node.allocation for node in snapshot.nodes}


def income_of(problem: Problem, split: Split) -> float:
    """USD per hour; a node that the split says nothing of keeps what it has."""
    return math.fsum(evaluate(node, split.get(node.name, node.present)).mean for node in problem.nodes)


def distinct(splits: Iterable[Split]) -> list[Split]:
    """Each once, in the order in which they first came."""
    found: list[Split] = []
    for split in splits:
        if split not in found:
            found.append(split)
    return found
