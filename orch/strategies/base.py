"""When to move: what a strategy sees and answers. Pure values in and out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from orch.model.base import Value
from orch.model.money import Rate
from orch.model.plans import Code

if TYPE_CHECKING:
    import msgspec


class Prospect(Value):
    """A plan as a strategy sees it. USD over the horizon unless per hour."""

    decided_at: datetime
    horizon_h: float
    present_usd_per_hour: float | None
    gain_usd_per_hour: Rate | None
    gain_usd: Decimal | None
    cost_usd: Decimal | None
    changes: int
    last_move_at: datetime | None


class Advice(Value):
    """A strategy's word. `needed_gain_usd` is what `gain_usd` had to exceed, where that is how it judges."""

    move: bool
    reasons: tuple[Code, ...]
    sentence: str
    needed_gain_usd: Decimal | None = None


class StrategySpec(Protocol):
    """A strategy: one module, one object of this shape, one entry point in `orch.strategies`."""

    @property
    def name(self) -> str:
        """As in configuration."""

    @property
    def options(self) -> type[msgspec.Struct]:
        """What `[optimizer.<name>]` may hold."""

    def advise(self, options: Any, prospect: Prospect) -> Advice:
        """Move or stay, and why."""
