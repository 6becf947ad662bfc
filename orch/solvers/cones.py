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
        self.layout = layout
        self.columns, count = len(model.lower), len(problem.nodes)
        self._lower, self._upper = np.array(model.lower), np.array(model.upper)
        self._gain = np.concatenate((np.array(model.gain, dtype=float), np.zeros(count)))
        width = self.columns + count
        rows = sparse.csr_matrix((model.value, model.index, model.starts), shape=(len(model.starts) - 1, width))
        low, high = np.array(model.row_lower), np.array(model.row_upper)
        equal = low == high
        self._below, self._above = ~equal & np.isfinite(high), ~equal & np.isfinite(low)
        self._equal = equal
        shares, fixed = _shares(layout, width)
        root = _root(problem)
        own = sparse.eye(self.columns, width, format="csr")
        parts = [shares, rows[equal], rows[self._below], -rows[self._above], own, -own]
        self._sizes = [count, int(equal.sum())]
        self._right = [fixed, high[equal], high[self._below], -low[self._above]]
        quadratic: Any = sparse.csc_matrix((width, width))
        at_most = problem.max_variance
        scale = float(np.abs(root).max()) or 1.0
        self._cone: list[Floats] = []
        if aversion is None and at_most is not None:
            behind = sparse.hstack((sparse.csr_matrix((count, self.columns)), sparse.csr_matrix(-root / scale)))
            parts += [sparse.csr_matrix((1, width)), behind]
            reach = math.sqrt(max(at_most, 0.0)) * (1.0 - CLOSER) / scale
            self._cone = [np.array([reach]), np.zeros(count)]
        elif aversion:
            dense = 2.0 * aversion / layout.money * (root.T @ root)
            quadratic = sparse.block_diag((sparse.csc_matrix((self.columns, self.columns)), np.triu(dense)), "csc")
        self._quadratic = quadratic
        self._matrix = sparse.vstack(parts, format="csc")

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
        zeros = sum(self._sizes)
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
        at = self._sizes[0]
        for which, sign in ((self._equal, 1.0), (self._below, 1.0), (self._above, -1.0)):
            size = int(which.sum())
            prices[which] += sign * duals[at : at + size]
            at += size
        values = np.array(found.x)[: self.columns]
        return Found("optimal", values, prices, -float(found.obj_val), -float(found.obj_val_dual))


def _length(parts: list[Floats]) -> int:
    return sum(len(part) for part in parts)


def _shares(layout: Layout, width: int) -> tuple[Any, Floats]:
    """The rows `share[n] - income[n] / at[n] == constant`, and those constants."""
    from scipy import sparse

    problem, first = layout.problem, len(layout.model.lower)
    rows, columns, values = [], [], []
    fixed = np.zeros(len(problem.nodes))
    for row, node in enumerate(problem.nodes):
        rows.append(row)
        columns.append(first + row)
        values.append(1.0)
        at = problem.covariance_at[row] if problem.covariance_at else evaluate(node, node.present).mean
        if not at > 0.0:
            fixed[row] = 1.0
            continue
        terms = [(column, usd / at) for column, usd in layout.levels.get(node.name, ())]
        if node.name in layout.on:
            terms.append((layout.on[node.name], node.base_usd_per_hour / at))
        elif not idle(problem, node):
            fixed[row] = node.base_usd_per_hour / at
        for column, value in terms:
            rows.append(row)
            columns.append(column)
            values.append(-value)
    return sparse.csr_matrix((values, (rows, columns)), shape=(len(problem.nodes), width)), fixed


def _root(problem: Problem) -> Floats:
    """A root of the covariance: `root.T @ root` is it, what is negative by rounding left out."""
    matrix = np.array(problem.covariance, dtype=float)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2.0)
    root: Floats = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    return root
