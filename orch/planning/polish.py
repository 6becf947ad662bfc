"""From a solver's split to one worth carrying out: round amounts, and no changes too small to matter."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

from orch.model.problems import Share
from orch.model.resources import RESOURCES, ResourceName, resources
from orch.solvers import check
from orch.solvers.answers import objective

if TYPE_CHECKING:
    from orch.model.problems import Answer, Problem
    from orch.model.resources import Resources

GRAIN = 0.001
"""Amounts are given out in thousandths of the resource's unit."""

WORTH_KEEPING = 0.99
"""Leaving out small changes must leave this share of the improvement."""

Amounts: TypeAlias = "dict[str, dict[ResourceName, float]]"
Split: TypeAlias = "dict[str, Resources]"


def polish(problem: Problem, answer: Answer, dust_pct: float) -> Answer:
    """The answer with its changes rounded towards the present split and the smallest left out.

    A node all of whose changes are below `dust_pct` of the capacity (or 0.001) stays as it is. Single small
    changes of other nodes are left out where that costs nothing to speak of. Status, bound and gap stay those of
    the solver; the objective is that of the split returned. An answer that breaks a rule when rounded, or has no
    split, is returned as it is.
    """
    if answer.status not in ("optimal", "feasible"):
        return answer
    split = {share.node: share.allocation for share in answer.shares}
    present = {node.name: node.present for node in problem.nodes}
    if split == present:
        return answer
    raw: Amounts = {name: dict(allocation.known()) for name, allocation in split.items()}
    coarse = _without_dust_nodes(problem, raw, dust_pct)
    fine = _without_dust_changes(problem, coarse, dust_pct)
    kept = objective(problem, present) if not check.violations(problem, present) else None
    rounded = _tidy(problem, coarse, dust_pct)
    smaller = rounded if fine == coarse else _tidy(problem, fine, dust_pct)
    chosen, worth = _better(problem, rounded, smaller, kept)
    if chosen is None:
        return answer
    if kept is not None and worth <= kept:
        chosen, worth = present, kept
    shares = tuple(Share(node=node.name, allocation=chosen[node.name]) for node in problem.nodes)
    return replace(answer, shares=shares, objective_usd=worth)


def _better(
    problem: Problem, rounded: Split | None, smaller: Split | None, kept: float | None
) -> tuple[Split | None, float]:
    """The split with fewer changes where it is about as good, else the merely rounded one; and its worth."""
    ours = math.nan if smaller is None else objective(problem, smaller)
    if rounded is None or rounded == smaller:
        return smaller, ours
    theirs = objective(problem, rounded)
    about_as_good = ours >= theirs or (kept is not None and ours - kept >= WORTH_KEEPING * (theirs - kept))
    return (smaller, ours) if about_as_good else (rounded, theirs)


def dust_of(problem: Problem, dust_pct: float) -> dict[ResourceName, float]:
    """The smallest change worth making, by resource."""
    return {name: max(problem.capacity.or_zero(name) * dust_pct / 100.0, GRAIN) for name in RESOURCES}


def _without_dust_nodes(problem: Problem, amounts: Amounts, dust_pct: float) -> Amounts:
    dust = dust_of(problem, dust_pct)
    found: Amounts = {}
    for node in problem.nodes:
        own, present = amounts[node.name], dict(node.present.known())
        small = all(abs(own[name] - was) < dust[name] for name, was in present.items())
        found[node.name] = present if small else own
    return found


def _without_dust_changes(problem: Problem, amounts: Amounts, dust_pct: float) -> Amounts:
    dust = dust_of(problem, dust_pct)
    found: Amounts = {}
    for node in problem.nodes:
        own, present = amounts[node.name], dict(node.present.known())
        stopped = node.may_stop and not any(own.values())
        found[node.name] = (
            own
            if stopped
            else {name: was if abs(own[name] - was) < dust[name] else own[name] for name, was in present.items()}
        )
    return found


def _tidy(problem: Problem, amounts: Amounts, dust_pct: float) -> Split | None:
    """Rounded, within every capacity, and without releases that nobody takes up; None if that breaks a rule."""
    rounded: Amounts = {}
    for node in problem.nodes:
        rounded[node.name] = {
            name: _towards(was, amounts[node.name][name], None if node.step.get(name) else GRAIN)
            for name, was in node.present.known()
        }
    for name, capacity in problem.capacity.known():
        _cut_growth(problem, rounded, name, capacity, dust_of(problem, dust_pct)[name])
        _give_back(problem, rounded, name, capacity)
    split = {name: resources(dict(own)) for name, own in rounded.items()}
    return None if check.violations(problem, split) else split


def _towards(was: float, now: float, grain: float | None) -> float:
    """An amount rounded to the grain towards what was; whole steps are left alone."""
    if grain is None or now in (was, 0.0):
        return now
    places = now / grain
    if now > was:
        return max(round(math.floor(places + 1e-6) * grain, 6), was)
    return min(round(math.ceil(places - 1e-6) * grain, 6), was)


def _cut_growth(problem: Problem, amounts: Amounts, name: ResourceName, capacity: float, dust: float) -> None:
    """Take what exceeds the capacity from the nodes that grew most; growth that shrinks to dust is dropped."""
    present = {node.name: node.present.or_zero(name) for node in problem.nodes}
    steps = {node.name: node.step.get(name) or GRAIN for node in problem.nodes}
    growers = [each for each, own in amounts.items() if own.get(name, 0.0) > present[each]]
    excess = math.fsum(own.get(name, 0.0) for own in amounts.values()) - capacity
    for each in sorted(growers, key=lambda key: present[key] - amounts[key][name]):
        if excess <= 1e-9 * max(capacity, 1.0):
            return
        growth = amounts[each][name] - present[each]
        cut = min(math.ceil(excess / steps[each] - 1e-6) * steps[each], growth)
        if growth - cut < dust:
            cut = growth
        amounts[each][name] = present[each] if cut == growth else round(amounts[each][name] - cut, 6)
        excess -= cut


def _give_back(problem: Problem, amounts: Amounts, name: ResourceName, capacity: float) -> None:
    """Nodes keep what they would release for nobody, the smallest releases first."""
    slack = capacity - math.fsum(own.get(name, 0.0) for own in amounts.values())
    releases = []
    for node in problem.nodes:
        own, was, cap = amounts[node.name], node.present.get(name), node.cap.get(name)
        stopped = node.may_stop and not any(own.values())
        if was is not None and own[name] < was and not stopped and (cap is None or was <= cap):
            releases.append((was - own[name], node.name, was))
    stepped = {node.name for node in problem.nodes if node.step.get(name)}
    for release, each, was in sorted(releases):
        if release <= slack:
            amounts[each][name] = was
            slack -= release
        elif slack >= GRAIN and each not in stepped:
            back = math.floor(slack / GRAIN) * GRAIN
            amounts[each][name] = round(amounts[each][name] + back, 6)
            slack -= back
