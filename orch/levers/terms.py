"""What an operator should know of a lever before trusting it, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.resources import SHORT

if TYPE_CHECKING:
    from orch.levers.together import FittedLever

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


def terms_of(fitted: FittedLever, protocol_window_s: float) -> str:
    """What it sets, what a change is believed to cost, how it is verified, and what it cannot do.

    Args:
        fitted: The lever as configured for one node.
        protocol_window_s: After how long the node's earnings tell what a change has brought, unless it says.
    """
    cost = fitted.lever.cost(fitted.protocol, fitted.options)
    sets = ", ".join(SHORT[name] for name in fitted.sets())
    lost = f"about {_span(cost.downtime_s)} of income" if cost.downtime_s > 0.0 else "next to nothing"
    said = [
        f"sets {sets or 'nothing here'}: a change costs {lost} until there is own history",
        f"has to be read back within {_span(cost.settle_s + cost.deadline_s)}",
        f"is judged by its money after {_span(cost.verify_s or protocol_window_s)}",
    ]
    if cost.dwell_s > 0.0:
        said.append(f"the node then rests for {_span(cost.dwell_s)}")
    cannot = getattr(fitted.lever, "cannot", ())
    return ", ".join(said) + (f". It cannot: {'; '.join(cannot)}" if cannot else "")


def _span(seconds: float) -> str:
    """Whole units, rounded: the largest of which there is more than one and a half."""
    for size, unit in ((DAY_S, "days"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
