"""What `orch top` draws, as Rich renderables and rows of tables. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from orch.cli.pages import by_hand, moves_page, steps_page
from orch.cli.problems import problems_of
from orch.cli.render import HEALTH_STYLE, ROOMY, SEVERITY_STYLE, emulated_mark, render, worst_first
from orch.cli.words import (
    TITLES,
    UNKNOWN,
    age,
    amount,
    earned_in_words,
    earned_sum,
    harmless,
    interval,
    percent,
    relative,
    span,
    usd,
    usd_per_hour,
)
from orch.model.resources import RESOURCES

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import RenderableType

    from orch.cli.top_feed import Picture
    from orch.model.board import Dashboard, NodeView
    from orch.model.plans import Decision, Plan

QUIET_S = 7.0
"""A live board is newer than that, at the usual pace of one every five seconds."""
VIEWS = ("board", "nodes", "decisions", "problems", "moves")
NODE_COLUMNS = ("node", "protocol", "health", "USD/h", "net USD/h", "share", "earned USD", "answered")
DECISION_COLUMNS = ("when", "verdict", "gain USD/h", "net USD", "why")
KEYS = (
    ("b n d p m", "board, nodes, decisions, problems, moves"),
    ("up down", "choose a row; its details stand below"),
    ("a", "approve the newest plan, after you have seen its steps"),
    ("x", "reject the newest plan"),
    ("f", "freeze: begin no move for as long as you say"),
    ("u", "unfreeze"),
    ("?", "this help; any key closes it"),
    ("q", "quit; orch itself goes on"),
)


def head(seen: Picture) -> Text:
    """What this is, how fresh, and what is wrong, in one line; a second one where contact is lost."""
    board = seen.board
    if board is None or seen.now is None:
        return Text.assemble(("orch", "bold"), f" · {seen.sentence or 'Waiting for the first answers.'}")
    board = harmless(board)
    line = emulated_mark(board)
    line.append("orch", style="bold").append(f" · {board.engine.mode} · ")
    old = max((seen.now - board.as_of).total_seconds(), 0.0)
    if seen.contact == "live":
        silent = f", {age(seen.silent_s)}" if seen.silent_s > QUIET_S else ""
        line.append("live", style="green").append(f" · {board.as_of:%H:%M:%S} UTC{silent}", style="dim")
    elif seen.contact == "lost":
        line.append("CONTACT LOST", style="bold white on red").append(f" · {board.as_of:%H:%M:%S} UTC, {age(old)}")
    else:
        line.append("STOPPED", style="bold red").append(f" · {board.as_of:%Y-%m-%d %H:%M} UTC, {age(old)}")
    if any(each.code == "FROZEN" for each in board.blockers):
        line.append(" · ").append("FROZEN", style="bold black on cyan")
    found = len(problems_of(board))
    line.append(" · ")
    line.append(f"{found} problem{'' if found == 1 else 's'}" if found else "no problems", style=_worry(found))
    if seen.contact == "lost":
        why = f"Nothing for {span(seen.silent_s)}; what you see is as old. {seen.sentence} Trying again."
        line.append(f"\n{why}", style="bold red")
    return line


def keys(view: str) -> Text:
    """The last line: every key, the view that is open marked."""
    line = Text(no_wrap=True, overflow="crop")
    for name in VIEWS:
        line.append(name[0], style="bold underline" if name != view else "bold underline reverse")
        line.append(f"{name[1:]}", style="reverse" if name == view else "").append(" ")
    for key, rest in (
        ("a", "pprove"),
        ("x", " reject"),
        ("f", "reeze"),
        ("u", "nfreeze"),
        ("?", ""),
        ("q", "uit"),
    ):
        line.append(" " if key in "a?" else "")
        line.append(key, style="bold underline").append(rest).append(" ")
    line.rstrip()
    return line


def board_pane(seen: Picture, height: int) -> RenderableType:
    """The board itself; on a terminal of few lines less of each list."""
    if seen.board is None:
        return Text(seen.sentence or "Waiting for the first answers of the nodes ...", style="dim")
    return render(seen.board, seen.now, compact=height < ROOMY, headed=False)


def node_rows(board: Dashboard, now: datetime) -> dict[str, tuple[Text, ...]]:
    """A row per node, those that need a hand first; whoever loses money says so."""
    rows: dict[str, tuple[Text, ...]] = {}
    for node in worst_first(harmless(board).nodes):
        rate = node.usd_per_hour
        net = rate.net_mean if rate is not None else None
        losing = net is not None and net < 0
        rows[node.name] = (
            Text(node.name, style="bold"),
            Text(node.protocol),
            Text(node.health, style=HEALTH_STYLE[node.health]),
            Text(usd_per_hour(rate.mean if rate else None), justify="right"),
            Text(
                f"{usd_per_hour(net)}{' loses' if losing else ''}",
                style="bold red" if losing else "",
                justify="right",
            ),
            Text(percent(node.share_pct), justify="right"),
            Text(usd(earned_sum(node.earned_usd)), justify="right"),
            Text(relative(node.last_seen_at, now)),
        )
    return rows


def node_pane(node: NodeView, now: datetime) -> RenderableType:
    """One node: health, money by evidence, what it has, uses, should have, and what one more would earn."""
    node = harmless(node)
    head_line = Text(node.name, style="bold")
    head_line.append(
        f" · {node.protocol} on {node.host}" + (" · EMULATED" if node.emulated else ""), style="not bold"
    )
    health = Text(node.health, style=HEALTH_STYLE[node.health])
    reason = f": {node.health_reason}" if node.health_reason else ""
    health.append(f"{reason} · answered {relative(node.last_seen_at, now)}", style="default")
    rate = node.usd_per_hour
    money = Text(f"{usd_per_hour(rate.mean if rate else None)} USD/h")
    if rate is not None:
        money.append(
            f" ({interval(rate)}, {rate.evidence}, {age(rate.age_s)}) · net {usd_per_hour(rate.net_mean)}"
        )
    else:
        money.append(": not known", style="dim")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("")
    for name in RESOURCES:
        table.add_column(TITLES[name], justify="right")
    rows = (
        ("has", node.allocation),
        ("uses", node.used),
        ("optimal", node.optimal),
        ("committed", node.committed),
    )
    for label, what in rows:
        table.add_row(label, *(amount(what.get(name)) for name in RESOURCES))
    worth = (usd_per_hour(node.worth.get(name)) for name in RESOURCES)
    table.add_row("one more, USD/h", *worth, style="dim")
    locked = [Text(f"held by {', '.join(node.locked_by)}", style="yellow")] if node.locked_by else []
    return Group(head_line, health, money, Text(f"earned {earned_in_words(node.earned_usd)}"), table, *locked)


def decision_rows(decisions: tuple[Decision, ...], now: datetime) -> dict[str, tuple[Text, ...]]:
    """A row per decision, newest first."""
    return {
        each.id: (
            Text(relative(each.decided_at, now)),
            Text(each.verdict, style="green" if each.verdict == "move" else "cyan"),
            Text(_gain(each), justify="right"),
            Text(usd(each.net_benefit_usd), justify="right"),
            Text(", ".join(each.reasons)),
        )
        for each in map(harmless, decisions)
    }


def problems_pane(board: Dashboard, now: datetime) -> RenderableType:
    """All that needs a hand with its remedy, then every alert."""
    board = harmless(board)
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    found = problems_of(board)
    for each in found:
        line = Text(each.sentence)
        line.append(f"\n→ {each.remedy}", style="dim")
        grid.add_row(Text("!", style="bold red" if each.rank == 0 else "yellow"), line)
    parts: list[RenderableType] = [grid if found else Text("No problems.", style="green")]
    if board.alerts:
        parts.append(Text("\nAlerts", style="bold"))
        alerts = Table.grid(padding=(0, 1, 0, 0))
        for width in (None, None, None):
            alerts.add_column(no_wrap=True, width=width)
        alerts.add_column(overflow="fold")
        for alert in board.alerts:
            silent = f" (silent until {relative(alert.silenced_until, now)})" if alert.silenced_until else ""
            severity = Text(alert.severity, style=SEVERITY_STYLE[alert.severity])
            alerts.add_row(severity, alert.state, relative(alert.since, now), f"{alert.sentence}{silent}")
        parts.append(alerts)
    return Group(*parts)


def moves_pane(board: Dashboard, now: datetime) -> RenderableType:
    """The last moves and what came of them."""
    return Group(moves_page(board.recent_changes, now), Text("\n`orch history` has all of them.", style="dim"))


def help_pane() -> RenderableType:
    """What each key does."""
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for each in KEYS:
        grid.add_row(*each)
    about = "Nothing is changed without being asked about first. An unknown figure is a dash, never 0."
    return Group(Text("orch top", style="bold"), Text(), grid, Text(f"\n{about}", style="dim"))


def approval_pane(plan: Plan, board: Dashboard | None) -> RenderableType:
    """What approving a plan would do, before it is done."""
    plan = harmless(plan)
    gain = plan.gain_usd_per_hour
    money = Text(f"Gain {usd_per_hour(gain.mean, signed=True) if gain else UNKNOWN} USD/h ({interval(gain)}); ")
    money.append(f"cost {usd(plan.cost_usd)} USD, net {usd(plan.net_benefit_usd)} USD over {plan.horizon_h:g} h")
    hands = (
        [Text("Some steps are yours to make by hand.", style="yellow")] if any(map(by_hand, plan.steps)) else []
    )
    return Group(
        _asked("Carry out this plan?", board), Text(f"\n{plan.sentence}"), money, *hands, *steps_page(plan)
    )


def rejection_pane(plan: Plan, board: Dashboard | None) -> RenderableType:
    """What is turned down."""
    return Group(_asked("Turn this plan down?", board), Text(f"\n{harmless(plan).sentence}"))


def freeze_pane(board: Dashboard | None) -> RenderableType:
    """What a freeze is."""
    told = (
        "\nNo move begins, whoever wants it; one that runs is finished or put back. For how long (90s, 15m, 2h)?"
    )
    return Group(_asked("Freeze all levers?", board), Text(told))


def unfreeze_pane(board: Dashboard | None) -> RenderableType:
    """What ends with it."""
    return Group(_asked("Let moves begin again?", board), Text("\nThe freeze ends now."))


def _asked(question: str, board: Dashboard | None) -> Text:
    mark = Text() if board is None else emulated_mark(board)
    return mark.append(question, style="bold")


def _gain(decision: Decision) -> str:
    gain = decision.gain_usd_per_hour
    return UNKNOWN if gain is None else usd_per_hour(gain.mean, signed=True)


def _worry(found: int) -> str:
    return "bold red" if found else "green"
