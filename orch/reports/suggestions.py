"""What a report suggests, from its own figures; what would bring most comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.report import Suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.report import Report

WORTH_USD_PER_DAY = 0.01
LOW_UPTIME_PCT = 99.0
IDLE_PCT = 30.0
IDLE_CORES = 1.0
POOR_COVERAGE_PCT = 75.0
OFTEN = 5
HINDERS = {
    "LEVER_IN_SUGGEST_MODE": "levers only suggest; raise the mode of those that you trust to approve or auto",
    "LEVER_IN_OBSERVE_MODE": "levers only observe; raise the mode of those that you trust",
    "LEVER_NEEDS_APPROVAL": "plans wait for approval; approve them, or let levers act by themselves",
    "LEVER_MISSING": "nodes have no lever; add [[nodes.X.levers]]",
    "FROZEN": "moves are frozen; `orch unfreeze` lets them begin again",
    "PRICE_STALE": "prices were stale; add sources in [prices]",
    "HOLD_ACTIVE": "nodes rest between moves; [limits] min_hold_s says for how long",
}


def suggestions(report: Report) -> tuple[Suggestion, ...]:
    """All of them."""
    found = [*_missed(report), *_table(report), *_nodes(report), *_alerts(report), *_settings(report)]
    return tuple(sorted(found, key=lambda each: -(each.usd_per_day or 0.0)))


def _missed(report: Report) -> Iterator[Suggestion]:
    moves = report.moves
    if not moves.missed_hours:
        return
    per_day = moves.missed_usd / moves.missed_hours * 24.0
    if per_day < WORTH_USD_PER_DAY:
        return
    code = next((each for each in report.decisions.reasons if each in HINDERS), None)
    yield Suggestion(
        sentence=f"Plans that would have paid were not carried out for {moves.missed_hours:.0f} h; they were "
        f"predicted to bring ${moves.missed_usd:.2f}.",
        remedy=f"Mostly because {HINDERS[code]}." if code else "`orch explain` says what stood in their way.",
        usd_per_day=per_day,
    )


def _table(report: Report) -> Iterator[Suggestion]:
    found = report.comparison
    if found is None or not found.hours:
        return
    per_day = found.left_on_the_table_usd / found.hours * 24.0
    if per_day >= WORTH_USD_PER_DAY:
        yield Suggestion(
            sentence=f"The best fixed split would have earned ${found.left_on_the_table_usd:.2f} more in "
            f"{found.hours:.0f} h, by the curves as they were recorded.",
            remedy="`orch plan` shows the best split now; `orch backtest` and `orch replay` compare rules.",
            usd_per_day=per_day,
        )
    if found.gained_by_moving_usd / found.hours * 24.0 <= -WORTH_USD_PER_DAY:
        yield Suggestion(
            sentence=f"Never moving would have earned ${-found.gained_by_moving_usd:.2f} more than moving did.",
            remedy="Raise [optimizer.threshold] margin_pct and idle_margin_pct, or keep the split for a while: "
            '[optimizer] strategy = "keep".',
            usd_per_day=-found.gained_by_moving_usd / found.hours * 24.0,
        )


def _nodes(report: Report) -> Iterator[Suggestion]:
    for node in report.nodes:
        if node.uptime_pct is not None and node.uptime_pct < LOW_UPTIME_PCT:
            rate = node.usd_per_hour
            lost = None if rate is None else rate * 24.0 * (1.0 - node.uptime_pct / 100.0)
            yield Suggestion(
                sentence=f"{node.node} was online {node.uptime_pct:.1f} % of the time.",
                remedy=f"See why with `orch history --metric health --node {node.node}` and its own log.",
                usd_per_day=lost,
            )
        if node.usd_per_hour is None and node.earned_usd is None:
            remedy = "`orch check` says what is missing."
            if node.protocol == "grass":
                remedy = "Set tokens_per_point for it if you know what a point is worth."
            yield Suggestion(sentence=f"What {node.node} earns is not known.", remedy=remedy)
        idle = (node.cpu_allocated or 0.0) * (1.0 - (node.cpu_used_pct or 0.0) / 100.0)
        if node.cpu_used_pct is not None and node.cpu_used_pct < IDLE_PCT and idle >= IDLE_CORES:
            yield Suggestion(
                sentence=f"{node.node} used {node.cpu_used_pct:.0f} % of the processor time it was given.",
                remedy="Give part of it to a node that earns with it; `orch plan` says whether that pays.",
            )


def _alerts(report: Report) -> Iterator[Suggestion]:
    for alert in report.alerts:
        if alert.count >= OFTEN:
            about = f" of {alert.node}" if alert.node else ""
            yield Suggestion(
                sentence=f"The alert {alert.rule}{about} came {alert.count} times.",
                remedy=f"Remove its cause, or give it more time: [alerts.timing.{alert.rule}] for_s.",
            )


def _settings(report: Report) -> Iterator[Suggestion]:
    if report.net is None:
        yield Suggestion(
            sentence="Net income is not known.", remedy="Say what electricity costs you: [costs] usd_per_kwh."
        )
    elif report.net.net_usd < 0:
        yield Suggestion(
            sentence=f"Running cost ${-report.net.net_usd:.2f} more than it earned in {report.net.hours} h.",
            remedy="Stop what earns less than it costs: `orch status` shows each node's net.",
            usd_per_day=-report.net.net_usd / report.net.hours * 24.0,
        )
    if report.booked.unpriced:
        yield Suggestion(
            sentence=f"{report.booked.unpriced} ledger entries have no price.",
            remedy="Add sources in [prices], or pin a price in [prices] override.",
        )
    coverage = report.forecasts.coverage_pct
    if coverage is not None and coverage < POOR_COVERAGE_PCT:
        yield Suggestion(
            sentence=f"Income lay within the forecasts' 90 % interval only {coverage:.0f} % of the time.",
            remedy='Take strategy "threshold", which needs no forecast, until they have learned more.',
        )
