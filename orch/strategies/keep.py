"""Never move: the baseline that everything else must beat."""

from __future__ import annotations

from typing import Any

import msgspec

from orch.strategies.base import Advice, Prospect, StrategySpec


class KeepOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to set."""


class Keep:
    """The strategy that stays."""

    name = "keep"
    options = KeepOptions

    def advise(self, options: Any, prospect: Prospect) -> Advice:  # noqa: ARG002 - a strategy's signature
        """Stay, whatever the prospect."""
        return Advice(move=False, reasons=("STRATEGY_KEEPS",), sentence="The strategy keep never moves anything.")


STRATEGY: StrategySpec = Keep()
