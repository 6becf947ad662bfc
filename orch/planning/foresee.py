"""From income by hour to foresight: once an hour, pure, and the same for a live house, a replay and a test."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.forecast.covariance import covariance_of
from orch.forecast.intervals import make_forecast
from orch.forecast.score import Track, followed, scores_of
from orch.model.books import Turned
from orch.model.forecasts import HOUR, Foresight, IncomeSeries

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orch.earnings.accounts import Income
    from orch.earnings.ledger import Ledger
    from orch.forecast.base import Forecaster
    from orch.model.fleet import Snapshot
    from orch.model.moves import Reallocation
    from orch.model.resources import ResourceName

HOUR_S = 3600
LONGEST_H = 168


def get_income_history(ledger: Ledger, nodes: Iterable[str]) -> tuple[IncomeSeries, ...]:
    """The income of each node by whole hour, as the ledger has it; nodes without any are left out."""
    found = ((name, ledger.income(name)) for name in nodes)
    return tuple(series for name, income in found if (series := income_series(name, income)).usd)


def get_steady_history(ledger: Ledger, nodes: Iterable[str]) -> tuple[IncomeSeries, ...]:
    """The same at one price per node, the mean one of its history: what prices do is no work of a split."""
    found = ((name, ledger.income(name)) for name in nodes)
    return tuple(series for name, income in found if (series := income_series(name, at_one_price(income))).usd)


def at_one_price(income: Income) -> Income:
    """The income as if its unit had always been worth the same; unchanged where no hour tells a price."""
    priced = [hour for hour, usd in income.usd.items() if usd and income.native.get(hour)]
    native = math.fsum(income.native[hour] for hour in priced)
    if income.unit == "USD" or native <= 0.0:
        return income
    price = math.fsum(income.usd[hour] for hour in priced) / native
    return dataclasses.replace(income, usd={hour: amount * price for hour, amount in income.native.items()})


def income_series(node: str, income: Income) -> IncomeSeries:
    """A node's income by hour in USD, from its first whole hour to its last.

    An hour in which something came that has no price is unknown; one in which nothing came is 0.
    """
    if income.since is None or income.until is None:
        return IncomeSeries(node=node, first_hour=datetime.fromtimestamp(0, UTC))
    first = math.ceil(income.since.timestamp() / HOUR_S)
    if income.native:
        first = max(first, min(income.native))
    last = int(income.until.timestamp()) // HOUR_S
    return IncomeSeries(
        node=node,
        first_hour=datetime.fromtimestamp(first * HOUR_S, UTC),
        usd=tuple(_hour(income, hour) for hour in range(first, last)),
    )


def _hour(income: Income, hour: int) -> float | None:
    usd = income.usd.get(hour, 0.0)
    return None if not usd and income.native.get(hour, 0.0) else usd


def at_present_setting(series: IncomeSeries, turned: Iterable[Turned], dial: ResourceName | None) -> IncomeSeries:
    """The series as it would be, had the dial always stood as it does now: hours before a move are scaled by it.

    In proportion, for what a core earns changes little by there being others. The hour of the move itself, and
    hours in which the dial stood at nothing, say nothing.
    """
    moves = [each for each in turned if each.node == series.node and each.resource == dial]
    usd = list(series.usd)
    for each in moves:
        moved = (each.turned_at - series.first_hour) // HOUR
        scale = each.after / each.before if each.before > 0.0 else None
        for hour in range(min(max(moved, 0), len(usd))):
            known = usd[hour]
            usd[hour] = None if known is None or scale is None else known * scale
        if 0 <= moved < len(usd):
            usd[moved] = None
    return replace(series, usd=tuple(usd)) if moves else series


def dials_of(snapshot: Snapshot) -> dict[str, ResourceName]:
    """The resource that each node's income depends on in proportion, where there is one."""
    return {
        node.name: each.resource
        for node in snapshot.nodes
        for each in node.outlooks
        if each.form == "dial" and each.resource is not None
    }


def turned_by(move: Reallocation) -> tuple[Turned, ...]:
    """The settings that a settled move changed."""
    when = move.ended_at or move.started_at
    return tuple(
        Turned(node=each.node, resource=each.resource, before=each.from_value, after=each.to_value, turned_at=when)
        for each in move.changes
        if move.state == "settled" and each.from_value is not None and each.to_value is not None
    )


def foresee(
    history: Sequence[IncomeSeries],
    track: Track,
    forecaster: Forecaster,
    now: datetime,
    *,
    hours: float = 24.0,
    turned: Iterable[Turned] = (),
    dials: Mapping[str, ResourceName] | None = None,
) -> tuple[Foresight, Track]:
    """What the history says of the next hours, and the record of what was said, with what has come judged.

    Args:
        history: Income by hour of the nodes that count.
        track: What was said before.
        forecaster: Who continues a series; one that raises leaves its node without a forecast.
        now: The present.
        hours: How far ahead, at most a week.
        turned: Settings that moves changed.
        dials: The resource that each node's income depends on, where it does.
    """
    moves = tuple(turned)
    history = tuple(at_present_setting(series, moves, (dials or {}).get(series.node)) for series in history)
    ahead = max(1, min(math.ceil(hours), LONGEST_H))
    made = []
    for series in history:
        try:
            forecast = make_forecast(forecaster, series, now, ahead)
        except Exception:  # noqa: BLE001, S112 - a plug-in may raise anything; without a forecast nothing is claimed
            continue
        if forecast is not None:
            made.append(forecast)
    known = followed(track, history, made)
    return (
        Foresight(
            made_at=now,
            history=history,
            forecasts=tuple(made),
            covariance=covariance_of(history),
            scores=tuple(scores_of(known).items()),
        ),
        known,
    )
