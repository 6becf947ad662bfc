"""The store against its aims: commit of one tick, bulk load, roll-up; each beside `executemany`.

Aims: one tick's commit p99 under 25 ms, a million rows per second in bulk, 30 days of four nodes at 5 s summed
up by hour in under 100 ms. Every database is a real file on the disk of the temporary directory.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.machine import load, machine
from orch.model.fleet import Limits, NodeState, Snapshot
from orch.model.money import EarnedUsd, Entry, Rate
from orch.model.resources import ZERO, Resources
from orch.store.bulk import SampleColumns, load_samples
from orch.store.database import open_for_writing
from orch.store.maintenance import FIGURES, checkpoint, roll_up
from orch.store.rows import ENTRY, sample_row, tick_row
from orch.store.series import get_metrics_history
from orch.store.values import to_stored_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import duckdb

    from orch.store.writer import Writer

START = datetime(2026, 1, 1, tzinfo=UTC)
NODES = ("disk", "compute", "relay", "address")
TICK_S = 5
ENTRIES = 8
BODY_BYTES = 12_000
COMMITS = 120
DAYS = 30
SLOW_ROWS = 20_000
AIMS = {"commit_p99_ms": 25.0, "bulk_rows_per_s": 1_000_000.0, "roll_up_ms": 100.0}


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure everything; about a minute, or `quick` in seconds to see that it works.

    Returns:
        `{bench, quick, machine, load, aims, commit, bulk, roll_up, met}`; times in ms, rates in rows per second,
        load averages before and after.
    """
    before = load()
    with TemporaryDirectory(prefix="orch-bench-") as directory:
        commit = measure_commits(Path(directory), 10 if quick else COMMITS)
        days, slow_rows = (1, 500) if quick else (DAYS, SLOW_ROWS)
        bulk, roll = measure_history(Path(directory), days, slow_rows)
    return {
        "bench": "store",
        "quick": quick,
        "machine": machine(),
        "load": [before, load()],
        "aims": AIMS,
        "commit": commit,
        "bulk": bulk,
        "roll_up": roll,
        "met": {
            "commit_p99_ms": commit["store"]["p99_ms"] < AIMS["commit_p99_ms"],
            "bulk_rows_per_s": bulk["store"]["rows_per_s"] >= AIMS["bulk_rows_per_s"],
            "roll_up_ms": roll["store"]["best_ms"] < AIMS["roll_up_ms"],
        },
    }


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    machine_line = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    print(f"store: {machine_line}")
    print("load averages (1, 5, 15 min) before and after: " + "; ".join(map(str, result["load"])))
    commit, bulk, roll = result["commit"], result["bulk"], result["roll_up"]
    print(
        f"\ncommit of one tick ({len(NODES)} samples, {ENTRIES} entries, board of {BODY_BYTES} bytes), "
        f"{commit['commits']} times; aim p99 < {AIMS['commit_p99_ms']:.0f} ms"
    )
    for name in ("store", "executemany"):
        row = commit[name]
        print(
            f"  {name:12} p50 {row['p50_ms']:8.2f} ms   p99 {row['p99_ms']:8.2f} ms   max {row['max_ms']:8.2f} ms"
        )
    print(f"\nbulk load of samples; aim {AIMS['bulk_rows_per_s']:,.0f} rows/s")
    for name in ("store", "executemany"):
        row = bulk[name]
        print(f"  {name:12} {row['rows_per_s']:12,.0f} rows/s   ({row['rows']:,} rows)")
    print(f"\nroll-up of {roll['rows']:,} rows by hour; aim < {AIMS['roll_up_ms']:.0f} ms")
    row = roll["store"]
    print(
        f"  {'store':12} best {row['best_ms']:8.1f} ms   first {row['first_ms']:8.1f} ms   {row['hours']:,} hours"
    )
    row = roll["executemany"]
    print(f"  {'executemany':12} {row['ms']:13.1f} ms   (summed up in SQL, its rows written back one by one)")
    print(f"  chart of {DAYS} days by hour {roll['chart_ms']:.1f} ms, file {roll['file_mb']:.0f} MB")
    for name, met in result["met"].items():
        print(f"{'met' if met else 'MISSED':7} {name}")


# -- one tick after another ------------------------------------------------------------------------------


