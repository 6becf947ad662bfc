"""Solvers against the proven optimum, over time: `python -m bench solvers`.

Every problem's optimum is proven first, by HiGHS and by enumeration, which must agree (a bounded variance only
by the best answer met, and the table says so). Then every solver gets every budget with every seed; what counts
is the split it gives, as the independent checker values it. `racers` is where other solvers join: with `--peers`
those of `bench.solver_peers`. Of `concave` and `bundle` a size from 100 on is a fleet of so many hosts.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from bench import fleet, solver_peers
from bench.charts import draw_gaps
from bench.machine import load, machine
from bench.problems import FAMILY_NAMES, instance
from orch.model.problems import Budget
from orch.planning.plan import calculate_optimal_allocation
from orch.solvers import check, exact, linear
from orch.solvers.registry import load_solvers, solvers_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from orch.model.problems import Answer, Problem

    Racer: TypeAlias = "Callable[[Problem, Budget, int], Answer]"

SIZES = (10,)
BUDGETS_S = (0.01, 0.1, 1.0)
SEEDS = 10
NOTHING = 100.0
"""The gap of a solver that gave no split, in percent."""
CLOSE_PCT = 0.1
PEER_SEEDS = 3


class Task(NamedTuple):
    """A problem and its best known worth; `proven` unless its variance is bounded."""

    problem: Problem
    best_usd: float
    proven: bool


def racers() -> dict[str, Racer]:
    """Every installed solver but `keep`."""
    return {name: load() for name, load in load_solvers().items() if name != "keep"}


def run(
    *,
    quick: bool = False,
    families: Sequence[str] = FAMILY_NAMES,
    sizes: Sequence[int] = SIZES,
    budgets_s: Sequence[float] = BUDGETS_S,
    seeds: int = SEEDS,
    with_peers: bool = False,
    aims_only: bool = False,
    chart: Path | None = None,
) -> dict[str, Any]:
    """Measure families, then what is aimed at; with `aims_only` the whole table of aims instead.

    `chart` is a picture of gap over time. Peers solve the first few problems only: those that search blindly take
    all of every budget.
    """
    started = time.perf_counter()
    before = load()
    if aims_only:
        return _aimed(started, before, quick=quick, seeds=seeds)
    if quick:
        sizes, budgets_s, seeds = (4,), (0.05,), 2
    entered, others, missing = racers(), {}, []
    if with_peers:
        others, missing = solver_peers.peers()
    for solve in (*entered.values(), *others.values()):
        solve(instance("nonconvex", 3, 0), Budget(seconds=1.0), 0)  # imports are not raced
        solve(instance("linear", 3, 0), Budget(seconds=1.0), 0)
    tables, fleets = [], []
    for family in families:
        large = [size for size in sizes if family in fleet.FAMILIES and size >= fleet.FROM_HOSTS]
        fleets += [fleet.measured(family, size) for size in large]
        small = [size for size in sizes if size not in large]
        for size in (4,) if family == "seed4" else small:
            tasks = [task_of(instance(family, size, seed)) for seed in range(seeds)]
            rows = [
                _raced(name, solve, tasks, budget_s) for name, solve in entered.items() for budget_s in budgets_s
            ]
            rows += [
                _raced(name, solve, tasks[:PEER_SEEDS], budget_s)
                for name, solve in (others.items() if family != "risk" else ())
                for budget_s in budgets_s
            ]
            proven = all(task.proven for task in tasks)
            tables.append({"family": family, "size": size, "seeds": seeds, "proven": proven, "rows": rows})
    solver_peers.close()
    figures = [] if fleets and not tables else _figures(seeds, sizes=(10,) if quick else (10, 50))
    if chart is not None:
        draw_gaps(tables, chart)
    return _report(started, before, tables, fleets, missing, figures)


def _aimed(started: float, before: list[float], *, quick: bool, seeds: int) -> dict[str, Any]:
    """The table of aims; its rows are the figures."""
    from bench import aims

    rows, fleets = aims.measured(quick=quick, seeds=seeds)
    solver_peers.close()
    return _report(started, before, [], fleets, solver_peers.peers()[1], rows)


def _report(
    started: float,
    before: list[float],
    tables: list[dict[str, Any]],
    fleets: list[dict[str, Any]],
    missing: list[str],
    figures: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "bench": "solvers",
        "machine": {**machine(), **solver_peers.versions()},
        "load": [before, load()],
        "tables": tables,
        "fleets": fleets,
        "missing": missing,
        "figures": figures,
        "aims": {each["aim"]: each["wanted"] for each in figures},
        "met": {each["aim"]: each["met"] for each in figures},
        "took_s": round(time.perf_counter() - started, 1),
    }


def task_of(problem: Problem) -> Task:
    """A problem with its proven worth, by two unlike solvers that must agree."""
    free = replace(problem, max_variance=None)
    long = Budget(seconds=60.0)
    answers = [linear.solve(free, long, 0), exact.solve(free, long, 0)]
    worths = [each.objective_usd or 0.0 for each in answers]
    if max(worths) - min(worths) > 1e-5 * max(abs(each) for each in worths):
        raise RuntimeError(f"two proofs of one problem differ: {worths}")
    if problem.max_variance is None:
        return Task(problem, max(worths), all(each.status == "optimal" for each in answers))
    best = max(_worth(problem, solve(problem, long, 0)) or 0.0 for solve in racers().values())
    return Task(problem, best, proven=False)


def _worth(problem: Problem, answer: Answer) -> float | None:
    """What the checker says an answer's split is worth; None when there is none, or it is wrong."""
    if answer.status not in ("optimal", "feasible") or check.check(problem, answer):
        return None
    return check.objective(problem, {share.node: share.allocation for share in answer.shares})


