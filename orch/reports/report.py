"""A report put together from what was read: pure, so that the page, the API, the command and mail say the same."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.model.report import (
    AlertPart,
    Booked,
    Comparison,
    DecisionsPart,
    Drawn,
    ForecastPart,
    MovePart,
    MovesPart,
    Net,
    NodePart,
    Report,
    UptimePart,
)
from orch.model.resources import RESOURCES, SHORT, Resources, resources
from orch.reports.suggestions import suggestions
from orch.reports.switches import switch_ledger
from orch.store.reporting import CHARGES, AlertSum, LedgerSum, NodeTimes
from orch.store.series import KpiHour, Line, Uptime

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orch.model.moves import Reallocation
    from orch.model.switches import Missed
    from orch.store.books import IncomeStep

INCOME = ("earned", "correction")
SHOWN_MOVES = 50
DIGITS = 60


class Sources(Value):
    """What was read of the database for a period."""

    kind: str
    host: str
    ledger: tuple[LedgerSum, ...]
    times: tuple[NodeTimes, ...]
    uptime: Uptime
    kpis: tuple[KpiHour, ...]
    decisions: tuple[int, int, dict[str, int]]
    alerts: tuple[AlertSum, ...]
    rates: tuple[Line, ...]
    recorded_since: datetime | None
    comparison: Comparison | None
    costs: dict[int, float]
    charged_usd: float


def generate_report(
    found: Sources,
    moves: tuple[Reallocation, ...],
    missed: Missed,
    hourly: tuple[IncomeStep, ...],
    since: datetime,
    until: datetime,
    rate_step_s: int,
) -> Report:
    """The report of [since, until). `hourly` is income by hour and node, by when it was earned."""
    booked = _booked(found.ledger)
    earned = _by_node(hourly)
    total = math.fsum(earned.values()) if hourly else None
    nodes = tuple(_node(name, found, earned, total) for name in _names(found, earned))
    rates = [each.usd_per_hour for each in nodes if each.usd_per_hour is not None]
    report = Report(
        schema=1,
        kind=found.kind,
        host=found.host,
        as_of=until,
        since=since,
        until=until,
        period_s=(until - since).total_seconds(),
        booked=booked,
        earned_usd=total,
        usd_per_hour=math.fsum(rates) if rates else None,
        net=_net(found, hourly),
        nodes=nodes,
        efficiency_usd_per_hour=_efficiency(found.times),
        uptime=UptimePart(
            uptime_pct=found.uptime.uptime_pct,
            unknown_pct=found.uptime.uptime_unknown_pct,
            ticks=found.uptime.ticks,
        ),
        moves=_moves(moves, missed),
        reallocations=tuple(map(_move, moves[:SHOWN_MOVES])),
        forecasts=_forecasts(found.kpis),
        comparison=found.comparison,
        decisions=DecisionsPart(count=found.decisions[0], moves=found.decisions[1], reasons=found.decisions[2]),
        alerts=tuple(
            AlertPart(
                rule=each.rule, node=each.node, severity=each.severity, count=each.count, lasted_s=each.lasted_s
            )
            for each in found.alerts
        ),
        suggestions=(),
        unknown=(),
        income=_daily(hourly),
        rate_step_s=rate_step_s,
        rates=tuple(Drawn(node=line.node, points=line.points) for line in found.rates),
    )
    said, unknown = suggestions(report), _unknown(report, found)
    fields = {name: getattr(report, name) for name in report.__struct_fields__}
    return Report(**{**fields, "suggestions": said, "unknown": unknown})


def exact(amounts: Iterable[Decimal]) -> Decimal:
    """A sum to the last digit, without trailing zeros."""
    with localcontext(prec=DIGITS):
        text = f"{sum(amounts, Decimal(0)):f}"
    return Decimal((text.rstrip("0").rstrip(".") or "0") if "." in text else text)


def _booked(ledger: Iterable[LedgerSum]) -> Booked:
    entries = tuple(ledger)
    income = [each for each in entries if each.kind in INCOME and each.evidence != "speculative"]
    fees = [each.usd for each in entries if each.kind in CHARGES]
    by = {
        evidence: exact(each.usd for each in income if each.evidence == evidence)
        for evidence in ("settled", "accrued", "estimated")
    }
    return Booked(
        income_usd=exact(each.usd for each in income),
        settled_usd=by["settled"],
        accrued_usd=by["accrued"],
        estimated_usd=by["estimated"],
        fees_usd=exact(fees),
        after_fees_usd=exact([*(each.usd for each in income), *fees]),
        entries=sum(each.entries for each in entries),
        unpriced=sum(each.unpriced for each in entries),
    )


def _by_node(hourly: Iterable[IncomeStep]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for each in hourly:
        found.setdefault(each.node, []).append(each.usd)
    return {node: math.fsum(amounts) for node, amounts in found.items()}


def _names(found: Sources, earned: Mapping[str, float]) -> list[str]:
    return sorted({*(each.node for each in found.ledger), *(each.node for each in found.times), *earned})


def _node(name: str, found: Sources, earned: Mapping[str, float], total: float | None) -> NodePart:
    own = tuple(each for each in found.ledger if each.node == name)
    times = next((each for each in found.times if each.node == name), None)
    booked = _booked(own)
    known = times.ticks - times.unknown if times is not None else 0
    mine = earned.get(name)
    return NodePart(
        node=name,
        protocol=own[0].protocol if own else "",
        income_usd=booked.income_usd,
        settled_usd=booked.settled_usd,
        accrued_usd=booked.accrued_usd,
        estimated_usd=booked.estimated_usd,
        fees_usd=booked.fees_usd,
        earned_usd=mine,
        usd_per_hour=times.usd_per_hour if times is not None else None,
        share_pct=100.0 * mine / total if mine is not None and total else None,
        uptime_pct=100.0 * times.online / known if times is not None and known else None,
        unknown_pct=100.0 * times.unknown / times.ticks if times is not None and times.ticks else None,
        unpriced=booked.unpriced,
        cpu_allocated=times.means["cpu_allocated"] if times is not None else None,
        **{f"{SHORT[each]}_used_pct": _share(times, SHORT[each]) for each in RESOURCES},
    )


def _share(times: NodeTimes | None, short: str) -> float | None:
    if times is None:
        return None
    used, given = times.means[f"{short}_used"], times.means[f"{short}_allocated"]
    return 100.0 * used / given if used is not None and given else None


def _efficiency(times: Iterable[NodeTimes]) -> Resources:
    """USD per hour of each allocated unit, over nodes whose rate is known."""
    known = [each for each in times if each.usd_per_hour is not None]
    rate = math.fsum(each.usd_per_hour or 0.0 for each in known)
    found: dict[str, float | None] = {}
    for name in RESOURCES:
        given = math.fsum(each.means[f"{SHORT[name]}_allocated"] or 0.0 for each in known)
        found[name] = rate / given if known and given else None
    return resources({name: found[name] for name in RESOURCES})


def _net(found: Sources, hourly: Iterable[IncomeStep]) -> Net | None:
    """Over the hours whose running costs are known; None without any."""
    if not found.costs:
        return None
    gross = math.fsum(each.usd for each in hourly if int(each.starts_at.timestamp()) // 3600 in found.costs)
    running = math.fsum(found.costs.values())
    return Net(
        hours=len(found.costs),
        gross_usd=gross,
        fees_usd=found.charged_usd,
        running_usd=running,
        net_usd=gross + found.charged_usd - running,
    )


def _moves(moves: tuple[Reallocation, ...], missed: Missed) -> MovesPart:
    ledger = switch_ledger(moves, missed)
    judged = ledger.paid + ledger.lost
    return MovesPart(
        count=len(moves),
        settled=sum(each.state == "settled" for each in moves),
        rolled_back=sum(each.state == "rolled_back" for each in moves),
        paid=ledger.paid,
        lost=ledger.lost,
        inconclusive=ledger.inconclusive,
        pending=ledger.pending,
        success_rate_pct=100.0 * ledger.paid / judged if judged else None,
        realised_usd=ledger.realised_usd,
        cost_usd=ledger.cost_usd,
        missed_usd=ledger.missed_usd,
        missed_hours=ledger.missed_hours,
    )


def _move(move: Reallocation) -> MovePart:
    predicted, realised = move.predicted_gain_usd_per_hour, move.realised_gain_usd_per_hour
    return MovePart(
        id=move.id,
        started_at=move.started_at,
        state=move.state,
        verdict=move.verdict,
        predicted_usd_per_hour=predicted.mean if predicted is not None else None,
        realised_usd_per_hour=realised.mean if realised is not None else None,
        cost_usd=move.cost_usd,
        sentence=move.sentence,
    )


def _forecasts(hours: Iterable[KpiHour]) -> ForecastPart:
    scored = [each.kpis for each in hours if each.kpis.prediction_mape_pct is not None]
    covered = [each.prediction_coverage_pct for each in scored if each.prediction_coverage_pct is not None]
    return ForecastPart(
        error_pct=math.fsum(each.prediction_mape_pct or 0.0 for each in scored) / len(scored) if scored else None,
        coverage_pct=math.fsum(covered) / len(covered) if covered else None,
        hours=len(scored),
    )


def _daily(hourly: Iterable[IncomeStep]) -> tuple[Drawn, ...]:
    days: dict[str, dict[datetime, float]] = {}
    for each in hourly:
        day = each.starts_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        mine = days.setdefault(each.node, {})
        mine[day] = mine.get(day, 0.0) + each.usd
    return tuple(Drawn(node=node, points=tuple(sorted(points.items()))) for node, points in sorted(days.items()))


def _unknown(report: Report, found: Sources) -> tuple[str, ...]:
    """What the report cannot say, and why."""
    said = []
    start = found.recorded_since
    if start is None:
        said.append("Nothing is recorded of this time.")
    elif start > report.since + timedelta(hours=1):
        said.append(f"orch has recorded since {start:%Y-%m-%d %H:%M} UTC only; what was before it is not known.")
    if report.booked.unpriced:
        said.append(f"{report.booked.unpriced} ledger entries had no price and are in no total.")
    dark = [each.node for each in report.nodes if each.usd_per_hour is None and each.earned_usd is None]
    if dark:
        said.append(f"The income of {', '.join(dark)} is not known and in no total.")
    hours = report.period_s / 3600.0
    if report.net is None:
        said.append("Net income is not known: running costs are not, see [costs].")
    elif report.net.hours < 0.95 * hours:
        said.append(f"Running costs are known of {report.net.hours} of {hours:.0f} hours: net is of those only.")
    if report.comparison is None:
        said.append("How other splits would have done is not known: too few decisions are recorded.")
    if report.forecasts.error_pct is None:
        said.append("How good forecasts were is not known yet: none could be scored.")
    return tuple(said)
