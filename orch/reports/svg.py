"""Charts as inline SVG, drawn by hand: no script, colours from the page's own style."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from orch.model.report import Drawn

WIDTH, HEIGHT = 760, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 26, 28
COLOURS = 8


def stacked_areas(lines: Sequence[Drawn], step_s: int, unit: str, title: str) -> str:
    """Figures over time, node upon node; where nothing is known of a node its band has no width."""
    return _stacked(lines, step_s, unit, title, bars=False)


def stacked_bars(lines: Sequence[Drawn], step_s: int, unit: str, title: str) -> str:
    """The same as bars, one per step; what is negative is left out of the stack and said in the table."""
    return _stacked(lines, step_s, unit, title, bars=True)


class _Grid:
    """Where times and values lie on the paper."""

    def __init__(self, times: Sequence[datetime], step_s: int, highest: float) -> None:
        self.times = times
        self.step_s = step_s
        self.top = nice(highest)
        self._first = times[0].timestamp()
        self._span = max(times[-1].timestamp() - self._first + step_s, 1.0)

    def x(self, when: datetime, after_s: float = 0.0) -> float:
        share = (when.timestamp() + after_s - self._first) / self._span
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _stacked(lines: Sequence[Drawn], step_s: int, unit: str, title: str, *, bars: bool) -> str:
    times = sorted({when for line in lines for when, _ in line.points})
    if not times:
        return ""
    values = {line.node: {when: max(value, 0.0) for when, value in line.points} for line in lines}
    grid = _Grid(times, step_s, max(sum(each.get(when, 0.0) for each in values.values()) for when in times))
    shapes = []
    floor = dict.fromkeys(times, 0.0)
    for index, line in enumerate(lines):
        ceiling = {when: floor[when] + values[line.node].get(when, 0.0) for when in times}
        drawn = _bars(grid, floor, ceiling) if bars else f'<path d="{_band(grid, floor, ceiling)}"/>'
        shapes.append(f'<g class="c{index % COLOURS}"><title>{escape(line.node)}</title>{drawn}</g>')
        floor = ceiling
    return _framed(title, f"{''.join(shapes)}{_axes(grid, unit)}")


def _bars(grid: _Grid, floor: Mapping[datetime, float], ceiling: Mapping[datetime, float]) -> str:
    width = max(grid.x(grid.times[0], grid.step_s) - LEFT - 2.0, 1.0)
    return "".join(
        f'<rect x="{grid.x(when) + 1:.1f}" y="{grid.y(ceiling[when]):.1f}" width="{width:.1f}" '
        f'height="{grid.y(floor[when]) - grid.y(ceiling[when]):.1f}"/>'
        for when in grid.times
        if ceiling[when] > floor[when]
    )


def _band(grid: _Grid, floor: Mapping[datetime, float], ceiling: Mapping[datetime, float]) -> str:
    """Steps, closed before every gap of the record: time without figures is not bridged."""
    pieces: list[list[datetime]] = [[grid.times[0]]]
    for before, when in pairwise(grid.times):
        if (when - before).total_seconds() > 1.5 * grid.step_s:
            pieces.append([])
        pieces[-1].append(when)
    parts = []
    for piece in pieces:
        upper = [(grid.x(when, off), grid.y(ceiling[when])) for when in piece for off in (0, grid.step_s)]
        lower = [(grid.x(when, off), grid.y(floor[when])) for when in reversed(piece) for off in (grid.step_s, 0)]
        parts.append(f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in (*upper, *lower))}Z")
    return "".join(parts)


def _axes(grid: _Grid, unit: str) -> str:
    parts = []
    for share in (0.0, 0.5, 1.0):
        at = grid.y(grid.top * share)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{grid.top * share:.4g}</text>')
    parts.append(f'<text x="{LEFT}" y="14">{escape(unit)}</text>')
    times = grid.times
    form = "%H:%M" if (times[-1] - times[0]).total_seconds() < 2 * 86_400 else "%d %b"
    count = min(len(times), 6)
    for index in range(count):
        when = times[index * (len(times) - 1) // max(count - 1, 1)]
        at = grid.x(when, grid.step_s / 2)
        parts.append(f'<text x="{at:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{when:{form}}</text>')
    return f'<g class="axes">{"".join(parts)}</g>'


def compared(bars: Sequence[tuple[str, float]], unit: str, title: str) -> str:
    """Figures side by side as horizontal bars, each with its name and value."""
    if not bars:
        return ""
    low, high = min(0.0, *(value for _, value in bars)), max(0.0, *(value for _, value in bars))
    span, height, start = (high - low) or 1.0, 34, 190
    room = WIDTH - start - 96

    def x(value: float) -> float:
        return start + (value - low) / span * room

    parts = []
    for index, (name, value) in enumerate(bars):
        top = index * height + 6
        left, width = min(x(0.0), x(value)), abs(x(value) - x(0.0))
        parts.append(
            f'<text x="{start - 10}" y="{top + 17}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="c{index % COLOURS}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="24"/>'
            f'<text x="{left + width + 8:.1f}" y="{top + 17}">{value:,.2f} {escape(unit)}</text>'
        )
    return _framed(title, f'<g class="axes">{"".join(parts)}</g>', len(bars) * height + 6)


def legend(names: Sequence[str]) -> str:
    """Which colour is whose."""
    keys = "".join(
        f'<li><i class="c{index % COLOURS}"></i>{escape(name)}</li>' for index, name in enumerate(names)
    )
    return f'<ul class="legend">{keys}</ul>'


def _framed(title: str, inside: str, height: int = HEIGHT) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">{inside}</svg>'
    )


def nice(value: float) -> float:
    """A round figure not below this one.

    >>> nice(0.0), nice(0.13), nice(7.4), nice(20.0)
    (1.0, 0.2, 10.0, 20.0)
    """
    if value <= 0.0:
        return 1.0
    power = 1.0
    while power > value:
        power /= 10.0
    while power * 10.0 <= value:
        power *= 10.0
    step = next((each for each in (1.0, 2.0, 5.0, 10.0) if each * power >= value * (1 - 1e-9)), 10.0)
    return float(f"{step * power:.6g}")
