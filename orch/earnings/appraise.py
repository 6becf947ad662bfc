"""One node appraised: its rate now, what more would bring, and how its allocation has changed.

After a change of a dial the history before it speaks of another allocation. Until the protocol's own window
has passed again, the rate is what was earned before, scaled along the curve, and marked `estimated`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.earnings.costs import (
    RunningCosts,
    charges,
    charges_doubt,
    exactly,
    less,
    node_cost,
    smoothed,
    total_cost,
)
from orch.earnings.rates import FEWEST_BLOCKS, Interval, from_pace, mean_income, pooled, smooth, to_rate
from orch.earnings.wander import Wander, price_doubt, watch
from orch.earnings.worth import learn_worth, scale_to_new_dial
from orch.model.base import Value
from orch.model.fleet import Worth
from orch.model.kept import kept_by
from orch.model.money import EVIDENCE, CostPerHour, Evidence, Rate
from orch.model.resources import close

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.earnings.accounts import Income
    from orch.model.books import Turned
    from orch.model.money import Amounts, PriceNow
    from orch.model.readings import Outlook, Pace, Reading
    from orch.model.resources import ResourceName


class Regime(Value):
    """The present setting of a node's dial, since when, and what the setting before it earned."""

    dial: float
    since: datetime | None = None
    dial_before: float | None = None
    before: Interval | None = None


class Appraisal(Value):
    """What is known of a node's money at one time.

    `interval` is the smoothed rate in native `unit`s, before any price; `price` how that unit's price moves.
    """

    appraised_at: datetime
    rate: Rate | None = None
    worth: Worth | None = None
    regime: Regime | None = None
    interval: Interval | None = None
    unit: str = "USD"
    cost: CostPerHour | None = None
    price: Wander | None = None


def appraise(
    reading: Reading,
    income: Income,
    prices: Mapping[str, PriceNow],
    costs: RunningCosts,
    before: Appraisal | None,
    now: datetime,
    horizon_h: float,
    turned: tuple[Turned, ...] = (),
) -> Appraisal:
    """Rate and worth of a node; both None while they are unknown (points, no price, history too short).

    `turned` are settings that moves changed before this was first appraised, oldest first.
    """
    outlook = next((each for each in reading.outlooks if each.form == "dial"), None)
    known = before.regime if before else None
    regime = _regime(reading, income, outlook, known, now, turned)
    interval, evidence = _observed(reading, income, outlook, regime)
    unit = reading.pace.unit if reading.pace is not None else income.unit
    usd = _usd(unit, prices)
    same_unit = before is not None and before.unit == unit
    price = watch(before.price if before is not None and same_unit else None, prices.get(unit))
    if interval is None or usd is None:
        return Appraisal(regime=regime, appraised_at=now, unit=unit, price=price)
    exact = reading.pace is not None and reading.pace.exact
    if before is not None and before.regime == regime and same_unit and not exact:
        interval = smooth(before.interval, interval, (now - before.appraised_at).total_seconds())
    gross = to_rate(interval, usd, evidence, now, _price_doubt(unit, prices, price))
    cost, why = _cost(reading, prices, costs, before, now)
    fees = max(0.0, gross.mean) * reading.fee_share
    rate = less(gross, None if cost is None else total_cost((cost, exactly(fees))), why)
    native = reading.outlooks[0].unit if reading.outlooks else unit
    worth = learn_worth(reading.outlooks, rate, reading.allocation, _usd(native, prices), horizon_h)
    return Appraisal(
        rate=rate,
        worth=worth,
        regime=regime,
        interval=interval,
        unit=unit,
        cost=cost,
        price=price,
        appraised_at=now,
    )


def _cost(
    reading: Reading,
    prices: Mapping[str, PriceNow],
    costs: RunningCosts,
    before: Appraisal | None,
    now: datetime,
) -> tuple[CostPerHour | None, str]:
    """What running the node costs per hour, smoothed, without its share of fees.

    None, and why, when some of it is not known.
    """
    running, why = node_cost(costs, reading.used)
    charged = charges(reading, prices, now)
    if running is None:
        return None, why
    doubt = charges_doubt(reading, prices)
    if charged is None:
        return None, doubt
    why = "; ".join(each for each in (why, doubt) if each)
    cost = total_cost((running, charged))
    if before is not None:
        cost = smoothed(before.cost, cost, (now - before.appraised_at).total_seconds())
    return cost, why


def older(rate: Rate | None, by_s: float) -> Rate | None:
    """The same rate, so many seconds later."""
    return None if rate is None else replace(rate, age_s=rate.age_s + by_s)


