"""Replay and backtest: how fast they go, and what each strategy earns in emulated months.

Worlds are played with a decision an hour, side by side on all cores: months under each strategy, which take some
minutes. Their incomes are compared within one world, which no neighbour on the machine can change. Speeds are by
seconds of a core, measured before, one after the other.
"""

from __future__ import annotations

import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.machine import load, machine
from bench.replay_worlds import CADENCE, START, best_fixed, keep, play

STRATEGIES = ("threshold", "periodic", "predictive", "risk_aware")
AIMS = {"hourly input": 100_000.0, "5 s ticks with decisions": 10_000.0}
MONTH_H, WEEK_H = 720.0, 168.0
SEEDS = (1, 2, 3)
HOURLY = {"poll_s": 600, "analyze_s": 3600, "decide_s": 3600}


def run(*, quick: bool) -> dict[str, Any]:
    """All figures: speeds as multiples of real time (by seconds of a core), and incomes by seed and strategy."""
    before, speed = load(), _speeds(quick=quick)
    started = time.perf_counter()
    worlds = _worlds(SEEDS[:1], 12.0, STRATEGIES[:1]) if quick else _worlds(SEEDS, MONTH_H, STRATEGIES)
    return {
        "machine": machine(),
        "load": [before, load()],
        "speed": speed,
        "worlds": worlds,
        "worlds_took_s": round(time.perf_counter() - started, 1),
    }


def aims(*, quick: bool) -> list[dict[str, Any]]:
    """What is aimed at of replays, as rows of the table of `bench.aims`; a week of two worlds for the incomes."""
    from bench.aims import make_row

    speed = _speeds(quick=quick)
    rows = [make_row(f"{each['what']}, times real", "-", each["times_real"], each["aim"]) for each in speed]
    recorded = next(each for each in speed if "same" in each)
    same = 100.0 * recorded["same"] / recorded["decisions"]
    rows.append(make_row("replay of recorded decisions, the same to the last field, %", "-", same, 100.0))
    for world in _worlds(SEEDS[:1] if quick else SEEDS[:2], 12.0 if quick else WEEK_H, STRATEGIES[:1]):
        (played,) = world["played"]
        over = played["usd"] + played["moving_cost_usd"] - world["keep_usd"]
        what = f"emulated world {world['seed']}, {world['hours']:g} h, threshold over keep but for its costs, USD"
        rows.append(make_row(what, "keep", over, 0.0))
    return rows


def _speeds(*, quick: bool) -> list[dict[str, Any]]:
    return [*_hourly(240 if quick else 2400), _recorded(2 if quick else 12), _house(1.0 if quick else 6.0)]


def show(result: dict[str, Any]) -> None:
    """Two tables."""
    print(f"{'':44} {'times real':>12} {'aim':>9}")
    for each in result["speed"]:
        aim = f"{each['aim']:9,.0f}" if each["aim"] else f"{'-':>9}"
        print(f"{each['what']:44} {each['times_real']:12,.0f} {aim}")
    print()
    heads = ("USD", "over keep", "moves", "cost", "of best fixed")
    titles = " ".join(f"{head:>{wide}}" for head, wide in zip(heads, (9, 10, 5, 8, 13), strict=True))
    print(f"{'seed':>4} {'hours':>5} {'strategy':12} {titles}")
    for world in result["worlds"]:
        where = f"{world['seed']:4} {world['hours']:5g}"
        print(f"{where} {'keep':12} {world['keep_usd']:9.4f}")
        for each in world["played"]:
            more, share = each["usd"] - world["keep_usd"], each["usd"] / world["best_fixed_usd"]
            print(
                f"{where} {each['strategy']:12} {each['usd']:9.4f} {more:+10.4f} {each['moves']:5} "
                f"{each['moving_cost_usd']:8.4f} {share:13.1%}"
            )
    lowest = min(
        (
            each["usd"] + each["moving_cost_usd"] - world["keep_usd"]
            for world in result["worlds"]
            for each in world["played"]
            if each["strategy"] == STRATEGIES[0]
        ),
        default=math.nan,
    )
    print(f"{STRATEGIES[0]} over keep but for its moving costs, in its worst world: {lowest:+.4f} USD")
    print(f"load {result['load'][0][0]} to {result['load'][1][0]}; worlds took {result['worlds_took_s']} s")


