"""The dual simplex of `batch_bundle`, host after host, compiled by numba (extra `fast`).

The same way to the same vertex: what is off most leaves, prices rise past what no longer pays. Imported only
where it is used; the first call of an installation compiles, which takes seconds, and is remembered where that
is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numba as nb
import numpy as np

from orch.solvers.batch_bundle import BROKEN, NOTHING, PATIENCE, Vertex

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.solvers.batch_bundle import Scaled

Function = TypeVar("Function", bound="Callable[..., Any]")


class Program(NamedTuple):
    """One host: `takes` (B, R), `width` and `worth` (K,) of all segments, K / B of each bundle."""

    takes: Any
    width: Any
    worth: Any


class State(NamedTuple):
    """Where a host is: `sign` (K + R) as in `batch_bundle`; `left` (R,) by what is taken in full; the basis."""

    sign: Any
    left: Any
    basis: Any
    inverse: Any
    prices: Any


class Work(NamedTuple):
    """Room to work in. Columns that help come first: when they stop paying, what they mend, which they are.

    `bundle` (K,) is that of each column: looked up, for a division takes longer.
    """

    reach: Any
    given: Any
    places: Any
    bundle: Any
    way: Any
    now: Any


def compiled(function: Function) -> Function:
    """The function in machine code, kept for the next process where its directory can be written."""
    made: Any = nb.njit(cache=True, error_model="numpy")(function)
    return cast("Function", made)


def inlined(function: Function) -> Function:
    """The same, made part of whoever calls it: handing over dozens of arrays takes longer than small work."""
    made: Any = nb.njit(cache=True, error_model="numpy", forceinline=True)(function)
    return cast("Function", made)


def vertices(scaled: Scaled) -> Vertex:
    """The best vertex of every host of a block."""
    amounts, prices = np.zeros(scaled.width.shape), np.zeros(scaled.room.shape)
    if amounts.size:
        takes, width, worth = (np.ascontiguousarray(each) for each in (scaled.takes, scaled.width, scaled.worth))
        _all(takes, width, worth, amounts, prices)
    return Vertex(amounts, prices)


@compiled
def _all(takes: Any, width: Any, worth: Any, amounts: Any, prices: Any) -> None:
    hosts, count, segments = width.shape
    kinds, columns = takes.shape[2], count * segments
    every = columns + kinds
    bundle = np.arange(columns) // segments
    places, way, now = np.empty(every, np.int64), np.empty(kinds), np.empty(kinds)
    work = Work(np.empty(every), np.empty(every), places, bundle, way, now)
    sign, left = np.empty(every), np.empty(kinds)
    basis, inverse = np.empty(kinds, np.int64), np.empty((kinds, kinds))
    for host in range(hosts):
        program = Program(takes[host], width[host].reshape(columns), worth[host].reshape(columns))
        state = State(sign, left, basis, inverse, prices[host])
        _begin(program, state, work)
        if _end(program, state, work):
            _write(program, state, work, amounts[host].reshape(columns))
        else:
            # Zeros prove nothing, so that the host is solved by itself.
            prices[host] = 0.0


@compiled
def _begin(program: Any, state: Any, work: Any) -> None:
    """Take all that pays, and no limit is in anybody's way."""
    columns, kinds = len(program.width), program.takes.shape[1]
    state.left[:] = 1.0
    state.inverse[:] = 0.0
    for kind in range(kinds):
        state.inverse[kind, kind] = 1.0
        state.basis[kind] = columns + kind
        state.sign[columns + kind] = 0.0
    for column in range(columns):
        pays = 1.0 if program.worth[column] > 0.0 else -1.0
        state.sign[column] = pays if program.width[column] > 0.0 else 0.0
        if state.sign[column] > 0.0:
            for kind in range(kinds):
                state.left[kind] -= program.takes[work.bundle[column], kind] * program.width[column]


@compiled
def _end(program: Any, state: Any, work: Any) -> bool:
    """Turn until no limit is broken; whether that was reached."""
    kinds = len(state.basis)
    for _ in range(PATIENCE + PATIENCE * kinds):
        row, worst, below = _worst(program, state, work)
        if row < 0:
            return True
        for kind in range(kinds):
            work.way[kind] = state.inverse[row, kind] if below else -state.inverse[row, kind]
        place = _passed(program, state, work, worst, _helpful(program, state, work))
        if place < 0:
            return False
        _enter(program, state, work, row, place, below)
    return False


@compiled
def _worst(program: Any, state: Any, work: Any) -> tuple[int, float, bool]:
    """The row of the basis that is off most, by how much, and whether it is below nothing; -1 when none is."""
    row, worst, below = -1, BROKEN, True
    for place in range(len(state.basis)):
        now = 0.0
        for kind in range(len(state.left)):
            now += state.inverse[place, kind] * state.left[kind]
        work.now[place] = now
        column = state.basis[place]
        most = program.width[column] if column < len(program.width) else np.inf
        if -now > worst:
            row, worst, below = place, -now, True
        if now - most > worst:
            row, worst, below = place, now - most, False
    return row, worst, below


