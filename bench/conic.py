"""The conic solver beside others on the same problems: how good, and how long from problem to split.

`compare(size, seed)` answers for one problem of the family `risk` with a bound on its variance;
`PYTHONPATH=. python -m bench.conic` prints a table. Each peer gets the problem as a person would write it for that
library: levels and amounts as variables, sums as constraints, the variance through a root of the covariance.
"""

from __future__ import annotations

import math
import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.problems.families import instance
from orch.model.problems import Budget, Problem
from orch.model.resources import RESOURCES
from orch.solvers import conic
from orch.solvers.answers import fitted, objective

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.solvers.conic import Split

SIZES = (4, 10, 50)
SEEDS = 3
REPEATS = 5
LONGEST_MS = 1000.0
"""Of all repeats together."""

SLOW_UP_TO = 10
"""SLSQP and SCS take seconds beyond."""

BROKEN = 1e-6
"""By this share of its size a constraint may be missed."""


class Timed(NamedTuple):
    """One solver on one problem: USD over the horizon (NaN: its split breaks a rule), least ms of some repeats."""

    solver: str
    objective_usd: float
    ms: float


class Matrices(NamedTuple):
    """The continuous problem: maximise `gain @ level` less moving costs.

    `uses[r]` is what levels take of resource `r`, shape (levels,); `owner` the node of each level; `level <= top`.
    `at_least` is what nodes need of a resource, shape (nodes, resources), `present` what they have.
    """

    gain: np.ndarray
    owner: np.ndarray
    uses: np.ndarray
    top: np.ndarray
    at_least: np.ndarray
    at_most: np.ndarray
    present: np.ndarray
    unit_usd: np.ndarray
    capacity: np.ndarray
    base: np.ndarray
    at: np.ndarray
    root: np.ndarray
    deviation: float
    horizon_h: float


def matrices(problem: Problem) -> Matrices:
    """A problem of the family `risk` as arrays."""
    nodes = problem.nodes
    activities = [(index, each) for index, node in enumerate(nodes) for each in node.activities]
    capacity = np.array([problem.capacity.or_zero(name) for name in RESOURCES])

    def table(of: Callable[[Any], Any], missing: float | None = 0.0) -> np.ndarray:
        rows = []
        for node in nodes:
            amounts = of(node)
            rows.append(
                [
                    (capacity[place] if missing is None else missing)
                    if amounts.get(name) is None
                    else amounts.get(name)
                    for place, name in enumerate(RESOURCES)
                ]
            )
        return np.array(rows, dtype=float)

    return Matrices(
        gain=np.array([each.usd_per_hour for _, each in activities]),
        owner=np.array([index for index, _ in activities]),
        uses=np.array([[each.takes.or_zero(name) for _, each in activities] for name in RESOURCES]),
        top=np.array([each.width for _, each in activities]),
        at_least=np.maximum(table(lambda node: node.floor), table(lambda node: node.need)),
        at_most=np.minimum(table(lambda node: node.cap, None), capacity),
        present=table(lambda node: node.present),
        unit_usd=table(lambda node: node.unit_usd),
        capacity=capacity,
        base=np.array([node.base_usd_per_hour for node in nodes]),
        at=np.array(problem.covariance_at),
        root=np.linalg.cholesky(np.array(problem.covariance)).T,
        deviation=math.sqrt(problem.max_variance or 0.0),
        horizon_h=problem.horizon_h,
    )


def by_cvxpy(problem: Problem, solver: str) -> float:
    """The objective that cvxpy reaches with one of its solvers; NaN when the solver's answer breaks a rule."""
    import cvxpy as cp

    m = matrices(problem)
    level, amount = cp.Variable(len(m.gain), nonneg=True), cp.Variable(m.present.shape, nonneg=True)
    owners = np.zeros((len(m.base), len(m.gain)))
    owners[m.owner, np.arange(len(m.gain))] = 1.0
    income = m.base + owners @ cp.multiply(m.gain, level)
    limits = [level <= m.top, amount >= m.at_least, amount <= m.at_most, cp.sum(amount, axis=0) <= m.capacity]
    limits += [
        owners @ cp.multiply(m.uses[place], level) <= amount[:, place] - m.at_least[:, place]
        for place in range(len(RESOURCES))
    ]
    limits.append(cp.norm(m.root @ cp.multiply(income, 1.0 / m.at)) <= m.deviation)
    cost = cp.sum(cp.multiply(m.unit_usd, cp.abs(amount - m.present)))
    goal = cp.Problem(cp.Maximize(m.horizon_h * cp.sum(income) - cost), limits)
    options = {"eps": 1e-7, "max_iters": 200_000} if solver == "SCS" else {}
    usd = float(goal.solve(solver=solver, **options))
    sizes = float(np.abs(m.capacity).max())
    broken = max(float(np.max(each.violation())) for each in limits[:-1]) / sizes
    risk = float(limits[-1].violation()) / m.deviation
    return usd if max(broken, risk) <= BROKEN else math.nan


