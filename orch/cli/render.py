"""The board for a terminal: what it earns first, what needs a hand next, then the split and the moves. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orch.cli.income import income
from orch.cli.problems import problems_of
from orch.cli.words import (
    TITLES,
    UNKNOWN,
    age,
    amount,
    asking_in_words,
    earned_sum,
    harmless,
    interval,
    moved_in_words,
    percent,
    relative,
    usd,
    usd_per_hour,
)
from orch.model.resources import RESOURCES, close

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rich.console import RenderableType

    from orch.model.board import Dashboard, NodeView
    from orch.model.money import Rate
    from orch.model.moves import SagaState
    from orch.model.readings import Health
    from orch.model.resources import Resources

HEALTH_STYLE: dict[Health, str] = {
    "online": "green",
    "degraded": "yellow",
    "offline": "bold red",
    "unknown": "dim",
}
STATE_STYLE: dict[SagaState, str] = {
    "settled": "green",
    "refused": "dim",
    "rolled_back": "yellow",
    "rolling_back": "yellow",
    "stuck": "bold red",
}
SEVERITY_STYLE = {"page": "bold red", "warning": "yellow", "info": "cyan"}
MOST_CHANGES = 4
MOST_ALERTS = 4
MOST_PROBLEMS = 6
ROOMY = 36
"""Lines of a terminal from which on the whole board fits."""
NOTHING = 1e-9


def render(
    board: Dashboard, now: datetime | None = None, *, compact: bool = False, headed: bool = True
) -> RenderableType:
    """The whole board.

    Args:
        board: As published.
        now: The present of the recorded world, when the board is not fresh.
        compact: For a terminal of few lines: one table, and less of each list.
        headed: With the line that says what this is; without it where that stands already.
    """
    board, now = harmless(board), now or board.as_of
    head = (title(board, now),) if headed else ()
    return Group(*head, *(_short_sections(board, now) if compact else _sections(board, now)))


def _sections(board: Dashboard, now: datetime) -> Iterator[RenderableType]:
    yield from income(board)
    yield from _problems(board, MOST_PROBLEMS)
    if board.nodes:
        yield Padding(_nodes(board), (1, 0, 0, 0))
        yield Padding(_split(board), (1, 0, 0, 0))
    yield Padding(_opportunity(board, now), (1, 0, 0, 0))
    yield from _changes(board, now, MOST_CHANGES)
    yield from _alerts(board, now)
    yield from _kpis(board)
    yield from _observing(board)


def _short_sections(board: Dashboard, now: datetime) -> Iterator[RenderableType]:
    yield from income(board)
    yield from _problems(board, 1)
    if board.nodes:
        yield _nodes_and_split(board)
    yield _opportunity(board, now, in_the_way=0)
    yield from _changes(board, now, 2)


# -- what this is, and what is wrong -----------------------------------------------------------------------


def title(board: Dashboard, now: datetime) -> RenderableType:
    """What is shown: emulated or real, running or not, how old."""
    engine = board.engine
    line = emulated_mark(board)
    line.append("orch", style="bold")
    line.append(f" · mode {engine.mode} · ")
    if engine.running:
        line.append("running", style="green")
    else:
        line.append("STOPPED", style="bold red")
    old = (now - board.as_of).total_seconds()
    when = f" · {board.as_of:%Y-%m-%d %H:%M} UTC" + (f", {age(old)}" if old >= 1 else "")
    line.append(when, style="dim")
    return line


def emulated_mark(board: Dashboard) -> Text:
    """The start of a title: nothing for real nodes, else a word in a colour that cannot be missed."""
    line = Text(no_wrap=True, overflow="ellipsis")
    if board.engine.kind == "emulated" or any(node.emulated for node in board.nodes):
        speed = "" if board.engine.speed == 1 else f"{board.engine.speed:g}x "
        line.append(f" EMULATED {speed}", style="bold black on yellow")
        line.append(" ")
    return line


def _problems(board: Dashboard, most: int) -> Iterator[RenderableType]:
    found = problems_of(board)
    if not found:
        yield Text("No problems.", style="green")
        return
    yield Text(f"{len(found)} problem{'s' if len(found) > 1 else ''}", style="bold red")
    for each in found[:most]:
        line = Text("! ", style="bold red" if each.rank == 0 else "yellow")
        line.append(each.sentence, style="default")
        line.append(f" → {each.remedy}", style="dim")
        yield _folded(line)
    if len(found) > most:
        yield Text(f"  and {len(found) - most} more", style="dim")


# -- money -------------------------------------------------------------------------------------------------


def _nodes(board: Dashboard) -> Table:
    table = _table(
        "node", ("protocol", "left"), ("health", "left"), "USD/h", "90 % interval", "share", "earned USD"
    )
    for node in worst_first(board.nodes):
        rate = node.usd_per_hour
        table.add_row(
            node.name,
            node.protocol,
            Text(node.health, style=HEALTH_STYLE[node.health]),
            Text(usd_per_hour(rate.mean if rate else None), style="bold"),
            interval(rate),
            percent(node.share_pct),
            usd(earned_sum(node.earned_usd)),
        )
    return table


def worst_first(nodes: tuple[NodeView, ...]) -> list[NodeView]:
    """Nodes that need a hand before those that are well."""
    order: dict[Health, int] = {"offline": 0, "degraded": 1, "unknown": 2, "online": 3}
    return sorted(nodes, key=lambda node: order[node.health])


# -- the split ---------------------------------------------------------------------------------------------


def _split(board: Dashboard) -> Table:
    table = _table("now → optimal", *(TITLES[name] for name in RESOURCES))
    for node in worst_first(board.nodes):
        table.add_row(node.name, *split_cells(node.allocation, node.optimal))
        if any(True for _ in node.worth.known()):
            worths = (usd_per_hour(node.worth.get(name)) for name in RESOURCES)
            table.add_row("  one more, USD/h", *worths, style="dim")
    free = [board.capacity.get(name) for name in RESOURCES]
    kept = [board.reserve.or_zero(name) for name in RESOURCES]
    shares = (None if whole is None else whole - part for whole, part in zip(free, kept, strict=True))
    table.add_row("to give away", *(amount(share) for share in shares), style="dim")
    return table


def _nodes_and_split(board: Dashboard) -> Table:
    table = _table("now → optimal", ("health", "left"), "USD/h", *(TITLES[name] for name in RESOURCES))
    for node in worst_first(board.nodes):
        rate = node.usd_per_hour
        table.add_row(
            node.name,
            Text(node.health, style=HEALTH_STYLE[node.health]),
            Text(usd_per_hour(rate.mean if rate else None), style="bold"),
            *split_cells(node.allocation, node.optimal),
        )
    return table


def split_cells(before: Resources, after: Resources) -> Iterator[Text]:
    """`2 → 3` per resource; one figure where nothing changes."""
    for name in RESOURCES:
        was, goal = before.get(name), after.get(name)
        if goal is None or close(was, goal, 1e-3):
            yield Text(amount(was))
            continue
        style = "" if was is None else "green" if goal > was else "yellow"
        yield Text(f"{amount(was)} → ").append(amount(goal), style=style)


# -- what could be done, what was done ---------------------------------------------------------------------


def _opportunity(board: Dashboard, now: datetime, *, in_the_way: int = 2) -> RenderableType:
    lines: list[RenderableType] = []
    found = board.opportunity
    gain = found.gain_usd_per_hour if found is not None else None
    if found is None or gain is None:
        lines.append(Text("Opportunity  not known"))
    elif not _worth_while(gain):
        lines.append(Text("Opportunity  none: no better split is found"))
        lines.append(_folded(Text(found.sentence, style="italic"), 13))
    else:
        line = Text("Opportunity  ")
        line.append(f"{usd_per_hour(gain.mean, signed=True)} USD/h", style="bold")
        line.append(f"  {interval(gain)}, {gain.evidence}")
        lines.append(line)
        sums = f"{usd(found.gain_usd)} - cost {usd(found.cost_usd)} = net {usd(found.net_benefit_usd)} USD"
        lines.append(_folded(Text(f"over {found.horizon_h:g} h at least {sums}"), 13))
        lines.append(_folded(Text(found.sentence, style="italic"), 13))
    lines.extend(_next(board, now, in_the_way))
    return Group(*lines)


def _worth_while(gain: Rate | None) -> bool:
    return gain is not None and abs(gain.mean) >= NOTHING


def _next(board: Dashboard, now: datetime, most: int) -> Iterator[RenderableType]:
    if not board.engine.running:
        yield Text("Next move    none while orch is stopped", style="yellow")
        return
    decision = "due" if _is_past(board.next_decision_at, now) else relative(board.next_decision_at, now)
    when = "none in sight" if board.next_reallocation_at is None else relative(board.next_reallocation_at, now)
    if _is_past(board.next_reallocation_at, now):
        when = "once nothing is in its way" if board.blockers else "with the next decision"
    yield Text(f"Next move    {when}; next decision {decision}")
    if board.opportunity is None or not _worth_while(board.opportunity.gain_usd_per_hour):
        return
    for blocker in board.blockers[:most]:
        until = f" (until {relative(blocker.until, now)})" if blocker.until is not None else ""
        yield _folded(Text(f"{blocker.sentence}{until}", style="dim"), 13)
    if len(board.blockers) > most > 0:
        yield Text(f"             and {len(board.blockers) - most} more in the way", style="dim")


def _is_past(when: datetime | None, now: datetime) -> bool:
    return when is not None and when <= now


def _changes(board: Dashboard, now: datetime, most: int) -> Iterator[RenderableType]:
    yield Text("\nLast changes", style="bold")
    if not board.recent_changes:
        yield Text("none yet", style="dim")
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for move in board.recent_changes[:most]:
        money = f", {move.verdict}" if move.state == "settled" else ""
        state = Text(f"{move.state}{money}", style=STATE_STYLE.get(move.state, "cyan"))
        grid.add_row(relative(move.started_at, now), state, moved_in_words(move))
    yield grid


def _alerts(board: Dashboard, now: datetime) -> Iterator[RenderableType]:
    """What fires for information; warnings and pages stand at the top."""
    firing = [alert for alert in board.alerts if alert.is_active]
    told = [alert for alert in firing if alert.severity == "info"]
    waiting = sum(1 for alert in board.alerts if alert.state == "pending")
    if not firing and not waiting:
        return
    heading = Text(f"\nAlerts  {len(firing)} firing", style="bold")
    if len(firing) > len(told):
        heading.append(f" ({len(firing) - len(told)} above)")
    if waiting:
        heading.append(f", {waiting} pending")
    yield heading
    for alert in told[:MOST_ALERTS]:
        line = Text(f"{alert.severity}  ", style=SEVERITY_STYLE[alert.severity])
        line.append(alert.sentence, style="default")
        line.append(f" ({relative(alert.since, now)}) → {alert.remedy}", style="dim")
        yield _folded(line)


def _kpis(board: Dashboard) -> Iterator[RenderableType]:
    kpis = board.kpis
    parts = [
        f"uptime {percent(kpis.uptime_pct)}",
        f"moves a day {amount(kpis.reallocations_per_day)}",
        f"paid {percent(kpis.success_rate_pct)}",
        f"prediction error {percent(kpis.prediction_mape_pct)}",
    ]
    if any(UNKNOWN not in part for part in parts):
        yield Text(f"\n{' · '.join(parts)}", style="dim")


def _observing(board: Dashboard) -> Iterator[RenderableType]:
    """What orch's own questions cost the nodes: per hour once that is known, else so far."""
    costs = []
    for node in board.nodes:
        seen = node.observer
        if seen is not None and seen.per_hour is not None:
            hourly = seen.per_hour
            costs.append(f"{node.name} {asking_in_words(hourly.requests, hourly.bytes, hourly.seconds)} an hour")
        elif seen is not None and seen.requests:
            costs.append(f"{node.name} {asking_in_words(seen.requests, seen.bytes, seen.seconds)} so far")
    if costs:
        yield Text(f"\norch asks: {' · '.join(costs)}", style="dim")


# -- shapes ------------------------------------------------------------------------------------------------


def ruled_table() -> Table:
    """A table as all of them look: bold titles over a thin line, nothing else drawn."""
    return Table(
        box=SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="bold",
        border_style="dim",
    )


def _table(first: str, *rest: str | tuple[str, str]) -> Table:
    """Right-aligned figures behind a name that gives way when the terminal is narrow."""
    table = ruled_table()
    table.add_column(first, no_wrap=True, overflow="ellipsis", min_width=8)
    for each in rest:
        if isinstance(each, tuple):
            table.add_column(each[0], no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(each, justify="right", no_wrap=True)
    return table


def _folded(line: Text, indent: int = 2) -> RenderableType:
    """A line that goes on under itself when it is too long."""
    grid = Table.grid()
    grid.add_column(width=indent)
    grid.add_column(overflow="fold")
    if indent == 2:
        grid.add_row(line[:2], line[2:])
    else:
        grid.add_row("", line)
    return grid
