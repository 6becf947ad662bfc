"""What a move costs: the income lost while its levers make nodes pause."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from orch.model.money import SCALE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orch.model.moves import Step
    from orch.reallocation.settings import SagaSettings


def estimate_reallocation_cost(
    steps: Sequence[Step], usd_per_hour: Mapping[str, float | None], settings: SagaSettings
) -> Decimal | None:
    """What a move's steps cost in USD by their levers' downtime priors.

    A node that both gives and gets is paused twice. None when a touched node pauses and its rate is unknown.
    """
    lost = Decimal(0)
    for step in steps:
        downtime_s = settings.timing(step.node).downtime_s
        rate = usd_per_hour.get(step.node)
        if downtime_s == 0.0:
            continue
        if rate is None:
            return None
        # A node that earns nothing loses nothing by a pause.
        lost += Decimal(repr(max(0.0, rate))) * Decimal(repr(downtime_s))
    return (lost / 3600).quantize(SCALE)
