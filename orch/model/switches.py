"""The switch ledger in figures: what moves, and refusals to move, have come to."""

from __future__ import annotations

from orch.model.base import Value


class Missed(Value):
    """What plans that were not carried out would have brought by their own prediction, and for how many hours."""

    usd: float = 0.0
    hours: float = 0.0


class SwitchLedger(Value):
    """How many settled moves paid back, lost, could not be told, or wait for their earnings to speak.

    `realised_usd` is what they have been seen to bring in the hours that were looked at, `cost_usd` what they
    cost. `missed_usd` is what plans that were refused although they would have paid were predicted to bring, over
    `missed_hours`.
    """

    paid: int = 0
    lost: int = 0
    inconclusive: int = 0
    pending: int = 0
    realised_usd: float | None = None
    cost_usd: float | None = None
    missed_usd: float = 0.0
    missed_hours: float = 0.0
