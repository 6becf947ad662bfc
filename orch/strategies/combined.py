"""Several strategies as one: all of them must want a move, or any of them may.

    [optimizer]
    strategy = "all_of"
    [optimizer.all_of]
    of = ["threshold", "periodic"]

What one of them makes of the problem (a forecast, a bound on risk) holds for the plan that all of them judge.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.strategies.base import Advice, Fitted, Prospect, ShapesProblem, StrategySpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from decimal import Decimal

    from orch.model.forecasts import Foresight
    from orch.model.problems import Problem


class CombinedOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`of`: the names of the strategies; each has its own options under `[optimizer.<name>]`."""

    of: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises ValueError when it combines nothing."""
        if not self.of:
            raise ValueError("of: name at least one strategy")


class Combined:
    """A combination; without members (before the configuration is known) it stays.

    Args:
        name: As in configuration.
        every: All must want to move; else one is enough.
        members: The strategies with their options, in the order in which they shape the problem.
    """

    options = CombinedOptions

    def __init__(self, name: str, *, every: bool, members: tuple[Fitted, ...] = ()) -> None:
        self.name = name
        self._every = every
        self._members = members

    def combined(self, options: Any, find: Callable[[str], Fitted]) -> StrategySpec:
        """The same with its members. Raises ConfigError when one of them cannot be used."""
        return Combined(self.name, every=self._every, members=tuple(find(name) for name in options.of))

    def shape(self, options: Any, problem: Problem, foresight: Foresight | None) -> Problem:  # noqa: ARG002 - a strategy's signature
        """The problem as the members shape it, one after the other."""
        for each in self._members:
            if isinstance(each.strategy, ShapesProblem):
                problem = each.strategy.shape(each.options, problem, foresight)
        return problem

    def advise(self, options: Any, prospect: Prospect) -> Advice:  # noqa: ARG002 - a strategy's signature
        """Move iff all of the members, or any of them, would."""
        words = [(each.strategy.name, each.strategy.advise(each.options, prospect)) for each in self._members]
        if not words:
            return Advice(move=False, reasons=("STRATEGY_KEEPS",), sentence=f"{self.name} combines nothing.")
        wants = all if self._every else any
        move = wants(advice.move for _, advice in words)
        # Those that decide it: who stays when all must move, who moves when one is enough.
        deciding = [(name, advice) for name, advice in words if advice.move == move]
        return Advice(
            move=move,
            reasons=tuple(dict.fromkeys(reason for _, advice in deciding for reason in advice.reasons)),
            sentence=" ".join(f"By {name}: {_lowered(advice.sentence)}" for name, advice in deciding),
            needed_gain_usd=_needed([advice for _, advice in words], every=self._every),
            until=None if move else _until([advice for _, advice in deciding], every=self._every),
        )


def _until(staying: list[Advice], *, every: bool) -> datetime | None:
    """When those that stay will judge otherwise: all of them where all must move, the first of them otherwise."""
    times = [advice.until for advice in staying if advice.until is not None]
    if not every:
        return min(times, default=None)
    return max(times) if len(times) == len(staying) else None


def _needed(words: list[Advice], *, every: bool) -> Decimal | None:
    known = [advice.needed_gain_usd for advice in words if advice.needed_gain_usd is not None]
    if len(known) < len(words):
        return None
    return max(known) if every else min(known)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:] if sentence[:2].istitle() else sentence


ALL_OF: StrategySpec = Combined("all_of", every=True)
ANY_OF: StrategySpec = Combined("any_of", every=False)
