"""Other solvers on one host's problems, as racers beside ours: what is installed of the extra `bench`.

HiGHS, OR-Tools (SCIP or GLOP) and cvxpy with Clarabel get the very columns and rows that our own `linear`
passes to HiGHS; `highspy` is HiGHS alone, without what ours adds. Those that search blindly (SciPy's differential
evolution and dual annealing, pymoo's genetic algorithm) share one genome and one repair (`bench.genome`) and start
from the present split. OR-Tools cannot be loaded beside highspy and runs in its own process.
"""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import time
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.genome import Genome, TimeUpError
from orch.model.resources import resources
from orch.solvers.answers import fitted, found, nothing
from orch.solvers.linear import _amounts
from orch.solvers.linear_model import Layout, build
from orch.solvers.spans import conflicts, faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.solvers import Racer
    from orch.model.problems import Answer, Budget, Problem

    Values = list[float] | None

POPULATION = 100
NEEDS = {
    "highspy": "highspy",
    "OR-Tools": "ortools",
    "cvxpy, Clarabel": "cvxpy",
    "scipy DE": "scipy",
    "scipy annealing": "scipy",
    "pymoo GA": "pymoo",
}
SEARCHES = ("scipy DE", "scipy annealing", "pymoo GA")
"""These use their whole budget, whatever it is."""

_LOADED = {
    "scipy DE": ("scipy.optimize",),
    "scipy annealing": ("scipy.optimize",),
    "pymoo GA": ("pymoo.algorithms.soo.nonconvex.ga", "pymoo.optimize"),
}
"""What a search imports: before its clock starts, for reading files from a cold disk is no part of searching."""


def peers() -> tuple[dict[str, Racer], list[str]]:
    """The installed peers by name, and the names of those that are not."""
    ways: dict[str, Racer] = {
        "highspy": lambda problem, budget, seed: _program("highspy", _by_highs, problem, budget, seed),
        "OR-Tools": lambda problem, budget, seed: _program("OR-Tools", _by_ortools, problem, budget, seed),
        "cvxpy, Clarabel": lambda problem, budget, seed: _program(
            "cvxpy, Clarabel", _by_cvxpy, problem, budget, seed
        ),
        "scipy DE": lambda problem, budget, seed: _search("scipy DE", _by_evolution, problem, budget, seed),
        "scipy annealing": lambda problem, budget, seed: _search(
            "scipy annealing", _by_annealing, problem, budget, seed
        ),
        "pymoo GA": lambda problem, budget, seed: _search("pymoo GA", _by_pymoo, problem, budget, seed),
    }
    there = {name: way for name, way in ways.items() if find_spec(NEEDS[name]) is not None}
    return there, [name for name in ways if name not in there]


def versions() -> dict[str, str]:
    """The versions of what is installed of the extras `bench` and `fast`."""
    packages = ("scipy", "pymoo", "cvxpy", "clarabel", "ortools", "numba")
    return {name: version(name) for name in packages if find_spec(name) is not None}


def _program(
    name: str,
    way: Callable[[Layout, float, int], Values],
    problem: Problem,
    budget: Budget,
    seed: int,
) -> Answer:
    """A linear or mixed-integer model, solved elsewhere, and its split."""
    started = time.perf_counter()
    wrong = faults(problem) or conflicts(problem)
    if wrong or problem.max_variance is not None:
        why = wrong or ("it takes linear models only",)
        return nothing("out_of_time", name, why, seconds=0.0, seed=seed)
    layout = build(problem)
    values = way(layout, budget.seconds, seed)
    seconds = time.perf_counter() - started
    if values is None:
        return nothing("out_of_time", name, ("it found nothing in its time",), seconds=seconds, seed=seed)
    outcome: Any = _Values(values)
    split = {node.name: resources(_amounts(problem, node, layout, outcome)) for node in problem.nodes}
    return found(problem, name, fitted(problem, split), bound=None, seconds=seconds, seed=seed)


class _Values:
    """Values by column, as an outcome of HiGHS has them."""

    def __init__(self, values: list[float]) -> None:
        self.values = values


def _by_highs(layout: Layout, seconds: float, seed: int) -> Values:
    outcome = layout.model.run(seconds=seconds, seed=seed)
    return outcome.values or None


def _by_ortools(layout: Layout, seconds: float, seed: int) -> Values:
    """Its process counts its own time: starting Python is not raced."""
    model = layout.model
    document = {
        "lower": model.lower, "upper": model.upper, "gain": model.gain, "integer": model.integer,
        "row_lower": [_written(each) for each in model.row_lower],
        "row_upper": [_written(each) for each in model.row_upper],
        "starts": model.starts, "index": model.index, "value": model.value, "seconds": seconds, "seed": seed,
    }  # fmt: skip
    answer: Values = _ortools_process().ask(document)
    return answer


