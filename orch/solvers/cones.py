"""The linear model of a problem with a bound on its variance, as Clarabel takes it.

Clarabel minimises `x' P x / 2 + q' x` with `A x + s = b`, `s` in a product of cones (Goulart & Chen, *Clarabel: An
interior-point solver for conic programs with quadratic objectives*, 2024). Here `x` is the model's columns and,
for each node, its share of the income that the covariance belongs to; the variance is a second-order cone over a
root of the covariance times those shares.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from orch.errors import OrchError
from orch.solvers.levels import evaluate
from orch.solvers.spans import idle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orch.model.problems import Problem
    from orch.solvers.highs import Model
    from orch.solvers.linear_model import Layout

    Floats = NDArray[np.float64]

PRECISION = 1e-9
"""Of Clarabel's gaps and residuals, on numbers scaled to about 1."""

CLOSER = 1e-7
"""By so much the bound is drawn in, so that what is inside for the solver is inside for the checker."""


class Found(NamedTuple):
    """What Clarabel found: columns and prices (gain per unit) of the model's rows, and the gain, of the model."""

    status: Literal["optimal", "infeasible", "out_of_time"]
    values: Floats
    prices: Floats
    gain: float
    bound: float


class Cones:
    """The matrices of one problem, built once; bounds of columns may differ from solve to solve.

    Args:
        layout: The linear model of the problem, whose covariance is known.
        aversion: Mean-variance instead of a bound: what one unit of variance, (USD/h)^2, is taken to cost, in USD
            over the horizon. The problem's `max_variance` then does not count.
    """

    def __init__(self, layout: Layout, aversion: float | None = None) -> None:
        from scipy import sparse

        model, problem = layout.model, layout.problem
        count = len(problem.nodes)
        self._columns, width = len(model.lower), len(model.lower) + count
        self._lower, self._upper = np.array(model.lower), np.array(model.upper)
        self._gain = np.concatenate((np.array(model.gain, dtype=float), np.zeros(count)))
        low, high = np.array(model.row_lower), np.array(model.row_upper)
        self._equal = low == high
        self._below, self._above = ~self._equal & np.isfinite(high), ~self._equal & np.isfinite(low)
        entries = _Entries(width)
        fixed = _add_shares(entries, layout)
        self._right = [fixed, high[self._equal], high[self._below], -low[self._above]]
        for which, sign in ((self._equal, 1.0), (self._below, 1.0), (self._above, -1.0)):
            entries.add_rows(model, which, sign)
        own = np.arange(self._columns)
        for sign in (1.0, -1.0):
            entries.add(own, own, np.full(self._columns, sign), self._columns)
        self._cone: list[Floats] = []
        self._quadratic: Any = sparse.csc_matrix((width, width))
        root = _root(problem)
        if aversion is None:
            scale = float(np.abs(root).max(initial=0.0)) or 1.0
            entries.height += 1
            rows, columns = np.nonzero(root)
            entries.add(rows, self._columns + columns, -root[rows, columns] / scale, count)
            reach = math.sqrt(max(problem.max_variance or 0.0, 0.0)) * (1.0 - CLOSER) / scale
            self._cone = [np.array([reach]), np.zeros(count)]
        else:
            dense = np.triu(2.0 * aversion / layout.money * (root.T @ root))
            rows, columns = np.nonzero(dense)
            places = (rows + self._columns, columns + self._columns)
            self._quadratic = sparse.csc_matrix((dense[rows, columns], places), shape=(width, width))
        self._matrix = entries.matrix()

    def solve(self, seconds: float, fixed: dict[int, tuple[float, float]] | None = None) -> Found:
        """The best split within real seconds; `fixed` narrows columns to (lower, upper).

        Raises:
            OrchError: Clarabel ended in a way that says nothing about the problem.
        """
        import clarabel

        lower, upper = self._lower.copy(), self._upper.copy()
        for column, (low, high) in (fixed or {}).items():
            lower[column], upper[column] = low, high
        right = np.concatenate([*self._right, upper, -lower, *self._cone])
        zeros = len(self._right[0]) + len(self._right[1])
        cones = [clarabel.ZeroConeT(zeros), clarabel.NonnegativeConeT(len(right) - zeros - _length(self._cone))]
        if self._cone:
            cones.append(clarabel.SecondOrderConeT(_length(self._cone)))
        settings = clarabel.DefaultSettings()
        settings.verbose = False
        settings.max_threads = 1
        settings.time_limit = max(seconds, 1e-3)
        settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = PRECISION
        found = clarabel.DefaultSolver(self._quadratic, -self._gain, self._matrix, right, cones, settings).solve()
        return self._read(str(found.status), found)

    def _read(self, ended: str, found: Any) -> Found:
        nothing = np.empty(0)
        if "PrimalInfeasible" in ended:
            return Found("infeasible", nothing, nothing, math.nan, math.nan)
        if ended in ("MaxTime", "MaxIterations"):
            return Found("out_of_time", nothing, nothing, math.nan, math.nan)
        if ended not in ("Solved", "AlmostSolved"):
            raise OrchError(f"Clarabel ended with {ended}")
        duals, prices = np.array(found.z), np.zeros(len(self._equal))
        at = len(self._right[0])
        for which, sign in ((self._equal, 1.0), (self._below, 1.0), (self._above, -1.0)):
            size = int(which.sum())
            prices[which] += sign * duals[at : at + size]
            at += size
        values = np.array(found.x)[: self._columns]
        return Found("optimal", values, prices, -float(found.obj_val), -float(found.obj_val_dual))


