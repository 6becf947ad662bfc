"""What on a board needs a hand, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orch.cli.words import usd_per_hour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.board import Dashboard, NodeView


class Problem(NamedTuple):
    """One thing that needs a hand. `rank` 0 is worst."""

    rank: int
    sentence: str
    remedy: str


def problems_of(board: Dashboard) -> tuple[Problem, ...]:
    """Firing warnings and pages, nodes that are not well, nodes that lose money."""
    told = {alert.node for alert in board.alerts if alert.is_active}
    found = [*_alerts(board)]
    for node in board.nodes:
        if node.health != "online" and node.name not in told:
            found.append(_unwell(node))
        net = node.usd_per_hour.net_mean if node.usd_per_hour is not None else None
        if net is not None and net < 0:
            sentence = f"{node.name} loses money: {usd_per_hour(net)} USD/h after running costs"
            found.append(Problem(1, sentence, "stop it, or give it what earns more"))
    return tuple(sorted(found, key=lambda each: each.rank))


def _alerts(board: Dashboard) -> Iterator[Problem]:
    for alert in board.alerts:
        if alert.is_active and alert.severity != "info":
            yield Problem(0 if alert.severity == "page" else 1, alert.sentence, alert.remedy)


def _unwell(node: NodeView) -> Problem:
    reason = f": {node.health_reason}" if node.health_reason else ""
    if node.health == "unknown":
        return Problem(
            2, f"{node.name} is not known to be well{reason}", "wait for its first answers, or run check"
        )
    return Problem(0 if node.health == "offline" else 1, f"{node.name} is {node.health}{reason}", "run check")
