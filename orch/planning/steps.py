"""A plan's steps in words: what would be done, by which lever, or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from msgspec.structs import replace

from orch.model.plans import PlanStep
from orch.reallocation.steps import order_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.model.fleet import Mode
    from orch.model.plans import Plan
    from orch.model.resources import Resources


class Telling(NamedTuple):
    """How a change would be made: words or commands, the lever's kind and mode, None where only a person can."""

    does: tuple[str, ...]
    lever: str | None = None
    mode: Mode | None = None


Describe: TypeAlias = "Callable[[str, Resources], Telling]"
"""From a node and its goal to how it is reached."""


def with_steps(plan: Plan, describe: Describe) -> Plan:
    """The plan with its steps, in the order in which they would be made."""
    steps = []
    for step in order_steps(plan.from_value, plan.to_value):
        told = describe(step.node, step.goal)
        steps.append(
            PlanStep(
                index=step.index,
                node=step.node,
                kind=step.kind,
                goal=step.goal,
                undo=step.undo,
                does=told.does,
                lever=told.lever,
                mode=told.mode,
            )
        )
    return replace(plan, steps=tuple(steps))
