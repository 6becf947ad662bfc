"""`python -m orch`, and the `orch` that an installation brings."""

from __future__ import annotations

import os
import sys

from orch.cli import main


def start() -> None:
    """Run the command line with a standard output that is its own."""
    keep_stdout()
    main(prog_name="orch")


def keep_stdout() -> None:
    """What is written past Python to standard output (a banner of a library in C, say) goes to standard error.

    A document asked for with `--json` is read by a machine: nothing else may stand in it. Programs that
    are started do not inherit the output either, and so cannot hold up whoever reads to its end.
    """
    if sys.stdout is None or sys.stderr is None:
        return
    own = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.stdout = os.fdopen(
        own, "w", encoding=sys.stdout.encoding, errors=sys.stdout.errors, buffering=1 if os.isatty(own) else -1
    )


if __name__ == "__main__":
    start()
