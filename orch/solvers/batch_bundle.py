"""Linear programs of many hosts at once: `Bundles`, exactly, by a dual simplex with long steps.

Everything that pays is taken in full at first: prices of nothing, which no limit is ever too high for. Then,
host by host, the limit that is broken most pays: its price rises past every segment that no longer pays, which
is given up on the way, to the one that is given up in part and enters the basis (the bound flipping ratio test:
Maros 2003, "A generalized dual phase-2 simplex algorithm"). A basis has one column per resource, so that its
inverse is a small matrix per host, and one turn is a few operations on arrays of a block of hosts; those that
are done leave it.

Levels are scaled to what a bundle takes of the scarcest resource, amounts to capacities, money to a host's dearest
level. What rounding leaves wrong on a host is found by its own prices, and that host is solved again by itself.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from orch.solvers.arrays import FleetAnswer, check_bundles
from orch.solvers.simplex import pack

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orch.solvers.arrays import Bundles

    Floats: TypeAlias = NDArray[np.float64]
    Bools: TypeAlias = NDArray[np.bool_]
    Ints: TypeAlias = NDArray[np.intp]

BLOCK = 512
"""Hosts that go together: few enough that a processor's cache holds them."""

WORTH_COMPILING = 500
"""Hosts from which the compiled form is used where it is installed: loading it takes most of a second."""

BROKEN = 1e-11
"""By this share of a capacity a limit may be missed."""

NOTHING = 1e-11
"""A column that takes less than this share of a capacity cannot mend it."""

UNBOUNDED = 1e100
"""The width of what has none: so much of a resource may be left."""

PATIENCE = 30
"""Turns for each resource, and as many once; six to fifteen in all are usual."""

OFF = 1e-10
"""The share of a host's money by which prices may say more than its levels are worth, before it is solved
again."""


class Scaled(NamedTuple):
    """A block of hosts without units: (W, ...) with B bundles of S segments, R resources.

    `takes` (W, B, R) and `room` (W, R) in shares of the capacity less floors, `width` and `worth` (W, B, S) in
    levels that take all of one resource; `levels` (W, B) and `money` (W,) bring back levels and USD, `size` (W,
    R) amounts.
    """

    takes: Floats
    room: Floats
    width: Floats
    worth: Floats
    levels: Floats
    money: Floats
    size: Floats


class Vertex(NamedTuple):
    """Amounts by segment (W, B, S) and prices (W, R), without units."""

    amounts: Floats
    prices: Floats


def solve(bundles: Bundles, *, compiled: bool | None = None) -> FleetAnswer:
    """Split every host's resources, exactly: to 1e-9 of what the best split is worth.

    Args:
        bundles: What to split. A host is infeasible where its floors exceed a capacity; its amounts and levels
            are NaN and its prices infinite.
        compiled: Whether to use the compiled form, which goes the same way, only faster (numba, extra `fast`).
            None: for fleets, where it is installed.

    Raises:
        ValueError: The arrays are not what `Bundles` says.
        ImportError: The compiled form is asked for and not installed.
    """
    check_bundles(bundles)
    hosts, count, kinds = bundles.takes.shape
    if compiled is None:
        compiled = hosts >= WORTH_COMPILING and find_spec("numba") is not None
    if compiled:
        from orch.solvers.batch_bundle_compiled import vertices
    else:
        vertices = _vertices
    levels, prices = np.zeros((hosts, count)), np.zeros((hosts, kinds))
    amounts, worth, feasible = bundles.floor.copy(), np.zeros(hosts), np.ones(hosts, dtype=bool)
    for start in range(0, hosts, BLOCK):
        some = slice(start, start + BLOCK)
        scaled, feasible[some] = _scaled(bundles, some)
        vertex = _mended(scaled, vertices(scaled))
        levels[some] = _summed(vertex.amounts) * scaled.levels
        taken = bundles.takes[some] * levels[some][:, :, None]
        for bundle, node in enumerate(bundles.owner):
            amounts[some, node] += taken[:, bundle]
        prices[some] = vertex.prices * scaled.money[:, None] / scaled.size
        worth[some] = np.einsum("wbs,wbs->w", vertex.amounts, scaled.worth) * scaled.money
    amounts[~feasible], levels[~feasible], worth[~feasible], prices[~feasible] = np.nan, np.nan, np.nan, np.inf
    return FleetAnswer(amounts, worth, prices, feasible, levels)


