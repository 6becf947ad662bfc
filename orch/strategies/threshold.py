"""Move when the gain's lower bound over the horizon exceeds the cost plus a margin of present income.

The margin keeps a split from following doubtful figures back and forth, and so it is asked of moves that take from
one node for another. What nobody earns with is given away for less, at most once a day: a store fills so slowly
that no horizon of days shows a tenth of all income, and held to the margin it would stand full for ever.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec.structs import replace

from orch.strategies.base import Advice, Prospect, StrategySpec, dollars, needed_gain, unjudged

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

IDLE_AFTER_H = 24.0
"""Hours from the last move to one that asks for the idle margin alone."""


class ThresholdOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`margin_pct`: how much of present income over the horizon a gain must exceed besides its cost.

    `idle_margin_pct`: the same a day after the last move, of a plan by which no node earns less. As large as
    `margin_pct` there is no difference.
    """

    margin_pct: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 10.0
    idle_margin_pct: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 0.0


class Threshold:
    """The strategy that asks for a sure gain. A cost or income that is unknown is never taken for zero."""

    name = "threshold"
    options = ThresholdOptions

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """Move iff `gain_usd > cost_usd + margin_pct / 100 * present income over the horizon`.

        The margin is `idle_margin_pct` where no node loses and the last move is a day ago.
        """
        unknown = unjudged(prospect)
        if unknown is not None:
            return unknown
        advice, idle = judged(prospect, options.margin_pct), judged(prospect, options.idle_margin_pct)
        if advice.move or not idle.move or prospect.losing != ():
            return advice
        due_at = _idle_at(prospect)
        if due_at is not None and prospect.decided_at < due_at:
            return Advice(
                move=False,
                reasons=("INTERVAL_RUNNING",),
                sentence=f"{advice.sentence} No node would earn less: it may come at {due_at:%Y-%m-%d %H:%M} UTC.",
                needed_gain_usd=advice.needed_gain_usd,
                until=due_at,
            )
        return replace(idle, sentence=f"{idle.sentence} No node would earn less.")


def _idle_at(prospect: Prospect) -> datetime | None:
    """From when on the idle margin is enough; None for always."""
    last = prospect.last_move_at
    return None if last is None else last + timedelta(hours=IDLE_AFTER_H)


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
