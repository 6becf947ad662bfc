"""All that a decision was made of: enough to make it again."""

from __future__ import annotations

from decimal import Decimal

from orch.model.base import Value
from orch.model.fleet import Snapshot
from orch.model.forecasts import Foresight
from orch.model.moves import Guards


class DecisionInputs(Value):
    """What the decide step was given, besides the clock's now and ids, which the decision itself holds.

    `prices` are those that the study before the decision compared with. `settings` (how to plan) and `options` (of
    every strategy, by name) are MessagePack, for they are those rooms' own.
    """

    snapshot: Snapshot
    guards: Guards
    prices: dict[str, Decimal]
    foresight: Foresight | None
    settings: bytes
    strategy: str
    options: bytes