def _written(number: float) -> float:
    return max(min(number, 1e30), -1e30)


class _OrTools:
    """A process of its own that solves models line by line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.solver_ortools"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, document: dict[str, Any]) -> Values:
        """Solve one model."""
        if self._process.stdin is None or self._process.stdout is None:
            return None
        self._process.stdin.write(json.dumps(document) + "\n")
        self._process.stdin.flush()
        values: Values = json.loads(self._process.stdout.readline() or "null")
        return values

    def close(self) -> None:
        """End it: it ends with its input."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=20)
        if self._process.stdout:
            self._process.stdout.close()


_STARTED: list[_OrTools] = []


def _ortools_process() -> _OrTools:
    if not _STARTED:
        _STARTED.append(_OrTools())
    return _STARTED[0]


def close() -> None:
    """End what was started."""
    while _STARTED:
        _STARTED.pop().close()


def _by_cvxpy(layout: Layout, seconds: float, seed: int) -> Values:  # noqa: ARG001 - Clarabel is not random
    """Clarabel takes no integers: where there are some it finds nothing."""
    import cvxpy as cp
    from scipy.sparse import csr_matrix

    model = layout.model
    if model.integer:
        return None
    column = cp.Variable(len(model.lower))
    rows = csr_matrix((model.value, model.index, model.starts), shape=(len(model.row_lower), len(model.lower)))
    low, high = np.array(model.row_lower), np.array(model.row_upper)
    limits = [column >= np.array(model.lower), column <= np.array(model.upper)]
    if np.isfinite(low).any():
        limits.append(rows[np.flatnonzero(np.isfinite(low))] @ column >= low[np.isfinite(low)])
    if np.isfinite(high).any():
        limits.append(rows[np.flatnonzero(np.isfinite(high))] @ column <= high[np.isfinite(high)])
    goal = cp.Problem(cp.Maximize(np.array(model.gain) @ column), limits)
    goal.solve(solver="CLARABEL", time_limit=seconds)
    return None if column.value is None else [float(each) for each in column.value]


def _search(
    name: str, way: Callable[[Genome, float, int], None], problem: Problem, budget: Budget, seed: int
) -> Answer:
    """The best split that a blind search met before its time was up."""
    for module in _LOADED[name]:
        import_module(module)
    started = time.perf_counter()
    genome = Genome(problem, started + budget.seconds)
    with contextlib.suppress(TimeUpError):
        way(genome, budget.seconds, seed)
    seconds = time.perf_counter() - started
    if genome.best is None or not math.isfinite(genome.best_usd):
        return nothing("out_of_time", name, ("it found no split in its time",), seconds=seconds, seed=seed)
    split = fitted(problem, genome.split(genome.best))
    return found(problem, name, split, bound=None, seconds=seconds, seed=seed)


def _by_evolution(genome: Genome, seconds: float, seed: int) -> None:  # noqa: ARG001 - the genome minds the time
    from scipy.optimize import differential_evolution

    differential_evolution(
        lambda population: -genome.value(population.T), [(0.0, 1.0)] * genome.length,
        init=genome.start(POPULATION, seed), vectorized=True, updating="deferred", polish=False, maxiter=10**6,
        tol=0.0, atol=-1.0, rng=seed,
    )  # fmt: skip


def _by_annealing(genome: Genome, seconds: float, seed: int) -> None:  # noqa: ARG001 - the genome minds the time
    from scipy.optimize import dual_annealing

    dual_annealing(
        lambda genes: float(-genome.value(genes[None, :])[0]), [(0.0, 1.0)] * genome.length,
        x0=genome.start(1, seed)[0], maxiter=10**6, no_local_search=True, rng=seed,
    )  # fmt: skip


def _by_pymoo(genome: Genome, seconds: float, seed: int) -> None:
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem as Outer
    from pymoo.optimize import minimize

    class Split(Outer):  # type: ignore[misc, unused-ignore] - pymoo has no types
        def __init__(self) -> None:
            super().__init__(n_var=genome.length, n_obj=1, xl=0.0, xu=1.0)

        def _evaluate(self, genes: Any, out: dict[str, Any], *_: Any, **__: Any) -> None:
            out["F"] = -genome.value(genes)[:, None]

    algorithm = GA(pop_size=POPULATION, sampling=genome.start(POPULATION, seed), eliminate_duplicates=True)
    minimize(Split(), algorithm, ("time", seconds + 1.0), seed=seed, verbose=False)
