"""The engine against its aims: punctual snapshots, a quick stage, a small share of the machine."""

from __future__ import annotations

from typing import Any

from bench import engine_cost, engine_stage, engine_ticks
from bench.machine import load, machine

AIMS = {
    "snapshots_in_time_pct": 99.0,
    "stage_messages_per_s": 100_000.0,
    "cpu_pct": 1.0,
    "idle_pss_mb": 150.0,
    "peak_pss_mb": 220.0,
}


def run(*, quick: bool = False) -> dict[str, Any]:
    """Measure everything; about a quarter of an hour, or `quick` in seconds to see that it works.

    Returns:
        `{bench, quick, machine, load, aims, ticks, stage, cost, met}`; `load` holds the load averages before and
        after each part.
    """
    loads = [load()]
    ticks = engine_ticks.measure(nodes=12, hanging=2, ticks=12, speed=30.0) if quick else engine_ticks.measure()
    loads.append(load())
    stage = engine_stage.messages_per_second(1, 20_000, 0.1) if quick else engine_stage.messages_per_second()
    loads.append(load())
    cost = engine_cost.measure(days=1, settle_s=0.5, measure_s=1.0) if quick else engine_cost.measure()
    loads.append(load())
    return {
        "bench": "engine",
        "quick": quick,
        "machine": machine(),
        "load": loads,
        "aims": AIMS,
        "ticks": ticks,
        "stage": stage,
        "cost": cost,
        "met": {
            "snapshots_in_time_pct": ticks["share_pct"] >= AIMS["snapshots_in_time_pct"],
            "stage_messages_per_s": min(stage.values()) >= AIMS["stage_messages_per_s"],
            "cpu_pct": cost["cpu_pct"] < AIMS["cpu_pct"],
            "idle_pss_mb": cost["idle"]["pss_mb"] <= AIMS["idle_pss_mb"],
            "peak_pss_mb": cost["peak"]["pss_mb"] <= AIMS["peak_pss_mb"],
        },
    }


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    print("engine: " + ", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    print("load averages (1, 5, 15 min) before and after each part: " + "; ".join(map(str, result["load"])))
    _show_ticks(result["ticks"])
    print(f"\nstage, messages per second; aim {AIMS['stage_messages_per_s']:,.0f}")
    for name, rate in result["stage"].items():
        print(f"  {name:18} {rate:12,.0f}")
    _show_cost(result["cost"])
    for name, met in result["met"].items():
        print(f"{'met' if met else 'MISSED':7} {name}")


def _show_ticks(row: dict[str, Any]) -> None:
    print(
        f"\nsnapshots of {row['nodes']} emulated nodes of which {row['hanging']} hang, {row['ticks']} ticks of "
        f"5 s at {row['speed']:g}x; aim {AIMS['snapshots_in_time_pct']:g} % within 50 ms"
    )
    print(f"  within 50 ms       {row['share_pct']:8.2f} %   ({row['missed']} ticks left out)")
    late = "   ".join(f"{name} {row[f'{name}_ms']:.1f} ms" for name in ("p50", "p99", "max"))
    print(f"  late               {late}")
    print(f"  the first ten      {', '.join(f'{each:.0f}' for each in row['first_ms'])} ms (first contact)")
    print(f"  engine             {row['cpu_pct']:.1f} % of a core, {row['threads']} threads")


def _show_cost(row: dict[str, Any]) -> None:
    print(
        f"\n`orch run` on four nodes in another process, {row['days']} days ({row['rows']:,} samples) in the "
        f"database, {row['seconds']:.0f} s at the default cadence"
    )
    print(
        f"  share of a core    {row['cpu_pct']:8.2f} %    aim < {AIMS['cpu_pct']:g} %   (median of "
        f"{len(row['cpu_windows_pct'])} windows {row['cpu_median_pct']:.2f} %)"
    )
    for name, aim in (("idle", AIMS["idle_pss_mb"]), ("peak", AIMS["peak_pss_mb"])):
        pss, rss = row[name]["pss_mb"], row[name]["rss_mb"]
        print(f"  memory, {name}       {pss:8.1f} MB   aim {aim:g} MB   (resident {rss:.1f} MB)")
    for each in row["questions"]:
        answer = f"{each['seconds']:6.2f} s   {each['mb']:7.1f} MB"
        print(f"    {each['question']:24} {answer}   memory {each['pss_mb']:.1f} MB")
