"""What a report asks the database: sums over a period, each in one pass, so that memory stays flat."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orch.model.base import Value
from orch.model.resources import RESOURCES, SHORT
from orch.store.maintenance import BEGINNING, rolled_until
from orch.store.values import from_stored_time, to_stored_time

if TYPE_CHECKING:
    from datetime import datetime

    import duckdb

CHARGES = ("fee", "gas", "penalty")
FIGURES = tuple(f"{SHORT[name]}_{what}" for name in RESOURCES for what in ("used", "allocated"))


class LedgerSum(Value):
    """Entries of one node, kind and evidence, booked in a period."""

    node: str
    protocol: str
    kind: str
    evidence: str
    usd: Decimal
    entries: int
    unpriced: int


class NodeTimes(Value):
    """What the samples of a period say of one node: ticks by health, and means over the ticks with a figure."""

    node: str
    ticks: int
    online: int
    unknown: int
    usd_per_hour: float | None
    means: dict[str, float | None]


class AlertSum(Value):
    """The alerts of one rule and node that began in a period, and the seconds they lasted up to its end."""

    rule: str
    node: str | None
    severity: str
    count: int
    lasted_s: float


def ledger_sums(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> tuple[LedgerSum, ...]:
    """Sums over the entries booked in [since, until): exactly those that an export of that time holds."""
    rows = connection.execute(
        """
        SELECT node, any_value(protocol), kind, evidence, coalesce(sum(usd), 0), count(*), count_if(usd IS NULL)
        FROM ledger WHERE booked_at >= $since AND booked_at < $until
        GROUP BY node, kind, evidence ORDER BY node, kind, evidence
        """,
        _span(since, until),
    ).fetchall()
    return tuple(
        LedgerSum(
            node=node,
            protocol=protocol,
            kind=kind,
            evidence=evidence,
            usd=Decimal(usd),
            entries=count,
            unpriced=open_,
        )
        for node, protocol, kind, evidence, usd, count, open_ in rows
    )


def charged_usd(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> float:
    """Fees, gas and penalties (negative) of the time from then to then, by when they were for."""
    query = (
        "SELECT coalesce(sum(usd), 0)::DOUBLE FROM ledger "
        "WHERE kind IN ('fee', 'gas', 'penalty') AND period_end > $since AND period_end <= $until"
    )
    return float(connection.execute(query, _span(since, until)).fetchall()[0][0])


def node_times(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> tuple[NodeTimes, ...]:
    """Per node, from hourly roll-ups as far as they reach and raw samples after them."""
    rolled = rolled_until(connection)
    means = ", ".join(
        f"sum({name} * ticks) / nullif(sum(ticks) FILTER (WHERE {name} IS NOT NULL), 0)"
        for name in ("usd_mean", *FIGURES)
    )
    columns = ", ".join(("usd_mean", *FIGURES))
    rows = connection.execute(
        f"""
        WITH parts AS (
            SELECT node, 1 AS ticks, (health = 'online')::INT AS online,
                   (health = 'unknown')::INT AS unknown, {columns}
            FROM samples WHERE taken_at >= greatest($since, $raw_since) AND taken_at < $until
            UNION ALL
            SELECT node, ticks, online_ticks, unknown_ticks, {columns}
            FROM samples_hourly WHERE taken_at >= $since AND taken_at < least($until, $raw_since)
        )
        SELECT node, sum(ticks)::BIGINT, sum(online)::BIGINT, sum(unknown)::BIGINT, {means}
        FROM parts GROUP BY node ORDER BY node
        """,  # noqa: S608 - nothing from outside is in it
        _span(since, until) | {"raw_since": BEGINNING if rolled is None else to_stored_time(rolled)},
    ).fetchall()
    return tuple(
        NodeTimes(
            node=row[0],
            ticks=row[1],
            online=row[2],
            unknown=row[3],
            usd_per_hour=row[4],
            means=dict(zip(FIGURES, row[5:], strict=True)),
        )
        for row in rows
    )


def decision_counts(
    connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime
) -> tuple[int, int, dict[str, int]]:
    """How many decisions, how many of them moves, and how many for each reason."""
    within, span = "decided_at >= $since AND decided_at < $until", _span(since, until)
    query = f"SELECT count(*), coalesce(count_if(verdict = 'move'), 0) FROM decisions WHERE {within}"  # noqa: S608
    count, moves = connection.execute(query, span).fetchall()[0]
    rows = connection.execute(
        f"""
        SELECT reason, count(*) FROM (
            SELECT unnest(from_json(reasons, '["VARCHAR"]')) AS reason FROM decisions WHERE {within}
        ) GROUP BY reason ORDER BY count(*) DESC, reason
        """,  # noqa: S608 - nothing from outside is in it
        span,
    ).fetchall()
    return count, moves, dict(rows)


def alert_sums(connection: duckdb.DuckDBPyConnection, since: datetime, until: datetime) -> tuple[AlertSum, ...]:
    """The alerts that began in a period and fired, most frequent first."""
    rows = connection.execute(
        """
        SELECT rule, node, arg_max(severity, since), count(*),
               sum(epoch(least(coalesce(resolved_at, $until), $until) - since))
        FROM alerts WHERE since >= $since AND since < $until AND state <> 'pending'
        GROUP BY rule, node ORDER BY count(*) DESC, rule, node
        """,
        _span(since, until),
    ).fetchall()
    return tuple(
        AlertSum(rule=rule, node=node, severity=severity, count=count, lasted_s=float(lasted or 0.0))
        for rule, node, severity, count, lasted in rows
    )


def recorded_since(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The oldest tick that is recorded, raw or by hour; None before the first."""
    query = "SELECT least((SELECT min(taken_at) FROM ticks), (SELECT min(taken_at) FROM ticks_hourly))"
    found = connection.execute(query).fetchall()[0][0]
    return None if found is None else from_stored_time(found)


def _span(since: datetime, until: datetime) -> dict[str, Any]:
    return {"since": to_stored_time(since), "until": to_stored_time(until)}
