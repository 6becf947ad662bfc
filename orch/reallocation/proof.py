"""Whether a move paid: a group-sequential test of what its nodes earned against what the old split would have.

Looks are planned in advance: after half a verification window, a whole one, and two. At each look part of the
allowed error is spent, little at first (O'Brien & Fleming 1979, by the spending function of Lan & DeMets,
*Discrete sequential boundaries for clinical trials*, Biometrika 70, 1983). What a look spends is its own: the sum
bounds the false verdicts whatever the looks have in common (Bonferroni). A neutral move is called `lost` with at
most `false_revert` probability, as far as the past says how incomes vary.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec.structs import replace

from orch.model.base import Value
from orch.model.forecasts import HOUR, IncomeSeries
from orch.model.money import Rate
from orch.model.proofs import Baseline, Pause, Proof
from orch.reallocation.baseline import baseline_of, expected, without_control

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orch.model.moves import Reallocation
    from orch.model.proofs import MoneyVerdict

DAY_S = 24 * 3600.0
NORMAL = NormalDist()


class ProofTerms(Value):
    """How long money takes to speak, and how often it may be misheard.

    `window_s` by node, `usual_s` for nodes without one: seconds of the clock. A move is looked at after each of
    `looks` (in windows, ascending). `false_revert`: how often a move that changed nothing may be called lost.
    """

    window_s: dict[str, float] = msgspec.field(default_factory=dict)
    usual_s: float = DAY_S
    looks: tuple[float, ...] = (0.5, 1.0, 2.0)
    false_revert: float = 0.05

    def look_hours(self, nodes: Sequence[str]) -> tuple[int, ...]:
        """After how many whole hours each look is made; the slowest node counts."""
        window_h = max((self.window_s.get(node, self.usual_s) for node in nodes), default=self.usual_s) / 3600.0
        return tuple(max(number, round(window_h * look)) for number, look in enumerate(self.looks, 1))


def spent(share: float, error: float) -> float:
    """How much of an error may be spent when this share of the looking is over."""
    if share <= 0.0:
        return 0.0
    return 2.0 * (1.0 - NORMAL.cdf(NORMAL.inv_cdf(1.0 - error / 2.0) / math.sqrt(min(share, 1.0))))


def bound(error: float, freedom: int) -> float:
    """The quantile of Student's t that is exceeded with this probability (Abramowitz & Stegun 26.7.5)."""
    z = NORMAL.inv_cdf(1.0 - error)
    first = (z**3 + z) / 4.0
    second = (5.0 * z**5 + 16.0 * z**3 + 3.0 * z) / 96.0
    third = (3.0 * z**7 + 19.0 * z**5 + 17.0 * z**3 - 15.0 * z) / 384.0
    return z + first / freedom + second / freedom**2 + third / freedom**3


def look_error(hours: Sequence[int], look: int, error: float) -> float:
    """What the look of this number (from 1) may err, of what all may."""
    before = spent(hours[look - 2] / hours[-1], error) if look > 1 else 0.0
    return spent(hours[look - 1] / hours[-1], error) - before


def touched(move: Reallocation) -> tuple[str, ...]:
    """The nodes a move changed."""
    return tuple(dict.fromkeys(change.node for change in move.changes))


def judge(
    move: Reallocation,
    before: Proof | None,
    history: Sequence[IncomeSeries],
    terms: ProofTerms,
    *,
    controls: Mapping[str, str] | None = None,
    old_since: datetime | None = None,
    until: datetime | None = None,
) -> Proof | None:
    """What a settled move's earnings say by now; None while there is nothing new to say.

    Args:
        move: The move.
        before: What was said of it last.
        history: Income by hour, at prices that do not move.
        terms: Windows and errors.
        controls: For touched nodes an untouched one of the same network, whose luck they share.
        old_since: Since when the touched nodes had the old split, None for longer than the history.
        until: When one of them was moved again: nothing after that speaks of this move.
    """
    if move.state != "settled" or move.ended_at is None or (before is not None and before.verdict != "pending"):
        return None
    nodes = touched(move)
    hours = terms.look_hours(nodes)
    made = before.looks if before is not None else 0
    told = {series.node: series for series in history}
    unknown = [node for node in nodes if node not in told]
    if unknown:
        return _unsure(made, f"What {', '.join(unknown)} earns by the hour is not known.")
    start = _whole_hour(move.ended_at)
    known = min(told[node].end for node in nodes)
    over = until is not None and until - start < hours[made] * HOUR
    if known < start + hours[made] * HOUR and not over:
        return None
    if over:
        return _unsure(made, "Its nodes were moved again before their earnings had spoken.", before)
    look = made + 1
    baselines = before.baselines if before is not None and before.baselines else None
    series = {node: _with_control(told, node, (controls or {}).get(node), move.started_at) for node in nodes}
    if baselines is None:
        found = [_baseline(series[node], move.started_at, old_since) for node in nodes]
        baselines = tuple(each for each in found if each is not None)
    if len(baselines) < len(nodes):
        return _unsure(made, "The old split was not seen earning for a week: there is nothing to compare with.")
    return _look(move, baselines, series, start, hours, look, terms)


