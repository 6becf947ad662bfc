"""Typed questions to the database, over any connection to it.

Every answer is read to its end before it is returned, so a cursor is free again. Times are aware UTC.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

import msgspec

from orch.model.base import Value
from orch.model.money import PriceState
from orch.model.plans import Decision, Plan
from orch.model.switches import Missed
from orch.store.books import (
    EarnedTotals,
    IncomeStep,
    NodeTotals,
    earned_totals,
    get_earnings_trends,
    ledger_rows,
    restore_books,
)
from orch.store.lists import Page, alerts, decisions, reallocations
from orch.store.rows import DECISION, REALLOCATION, STEP, Shape
from orch.store.series import (
    METRICS,
    History,
    KpiHour,
    Line,
    Metric,
    Uptime,
    get_metrics_history,
    kpi_hours,
    uptime,
)
from orch.store.values import from_stored_time, to_stored_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from orch.model.moves import Reallocation, StepRecord

__all__ = [
    "METRICS",
    "Board",
    "EarnedTotals",
    "History",
    "IncomeStep",
    "KpiHour",
    "Line",
    "Meta",
    "Metric",
    "NodeTotals",
    "Page",
    "RecordedPrice",
    "Uptime",
    "alerts",
    "decision",
    "decisions",
    "earned_totals",
    "get_earnings_trends",
    "get_metrics_history",
    "get_reallocation_history",
    "kpi_hours",
    "latest_board",
    "latest_prices",
    "ledger_rows",
    "meta",
    "plan",
    "reallocation",
    "reallocation_steps",
    "reallocations",
    "restore_books",
    "uptime",
]

S = TypeVar("S", bound=msgspec.Struct)


class Board(Value):
    """The latest dashboard body, encoded as it was published."""

    taken_at: datetime
    body: bytes


class RecordedPrice(Value):
    """The newest recorded price of a token; `usd` is None while unknown."""

    taken_at: datetime
    token: str
    usd: Decimal | None
    source: str | None
    state: PriceState


class Meta(Value):
    """What the file says of itself. `clock` is the newest time of the recorded world."""

    kind: str
    host: str
    schema_version: int
    created_at: datetime
    clock: datetime | None
    sequence: int | None


# -- decisions and plans ---------------------------------------------------------------------------------


def decision(connection: duckdb.DuckDBPyConnection, decision_id: str | None = None) -> Decision | None:
    """A decision by its id, or the last one; None when there is no such."""
    return _one(connection, DECISION, "decided_at", decision_id)


def decisions_by_id(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> dict[str, Decision]:
    """The decisions of these ids; what is not there is left out."""
    query = f"SELECT {DECISION.columns} FROM decisions WHERE id IN (SELECT unnest(?))"  # noqa: S608
    found = map(DECISION.decode, connection.execute(query, [list(ids)]).fetchall())
    return {each.id: each for each in found}


def plan(connection: duckdb.DuckDBPyConnection, plan_id: str | None = None) -> Plan | None:
    """A whole plan by its id, or the last one; None when there is none or it is no longer kept."""
    rows = connection.execute(
        "SELECT plan FROM decisions WHERE plan IS NOT NULL "
        "AND ($id IS NULL OR coalesce(plan_id, plan->>'$.id') = $id) "
        "ORDER BY decided_at DESC, id DESC LIMIT 1",
        {"id": plan_id},
    ).fetchall()
    return msgspec.json.decode(rows[0][0], type=Plan) if rows else None


# -- reallocations ---------------------------------------------------------------------------------------


def reallocation(connection: duckdb.DuckDBPyConnection, reallocation_id: str | None = None) -> Reallocation | None:
    """A reallocation by its id, or the last one; None when there is no such."""
    return _one(connection, REALLOCATION, "started_at", reallocation_id)


def get_reallocation_history(
    connection: duckdb.DuckDBPyConnection, since: datetime | None = None, until: datetime | None = None
) -> tuple[Reallocation, ...]:
    """All reallocations that were started in a time, newest first."""
    rows = connection.execute(
        f"""
        SELECT {REALLOCATION.columns} FROM reallocations
        WHERE ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
        ORDER BY started_at DESC, id DESC
        """,  # noqa: S608 - the columns are the Struct's own
        {"since": since and to_stored_time(since), "until": until and to_stored_time(until)},
    ).fetchall()
    return tuple(REALLOCATION.decode(row) for row in rows)


def missed_gains(connection: duckdb.DuckDBPyConnection, since: datetime | None = None) -> Missed:
    """What decisions to stay gave up although their plans would have paid after their cost, as predicted.

    A plan stands from its decision to the next one, an hour at most, so that what is decided again and again
    counts once.
    """
    rows = connection.execute(
        """
        WITH told AS (
            SELECT
                verdict, net_benefit_usd,
                json_extract(gain_usd_per_hour, '$.mean')::DOUBLE AS gain,
                least(epoch(lead(decided_at) OVER (ORDER BY decided_at) - decided_at), 3600) / 3600 AS hours
            FROM decisions WHERE $since IS NULL OR decided_at >= $since
        )
        SELECT coalesce(sum(gain * hours), 0), coalesce(sum(hours), 0) FROM told
        WHERE verdict = 'stay' AND net_benefit_usd > 0 AND gain > 0
        """,
        {"since": since and to_stored_time(since)},
    ).fetchall()
    return Missed(usd=float(rows[0][0]), hours=float(rows[0][1]))


def reallocation_steps(connection: duckdb.DuckDBPyConnection, reallocation_id: str) -> tuple[StepRecord, ...]:
    """The steps of one reallocation, in the order they were tried."""
    rows = connection.execute(
        f"SELECT {STEP.columns} FROM reallocation_steps WHERE reallocation_id = ? "  # noqa: S608
        "ORDER BY started_at, phase DESC, step_index",
        [reallocation_id],
    ).fetchall()
    return tuple(STEP.decode(row) for row in rows)


# -- what stands now -------------------------------------------------------------------------------------


def latest_board(connection: duckdb.DuckDBPyConnection) -> Board | None:
    """The dashboard as last published, None before the first."""
    rows = connection.execute("SELECT taken_at, body FROM board").fetchall()
    return Board(taken_at=from_stored_time(rows[0][0]), body=rows[0][1].encode()) if rows else None


def latest_prices(connection: duckdb.DuckDBPyConnection) -> tuple[RecordedPrice, ...]:
    """The newest recorded price of every token, by name."""
    rows = connection.execute(
        """
        SELECT taken_at, token, usd, source, state FROM prices
        QUALIFY row_number() OVER (PARTITION BY token ORDER BY taken_at DESC, state = 'fresh') = 1
        ORDER BY token
        """
    ).fetchall()
    return tuple(
        RecordedPrice(taken_at=from_stored_time(taken_at), token=token, usd=usd, source=source, state=state)
        for taken_at, token, usd, source, state in rows
    )


def meta(connection: duckdb.DuckDBPyConnection) -> Meta:
    """What the file says of itself."""
    found = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    clock = found.get("clock")
    return Meta(
        kind=found["kind"],
        host=found["host"],
        schema_version=int(found["schema_version"]),
        created_at=from_stored_time(datetime.fromisoformat(found["created_at"])),
        clock=None if clock is None else from_stored_time(datetime.fromisoformat(clock)),
        sequence=int(found["sequence"]) if "sequence" in found else None,
    )


# -- one and many ----------------------------------------------------------------------------------------


def _one(connection: duckdb.DuckDBPyConnection, shape: Shape[S], time: str, wanted: str | None) -> S | None:
    rows = connection.execute(
        f"SELECT {shape.columns} FROM {shape.table} WHERE $id IS NULL OR id = $id "  # noqa: S608
        f"ORDER BY {time} DESC, id DESC LIMIT 1",
        {"id": wanted},
    ).fetchall()
    return shape.decode(rows[0]) if rows else None