def _length(parts: list[Floats]) -> int:
    return sum(len(part) for part in parts)


class _Entries:
    """A sparse matrix as it is filled, block by block from the top."""

    def __init__(self, width: int) -> None:
        self.height, self._width = 0, width
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]] = []

    def add(self, rows: NDArray[np.int64], columns: NDArray[np.int64], values: Floats, height: int) -> None:
        """A block of so many rows, below what there is."""
        self._parts.append((rows + self.height, columns, values))
        self.height += height

    def add_rows(self, model: Model, which: NDArray[np.bool_], sign: float) -> None:
        """Some of a model's rows."""
        starts = np.array(model.starts)
        row_of = np.repeat(np.arange(len(which)), np.diff(starts))
        wanted = which[row_of]
        place = np.cumsum(which) - 1
        columns, values = np.array(model.index, dtype=np.int64), np.array(model.value, dtype=float)
        self.add(place[row_of[wanted]], columns[wanted], sign * values[wanted], int(which.sum()))

    def matrix(self) -> Any:
        """All of it, by columns."""
        from scipy import sparse

        rows, columns, values = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        return sparse.csc_matrix((values, (rows, columns)), shape=(self.height, self._width))


def _add_shares(entries: _Entries, layout: Layout) -> Floats:
    """The rows `share[n] - income[n] / at[n] == constant`; returns those constants."""
    problem, first = layout.problem, len(layout.model.lower)
    places: list[tuple[int, int, float]] = []
    fixed = np.zeros(len(problem.nodes))
    for row, node in enumerate(problem.nodes):
        places.append((row, first + row, 1.0))
        at = problem.covariance_at[row] if problem.covariance_at else evaluate(node, node.present).mean
        if not at > 0.0:
            fixed[row] = 1.0
            continue
        places += [(row, column, -usd / at) for column, usd in layout.levels.get(node.name, ())]
        if node.name in layout.on:
            places.append((row, layout.on[node.name], -node.base_usd_per_hour / at))
        elif not idle(problem, node):
            fixed[row] = node.base_usd_per_hour / at
    rows, columns, values = (np.array(part) for part in zip(*places, strict=True))
    entries.add(rows, columns, values, len(problem.nodes))
    return fixed


def _root(problem: Problem) -> Floats:
    """A root of the covariance: `root.T @ root` is it, what is negative by rounding left out."""
    matrix = np.array(problem.covariance, dtype=float)
    matrix = (matrix + matrix.T) / 2.0
    try:
        return np.linalg.cholesky(matrix).T
    except np.linalg.LinAlgError:  # singular, as of two nodes that always vary alike
        values, vectors = np.linalg.eigh(matrix)
        root: Floats = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
        return root
