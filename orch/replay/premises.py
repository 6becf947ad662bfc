"""What a market lets one know at each step: rates with their intervals, income by hour, forecasts.

Only what lies before a step enters: whoever decides at its start cannot know what it will bring.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from orch.earnings.accounts import HOUR_S, Income
from orch.earnings.rates import Interval, mean_income, smooth
from orch.forecast.intervals import HISTORY_H
from orch.forecast.score import Track
from orch.model.forecasts import Foresight, IncomeSeries
from orch.planning.foresee import foresee

if TYPE_CHECKING:
    from orch.forecast.base import Forecaster
    from orch.replay.market import Market


class Premises(NamedTuple):
    """What is known at the start of a step: of the whole capacity with each option; None is unknown."""

    now: datetime
    rates: tuple[Interval | None, ...]
    foresight: Foresight | None


class Watcher:
    """Learns a market step by step.

    Args:
        market: The market.
        forecaster: Who looks ahead; None where nobody asks for it.
        horizon_h: How far.
    """

    def __init__(self, market: Market, forecaster: Forecaster | None, horizon_h: float) -> None:
        self._market = market
        self._hours = market.step_s // HOUR_S
        self._incomes = [Income() for _ in market.options]
        self._history: list[list[float | None]] = [[] for _ in market.options]
        self._rates: list[Interval | None] = [None] * len(market.options)
        self._forecaster = forecaster
        self._horizon_h = horizon_h
        self._track = Track()

    def look(self, step: int) -> Premises:
        """What is known at the start of a step, after all steps before it were looked at in order."""
        now = moment(int(self._market.starts[step]))
        for place in range(len(self._market.options)):
            if step:
                self._learn(place, step - 1, now)
        return Premises(now, tuple(self._rates), self._foresee(now) if step else None)

    def _learn(self, place: int, step: int, now: datetime) -> None:
        rate = float(self._market.rates[step, place])
        known = math.isfinite(rate)
        history = self._history[place]
        history.extend([rate if known else None] * self._hours)
        del history[:-HISTORY_H]
        income = self._incomes[place]
        began = int(self._market.starts[step])
        if not known:
            # An estimate does not reach back over a gap: what was earned in it is unknown, not nothing.
            income.native.clear()
            income.since = income.until = None
            self._rates[place] = None
            return
        if income.since is None:
            income.since = moment(began)
        income.until = now
        for hour in range(began // HOUR_S, began // HOUR_S + self._hours):
            income.native[hour] = rate
        found = mean_income(income, float(self._market.step_s))
        before = self._rates[place]
        self._rates[place] = None if found is None else smooth(before, found, float(self._market.step_s))

    def _foresee(self, now: datetime) -> Foresight | None:
        if self._forecaster is None:
            return None
        history = tuple(
            IncomeSeries(node=name, first_hour=now - timedelta(hours=len(usd)), usd=tuple(usd))
            for name, usd in zip(self._market.options, self._history, strict=True)
        )
        found, self._track = foresee(history, self._track, self._forecaster, now, hours=self._horizon_h)
        return found


def moment(seconds: int) -> datetime:
    """Seconds of the epoch as a time."""
    return datetime.fromtimestamp(seconds, UTC)