def _look(
    move: Reallocation,
    baselines: tuple[Baseline, ...],
    series: Mapping[str, IncomeSeries],
    start: datetime,
    hours: Sequence[int],
    look: int,
    terms: ProofTerms,
) -> Proof | None:
    length = hours[look - 1]
    earned = old = variance = 0.0
    freedom = min(each.freedom for each in baselines)
    pauses: list[Pause] = []
    for each in baselines:
        came = [usd for usd in series[each.node].between(start, start + length * HOUR) if usd is not None]
        if len(came) * 2 < length:
            return _unsure(look, f"Too few hours of {each.node} are known since the move.", None)
        usual = expected(each, start, length)
        after = math.fsum(came) / len(came)
        pauses += _paused(move, each, series[each.node], after, start)
        earned += after
        old, variance = old + usual.mean, variance + usual.variance
    gain, half = earned - old, bound(look_error(hours, look, terms.false_revert), freedom) * math.sqrt(variance)
    rate = Rate(
        low=gain - half,
        mean=gain,
        high=gain + half,
        net_mean=None,
        evidence="estimated",
        window_s=length * 3600.0,
        age_s=0.0,
    )
    last = look == len(hours)
    verdict: MoneyVerdict = "inconclusive" if last else "pending"
    if rate.high < 0.0:
        verdict = "lost"
    elif rate.low * length > float(move.cost_usd or 0):
        verdict = "paid"
    return Proof(
        verdict=verdict,
        looks=look,
        hours=length,
        gain=rate,
        counterfactual=old,
        baselines=baselines if verdict == "pending" else (),
        pauses=tuple(pauses),
        sentence=f"In {length} h its nodes earned {earned:.5f} USD/h where the old split would have earned "
        f"{old:.5f}: {gain:+.5f} USD/h, between {rate.low:+.5f} and {rate.high:+.5f}.",
    )


def _paused(
    move: Reallocation, baseline: Baseline, series: IncomeSeries, after: float, start: datetime
) -> tuple[Pause, ...]:
    """What the hours that the move lies in lack: part of them had the old split, the rest the new one."""
    first = move.started_at.replace(minute=0, second=0, microsecond=0)
    length, ended = (start - first) // HOUR, move.ended_at or move.started_at
    came = [usd for usd in series.between(first, start) if usd is not None]
    if length < 1 or len(came) < length or after <= 0.0:
        return ()
    usual, old_h = expected(baseline, first, length), (ended - first) / HOUR
    lacks = usual.mean * old_h + after * (length - old_h) - math.fsum(came)
    error = math.sqrt(usual.variance) * length
    return (Pause(node=baseline.node, seconds=3600.0 * lacks / after, error_s=3600.0 * error / after),)


def _unsure(looks: int, sentence: str, before: Proof | None = None) -> Proof:
    """Nothing can be said for certain; what was seen so far stays beside it."""
    if before is None:
        return Proof(verdict="inconclusive", looks=looks, hours=0, sentence=sentence)
    return replace(before, verdict="inconclusive", baselines=(), sentence=f"{sentence} {before.sentence}".strip())


def _whole_hour(when: datetime) -> datetime:
    """The first whole hour that lies after the move altogether."""
    floor = when.replace(minute=0, second=0, microsecond=0)
    return floor if floor == when else floor + timedelta(hours=1)


def _baseline(series: IncomeSeries, moved_at: datetime, old_since: datetime | None) -> Baseline | None:
    end = moved_at.replace(minute=0, second=0, microsecond=0)
    first = series.first_hour if old_since is None else max(series.first_hour, _whole_hour(old_since))
    return baseline_of(series.node, series.between(first, end), end) if end > first else None


def _with_control(
    told: Mapping[str, IncomeSeries], node: str, control: str | None, moved_at: datetime
) -> IncomeSeries:
    series, other = told[node], told.get(control or "")
    if other is None:
        return series
    own = np.array([math.nan if usd is None else usd for usd in series.usd])
    times = [series.first_hour + hour * HOUR for hour in range(len(own))]
    there = [other.between(when, when + HOUR) for when in times]
    shared = np.array([math.nan if not usd or usd[0] is None else usd[0] for usd in there])
    cleaned = without_control(own, shared, max(0, (moved_at - series.first_hour) // HOUR))
    return replace(series, usd=tuple(None if math.isnan(usd) else float(usd) for usd in cleaned))
