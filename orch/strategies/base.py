"""When to move: what a strategy sees and answers. Pure values in and out."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from orch.model.base import Value
from orch.model.forecasts import Foresight
from orch.model.money import SCALE, Rate
from orch.model.plans import Code

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from orch.model.problems import Problem


class Prospect(Value):
    """A plan as a strategy sees it. USD over the horizon unless per hour; what is unknown is None.

    `affected` are the nodes that earn something else by the plan, `losing` those that may earn less (None where
    nobody looked). The variances are those of the present split and of the plan's, (USD/h)^2, where the problem
    has a covariance.
    """

    decided_at: datetime
    horizon_h: float
    present_usd_per_hour: float | None
    gain_usd_per_hour: Rate | None
    gain_usd: Decimal | None
    cost_usd: Decimal | None
    changes: int
    last_move_at: datetime | None
    affected: tuple[str, ...] = ()
    losing: tuple[str, ...] | None = None
    foresight: Foresight | None = None
    present_variance: float | None = None
    plan_variance: float | None = None


class Advice(Value):
    """A strategy's word.

    `needed_gain_usd` is what `gain_usd` had to exceed, where that is how it judges; `until` is when it will judge
    otherwise although nothing else has changed.
    """

    move: bool
    reasons: tuple[Code, ...]
    sentence: str
    needed_gain_usd: Decimal | None = None
    until: datetime | None = None


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


@runtime_checkable
class ShapesProblem(Protocol):
    """A strategy that also has a say in what is the best split: it shapes the problem before that is solved."""

    def shape(self, options: Any, problem: Problem, foresight: Foresight | None) -> Problem:
        """The problem as this strategy sees it; the same one where it cannot say."""


@runtime_checkable
class CombinesOthers(Protocol):
    """A strategy made of others, which are known only once the configuration is."""

    def combined(self, options: Any, find: Callable[[str], Fitted]) -> StrategySpec:
        """The strategy to use. `find` gives another one by its name, as configured; it raises ConfigError."""


class Fitted(Value):
    """A strategy with its options."""

    strategy: Any
    options: Any


def unjudged(prospect: Prospect) -> Advice | None:
    """The advice where there is nothing to judge: no change, or a figure that is unknown (never taken for 0)."""
    if prospect.changes == 0:
        return Advice(move=False, reasons=("ALREADY_BEST",), sentence="The present split is the best one found.")
    figures = {
        "present income": prospect.present_usd_per_hour,
        "gain": prospect.gain_usd,
        "cost": prospect.cost_usd,
    }
    missing = next((what for what, figure in figures.items() if figure is None), None)
    if missing is None:
        return None
    return Advice(move=False, reasons=("RATE_UNKNOWN",), sentence=f"The {missing} is unknown.")


def needed_gain(prospect: Prospect, margin_pct: float) -> Decimal:
    """What a gain over the horizon has to exceed: the cost, and a share of present income over the horizon."""
    margin = exact(margin_pct) / 100 * exact(prospect.present_usd_per_hour or 0.0) * exact(prospect.horizon_h)
    return ((prospect.cost_usd or Decimal(0)) + max(margin, Decimal(0))).quantize(SCALE)


def exact(number: float) -> Decimal:
    """A float as it is written."""
    return Decimal(repr(float(number)))


def dollars(amount: float | Decimal) -> str:
    """An amount with four decimals, such as `-$0.0120`."""
    rounded = round(Decimal(amount), 4)
    return f"{'-' if rounded < 0 else ''}${abs(rounded):.4f}"
