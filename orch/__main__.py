"""`python -m orch`."""

from __future__ import annotations

from orch.cli import main

if __name__ == "__main__":
    main(prog_name="orch")
