"""From one split to another without ever promising the same core twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from orch.model.moves import Change, Step
from orch.model.resources import RESOURCES, close, resources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orch.model.resources import ResourceName, Resources


def changed(present: Resources, goal: Resources) -> tuple[ResourceName, ...]:
    """The resources a move changes: known before and after, and different."""
    return tuple(
        name
        for name, wanted in goal.known()
        if present.get(name) is not None and not close(present.get(name), wanted)
    )


def changes_of(present: Mapping[str, Resources], goal: Mapping[str, Resources]) -> tuple[Change, ...]:
    """A move's changes, one per node and resource, nodes by name; nothing is read back yet."""
    return tuple(
        Change(
            node=node,
            resource=name,
            from_value=present[node].get(name),
            to_value=goal[node].get(name),
            read_back=None,
        )
        for node in sorted(goal)
        if node in present
        for name in changed(present[node], goal[node])
    )


def order_steps(present: Mapping[str, Resources], goal: Mapping[str, Resources]) -> tuple[Step, ...]:
    """The steps from one split to another: all releases, then all grants, each by name of node.

    A node that gives one resource and gets another has a step of each kind. If both splits fit a capacity,
    so does every moment between, whichever of its two values the step in flight has.

    Args:
        present: What each node has; resources that are unknown are left alone.
        goal: What each node shall have; absent nodes and unknown resources are left alone.
    """
    steps: list[Step] = []
    kinds: tuple[Literal["release", "grant"], ...] = ("release", "grant")
    for kind in kinds:
        for node in sorted(goal):
            if node not in present:
                continue
            before, after = present[node], goal[node]
            names = [
                name
                for name in changed(before, after)
                if (after.or_zero(name) < before.or_zero(name)) == (kind == "release")
            ]
            if names:
                steps.append(
                    Step(
                        index=len(steps),
                        node=node,
                        kind=kind,
                        goal=resources({name: after.get(name) for name in names}),
                        undo=resources({name: before.get(name) for name in names}),
                    )
                )
    return tuple(steps)


def undo_order(steps: Sequence[Step], tried: Sequence[int]) -> tuple[Step, ...]:
    """The tried steps in the order in which to undo them: what grew shrinks before what shrank grows."""
    return tuple(steps[index] for index in sorted(set(tried), reverse=True))


def split_of(changes: Sequence[Change], side: Literal["from", "to"]) -> dict[str, Resources]:
    """One side of a move as a split of the changed resources."""
    amounts: dict[str, dict[ResourceName, float | None]] = {}
    for change in changes:
        value = change.from_value if side == "from" else change.to_value
        amounts.setdefault(change.node, {})[change.resource] = value
    return {node: resources(of) for node, of in amounts.items()}


def in_words(amounts: Resources) -> str:
    """Amounts for a sentence: `cpu_cores 2, memory_gb 4`."""
    return ", ".join(f"{name} {amounts.or_zero(name):g}" for name in RESOURCES if amounts.get(name) is not None)
