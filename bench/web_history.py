"""A database with a long past, made by DuckDB itself: `python -m bench.web_history DIRECTORY DAYS`.

What retention leaves of so many days of four nodes polled every 5 s: the last 30 by tick, all of them by hour, a
decision for every minute, ledger entries, moves and alerts of the whole time.
"""

from __future__ import annotations

import json
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from orch.store.database import open_for_writing
from orch.store.maintenance import KEEP, checkpoint, roll_up
from orch.store.values import to_stored_time

if TYPE_CHECKING:
    import duckdb

NODES = "(VALUES ('disk', 0.02), ('compute', 0.1), ('relay', 0.05), ('address', 0.01)) AS nodes(node, usd)"
FIGURES = """
    usd * (0.8 + 0.1 * random()), usd * (0.9 + 0.2 * random()), usd * (1.1 + 0.1 * random()), 'accrued',
    random(), 2 * random(), 100 * random(), 500 + 10 * random(), 1, 2, 100, 1000
"""
SHARE = '{"cpu_cores":2.0,"memory_gb":4.0,"bandwidth_mbps":100.0,"storage_gb":1000.0}'
SPLIT = f'{{"disk":{SHARE},"compute":{SHARE},"relay":{SHARE},"address":{SHARE}}}'
RATE = (
    '{"low":0.001,"mean":0.002,"high":0.003,"net_mean":null,"evidence":"accrued","window_s":86400.0,"age_s":60.0}'
)
TABLES = {
    "samples": f"""
        SELECT t, $host, node, CASE WHEN random() < 0.98 THEN 'online' ELSE 'offline' END, {FIGURES}
        FROM generate_series($recent, $until, INTERVAL 5 SECOND) AS ticks(t), {NODES}
    """,  # noqa: S608 - nothing from outside is in it
    "ticks": "SELECT t, $host, 'online' FROM generate_series($recent, $until, INTERVAL 5 SECOND) AS ticks(t)",
    "samples_hourly": f"""
        SELECT t, $host, node, 'online', {FIGURES}, 720, 706, 0
        FROM generate_series($since, $recent - INTERVAL 1 HOUR, INTERVAL 1 HOUR) AS hours(t), {NODES}
    """,  # noqa: S608 - nothing from outside is in it
    "ticks_hourly": """
        SELECT t, $host, 706, 0, 0, 14
        FROM generate_series($since, $recent - INTERVAL 1 HOUR, INTERVAL 1 HOUR) AS hours(t)
    """,
    "decisions": f"""
        SELECT 'd' || epoch_us(t), t, 'stay', '["GAIN_BELOW_COST"]', 'Moving would not earn back what it costs.',
               'threshold', 'linear', '["linear"]', NULL, '{SPLIT}', '{SPLIT}', '{RATE}',
               0.05, 0.1, -0.05, NULL, 24, true, '[]', $host, NULL
        FROM generate_series($since, $until, INTERVAL 1 MINUTE) AS minutes(t)
    """,  # noqa: S608 - nothing from outside is in it
    "ledger": f"""
        SELECT md5(node || epoch_us(t)), t, t - INTERVAL 1 HOUR, t, $host, node, node, node, 'earned', usd, 'USD',
               1, 'bench', t, usd, 'accrued', 'bench', true
        FROM generate_series($since, $until, INTERVAL 1 HOUR) AS hours(t), {NODES}
    """,  # noqa: S608 - nothing from outside is in it
    "reallocations": f"""
        SELECT 'r' || epoch_us(t), NULL, NULL, 'settled', 'auto', t, t + INTERVAL 1 MINUTE,
               '[{{"node":"disk","resource":"cpu_cores","from":1.0,"to":2.0,"read_back":2.0}}]',
               '["GAIN_ABOVE_COST"]', 'moved', '{RATE}', 0.1, NULL, 'inconclusive', NULL, $host
        FROM generate_series($since, $until, INTERVAL 1 DAY) AS days(t)
    """,  # noqa: S608 - nothing from outside is in it
    "alerts": """
        SELECT 'a' || epoch_us(t), 'node_lost', 'disk', 'page', 'resolved', t, 'disk does not answer', 'look',
               t + INTERVAL 1 HOUR, $host
        FROM generate_series($since, $until, INTERVAL 12 HOUR) AS halves(t)
    """,
}
COLUMNS = {
    "alerts": "id, rule, node, severity, state, since, sentence, remedy, resolved_at, host",
    "reallocations": (
        "id, plan_id, decision_id, state, trigger, started_at, ended_at, changes, reasons, sentence, "
        "predicted_gain_usd_per_hour, cost_usd, realised_gain_usd_per_hour, verdict, rolled_back_reason, host"
    ),
    "decisions": (
        "id, decided_at, verdict, reasons, sentence, strategy, solver, solver_chain, plan_id, from_value, "
        "to_value, gain_usd_per_hour, gain_usd, cost_usd, net_benefit_usd, net_benefit_pct, horizon_h, "
        "can_reallocate, blockers, host, plan"
    ),
}
"""Where later versions of a table may have columns besides."""


def build(data_dir: Path, days: int) -> dict[str, float]:
    """Make the data directory; returns `{days, rows, seconds, mb}`."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    until = datetime.now(UTC).replace(microsecond=0)
    since = (until - timedelta(days=days)).replace(minute=0, second=0)
    recent = max(since, (until - KEEP).replace(minute=0, second=0))
    began = perf_counter()
    path = data_dir / "orch.duckdb"
    writer = open_for_writing(path, "emulated", socket.gethostname(), since)
    try:
        rows = _fill(writer.connection, since, recent, until)
        roll_up(writer.connection, until)
        checkpoint(writer.connection)
    finally:
        writer.close()
    return {"days": days, "rows": rows, "seconds": perf_counter() - began, "mb": path.stat().st_size / 1e6}


def _fill(connection: duckdb.DuckDBPyConnection, since: datetime, recent: datetime, until: datetime) -> int:
    values = {
        "host": socket.gethostname(),
        "since": to_stored_time(since),
        "recent": to_stored_time(recent),
        "until": to_stored_time(until),
    }
    rows = 0
    for table, query in TABLES.items():
        into = f"{table} ({COLUMNS[table]})" if table in COLUMNS else table
        wanted = {name: value for name, value in values.items() if f"${name}" in query}
        rows += connection.execute(f"INSERT INTO {into} {query}", wanted).fetchall()[0][0]
    marks = [("rolled_until", values["recent"].isoformat()), ("clock", values["until"].isoformat())]
    connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", marks)
    return rows


if __name__ == "__main__":
    print(json.dumps(build(Path(sys.argv[1]), int(sys.argv[2]))))
