"""Income by hour, and what it lets one say of the hours ahead: forecasts, covariance, how good they were."""

from __future__ import annotations

from datetime import datetime, timedelta

from orch.model.base import Value

HOUR = timedelta(hours=1)


class IncomeSeries(Value):
    """What one node earned in each whole hour from `first_hour` on, in USD; None where that is not known."""

    node: str
    first_hour: datetime
    usd: tuple[float | None, ...] = ()

    @property
    def end(self) -> datetime:
        """The end of the last hour."""
        return self.first_hour + len(self.usd) * HOUR

    def between(self, start: datetime, end: datetime) -> tuple[float | None, ...]:
        """The hours from `start` to `end`; empty where the series does not reach over all of them."""
        first, last = (start - self.first_hour) // HOUR, (end - self.first_hour) // HOUR
        return self.usd[first:last] if 0 <= first <= last <= len(self.usd) else ()

    def recent(self, hours: float) -> float | None:
        """The mean of the known ones of the last hours, in USD per hour; None without any."""
        known = [usd for usd in self.usd[-max(1, round(hours)) :] if usd is not None]
        return sum(known) / len(known) if known else None


class Forecast(Value):
    """What a node is expected to earn per hour with what it has, and within which bounds (90 %).

    `points` is USD by hour from `first_hour` on; `low <= mean <= high` bound their mean. `error_pct` and
    `coverage_pct` are those of the same forecaster over the history it was given: mean absolute error in per cent
    of the mean income, and the share of what came that lay within the bounds.
    """

    node: str
    first_hour: datetime
    points: tuple[float, ...]
    low: float
    mean: float
    high: float
    model: str
    error_pct: float | None = None
    coverage_pct: float | None = None

    @property
    def end(self) -> datetime:
        """The end of the last hour."""
        return self.first_hour + len(self.points) * HOUR


class Covariance(Value):
    """How the hourly incomes of nodes vary together: (USD/h)^2, and the mean incomes (USD/h) it belongs to.

    `hours`: over how many hours in which all of them were known. `shrinkage`: 0 is the sample's own, 1 no
    correlation and one variance for all.
    """

    nodes: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]
    at_usd_per_hour: tuple[float, ...]
    hours: int
    shrinkage: float


class ForecastScore(Value):
    """How good past forecasts of the mean income proved: what was said before against what came.

    `mape_pct`: mean absolute error in per cent of what came; `coverage_pct`: the share within the stated bounds.
    Both None while nothing has come yet.
    """

    mape_pct: float | None = None
    coverage_pct: float | None = None
    scored: int = 0


class Foresight(Value):
    """All that the hourly history says, made once an hour."""

    made_at: datetime
    history: tuple[IncomeSeries, ...] = ()
    forecasts: tuple[Forecast, ...] = ()
    covariance: Covariance | None = None
    scores: tuple[tuple[str, ForecastScore], ...] = ()

    def series(self, node: str) -> IncomeSeries | None:
        """A node's income by hour."""
        return next((each for each in self.history if each.node == node), None)

    def forecast(self, node: str) -> Forecast | None:
        """A node's forecast."""
        return next((each for each in self.forecasts if each.node == node), None)

    def score(self, node: str) -> ForecastScore:
        """How good a node's past forecasts proved."""
        return next((score for name, score in self.scores if name == node), ForecastScore())
