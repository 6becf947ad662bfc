"""How far a token's price may have moved since it was seen: learned from how it moved before.

Over minutes and hours prices move as a random walk does, by the root of time. The variance of a day's move is the
realised variance (Andersen & Bollerslev, *International Economic Review* 39, 1998): the mean of squared log moves
over their time, older ones forgotten bit by bit. It starts from what the tokens' prices showed in years.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

from orch.model.base import Value

if TYPE_CHECKING:
    from orch.model.money import PriceNow

NORMAL_95 = 1.645
"""The normal distribution's 95 % quantile: half of a two-sided 90 % interval."""

USUAL_DAY = 0.08
"""Standard deviation of a day's log move: 7-9 % in years of hourly prices of STORJ, GLM, DATA and GRASS."""

USUAL_WEIGHT = 12.0
MOST_WEIGHT = 300.0
"""For so many moves the usual counts, and so many are remembered: a day of five minutes each."""

DAY_S = 86_400.0
FIGURE_STANDS_S = 150.0
"""A figure stands until the node's next answer, some five minutes; on average it has stood for half of that."""


class Wander(Value):
    """The last price seen, the variance of a day's move, and how many moves that rests on."""

    usd: float
    observed_at: datetime
    variance: float = USUAL_DAY**2
    weight: float = USUAL_WEIGHT


def watch(before: Wander | None, price: PriceNow | None) -> Wander | None:
    """What is known of a price's moves, with the newest one taken in; a price of no use changes nothing."""
    if price is None or price.price is None:
        return before
    usd, observed_at = float(price.price.usd), price.price.observed_at
    if not math.isfinite(usd) or usd <= 0:
        return before
    if before is None:
        return Wander(usd=usd, observed_at=observed_at)
    elapsed_s = (observed_at - before.observed_at).total_seconds()
    if elapsed_s <= 0:
        return before
    weight = min(before.weight + 1.0, MOST_WEIGHT)
    squared = math.log(usd / before.usd) ** 2 * DAY_S / elapsed_s
    variance = before.variance + (squared - before.variance) / weight
    return Wander(usd=usd, observed_at=observed_at, variance=variance, weight=weight)


def price_doubt(known: Wander | None, age_s: float) -> float:
    """By what share of itself a price of that age may be off (90 %) while the figure with it stands."""
    variance = USUAL_DAY**2 if known is None else known.variance
    return NORMAL_95 * math.sqrt(variance * (max(0.0, age_s) + FIGURE_STANDS_S) / DAY_S)
