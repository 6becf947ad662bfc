"""Move at most once in an interval, and then for less: for rates too restless to be followed at every turn."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import msgspec

from orch.strategies.base import Advice, Prospect, StrategySpec, unjudged
from orch.strategies.threshold import judged


class PeriodicOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`interval_h`: hours from one move to the next, at least.

    `margin_pct`, `idle_margin_pct`: as of the strategy threshold.
    """

    interval_h: Annotated[float, msgspec.Meta(gt=0.0, le=8784.0)] = 24.0
    margin_pct: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 5.0
    idle_margin_pct: Annotated[float, msgspec.Meta(ge=0.0, le=1000.0)] = 0.0


class Periodic:
    """The strategy that waits. What the last move was, and when, is remembered over restarts."""

    name = "periodic"
    options = PeriodicOptions

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """Move iff the interval since the last move is over and the sure gain exceeds cost and margin."""
        least = min(options.margin_pct, options.idle_margin_pct)
        margin_pct = least if prospect.losing == () else options.margin_pct
        advice = unjudged(prospect) or judged(prospect, margin_pct)
        if not advice.move or prospect.last_move_at is None:
            return advice
        due_at = prospect.last_move_at + timedelta(hours=options.interval_h)
        if prospect.decided_at >= due_at:
            return advice
        since_h = (prospect.decided_at - prospect.last_move_at).total_seconds() / 3600.0
        return Advice(
            move=False,
            reasons=("INTERVAL_RUNNING",),
            sentence=(
                f"The last move was {since_h:.1f} h ago, the next may come {options.interval_h:g} h after it, at "
                f"{due_at:%Y-%m-%d %H:%M} UTC. {advice.sentence}"
            ),
            needed_gain_usd=advice.needed_gain_usd,
            until=due_at,
        )


STRATEGY: StrategySpec = Periodic()