def _hourly(steps: int) -> list[dict[str, Any]]:
    """A backtest of hourly rates of three options, by strategy: everything that is decided, and the rivals."""
    from orch.forecast.ensemble import FORECASTER
    from orch.replay.backtest import backtest
    from orch.replay.contenders import Terms
    from orch.replay.entrants import make_entrants
    from orch.replay.market import HOUR_S, Market
    from orch.strategies.registry import load_strategies

    draws = np.random.default_rng(0)
    rates = np.exp(np.cumsum(draws.normal(0, 0.02, (steps, 3)), axis=0) + draws.normal(0, 0.1, (steps, 3)))
    market = Market(("a", "b", "c"), int(START.timestamp()) + np.arange(steps) * HOUR_S, HOUR_S, rates)
    found = []
    for strategy in ("threshold", "predictive"):
        entrants = make_entrants((strategy,), ("linear",), load_strategies(), {})
        began = time.process_time()
        backtest(market, entrants, Terms(), forecaster=FORECASTER)
        speed = steps * HOUR_S / (time.process_time() - began)
        found.append(_speed(f"backtest of hourly input, {strategy}", speed, AIMS["hourly input"]))
    return found


def _recorded(hours: float) -> dict[str, Any]:
    """A recorded run of the demonstration, decided each minute, made again decision by decision."""
    from orch.boot.staged import staged_house
    from orch.config.load import from_tables
    from orch.emulator.demo import demo_environment, demo_nodes
    from orch.emulator.inprocess import answer_request, emulated_urls
    from orch.emulator.world import World
    from orch.replay.recorded import Bench, replay
    from orch.store.database import open_read_only
    from orch.strategies.registry import load_strategies

    world = World(1, START)
    with TemporaryDirectory() as name:
        tables: dict[str, Any] = {
            "orch": {"mode": "auto", "data_dir": name},
            "cadence": {**CADENCE, "decide_s": 60},
            **demo_nodes(emulated_urls()),
        }
        house = staged_house(
            from_tables(tables, demo_environment(), Path(name)),
            Path(name),
            lambda request, now, _: answer_request(world, request, now),
            start=world.start,
            commit_every_s=3600,
            board_every_s=3600,
        )
        house.stage.run_for(hours * 3600)
        house.close()
        bench = Bench(load_strategies())
        with open_read_only(Path(name) / "orch.duckdb") as connection:
            began = time.process_time()
            again = replay(connection, bench)
            seconds = time.process_time() - began
            ((size,),) = connection.execute("SELECT sum(octet_length(body)) FROM decision_inputs").fetchall()
    found = _speed(
        "replay of recorded decisions, each 60 s", hours * 3600 / seconds, AIMS["5 s ticks with decisions"]
    )
    return {**found, "same": again.same, "decisions": again.decisions, "bytes_per_day": int(size) * 24 / hours}


def _house(hours: float) -> dict[str, Any]:
    """The whole house on the stage: emulated networks, every actor, 5 s ticks, decisions each minute."""
    played = play(1, hours, "threshold", {"poll_s": 5, "analyze_s": 30, "decide_s": 60})
    return _speed(
        "the whole house on the stage, 5 s ticks", played["times_real"], AIMS["5 s ticks with decisions"]
    )


def _speed(what: str, times_real: float, aim: float) -> dict[str, Any]:
    return {"what": what, "times_real": times_real, "aim": aim}


def _worlds(seeds: tuple[int, ...], hours: float, strategies: tuple[str, ...]) -> list[dict[str, Any]]:
    """What each strategy earns in each world, and what two splits earn there that nobody touches."""
    plays = [(seed, strategy) for seed in seeds for strategy in strategies]
    cores = max(os.cpu_count() or 1, 1)
    played = {}
    with ProcessPoolExecutor(min(cores, len(plays)), mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(play, seed, hours, strategy, HOURLY): (seed, strategy) for seed, strategy in plays}
        for done in as_completed(waiting):
            played[waiting[done]] = done.result()
            print(f"{len(played)} of {len(plays)} played", file=sys.stderr)
    return [
        {
            "seed": seed,
            "hours": hours,
            "keep_usd": keep(seed, hours),
            "best_fixed_usd": best_fixed(seed, hours),
            "played": [played[seed, strategy] for strategy in strategies],
        }
        for seed in seeds
    ]
