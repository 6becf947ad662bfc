"""How good forecasts proved: each is kept until its hours have come, then judged once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.model.base import Value
from orch.model.forecasts import Forecast, ForecastScore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orch.model.forecasts import IncomeSeries

KEPT = timedelta(days=7)
LEAST_KNOWN = 0.75


class Verdict(Value):
    """One forecast judged. `error_pct` is None where nothing came: there is nothing to compare with."""

    node: str
    ended_at: datetime
    error_pct: float | None
    inside: bool


class Track(Value):
    """Forecasts whose hours have not all come yet, and the verdicts on those of the last week."""

    pending: tuple[Forecast, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


def followed(track: Track, history: Sequence[IncomeSeries], made: Sequence[Forecast]) -> Track:
    """The track with what has come judged, and with new forecasts (one per node and first hour)."""
    series = {each.node: each for each in history}
    pending, verdicts = [], list(track.verdicts)
    for each in track.pending:
        known = series.get(each.node)
        if known is None or known.end < each.end:
            pending.append(each)
            continue
        verdict = _verdict(each, known)
        if verdict is not None:
            verdicts.append(verdict)
    waiting = {(each.node, each.first_hour) for each in pending}
    pending += [each for each in made if (each.node, each.first_hour) not in waiting]
    newest = max((verdict.ended_at for verdict in verdicts), default=None)
    kept = [verdict for verdict in verdicts if newest is not None and verdict.ended_at > newest - KEPT]
    return Track(pending=tuple(pending), verdicts=tuple(kept))


def without(track: Track, nodes: Collection[str], until: datetime | None = None) -> Track:
    """The track without the pending forecasts of some nodes: they spoke of an allocation that is no more.

    With `until`, without those that begin until then.
    """

    def speaks(each: Forecast) -> bool:
        return each.node not in nodes or (until is not None and each.first_hour > until)

    return replace(track, pending=tuple(each for each in track.pending if speaks(each)))


def written(track: Track) -> str:
    """The track as text, to be kept over a restart."""
    return msgspec.json.encode(track).decode()


def resumed(body: str | None, track: Track) -> Track:
    """A track with what was written of an earlier one; unchanged where that cannot be read."""
    try:
        before = msgspec.json.decode(body or "", type=Track)
    except msgspec.DecodeError:
        return track
    have = {(each.node, each.first_hour) for each in track.pending}
    earlier = tuple(each for each in before.pending if (each.node, each.first_hour) not in have)
    verdicts = dict.fromkeys((*before.verdicts, *track.verdicts))
    return Track(pending=(*earlier, *track.pending), verdicts=tuple(verdicts))


def score_of(track: Track, node: str | None = None) -> ForecastScore:
    """How good the forecasts of one node, or of all, proved in the last week."""
    verdicts = [verdict for verdict in track.verdicts if node in (None, verdict.node)]
    if not verdicts:
        return ForecastScore()
    errors = [verdict.error_pct for verdict in verdicts if verdict.error_pct is not None]
    return ForecastScore(
        mape_pct=sum(errors) / len(errors) if errors else None,
        coverage_pct=100.0 * sum(verdict.inside for verdict in verdicts) / len(verdicts),
        scored=len(verdicts),
    )


def scores_of(track: Track) -> Mapping[str, ForecastScore]:
    """How good the forecasts of each node proved."""
    return {node: score_of(track, node) for node in sorted({verdict.node for verdict in track.verdicts})}


def _verdict(forecast: Forecast, series: IncomeSeries) -> Verdict | None:
    hours = series.between(forecast.first_hour, forecast.end)
    came = [usd for usd in hours if usd is not None]
    if len(came) < LEAST_KNOWN * len(forecast.points) or not came:
        return None
    mean = sum(came) / len(came)
    return Verdict(
        node=forecast.node,
        ended_at=forecast.end,
        error_pct=100.0 * abs(mean - forecast.mean) / abs(mean) if mean else None,
        inside=forecast.low <= mean <= forecast.high,
    )
