"""Fleets: many hosts at once beside HiGHS on all of them in one model; and how the time grows with the hosts.

HiGHS gets what it is quickest with: the matrix in one piece, one thread, with its presolve and without. Both sides
are counted from the same arrays to the split, in seconds of a core, which who else is at work changes least; every
answer is held to its limits and to what its own prices prove.
"""

from __future__ import annotations

import math
import time
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.fleet_highs import bundle_lp, curve_lp
from bench.machine import load
from bench.problems.fleets import bundle_fleet, concave_fleet
from orch.solvers import batch_bundle, batch_greedy
from orch.solvers.batch_check import Verdict, judge_bundles, judge_curves

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orch.solvers.arrays import FleetAnswer

FAMILIES = ("concave", "bundle")
FROM_HOSTS = 100
"""From this size on, one of these families is so many hosts of ten nodes; below, so many nodes of one host."""

REPEATS = 5
GROWTH_FROM = 300
EXACT = 1e-9


def measured(family: str, hosts: int, *, repeats: int = REPEATS, presolve: Sequence[bool] = (False, True)) -> Any:
    """One family at one size: a row per solver, how far each is from the best, and the growth of our own."""
    before = load()
    fleet: Any = concave_fleet(hosts) if family == "concave" else bundle_fleet(hosts)
    ours = _ours(family)
    rows, worths = [], {}
    for name, solve in ours.items():
        seconds, answer = _timed(lambda each=solve: each(fleet), repeats)
        judged: Verdict = judge_curves(fleet, answer) if family == "concave" else judge_bundles(fleet, answer)
        worths[name] = float(judged.worth_usd.sum())
        room = (judged.bound_usd.sum() - worths[name]) / worths[name]
        rows.append(_row(name, seconds, worths[name], missed=float(judged.missed.max()), unproven=float(room)))
    for each in presolve:
        solved = (curve_lp if family == "concave" else bundle_lp)(fleet, presolve=each)
        name = f"HiGHS, presolve {'on' if each else 'off'}"
        worths[name] = solved.objective_usd
        rows.append(_row(name, [solved.build_s + solved.solve_s], solved.objective_usd))
    quickest = min((row["s"]["median"] for row in rows if row["solver"] not in ours), default=math.nan)
    for row in rows:
        row["times_quicker"] = quickest / row["s"]["median"]
        row["gap_pct"] = 100.0 * (max(worths.values()) / worths[row["solver"]] - 1.0)
    return {
        "family": family,
        "hosts": hosts,
        "nodes": 10,
        "resources": 4,
        "repeats": repeats,
        "load": [before, load()],
        "rows": rows,
        "growth": {name: _growth(family, solve, hosts, repeats) for name, solve in ours.items()},
    }


def _ours(family: str) -> dict[str, Callable[[Any], FleetAnswer]]:
    if family == "concave":
        return {"batch_greedy": batch_greedy.solve}
    found: dict[str, Callable[[Any], FleetAnswer]] = {
        "batch_bundle": lambda fleet: batch_bundle.solve(fleet, compiled=False)
    }
    if find_spec("numba") is not None:
        found["batch_bundle, fast"] = lambda fleet: batch_bundle.solve(fleet, compiled=True)
        found["batch_bundle, fast"](bundle_fleet(2))  # compiling is not raced
    return found


def _timed(work: Callable[[], FleetAnswer], repeats: int) -> tuple[list[float], FleetAnswer]:
    seconds, answer = [], work()
    for _ in range(repeats):
        started = time.process_time()
        answer = work()
        seconds.append(time.process_time() - started)
    return seconds, answer


def _row(name: str, seconds: list[float], worth: float, **more: float) -> dict[str, Any]:
    spread = {"median": median(seconds), "lowest": min(seconds), "highest": max(seconds), "runs": len(seconds)}
    return {"solver": name, "s": spread, "worth_usd": worth, **more}


def _growth(family: str, solve: Callable[[Any], FleetAnswer], hosts: int, repeats: int) -> dict[str, Any]:
    """Seconds by hosts, and the exponent of the line through their logarithms; None when there are too few."""
    sizes = [int(each) for each in np.geomspace(GROWTH_FROM, hosts, 5)] if hosts > 2 * GROWTH_FROM else []
    seconds = []
    for size in sizes:
        fleet: Any = concave_fleet(size) if family == "concave" else bundle_fleet(size)
        seconds.append(median(_timed(lambda each=fleet: solve(each), repeats)[0]))
    slope = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if sizes else None
    return {"hosts": sizes, "s": seconds, "exponent": slope}


def show(table: dict[str, Any]) -> None:
    """Print one table of `measured`."""
    print(
        f"\n{table['family']}, {table['hosts']} hosts of {table['nodes']} nodes, {table['resources']} resources, "
        f"load {table['load'][0][0]} to {table['load'][1][0]}"
    )
    heads = ("core s", "lowest", "highest", "x HiGHS", "gap in %", "unproven")
    print(f"{'solver':<22}{heads[0]:>10}{heads[1]:>9}{heads[2]:>9}{heads[3]:>9}{heads[4]:>11}{heads[5]:>10}")
    for row in table["rows"]:
        seconds = row["s"]
        unproven = f"{row['unproven']:.1e}" if "unproven" in row else "-"
        print(
            f"{row['solver']:<22}{seconds['median']:>10.3f}{seconds['lowest']:>9.3f}{seconds['highest']:>9.3f}"
            f"{row['times_quicker']:>9.1f}{row['gap_pct']:>11.2e}{unproven:>10}"
        )
    for name, growth in table["growth"].items():
        if growth["exponent"] is not None:
            first, last = growth["hosts"][0], growth["hosts"][-1]
            print(f"{name}: time grows as hosts ** {growth['exponent']:.2f} from {first} to {last}")
