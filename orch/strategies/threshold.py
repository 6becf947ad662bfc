"""Move when the gain's lower bound over the horizon exceeds the cost plus a margin of present income."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import msgspec

from orch.model.money import SCALE
from orch.strategies.base import Advice, Prospect, StrategySpec


class ThresholdOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`margin_pct`: how much of present income over the horizon a gain must exceed besides its cost."""

    margin_pct: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 10.0


class Threshold:
    """The strategy that asks for a sure gain. A cost or income that is unknown is never taken for zero."""

    name = "threshold"
    options = ThresholdOptions

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """Move iff `gain_usd > cost_usd + margin_pct / 100 * present income over the horizon`."""
        if prospect.changes == 0:
            return Advice(
                move=False, reasons=("ALREADY_BEST",), sentence="The present split is the best one found."
            )
        present, gain, cost = prospect.present_usd_per_hour, prospect.gain_usd, prospect.cost_usd
        if present is None or gain is None or cost is None:
            what = "present income" if present is None else "gain" if gain is None else "cost"
            return Advice(move=False, reasons=("RATE_UNKNOWN",), sentence=f"The {what} is unknown.")
        margin = _exact(options.margin_pct) / 100 * _exact(present) * _exact(prospect.horizon_h)
        needed = (cost + max(margin, Decimal(0))).quantize(SCALE)
        if gain > needed:
            return Advice(
                move=True,
                reasons=("GAIN_ABOVE_COST",),
                sentence=_compared("exceeds", prospect, gain, cost, needed, options.margin_pct),
                needed_gain_usd=needed,
            )
        return Advice(
            move=False,
            reasons=("GAIN_BELOW_COST",),
            sentence=_compared("does not exceed", prospect, gain, cost, needed, options.margin_pct),
            needed_gain_usd=needed,
        )


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))


def _compared(
    verb: str, prospect: Prospect, gain: Decimal, cost: Decimal, needed: Decimal, margin_pct: float
) -> str:
    return (
        f"The sure gain of {_usd(gain)} in {prospect.horizon_h:g} h {verb} {_usd(needed)}: "
        f"the cost of {_usd(cost)} and {margin_pct:g} % of present income."
    )


def _usd(amount: Decimal) -> str:
    rounded = round(amount, 4)
    sign = "-" if rounded < 0 else ""
    return f"{sign}${abs(rounded):.4f}"


STRATEGY: StrategySpec = Threshold()
