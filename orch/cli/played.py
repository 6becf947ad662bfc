"""What a backtest or a replay found, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from orch.replay.backtest import Result
    from orch.replay.noise import Difference
    from orch.replay.recorded import Again
    from orch.replay.whatif import Row

LEGEND = "~ within noise: nobody knows which is better (90 %, block bootstrap over days). ? too few days to tell."


def backtest_page(result: Result) -> list[RenderableType]:
    """The table of a backtest, with what the reader should know of it."""
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
    table = _table(("net USD", "moves", "cost", "regret", "over keep", "over best fixed"))
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
    return [Text("\n".join(said)), Text(""), table, Text(""), Text(LEGEND)]


def again_page(found: Again) -> list[RenderableType]:
    """What came of making recorded decisions again."""
    from rich.text import Text

    when = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    lines = [f"{found.same:,} of {found.decisions:,} decisions came out the same, {when}; {found.moves:,} moves."]
    if found.missing:
        lines.append(f"Of {found.missing:,} more it is not recorded what they were made of.")
    for each in found.differs:
        lines += [
            f"{each.id} differs in {', '.join(each.fields)}:",
            f"  was {each.recorded}",
            f"  now {each.replayed}",
        ]
    return [Text("\n".join(lines))]


def rows_page(rows: tuple[Row, ...]) -> list[RenderableType]:
    """What others would have made of a recorded time."""
    from rich.text import Text

    table = _table(("net USD", "moves", "cost", "regret", "over what was done"))
    for each in rows:
        table.add_row(
            each.name,
            _usd(each.net_usd),
            str(each.moves),
            _usd(each.moving_cost_usd),
            _usd(each.regret_usd),
            _more(each.versus_recorded),
        )
    said = "Estimated by the recorded curves, every lever free to act."
    return [Text(said), Text(""), table, Text(""), Text(LEGEND)]


def _table(heads: tuple[str, ...]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", overflow="fold")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _usd(amount: float) -> str:
    size = abs(amount)
    return f"{amount:,.0f}" if size >= 1000.0 else f"{amount:.2f}" if size >= 10.0 else f"{amount:.4g}"


def _more(difference: Difference) -> str:
    mark = "?" if difference.noise is None else "~" if difference.noise else " "
    return f"{'+' if difference.usd > 0 else ''}{_usd(difference.usd)} {mark}"