def by_slsqp(problem: Problem) -> float:
    """The objective that SciPy's SLSQP reaches from the present split, moving costs by growth and shrinkage."""
    from scipy.optimize import minimize

    m = matrices(problem)
    levels, amounts = len(m.gain), m.present.size
    owners = np.zeros((len(m.base), levels))
    owners[m.owner, np.arange(levels)] = m.gain
    shares = owners / m.at[:, None]

    def parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = (x[levels : levels + amounts] - x[levels + amounts :]).reshape(m.present.shape)
        return x[:levels], m.present + moved

    rows, right = [], []
    grid = np.eye(amounts)
    for node in range(len(m.base)):
        for place in range(len(RESOURCES)):
            unit = grid[node * len(RESOURCES) + place]
            uses = np.where(m.owner == node, m.uses[place], 0.0)
            rows.append(np.concatenate((-uses, unit, -unit)))
            right.append(m.present[node, place] - m.at_least[node, place])
    for place in range(len(RESOURCES)):
        unit = np.zeros(m.present.shape)
        unit[:, place] = 1.0
        rows.append(np.concatenate((np.zeros(levels), -unit.ravel(), unit.ravel())))
        right.append(m.capacity[place] - m.present[:, place].sum())
    matrix, limit = np.array(rows), np.array(right)
    costs = np.concatenate((-m.horizon_h * m.gain, m.unit_usd.ravel(), m.unit_usd.ravel()))
    spread = m.root @ shares

    def risk(x: np.ndarray) -> float:
        return float(m.deviation**2 - ((m.root @ (m.base / m.at) + spread @ x[:levels]) ** 2).sum())

    def risk_slope(x: np.ndarray) -> np.ndarray:
        slope = -2.0 * spread.T @ (m.root @ (m.base / m.at) + spread @ x[:levels])
        return np.concatenate((slope, np.zeros(2 * amounts)))

    up, down = m.at_most - m.present, m.present
    bounds = [(0.0, top) for top in m.top] + [(0.0, max(each, 0.0)) for each in (*up.ravel(), *down.ravel())]
    found = minimize(
        lambda x: float(costs @ x),
        np.zeros(levels + 2 * amounts),
        jac=lambda x: costs,  # noqa: ARG005 - the slope is the same everywhere
        bounds=bounds,
        constraints=[
            {"type": "ineq", "fun": lambda x: limit + matrix @ x, "jac": lambda x: matrix},  # noqa: ARG005 - as above
            {"type": "ineq", "fun": risk, "jac": risk_slope},
        ],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    broken = min(float((limit + matrix @ found.x).min()) / m.capacity.max(), risk(found.x) / m.deviation**2)
    return -float(found.fun) + m.horizon_h * float(m.base.sum()) if broken > -BROKEN else math.nan


def compare(size: int, seed: int, *, repeats: int = REPEATS) -> tuple[Timed, ...]:
    """Our solver first, then each peer that is installed."""
    problem = instance("risk", size, seed)
    peers: dict[str, Callable[[], float]] = {"conic": lambda: _ours(problem)}
    try:
        import cvxpy  # noqa: F401 - is it there?

        peers["cvxpy, Clarabel"] = lambda: by_cvxpy(problem, "CLARABEL")
        if size <= SLOW_UP_TO:
            peers["cvxpy, SCS"] = lambda: by_cvxpy(problem, "SCS")
    except ImportError:
        pass
    if size <= SLOW_UP_TO:
        peers["SLSQP"] = lambda: by_slsqp(problem)
    return tuple(_timed(name, run, repeats) for name, run in peers.items())


def _ours(problem: Problem) -> float:
    answer = conic.solve(problem, Budget(seconds=10.0), 0)
    split: Split = {share.node: share.allocation for share in answer.shares}
    return objective(problem, fitted(problem, split))


def _timed(name: str, run: Callable[[], float], repeats: int) -> Timed:
    usd = run()  # imports and caches
    spent: list[float] = []
    for _ in range(repeats):
        if sum(spent) > LONGEST_MS:
            break
        started = time.perf_counter()
        run()
        spent.append(1e3 * (time.perf_counter() - started))
    return Timed(name, usd, min(spent))


def main() -> None:
    """Print quality and time by size, over some seeds."""
    print("size  solver           short of the best  broke rules      ms  times ours")
    for size in SIZES:
        runs = [compare(size, seed) for seed in range(SEEDS)]
        for place, first in enumerate(runs[0]):
            behind = []
            for row in runs:
                best = max(each.objective_usd for each in row if not math.isnan(each.objective_usd))
                behind.append((best - row[place].objective_usd) / abs(best))
            known = [each for each in behind if not math.isnan(each)]
            short = f"{max(known):.1e}" if known else "-"
            broke = f"{len(behind) - len(known)} of {len(behind)}"
            ms = statistics.median(row[place].ms for row in runs)
            ratio = statistics.median(row[place].ms / row[0].ms for row in runs)
            print(f"{size:4}  {first.solver:16} {short:>17} {broke:>11} {ms:7.1f} {ratio:10.1f}")


if __name__ == "__main__":
    main()
