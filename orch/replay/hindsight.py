"""What other splits would have earned in a recorded time, by the curves as they stood then; and what running cost.

One recorded moment about every hour is looked at. Income is what its curves give to a split: of what a node never
had it is estimated, not measured. The split that was held is measured so too, for the sake of comparing.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec

from orch.earnings.costs import idle_cost
from orch.model.base import Value
from orch.model.moves import Guards
from orch.model.report import Comparison
from orch.planning.problem import build_problem
from orch.planning.settings import PlanSettings
from orch.replay.splits import LONGEST_STEP_S, distinct, held_in, income_of
from orch.store.inputs import read_whole_inputs
from orch.store.queries import decisions_by_id

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

    from orch.model.fleet import Snapshot
    from orch.replay.splits import Split

MOST_SPLITS = 60
SHORTEST_H = 1.0

_settings = msgspec.msgpack.Decoder(PlanSettings)


class RunningCost(Value):
    """USD that one hour cost, by its start in hours of the epoch."""

    hour: int
    usd: float


class Hindsight(Value):
    """What is known of a time afterwards. `comparison` is None where too little of it is recorded."""

    costs: tuple[RunningCost, ...] = ()
    comparison: Comparison | None = None


def look_back(
    connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime, moving_cost_usd: float
) -> Hindsight:
    """The splits of a time compared.

    Args:
        connection: Any connection to the database.
        since: From then on.
        until: Before then.
        moving_cost_usd: What the moves of that time cost, as they were reckoned.

    Raises:
        StoreError: The record cannot be read.
    """
    moments: list[tuple[str, float]] = []
    held: list[Split] = []
    costs: dict[int, float] = {}
    for decision_id, decided_at, inputs in read_whole_inputs(connection, since, until):
        moments.append((decision_id, decided_at.timestamp()))
        held.append(held_in(inputs.snapshot))
        cost = running_cost(inputs.snapshot)
        if cost is not None:
            costs.setdefault(int(decided_at.timestamp()) // 3600, cost)
    found = tuple(RunningCost(hour=hour, usd=usd) for hour, usd in costs.items())
    steps = [min(later - earlier, LONGEST_STEP_S) / 3600.0 for (_, earlier), (_, later) in pairwise(moments)]
    if math.fsum(steps) < SHORTEST_H:
        return Hindsight(costs=found)
    splits = _splits(connection, [each for each, _ in moments], held)
    income = [0.0] * len(splits)
    recorded = 0.0
    rows = read_whole_inputs(connection, since, until)
    for (_, _, inputs), split, hours in zip(rows, held, steps, strict=False):
        problem, _ = build_problem(inputs.snapshot, Guards(), _settings.decode(inputs.settings))
        recorded += income_of(problem, split) * hours
        for index, each in enumerate(splits):
            income[index] += income_of(problem, each) * hours
    best = max(range(len(splits)), key=income.__getitem__)
    gained = recorded - income[0] - moving_cost_usd
    return Hindsight(
        costs=found,
        comparison=Comparison(
            hours=math.fsum(steps),
            as_recorded_usd=recorded,
            never_moved_usd=income[0],
            best_fixed_usd=income[best],
            moving_cost_usd=moving_cost_usd,
            gained_by_moving_usd=gained,
            left_on_the_table_usd=income[best] - recorded + moving_cost_usd,
            splits=len(splits),
            best_fixed=splits[best],
        ),
    )


def running_cost(snapshot: Snapshot) -> float | None:
    """USD per hour of the host and all its nodes then; None where a node's, or the host's own, is not known."""
    rates = [node.rate for node in snapshot.nodes if node.rate is not None]
    idle = None if snapshot.costs is None else idle_cost(snapshot.costs)
    known = [rate.cost.mean for rate in rates if rate.cost is not None]
    if idle is None or len(known) < len(rates):
        return None
    return idle.mean + math.fsum(known)


def _splits(connection: duckdb.DuckDBPyConnection, ids: list[str], held: list[Split]) -> list[Split]:
    """The first split, and others that were held or proposed: not more than can be looked at."""
    decisions = decisions_by_id(connection, ids)
    proposed = [
        {**split, **decisions[each].to_value} for each, split in zip(ids, held, strict=True) if each in decisions
    ]
    found = distinct([held[0], *held])
    left = MOST_SPLITS - len(found)
    if left <= 0:
        return found[:: math.ceil(len(found) / MOST_SPLITS)]
    more = [each for each in distinct(proposed) if each not in found]
    return found + more[:: max(1, math.ceil(len(more) / left))]
