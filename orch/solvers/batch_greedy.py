"""Water-filling of many hosts at once: `Curves`, exactly, power laws as they are.

At a price per unit each node takes what it earns most with, less the price: where its slope is the price and what
moving costs together, between its bounds. What all take falls as the price rises, and the price is sought at which
that is the capacity: by Newton's method on logarithms, on which a power law is a line, kept between the bounds
that are known and helped by bisection. All hosts and resources of a block go together; those that are done leave
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from orch.solvers.arrays import FleetAnswer, check_curves

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from orch.solvers.arrays import Curves

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]
    Ints: TypeAlias = NDArray[np.intp]

BLOCK = 512
"""Hosts that go together: few enough that a processor's cache holds them."""

CLOSE = 1e-10
"""The share of a capacity that may be missed before the last correction, which squares it."""

GUESSES = 4
"""Turns in single precision, for a first price: half the work, and wrong by a millionth at the end."""

TOGETHER = 2
"""Turns of a block; what is left of all blocks goes on together, so that few rows do not cost as much as many."""

SURE = 14
"""Turns after which every other one halves what is left between the bounds."""

MOST_TURNS = 200
FURTHEST = 4.0
"""How far one step may go, in logarithms of the price."""


class Rows(NamedTuple):
    """One row per host and resource, nodes first: (N, W), `capacity` (W,). Money over the horizon.

    `lead` and `power` give a node's amount at a slope, `exp(lead - power * log(slope))`; `at_present` is the slope
    where it is now. `straight` marks what earns by a line, `slope` then.
    """

    lead: Floats
    power: Floats
    at_present: Floats
    present: Floats
    least: Floats
    most: Floats
    unit_usd: Floats
    capacity: Floats
    straight: Bools
    slope: Floats

    def of(self, which: Ints) -> Rows:
        """Some rows only."""
        return self.made(lambda _, each: each[..., which])

    def made(self, change: Callable[[int, Any], Any]) -> Rows:
        """Rows with every array changed: given its place and itself."""
        return Rows(*[change(place, each) for place, each in enumerate(self)])


class Search(NamedTuple):
    """Rows whose price, (W,), is between two bounds, and which of all rows they are. `low` 0 and `high` inf: none.

    `tried` says that more than the capacity is wanted for nothing: there is a price.
    """

    rows: Rows
    places: Ints
    price: Floats
    low: Floats
    high: Floats
    tried: Bools

    def of(self, which: Ints) -> Search:
        """Some rows only."""
        return Search(
            rows=self.rows.of(which), places=self.places[which], price=self.price[which], low=self.low[which],
            high=self.high[which], tried=self.tried[which],
        )  # fmt: skip


class Taken(NamedTuple):
    """What nodes take at a price, (N, W), and how fast that falls as the price rises."""

    amounts: Floats
    falls: Floats


class Found(NamedTuple):
    """What has been found so far: amounts (N, all rows), prices (all rows)."""

    amounts: Floats
    prices: Floats


def solve(curves: Curves) -> FleetAnswer:
    """Split every host's resources, exactly: to 1e-9 of what the best split is worth.

    Args:
        curves: What to split. A host is infeasible where `least` adds up to more than the capacity or exceeds
            `most`; its amounts are NaN and its prices infinite.

    Raises:
        ValueError: The arrays are not what `Curves` says.
    """
    check_curves(curves)
    hosts, nodes, kinds = curves.scale.shape
    found = Found(np.empty((nodes, hosts * kinds)), np.zeros(hosts * kinds))
    fits = np.ones(hosts * kinds, dtype=bool)
    with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
        left = []
        for start in range(0, hosts if nodes else 0, BLOCK):
            rows = _rows(curves, slice(start, start + BLOCK))
            index = np.arange(len(rows.capacity)) + start * kinds
            fits[index], search = _begun(rows, index, found)
            left.append(_turned(search, found, range(TOGETHER)))
        if left:
            _finished(left, found)
        amounts = found.amounts.reshape(nodes, hosts, kinds).transpose(1, 0, 2).copy()
        worth = np.empty(hosts)
        for start in range(0, hosts, BLOCK):
            some = slice(start, start + BLOCK)
            worth[some] = _worth(curves, amounts, some)
    prices = found.prices.reshape(hosts, kinds)
    feasible = np.logical_and.reduce(fits.reshape(hosts, kinds), axis=1)
    amounts[~feasible], worth[~feasible], prices[~feasible] = np.nan, np.nan, np.inf
    return FleetAnswer(amounts, worth, prices, feasible, np.zeros((hosts, 0)))


def _worth(curves: Curves, amounts: Floats, some: slice) -> Floats:
    """USD over the horizon of a block of hosts."""
    earned = amounts[some] ** curves.power[some]
    earned *= curves.scale[some]
    earned *= curves.horizon_h
    earned -= curves.unit_usd[some] * np.abs(amounts[some] - curves.present[some])
    earned *= curves.here[some]
    worth: Floats = earned.sum(axis=(1, 2))
    return worth


