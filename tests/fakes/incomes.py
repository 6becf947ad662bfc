"""Incomes by hour as the emulated world draws them, without the rest of the world: fast enough for hundreds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from msgspec.structs import replace

from orch.emulator.draws import Draws
from orch.emulator.facts import DAY_MINUTES
from orch.emulator.golem import REJECTED_SHARE, GolemEconomy
from orch.emulator.market import Market
from orch.emulator.outages import Outages
from orch.emulator.world import World
from orch.model.forecasts import IncomeSeries
from orch.model.resources import Resources
from tests.fakes import moving

MOVED = datetime(2026, 11, 2, tzinfo=UTC)
PAST_DAYS = 30
FIRST = MOVED - timedelta(days=PAST_DAYS)
PAST_H = PAST_DAYS * 24
USD_PER_THREAD_HOUR = 0.00575


def compute_income(seed, days=PAST_DAYS + 28, threads=11):
    """USD by hour of a Golem node with so many threads, at a price that does not move."""
    first = int(FIRST.timestamp()) // 60
    draws = Draws(seed)
    outages = Outages(draws, first, first + PAST_DAYS * DAY_MINUTES)
    economy = GolemEconomy(draws, outages, Market(draws, first))
    busy = np.zeros((days + 1) * DAY_MINUTES)
    free = first
    for day in range(first // DAY_MINUTES, first // DAY_MINUTES + days):
        for request in economy._requests_of(day):
            if request.minute < free or request.fate < REJECTED_SHARE or outages.now("compute", request.minute):
                continue
            free = request.minute + request.lasts
            busy[request.minute - first : free - first] += min(request.threads, threads)
    return busy[: days * DAY_MINUTES].reshape(-1, 60).mean(axis=1) * USD_PER_THREAD_HOUR


def disk_income(seed, days=PAST_DAYS + 28):
    """USD by hour of the emulated Storj node with the best split, from its sixth day on."""
    world = World(seed, MOVED)
    world.set_split_now(world.best_fixed_split())
    sums = []
    for hour in range(days * 24 + 1):
        world.advance(MOVED + timedelta(days=5, hours=hour))
        sums.append(world.usd_income("disk"))
    return np.diff(sums)


def told(**incomes):
    """The histories of nodes whose incomes begin 30 days before the move."""
    return tuple(
        IncomeSeries(
            node=node, first_hour=FIRST, usd=tuple(None if np.isnan(usd) else float(usd) for usd in income)
        )
        for node, income in incomes.items()
    )


def settled(*nodes, at=MOVED, identity="r1", **fields):
    """A move of these nodes that was made."""
    record, _ = moving.record(
        identity,
        {node: Resources(cpu_cores=1) for node in nodes},
        {node: Resources(cpu_cores=2) for node in nodes},
        at,
    )
    return replace(record, state="settled", ended_at=at, **fields)
