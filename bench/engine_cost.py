"""What an engine costs its host: share of a core and memory of `orch run` on four nodes, with a month behind it.

`python -m bench.engine_cost DIRECTORY DAYS` makes such a data directory. It is a process of its own, because
libraries that the measuring process had loaded as well would count only half in the engine's.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import requests

from bench.machine import MemoryWatch, cpu_s
from bench.peers import Time, peers

if TYPE_CHECKING:
    from collections.abc import Iterator

DAYS = 30
SETTLE_S = 90.0
MEASURE_S = 300.0
WINDOW_S = 15.0
IDLE_LOOK_S = 5.0
PEAK_LOOK_S = 0.02
START_WITHIN_S = 60.0
QUESTIONS = (
    ("chart by hour", "metrics-history?metric=usd_per_hour&step_s=3600&since={since}"),
    ("chart by 5 min", "metrics-history?metric=allocation&step_s=300&since={since}"),
    ("export ledger csv", "tables/ledger?format=csv"),
    ("export samples csv", "tables/samples?format=csv"),
    ("export samples json", "tables/samples?format=json"),
    ("export samples parquet", "tables/samples?format=parquet"),
)


def measure(days: int = DAYS, settle_s: float = SETTLE_S, measure_s: float = MEASURE_S) -> dict[str, Any]:
    """Run `orch run --mode auto` at its default cadence in real time, first left alone, then questioned.

    Args:
        days: How much history lies in the database before the start: four nodes, a row each 5 s.
        settle_s: Real seconds of first contact that are not measured.
        measure_s: Real seconds that are.

    Returns:
        `{days, rows, seconds, cpu_pct, cpu_windows_pct, idle, peak, questions}`; `idle` and `peak` hold `pss_mb`
        and `rss_mb` of the process tree, the median while left alone and the largest while questioned;
        `cpu_pct` is the share of one core over the whole time, the windows are its parts of 15 s.
    """
    with TemporaryDirectory(prefix="orch-bench-") as directory:
        data_dir = Path(directory) / "data"
        command = [sys.executable, "-m", "bench.engine_cost", str(data_dir), str(days)]
        rows = int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        with peers(Time.from_now(1.0)) as served, running(Path(directory), data_dir, served) as engine:
            time.sleep(settle_s)
            left_alone = _left_alone(engine.pid, measure_s)
            questioned = _questioned(engine, days)
    return {"days": days, "rows": rows, **left_alone, **questioned}


@dataclass(frozen=True)
class Running:
    """An engine: its process, and where it listens."""

    pid: int
    url: str


@contextmanager
def running(directory: Path, data_dir: Path, served: dict[str, Any]) -> Iterator[Running]:
    """The engine as its operator starts it, until the block ends."""
    config = directory / "orch.toml"
    config.write_text("\n".join(f"{key} = {_toml(each)}" for key, each in served["configuration"].items()))
    command = [sys.executable, "-m", "orch", "run", "--config", str(config), "--data-dir", str(data_dir)]
    log = directory / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [*command, "--mode", "auto", "--port", "0"],
            stdout=out,
            stderr=out,
            env=os.environ | served["environment"],
        ) as process,
    ):
        try:
            yield Running(pid=process.pid, url=_url(process, data_dir, log))
        finally:
            process.terminate()
            process.wait(timeout=20)


def _url(process: subprocess.Popen[bytes], data_dir: Path, log: Path) -> str:
    end = time.monotonic() + START_WITHIN_S
    while process.poll() is None and time.monotonic() < end:
        try:
            url: str = json.loads((data_dir / "engine.json").read_bytes())["url"]
        except (OSError, ValueError):
            time.sleep(0.05)
        else:
            return url
    raise RuntimeError(f"the engine did not start: {log.read_text(errors='replace')}")


def _toml(value: Any) -> str:
    """Plain values as TOML on one line; texts and numbers are written as JSON writes them."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


def _left_alone(pid: int, seconds: float) -> dict[str, Any]:
    windows, spent, began = [], cpu_s(pid), time.monotonic()
    last_spent, last = spent, began
    with MemoryWatch(pid, IDLE_LOOK_S) as watch:
        while (now := time.monotonic()) < began + seconds:
            time.sleep(min(WINDOW_S, began + seconds - now))
            so_far, here = cpu_s(pid), time.monotonic()
            windows.append(100.0 * (so_far - last_spent) / (here - last))
            last_spent, last = so_far, here
    idle = watch.usual()
    return {
        "seconds": seconds,
        "cpu_pct": 100.0 * (last_spent - spent) / (last - began),
        "cpu_median_pct": median(windows),
        "cpu_windows_pct": windows,
        "idle": {"pss_mb": idle.pss, "rss_mb": idle.rss},
    }


def _questioned(engine: Running, days: int) -> dict[str, Any]:
    """Ask for charts of the whole time, then for whole tables, and look at the memory meanwhile."""
    since = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    asked, pss, rss = [], 0.0, 0.0
    with requests.Session() as session:
        for name, path in QUESTIONS:
            began = time.monotonic()
            with MemoryWatch(engine.pid, PEAK_LOOK_S) as watch:
                size = _size(session, f"{engine.url}/api/v1/{path.format(since=since)}")
            took, peak = time.monotonic() - began, watch.peak()
            pss, rss = max(pss, peak.pss), max(rss, peak.rss)
            asked.append({"question": name, "seconds": took, "mb": size / 1e6, "pss_mb": peak.pss})
    return {"peak": {"pss_mb": pss, "rss_mb": rss}, "questions": asked}


def _size(session: requests.Session, url: str) -> int:
    with session.get(url, stream=True, timeout=120) as answer:
        answer.raise_for_status()
        return sum(map(len, answer.iter_content(1 << 16)))


def prepare(data_dir: Path, days: int) -> int:
    """Make a data directory with so many days up to now, summed up by hour; returns how many rows."""
    import numpy as np

    from bench.store import history, load_ticks
    from orch.store.bulk import load_samples
    from orch.store.database import open_for_writing
    from orch.store.maintenance import checkpoint, roll_up
    from orch.store.values import to_stored_time

    data_dir.mkdir(mode=0o700, exist_ok=True)
    names, now = ("disk", "compute", "relay", "address"), datetime.now(UTC)
    begin = now - timedelta(days=days)
    columns = history(days)
    shift = np.datetime64(to_stored_time(begin), "us") - columns.taken_at[0]
    columns = replace(columns, taken_at=columns.taken_at + shift)
    host = socket.gethostname()
    writer = open_for_writing(data_dir / "orch.duckdb", "emulated", host, begin)
    try:
        rows = load_samples(writer.connection, host, names, columns)
        load_ticks(writer, columns)
        roll_up(writer.connection, now)
        checkpoint(writer.connection)
    finally:
        writer.close()
    return rows


if __name__ == "__main__":
    print(prepare(Path(sys.argv[1]), int(sys.argv[2])))
