"""The command line: one file per command, imported when it is called."""

from __future__ import annotations

from orch.cli.group import main

__all__ = ["main"]
