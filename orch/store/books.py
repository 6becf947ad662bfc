"""The books and what else is read from the ledger: balances, income by hour, totals, trails."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import TYPE_CHECKING, Any

from orch.model.base import Value
from orch.model.books import Balance, Books, HourlyIncome, Turned
from orch.model.money import EarnedUsd, Entry, Evidence
from orch.store.rows import ENTRY, REALLOCATION
from orch.store.transaction import explained
from orch.store.values import from_stored_time, to_stored_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

KEPT = timedelta(days=31)
MICRO = 1_000_000
END_S = 253_370_764_800
"""The year 9999: no end."""

BALANCES = """
SELECT node, stream, kind, evidence, unit,
       sum(amount), coalesce(sum(amount) FILTER (WHERE usd IS NULL), 0), coalesce(sum(usd), 0),
       max(period_end), count(*)
FROM ledger
GROUP BY ALL
ORDER BY ALL
"""

# An entry belongs evenly to all of [period_start, period_end); one without a length to its end's step.
SPREAD = """
WITH income AS (
    SELECT node, unit, evidence, amount::DOUBLE AS amount, coalesce(usd, 0)::DOUBLE AS usd,
           epoch_us(period_start) AS a, epoch_us(period_end) AS b
    FROM ledger
    WHERE kind IN ('earned', 'correction') AND evidence <> 'speculative'
      AND period_end >= make_timestamp($since) AND period_start < make_timestamp($until)
      AND ($node IS NULL OR node = $node)
),
cells AS (
    SELECT *, unnest(range(
        greatest(a, $since) // $step,
        CASE WHEN a = b THEN b // $step + 1 ELSE (least(b, $until) + $step - 1) // $step END
    )) AS cell
    FROM income
),
parts AS (
    SELECT node, unit, evidence, cell, amount, usd,
           CASE WHEN a = b THEN 1.0
                ELSE (least(b, (cell + 1) * $step) - greatest(a, cell * $step)) / (b - a) END AS part
    FROM cells
)
SELECT node, unit, make_timestamp(cell * $step) AS starts_at, min(evidence) AS best,
       sum(usd * part) AS usd, sum(amount * part) AS amount
