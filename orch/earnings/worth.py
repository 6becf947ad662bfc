"""Curves: how a node's income depends on what it is given, from what was observed and its protocol's rules.

For a dial (Golem's cores) paying work wants a random number of cores: with exponential demand of mean `m`,
`a` cores earn in proportion to `m * (1 - exp(-a / m))`. How full the cores were while there was work
(`saturation`) gives `m`; what was earned gives the scale. Where work left cores idle, more are worth little.
A stock (Storj's disk) earns on what is stored; empty room is worth what fills within the horizon. A floor
(Streamr) and an on/off node (Grass) earn their rate at their need, and more brings nothing.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from orch.model.fleet import Worth
from orch.model.problems import Activity
from orch.model.resources import RESOURCES, ZERO, Resources, resources

if TYPE_CHECKING:
    from orch.model.money import Rate
    from orch.model.readings import Outlook
    from orch.model.resources import ResourceName

DIAL_EDGES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Where the curve of a dial is cut into straight pieces, in units of the mean demand."""

STOCK_PIECES = 4
FULL = 0.97
"""Saturation above this says only that demand is larger than what there is."""

UNSEEN = (3.0, 6.0, 12.0)
"""Mean demand, in units of a saturated allocation: pessimistic, expected, optimistic."""

FILL_DOUBT = (0.5, 1.0, 1.5)
LATER = 0.01
"""Room beyond what fills within the horizon keeps a hundredth of its worth: it saves a later move, and a full
disk cannot show how much more it would fill."""

ANY_ROOM = 1e6
KEPT_FREE = 0.02
"""A store is full before its last byte: this share of it is kept free for tidying up, and fills with nothing."""


class Demand:
    """Mean demand for a dial: pessimistic, expected, optimistic, in units of the dial."""

    __slots__ = ("expected", "high", "low")

    def __init__(self, low: float, expected: float, high: float) -> None:
        self.low = low
        self.expected = expected
        self.high = high


def mean_demand(saturation: float | None, allocated: float) -> Demand:
    """Mean demand that explains how full an allocation was: s = (m / a) * (1 - exp(-a / m))."""
    if saturation is None or saturation >= FULL or allocated <= 0:
        low, expected, high = UNSEEN
        unit = max(allocated, 1.0)
        return Demand(low * unit, expected * unit, high * unit)
    expected = _solve_demand(max(saturation, 0.02)) * allocated
    return Demand(expected * 0.7, expected, expected * 1.4)


def use_of(allocated: float, demand: float) -> float:
    """Expected units in use while there is work, of so many allocated."""
    return demand * -math.expm1(-allocated / demand) if demand > 0 else 0.0


def learn_worth(
    outlooks: tuple[Outlook, ...], rate: Rate | None, allocation: Resources, usd: float | None, horizon_h: float
) -> Worth | None:
    """What a node earns and would earn; None while its rate is unknown.

    `usd` is the price of one native unit of the outlooks (1 for USD).
    """
    if rate is None:
        return None
    for outlook in outlooks:
        if outlook.form == "dial" and outlook.resource is not None:
            given = allocation.get(outlook.resource)
            if given is not None and given > 0:
                return _dial(outlook, outlook.resource, rate, given)
        if outlook.form == "stock" and outlook.resource is not None and usd is not None:
            return _stock(outlook, outlook.resource, rate, allocation, usd, horizon_h)
    # A floor or an on/off node has what it needs: more of anything brings nothing, and that is known.
    floors = any(outlook.form in {"floor", "on_off"} for outlook in outlooks)
    return Worth(base_usd_per_hour=rate.mean, per_unit=ZERO if floors else Resources())


def scale_to_new_dial(saturation: float | None, before: float, after: float) -> tuple[float, float, float]:
    """By how much income changes with a dial: (pessimistic, expected, optimistic) factors."""
    demand = mean_demand(saturation, before)
    factors = [
        use_of(after, mean) / use_of(before, mean) if before > 0 else 1.0
        for mean in (demand.low, demand.expected, demand.high)
    ]
    return min(factors), factors[1], max(factors)


def _dial(outlook: Outlook, dial: ResourceName, rate: Rate, given: float) -> Worth:
    demand = mean_demand(outlook.saturation, given)
    scales = {
        "low": rate.low / use_of(given, demand.low),
        "mean": rate.mean / use_of(given, demand.expected),
        "high": rate.high / use_of(given, demand.high),
    }
    edges = sorted({0.0, given, *(edge * demand.expected for edge in DIAL_EDGES)})
    curves = {
        "low": [use_of(edge, demand.low) for edge in edges],
        "mean": [use_of(edge, demand.expected) for edge in edges],
        "high": [use_of(edge, demand.high) for edge in edges],
    }
    takes = _takes(outlook, dial)
    activities = []
    for index, (start, stop) in enumerate(pairwise(edges)):
        width = stop - start
        if width < 1e-6:
            continue
        slopes = {name: scales[name] * (curve[index + 1] - curve[index]) / width for name, curve in curves.items()}
        expected = slopes["mean"]
        bounds = [slopes["low"], slopes["high"]]
        activities.append(
            Activity(
                takes=takes,
                width=width,
                usd_per_hour=expected,
                low=min(expected, *bounds),
                high=max(expected, *bounds),
            )
        )
    last = demand.expected * DIAL_EDGES[-1]
    at_margin = scales["mean"] * math.exp(-given / demand.expected) if given < last else 0.0
    return Worth(activities=tuple(activities), per_unit=resources({dial: at_margin}))


def _takes(outlook: Outlook, dial: ResourceName) -> Resources:
    return resources({name: 1.0 if name == dial else outlook.also.get(name) for name in RESOURCES})


def _stock(
    outlook: Outlook, stock: ResourceName, rate: Rate, allocation: Resources, usd: float, horizon_h: float
) -> Worth:
    used, per_unit, fill = outlook.used, outlook.per_unit_hour, outlook.fill_per_hour
    if used is None or per_unit is None or fill is None or fill <= 0:
        need = Resources() if used is None else resources({stock: used})
        return Worth(need=need, base_usd_per_hour=rate.mean, per_unit=resources({stock: 0.0}))
    worth = per_unit * usd
    takes = resources({stock: 1.0})
    piece = fill * horizon_h / STOCK_PIECES
    activities = []
    for index in range(STOCK_PIECES):
        filled = 1.0 - (index + 0.5) / STOCK_PIECES
        low, mean, high = (worth * min(1.0, filled * doubt) for doubt in FILL_DOUBT)
        activities.append(Activity(takes=takes, width=piece, usd_per_hour=mean, low=low, high=high))
    kept = worth * LATER
    activities.append(Activity(takes=takes, width=ANY_ROOM, usd_per_hour=kept, low=0.0, high=kept))
    given = allocation.get(stock) or 0.0
    room = max(0.0, given * (1.0 - KEPT_FREE) - used)
    at_margin = worth * max(0.0, 1.0 - room / (fill * horizon_h))
    return Worth(
        need=resources({stock: used}),
        base_usd_per_hour=rate.mean,
        activities=tuple(activities),
        per_unit=resources({stock: at_margin}),
    )


def _solve_demand(saturation: float) -> float:
    """M / a with (m / a) * (1 - exp(-a / m)) == saturation, by bisection."""
    low, high = 1e-3, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        if use_of(1.0, middle) < saturation:
            low = middle
        else:
            high = middle
    return (low + high) / 2
