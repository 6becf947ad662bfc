"""The KPIs of the board, over the last 24 hours of the engine's own observation.

Uptime is the share of ticks at which every node answered (online or degraded); ticks at which some node's
health was unknown are left out of it and counted apart. Reallocations per day are those settled in the window.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.earnings.rates import add_rates
from orch.model.base import Value
from orch.model.board import Kpis, NodeKpis
from orch.model.forecasts import ForecastScore
from orch.model.resources import RESOURCES, Resources, resources, total
from orch.reports.switches import realised_usd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.model.fleet import NodeState, Snapshot
    from orch.model.moves import Reallocation

WINDOW_H = 24
USUAL_S = 24 * 3600.0
LONGEST_STEP_S = 3600.0
"""A rate stands for this long at most: time in which orch did not run says nothing of what is usual."""


class HourTally(Value):
    """Ticks of one hour: all nodes up, some node down, some node unknown."""

    hour: int
    up: int = 0
    down: int = 0
    unknown: int = 0


class Outage(Value):
    """A node that does not answer, since when."""

    node: str
    since: datetime


class Mended(Value):
    """A finished outage."""

    node: str
    ended_at: datetime
    seconds: float


class Tally(Value):
    """What KPIs need to remember."""

    hours: tuple[HourTally, ...] = ()
    outages: tuple[Outage, ...] = ()
    mended: tuple[Mended, ...] = ()
    usual: dict[str, float] = msgspec.field(default_factory=dict)
    seen_at: datetime | None = None


def observe(tally: Tally, snapshot: Snapshot) -> Tally:
    """The tally with one more tick."""
    now = snapshot.taken_at
    hour = int(now.timestamp()) // 3600
    last = tally.hours[-1] if tally.hours and tally.hours[-1].hour == hour else HourTally(hour=hour)
    health = [node.health for node in snapshot.nodes]
    if "unknown" in health:
        last = replace(last, unknown=last.unknown + 1)
    elif "offline" in health:
        last = replace(last, down=last.down + 1)
    else:
        last = replace(last, up=last.up + 1)
    hours = (*(each for each in tally.hours if hour - WINDOW_H < each.hour < hour), last)
    outages, mended = _outages(tally, snapshot.nodes, now)
    return Tally(
        hours=hours,
        outages=outages,
        mended=mended,
        usual=_usual(tally, snapshot),
        seen_at=now,
    )


def kpis(
    tally: Tally,
    snapshot: Snapshot,
    reallocations: Iterable[Reallocation],
    score: ForecastScore = ForecastScore(),  # noqa: B008 - a frozen value
) -> Kpis:
    """All KPIs now. Of predictions, how good the forecasts of income proved."""
    now = snapshot.taken_at
    rate = add_rates(tuple(node.rate for node in snapshot.nodes if node.rate is not None))
    up, down = sum(each.up for each in tally.hours), sum(each.down for each in tally.hours)
    unknown = sum(each.unknown for each in tally.hours)
    moves = [each for each in reallocations if each.state == "settled"]
    recent = [each for each in moves if now - each.started_at <= timedelta(hours=WINDOW_H)]
    paid = sum(each.verdict == "paid" for each in moves)
    lost = sum(each.verdict == "lost" for each in moves)
    return Kpis(
        total_usd_per_hour=rate.mean if rate is not None else None,
        allocation_efficiency=_efficiency(snapshot, rate.mean if rate is not None else None),
        uptime_pct=100.0 * up / (up + down) if up + down else None,
        uptime_unknown_pct=100.0 * unknown / (up + down + unknown) if up + down + unknown else None,
        reallocations_per_day=float(len(recent)),
        success_rate_pct=100.0 * paid / (paid + lost) if paid + lost else None,
        nodes={node.name: _node_kpis(tally, node) for node in snapshot.nodes},
        cost_effectiveness=_cost_effectiveness(moves),
        prediction_mape_pct=score.mape_pct,
        prediction_coverage_pct=score.coverage_pct,
    )


def _efficiency(snapshot: Snapshot, usd_per_hour: float | None) -> Resources:
    if usd_per_hour is None:
        return Resources()
    given = total(node.allocation for node in snapshot.nodes if node.rate is not None)
    return resources({name: usd_per_hour / amount for name, amount in given.known() if amount > 0})


def _node_kpis(tally: Tally, node: NodeState) -> NodeKpis:
    utilisation = {}
    for name in RESOURCES:
        used, given = node.used.get(name), node.allocation.get(name)
        utilisation[name] = used / given if used is not None and given else None
    waits = [each.seconds for each in tally.mended if each.node == node.name]
    return NodeKpis(
        usd_per_hour=node.rate.mean if node.rate is not None else None,
        utilisation=resources(utilisation),
        time_to_reconnect_s=sum(waits) / len(waits) if waits else None,
    )


def _outages(
    tally: Tally, nodes: tuple[NodeState, ...], now: datetime
) -> tuple[tuple[Outage, ...], tuple[Mended, ...]]:
    open_now = {each.node: each for each in tally.outages}
    mended = [each for each in tally.mended if now - each.ended_at <= timedelta(hours=WINDOW_H)]
    for node in nodes:
        outage = open_now.get(node.name)
        if node.health == "offline" and outage is None:
            open_now[node.name] = Outage(node=node.name, since=now)
        elif node.health in ("online", "degraded") and outage is not None:
            del open_now[node.name]
            mended.append(Mended(node=node.name, ended_at=now, seconds=(now - outage.since).total_seconds()))
    return tuple(open_now.values()), tuple(mended)


def _usual(tally: Tally, snapshot: Snapshot) -> dict[str, float]:
    """What each node earns on average over its last day: an exponential mean of its rate."""
    elapsed = 0.0 if tally.seen_at is None else (snapshot.taken_at - tally.seen_at).total_seconds()
    weight = min(elapsed, LONGEST_STEP_S) / USUAL_S
    usual = dict(tally.usual)
    for node in snapshot.nodes:
        if node.rate is not None:
            before = usual.get(node.name, node.rate.mean)
            usual[node.name] = before + (node.rate.mean - before) * weight
    return usual


def _cost_effectiveness(moves: list[Reallocation]) -> float | None:
    """What moves have been seen to bring, in the hours that were looked at, per USD that they cost."""
    judged = [each for each in moves if each.realised_gain_usd_per_hour is not None]
    cost = sum(float(each.cost_usd or 0) for each in judged)
    return sum(map(realised_usd, judged)) / cost if cost > 0 else None
