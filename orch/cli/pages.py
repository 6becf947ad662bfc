"""Decisions, plans, moves, series and trails for a terminal. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from orch.cli.render import STATE_STYLE, ruled_table, split_cells
from orch.cli.words import (
    MEANING,
    TITLES,
    UNKNOWN,
    WORDS,
    amount,
    differences,
    harmless,
    interval,
    moved_in_words,
    percent,
    relative,
    span,
    stamp,
    usd,
    usd_per_hour,
)
from orch.model.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from orch.model.moves import Reallocation
    from orch.model.plans import Blocker, Decision, Opportunity, Plan, PlanStep
    from orch.model.resources import Resources
    from orch.model.switches import SwitchLedger
    from orch.web.shapes import HistoryBody, SeriesLine

BARS = "▁▂▃▄▅▆▇█"
CHART_WIDTH = 32
HOURS_A_MONTH = 730.0
MEANINGLESS_PCT = 10_000.0
WORTH_TELLING = 1e-6


def decision_page(decision: Decision, now: datetime, plan: Plan | None = None) -> RenderableType:
    """Why a decision was what it was, and how its plan would be carried out."""
    decision = harmless(decision)
    head = Text()
    head.append(f" {decision.verdict.upper()} ", style=f"bold black on {_verdict_style(decision)}")
    head.append(f"  {stamp(decision.decided_at)}, {relative(decision.decided_at, now)}")
    ids = f"decision {decision.id}" + ("" if decision.plan_id is None else f", plan {decision.plan_id}")
    return Group(
        head,
        Text(ids, style="dim"),
        Text(f"\n{decision.sentence}", style="bold"),
        _reasons(decision.reasons),
        *_split(decision.from_value, decision.to_value),
        *_money(decision),
        *_blockers(decision.blockers, now),
        *steps_page(plan),
    )


def plan_page(plan: Plan, now: datetime) -> RenderableType:
    """The best split found, what it gains and costs, and what else was seen."""
    plan = harmless(plan)
    head = Text("Best split found", style="bold")
    head.append(f"  {stamp(plan.decided_at)}, {relative(plan.decided_at, now)}", style="not bold")
    return Group(
        head,
        Text(f"plan {plan.id} of decision {plan.decision_id}", style="dim"),
        Text(f"\n{plan.sentence}", style="bold"),
        _reasons(plan.reasons),
        *_split(plan.from_value, plan.to_value),
        *_money(plan),
        *_solved(plan),
        *_blockers(plan.blockers, now),
        *steps_page(plan),
        *opportunities(plan.opportunities),
    )


def steps_page(plan: Plan | None) -> Iterator[RenderableType]:
    """The steps of a plan in their order: what a lever would do, or the commands to run by hand."""
    if plan is None or not plan.steps:
        return
    steps = harmless(plan).steps
    title = "By hand, in this order" if any(by_hand(step) for step in steps) else "How, in this order"
    yield Text(f"\n{title}", style="bold")
    for step in steps:
        yield Text(f"{step.index + 1}  {step_in_words(step)}")
        # A command that is copied must come in one line, however long.
        yield from (Text(f"   {line}", style="cyan", no_wrap=True, overflow="ignore") for line in step.does)
    if any(step.mode == "approve" for step in steps) and not any(by_hand(step) for step in steps):
        yield Text(f"`orch approve {plan.id}` carries it out; `orch plan --apply` goes through it.", style="dim")


def by_hand(step: PlanStep) -> bool:
    """Whether a person has to make this step: no lever makes it, or none that may."""
    return step.lever is None or step.mode in ("observe", "suggest")


def step_in_words(step: PlanStep) -> str:
    """`disk gives: disk 6,000 → 100` by its lever."""
    verb = "gives up" if step.kind == "release" else "gets"
    parts = (
        f"{WORDS[name]} {amount(before)} → {amount(goal)}"
        for name, before, goal in differences(step.undo, step.goal)
    )
    how = "no lever is configured" if step.lever is None else f"lever {step.lever}, mode {step.mode}"
    return f"{step.node} {verb}: {', '.join(parts)} ({how})"


def switches_line(ledger: SwitchLedger) -> str:
    """What moves and refusals have come to, in one sentence."""
    said = [f"{ledger.paid} paid back", f"{ledger.lost} lost", f"{ledger.inconclusive} inconclusive"]
    said += [f"{ledger.pending} not known yet"] if ledger.pending else []
    line = f"Settled moves: {', '.join(said)}."
    if ledger.realised_usd is not None:
        cost = "" if ledger.cost_usd is None else f" for a cost of {usd(ledger.cost_usd)} USD"
        line += f" Seen to bring {usd(ledger.realised_usd)} USD{cost}."
    if ledger.missed_hours:
        missed = f"{usd(ledger.missed_usd)} USD in {span(ledger.missed_hours * 3600)}"
        line += f" Missed by not moving: {missed}, as predicted."
    return line


def moves_page(moves: Sequence[Reallocation], now: datetime, ledger: SwitchLedger | None = None) -> RenderableType:
    """All moves, newest first, and what they have come to."""
    if not moves:
        missed = f" {switches_line(ledger)}" if ledger is not None and ledger.missed_hours else ""
        return Text(f"No reallocations yet.{missed}")
    table = ruled_table()
    for title in ("started", "state", "verdict"):
        table.add_column(title, no_wrap=True)
    table.add_column("changes and id", overflow="fold")
    for move in map(harmless, moves):
        what = Text(moved_in_words(move))
        if move.rolled_back_reason:
            what.append(f"\n{move.rolled_back_reason}", style="yellow")
        predicted, realised = move.predicted_gain_usd_per_hour, move.realised_gain_usd_per_hour
        money = [f"predicted {usd_per_hour(predicted.mean, signed=True)} USD/h"] if predicted else []
        money += [f"realised {usd_per_hour(realised.mean, signed=True)}"] if realised else []
        against = move.counterfactual_usd_per_hour
        money += [f"the old split would have earned {usd_per_hour(against)}"] if against is not None else []
        money += [f"cost {usd(move.cost_usd)} USD"] if move.cost_usd is not None else []
        what.append("".join(f"\n{line}" for line in (", ".join(money), f"id {move.id}") if line), style="dim")
        state = Text(move.state, style=STATE_STYLE.get(move.state, "cyan"))
        table.add_row(relative(move.started_at, now), state, move.verdict, what)
    return table if ledger is None else Group(table, Text(f"\n{switches_line(ledger)}", style="dim"))


def series_page(history: HistoryBody) -> RenderableType:
    """A metric over time: one small chart per line, oldest on the left."""
    if not history.series:
        return Text(f"Nothing is recorded of {history.metric} in that time.")
    table = ruled_table()
    table.add_column(history.metric, no_wrap=True, overflow="ellipsis")
    table.add_column("over time", no_wrap=True)
    for title in ("lowest", "mean", "last"):
        table.add_column(title, justify="right", no_wrap=True)
    for line in history.series:
        values = [value for _, value in line.points]
        shown = usd_per_hour if history.metric == "usd_per_hour" else amount
        figures = (min(values), sum(values) / len(values), values[-1])
        table.add_row(_line_name(line), Text(chart(line, history.step_s), style="cyan"), *map(shown, figures))
    first = min(line.points[0][0] for line in history.series)
    last = max(line.points[-1][0] for line in history.series)
    unit = {"usd_per_hour": "USD per hour", "health": "share of ticks online"}.get(history.metric, "by resource")
    return Group(
        table, Text(f"{unit}, {stamp(first)} to {stamp(last)}, steps of {span(history.step_s)}", style="dim")
    )


def chart(line: SeriesLine, step_s: int, width: int = CHART_WIDTH) -> str:
    """The points of a line as bars; time without figures stays blank."""
    start, end = line.points[0][0].timestamp(), line.points[-1][0].timestamp()
    cells = min(int((end - start) // step_s) + 1, width)
    filled: list[list[float]] = [[] for _ in range(cells)]
    for when, value in line.points:
        place = (when.timestamp() - start) / (end - start + step_s)
        filled[min(int(place * cells), cells - 1)].append(value)
    means = [sum(cell) / len(cell) if cell else None for cell in filled]
    known = [mean for mean in means if mean is not None]
    low, high = min(0.0, *known), max(known)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if mean is None else BARS[round((mean - low) * scale)] for mean in means)


def opportunities(found: Sequence[Opportunity]) -> Iterator[RenderableType]:
    """What other splits would bring, and what it costs a month to leave it."""
    if not found:
        return
    yield Text("\nOpportunities", style="bold")
    table = ruled_table()
    for title in ("kind", "node", "resource"):
        table.add_column(title, no_wrap=True)
    for title in ("from → to", "USD/h", "USD a month"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in map(harmless, found):
        mean = each.usd_per_hour.mean if each.usd_per_hour is not None else None
        table.add_row(
            each.kind.replace("_", " "),
            each.node,
            UNKNOWN if each.resource is None else TITLES[each.resource],
            f"{amount(each.from_value)} → {amount(each.to_value)}",
            usd_per_hour(mean, signed=True),
            UNKNOWN if mean is None else usd(mean * HOURS_A_MONTH),
        )
    yield table


# -- parts -------------------------------------------------------------------------------------------------


def _verdict_style(decision: Decision) -> str:
    return "green" if decision.verdict == "move" else "cyan"


def _reasons(codes: Sequence[str]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", style="dim")
    for code in codes:
        grid.add_row(code, MEANING.get(code, ""))  # type: ignore[call-overload]  # a newer engine's code
    return Padding(grid, (1, 0, 0, 0))


def _split(before: Mapping[str, Resources], after: Mapping[str, Resources]) -> Iterator[RenderableType]:
    if not after:
        return
    table = ruled_table()
    table.add_column("from → to", no_wrap=True, overflow="ellipsis")
    for name in RESOURCES:
        table.add_column(TITLES[name], justify="right", no_wrap=True)
    for node, goal in after.items():
        table.add_row(node, *split_cells(before.get(node, goal), goal))
    yield Padding(table, (1, 0, 0, 0))


def _money(decision: Decision | Plan) -> Iterator[RenderableType]:
    gain = decision.gain_usd_per_hour
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    mean = usd_per_hour(gain.mean, signed=True) if gain is not None else UNKNOWN
    evidence = f", {gain.evidence}" if gain is not None else ""
    grid.add_row("Gain", f"{mean} USD/h ({interval(gain)}{evidence})")
    grid.add_row("", f"at least {usd(decision.gain_usd)} USD over {decision.horizon_h:g} h")
    grid.add_row("Cost", f"{usd(decision.cost_usd)} USD")
    share = decision.net_benefit_pct
    # A gain of next to nothing makes a share that says nothing.
    of = "" if share is None or abs(share) >= MEANINGLESS_PCT else f" ({percent(share)} of the gain)"
    grid.add_row("Net", f"{usd(decision.net_benefit_usd)} USD{of}")
    tried = f", tried {', '.join(decision.solver_chain)}" if len(decision.solver_chain) > 1 else ""
    grid.add_row("By", f"strategy {decision.strategy}, solver {decision.solver}{tried}")
    yield Padding(grid, (1, 0, 0, 0))


def _solved(plan: Plan) -> Iterator[RenderableType]:
    gap = "" if plan.gap_pct is None else f", at most {percent(plan.gap_pct)} below the best possible"
    better = "" if plan.improvement_pct is None else f"; {percent(plan.improvement_pct)} over present income"
    yield Text(f"{plan.status}{gap}{better}", style="dim")
    duals = [
        f"{TITLES[name]} {usd_per_hour(worth)}"
        for name, worth in plan.dual_prices.known()
        if worth >= WORTH_TELLING
    ]
    if duals:
        yield Text(f"one more to give away would earn, USD/h: {', '.join(duals)}", style="dim")


def _blockers(blockers: Sequence[Blocker], now: datetime) -> Iterator[RenderableType]:
    if not blockers:
        return
    yield Text("\nIn the way", style="bold")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for each in blockers:
        until = "" if each.until is None else f" Until {stamp(each.until)}, {relative(each.until, now)}."
        grid.add_row(each.code, f"{each.sentence}{until}")
    yield grid


def _line_name(line: SeriesLine) -> str:
    name = harmless(line.node)
    return name if line.resource is None else f"{name} {line.resource}"
