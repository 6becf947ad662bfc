"""The bench of solvers as a picture: how far each solver is from the optimum, over its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orch.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LEAST_PCT = 1e-5
"""What is no gap is drawn here: the axis has no nothing."""

NOTHING_PCT = 100.0


def draw_gaps(tables: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the median gap over the budget, one panel per family and size, with the spread over seeds.

    Raises:
        UsageError: Nothing to draw, or matplotlib (extra `bench`) is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise UsageError("a chart needs matplotlib: pip install '.[bench]'") from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    if not tables:
        raise UsageError("there is no table of gaps over time to draw; leave out --size, or give nodes")
    across = min(len(tables), 3)
    down = -(-len(tables) // across)
    figure, panels = plt.subplots(
        down, across, figsize=(max(4.6 * across, 9.0), 3.6 * down + 0.6), squeeze=False, sharey=True
    )
    # Who never gave a split is left out.
    tables = [
        {**table, "rows": [row for row in table["rows"] if row["gap_pct"]["lowest"] < NOTHING_PCT]}
        for table in tables
    ]
    names = list(dict.fromkeys(row["solver"] for table in tables for row in table["rows"]))
    colours = {name: plt.get_cmap("tab20")(place % 20) for place, name in enumerate(names)}
    for table, panel in zip(tables, panels.flat, strict=False):
        _panel(panel, table, colours)
    for panel in list(panels.flat)[len(tables) :]:
        panel.axis("off")
    handles = [plt.Line2D([], [], color=colours[name], marker="o", label=name) for name in names]
    figure.legend(handles=handles, loc="lower center", ncols=6, fontsize="small", frameon=False)
    figure.tight_layout(rect=(0.0, 0.6 / (3.6 * down + 0.6), 1.0, 1.0))
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _panel(panel: Any, table: dict[str, Any], colours: dict[str, Any]) -> None:
    by_solver: dict[str, list[dict[str, Any]]] = {}
    for row in table["rows"]:
        by_solver.setdefault(row["solver"], []).append(row)
    for name, rows in by_solver.items():
        rows = sorted(rows, key=lambda row: row["budget_s"])  # noqa: PLW2901 - the same, in order
        budgets = [1e3 * row["budget_s"] for row in rows]
        gaps = [{key: max(value, LEAST_PCT) for key, value in row["gap_pct"].items()} for row in rows]
        panel.plot(budgets, [gap["median"] for gap in gaps], marker="o", markersize=3, color=colours[name])
        low, high = [gap["lowest"] for gap in gaps], [gap["highest"] for gap in gaps]
        panel.fill_between(budgets, low, high, color=colours[name], alpha=0.06, linewidth=0.0)
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_title(f"{table['family']}, {table['size']} nodes", fontsize="medium")
    panel.set_xlabel("budget in ms")
    panel.set_ylabel("gap in %, median of the seeds")
