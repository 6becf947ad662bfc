"""Proof in money: what a move's nodes earned before it, and what later looks found."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from orch.model.base import Value
from orch.model.money import Rate

MoneyVerdict: TypeAlias = Literal["pending", "paid", "lost", "inconclusive"]


class Baseline(Value):
    """What one node earned per hour with the old split, and how that varied.

    `usd_per_hour` is expected at `ends_at`, from `hours` known hours; `slope` (USD/h per hour) is what it grew by,
    0 without a clear trend; `season` is what each hour of the day (UTC) lies above the mean. `spread` has by block
    length in hours the variance of a block's mean times that length, (USD/h)^2 h; `freedom` are the degrees of
    freedom behind it. `widened` has by lead in hours by how much the squared misses of the same forecast at
    earlier times exceeded the variance it stated.
    """

    node: str
    ends_at: datetime
    hours: int
    usd_per_hour: float
    spread: tuple[tuple[int, float], ...]
    freedom: int
    slope: float = 0.0
    season: tuple[float, ...] = ()
    widened: tuple[tuple[int, float], ...] = ()


class Pause(Value):
    """How many seconds of its income a move seems to have cost a node, give or take (a standard error)."""

    node: str
    seconds: float
    error_s: float


class Proof(Value):
    """What came of a settled move, as far as its earnings have told.

    `looks` of the planned ones are made, at the last of them `hours` whole hours had passed. `counterfactual` is
    what the old split would have earned (USD/h), `gain` the difference; its bounds are those of the test. `pauses`
    are what the hours of the move itself lack.
    """

    verdict: MoneyVerdict
    looks: int
    hours: int
    gain: Rate | None = None
    counterfactual: float | None = None
    sentence: str = ""
    baselines: tuple[Baseline, ...] = ()
    pauses: tuple[Pause, ...] = ()
