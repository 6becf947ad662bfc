"""Roll-ups of closed hours, retention, checkpoints: the recorder's housekeeping.

How an hour is summed up: ticks come at even distances, so the plain mean over an hour's ticks is the mean over
the time that was observed; time without ticks is not guessed at. Means leave unknown figures out. `evidence`
is the worst that went into the hour's rate, `health` the most common (of equals the worse).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb

from orch.store.transaction import explained, transaction
from orch.store.values import from_stored_time, to_stored_time

KEEP = timedelta(days=30)
HOUR = timedelta(hours=1)
BEGINNING = datetime(1970, 1, 1)  # noqa: DTZ001 - times of tables are naive UTC

FIGURES = (
    "usd_low",
    "usd_mean",
    "usd_high",
    "cpu_used",
    "memory_used",
    "bandwidth_used",
    "storage_used",
    "cpu_allocated",
    "memory_allocated",
    "bandwidth_allocated",
    "storage_allocated",
)

SAMPLES = f"""
INSERT INTO samples_hourly BY NAME
SELECT * EXCLUDE (online, degraded, unknown, offline), online AS online_ticks, unknown AS unknown_ticks,
       CASE WHEN offline >= greatest(online, degraded, unknown) THEN 'offline'
            WHEN unknown >= greatest(online, degraded) THEN 'unknown'
            WHEN degraded >= online THEN 'degraded'
            ELSE 'online' END AS health
FROM (
    SELECT date_trunc('hour', taken_at) AS taken_at, host, node,
           {", ".join(f"avg({figure}) AS {figure}" for figure in FIGURES)},
           max(evidence) AS evidence, count(*) AS ticks,
           count_if(health = 'online') AS online, count_if(health = 'degraded') AS degraded,
           count_if(health = 'unknown') AS unknown, count_if(health = 'offline') AS offline
    FROM samples
    WHERE taken_at >= $since AND taken_at < $until
    GROUP BY ALL
)
"""  # noqa: S608 - nothing from outside is in it

TICKS = """
INSERT INTO ticks_hourly BY NAME
SELECT date_trunc('hour', taken_at) AS taken_at, host,
       count_if(health = 'online') AS online, count_if(health = 'degraded') AS degraded,
       count_if(health = 'unknown') AS unknown, count_if(health = 'offline') AS offline
FROM ticks
WHERE taken_at >= $since AND taken_at < $until
GROUP BY ALL
"""


def rolled_until(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Up to when hours are summed up, None before the first."""
    return _marked(connection, "rolled_until")


def forgotten_until(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """Up to when raw rows are gone, None while all are there."""
    return _marked(connection, "forgotten_until")


def roll_up(connection: duckdb.DuckDBPyConnection, now: datetime) -> int:
    """Sum up the hours that closed since the last time.

    An hour is closed when it is over and something later is recorded: ticks are committed in their order, so
    nothing of it can still come.

    Returns:
        How many rows of `samples_hourly` were written.

    Raises:
        StoreError: Nothing was changed.
    """
    newest = connection.execute("SELECT max(taken_at) FROM ticks").fetchall()[0][0]
    if newest is None:
        return 0
    until = min(newest, to_stored_time(now)).replace(minute=0, second=0, microsecond=0)
    last = rolled_until(connection)
    if last is not None and to_stored_time(last) >= until:
        return 0
    span = {"since": BEGINNING if last is None else to_stored_time(last), "until": until}
    with explained("The hours could not be summed up"), transaction(connection):
        written: int = connection.execute(SAMPLES, span).fetchall()[0][0]
        connection.execute(TICKS, span).fetchall()
        _mark(connection, "rolled_until", until)
    return written


def forget(connection: duckdb.DuckDBPyConnection, now: datetime, keep: timedelta = KEEP) -> int:
    """Delete raw rows older than `keep`, and whole plans of decisions as old; never before they are summed up.

    The roll-ups, the ledger, decisions, reallocations, alerts and prices stay for ever.

    Returns:
        How many samples were deleted.

    Raises:
        StoreError: Nothing was changed.
    """
    rolled = rolled_until(connection)
    if rolled is None:
        return 0
    before = to_stored_time(min(now - keep, rolled))
    with explained("Old rows could not be deleted"), transaction(connection):
        deleted: int = connection.execute("DELETE FROM samples WHERE taken_at < ?", [before]).fetchall()[0][0]
        connection.execute("DELETE FROM ticks WHERE taken_at < ?", [before]).fetchall()
        connection.execute("DELETE FROM failures WHERE failed_at < ?", [before]).fetchall()
        # An hour longer: what a row was packed with must not go before it.
        connection.execute("DELETE FROM decision_inputs WHERE decided_at < ?", [before - 2 * HOUR]).fetchall()
        connection.execute(
            "UPDATE decisions SET plan = NULL WHERE decided_at < ? AND plan IS NOT NULL", [before]
        ).fetchall()
        _mark(connection, "forgotten_until", before)
    return deleted


def checkpoint(connection: duckdb.DuckDBPyConnection) -> bool:
    """Fold the log into the file; False when a reader is in the way, then the next time does it.

    Raises:
        StoreError: The file cannot be written.
    """
    with explained("The log could not be folded into the database"):
        try:
            connection.checkpoint()
        except duckdb.TransactionException:
            return False
    return True


def _marked(connection: duckdb.DuckDBPyConnection, key: str) -> datetime | None:
    found = connection.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchall()
    return from_stored_time(datetime.fromisoformat(found[0][0])) if found else None


def _mark(connection: duckdb.DuckDBPyConnection, key: str, until: datetime) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, until.isoformat()]).fetchall()