@compiled
def _write(program: Any, state: Any, work: Any, amounts: Any) -> None:
    """Put down what a host has come to."""
    columns = len(program.width)
    for column in range(columns):
        amounts[column] = program.width[column] if state.sign[column] > 0.0 else 0.0
    for place in range(len(state.basis)):
        column = state.basis[place]
        if column < columns:
            amounts[column] = min(max(work.now[place], 0.0), program.width[column])
        state.prices[place] = max(state.prices[place], 0.0)


@compiled
def _helpful(program: Any, state: Any, work: Any) -> int:
    """Put the columns that mend what is off first; how many they are."""
    columns, kinds = len(program.width), len(work.way)
    segments = columns // len(program.takes)
    count = 0
    for bundle in range(len(program.takes)):
        cost, slope = 0.0, 0.0
        for kind in range(kinds):
            cost += program.takes[bundle, kind] * state.prices[kind]
            slope += program.takes[bundle, kind] * work.way[kind]
        if abs(slope) <= NOTHING:
            continue
        per = 1.0 / slope
        for column in range(bundle * segments, (bundle + 1) * segments):
            if slope * state.sign[column] > 0.0:
                work.reach[count] = max((program.worth[column] - cost) * per, 0.0)
                work.given[count] = abs(slope) * program.width[column]
                work.places[count] = column
                count += 1
    for kind in range(kinds):
        if work.way[kind] * state.sign[columns + kind] > NOTHING:
            work.reach[count] = max(-state.prices[kind] / work.way[kind], 0.0)
            work.given[count] = np.inf
            work.places[count] = columns + kind
            count += 1
    return count


@compiled
def _passed(program: Any, state: Any, work: Any, worst: float, count: int) -> int:
    """Give up what stops paying first until enough is mended; the place of the last, -1 where there is too little.

    A weighted selection: halves are parted by a pivot, and only the one that holds the last is looked at again.
    """
    low, high = 0, count
    while high - low > 1:
        same, later, before = _parted(work, low, high)
        if before >= worst:
            high = same
            continue
        worst -= before
        while same < later and work.given[same] < worst:
            worst -= work.given[same]
            same += 1
        low, high = same, (same + 1 if same < later else high)
    if low >= count or work.given[low] < worst:
        return -1
    for place in range(low):
        column = work.places[place]
        change = program.width[column] * state.sign[column]
        state.sign[column] = -state.sign[column]
        for kind in range(len(state.left)):
            state.left[kind] += program.takes[work.bundle[column], kind] * change
    return low


@compiled
def _parted(work: Any, low: int, high: int) -> tuple[int, int, float]:
    """Sooner than the pivot, with it, later: where the second and the third begin, and what the first mend."""
    pivot = work.reach[(low + high) // 2]
    same, at, later, before = low, low, high, 0.0
    while at < later:
        if work.reach[at] < pivot:
            before += work.given[at]
            _swap(work, at, same)
            same += 1
            at += 1
        elif work.reach[at] > pivot:
            later -= 1
            _swap(work, at, later)
        else:
            at += 1
    return same, later, before


@compiled
def _swap(work: Any, one: int, other: int) -> None:
    work.reach[one], work.reach[other] = work.reach[other], work.reach[one]
    work.given[one], work.given[other] = work.given[other], work.given[one]
    work.places[one], work.places[other] = work.places[other], work.places[one]


@compiled
def _enter(program: Any, state: Any, work: Any, row: int, place: int, below: bool) -> None:
    """Change the basis by one column."""
    columns, kinds = len(program.width), len(work.way)
    leaving, enter = state.basis[row], work.places[place]
    state.sign[leaving] = -1.0 if below else 1.0
    taken = program.width[enter] if enter < columns and state.sign[enter] > 0.0 else 0.0
    for kind in range(kinds):
        state.prices[kind] += work.reach[place] * work.way[kind]
        if not below:
            state.left[kind] -= program.takes[work.bundle[leaving], kind] * program.width[leaving]
        if taken > 0.0:
            state.left[kind] += program.takes[work.bundle[enter], kind] * taken
    state.sign[enter] = 0.0
    state.basis[row] = enter
    for at in range(kinds):
        turned = state.inverse[at, enter - columns] if enter >= columns else 0.0
        if enter < columns:
            for kind in range(kinds):
                turned += state.inverse[at, kind] * program.takes[work.bundle[enter], kind]
        work.now[at] = turned
    for kind in range(kinds):
        pivot = state.inverse[row, kind] / work.now[row]
        for at in range(kinds):
            state.inverse[at, kind] -= work.now[at] * pivot
        state.inverse[row, kind] = pivot
