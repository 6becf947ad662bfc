"""Fleets as linear programs for HiGHS: one model of all hosts, passed in one piece, solved cold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from orch.errors import OrchError
from orch.solvers.highs import quiet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orch.solvers.arrays import Bundles, Curves

    Floats = NDArray[np.float64]

SEGMENTS = 8


class Solved(NamedTuple):
    """What HiGHS says a fleet is worth, USD over the horizon, and its seconds of a core; `amounts` by column."""

    objective_usd: float
    build_s: float
    solve_s: float
    amounts: Floats


def bundle_lp(bundles: Bundles, *, presolve: bool = False) -> Solved:
    """The bundles of all hosts: a column per segment, a row per host and resource."""
    started = time.process_time()
    hosts, _, kinds = bundles.takes.shape
    segments = bundles.width.shape[2]
    room = bundles.capacity - bundles.floor.sum(axis=1)
    takes = bundles.takes / room[:, None, :]
    gain = bundles.worth * bundles.horizon_h
    used = takes > 0.0
    each = np.repeat(used.sum(axis=2).reshape(-1), segments)
    starts = np.concatenate([[0], np.cumsum(each)])
    rows = np.arange(hosts)[:, None, None] * kinds + np.arange(kinds)
    index = np.repeat(np.broadcast_to(rows, takes.shape)[:, :, None, :], segments, axis=2)
    value = np.repeat(takes[:, :, None, :], segments, axis=2)
    picked = np.repeat(used[:, :, None, :], segments, axis=2)
    upper = np.where(bundles.here[:, :, None], bundles.width, 0.0).reshape(-1)
    limit = np.ones(hosts * kinds)
    return _solved(
        started,
        gain.reshape(-1),
        np.zeros(len(upper)),
        upper,
        starts,
        index[picked],
        value[picked],
        limit,
        presolve,
    )


def curve_lp(curves: Curves, *, presolve: bool = False) -> Solved:
    """Power laws in eight chords, one end at the present amount, so that the cost of moving is exact.

    `objective_usd` is what the amounts found earn by the power laws themselves: no less than by their chords.
    """
    started = time.process_time()
    hosts, nodes, kinds = curves.scale.shape
    top = np.minimum(curves.most, curves.capacity[:, None, :])
    least, present = curves.least, np.clip(curves.present, curves.least, top)
    marks = least[..., None] + (top - least)[..., None] * (np.arange(SEGMENTS) / (SEGMENTS - 1)) ** 2
    marks = np.sort(np.concatenate([marks, present[..., None]], axis=3), axis=3)
    worth = _earned(curves, marks)
    wide = np.diff(marks, axis=3)
    slope = np.divide(np.diff(worth, axis=3), wide, out=np.zeros_like(wide), where=wide > 0.0)
    size = curves.capacity[:, None, :, None]
    wide, slope = wide / size, slope * size
    room = (curves.capacity - least.sum(axis=1)) / curves.capacity
    columns = wide.size
    rows = np.arange(hosts)[:, None, None] * kinds + np.arange(kinds)
    index = np.repeat(np.broadcast_to(rows, (hosts, nodes, kinds))[..., None], SEGMENTS, axis=3).reshape(-1)
    solved = _solved(
        started, slope.reshape(-1), np.zeros(columns), wide.reshape(-1), np.arange(columns + 1), index,
        np.ones(columns), room.reshape(-1), presolve,
    )  # fmt: skip
    amounts = least + (solved.amounts.reshape(wide.shape) * size).sum(axis=3)
    return solved._replace(objective_usd=float(_earned(curves, amounts[..., None]).sum()), amounts=amounts)


def _earned(curves: Curves, amounts: Floats) -> Floats:
    income = curves.horizon_h * curves.scale[..., None] * amounts ** curves.power[..., None]
    return income - curves.unit_usd[..., None] * np.abs(amounts - curves.present[..., None])


def _solved(
    started: float,
    gain: Floats,
    lower: Floats,
    upper: Floats,
    starts: Any,
    index: Any,
    value: Floats,
    limit: Floats,
    presolve: bool,
) -> Solved:
    import highspy

    money = float(np.abs(gain).max())
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(gain), len(limit)
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = -gain / money, lower, upper
    lp.row_lower_, lp.row_upper_ = np.full(len(limit), -highspy.kHighsInf), limit
    lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    lp.a_matrix_.start_, lp.a_matrix_.index_ = starts.astype(np.int32), index.astype(np.int32)
    lp.a_matrix_.value_ = value
    highs = quiet(highspy)
    for name, setting in (
        ("threads", 1),
        ("presolve", "on" if presolve else "off"),
        ("dual_feasibility_tolerance", 1e-10),
    ):
        highs.setOptionValue(name, setting)
    highs.setOptionValue("primal_feasibility_tolerance", 1e-10)
    highs.passModel(lp)
    built = time.process_time()
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise OrchError(f"HiGHS ended with {highs.modelStatusToString(highs.getModelStatus())}")
    amounts = np.array(highs.getSolution().col_value)
    return Solved(float(gain @ amounts), built - started, time.process_time() - built, amounts)