def _rows(curves: Curves, some: slice) -> Rows:
    """A block's rows."""

    def part(array: NDArray[np.generic]) -> Floats:
        block = array[some].transpose(1, 0, 2)
        return np.array(block, order="C").reshape(block.shape[0], block.shape[1] * block.shape[2])

    capacity = curves.capacity[some].reshape(-1)
    gain, law, unit = part(curves.scale) * curves.horizon_h, part(curves.power), part(curves.unit_usd)
    present, least, most = part(curves.present), part(curves.least), np.minimum(part(curves.most), capacity)
    if not curves.here[some].all():
        away = ~curves.here[some].transpose(1, 0, 2).reshape(gain.shape)
        for array in (gain, unit, present, least, most):
            array[away] = 0.0
    straight: Bools = (gain == 0.0) | (law == 1.0)
    slope = np.zeros_like(gain)
    if straight.any():
        slope[straight] = gain[straight]
        gain[straight], law[straight] = 1.0, 0.5
    else:
        straight, slope = straight[:0], slope[:0]
    first = np.log(gain * law)
    power = 1.0 / (1.0 - law)
    at_present = np.exp(first + (law - 1.0) * np.log(present))
    return Rows(first * power, power, at_present, present, least, most, unit, capacity, straight, slope)


def _take(rows: Rows, price: Floats) -> Taken:
    """What every node takes at each row's price."""
    # Growing must pay the price and the move; shrinking saves the price and costs the move; between, it stays.
    slope = np.maximum(rows.at_present, price - rows.unit_usd)
    np.minimum(slope, price + rows.unit_usd, out=slope)
    amounts = np.log(slope)
    amounts *= rows.power
    np.subtract(rows.lead, amounts, out=amounts)
    np.exp(amounts, out=amounts)
    falls = rows.power * amounts
    falls /= slope
    moves = slope != rows.at_present
    moves &= amounts < rows.most
    moves &= amounts > rows.least
    if rows.straight.size:
        kept = np.where(price < rows.slope - rows.unit_usd, rows.most, rows.present)
        np.copyto(amounts, np.where(price > rows.slope + rows.unit_usd, rows.least, kept), where=rows.straight)
        moves &= ~rows.straight
    np.copyto(falls, 0.0, where=~moves)
    np.minimum(amounts, rows.most, out=amounts)
    return Taken(np.maximum(amounts, rows.least, out=amounts), falls)


def _begun(rows: Rows, index: Ints, found: Found) -> tuple[Bools, Search]:
    """Which rows can be filled at all, and those whose price is to be sought; the others get their least."""
    needed, size = rows.least.sum(axis=0), rows.capacity
    fits = (needed <= size * (1.0 + 1e-12)) & (rows.least <= rows.most).all(axis=0)
    price = _guessed(rows)
    whole = Search(
        rows, index, price, np.zeros(len(size)), np.full(len(size), np.inf), np.zeros(len(size), dtype=bool)
    )
    full = needed >= size * (1.0 - 1e-15)
    if full.any() or not fits.all():
        which = np.flatnonzero(full | ~fits)
        found.amounts[:, index[which]] = rows.least[:, which]
        found.prices[index[which]] = _first_unit(rows.of(which))
        whole = whole.of(np.flatnonzero(fits & ~full))
    return fits, whole


def _guessed(rows: Rows) -> Floats:
    """A first price: the mean of what nodes earn with even shares, then Newton's way without bounds.

    In single precision it may fail where numbers are extreme; the mean serves there as well.
    """
    even = np.log(rows.capacity / len(rows.lead))
    mean: Floats = np.exp(((rows.lead - even) / rows.power).mean(axis=0))
    rough = rows.made(lambda _, each: each if each.dtype == bool else each.astype(np.float32))
    price: Any = mean.astype(np.float32)  # the rest is written for either precision
    for _ in range(GUESSES):
        taken = _take(rough, price)
        price = _newton(price, taken.amounts.sum(axis=0), taken.falls.sum(axis=0), rough.capacity)
    found: Floats = np.asarray(price, dtype=np.float64)
    return np.where((found > 0.0) & np.isfinite(found), found, mean)


def _newton(price: Floats, total: Floats, falls: Floats, capacity: Floats) -> Floats:
    """The next price, by the slope of the logarithm of what all take over that of the price."""
    step = np.log(total / capacity)
    step *= total / (falls * price)
    np.clip(step, -FURTHEST, FURTHEST, out=step)
    following: Floats = price * np.exp(step)
    return following


def _first_unit(rows: Rows) -> Floats:
    """What the first unit beyond the least would add, where there is none."""
    slope = np.exp((rows.lead - np.log(rows.least)) / rows.power)
    if rows.straight.size:
        slope = np.where(rows.straight, rows.slope, slope)
    moved = np.where(rows.least < rows.present, slope + rows.unit_usd, slope - rows.unit_usd)
    first: Floats = np.maximum(moved, 0.0).max(axis=0, initial=0.0)
    return first


