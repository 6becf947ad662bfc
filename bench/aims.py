"""What is aimed at, all of it, each measured in one run beside the peer it is aimed at: `bench solvers --aims`.

Ratios are of seconds of a core where both sides stay in one process, and medians over problems or repeats. What is
aimed at with the extra `fast` is a row of its own. Budgets are by the clock on the wall, HiGHS's own too. The
bench of replay adds its rows. What is missed says why, and what was tried (`bench.why`).
"""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from statistics import median
from textwrap import fill
from typing import TYPE_CHECKING, Any

from bench import conic, fleet, replay
from bench.problems import instance
from bench.solver_peers import peers
from bench.solvers import CLOSE_PCT, gap_pct, plans, task_of, timed_each
from bench.why import why_missed
from orch.model.problems import Budget
from orch.solvers import fast, linear
from orch.solvers.registry import load_solvers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.problems import Problem

    Row = dict[str, Any]

HOSTS = 10_000
NEAR_LINEAR = 1.15
PYMOO_S, OURS_S = 10.0, 0.1
PYMOO_SEEDS = 3
SAME = 1e-9
SHARES = ((1.0, "its time, NumPy"), (0.2, "a fifth of its time, extra fast"))


def measured(*, quick: bool, seeds: int) -> tuple[list[Row], list[Row]]:
    """Every aim's row, and the tables of fleets they come from."""
    hosts = 1000 if quick else HOSTS
    tables = [fleet.measured(family, hosts, repeats=3 if quick else fleet.REPEATS) for family in fleet.FAMILIES]
    rows = [row for table in tables for row in _fleets(table)]
    rows += _nonconvex(2 if quick else seeds, quick=quick)
    rows += _conic(1 if quick else conic.SEEDS, (4,) if quick else conic.SIZES)
    ms = 1e3 * median(plans(seeds))
    rows.append(make_row("the default problem, planned as the engine does, ms", "-", ms, 5.0, at_least=False))
    rows += replay.aims(quick=quick)
    return rows, tables


def make_row(aim: str, peer: str, value: float, wanted: float, *, at_least: bool = True, also: bool = True) -> Row:
    """A row of the table; `also` is what else has to hold. What is missed says `why`, where that is known."""
    met = also and (value >= wanted if at_least else value <= wanted)
    row = {"aim": aim, "peer": peer, "measured": value, "wanted": wanted, "at_least": at_least, "met": met}
    return row if met else {**row, "why": why_missed(aim, peer)}


def _fleets(table: Row) -> Iterator[Row]:
    """A fleet's ratios to HiGHS as it is quickest and as it comes (presolve on), and the growth."""
    by_name = {row["solver"]: row for row in table["rows"]}
    theirs = {name: row for name, row in by_name.items() if name.startswith("HiGHS")}
    wanted = {"batch_greedy": 100.0, "batch_bundle": 5.0, "batch_bundle, fast": 40.0}
    for name, row in by_name.items():
        if name not in wanted:
            continue
        what = f"{table['family']}, {table['hosts']} hosts, {'extra fast' if 'fast' in name else 'NumPy'}"
        for peer, other in theirs.items():
            ratio = other["s"]["median"] / row["s"]["median"]
            off = row["worth_usd"] / other["worth_usd"] - 1.0
            good = off >= -SAME if table["family"] == "concave" else abs(off) <= SAME
            yield make_row(f"{what}, times as fast", peer, ratio, wanted[name], also=good)
        off = min(row["worth_usd"] / other["worth_usd"] - 1.0 for other in theirs.values())
        if table["family"] == "concave":
            yield make_row(
                f"{what}, worth above the 8-segment LP's, %", "HiGHS", 100.0 * off, -1e-7, at_least=True
            )
        else:
            yield make_row(f"{what}, worth apart, relative", "HiGHS", abs(off), SAME, at_least=False)
        exponent = table["growth"][name]["exponent"]
        yield make_row(f"{what}, growth exponent", "-", exponent, NEAR_LINEAR, at_least=False)