def measure_commits(directory: Path, commits: int) -> dict[str, Any]:
    """The recorder's own commit, and the same rows through `executemany`."""

    def by_store(writer: Writer, number: int) -> float:
        snapshot, entries, body = tick(number)
        started = perf_counter()
        writer.add_tick(snapshot, entries, number)
        writer.add_board(snapshot.taken_at, body)
        writer.commit()
        return perf_counter() - started

    def by_executemany(writer: Writer, number: int) -> float:
        snapshot, entries, body = tick(number)
        started = perf_counter()
        write = writer.connection
        samples = [sample_row(node, snapshot.taken_at) for node in snapshot.nodes]
        booked = [ENTRY.encode(entry) for entry in entries]
        meta = [("sequence", str(number)), ("clock", snapshot.taken_at.isoformat())]
        write.begin()
        write.executemany(_insert("samples", samples[0]), samples)
        write.executemany("INSERT INTO ticks VALUES (?, ?, ?)", [tick_row(snapshot)])
        write.executemany(_insert("ledger", booked[0]), booked)
        write.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta)
        write.executemany(
            "UPDATE board SET taken_at = ?, body = ?", [(to_stored_time(snapshot.taken_at), body.decode())]
        )
        write.commit()
        return perf_counter() - started

    result: dict[str, Any] = {"commits": commits}
    for name, way in (("store", by_store), ("executemany", by_executemany)):
        result[name] = _distribution(_timed_commits(directory / f"commit-{name}.duckdb", commits, way))
    return result


def _timed_commits(path: Path, commits: int, way: Callable[[Writer, int], float]) -> Iterator[float]:
    writer = open_for_writing(path, "emulated", "bench", START)
    try:
        # The first commit makes the board's row and is not what a running engine does.
        snapshot, entries, body = tick(0)
        writer.add_tick(snapshot, entries, 0)
        writer.add_board(snapshot.taken_at, body)
        writer.commit()
        for number in range(1, commits + 1):
            yield way(writer, number)
    finally:
        writer.close()


def tick(number: int) -> tuple[Snapshot, tuple[Entry, ...], bytes]:
    """What one poll tick brings to the recorder."""
    taken_at = START + timedelta(seconds=TICK_S * number)
    snapshot = Snapshot(
        tick=number,
        host="bench",
        taken_at=taken_at,
        due_at=taken_at,
        capacity=ZERO,
        reserve=ZERO,
        host_used=ZERO,
        nodes=tuple(_node(name, number) for name in NODES),
        prices=(),
        earned=EarnedUsd(),
    )
    entries = tuple(_entry(number, index, taken_at) for index in range(ENTRIES))
    body = b'"' + bytes(97 + (number * 31 + index * 7) % 26 for index in range(BODY_BYTES)) + b'"'
    return snapshot, entries, body


def _node(name: str, number: int) -> NodeState:
    mean = 0.2 + 0.001 * (number % 97)
    return NodeState(
        name=name,
        host="bench",
        protocol=name,
        emulated=True,
        health="online",
        health_reason="",
        last_seen_at=None,
        resources_as_of=None,
        rate=Rate(low=mean, mean=mean, high=mean, net_mean=None, evidence="accrued", window_s=3600.0, age_s=1.0),
        worth=None,
        earned=EarnedUsd(),
        points=None,
        allocation=Resources(cpu_cores=2.0, memory_gb=4.0, bandwidth_mbps=100.0, storage_gb=1000.0),
        used=Resources(cpu_cores=mean, memory_gb=2.0 + mean, bandwidth_mbps=7.0, storage_gb=812.5),
        committed=Resources(),
        floor=Resources(),
        limits=Limits(),
        levers=(),
        outlooks=(),
        findings=(),
        failures=(),
        facts=(),
    )


def _entry(number: int, index: int, booked_at: datetime) -> Entry:
    return Entry(
        entry_id=f"{number:016x}{index:016x}",
        booked_at=booked_at,
        period_start=booked_at - timedelta(seconds=TICK_S),
        period_end=booked_at,
        host="bench",
        node=NODES[index % len(NODES)],
        protocol="golem",
        stream=f"agreement {index}",
        kind="earned",
        amount=Decimal("0.000123456789012345"),
        unit="GLM",
        usd_price=Decimal("0.21"),
        usd_price_source="bench",
        usd_price_at=booked_at,
        usd=Decimal("0.000025925925692592"),
        evidence="accrued",
        reference=f"agreement {index}",
        emulated=True,
    )


# -- history ---------------------------------------------------------------------------------------------


