"""What running a node costs, with its doubt, and what is left after it.

A figure smaller than the doubt of what was taken off it is not stated: it may as well be of the other sign.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from orch.model.costs import RunningCosts
from orch.model.kept import Alike, kept_by
from orch.model.money import CostPerHour

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from orch.model.money import PriceNow, Rate
    from orch.model.readings import Reading
    from orch.model.resources import Resources

__all__ = [
    "RunningCosts",
    "charges",
    "charges_doubt",
    "exactly",
    "idle_cost",
    "less",
    "node_cost",
    "scaled",
    "smoothed",
    "total_cost",
]

GB_PER_MBPS_HOUR = 3600.0 / 8.0 / 1000.0
CHARGES_OVER_S = 30 * 86_400.0
SPREAD_EVERY_S = 600
"""What is spread over a month hardly changes in ten minutes by time alone."""

CHARGED = frozenset({"fee", "gas"})
SMOOTHING_S = 3600.0
NOTHING = CostPerHour(low=0.0, mean=0.0, high=0.0)


class _Charge(NamedTuple):
    """One fee or one transaction's gas; times in seconds since 1970."""

    kind: str
    unit: str
    amount: float
    start_s: float
    end_s: float


def node_cost(costs: RunningCosts, used: Resources) -> tuple[CostPerHour | None, str]:
    """Electricity and traffic of a node in USD per hour; None, and why, when one of them is not known."""
    power, why = _power_cost(costs, used.cpu_cores)
    traffic = _traffic_cost(costs, used.bandwidth_mbps)
    if power is None:
        return None, why
    if traffic is None:
        return None, "its traffic is metered and not known"
    return total_cost((power, traffic)), costs.note


def idle_cost(costs: RunningCosts) -> CostPerHour | None:
    """USD per hour of the host doing nothing; None when the tariff is unknown."""
    return None if costs.usd_per_kwh is None else _electricity(costs, costs.watts_idle)


def charges(reading: Reading, prices: Mapping[str, PriceNow], now: datetime) -> CostPerHour | None:
    """Protocol fees and gas of the last 30 days in USD per hour; None when they are in a token without a price.

    Each fee is spread over the time it was for. Few of them say little about the next one: the doubt is that of
    counting them.
    """
    units = dict.fromkeys(each.unit for each in _charged(reading))
    usd = {unit: 1.0 if unit == "USD" else _usd(prices.get(unit)) for unit in units}
    return _spread(reading, usd, now)


@kept_by(lambda reading: (reading.accruals, "" if reading.fee_share else "fees"), lambda reading: reading.node)
def _charged(reading: Reading) -> list[_Charge]:
    """What is taken off; a share of every income that goes in fees is so at once, not when it is booked."""
    return [
        _Charge(
            each.kind,
            each.unit,
            float(each.amounts.total),
            each.period_start.timestamp(),
            (each.period_end or each.as_of).timestamp(),
        )
        for each in reading.accruals
        if each.kind in CHARGED and not (each.kind == "fee" and reading.fee_share)
    ]


