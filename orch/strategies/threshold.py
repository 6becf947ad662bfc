"""Move when the gain's lower bound over the horizon exceeds the cost plus a margin of present income."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from orch.strategies.base import Advice, Prospect, StrategySpec, dollars, needed_gain, unjudged

if TYPE_CHECKING:
    from decimal import Decimal


class ThresholdOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`margin_pct`: how much of present income over the horizon a gain must exceed besides its cost."""

    margin_pct: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 10.0


class Threshold:
    """The strategy that asks for a sure gain. A cost or income that is unknown is never taken for zero."""

    name = "threshold"
    options = ThresholdOptions

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """Move iff `gain_usd > cost_usd + margin_pct / 100 * present income over the horizon`."""
        return unjudged(prospect) or judged(prospect, options.margin_pct)


def judged(prospect: Prospect, margin_pct: float) -> Advice:
    """The threshold's word on a prospect all of whose figures are known."""
    gain, needed = prospect.gain_usd, needed_gain(prospect, margin_pct)
    if gain is not None and gain > needed:
        return Advice(
            move=True,
            reasons=("GAIN_ABOVE_COST",),
            sentence=_compared("exceeds", prospect, needed, margin_pct),
            needed_gain_usd=needed,
        )
    return Advice(
        move=False,
        reasons=("GAIN_BELOW_COST",),
        sentence=_compared("does not exceed", prospect, needed, margin_pct),
        needed_gain_usd=needed,
    )


def _compared(verb: str, prospect: Prospect, needed: Decimal, margin_pct: float) -> str:
    gain = dollars(prospect.gain_usd or 0)
    return (
        f"The sure gain of {gain} in {prospect.horizon_h:g} h {verb} {dollars(needed)}: "
        f"the cost of {dollars(prospect.cost_usd or 0)} and {margin_pct:g} % of present income."
    )


STRATEGY: StrategySpec = Threshold()
