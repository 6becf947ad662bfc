"""Of which rules and nodes nobody can say now whether they hold: what was told of them stays, and is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.resources import minus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from orch.alerts.rules import Facts
    from orch.model.fleet import NodeState


def unseen(facts: Facts, keys: Iterable[tuple[str, str | None]]) -> frozenset[tuple[str, str | None]]:
    """Those of the built-in rules and nodes of which the facts say nothing."""
    return frozenset(key for key in keys if _is_unseen(facts, *key))


def _is_unseen(facts: Facts, rule: str, node: str | None) -> bool:
    if rule in OF_NODES:
        state = next((each for each in facts.snapshot.nodes if each.name == node), None)
        return state is not None and OF_NODES[rule](facts, state)
    return rule in OF_HOST and OF_HOST[rule](facts)


def _health_unknown(_: Facts, node: NodeState) -> bool:
    return node.health == "unknown"


def _income_unknown(facts: Facts, node: NodeState) -> bool:
    return node.rate is None or node.name not in facts.usual


def _split_unknown(facts: Facts) -> bool:
    """Some node's part of what may be given out is not known."""
    snapshot = facts.snapshot
    limited = [name for name, _ in minus(snapshot.capacity, snapshot.reserve).known()]
    return any(not node.allocation.known() for node in snapshot.nodes) or not limited


def _no_plan(facts: Facts) -> bool:
    return facts.plan is None or facts.plan.improvement_pct is None


OF_NODES: dict[str, Callable[[Facts, NodeState], bool]] = {
    "node_lost": _health_unknown,
    "finding": _health_unknown,
    "low_earnings": _income_unknown,
}
OF_HOST: dict[str, Callable[[Facts], bool]] = {
    "resource_contention": _split_unknown,
    "reallocation_opportunity": lambda facts: facts.decision is None,
    "optimization_potential": _no_plan,
    # What a move led to is told again at a start, when the journal has been read.
    "lever_did_not_take": lambda facts: not facts.reallocations,
    "move_lost": lambda facts: not facts.reallocations,
    "lever_demoted": lambda facts: facts.guards is None,
    "saga_stuck": lambda facts: not facts.reallocations,
    "price_stale": lambda facts: not facts.snapshot.prices,
    "price_doubtful": lambda facts: not facts.snapshot.prices,
}
