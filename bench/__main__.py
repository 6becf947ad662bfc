"""`python -m bench engine|store|truth`: figures beside their aims."""

from __future__ import annotations

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from importlib import import_module


def main(words: list[str] | None = None) -> None:
    """Run one bench and print its tables, or one JSON document."""
    parser = ArgumentParser(
        prog="python -m bench",
        description="Measure orch on this machine; every figure stands beside its aim.",
        formatter_class=RawDescriptionHelpFormatter,
        epilog=(
            "engine  punctual snapshots, the stage's speed, share of a core and memory (a quarter of an hour)\n"
            "store   commits, bulk load and roll-up, each beside executemany (a minute)\n"
            "truth   honest intervals, booking, export of a million rows, questions per hour (ten minutes)"
        ),
    )
    parser.add_argument("bench", choices=("engine", "store", "truth"))
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--quick", action="store_true", help="seconds: shows that it works, measures little")
    given = parser.parse_args(words)
    bench = import_module(f"bench.{given.bench}")
    result = bench.run(quick=given.quick)
    if given.json:
        print(json.dumps(result, indent=2))
    else:
        bench.show(result)


if __name__ == "__main__":
    main()
