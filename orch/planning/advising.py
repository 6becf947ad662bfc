"""A strategy asked for its word, and what stands in for a word that cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from orch.model.plans import Code
from orch.strategies.base import Advice

if TYPE_CHECKING:
    from orch.strategies.base import Prospect, StrategySpec

CODES: frozenset[str] = frozenset(get_args(Code))


def advised(strategy: StrategySpec, options: Any, prospect: Prospect) -> Advice:
    """The strategy's advice; one that raises, or answers nonsense, stays."""
    try:
        advice: Any = strategy.advise(options, prospect)
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything, and a decision is made all the same
        return _failed(strategy, f"failed with {type(error).__name__}: {error}")
    if not isinstance(advice, Advice):
        return _failed(strategy, f"answered with {type(advice).__name__} instead of Advice")
    strange = [str(reason)[:60] for reason in advice.reasons if reason not in CODES]
    if strange or not advice.reasons:
        given = f"the unknown reason {strange[0]}" if strange else "no reason"
        return _failed(strategy, f"gave {given}; known reasons: {', '.join(sorted(CODES))}")
    return advice


def _failed(strategy: StrategySpec, what: str) -> Advice:
    sentence = f"The strategy {strategy.name} {' '.join(what.split())[:1000]}."
    return Advice(move=False, reasons=("STRATEGY_FAILED",), sentence=sentence)