def gap_pct(task: Task, answer: Answer) -> float:
    """How far an answer's split is from the best known, in percent of it; `NOTHING` when it is none."""
    worth = _worth(task.problem, answer)
    return NOTHING if worth is None else 100.0 * max(task.best_usd - worth, 0.0) / abs(task.best_usd)


def _raced(name: str, solve: Racer, tasks: Sequence[Task], budget_s: float) -> dict[str, Any]:
    gaps, seconds, proven = [], [], 0
    for seed, task in enumerate(tasks):
        started = time.perf_counter()
        answer = solve(task.problem, Budget(seconds=budget_s), seed)
        seconds.append(time.perf_counter() - started)
        gaps.append(gap_pct(task, answer))
        proven += answer.status == "optimal"
    return {
        "solver": name,
        "budget_s": budget_s,
        "gap_pct": {"median": median(gaps), "lowest": min(gaps), "highest": max(gaps)},
        "ms": {"median": 1e3 * median(seconds), "lowest": 1e3 * min(seconds), "highest": 1e3 * max(seconds)},
        "proven": proven,
        "seeds": len(tasks),
    }


def _figures(seeds: int, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """What is aimed at, each beside its aim; HiGHS's mixed-integer solver is the yardstick in the same run."""
    found = []
    for size in sizes:
        problems = [instance("nonconvex", size, seed) for seed in range(seeds)]
        highs = timed_each("linear", problems)
        if size == 10:
            own = timed_each("exact", problems)
            ratio = median(theirs / ours for theirs, ours in zip(highs, own, strict=True))
            found.append(_figure("proof of 10 nodes, times as fast as HiGHS", ratio, 5.0, at_least=True))
        tasks = [task_of(problem) for problem in problems]
        for name in ("genetic", "annealing"):
            solve = load_solvers()[name]()
            gaps = [
                gap_pct(task, solve(task.problem, Budget(seconds=seconds), seed))
                for seed, (task, seconds) in enumerate(zip(tasks, highs, strict=True))
            ]
            words = f"{name}, {size} nodes, gap in % after HiGHS's own time"
            found.append(_figure(words, median(gaps), CLOSE_PCT, at_least=False))
    found.append(_figure("a default plan in ms", 1e3 * median(plans(seeds)), 5.0, at_least=False))
    return found


def plans(seeds: int) -> list[float]:
    """Seconds for the four networks' plan as the engine makes it: solved, checked, rounded."""
    solvers, found = solvers_for("linear"), []
    for seed in range(seeds):
        problem = instance("seed4", 4, seed)
        plan = partial(calculate_optimal_allocation, problem, "linear", Budget(seconds=1.0), 0, solvers)
        found.append(quickest(plan))
    return found


def quickest(work: Callable[[], object], times: int = 3) -> float:
    """The least of a few runs, in seconds of a core: what the work takes when nobody else is at work."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return min(taken)


def timed_each(name: str, problems: Sequence[Problem]) -> list[float]:
    """What a solver takes for each problem with all the time it wants."""
    solve = load_solvers()[name]()
    return [quickest(partial(solve, problem, Budget(seconds=60.0), 0)) for problem in problems]


def _figure(aim: str, value: float, wanted: float, *, at_least: bool) -> dict[str, Any]:
    met = value >= wanted if at_least else value <= wanted
    return {"aim": aim, "measured": value, "wanted": wanted, "at_least": at_least, "met": met}


def show(found: dict[str, Any]) -> None:
    """Print what `run` measured."""
    from bench import aims

    where = found["machine"]
    print(f"{where['cpu']}, {where['cores']} cores, load {found['load'][0]} to {found['load'][1]}")
    if found["missing"]:
        print(f"not installed (extra bench): {', '.join(found['missing'])}")
    for table in found["fleets"]:
        fleet.show(table)
    for table in found["tables"]:
        best = "the proven optimum" if table["proven"] else "the best answer met"
        print(f"\n{table['family']}, {table['size']} nodes, {table['seeds']} seeds: gap in % to {best}")
        print(
            f"{'solver':<16}{'budget':>9}{'median':>10}{'lowest':>10}{'highest':>10}{'ms':>10}{'proven':>8}{'of':>4}"
        )
        for row in table["rows"]:
            gap, budget = row["gap_pct"], f"{1e3 * row['budget_s']:g} ms"
            print(
                f"{row['solver']:<16}{budget:>9}{gap['median']:>10.4f}{gap['lowest']:>10.4f}"
                f"{gap['highest']:>10.4f}{row['ms']['median']:>10.1f}{row['proven']:>8}{row['seeds']:>4}"
            )
    if any("peer" in each for each in found["figures"]):
        aims.show(found["figures"])
        return
    print()
    for each in found["figures"]:
        sign, word = ("at least" if each["at_least"] else "at most"), ("met" if each["met"] else "MISSED")
        print(f"{each['aim']:<58}{each['measured']:>9.3f}   aim {sign} {each['wanted']:g}   {word}")
