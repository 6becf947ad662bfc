"""What a backtest or a replay found, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

    from orch.replay.backtest import Result
    from orch.replay.noise import Difference


def backtest_page(result: Result) -> list[RenderableType]:
    """The table of a backtest, with what the reader should know of it."""
    from rich.table import Table
    from rich.text import Text

    known = result.steps - result.unknown_steps
    start = ", ".join(f"{name} {share:.0%}" for name, share in result.start.items())
    said = [
        f"{' / '.join(result.options)}: {result.since:%Y-%m-%d %H:%M} to {result.until:%Y-%m-%d %H:%M} UTC, "
        f"{known:,} steps of {result.step_h:g} h"
        + (
            f", {result.unknown_steps:,} more are not counted: a rate is unknown." if result.unknown_steps else "."
        ),
        f"At the beginning {start}. A move costs {result.downtime_s:g} s of income"
        + (f" and ${result.move_usd:g}." if result.move_usd else "."),
        *result.notes,
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for head in ("net USD", "moves", "their cost", "regret", "more than keep", "than best fixed"):
        table.add_column(head, justify="right", no_wrap=True)
    for each in result.outcomes:
        table.add_row(
            each.name,
            _usd(each.net_usd),
            str(each.moves),
            _usd(each.moving_cost_usd),
            "-" if each.regret_pct is None else f"{each.regret_pct:.2f} %",
            _more(each.versus_keep),
            _more(each.versus_best_fixed),
        )
    legend = (
        "~ within noise: nobody knows which is better (90 %, block bootstrap over days). ? too few days to tell."
    )
    return [Text("\n".join(said)), Text(""), table, Text(""), Text(legend)]


def _usd(amount: float) -> str:
    return (
        f"{amount:,.0f}" if abs(amount) >= 10_000 else f"{amount:.6g}" if abs(amount) < 0.01 else f"{amount:,.4f}"
    )


def _more(difference: Difference) -> str:
    mark = "?" if difference.noise is None else "~" if difference.noise else " "
    return f"{'+' if difference.usd > 0 else ''}{_usd(difference.usd)} {mark}"