def _nonconvex(seeds: int, *, quick: bool) -> Iterator[Row]:
    installed, _ = peers()
    fast.warm(compiling=True)
    for size in (10,) if quick else (10, 50):
        problems = [instance("nonconvex", size, seed) for seed in range(seeds)]
        highs = timed_each("linear", problems)
        if size == 10:
            yield from _proofs(problems, highs)
        tasks, walls = [task_of(problem) for problem in problems], [_wall_s(problem) for problem in problems]
        for name in ("genetic", "annealing"):
            solve = load_solvers()[name]()
            for share, words in SHARES if fast.ready() else SHARES[:1]:
                with fast.numpy_alone() if share == 1.0 else nullcontext():
                    gaps = [
                        gap_pct(task, solve(task.problem, Budget(seconds=share * seconds), seed))
                        for seed, (task, seconds) in enumerate(zip(tasks, walls, strict=True))
                    ]
                what = f"{name}, {size} nodes, gap in % after {words}"
                yield make_row(what, "HiGHS MILP", median(gaps), CLOSE_PCT, at_least=False)
        if "pymoo GA" not in installed:
            continue
        longest = 1.0 if quick else PYMOO_S
        few = tasks[:PYMOO_SEEDS]
        theirs = [
            gap_pct(task, installed["pymoo GA"](task.problem, Budget(seconds=longest), seed))
            for seed, task in enumerate(few)
        ]
        for name in ("genetic", "annealing"):
            solve = load_solvers()[name]()
            gaps = [
                gap_pct(task, solve(task.problem, Budget(seconds=OURS_S), seed)) for seed, task in enumerate(few)
            ]
            what = f"{name}, {size} nodes, gap in % after {OURS_S:g} s; pymoo's after {longest:g} s is the aim"
            yield make_row(what, "pymoo GA", median(gaps), median(theirs), at_least=False)


def _proofs(problems: list[Problem], highs: list[float]) -> Iterator[Row]:
    """From a problem to a proven answer, beside HiGHS: NumPy alone, and with the extra where it is installed."""
    what = "non-convex, 10 nodes, proof, times as fast"
    with fast.numpy_alone():
        own = timed_each("exact", problems)
    ratio = median(theirs / ours for theirs, ours in zip(highs, own, strict=True))
    yield make_row(f"{what}, NumPy", "HiGHS MILP", ratio, 5.0)
    if fast.ready():
        own = timed_each("exact", problems)
        ratio = median(theirs / ours for theirs, ours in zip(highs, own, strict=True))
        yield make_row(f"{what}, extra fast", "HiGHS MILP", ratio, 50.0)


def _wall_s(problem: Problem, times: int = 3) -> float:
    """What HiGHS takes by the clock on the wall, as budgets are counted."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        linear.solve(problem, Budget(seconds=60.0), 0)
        taken.append(time.perf_counter() - started)
    return median(taken)


def _conic(seeds: int, sizes: tuple[int, ...]) -> Iterator[Row]:
    for size in sizes:
        runs = [conic.compare(size, seed) for seed in range(seeds)]
        short, ratios = [], []
        for run in runs:
            best = max(each.objective_usd for each in run if not math.isnan(each.objective_usd))
            short.append((best - run[0].objective_usd) / abs(best))
            ratios += [each.ms / run[0].ms for each in run if each.solver == "cvxpy, Clarabel"]
        names = ", ".join(each.solver for each in runs[0][1:])
        yield make_row(
            f"conic, {size} nodes, short of the best, relative", names, max(short), 1e-6, at_least=False
        )
        if ratios:
            what = f"conic, {size} nodes, times as fast"
            yield make_row(what, "cvxpy, Clarabel", median(ratios), 5.0)


def show(rows: list[Row]) -> None:
    """Print the table of aims."""
    print(f"\n{'aim':<84}{'peer':<32}{'measured':>12}{'wanted':>14}")
    for row in rows:
        wanted = f"{'>=' if row['at_least'] else '<='} {row['wanted']:.4g}"
        verdict = "met" if row["met"] else "MISSED"
        print(f"{row['aim']:<84}{row['peer']:<32}{row['measured']:>12.4g}{wanted:>14}   {verdict}")
    for why in dict.fromkeys(row["why"] for row in rows if row.get("why")):
        missed = [f"{row['aim']} ({row['peer']})" for row in rows if row.get("why") == why]
        print(f"\nMissed: {'; '.join(missed)}:")
        print(fill(why, 115, initial_indent="  ", subsequent_indent="  "))