def _scaled(bundles: Bundles, some: slice) -> tuple[Scaled, Bools]:
    """A block without units, and which of its hosts have room for their floors."""
    capacity, needed = bundles.capacity[some], bundles.floor[some].sum(axis=1)
    room = capacity - needed
    feasible = (room >= -1e-12 * capacity).all(axis=1)
    room = np.maximum(room, 0.0)
    size = np.where(room > 0.0, room, 1.0)
    takes = bundles.takes[some] / size[:, None, :]
    most = np.zeros(takes.shape[:2])
    for kind in range(takes.shape[2]):  # a loop of few turns over long arrays beats a sum along a short axis
        np.maximum(most, takes[:, :, kind], out=most)
    levels = np.where(most > 0.0, 1.0 / np.where(most > 0.0, most, 1.0), 1.0)
    takes *= levels[:, :, None]
    # A bundle that takes of what there is none of, or has no place on a host, has no width.
    none = ((takes > 0.0) & (room <= 0.0)[:, None, :]).any(axis=2) | ~bundles.here[some] | ~feasible[:, None]
    width = bundles.width[some] / levels[:, :, None]
    # More than there is room for: were it just the room, two limits would share one price.
    limit = np.where(most > 0.0, 2.0, np.inf)
    width = np.where(none[:, :, None], 0.0, np.minimum(width, limit[:, :, None]))
    worth = bundles.worth[some] * (bundles.horizon_h * levels[:, :, None])
    money = worth[:, :, :1].max(axis=(1, 2), initial=0.0)
    money = np.where(money > 0.0, money, 1.0)
    full = np.ones_like(room)
    return Scaled(takes, full, width, worth / money[:, None, None], levels, money, size), feasible


def _mended(scaled: Scaled, vertex: Vertex) -> Vertex:
    """The same, with those hosts solved again whose prices do not prove what their levels are worth."""
    pays = scaled.worth - np.einsum("wbr,wr->wb", scaled.takes, vertex.prices)[:, :, None]
    bound = np.einsum("wbs,wbs->w", np.maximum(pays, 0.0), scaled.width)
    bound += (vertex.prices * scaled.room).sum(axis=1)
    worth = np.einsum("wbs,wbs->w", vertex.amounts, scaled.worth)
    taken = np.einsum("wbr,wb->wr", scaled.takes, _summed(vertex.amounts))
    wrong = (np.abs(bound - worth) > OFF * np.maximum(bound, 1e-300)) | (taken > scaled.room + OFF).any(axis=1)
    for host in np.flatnonzero(wrong | ~np.isfinite(bound)):
        shape = scaled.width[host].shape
        rows = np.repeat(scaled.takes[host], shape[1], axis=0).T
        packed = pack(scaled.worth[host].ravel(), rows, scaled.room[host], scaled.width[host].ravel())
        vertex.amounts[host], vertex.prices[host] = packed.amounts.reshape(shape), packed.prices
    return vertex


def _summed(segments: Floats) -> Floats:
    """All segments together: a product, for a sum along a short axis takes longer."""
    total: Floats = segments @ np.ones(segments.shape[2])
    return total


class _Block:
    """Hosts on their way. Columns (W, K) are all segments, then what is left of each resource.

    `sign` is 1 for a column taken in full, -1 for one not taken, 0 for a basic one and one without width;
    `amounts` are those of columns that are not basic. `basis` (W, R) names the basic ones, `inverse` (W, R, R)
    is theirs.
    """

    PARTS = ("hosts", "takes", "width", "worth", "sign", "amounts", "basis", "inverse", "prices")

    def __init__(self, scaled: Scaled) -> None:
        hosts, count, segments = scaled.width.shape
        kinds = scaled.room.shape[1]
        self.hosts, self.segments, self.columns = np.arange(hosts), segments, count * segments
        self.takes = scaled.takes
        rest = np.full((hosts, kinds), UNBOUNDED)
        self.width = np.concatenate([scaled.width.reshape(hosts, -1), rest], axis=1)
        self.worth = scaled.worth.reshape(hosts, -1)
        self.sign = np.zeros(self.width.shape)
        self.sign[:, : self.columns] = np.where(self.worth > 0.0, 1.0, -1.0) * (
            self.width[:, : self.columns] > 0.0
        )
        self.amounts = np.where(self.sign > 0.0, self.width, 0.0)
        self.basis = np.tile(self.columns + np.arange(kinds), (hosts, 1))
        self.inverse = np.tile(np.eye(kinds), (hosts, 1, 1))
        self.prices = np.zeros((hosts, kinds))

    def keep(self, which: Ints) -> None:
        """Go on with some hosts only."""
        for name in self.PARTS:
            setattr(self, name, getattr(self, name)[which])

    def basic_amounts(self, room: float = 1.0) -> Floats:
        """The amounts of basic columns."""
        taken = self.amounts[:, : self.columns].reshape(-1, self.segments) @ np.ones(self.segments)
        left = room - np.matmul(taken.reshape(len(self.hosts), 1, -1), self.takes)[:, 0, :]
        amounts: Floats = np.matmul(self.inverse, left[:, :, None])[:, :, 0]
        return amounts