FROM parts
GROUP BY node, unit, cell
HAVING sum(usd * part) <> 0 OR sum(amount * part) <> 0
ORDER BY ALL
"""


class NodeTotals(Value):
    """What one node earned so far."""

    node: str
    earned: EarnedUsd


class EarnedTotals(Value):
    """Income so far by evidence: the sum of `usd` over earned and correction; speculative never counts."""

    total: EarnedUsd
    nodes: tuple[NodeTotals, ...]


class IncomeStep(Value):
    """USD that one node earned in one step of time, by period, whatever day it was booked on."""

    node: str
    starts_at: datetime
    usd: float
    evidence: Evidence


def restore_books(connection: duckdb.DuckDBPyConnection, now: datetime) -> Books:
    """The ledger's balances and the last 31 days of income by hour, as booked.

    Args:
        connection: Any connection to the database.
        now: The time of the recorded world; hours older than 31 days are left out.

    Returns:
        Books whose sequence is the last recorded tick's, 0 before the first.

    Raises:
        StoreError: The ledger cannot be read.
    """
    with explained("The books could not be read"):
        return _restore(connection, now)


def _restore(connection: duckdb.DuckDBPyConnection, now: datetime) -> Books:
    balances = tuple(
        Balance(
            node=node,
            stream=stream,
            kind=kind,
            evidence=evidence,
            unit=unit,
            amount=amount,
            unpriced=Decimal(unpriced),
            usd=Decimal(usd),
            last_period_end=from_stored_time(ends_at),
            entries=entries,
        )
        for node, stream, kind, evidence, unit, amount, unpriced, usd, ends_at, entries in connection.execute(
            BALANCES
        ).fetchall()
    )
    oldest = (now - KEPT).replace(minute=0, second=0, microsecond=0)
    hourly = tuple(
        HourlyIncome(node=node, hour=from_stored_time(hour), usd=usd, evidence=best, unit=unit, amount=amount)
        for node, unit, hour, best, usd, amount in _spread(connection, oldest, None, 3600, None)
    )
    found = connection.execute("SELECT value FROM meta WHERE key = 'sequence'").fetchall()
    return Books(
        balances=balances,
        hourly=hourly,
        turned=_turned(connection, oldest),
        sequence=int(found[0][0]) if found else 0,
    )


def _turned(connection: duckdb.DuckDBPyConnection, since: datetime) -> tuple[Turned, ...]:
    """Every setting that a settled move changed, oldest first."""
    rows = connection.execute(
        f"SELECT {REALLOCATION.columns} FROM reallocations WHERE state = 'settled' AND started_at >= ? "  # noqa: S608
        "ORDER BY started_at, id",
        [to_stored_time(since)],
    ).fetchall()
    return tuple(
        Turned(
            node=change.node,
            resource=change.resource,
            before=change.from_value,
            after=change.to_value,
            turned_at=move.ended_at or move.started_at,
        )
        for move in (REALLOCATION.decode(row) for row in rows)
        for change in move.changes
        if change.from_value is not None and change.to_value is not None
    )


def earned_totals(connection: duckdb.DuckDBPyConnection) -> EarnedTotals:
    """Income so far, by evidence and by node."""
    rows = connection.execute(
        """
        SELECT node, evidence, sum(usd) FROM ledger
        WHERE kind IN ('earned', 'correction') AND evidence <> 'speculative' AND usd IS NOT NULL
        GROUP BY ALL ORDER BY ALL
        """
    ).fetchall()
    names = sorted({node for node, _, _ in rows})
    return EarnedTotals(
        total=_earned([row[1:] for row in rows]),
        nodes=tuple(
            NodeTotals(node=name, earned=_earned([row[1:] for row in rows if row[0] == name])) for name in names
        ),
    )


def get_earnings_trends(
    connection: duckdb.DuckDBPyConnection,
    since: datetime,
    until: datetime,
    step_s: int = 3600,
    node: str | None = None,
) -> tuple[IncomeStep, ...]:
    """Income in USD per node and step of time, spread over the periods it was earned in.

    Steps are whole: they begin at multiples of `step_s` since the epoch, the first one holds `since` and the
    last one the moment before `until`. Steps without income are left out.
    """
    return tuple(
        IncomeStep(node=name, starts_at=from_stored_time(starts_at), usd=usd, evidence=best)
        for name, _, starts_at, best, usd, _ in _spread(connection, since, until, step_s, node)
        if usd
    )


def ledger_rows(
    connection: duckdb.DuckDBPyConnection,
    node: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 1000,
) -> tuple[Entry, ...]:
    """The newest ledger entries by booking, newest first: what a figure on a screen is made of."""
    rows = connection.execute(
        f"""
        SELECT {ENTRY.columns} FROM ledger
        WHERE ($node IS NULL OR node = $node)
          AND ($since IS NULL OR booked_at >= $since) AND ($until IS NULL OR booked_at < $until)
        ORDER BY booked_at DESC, entry_id DESC LIMIT $limit
        """,  # noqa: S608 - the columns are the Struct's own
        {
            "node": node,
            "since": since and to_stored_time(since),
            "until": until and to_stored_time(until),
            "limit": limit,
        },
    ).fetchall()
    return tuple(ENTRY.decode(row) for row in rows)


def _spread(
    connection: duckdb.DuckDBPyConnection,
    since: datetime,
    until: datetime | None,
    step_s: int,
    node: str | None,
) -> list[tuple[Any, ...]]:
    first = int(since.timestamp()) // step_s * step_s
    end = END_S if until is None else -(-ceil(until.timestamp()) // step_s) * step_s
    return connection.execute(
        SPREAD,
        {"since": first * MICRO, "until": end * MICRO, "step": step_s * MICRO, "node": node},
    ).fetchall()


def _earned(sums: Sequence[tuple[Evidence, Decimal]]) -> EarnedUsd:
    by: dict[Evidence, Decimal] = {}
    for evidence, usd in sums:
        by[evidence] = by.get(evidence, Decimal(0)) + usd
    zero = Decimal(0)
    return EarnedUsd(
        settled=by.get("settled", zero), accrued=by.get("accrued", zero), estimated=by.get("estimated", zero)
    )
