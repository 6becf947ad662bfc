"""Where the configuration is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def find(cli_path: Path | None, environ: Mapping[str, str], cwd: Path, home: Path) -> Path | None:
    """The configuration to use: what was named, else the first that exists; None for the demonstration.

    In this order: `--config`, `$ORCH_CONFIG`, `./orch.toml`, `~/.config/orch/orch.toml`. A file that was
    named is given back even when it does not exist, so that loading it says so.
    """
    if cli_path is not None:
        return cwd / cli_path
    named = environ.get("ORCH_CONFIG")
    if named:
        return home / named[2:] if named.startswith("~/") else cwd / named
    usual = (cwd / "orch.toml", home / ".config" / "orch" / "orch.toml")
    return next((path for path in usual if path.is_file()), None)