def _vertices(scaled: Scaled) -> Vertex:
    """The best vertex of every host of a block."""
    hosts, kinds = scaled.room.shape
    block = _Block(scaled)
    amounts, prices = np.zeros((hosts, block.columns)), np.zeros((hosts, kinds))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(PATIENCE + PATIENCE * kinds if block.columns else 0):
            now = block.basic_amounts()
            above = now - np.take_along_axis(block.width, block.basis, axis=1)
            off = np.maximum(above, -now)
            row = off.argmax(axis=1)
            worst = off[np.arange(len(row)), row]
            done = worst <= BROKEN
            if done.any():
                _write(block, np.flatnonzero(done), now, amounts, prices)
                left = np.flatnonzero(~done)
                if not len(left):
                    break
                block.keep(left)
                row, worst, above = row[left], worst[left], above[left]
            _turn(block, row, worst, above[np.arange(len(row)), row] < worst)
    # Hosts that are not done have prices that prove nothing, and are solved by themselves.
    return Vertex(amounts.reshape(scaled.width.shape), prices)


def _write(block: _Block, which: Ints, now: Floats, amounts: Floats, prices: Floats) -> None:
    """Put down what some hosts have come to."""
    found, basis = block.amounts[which], block.basis[which]
    most = np.take_along_axis(block.width[which], basis, axis=1)
    np.put_along_axis(found, basis, np.clip(now[which], 0.0, most), axis=1)
    amounts[block.hosts[which]] = found[:, : block.columns]
    prices[block.hosts[which]] = np.maximum(block.prices[which], 0.0)


def _turn(block: _Block, row: Ints, worst: Floats, below: Bools) -> None:
    """Let the price rise of what is off by `worst` in a row of each host, and a column enter in its place."""
    hosts, count = np.arange(len(row)), block.columns
    shape = (len(row), -1, block.segments)
    way = block.inverse[hosts, row] * np.where(below, 1.0, -1.0)[:, None]
    pays, slope = np.empty(block.sign.shape), np.empty(block.sign.shape)
    costs = np.matmul(block.takes, block.prices[:, :, None])
    np.subtract(block.worth.reshape(shape), costs, out=pays[:, :count].reshape(shape))
    slope[:, :count].reshape(shape)[...] = np.matmul(block.takes, way[:, :, None])
    # A resource's own price must not fall below nothing.
    pays[:, count:], slope[:, count:] = -block.prices, way
    reach = pays / slope
    np.maximum(reach, 0.0, out=reach)
    np.copyto(reach, np.inf, where=~(slope * block.sign > NOTHING))
    np.abs(slope, out=slope)
    slope *= block.width
    step, enter, flips = _passed(reach, slope, worst)
    block.amounts.ravel()[flips] = block.width.ravel()[flips] - block.amounts.ravel()[flips]
    block.sign.ravel()[flips] *= -1.0
    # Without a column that helps, rounding is all that is off; nothing moves, until patience ends.
    _enter(block, row, enter, way, np.where(np.isinf(step), 0.0, step), below)


def _passed(reach: Floats, given: Floats, worst: Floats) -> tuple[Floats, Ints, Ints]:
    """How far prices go, the column that then enters, and those that are passed (places in the flat array)."""
    base = np.arange(len(reach))[:, None] * reach.shape[1]
    order = np.argsort(reach, axis=1) + base
    so_far = np.cumsum(given.ravel()[order], axis=1)
    gone = so_far < worst[:, None]
    last = np.minimum(gone.sum(axis=1), reach.shape[1] - 1)
    enter = order[np.arange(len(order)), last]
    return reach.ravel()[enter], enter - base[:, 0], order[gone]


def _enter(block: _Block, row: Ints, enter: Ints, way: Floats, step: Floats, below: Bools) -> None:
    """Change the basis of every host by one column."""
    hosts, count = np.arange(len(row)), block.columns
    block.prices += step[:, None] * way
    leaving = block.basis[hosts, row]
    block.sign[hosts, leaving] = np.where(below, -1.0, 1.0)
    block.amounts[hosts, leaving] = np.where(below, 0.0, block.width[hosts, leaving])
    block.sign[hosts, enter] = block.amounts[hosts, enter] = 0.0
    column = block.takes[hosts, np.minimum(enter, count - 1) // block.segments]
    rest = np.flatnonzero(enter >= count)
    column[rest] = np.eye(way.shape[1])[enter[rest] - count]
    block.basis[hosts, row] = enter
    turned = np.matmul(block.inverse, column[:, :, None])[:, :, 0]
    pivot = block.inverse[hosts, row] / turned[hosts, row][:, None]
    block.inverse -= turned[:, :, None] * pivot[:, None, :]
    block.inverse[hosts, row] = pivot
