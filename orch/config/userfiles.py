"""Solvers and strategies that the configuration names by their file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from orch.errors import ConfigError
from orch.model.userfiles import checked, is_file, load_object, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from orch.config.reader import Reader

SOLVER, STRATEGY = "solve", "STRATEGY"


def solver_of(reader: Reader, written: str, base_dir: Path, environ: Mapping[str, str], taken: Any) -> Path | None:
    """The file of a solver; None (and a fault) when it cannot be used. It is run in the solver process only."""
    try:
        path = checked(place_of(written, base_dir, environ.get("HOME")))
    except ConfigError as error:
        reader.fault("optimizer.solver", str(error), written)
        return None
    if path.stem in taken:
        reader.fault(
            "optimizer.solver", f"{path.stem} is the name of an installed solver: rename the file", written
        )
        return None
    return path


def strategies_of(
    reader: Reader, raw: Mapping[str, Any], base_dir: Path, environ: Mapping[str, str], taken: Any
) -> dict[str, Path]:
    """The files of all strategies named in `[optimizer]`, by the name that each goes by (without `.py`)."""
    found: dict[str, Path] = {}
    for where, written in files_named(raw):
        try:
            path = place_of(written, base_dir, environ.get("HOME"))
            strategy_in(path)
        except ConfigError as error:
            reader.fault(where, str(error), written)
            continue
        if path.stem in taken or found.get(path.stem, path) != path:
            reader.fault(where, f"the name {path.stem} is taken: rename the file", written)
            continue
        found[path.stem] = path
    return found


def strategy_in(path: Path) -> Any:
    """The strategy that a file defines, under the file's name.

    Raises:
        ConfigError: It may not be run, fails, or its STRATEGY is none.
    """
    found = load_object(path, STRATEGY)
    options = getattr(found, "options", None)
    if not callable(getattr(found, "advise", None)):
        raise ConfigError((f"{path}: its {STRATEGY} has no function advise(options, prospect)",))
    if not (isinstance(options, type) and issubclass(options, msgspec.Struct)):
        raise ConfigError((f"{path}: its {STRATEGY} has no msgspec.Struct class as options",))
    if getattr(found, "name", None) != path.stem:
        raise ConfigError((f"{path}: the name of its {STRATEGY} must be {path.stem!r}, as the file's",))
    return found


def loaders_of(files: Mapping[str, str]) -> dict[str, Callable[[], Any]]:
    """A function per strategy file that loads it."""
    from pathlib import Path

    return {name: partial(strategy_in, Path(path)) for name, path in files.items()}


def short(written: Any) -> Any:
    """The name that a strategy or solver goes by: of a file, its name without `.py`."""
    from pathlib import Path

    return Path(written).stem if isinstance(written, str) and is_file(written) else written


def files_named(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The files named as strategies in `[optimizer]`: where, and as written."""
    wanted = [("optimizer.strategy", raw.get("strategy"))]
    for key, table in raw.items():
        members = table.get("of") if isinstance(table, dict) else None
        if isinstance(members, list):
            wanted += [(f"optimizer.{key}.of[{index}]", member) for index, member in enumerate(members)]
    return [(where, each) for where, each in wanted if isinstance(each, str) and is_file(each)]
