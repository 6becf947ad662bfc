"""A bounded simplex for packing: maximise `gain @ y`, `rows @ y <= limit`, `0 <= y <= upper`, limits not negative.

Nothing is a start that satisfies all, so there is no first phase. Full tableau, upper bounds by reflection
(Dantzig's upper bounding), the steepest column first and Bland's rule when that goes round in circles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

SMALL = 1e-11


class Packed(NamedTuple):
    """The amounts, what they gain, and what one more unit of each limit would add."""

    amounts: Floats
    gain: float
    prices: Floats


def pack(gain: Floats, rows: Floats, limit: Floats, upper: Floats, start: Floats | None = None) -> Packed:
    """Solve one program.

    Args:
        gain: By column.
        rows: By row and column.
        limit: By row, not negative.
        upper: By column, finite.
        start: Prices by row near which the answer is expected: columns that pay at them are taken at once, as far
            as they fit.
    """
    height, width = rows.shape
    table = np.zeros((height, width + height))
    table[:, :width] = rows
    table[np.arange(height), width + np.arange(height)] = 1.0
    left = limit.copy()
    goal = np.zeros(width + height)
    goal[:width] = gain
    bounds = np.full(width + height, np.inf)
    bounds[:width] = upper
    flipped = np.zeros(width + height, dtype=bool)
    basis = np.arange(width, width + height)
    if start is not None and width:
        _crash(table, left, goal, bounds, flipped, start)
    scale = max(float(np.max(np.abs(gain))) if width else 0.0, 1e-300)
    patience = 4 * (width + height) + 20
    for turn in range(50 * (width + height) + 50):
        if turn < patience:
            enter = int(np.argmax(goal))
            if goal[enter] <= SMALL * scale:
                break
        else:
            paying = np.flatnonzero(goal > SMALL * scale)
            if not len(paying):
                break
            enter = int(paying[0])
        _turn(table, left, goal, bounds, flipped, basis, enter)
    amounts = np.where(flipped, bounds, 0.0)
    amounts[basis] = np.where(flipped[basis], bounds[basis] - left, left)
    found = np.minimum(np.maximum(amounts[:width], 0.0), upper)
    return Packed(found, float(gain @ found), np.maximum(-goal[width:], 0.0))


def _crash(table: Floats, left: Floats, goal: Floats, bounds: Floats, flipped: Floats, start: Floats) -> None:
    """Put columns that pay at the starting prices at their upper bounds, the best first, while they fit."""
    width = len(goal) - len(left)
    costs = start @ table[:, :width]
    order = np.argsort((costs + 1e-300) / np.maximum(goal[:width], 1e-300), kind="stable")
    order = order[goal[order] > costs[order]]
    taken = np.cumsum(table[:, order] * bounds[order], axis=1)
    fits = (taken <= left[:, None]).all(axis=0)
    count = len(order) if fits.all() else int(np.argmin(fits))
    if count:
        full = order[:count]
        left -= taken[:, count - 1]
        np.maximum(left, 0.0, out=left)
        table[:, full] = -table[:, full]
        goal[full] = -goal[full]
        flipped[full] = True


def _turn(
    table: Floats, left: Floats, goal: Floats, bounds: Floats, flipped: Floats, basis: Floats, enter: int
) -> None:
    """Let one column in: to its own bound, or until a basic one meets one of its bounds."""
    column = table[:, enter]
    falls = np.where(column > SMALL, left / np.maximum(column, SMALL), np.inf)
    rises = np.where(column < -SMALL, (bounds[basis] - left) / np.maximum(-column, SMALL), np.inf)
    low = int(np.argmin(falls)) if len(falls) else -1
    high = int(np.argmin(rises)) if len(rises) else -1
    fall = falls[low] if low >= 0 else np.inf
    rise = rises[high] if high >= 0 else np.inf
    own = bounds[enter]
    if own <= fall and own <= rise:
        left -= column * own
        np.maximum(left, 0.0, out=left)
        table[:, enter] = -column
        goal[enter] = -goal[enter]
        flipped[enter] = not flipped[enter]
        return
    row = low
    if rise < fall:
        row = high
        leaving = basis[row]
        table[row] = -table[row]
        table[row, leaving] = 1.0
        left[row] = bounds[leaving] - left[row]
        flipped[leaving] = not flipped[leaving]
    by = table[row, enter]
    pivot_row = table[row] / by
    amount = left[row] / by
    others = table[:, enter].copy()
    others[row] = 0.0
    table -= others[:, None] * pivot_row
    left -= others * amount
    np.maximum(left, 0.0, out=left)
    table[row] = pivot_row
    left[row] = amount
    goal -= goal[enter] * pivot_row
    basis[row] = enter
