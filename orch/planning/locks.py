"""Why a node, or the whole split, may not be moved now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.fleet import MODES, LeverState
from orch.model.plans import Blocker
from orch.model.readings import contact_lost
from orch.model.resources import RESOURCES

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.fleet import NodeState, Snapshot
    from orch.model.moves import Guards
    from orch.model.plans import Code
    from orch.model.resources import ResourceName
    from orch.planning.settings import PlanSettings

RESTING: frozenset[Code] = frozenset({"HOLD_ACTIVE", "DAY_BUDGET_SPENT"})
"""Why a node is only left alone for a while."""


def price_blockers(snapshot: Snapshot, settings: PlanSettings) -> tuple[Blocker, ...]:
    """Prices that some node's income is counted in and that are not fresh: they freeze the whole split."""
    states = {each.token: each for each in snapshot.prices}
    users: dict[str, list[str]] = {}
    for node in snapshot.nodes:
        for token in settings.of(node.name).tokens:
            users.setdefault(token, []).append(node.name)
    found = []
    for token, names in users.items():
        price, earners = states.get(token), ", ".join(names)
        if price is None or price.state == "unknown":
            found.append(
                Blocker(
                    code="PRICE_UNKNOWN",
                    sentence=f"No price of {token} is known ({earners}): nothing is moved.",
                )
            )
        elif price.state == "stale":
            age = "" if price.age_s is None else f" ({price.age_s / 60.0:.0f} min old)"
            why = f" {price.price.note}." if price.price is not None and price.price.note else ""
            found.append(
                Blocker(
                    code="PRICE_STALE",
                    sentence=f"The price of {token}{age} is stale ({earners}): nothing is moved.{why}",
                )
            )
    return tuple(found)


def node_locks(node: NodeState, guards: Guards, settings: PlanSettings, now: datetime) -> tuple[Blocker, ...]:
    """Everything that makes a node keep what it has; empty when it may be moved."""
    found = [
        Blocker(code=hold.code, sentence=hold.sentence, node=node.name, until=hold.until)
        for hold in guards.holds
        if hold.node == node.name and hold.until > now
    ]
    found += _contact_locks(node, settings, now)
    if node.worth is None:
        found.append(
            Blocker(
                code="RATE_UNKNOWN",
                sentence=f"What {node.name} earns is unknown: it keeps what it has.",
                node=node.name,
            )
        )
    missing = unknown_but_taken(node)
    if missing:
        found.append(
            Blocker(
                code="ALLOCATION_UNKNOWN",
                sentence=f"How much {' and '.join(missing)} {node.name} may use is unknown: it keeps what it has.",
                node=node.name,
            )
        )
    if not held_free(node):
        found.append(
            Blocker(
                code="LEVER_MISSING",
                sentence=f"No lever sets anything that {node.name} is known to have.",
                node=node.name,
            )
        )
    return tuple(found)


def _contact_locks(node: NodeState, settings: PlanSettings, now: datetime) -> list[Blocker]:
    if node.health == "offline":
        why = f": {node.health_reason}" if node.health_reason else ""
        return [Blocker(code="NODE_OFFLINE", sentence=f"{node.name} is offline{why}.", node=node.name)]
    lost = contact_lost(node.failures, node.last_seen_at)
    if lost is not None:
        sentence = f"{node.name} has given no usable answer since it was last seen: {lost.sentence}."
        return [Blocker(code="NODE_STALE", sentence=sentence, node=node.name)]
    oldest = now - timedelta(seconds=settings.stale_after_s)
    if node.health == "unknown" or node.resources_as_of is None:
        return [Blocker(code="NODE_STALE", sentence=f"How {node.name} does is not known.", node=node.name)]
    if node.resources_as_of < oldest:
        age = (now - node.resources_as_of).total_seconds() / 60.0
        sentence = f"The figures of {node.name} are {age:.0f} min old."
        return [Blocker(code="NODE_STALE", sentence=sentence, node=node.name)]
    return []


def unknown_but_taken(node: NodeState) -> tuple[ResourceName, ...]:
    """Resources that a node's income depends on and of which its allocation is unknown."""
    if not any(node.allocation.known()):
        return RESOURCES
    activities = () if node.worth is None else node.worth.activities
    taken = {name for each in activities for name, amount in each.takes.known() if amount > 0.0}
    return tuple(name for name in RESOURCES if name in taken and node.allocation.get(name) is None)


def with_hands(snapshot: Snapshot) -> Snapshot:
    """The snapshot where a person makes the changes: then what no lever sets can be changed as well.

    As long as some lever may act, by itself or once approved, nodes without one keep what they have: what can be
    done is not held up by what cannot.
    """
    least = MODES.index("approve")
    if any(MODES.index(lever.mode) >= least for node in snapshot.nodes for lever in node.levers):
        return snapshot
    return replace(snapshot, nodes=tuple(_with_hands(node) for node in snapshot.nodes))


def _with_hands(node: NodeState) -> NodeState:
    free = held_free(node)
    names = tuple(name for name, _ in node.allocation.known() if name not in free)
    hands = (LeverState(kind="by_hand", sets=names, mode="suggest"),) if names else ()
    return replace(node, levers=(*node.levers, *hands))


def held_free(node: NodeState) -> tuple[ResourceName, ...]:
    """The resources of a node that are known and that some lever sets."""
    sets = {name for lever in node.levers for name in lever.sets}
    return tuple(name for name, _ in node.allocation.known() if name in sets)


def lever_blockers(node: NodeState) -> tuple[Blocker, ...]:
    """The resources of an otherwise movable node that no lever sets, in one blocker."""
    free = held_free(node)
    missing = [name for name, amount in node.allocation.known() if amount > 0.0 and name not in free]
    if not missing:
        return ()
    return (
        Blocker(
            code="LEVER_MISSING",
            sentence=f"No lever sets {' and '.join(missing)} of {node.name}: it keeps what it has of it.",
            node=node.name,
        ),
    )