def _usd(unit: str, prices: Mapping[str, PriceNow]) -> float | None:
    if unit == "USD":
        return 1.0
    known = prices.get(unit)
    if known is None or known.price is None or not known.price.usd.is_finite() or known.price.usd <= 0:
        return None
    return float(known.price.usd)


def _price_doubt(unit: str, prices: Mapping[str, PriceNow], seen: Wander | None) -> float:
    known = prices.get(unit)
    return 0.0 if unit == "USD" or known is None else price_doubt(seen, known.age_s or 0.0)


def _regime(
    reading: Reading,
    income: Income,
    outlook: Outlook | None,
    before: Regime | None,
    now: datetime,
    turned: tuple[Turned, ...],
) -> Regime | None:
    if outlook is None or outlook.resource is None:
        return None
    dial = reading.allocation.get(outlook.resource)
    if dial is None:
        return before
    if before is None:
        before = _remembered(reading, income, outlook.resource, dial, turned)
    if close(before.dial, dial, 1e-3):
        return before
    earned = mean_income(income, reading.window_s, before.since)
    if earned is None and before.before is not None and before.dial_before is not None:
        return Regime(dial=dial, since=now, dial_before=before.dial_before, before=before.before)
    return Regime(dial=dial, since=now, dial_before=before.dial, before=earned)


def _remembered(
    reading: Reading, income: Income, dial: ResourceName, present: float, turned: tuple[Turned, ...]
) -> Regime:
    """The regime that the recorded moves left, as if all of them had been watched."""
    own = [each for each in turned if each.node == reading.node and each.resource == dial]
    if not own:
        return Regime(dial=present)
    regime = Regime(dial=own[0].before)
    for each in own:
        earned = mean_income(income, reading.window_s, regime.since, each.turned_at)
        if earned is None and regime.before is not None:
            regime = Regime(
                dial=each.after, since=each.turned_at, dial_before=regime.dial_before, before=regime.before
            )
        else:
            regime = Regime(dial=each.after, since=each.turned_at, dial_before=each.before, before=earned)
    return regime


def _observed(
    reading: Reading, income: Income, outlook: Outlook | None, regime: Regime | None
) -> tuple[Interval | None, Evidence]:
    if reading.pace is not None:
        return _paced(reading.pace, reading, income, regime), reading.pace.evidence
    if reading.paced:
        return None, "estimated"
    if regime is None or regime.since is None:
        in_steps = any(each.form in {"floor", "on_off"} for each in reading.outlooks)
        return mean_income(income, reading.window_s, in_steps=in_steps), _evidence(reading)
    window = max(reading.window_s, 24 * 3600.0)
    if income.until is not None and income.until - regime.since >= timedelta(seconds=window):
        since = mean_income(income, reading.window_s, regime.since)
        if since is not None:
            return since, _evidence(reading)
    if regime.before is None or regime.dial_before is None:
        return None, "estimated"
    saturation = outlook.saturation if outlook is not None else None
    low, mean, high = scale_to_new_dial(saturation, regime.dial_before, regime.dial)
    known_until = income.until or regime.before.known_until
    return (
        Interval(
            low=regime.before.low * low,
            mean=regime.before.mean * mean,
            high=regime.before.high * high,
            window_s=regime.before.window_s,
            known_until=known_until,
        ),
        "estimated",
    )


def _paced(pace: Pace, reading: Reading, income: Income, regime: Regime | None) -> Interval:
    """A protocol's own formula; for work, pooled with the level of what the ledger says was earned.

    The formula knows prices and what is really paid, the ledger how demand drifts. Both must be of the present
    setting and price: a formula that had to guess (`estimated`), or that expects nothing, stands alone.
    """
    own = from_pace(pace)
    if regime is None or pace.exact or pace.unit != income.unit or pace.evidence == "estimated" or not pace.mean:
        return own
    seen = mean_income(income, reading.window_s, regime.since)
    enough = seen is not None and seen.window_s >= FEWEST_BLOCKS * reading.window_s
    return pooled(own, seen) if seen is not None and enough else own


@kept_by(lambda reading: (reading.accruals,), lambda reading: reading.node)
def _evidence(reading: Reading) -> Evidence:
    """The worst evidence that newest income rests on."""
    newest = None
    for each in reading.accruals:
        if each.kind == "earned" and (newest is None or each.as_of > newest.as_of):
            newest = each
    return "estimated" if newest is None else _worst(newest.amounts)


def _worst(amounts: Amounts) -> Evidence:
    return next((evidence for evidence in reversed(EVIDENCE) if amounts.get(evidence)), "estimated")