def _finished(left: list[Search], found: Found) -> None:
    """What the blocks have left, together."""
    lines = any(search.rows.straight.size for search in left)
    parts = [_with_lines(search.rows) if lines else search.rows for search in left]
    rows = parts[0].made(lambda place, _: np.concatenate([part[place] for part in parts], axis=-1))
    whole = Search(
        rows=rows,
        places=np.concatenate([each.places for each in left]),
        price=np.concatenate([each.price for each in left]),
        low=np.concatenate([each.low for each in left]),
        high=np.concatenate([each.high for each in left]),
        tried=np.concatenate([each.tried for each in left]),
    )
    search = _turned(whole, found, range(TOGETHER, MOST_TURNS))
    if len(search.places):
        found.amounts[:, search.places] = _between(search.rows, search.low, search.high)
        found.prices[search.places] = search.high


def _with_lines(rows: Rows) -> Rows:
    """The same, saying of every node whether it earns by a line."""
    if rows.straight.size:
        return rows
    return rows._replace(straight=np.zeros(rows.lead.shape, dtype=bool), slope=np.zeros(rows.lead.shape))


def _turned(search: Search, found: Found, turns: range) -> Search:
    """Look at one price after the other; what is settled goes to `found`, what is left is returned."""
    for turn in turns:
        if not len(search.places):
            break
        taken = _take(search.rows, search.price)
        total = taken.amounts.sum(axis=0)
        excess = total - search.rows.capacity
        over = excess > 0.0
        search = search._replace(
            low=np.where(over, search.price, search.low),
            high=np.where(over, search.high, search.price),
            tried=search.tried | over,
        )
        settled = np.abs(excess) <= CLOSE * search.rows.capacity
        settled |= _free(search, settled, found)
        if settled.any():
            _settle(search, taken, excess, settled, found)
        search = _moved(search, taken, total, settled, halve=turn >= SURE and turn % 2 == 0)
    return search


def _free(search: Search, settled: Bools, found: Found) -> Bools:
    """Rows of which no more than the capacity is wanted for nothing, and those whose bounds have met; found."""
    ended = np.zeros(len(search.places), dtype=bool)
    unsure = np.flatnonzero(~search.tried & ~settled)
    if len(unsure):
        rows = search.rows.of(unsure)
        wanted = _take(rows, np.zeros(len(unsure))).amounts
        enough = wanted.sum(axis=0) <= rows.capacity
        found.amounts[:, search.places[unsure[enough]]] = _bounded(rows, wanted)[:, enough]
        found.prices[search.places[unsure[enough]]] = 0.0
        ended[unsure[enough]] = True
        search.tried[unsure] = True
    met = np.flatnonzero((search.high <= search.low * (1.0 + 4e-16)) & ~settled)
    if len(met):
        found.amounts[:, search.places[met]] = _between(search.rows.of(met), search.low[met], search.high[met])
        found.prices[search.places[met]] = search.high[met]
        ended[met] = True
    return ended


def _settle(search: Search, taken: Taken, excess: Floats, settled: Bools, found: Found) -> None:
    """The last step: what is too much or too little, by how readily each node gives it; who moved a hair stays."""
    which = np.flatnonzero(settled & (np.abs(excess) <= CLOSE * search.rows.capacity))
    # All rows are worked on, for picking some of every array takes longer.
    share = excess / np.maximum(taken.falls.sum(axis=0), 1e-300)
    amounts = _bounded(search.rows, taken.amounts - taken.falls * share)
    found.amounts[:, search.places[which]] = amounts[:, which]
    found.prices[search.places[which]] = search.price[which]


def _moved(search: Search, taken: Taken, total: Floats, settled: Bools, *, halve: bool) -> Search:
    """The rows that are left, each at its next price: Newton's within the bounds, between the bounds otherwise."""
    falls = taken.falls.sum(axis=0)
    if settled.any():
        keep = np.flatnonzero(~settled)
        search, total, falls = search.of(keep), total[keep], falls[keep]
    price, low, high = search.price, search.low, search.high
    newton = _newton(price, total, falls, search.rows.capacity)
    good = (newton > low) & (newton < high)
    if halve or not good.all():
        middle = np.where(
            high < np.inf, np.where(low > 0.0, np.sqrt(low) * np.sqrt(high), price / 16.0), price * 16.0
        )
        newton = np.where(good & ~(halve & (low > 0.0) & (high < np.inf)), newton, middle)
    return search._replace(price=newton)


def _between(rows: Rows, low: Floats, high: Floats) -> Floats:
    """Where amounts leap at a price: as much of the leap as there is room for."""
    less, more = _take(rows, high).amounts, _take(rows, low).amounts
    room = rows.capacity - less.sum(axis=0)
    leap = (more - less).sum(axis=0)
    return _bounded(rows, less + (more - less) * np.clip(room / np.maximum(leap, 1e-300), 0.0, 1.0))


def _bounded(rows: Rows, amounts: Floats) -> Floats:
    """Amounts as they are given: within their bounds, and who would move by rounding only stays."""
    np.copyto(amounts, rows.present, where=np.abs(amounts - rows.present) <= 1e-13 * rows.present)
    np.minimum(amounts, rows.most, out=amounts)
    return np.maximum(amounts, rows.least, out=amounts)