def measure_history(
    directory: Path, days: int, slow_rows: int = SLOW_ROWS
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Load days of samples, then sum them up."""
    columns = history(days)
    rows = len(columns.taken_at)
    path = directory / "history.duckdb"
    writer = open_for_writing(path, "emulated", "bench", START)
    try:
        started = perf_counter()
        load_samples(writer.connection, "bench", NODES, columns)
        seconds = perf_counter() - started
        bulk = {
            "store": {"rows": rows, "seconds": seconds, "rows_per_s": rows / seconds},
            "executemany": _slow_load(directory, columns, slow_rows),
        }
        load_ticks(writer, columns)
        checkpoint(writer.connection)
        roll = {"rows": rows, **_roll_ups(writer, START + timedelta(days=days))}
    finally:
        writer.close()
    roll["file_mb"] = path.stat().st_size / 1e6
    return bulk, roll


def history(days: int) -> SampleColumns:
    """Four nodes every 5 s: incompressible rates and use, allocations that change now and then."""
    ticks = days * 86_400 // TICK_S
    rows = ticks * len(NODES)
    chance = np.random.default_rng(7)
    start = np.datetime64(to_stored_time(START), "us")
    figures = {name: chance.random(rows) for name in FIGURES}
    for name in FIGURES:
        if name.endswith("_allocated"):
            figures[name] = np.repeat(chance.integers(0, 8, rows // 400 + 1), 400)[:rows].astype(float)
    return SampleColumns(
        taken_at=start + np.repeat(np.arange(ticks), len(NODES)) * np.timedelta64(TICK_S, "s"),
        node=np.tile(np.arange(len(NODES)), ticks),
        health=np.where(chance.random(rows) < 0.98, 0, 3),
        evidence=np.ones(rows, dtype=np.int64),
        figures=figures,
    )


def load_ticks(writer: Writer, columns: SampleColumns) -> None:
    """The ticks that belong to samples of `history`."""
    incoming = {"taken_at": columns.taken_at[:: len(NODES)]}
    writer.connection.register("incoming_ticks", incoming)
    query = "INSERT INTO ticks SELECT taken_at, 'bench', 'online' FROM incoming_ticks"
    writer.connection.execute(query).fetchall()
    writer.connection.unregister("incoming_ticks")


def _slow_load(directory: Path, columns: SampleColumns, most: int) -> dict[str, Any]:
    rows = min(most, len(columns.taken_at))
    figures = [columns.figures[name][:rows].tolist() for name in FIGURES]
    named = [NODES[index] for index in columns.node[:rows]]
    rest = (["bench"] * rows, ["online"] * rows)
    values = list(zip(columns.taken_at[:rows].tolist(), named, *figures, *rest, strict=True))
    writer = open_for_writing(directory / "slow.duckdb", "emulated", "bench", START)
    try:
        query = _insert(f"samples (taken_at, node, {', '.join(FIGURES)}, host, health)", values[0])
        started = perf_counter()
        writer.connection.begin()
        writer.connection.executemany(query, values)
        writer.connection.commit()
        seconds = perf_counter() - started
    finally:
        writer.close()
    return {"rows": rows, "seconds": seconds, "rows_per_s": rows / seconds}


def _roll_ups(writer: Writer, until: datetime, repeats: int = 5) -> dict[str, Any]:
    """The roll-up of everything, several times over; then the same rows written back by `executemany`."""
    connection = writer.connection
    # One tick beyond the last hour closes it.
    connection.execute("INSERT INTO ticks VALUES (?, 'bench', 'online')", [to_stored_time(until)]).fetchall()
    times, hours = [], 0
    for _ in range(repeats):
        _unroll(connection)
        started = perf_counter()
        hours = roll_up(connection, until)
        times.append((perf_counter() - started) * 1e3)
    chart_started = perf_counter()
    get_metrics_history(connection, "usd_per_hour", None, until - timedelta(days=DAYS), until, 3600)
    chart_ms = (perf_counter() - chart_started) * 1e3
    summed = connection.execute("SELECT * FROM samples_hourly").fetchall()
    _unroll(connection)
    started = perf_counter()
    connection.begin()
    connection.execute(
        "SELECT date_trunc('hour', taken_at), node, avg(usd_mean) FROM samples GROUP BY ALL"
    ).fetchall()
    connection.executemany(_insert("samples_hourly", summed[0]), summed)
    connection.commit()
    slow_ms = (perf_counter() - started) * 1e3
    return {
        "store": {
            "first_ms": times[0],
            "best_ms": min(times),
            "median_ms": sorted(times)[repeats // 2],
            "hours": hours,
        },
        "executemany": {"ms": slow_ms},
        "chart_ms": chart_ms,
    }


def _unroll(connection: duckdb.DuckDBPyConnection) -> None:
    for statement in (
        "DELETE FROM samples_hourly",
        "DELETE FROM ticks_hourly",
        "DELETE FROM meta WHERE key = 'rolled_until'",
    ):
        connection.execute(statement).fetchall()
    checkpoint(connection)


def _distribution(seconds: Iterator[float]) -> dict[str, float]:
    times = np.array(list(seconds)) * 1e3
    return {
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "max_ms": float(times.max()),
    }


def _insert(into: str, row: tuple[Any, ...]) -> str:
    return f"INSERT INTO {into} VALUES ({', '.join('?' * len(row))})"  # noqa: S608 - names of our own
