"""From the configuration to what may be moved, when, by which lever, and how that is told."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from orch.config.resolve import effective_mode
from orch.levers.advice import advise
from orch.model.moves import LeverName
from orch.planning.steps import Telling
from orch.reallocation.settings import MoveLimits
from orch.reallocation.trust import TrustedLever
from orch.reallocation.windows import Window, Windows
from orch.system.zones import local_zone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.boot.plans import FittedNode, Setting
    from orch.config.schema import LimitsTable
    from orch.model.fleet import Mode
    from orch.model.resources import ResourceName, Resources
    from orch.planning.steps import Describe


def move_limits(
    limits: LimitsTable, dwell_s: Mapping[str, dict[ResourceName, float]], window_s: Mapping[str, float]
) -> MoveLimits:
    """How often nodes may be moved, and when.

    Args:
        limits: The configured ones.
        dwell_s: How long levers want each node left alone after one of its resources was set.
        window_s: How long each node's money takes to speak.
    """
    windows = tuple(
        Window(start_min=_minute(each.start), end_min=_minute(each.end), days=each.days) for each in limits.windows
    )
    return MoveLimits(
        min_hold_s=limits.min_hold_s,
        max_moves_per_hour=limits.max_reallocations_per_hour,
        max_moves_per_day=limits.max_reallocations_per_day,
        max_moves_per_node_per_day=limits.max_reallocations_per_node_per_day,
        dwell_s=dict(dwell_s),
        window_s=dict(window_s),
        windows=Windows(of=windows, zone=limits.zone or local_zone()) if windows else Windows(),
    )


def trusted_levers(setting: Setting) -> tuple[TrustedLever, ...]:
    """Every configured lever with what was said of it."""
    return tuple(
        TrustedLever(
            name=LeverName(node=node.config.name, kind=fitted.lever.kind),
            sets=fitted.sets(),
            mode=fitted.mode,
            stated=_stated(node, index),
        )
        for node in setting.nodes
        for index, fitted in enumerate(node.levers)
    )


def describer(setting: Setting) -> Describe:
    """Says how a change of any node would be made."""
    return partial(_describe, {node.config.name: node for node in setting.nodes})


def _describe(nodes: Mapping[str, FittedNode], name: str, goal: Resources) -> Telling:
    node = nodes[name]
    told = advise(node.levers, node.config.protocol, asdict(node.config.options), goal)
    return Telling(told.does, told.lever, told.mode)


def _stated(node: FittedNode, index: int) -> Mode | None:
    said = (node.config.mode, node.config.levers[index].mode)
    return None if said == (None, None) else effective_mode(*said)


def _minute(clock: str) -> int:
    hours, _, minutes = clock.partition(":")
    return int(hours) * 60 + int(minutes)
