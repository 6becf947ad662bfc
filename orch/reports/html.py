"""A report as one page: no script, no request, charts drawn inline; for mail, for the shelf, for paper."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from orch.reports.style import STYLE
from orch.reports.svg import compared, legend, stacked_areas, stacked_bars
from orch.reports.text import UNKNOWN, booked, days, efficiency, money, pct, usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from orch.model.report import MovePart, Report

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
DASH = "&ndash;"
CODE = re.compile(r"`([^`]+)`")
KINDS = {"paid": "good", "lost": "bad"}


def report_html(report: Report) -> str:
    """The whole page."""
    title = f"orch on {escape(report.host)}: {days(report.period_s)}"
    blocks = (_head, _nodes, _charts, _moves, _compared, _health, _alerts, _suggestions, _unknown)
    body = "".join(part for block in blocks for part in block(report))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{body}"
        f"<footer>Written by orch from its own record, {report.as_of:%Y-%m-%d %H:%M} UTC. Times are UTC. "
        "A dash is unknown, which is not zero.</footer></main></body></html>\n"
    )


def _head(report: Report) -> Iterator[str]:
    together, net = report.booked, report.net
    yield f"<header><h1>{days(report.period_s).capitalize()} of orch on {escape(report.host)}</h1>"
    yield f'<p class="quiet">{report.since:%d %B %Y %H:%M} to {report.until:%d %B %Y %H:%M} UTC</p>'
    if report.kind == "emulated":
        yield '<p class="mark">EMULATED: these nodes and this money are not real</p>'
    tiles = [
        (_or_dash(usd(report.earned_usd)), "earned in this time"),
        (DASH if report.usd_per_hour is None else f"${report.usd_per_hour:.4f}", "an hour, gross, mean"),
        (DASH if net is None else usd(net.net_usd), "net" if net is None else f"net of {net.hours} h"),
        (money(together.income_usd), f"booked: {money(together.settled_usd)} of it settled"),
        (_or_dash(pct(report.uptime.uptime_pct)), "of the time all nodes online"),
        (str(report.moves.settled), f"moves: {report.moves.paid} paid, {report.moves.lost} lost"),
    ]
    yield '<div class="tiles">'
    yield from (f'<div class="tile"><b>{said}</b><span>{escape(what)}</span></div>' for said, what in tiles)
    yield "</div></header>"


def _nodes(report: Report) -> Iterator[str]:
    if not report.nodes:
        return
    head = ("Node", "Earned", "Share", "USD/h", "Booked", "Settled", "Accrued", "Estimated", "Fees", "Uptime")
    rows = [
        (
            escape(node.node) + (f' <span class="quiet">{escape(node.protocol)}</span>' if node.protocol else ""),
            _or_dash(usd(node.earned_usd)),
            _or_dash(pct(node.share_pct, 0)),
            DASH if node.usd_per_hour is None else f"{node.usd_per_hour:.4f}",
            *(
                _or_dash(booked(node, amount))
                for amount in (node.income_usd, node.settled_usd, node.accrued_usd, node.estimated_usd)
            ),
            money(node.fees_usd),
            _or_dash(pct(node.uptime_pct)),
        )
        for node in report.nodes
    ]
    together = report.booked
    sums = (
        "<b>Together</b>",
        _or_dash(usd(report.earned_usd)),
        "",
        DASH if report.usd_per_hour is None else f"{report.usd_per_hour:.4f}",
        *map(money, (together.income_usd, together.settled_usd, together.accrued_usd, together.estimated_usd)),
        money(together.fees_usd),
        _or_dash(pct(report.uptime.uptime_pct)),
    )
    yield f"<section><h2>What each node earned</h2>{_table(head, [*rows, sums])}"
    yield '<p class="quiet">Earned: by when it was earned. Booked: by when the ledger took it in.</p>'
    known = efficiency(report)
    if known:
        yield f"<p>Efficiency: an hour earned {', '.join(known)} allocated.</p>"
    used = ("Node", "Processor", "Memory", "Bandwidth", "Storage")
    shares = [
        (
            escape(node.node),
            *(
                _or_dash(pct(share, 0))
                for share in (
                    node.cpu_used_pct,
                    node.memory_used_pct,
                    node.bandwidth_used_pct,
                    node.storage_used_pct,
                )
            ),
        )
        for node in report.nodes
    ]
    yield f"</section><section><h2>What of its allocation each node used</h2>{_table(used, shares)}</section>"


def _charts(report: Report) -> Iterator[str]:
    rates = stacked_areas(report.rates, report.rate_step_s, "USD/h", "Income per hour by node")
    if rates:
        names = [line.node for line in report.rates]
        yield f"<section><h2>Income per hour, node upon node</h2>{rates}{legend(names)}</section>"
    income = stacked_bars(report.income, report.income_step_s, "USD", "Income per day by node")
    if income:
        names = [line.node for line in report.income]
        yield f"<section><h2>Income per day (UTC)</h2>{income}{legend(names)}</section>"


def _moves(report: Report) -> Iterator[str]:
    found = report.moves
    yield "<section><h2>Moves, and whether they paid</h2>"
    yield (
        f"<p>{found.count} moves, {found.settled} settled, {found.rolled_back} rolled back. Of the settled "
        f'<span class="good">{found.paid} paid</span>, <span class="bad">{found.lost} lost</span>, '
        f"{found.inconclusive} could not be told, {found.pending} wait for their earnings to speak. "
        f"Seen to bring so far: {_or_dash(usd(found.realised_usd))}, reckoned to cost "
        f"{_or_dash(usd(found.cost_usd))}. Refused plans that would have paid were predicted to bring "
        f"{usd(found.missed_usd)} over {found.missed_hours:.0f} h.</p>"
    )
    if report.reallocations:
        head = ("When", "What", "Predicted USD/h", "Seen USD/h", "Verdict")
        rows = [
            (
                f"{move.started_at:%d %b %H:%M}",
                escape(move.sentence),
                _rate(move.predicted_usd_per_hour),
                _rate(move.realised_usd_per_hour),
                _verdict(move),
            )
            for move in report.reallocations
        ]
        yield _table(head, rows, texts=(0, 1, 4))
    decisions = report.decisions
    reasons = ", ".join(f"{escape(code)} {count}" for code, count in list(decisions.reasons.items())[:8])
    yield f'<p class="quiet">{decisions.count} decisions, {decisions.moves} to move. {reasons}</p></section>'


def _compared(report: Report) -> Iterator[str]:
    found = report.comparison
    if found is None:
        return
    bars = [
        ("As it was", found.as_recorded_usd),
        ("Never moved", found.never_moved_usd),
        ("Best fixed split", found.best_fixed_usd),
    ]
    yield f"<section><h2>What other splits would have earned in {found.hours:.0f} h</h2>"
    yield compared(bars, "USD", "Income as it was, never moved, and of the best fixed split")
    yield (
        f"<p>Moving gained {usd(found.gained_by_moving_usd)} after its cost of {usd(found.moving_cost_usd)}; "
        f"{usd(found.left_on_the_table_usd)} was left on the table against the best of {found.splits} fixed "
        "splits, which only hindsight knows.</p>"
        '<p class="quiet">Estimated by the recorded curves, also for the split that was held.</p></section>'
    )


def _health(report: Report) -> Iterator[str]:
    forecasts = report.forecasts
    yield "<section><h2>Uptime and forecasts</h2>"
    yield (
        f"<p>All nodes were online {_or_dash(pct(report.uptime.uptime_pct))} of the time in which that is known; "
        f"{_or_dash(pct(report.uptime.unknown_pct))} is not known.</p>"
    )
    if forecasts.hours:
        yield (
            f"<p>Forecasts of income were off by {_or_dash(pct(forecasts.error_pct))} in the mean; the truth lay "
            f"within their 90 % interval {_or_dash(pct(forecasts.coverage_pct))} of the time "
            f"({forecasts.hours} hours scored).</p>"
        )
    yield "</section>"


def _alerts(report: Report) -> Iterator[str]:
    if not report.alerts:
        return
    head = ("Alert", "Node", "Severity", "Times", "In all")
    rows = [
        (
            escape(each.rule),
            escape(each.node or "the host"),
            escape(each.severity),
            str(each.count),
            days(each.lasted_s),
        )
        for each in report.alerts
    ]
    yield f"<section><h2>Alerts</h2>{_table(head, rows, texts=(0, 1, 2))}</section>"


def _suggestions(report: Report) -> Iterator[str]:
    yield "<section><h2>What could be better</h2>"
    if not report.suggestions:
        yield "<p>Nothing that the figures of this time show.</p></section>"
        return
    yield '<ol class="todo">'
    for each in report.suggestions:
        worth = "" if each.usd_per_day is None else f" <b>${each.usd_per_day:.2f} a day</b>"
        yield f'<li>{_said(each.sentence)}{worth}<br><span class="quiet">{_said(each.remedy)}</span></li>'
    yield "</ol></section>"


def _unknown(report: Report) -> Iterator[str]:
    if report.unknown:
        said = "".join(f"<li>{escape(each)}</li>" for each in report.unknown)
        yield f'<section><h2>What is not known</h2><ul class="unknown">{said}</ul></section>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: tuple[int, ...] = (0,)) -> str:
    """Cells are HTML already; all columns but `texts` are figures."""
    kinds = ["" if index in texts else ' class="num"' for index in range(len(head))]
    top = "".join(f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(head, kinds, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for cell, kind in zip(row, kinds, strict=True))}</tr>"
        for row in rows
    )
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _verdict(move: MovePart) -> str:
    said = move.verdict if move.state == "settled" else move.state
    return f'<span class="{KINDS.get(said, "")}">{escape(said)}</span>'


def _said(sentence: str) -> str:
    """A sentence, with what stands between back-ticks as code."""
    return CODE.sub(r"<code>\1</code>", escape(sentence))


def _rate(usd_per_hour: float | None) -> str:
    return DASH if usd_per_hour is None else f"{usd_per_hour:+.4f}"


def _or_dash(said: str) -> str:
    return DASH if said == UNKNOWN else said
