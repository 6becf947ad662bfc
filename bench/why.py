"""Why an aim is missed, and what was tried: beside its figure, so that nobody has to ask."""

from __future__ import annotations

REASONS: tuple[tuple[str, str, str], ...] = ()
"""How an aim begins, beside which peer (\"\": any), and why it is missed where it is."""


def why_missed(aim: str, peer: str) -> str:
    """What is known about missing an aim; empty when nothing is."""
    return next((why for begins, other, why in REASONS if aim.startswith(begins) and other in ("", peer)), "")
