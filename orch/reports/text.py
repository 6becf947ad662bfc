"""A report as plain text of eighty columns: for terminals, mail and messengers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from orch.model.report import NodePart, Report

WIDTH = 80
UNKNOWN = "?"
MOST_MOVES = 10
UNITS = {"cpu_cores": "core", "memory_gb": "GB memory", "bandwidth_mbps": "Mbit/s", "storage_gb": "GB storage"}


def report_text(report: Report) -> str:
    """The whole report."""
    blocks = (_head, _income, _nodes, _health, _moves, _compared, _alerts, _suggestions, _unknown)
    parts = ("\n".join(block(report)) for block in blocks)
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: Report) -> Iterator[str]:
    mark = "  [EMULATED: no money is real]" if report.kind == "emulated" else ""
    yield f"orch on {report.host}: report of {days(report.period_s)}{mark}"
    yield f"{report.since:%Y-%m-%d %H:%M} to {report.until:%Y-%m-%d %H:%M} UTC"


def _income(report: Report) -> Iterator[str]:
    sums = report.booked
    yield "INCOME"
    yield _line("Booked (as the ledger's export)", money(sums.income_usd))
    parts = f"settled {money(sums.settled_usd)}, accrued {money(sums.accrued_usd)}"
    yield f"    {parts}, estimated {money(sums.estimated_usd)}"
    yield _line("Fees, gas, penalties", money(sums.fees_usd))
    yield _line("Earned in this time", usd(report.earned_usd))
    yield _line("Mean rate", UNKNOWN if report.usd_per_hour is None else f"${report.usd_per_hour:.4f}/h")
    net = report.net
    if net is None:
        yield _line("Net", UNKNOWN)
    else:
        yield _line(f"Net of {net.hours} h", usd(net.net_usd))
        yield f"    gross {usd(net.gross_usd)}, fees {usd(net.fees_usd)}, running costs {usd(net.running_usd)}"


def _nodes(report: Report) -> Iterator[str]:
    if not report.nodes:
        return
    head = ("node", "earned", "share", "USD/h", "booked", "settled", "uptime", "cpu used")
    rows = [
        (
            node.node[:16],
            usd(node.earned_usd),
            pct(node.share_pct, 0),
            UNKNOWN if node.usd_per_hour is None else f"{node.usd_per_hour:.4f}",
            booked(node, node.income_usd),
            booked(node, node.settled_usd),
            pct(node.uptime_pct),
            pct(node.cpu_used_pct, 0),
        )
        for node in report.nodes
    ]
    yield "NODES"
    yield from _table(head, rows)
    known = efficiency(report)
    if known:
        yield "An hour earned, of each allocated unit:"
        yield from (f"    {each}" for each in known)


def _health(report: Report) -> Iterator[str]:
    yield "UPTIME AND FORECASTS"
    yield _line("All nodes online", pct(report.uptime.uptime_pct))
    yield _line("Of which that is not known", pct(report.uptime.unknown_pct))
    yield _line("Error of forecasts", pct(report.forecasts.error_pct))
    yield _line("Truth within their 90 % interval", pct(report.forecasts.coverage_pct))


def _moves(report: Report) -> Iterator[str]:
    found = report.moves
    yield "MOVES, AND WHETHER THEY PAID"
    yield _line("Moves", f"{found.count} ({found.settled} settled, {found.rolled_back} rolled back)")
    told = f"{found.paid} paid, {found.lost} lost, {found.inconclusive} inconclusive, {found.pending} pending"
    yield _line("Verdicts", told)
    yield _line("Seen to bring, so far", usd(found.realised_usd))
    yield _line("Reckoned to cost", usd(found.cost_usd))
    yield _line(f"Missed by refusing, {found.missed_hours:.0f} h", usd(found.missed_usd))
    yield _line("Decisions", f"{report.decisions.count}, of them {report.decisions.moves} to move")
    for move in report.reallocations[:MOST_MOVES]:
        verdict = move.verdict if move.state == "settled" else move.state
        yield f"    {move.started_at:%m-%d %H:%M}  {verdict:<12}  {move.sentence}"[:WIDTH]
    if len(report.reallocations) > MOST_MOVES:
        yield f"    and {found.count - MOST_MOVES} more: `orch history` has all"


def _compared(report: Report) -> Iterator[str]:
    found = report.comparison
    if found is None:
        return
    yield f"COMPARED, OVER {found.hours:.0f} H (estimated by the recorded curves)"
    yield _line("As it was", usd(found.as_recorded_usd))
    yield _line("Never moved", usd(found.never_moved_usd))
    yield _line(f"Best fixed of {found.splits} splits", usd(found.best_fixed_usd))
    yield _line("Gained by moving, after its cost", usd(found.gained_by_moving_usd))
    yield _line("Left on the table", usd(found.left_on_the_table_usd))


def _alerts(report: Report) -> Iterator[str]:
    if not report.alerts:
        return
    yield "ALERTS"
    for each in report.alerts[:MOST_MOVES]:
        about = each.rule + (f" of {each.node}" if each.node else "")
        yield _line(about, f"{each.count} times, {days(each.lasted_s)}")


def _suggestions(report: Report) -> Iterator[str]:
    if not report.suggestions:
        return
    yield "WHAT COULD BE BETTER"
    for each in report.suggestions:
        worth = "" if each.usd_per_day is None else f" (${each.usd_per_day:.2f} a day)"
        yield f"  * {each.sentence}{worth}"
        yield f"    {each.remedy}"


def _unknown(report: Report) -> Iterator[str]:
    if not report.unknown:
        return
    yield "NOT KNOWN"
    yield from (f"  ? {each}" for each in report.unknown)


def money(amount: Decimal) -> str:
    """Cents of an exact sum."""
    return f"${amount:,.2f}" if amount >= 0 else f"-${-amount:,.2f}"


def usd(amount: float | None) -> str:
    """Cents, or that it is not known."""
    if amount is None:
        return UNKNOWN
    cents = round(amount, 2)
    return f"${cents:,.2f}" if cents > 0 else f"-${-cents:,.2f}" if cents < 0 else "$0.00"


def efficiency(report: Report) -> list[str]:
    """What an hour earned of each allocated unit, where that is known."""
    return [
        f"${amount:.6f} per {UNITS[name]}"
        for name in RESOURCES
        if (amount := report.efficiency_usd_per_hour.get(name)) is not None
    ]


def booked(node: NodePart, amount: Decimal) -> str:
    """A node's sum, or that it is not known: none of its entries has a price."""
    return UNKNOWN if node.unpriced and not node.income_usd else money(amount)


def pct(share: float | None, digits: int = 1) -> str:
    """Percent, or that it is not known."""
    return UNKNOWN if share is None else f"{share:.{digits}f} %"


def days(seconds: float) -> str:
    """A length of time.

    >>> days(3600), days(86_400), days(604_800)
    ('1 h', '24 h', '7 days')
    """
    if seconds < 5400:
        return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:g} days"


def _line(what: str, said: str) -> str:
    return f"  {what:<34}{said}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        first, rest = (
            row[0].ljust(widths[0]),
            (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)),
        )
        yield f"  {first}  {'  '.join(rest)}"
