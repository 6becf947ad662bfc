"""What a move costs: the income lost while its levers make nodes pause."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.money import SCALE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from orch.model.moves import Step
    from orch.model.proofs import Pause
    from orch.reallocation.settings import SagaSettings
    from orch.reallocation.story import Story

BELIEF_S = 5.0
"""The least a prior of a pause may be off by."""


def estimate_reallocation_cost(
    steps: Sequence[Step], usd_per_hour: Mapping[str, float | None], settings: SagaSettings
) -> Decimal | None:
    """What a move's steps cost in USD by their levers' downtime priors.

    A node that both gives and gets is paused twice. None when a touched node pauses and its rate is unknown.
    """
    lost = Decimal(0)
    for step in steps:
        downtime_s = settings.timing(step.node).pause_of(step.goal)
        rate = usd_per_hour.get(step.node)
        if downtime_s == 0.0:
            continue
        if rate is None:
            return None
        # A node that earns nothing loses nothing by a pause.
        lost += Decimal(repr(max(0.0, rate))) * Decimal(repr(downtime_s))
    return (lost / 3600).quantize(SCALE)


def learned_downtime(prior_s: float, pauses: Iterable[Pause]) -> float:
    """A node's pause per move: what was seen, shrunk to the prior of its levers.

    Each is weighted by its precision (a normal mean with a normal prior: Gelman et al., *Bayesian Data Analysis*,
    2.5). The prior is taken to be off by as much as itself, so that one move of a node with steady income says a
    lot and many of a bursty one little. A lever that costs no pause stays at none.
    """
    if prior_s <= 0.0:
        return prior_s
    weight = 1.0 / max(prior_s, BELIEF_S) ** 2
    total, weights = prior_s * weight, weight
    for pause in pauses:
        # A pause cannot be told apart from what an hour's income varies by within a few seconds.
        precision = 1.0 / max(pause.error_s, BELIEF_S) ** 2
        total, weights = total + pause.seconds * precision, weights + precision
    return max(0.0, total / weights)


def with_learned(settings: SagaSettings, told: Iterable[Story]) -> SagaSettings:
    """The settings with the pauses that followed moves have shown; what makes no pause shows none."""
    seen: dict[str, list[Pause]] = {}
    for story in told:
        for pause in story.proof.pauses if story.proof is not None else ():
            timing, steps = settings.timing(pause.node), [each for each in story.steps if each.node == pause.node]
            if not steps or any(timing.pause_of(step.goal) > 0.0 for step in steps):
                seen.setdefault(pause.node, []).append(pause)
    levers = {
        node: replace(timing, downtime_s=learned_downtime(timing.downtime_s, seen.get(node, ())))
        for node, timing in settings.levers.items()
    }
    return replace(settings, levers=levers)
