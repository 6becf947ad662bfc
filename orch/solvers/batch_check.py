"""An independent check of what is said of a fleet: limits, worth, and what prices prove. No code of any solver.

Whatever prices a solver gives, nobody can earn more than at them: each node takes what it likes best and pays
for it, and what is left over is paid for as well (weak duality). A split worth as much as that is the best one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from orch.solvers.arrays import Bundles, Curves, FleetAnswer

    Floats: TypeAlias = NDArray[np.float64]


class Verdict(NamedTuple):
    """By host, (H,): the worst limit missed as a share of a capacity, worth and bound in USD over the horizon.

    All NaN where the answer calls a host infeasible and it is; `missed` is infinite where it is not, or the other
    way round.
    """

    missed: Floats
    worth_usd: Floats
    bound_usd: Floats


def judge_curves(curves: Curves, answer: FleetAnswer) -> Verdict:
    """Hold an answer against its curves."""
    x, size = answer.amounts, np.where(curves.capacity > 0.0, curves.capacity, 1.0)
    least, most = np.where(curves.here, curves.least, 0.0), np.where(curves.here, curves.most, 0.0)
    short = np.maximum(least - x, x - most) / size[:, None, :]
    missed = np.maximum(short.max(axis=(1, 2)), ((x.sum(axis=1) - curves.capacity) / size).max(axis=1))
    worth = np.where(curves.here, _worth(curves, x), 0.0).sum(axis=(1, 2))
    # Where there is no room beyond the least, the first unit may be worth any price, and nothing is to be had at
    # it.
    endless = np.isinf(answer.prices)
    prices = np.where(endless, 0.0, answer.prices)
    price = prices[:, None, :]
    # The best amount at a price lies at an end, at present, or where the slope is the price with the move.
    top = np.minimum(most, curves.capacity[:, None, :])
    places = [least, top, np.clip(curves.present, least, np.maximum(top, least))]
    with np.errstate(all="ignore"):
        for pays in (price + curves.unit_usd, price - curves.unit_usd):
            root = (curves.horizon_h * curves.scale * curves.power / pays) ** (1.0 / (1.0 - curves.power))
            places.append(np.clip(np.where(np.isfinite(root), root, top), least, np.maximum(top, least)))
    gains = [np.where(curves.here, _worth(curves, each) - price * each, 0.0) for each in places]
    bounds = np.maximum.reduce(gains).sum(axis=1) + prices * curves.capacity
    full = least.sum(axis=1) >= curves.capacity * (1.0 - 1e-12)
    bound = np.where(endless, np.where(full, gains[0].sum(axis=1), np.inf), bounds).sum(axis=1)
    needed = (least.sum(axis=1) > curves.capacity * (1.0 + 1e-9)).any(axis=1) | (least > most).any(axis=(1, 2))
    return _verdict(answer, needed, missed, worth, bound)


def judge_bundles(bundles: Bundles, answer: FleetAnswer) -> Verdict:
    """Hold an answer against its bundles."""
    size = np.where(bundles.capacity > 0.0, bundles.capacity, 1.0)
    width = np.where(bundles.here[:, :, None], bundles.width, 0.0)
    given = np.zeros(bundles.floor.shape)
    for bundle, node in enumerate(bundles.owner):
        given[:, node] += bundles.takes[:, bundle] * answer.levels[:, bundle, None]
    given += bundles.floor
    scale = np.maximum(width.sum(axis=2), 1e-300)
    missed = np.maximum.reduce(
        [
            ((answer.amounts.sum(axis=1) - bundles.capacity) / size).max(axis=1),
            (np.abs(answer.amounts - given) / size[:, None, :]).max(axis=(1, 2)),
            ((answer.levels - width.sum(axis=2)) / scale).max(axis=1, initial=0.0),
            (-answer.levels / scale).max(axis=1, initial=0.0),
        ]
    )
    before = np.cumsum(width, axis=2) - width
    filled = np.clip(answer.levels[:, :, None] - before, 0.0, width)
    worth = bundles.horizon_h * (filled * bundles.worth).sum(axis=(1, 2))
    prices = np.where(answer.feasible[:, None], answer.prices, 0.0)
    cost = np.einsum("hbr,hr->hb", bundles.takes, prices)
    pays = bundles.horizon_h * bundles.worth - cost[:, :, None]
    room = bundles.capacity - bundles.floor.sum(axis=1)
    blocked = ((bundles.takes > 0.0) & (room <= 0.0)[:, None, :]).any(axis=2)
    width = np.where(blocked[:, :, None], 0.0, width)
    bound = (np.maximum(pays, 0.0) * width).sum(axis=(1, 2))
    bound += (prices * np.maximum(room, 0.0)).sum(axis=1)
    needed = (room < -1e-9 * bundles.capacity).any(axis=1)
    return _verdict(answer, needed, missed, worth, bound)


def _worth(curves: Curves, amounts: Floats) -> Floats:
    earned = curves.horizon_h * curves.scale * amounts**curves.power
    worth: Floats = earned - curves.unit_usd * np.abs(amounts - curves.present)
    return worth


def _verdict(
    answer: FleetAnswer, impossible: NDArray[np.bool_], missed: Floats, worth: Floats, bound: Floats
) -> Verdict:
    wrong = answer.feasible == impossible
    missed = np.where(wrong, np.inf, np.where(impossible, np.nan, missed))
    return Verdict(missed, np.where(impossible, np.nan, worth), np.where(impossible, np.nan, bound))
