"""A backtest as a picture: by how much each would have earned more, or less, than the split as it was.

HTML is one file with an inline SVG, and needs nothing; PNG needs matplotlib.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from orch.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from orch.replay.backtest import Played
    from orch.replay.market import Floats

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 520, 90, 230, 40, 40
POINTS = 600
COLOURS = ("#0b6e99", "#c2410c", "#4d7c0f", "#7e22ce", "#be123c", "#0f766e", "#a16207", "#1d4ed8", "#57534e")
LOWER = "USD more than keep"


def draw(played: Played, path: Path) -> None:
    """Write the chart.

    Raises:
        UsageError: Its name ends neither with .html nor with .png, matplotlib is missing, or it cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in {".html", ".png"}:
        raise UsageError(f"--chart {path}: the name must end with .html or .png.")
    names, lines, places = _lines(played)
    try:
        if kind == ".html":
            path.write_text(_html(played, names, lines, places), encoding="utf-8")
        else:
            _png(played, path, names, lines, places)
    except OSError as error:
        raise UsageError(f"--chart {path} cannot be written: {error}.") from error


def _lines(played: Played) -> tuple[list[str], Floats, Floats]:
    """Names and running sums over keep at some of the steps, and which steps these are."""
    outcomes = played.result.outcomes
    keep = next(place for place, each in enumerate(outcomes) if each.name == "keep")
    sums = np.cumsum(played.net - played.net[keep], axis=1)
    places = np.unique(np.linspace(0, sums.shape[1] - 1, POINTS).round().astype(int))
    return [each.name for each in outcomes], sums[:, places], places


def _title(played: Played) -> str:
    result = played.result
    return f"{' / '.join(result.options)}, {result.since:%Y-%m-%d} to {result.until:%Y-%m-%d}: {LOWER}"


def _png(played: Played, path: Path, names: list[str], lines: Floats, places: Floats) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(
            "A chart as PNG needs matplotlib: pip install 'orch[chart]'; an .html file needs nothing."
        ) from error
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.add_subplot()
    times = [played.times[place] for place in places.astype(int).tolist()]
    for place, (name, line) in enumerate(zip(names, lines, strict=True)):
        axes.plot(times, line, label=name, color=COLOURS[place % len(COLOURS)], linestyle=_dash(played, place)[0])
    axes.set_title(_title(played), fontsize=10)
    axes.set_ylabel(LOWER)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _dash(played: Played, place: int) -> tuple[str, str]:
    """How a line is drawn, for matplotlib and for SVG: strategies solid, all others broken."""
    kind = played.result.outcomes[place].kind
    return {"strategy": ("-", ""), "rule": (":", "2 3"), "baseline": ("--", "7 4"), "bound": ("-.", "9 3 2 3")}[
        kind
    ]


def _html(played: Played, names: list[str], lines: Floats, places: Floats) -> str:
    low, high = float(min(lines.min(), 0.0)), float(max(lines.max(), 0.0))
    span = (high - low) or 1.0
    last = max(float(places[-1]), 1.0)

    def across(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / last

    def down(usd: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - usd) / span

    parts = []
    for tick in range(5):
        usd = low + span * tick / 4
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(usd):.1f}" y2="{down(usd):.1f}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{down(usd) + 4:.1f}" text-anchor="end">{usd:.6g}</text>'
        )
        step = int(last * tick / 4)
        parts.append(
            f'<text x="{across(step):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">'
            f"{played.times[step]:%Y-%m-%d}</text>"
        )
    for place, (name, line) in enumerate(zip(names, lines, strict=True)):
        points = " ".join(
            f"{across(x):.1f},{down(y):.1f}" for x, y in zip(places.tolist(), line.tolist(), strict=True)
        )
        colour, at = COLOURS[place % len(COLOURS)], TOP + 10 + 18 * place
        style = f'fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{_dash(played, place)[1]}"'
        parts.append(
            f'<polyline {style} points="{points}"/>'
            f'<line {style} x1="{WIDTH - RIGHT + 12}" x2="{WIDTH - RIGHT + 42}" y1="{at}" y2="{at}"/>'
            f'<text x="{WIDTH - RIGHT + 48}" y="{at + 4}">{escape(name)}</text>'
        )
    title = escape(_title(played))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="11"><title>{title}</title>'
        f'<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{LEFT}" y="22" font-size="14">{title}</text>{"".join(parts)}</svg></html>\n'
    )
