"""Water-filling with power laws, exactly: the price at which all that is wanted is what there is.

At a price every node takes what pays more than it, which for a law is a closed form on either side of the kink
that moving makes at the present amount. What all nodes take falls with the price, so halving finds it; between the
two neighbouring prices that are left, the split in proportion uses up the capacity. The bound is Lagrange's: what
all would be worth at that price, were it paid for every unit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from orch.solvers.waterfill import Filled, gain, pieces_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.model.problems import PowerLaw, Problem
    from orch.model.resources import ResourceName
    from orch.solvers.waterfill import Key, Piece, Range

HALVINGS = 200


def fill_curves(problem: Problem, ranges: Sequence[Range], name: ResourceName, key: Key, left: float) -> Filled:
    """The best continuous split of one resource of which some nodes earn by laws.

    Args:
        problem: The problem.
        ranges: What each node may be given; at its least each, `left` is what remains.
        name: The resource.
        key: What activities are counted on.
        left: What is to be given out beyond what is least.
    """
    wants = [_Wants(problem, each, name, key) for each in ranges]

    def taken(price: float) -> list[float]:
        return [each.at(price) for each in wants]

    def over(amounts: list[float]) -> bool:
        return math.fsum(amounts) - least > left

    least = math.fsum(each.least for each in ranges)
    low, high = 0.0, 1.0
    if not over(taken(-1e-300)):
        low = high = -1e-300
    else:
        while over(taken(high)):
            low, high = high, 2.0 * high
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            if not low < middle < high:
                break
            low, high = (middle, high) if over(taken(middle)) else (low, middle)
    many, few = taken(low), taken(high)
    span = math.fsum(many) - math.fsum(few)
    share = min(max((left + least - math.fsum(few)) / span, 0.0), 1.0) if span > 0.0 else 0.0
    amounts = {
        each.node.name: fewer + share * (more - fewer) for each, more, fewer in zip(ranges, many, few, strict=True)
    }
    price = max(high, 0.0)
    spare = left + least - math.fsum(amounts.values())
    hidden = math.fsum(
        gain(problem, each, name, key, best)
        - price * best
        - gain(problem, each, name, key, amounts[each.node.name])
        + price * amounts[each.node.name]
        for each, best in zip(ranges, taken(price), strict=True)
    )
    return Filled(amounts, price, max(hidden, 0.0) + price * max(spare, 0.0))


class _Wants:
    """What one node takes of one resource at a price, USD over the horizon for a unit."""

    def __init__(self, problem: Problem, each: Range, name: ResourceName, key: Key) -> None:
        self._range = each
        self._law = next((law for law in each.node.laws if law.resource == name), None)
        self._usd = problem.horizon_h * (self._law.usd_per_hour if self._law is not None else 0.0)
        self._pieces: list[Piece] = [] if self._law is not None else list(pieces_of(problem, each, name, key))

    def at(self, price: float) -> float:
        """The amount at which another unit is not worth its price any more."""
        each = self._range
        if self._law is None:
            return each.least + math.fsum(piece.units for piece in self._pieces if piece.slope > price)
        cost, present = each.span.unit_usd, each.span.present
        above, below = self._until(self._law, price + cost), self._until(self._law, price - cost)
        wanted = above if above > present else min(below, present)
        return min(max(wanted, each.least), each.most)

    def _until(self, law: PowerLaw, worth: float) -> float:
        """The amount up to which another unit earns more than this."""
        need = self._range.span.need
        if worth < 0.0:
            return math.inf
        if self._usd <= 0.0:
            return need
        if law.power >= 1.0:
            return math.inf if self._usd > worth else need
        if worth == 0.0:
            return math.inf
        grown = math.log(self._usd * law.power / worth) / (1.0 - law.power)
        return need + math.exp(grown) if grown < 700.0 else math.inf
