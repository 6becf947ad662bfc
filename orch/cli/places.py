"""Which configuration and which data directory a command is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from orch.config.find import find
from orch.system.paths import default_data_dir

if TYPE_CHECKING:
    from orch.cli.options import Where
    from orch.config.schema import Config


def home() -> Path:
    """The user's home; where there is none, the working directory stands in."""
    found = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises without a home
    return Path.cwd() if found == "~" else Path(found)


def whole(path: Path) -> Path:
    """An absolute path, `~` resolved."""
    text = str(path)
    return home() / text[2:] if text.startswith("~/") else Path.cwd() / path


def find_config(where: Where) -> Path | None:
    """The configuration's file; None when there is none at all."""
    return find(where.config and whole(where.config), os.environ, Path.cwd(), home())


def load_config(where: Where, *, resolve_secrets: bool) -> Config | None:
    """The configuration, with `--data-dir` over its own; None when there is none at all.

    Raises:
        ConfigError: It cannot be used.
    """
    path = find_config(where)
    if path is None:
        return None
    from msgspec.structs import replace

    from orch.config.load import load

    config = load(path, os.environ, resolve_secrets=resolve_secrets)
    return config if where.data_dir is None else replace(config, data_dir=whole(where.data_dir))


def demo_dir(where: Where) -> Path:
    """Where the demonstration keeps its data."""
    return default_data_dir("emulated", home()) if where.data_dir is None else whole(where.data_dir)


def data_dir_of(where: Where) -> Path:
    """Where recorded data lies: `--data-dir`, else the configuration's, else the demonstration's.

    Raises:
        ConfigError: The configuration is needed and cannot be used.
    """
    if where.data_dir is not None:
        return whole(where.data_dir)
    config = load_config(where, resolve_secrets=False)
    return demo_dir(where) if config is None else config.data_dir
