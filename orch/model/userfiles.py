"""A user's own solver, strategy or forecaster: one Python file beside the configuration.

The file is code that orch runs with its own rights, so only its owner may be able to change it.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import zlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from orch.errors import ConfigError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def is_file(name: str) -> bool:
    """Whether a name in the configuration means a file: it ends in `.py` or has a slash."""
    return name.endswith(".py") or "/" in name


def place_of(written: str, base_dir: Path, home: str | None = None) -> Path:
    """The absolute path of a file as written: `~/` is the home, relative paths start at `base_dir`."""
    if written.startswith("~/") and home:
        return Path(home) / written[2:]
    return Path(os.path.abspath(base_dir / written))  # noqa: PTH100 - resolve() would hide what a link points to


def checked(path: Path) -> Path:
    """The path, when what stands there may be run.

    Raises:
        ConfigError: There is no such regular Python file, or somebody else can change it; with the remedy.
    """
    if path.suffix != ".py" or not _NAME.fullmatch(path.stem):
        raise ConfigError((f"{path}: the name must be like my_rule.py: letters, digits and underscores",))
    try:
        status, around = path.stat(), path.parent.stat()
    except OSError as error:
        raise ConfigError(
            (f"{path}: cannot be read ({error.strerror}); write it there or correct the path",)
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError((f"{path}: is not a regular file",))
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigError((f"{path}: belongs to another user, who could change what orch runs; chown it",))
    if status.st_mode & stat.S_IWOTH:
        raise ConfigError((f"{path}: others may write to it; run: chmod o-w {path}",))
    if around.st_mode & stat.S_IWOTH and not around.st_mode & stat.S_ISVTX:
        raise ConfigError((f"{path.parent}: others may replace files in it; run: chmod o-w {path.parent}",))
    return path


def load_object(path: Path, attribute: str) -> Any:
    """What a checked file defines under a name; the file is run anew.

    Raises:
        ConfigError: It may not be run, fails, or defines no such thing.
    """
    module_name = f"orch_user_{path.stem}_{zlib.crc32(str(path).encode()):08x}"
    spec = spec_from_file_location(module_name, checked(path))
    if spec is None or spec.loader is None:
        raise ConfigError((f"{path}: is no Python file",))
    module = module_from_spec(spec)
    sys.modules[module_name] = module  # annotations of its Structs are looked up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ConfigError((f"{path}: cannot be loaded: {why}",)) from error
    found = getattr(module, attribute, None)
    if found is None:
        raise ConfigError((f"{path}: defines no {attribute}",))
    return found
