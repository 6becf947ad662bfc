"""Power laws as pieces, for solvers that know only straight lines; with what that may cost, stated.

A law is replaced by chords between marks, closer where it bends most, one of them at the present amount: no split
is worth less than its pieces say, and none more than they and the widest gaps below the laws together.
"""

from __future__ import annotations

import itertools
from functools import wraps
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.problems import Activity
from orch.model.resources import resources
from orch.solvers.answers import found, nothing
from orch.solvers.levels import law_levels
from orch.solvers.spans import faults, spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.problems import Answer, Budget, PowerLaw, Problem, ProblemNode
    from orch.solvers.base import Solver

SEGMENTS = 16


def has_laws(problem: Problem) -> bool:
    """Whether anything earns by a power law."""
    return any(node.laws for node in problem.nodes)


def in_pieces(solve: Solver) -> Solver:
    """A solver that solves problems with power laws in pieces; their bounds allow for what pieces hide."""

    @wraps(solve)
    def solved(problem: Problem, budget: Budget, seed: int) -> Answer:
        if not has_laws(problem):
            return solve(problem, budget, seed)
        wrong = faults(problem)
        if wrong:
            return nothing("infeasible", solve.__module__.rpartition(".")[2], wrong, seconds=0.0, seed=seed)
        simple, hidden_usd = pieced(problem)
        answer = solve(simple, budget, seed)
        if answer.objective_usd is None:
            return answer
        reason = f"power laws in {SEGMENTS} pieces, which hide at most {hidden_usd:.3g} USD"
        return found(
            problem,
            answer.solver,
            {share.node: share.allocation for share in answer.shares},
            bound=None if answer.bound_usd is None else answer.bound_usd + hidden_usd,
            seconds=answer.seconds,
            seed=seed,
            dual_prices=answer.dual_prices,
            reason="; ".join(each for each in (reason, answer.reason) if each),
        )

    return solved


def pieced(problem: Problem) -> tuple[Problem, float]:
    """The problem with pieces in place of its laws, and what they hide at most, USD over the horizon."""
    hidden, nodes = 0.0, []
    for node in problem.nodes:
        base, low, high = node.base_usd_per_hour, node.base_low_usd_per_hour, node.base_high_usd_per_hour
        pieces: list[Activity] = []
        for law in node.laws:
            marks = _marks(problem, node, law)
            if len(marks) > 1:
                pieces += _pieces(law, marks)
                hidden += max(_gap(law, a, b) for a, b in itertools.pairwise(marks))
                continue
            # Nothing to decide: what it has of the resource earns, or it is not planned.
            grown = sum(level for each, level in law_levels(node, node.present) if each is law)
            base += law.usd_per_hour * grown
            low = None if low is None else low + law.low * grown
            high = None if high is None else high + law.high * grown
        nodes.append(
            replace(
                node,
                laws=(),
                activities=(*node.activities, *pieces),
                base_usd_per_hour=base,
                base_low_usd_per_hour=low,
                base_high_usd_per_hour=high,
            )
        )
    return replace(problem, nodes=tuple(nodes)), hidden * problem.horizon_h


def _marks(problem: Problem, node: ProblemNode, law: PowerLaw) -> list[float]:
    """Amounts above the need between which chords are drawn; one or none where the amount is not decided on."""
    span = next((each for each in spans(problem, node) if each.resource == law.resource), None)
    if span is None or span.fixed:
        return []
    end = min(span.most, max(problem.capacity.or_zero(law.resource), span.present)) - span.need
    if end <= 0.0:
        return []
    marks = {end * (place / SEGMENTS) ** 2 for place in range(SEGMENTS + 1)} if law.power < 1.0 else {0.0, end}
    present = span.present - span.need
    return sorted(marks | ({present} if 0.0 < present < end else set()))


def _pieces(law: PowerLaw, marks: list[float]) -> Iterator[Activity]:
    for a, b in itertools.pairwise(marks):
        steep = (b**law.power - a**law.power) / (b - a)
        yield Activity(
            takes=resources({law.resource: 1.0}),
            width=b - a,
            usd_per_hour=law.usd_per_hour * steep,
            low=law.low * steep,
            high=law.high * steep,
        )


def _gap(law: PowerLaw, a: float, b: float) -> float:
    """How far the law is above its chord, where it is furthest, USD per hour."""
    if law.power >= 1.0:
        return 0.0
    steep = (b**law.power - a**law.power) / (b - a)
    at = (steep / law.power) ** (1.0 / (law.power - 1.0))
    above: float = at**law.power - a**law.power - steep * (at - a)
    return law.usd_per_hour * max(above, 0.0)
