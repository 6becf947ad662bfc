"""`python -m bench engine|hands|replay|solvers|store|truth|web`: figures beside their aims."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from importlib import import_module
from pathlib import Path
from typing import Any


def main(words: list[str] | None = None) -> None:
    """Run one bench and print its tables, or one JSON document."""
    parser = ArgumentParser(
        prog="python -m bench",
        description="Measure orch on this machine; every figure stands beside its aim.",
        formatter_class=RawDescriptionHelpFormatter,
        epilog=(
            "engine  punctual snapshots, the stage's speed, share of a core and memory (a quarter of an hour)\n"
            "hands   from decision to verified by lever, the journal, 500 crash sagas (five minutes)\n"
            "replay  speed of backtests and replays, and what strategies earn in emulated months (20 minutes)\n"
            "solvers quality against the proven optimum over time, by solver and family (a few minutes)\n"
            "store   commits, bulk load and roll-up, each beside executemany (a minute)\n"
            "truth   honest intervals, booking, export of a million rows, questions per hour (ten minutes)\n"
            "web     the board, charts, the stream at 30 and 400 days of history, ticks under load (ten minutes)"
        ),
    )
    parser.add_argument("bench", choices=("engine", "hands", "replay", "solvers", "store", "truth", "web"))
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--quick", action="store_true", help="seconds: shows that it works, measures little")
    only = parser.add_argument_group("solvers only")
    only.add_argument("--family", help="one family instead of all, or several with commas between")
    only.add_argument(
        "--size", help="nodes, several with commas between (10); of concave and bundle 100 and more are hosts"
    )
    only.add_argument("--budget", help="budgets, such as 10ms,100ms,1s")
    only.add_argument("--seeds", type=int, help="problems of each kind (10)")
    only.add_argument("--peers", action="store_true", help="beside other solvers (extra bench), those installed")
    only.add_argument("--aims", action="store_true", help="all that is aimed at, and nothing else (some minutes)")
    only.add_argument("--chart", type=Path, metavar="FILE.png", help="draw the gap over time (extra bench)")
    given = parser.parse_args(words)
    bench = import_module(f"bench.{given.bench}")
    result = bench.run(quick=given.quick, **_of_solvers(given, parser))
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        bench.show(result)


def _of_solvers(given: Namespace, parser: ArgumentParser) -> dict[str, Any]:
    """The options that only the bench of solvers takes, as its `run` takes them."""
    found: dict[str, Any] = {}
    if given.family:
        found["families"] = given.family.split(",")
    if given.size:
        found["sizes"] = [int(each) for each in given.size.split(",")]
    if given.budget:
        found["budgets_s"] = [_seconds(each, parser) for each in given.budget.split(",")]
    if given.seeds:
        found["seeds"] = given.seeds
    if given.peers:
        found["with_peers"] = True
    if given.aims:
        found["aims_only"] = True
    if given.chart:
        found["chart"] = given.chart
    if found and given.bench != "solvers":
        parser.error(f"{', '.join(found)}: options of the bench of solvers only")
    return found


def _seconds(words: str, parser: ArgumentParser) -> float:
    unit = "ms" if words.endswith("ms") else "s"
    try:
        return float(words.removesuffix(unit)) * (1e-3 if unit == "ms" else 1.0)
    except ValueError:
        parser.error(f"{words!r} is no budget such as 10ms or 1s")


if __name__ == "__main__":
    main()
