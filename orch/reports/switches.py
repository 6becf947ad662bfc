"""The switch ledger: the moves of a time added up."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from orch.model.switches import Missed, SwitchLedger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.model.moves import Reallocation


def realised_usd(move: Reallocation) -> float:
    """What a move has been seen to bring in the hours that were looked at; nothing before the first look."""
    gain = move.realised_gain_usd_per_hour
    return 0.0 if gain is None else gain.mean * gain.window_s / 3600.0


def switch_ledger(moves: Iterable[Reallocation], missed: Missed) -> SwitchLedger:
    """All settled moves in figures, beside what was missed."""
    settled = [move for move in moves if move.state == "settled"]
    seen = [move for move in settled if move.realised_gain_usd_per_hour is not None]
    known = [float(move.cost_usd) for move in settled if move.cost_usd is not None]
    counts = Counter(move.verdict for move in settled)
    return SwitchLedger(
        paid=counts["paid"],
        lost=counts["lost"],
        inconclusive=counts["inconclusive"],
        pending=counts["pending"],
        realised_usd=math.fsum(map(realised_usd, seen)) if seen else None,
        cost_usd=math.fsum(known) if known else None,
        missed_usd=missed.usd,
        missed_hours=missed.hours,
    )
