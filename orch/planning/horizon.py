"""How far ahead a move has to pay: longer where moving is dear, and never longer than incomes were observed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.model.money import Rate
    from orch.model.problems import Problem
    from orch.planning.settings import PlanSettings

COST_SHARE = 0.05
"""The horizon is so long that changing every node once costs at most this share of the income in it."""


def with_horizon(problem: Problem, rates: Mapping[str, Rate | None], settings: PlanSettings) -> Problem:
    """The problem over a horizon that fits what its moves cost.

    With a fixed horizon a rule of cost against gain stops moving for good once moves cost more than any gain in it
    brings. So the horizon grows with the cost of changing all movable nodes, from `horizon_h` up to
    `longest_horizon_h`, but not beyond the longest window that a rate was observed over: what has been so for two
    days is not counted on for seven.
    """
    known = [rate for rate in rates.values() if rate is not None]
    income = math.fsum(max(rate.mean, 0.0) for rate in known)
    cost = math.fsum(node.change_usd for node in problem.nodes if not node.locked)
    observed_h = max((rate.window_s for rate in known), default=0.0) / 3600.0
    longest = min(settings.longest_horizon_h, observed_h)
    if income <= 0.0 or cost <= 0.0 or longest <= settings.horizon_h:
        return problem
    fitting = cost / (COST_SHARE * income)
    if fitting <= settings.horizon_h:
        return problem
    return replace(problem, horizon_h=float(math.ceil(min(fitting, longest))))
