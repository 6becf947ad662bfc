"""The HTTP interface against its aims: the board, charts, the live stream, and what they cost the engine's ticks.

Each length of history is measured in an engine of its own that goes on polling four emulated nodes, here every
second and not every five: five times the usual work, and five times the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from bench import web_page
from bench.machine import load, machine, memory
from bench.peers import Time, peers
from bench.web_engine import watched
from bench.web_load import closed_loop, streams

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.web_engine import Watched

DAYS = (30, 400)
POLL_S = 1.0
SETTLE_S = 30.0
EACH_S = 20.0
LONG_S = 60.0
READERS = 100
DASHBOARD = "/api/v1/dashboard"
AIMS = {
    "dashboard_p99_ms": 10.0,
    "dashboard_16_p99_ms": 10.0,
    "chart_p99_ms": 150.0,
    "stream_lag_p99_ms": 50.0,
}


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure everything; about eight minutes, or `quick` in seconds to see that it works.

    Returns:
        `{bench, quick, machine, load, aims, histories, met}`; `histories` holds one row per length of history,
        times in ms: `answers` by question and connections, `stream`, `ticks` left alone and under load, and what
        the reader of the `page` waits for in a browser, where there is one.
    """
    before = load()
    days = (1, 2) if quick else DAYS
    rows = [_measure(each, quick=quick) for each in days]
    return {
        "bench": "web",
        "quick": quick,
        "machine": machine(),
        "load": [before, load()],
        "aims": AIMS,
        "histories": rows,
        "met": {
            "dashboard_p99_ms": _worst(rows, "board, 1 connection") < AIMS["dashboard_p99_ms"],
            "dashboard_16_p99_ms": _worst(rows, "board, 16 connections") < AIMS["dashboard_16_p99_ms"],
            "chart_p99_ms": _worst(rows, "chart of 30 days by hour") < AIMS["chart_p99_ms"],
            "stream_lag_p99_ms": max(row["stream"]["p99_ms"] for row in rows) < AIMS["stream_lag_p99_ms"],
        },
    }


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    print("web: " + ", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    print("load averages (1, 5, 15 min) before and after: " + "; ".join(map(str, result["load"])))
    aims = result["aims"]
    print(
        f"\naims, p99: board {aims['dashboard_p99_ms']:g} ms at 1 and at 16 connections, chart of 30 days "
        f"{aims['chart_p99_ms']:g} ms, a board at {READERS} readers of the stream {aims['stream_lag_p99_ms']:g} ms"
    )
    for row in result["histories"]:
        history = row["history"]
        print(
            f"\n{history['days']} days of history, {history['rows']:,.0f} rows in {history['mb']:.0f} MB "
            f"(made in {history['seconds']:.0f} s), polled every {row['poll_s']:g} s, "
            f"{row['pss_mb']:.0f} MB of memory"
        )
        for name, each in row["answers"].items():
            _print(name, each, f"{each['per_s']:8,.0f}/s   {each['bytes'] / 1e3:6.1f} kB")
        stream = row["stream"]
        _print(
            f"stream, {stream['readers']} readers",
            stream,
            f"{stream['boards']} boards, {stream['lost']} not taken",
        )
        for name, each in row["ticks"].items():
            _print(f"tick {name}", each, f"{each['count']} ticks")
        for what, measured, aim in web_page.lines(row["page"]):
            print(f"  {what:34} {measured}{f'   (aim: {aim})' if aim else ''}")
    print()
    for name, met in result["met"].items():
        print(f"{'met' if met else 'MISSED':7} {name}")


def _print(name: str, row: dict[str, Any], rest: str) -> None:
    figures = "   ".join(f"{key} {row[f'{key}_ms']:7.2f} ms" for key in ("p50", "p99", "max"))
    print(f"  {name:28} {figures}   {rest}")


def _worst(rows: list[dict[str, Any]], question: str) -> float:
    return max(float(row["answers"][question]["p99_ms"]) for row in rows)


def _measure(days: int, *, quick: bool) -> dict[str, Any]:
    """One length of history."""
    settle_s, each_s, long_s = (2.0, 0.5, 3.0) if quick else (SETTLE_S, EACH_S, LONG_S)
    with TemporaryDirectory(prefix="orch-bench-") as directory:
        data_dir = Path(directory) / "data"
        command = [sys.executable, "-m", "bench.web_history", str(data_dir), str(days)]
        history = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        with peers(Time.from_now(1.0)) as served, watched(data_dir, served, POLL_S) as engine:
            time.sleep(settle_s)
            alone = (time.monotonic(), _later(long_s))
            busy_since = time.monotonic()
            answers = {name: _answers(engine, path, many, each_s) for name, path, many in _questions()}
            received = streams(engine.url, 10 if quick else READERS, long_s)
            busy = (busy_since, time.monotonic())
            page = web_page.measure(engine.url, 1 if quick else web_page.ROUNDS)
            pss_mb = memory(engine.pid).pss
    return {
        "history": history,
        "poll_s": POLL_S,
        "pss_mb": pss_mb,
        "answers": answers,
        "stream": _lags(engine.found["swaps"], received, 10 if quick else READERS, busy[1] - long_s),
        "page": page,
        "ticks": {"left alone": _late(engine, alone), "under load": _late(engine, busy)},
    }


def _later(seconds: float) -> float:
    time.sleep(seconds)
    return time.monotonic()


def _questions() -> tuple[tuple[str, str, int], ...]:
    """What is asked: its name, its path, over how many connections."""
    since = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    chart = f"/api/v1/metrics-history?metric=usd_per_hour&since={since}"
    return (
        ("board, 1 connection", DASHBOARD, 1),
        ("board, 16 connections", DASHBOARD, 16),
        ("chart of 30 days by hour", f"{chart}&step_s=3600", 1),
        ("chart of 30 days by 10 min", f"{chart}&step_s=600", 1),
        ("100 newest decisions", "/api/v1/decisions", 1),
        ("100 decisions on a node", "/api/v1/decisions?node=disk", 1),
        ("figures for Prometheus", "/metrics", 1),
    )


def _answers(engine: Watched, path: str, connections: int, seconds: float) -> dict[str, Any]:
    import requests

    with requests.Session() as session:
        size = len(session.get(engine.url + path, timeout=60).content)
    closed_loop(engine.url, path, connections, seconds / 10)
    took = closed_loop(engine.url, path, connections, seconds)
    return {**_spread(took), "count": len(took), "per_s": len(took) / seconds, "bytes": size}


def _lags(
    swaps: Iterable[tuple[str, float]], received: list[tuple[str, float]], readers: int, since: float
) -> dict[str, Any]:
    """From a board's swap to a reader that has it whole; the first board of each reader is older and left out."""
    swapped = dict(swaps)
    lags = [at - swapped[name] for name, at in received if swapped.get(name, 0.0) > since]
    boards = len({name for name, _ in received if swapped.get(name, 0.0) > since})
    return {
        **_spread(lags),
        "readers": readers,
        "boards": boards,
        "count": len(lags),
        "lost": max(0, boards * readers - len(lags)),
    }


def _late(engine: Watched, span: tuple[float, float]) -> dict[str, Any]:
    late = [told for when, told in engine.found["ticks"] if span[0] <= when < span[1]]
    return {**_spread(late), "count": len(late)}


def _spread(seconds: list[float]) -> dict[str, float]:
    """Of times in seconds, in ms."""
    ms = [each * 1e3 for each in seconds]
    p99 = quantiles(ms, n=100, method="inclusive")[98] if len(ms) > 1 else max(ms)
    return {"p50_ms": median(ms), "p99_ms": p99, "max_ms": max(ms)}
