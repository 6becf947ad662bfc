"""How long it takes to book and to appraise many streams, and what exporting a long ledger takes and holds."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.machine import MemoryWatch

START = datetime(2026, 1, 1, tzinfo=UTC)
NODES = 4
UNIT = "GLM"
FORMATS = ("csv", "json", "parquet")
WATCH_S = 0.02
BATCH = 50_000


def book_streams(streams: int = 1000, updates: int = 60) -> dict[str, float]:
    """Milliseconds to book one more answer in which every stream has grown, and to appraise its nodes.

    The streams are those of four nodes with a history of four weeks.
    """
    from orch.earnings.appraise import appraise
    from orch.earnings.costs import RunningCosts
    from orch.earnings.ledger import Ledger
    from orch.model.money import Price, PriceNow

    price = Price(token=UNIT, usd=Decimal("0.23"), source="bench", observed_at=START, fetched_at=START)
    now_price = PriceNow(token=UNIT, state="fresh", price=price, age_s=0.0)
    ledger, appraisals = Ledger("bench"), {}
    taken: list[float] = []
    worked: list[float] = []
    # Two updates to warm up: the first contact books four weeks.
    for number in range(updates + 2):
        now = START + timedelta(seconds=60 * number)
        readings = [_reading(node, streams // NODES, number, now) for node in range(NODES)]
        begun, worked_before = time.perf_counter(), time.process_time()
        for reading in readings:
            ledger.book(reading, lambda _: now_price, now)
            appraisals[reading.node] = appraise(
                reading,
                ledger.income(reading.node),
                {UNIT: now_price},
                RunningCosts(),
                appraisals.get(reading.node),
                now,
                24.0,
                ledger.turned,
            )
        taken.append(1000 * (time.perf_counter() - begun))
        worked.append(1000 * (time.process_time() - worked_before))
    if any(each.rate is None for each in appraisals.values()):
        raise RuntimeError("four weeks of income make a rate")
    kept = sorted(taken[2:])
    return {
        "streams": streams,
        "updates": updates,
        "median_ms": median(kept),
        "max_ms": kept[-1],
        "cpu_ms": median(worked[2:]),
    }


def _reading(node: int, streams: int, number: int, now: datetime) -> Any:
    from orch.model.money import Accrual, Amounts, TrailPoint
    from orch.model.readings import Outlook, Reading
    from orch.model.resources import Resources

    begun = START - timedelta(days=28)
    trail = tuple(
        TrailPoint(reached_at=begun + timedelta(days=day), total=Decimal(day) / 100) for day in range(1, 28)
    )
    accruals = tuple(
        Accrual(
            stream=f"{index:064x}",
            unit=UNIT,
            amounts=Amounts(accrued=Decimal("0.28") + Decimal(number) / 10**6),
            period_start=begun,
            as_of=now,
            reference=f"agreement {index}",
            trail=trail,
        )
        for index in range(streams)
    )
    return Reading(
        node=f"node{node}",
        protocol="golem",
        taken_at=now,
        emulated=True,
        health="online",
        health_reason="",
        last_seen_at=now,
        accruals=accruals,
        allocation=Resources(cpu_cores=4.0),
        used=Resources(cpu_cores=1.0),
        outlooks=(Outlook(form="dial", resource="cpu_cores", unit=UNIT, saturation=0.7),),
        window_s=86_400.0,
    )


def export_ledger(rows: int = 1_000_000, few: int = 250_000) -> dict[str, Any]:
    """Seconds and memory of `orch export ledger` over so many rows, beside the same over a few.

    Memory is the peak of the exporting process (PSS, MB). It is flat when it does not grow with the rows. Both
    ledgers are worked off by the command line in a process of its own, from the file of a stopped engine.
    """
    with TemporaryDirectory(prefix="orch-truth-") as name:
        small, large = Path(name) / "few", Path(name) / "many"
        _fill(small, few)
        _fill(large, rows)
        return {
            "rows": rows,
            "few": few,
            "formats": {
                fmt: {"few": _export(small, fmt, few), "many": _export(large, fmt, rows)} for fmt in FORMATS
            },
        }


def _fill(data_dir: Path, rows: int) -> None:
    """A ledger of so many entries, spread over years as a real one is."""
    from orch.store.database import open_for_writing
    from orch.system.paths import DATABASE_FILE

    data_dir.mkdir()
    writer = open_for_writing(data_dir / DATABASE_FILE, "emulated", "bench", START)
    query = """
        INSERT INTO ledger
        SELECT printf('%032x', i), t, t - INTERVAL 1 MINUTE, t, 'bench', 'node' || (i % 4)::VARCHAR, 'golem',
               printf('%064x', i // 500), 'earned', (i % 997 + 1) * 0.000000000000000123::DECIMAL(38, 18), 'GLM',
               0.23, 'coingecko', t, (i % 997 + 1) * 0.000000000000000028::DECIMAL(38, 18), 'accrued',
               'agreement ' || (i // 500)::VARCHAR, true
        FROM (SELECT i, TIMESTAMP '2026-01-01' + to_seconds(i * 60) AS t FROM range($first, $last) AS r(i))
        """
    for first in range(0, rows, BATCH):
        last = min(first + BATCH, rows)
        writer.connection.execute(query, {"first": first, "last": last}).fetchall()
    writer.close()


def _export(data_dir: Path, fmt: str, rows: int) -> dict[str, float]:
    """One export to a file; its seconds, its peak of memory and its size. Raises RuntimeError if rows are lost."""
    import duckdb

    output = data_dir / f"ledger.{fmt}"
    words = ["-m", "orch", "export", "ledger", "--format", fmt, "--data-dir", data_dir, "--output", output]
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        with MemoryWatch(process.pid, WATCH_S) as watch:
            said = process.stderr.read().decode() if process.stderr is not None else ""
            if process.wait():
                raise RuntimeError(f"the export failed: {said}")
        peak = watch.peak()
    seconds = time.perf_counter() - begun
    with duckdb.connect() as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM '{output}'").fetchall()  # noqa: S608 - own file
    if found[0] != rows:
        raise RuntimeError(f"{found[0]} of {rows} rows are in the export")
    return {"seconds": seconds, "peak_pss_mb": peak.pss, "mb": output.stat().st_size / 1e6}