@kept_by(
    lambda reading, usd, now: (_charged(reading), Alike(usd.items()), str(now.timestamp() // SPREAD_EVERY_S)),
    lambda reading, _usd, _now: reading.node,
)
def _spread(reading: Reading, usd: Mapping[str, float | None], now: datetime) -> CostPerHour | None:
    """The charges per hour at these prices; None where one that counts has none."""
    total, count, now_s = 0.0, 0, now.timestamp()
    since_s = now_s
    for each in _charged(reading):
        age = now_s - each.end_s
        if not each.amount or age >= CHARGES_OVER_S:
            continue
        price = usd[each.unit]
        if price is None:
            return None
        length = each.end_s - each.start_s
        inside = 1.0 if length <= 0 else min(1.0, max(0.0, (CHARGES_OVER_S - max(age, 0.0)) / length))
        total += each.amount * price * inside
        count += 1
        since_s = min(since_s, each.start_s)
    if not count:
        return NOTHING
    hours = min(max(now_s - since_s, 3600.0), CHARGES_OVER_S) / 3600.0
    mean, doubt = total / hours, 1.0 / math.sqrt(count)
    return CostPerHour(low=mean * (1.0 - doubt), mean=mean, high=mean * (1.0 + doubt))


def charges_doubt(reading: Reading, prices: Mapping[str, PriceNow]) -> str:
    """Why what `charges` says is not known, or not well; empty when nothing is wrong with it."""
    units = dict.fromkeys((each.kind, each.unit) for each in _charged(reading) if each.unit != "USD")
    found = [reading.cost_note] if reading.cost_note else []
    for kind, unit in units:
        price = prices.get(unit)
        if price is None or price.price is None:
            found.append(f"its {kind} is in {unit}, which has no price")
        elif price.state == "stale":
            found.append(f"its {kind} is in {unit}, whose price is {(price.age_s or 0.0) / 60.0:.0f} min old")
    return "; ".join(found)


def exactly(usd_per_hour: float) -> CostPerHour:
    """A cost without doubt."""
    return CostPerHour(low=usd_per_hour, mean=usd_per_hour, high=usd_per_hour)


def total_cost(costs: Iterable[CostPerHour]) -> CostPerHour:
    """The sum. Doubts add up: they rest on the same meter and the same tariff."""
    known = tuple(costs)
    return CostPerHour(
        low=sum(each.low for each in known),
        mean=sum(each.mean for each in known),
        high=sum(each.high for each in known),
    )


def scaled(cost: CostPerHour, by: float) -> CostPerHour:
    """So many times the cost."""
    low, high = sorted((cost.low * by, cost.high * by))
    return CostPerHour(low=low, mean=cost.mean * by, high=high)


def smoothed(before: CostPerHour | None, now: CostPerHour, elapsed_s: float) -> CostPerHour:
    """An exponential moving average over an hour: what a node uses jumps from second to second."""
    if before is None or elapsed_s >= 8 * SMOOTHING_S:
        return now
    keep = math.exp(-max(0.0, elapsed_s) / SMOOTHING_S)
    return total_cost((scaled(before, keep), scaled(now, 1.0 - keep)))


def less(rate: Rate, cost: CostPerHour | None, why: str = "") -> Rate:
    """A rate with its costs taken off, and its net interval.

    The net is left out, and `net_note` says why, when costs are unknown, or when it is smaller than what they are
    known to.
    """
    if cost is None:
        return replace(rate, net_mean=None, net_low=None, net_high=None, cost=None, net_note=why or UNKNOWN)
    net, finest = rate.mean - cost.mean, (cost.high - cost.low) / 2.0
    if abs(net) < finest:
        note = f"net is within {finest:.2g} USD/h of nothing, and that is all its costs are known to"
        return replace(rate, net_mean=None, net_low=None, net_high=None, cost=cost, net_note=note)
    return replace(
        rate,
        net_mean=net,
        net_low=net - math.hypot(rate.mean - rate.low, cost.high - cost.mean),
        net_high=net + math.hypot(rate.high - rate.mean, cost.mean - cost.low),
        cost=cost,
        net_note=why,
    )


UNKNOWN = "running costs are not known"


def _power_cost(costs: RunningCosts, busy: float | None) -> tuple[CostPerHour | None, str]:
    if costs.usd_per_kwh is None:
        return None, costs.note or UNKNOWN
    if costs.usd_per_kwh == 0.0:
        return NOTHING, ""
    if busy is None:
        return None, "how many cores it keeps busy is not known"
    if costs.watts is None:
        return _electricity(costs, costs.watts_per_core * busy), ""
    if costs.busy_cores is None or costs.busy_cores <= 0.0:
        return None, "how many cores the host keeps busy is not known"
    share = min(1.0, busy / costs.busy_cores)
    return _electricity(costs, max(0.0, costs.watts - costs.watts_idle) * share), ""


def _electricity(costs: RunningCosts, watts: float) -> CostPerHour:
    mean = (costs.usd_per_kwh or 0.0) * watts / 1000.0
    half = abs(mean) * math.hypot(costs.watts_doubt, costs.price_doubt)
    return CostPerHour(low=mean - half, mean=mean, high=mean + half)


def _traffic_cost(costs: RunningCosts, mbps: float | None) -> CostPerHour | None:
    """How much of the traffic goes up is not known: the cost lies between all of it and none."""
    prices = sorted((costs.usd_per_gb_up, costs.usd_per_gb_down))
    if prices[1] == 0.0:
        return NOTHING
    if mbps is None:
        return None
    low, high = (price * mbps * GB_PER_MBPS_HOUR for price in prices)
    return CostPerHour(low=low, mean=(low + high) / 2.0, high=high)


def _usd(price: PriceNow | None) -> float | None:
    return None if price is None or price.price is None else float(price.price.usd)
