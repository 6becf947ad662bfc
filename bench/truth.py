"""The figures against their aims: are the intervals honest, how quick is the ledger, what does looking cost."""

from __future__ import annotations

from typing import Any

from bench import truth_calibration, truth_requests, truth_speed
from bench.machine import load, machine

AIMS: dict[str, Any] = {
    "coverage_pct": [100 * each for each in truth_calibration.COVERAGE],
    "median_width": truth_calibration.WIDTHS,
    "book_1000_streams_ms": 50.0,
    "export_growth_mb": 24.0,
    "times_fewer_requests": 20.0,
}
"""`export_growth_mb`: how much more memory a million rows may take than a quarter of a million."""
SEEDS = range(200, 220)


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure everything; about ten minutes, or `quick` in half a minute to see that it works.

    Returns:
        `{bench, quick, machine, load, aims, calibration, booking, export, requests, met}`; `load` holds the load
        averages before and after each part.
    """
    loads = [load()]
    booking = truth_speed.book_streams(1000, 5 if quick else 60)
    loads.append(load())
    export = truth_speed.export_ledger(120_000, 50_000) if quick else truth_speed.export_ledger()
    loads.append(load())
    requests = truth_requests.count_requests(0.25, 0.1) if quick else truth_requests.count_requests(2.0)
    loads.append(load())
    seeds, hours, settling_h = (SEEDS[:1], 2, 2) if quick else (SEEDS, truth_calibration.HOURS, 24)
    found = truth_calibration.observe_all(seeds, hours, settling_h)
    calibration = truth_calibration.calibration(found)
    loads.append(load())
    return {
        "bench": "truth",
        "quick": quick,
        "machine": machine(),
        "load": loads,
        "aims": AIMS,
        "calibration": {"seeds": len(seeds), "hours": hours, "rows": calibration},
        "booking": booking,
        "export": export,
        "requests": requests,
        "met": {
            "coverage_pct": all(truth_calibration.is_covered(row) for row in calibration),
            "median_width": all(truth_calibration.is_narrow(row) for row in calibration),
            "book_1000_streams_ms": booking["median_ms"] <= AIMS["book_1000_streams_ms"],
            "export_growth_mb": max(map(_growth, export["formats"].values())) <= AIMS["export_growth_mb"],
            "times_fewer_requests": requests[-1]["times_fewer"] >= AIMS["times_fewer_requests"],
        },
    }


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    print("truth: " + ", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    print("load averages (1, 5, 15 min) before and after each part: " + "; ".join(map(str, result["load"])))
    _show_calibration(result["calibration"])
    row = result["booking"]
    print(
        f"\none answer in which {row['streams']:,} streams grew, booked and appraised; aim "
        f"{AIMS['book_1000_streams_ms']:g} ms\n  median {row['median_ms']:.1f} ms   longest {row['max_ms']:.1f} ms"
        f"   processor {row['cpu_ms']:.1f} ms   ({row['updates']} answers)"
    )
    _show_export(result["export"])
    _show_requests(result["requests"])
    for name, met in result["met"].items():
        print(f"{'met' if met else 'MISSED':7} {name}")


def _growth(row: dict[str, Any]) -> float:
    growth: float = row["many"]["peak_pss_mb"] - row["few"]["peak_pss_mb"]
    return growth


def _show_calibration(found: dict[str, Any]) -> None:
    low, high = AIMS["coverage_pct"]
    print(
        f"\nthe true rate within the published interval, {found['seeds']} emulated worlds, {found['hours']} hours "
        f"each after the first day; aim {low:g} to {high:g} %"
    )
    print("  protocol   node-hours    shown   inside   median width   aim     shown though unknown")
    for row in found["rows"]:
        inside = "—" if row["inside_pct"] is None else f"{row['inside_pct']:.1f} %"
        width = "—" if row["median_width"] is None else f"{row['median_width']:.3f}"
        aim = "" if row["widest"] is None else f"{row['widest']:g}"
        print(
            f"  {row['protocol']:10} {row['node_hours']:10} {row['shown']:8} {inside:>8} {width:>14}   {aim:7} "
            f"{row['shown_unknown']}"
        )


def _show_export(found: dict[str, Any]) -> None:
    print(
        f"\n`orch export ledger`, {found['rows']:,} rows beside {found['few']:,}; peak memory (PSS) of the process"
        f", which may grow by {AIMS['export_growth_mb']:g} MB"
    )
    for fmt, row in found["formats"].items():
        few, many = row["few"], row["many"]
        print(
            f"  {fmt:8} {many['seconds']:7.1f} s   {many['mb']:8.1f} MB written   {many['peak_pss_mb']:7.1f} MB   "
            f"beside {few['peak_pss_mb']:.1f} MB"
        )


def _show_requests(rows: list[dict[str, Any]]) -> None:
    print(
        "\nquestions per hour at equally fresh cheap figures, beside an exporter that reads everything every 5 s; "
        f"aim {AIMS['times_fewer_requests']:g} times fewer"
    )
    print("  protocol   questions     orch   exporter   times fewer    orch MB   exporter MB")
    for row in rows:
        print(
            f"  {row['protocol']:10} {row['questions']:9} {row['orch_per_h']:8.1f} {row['exporter_per_h']:10.0f} "
            f"{row['times_fewer'] or 0:13.1f} {row['orch_mb_per_h']:10.3f} {row['exporter_mb_per_h']:13.2f}"
        )
