"""Which solver and strategy are used: what was asked for, or what stands in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.config.reader import Reader, joined, suggestion
from orch.config.schema import OptimizerConfig, OptimizerTable
from orch.config.userfiles import files_named, loaders_of, short, solver_of, strategies_of
from orch.errors import ConfigError
from orch.model.readings import Finding
from orch.model.userfiles import is_file
from orch.strategies.registry import ALIASES, fit_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from orch.config.plugins import Plugins

DEFAULTS = OptimizerConfig()


def not_built(sentence: str, remedy: str) -> Finding:
    """The finding for something that is named in the configuration and not installed."""
    return Finding(code="not_built", severity="warning", sentence=sentence, remedy=remedy)


def read_optimizer(
    reader: Reader, raw: Any, plugins: Plugins, base_dir: Path, environ: Mapping[str, str]
) -> OptimizerConfig:
    """`[optimizer]` with the tables of its strategies.

    A solver or strategy that is not installed is a finding, and `linear` or `threshold` stands in; a file that
    cannot be used is a fault.
    """
    if not isinstance(raw, dict):
        reader.fault("optimizer", "must be a table", raw)
        return DEFAULTS
    before = len(reader.faults)
    files = strategies_of(reader, raw, base_dir, environ, plugins.strategies)
    own = {name: str(path) for name, path in files.items()}
    strategies = {**plugins.strategies, **loaders_of(own)}
    kinds = _strategy_tables(reader, strategies)
    # The table of a file that cannot be used is not unknown besides.
    known = {*kinds, *(short(written) for _, written in files_named(raw))}
    plain = {key: each for key, each in raw.items() if key not in known}
    table = reader.struct(OptimizerTable, plain, "optimizer", also=kinds) or OptimizerTable()
    file = None
    if is_file(table.solver):
        file = solver_of(reader, table.solver, base_dir, environ, plugins.solvers)
    options = _options(reader, raw, kinds, short(table.strategy))
    if len(reader.faults) > before:
        return DEFAULTS
    solver = file.stem if file else _chosen(reader, "solver", table.solver, plugins.solvers, DEFAULTS.solver)
    strategy = _chosen(
        reader, "strategy", ALIASES.get(table.strategy, short(table.strategy)), strategies, DEFAULTS.strategy
    )
    _must_fit(reader, strategy, options, strategies)
    return OptimizerConfig(
        solver=solver,
        strategy=strategy,
        forecaster=_chosen(reader, "forecaster", table.forecaster, plugins.forecasters, DEFAULTS.forecaster),
        horizon_h=table.horizon_h,
        longest_horizon_h=max(table.longest_horizon_h, table.horizon_h),
        options=options,
        solver_file=None if file is None else str(file),
        strategy_files=own,
    )


def _options(
    reader: Reader, raw: Mapping[str, Any], kinds: Mapping[str, type[msgspec.Struct]], chosen: str
) -> dict[str, Any]:
    """The checked options of every strategy that has a table, is chosen, or has defaults."""
    options: dict[str, Any] = {}
    for key, kind in kinds.items():
        name = ALIASES.get(key, key)
        if name in options and key not in raw:
            continue
        if key not in raw and chosen != key and not _has_defaults(kind):
            continue
        table = raw.get(key, {})
        if isinstance(table, dict) and isinstance(table.get("of"), list):
            table = {**table, "of": [short(each) for each in table["of"]]}
        made = reader.struct(kind, table, joined("optimizer", key))
        if made is not None:
            options[name] = made
    return options


def _must_fit(reader: Reader, strategy: str, options: Mapping[str, Any], strategies: Mapping[str, Any]) -> None:
    """Note what is wrong with a combination: members that are not there, or a strategy that is part of itself."""
    try:
        fit_strategy(strategy, options, strategies)
    except ConfigError as error:
        reader.faults += [f"{reader.source}: {fault}" for fault in error.faults]


def _has_defaults(kind: type[msgspec.Struct]) -> bool:
    return not any(field.required for field in msgspec.structs.fields(kind))


def _strategy_tables(reader: Reader, strategies: Mapping[str, Any]) -> dict[str, type[msgspec.Struct]]:
    """The options of every strategy, by the name of its table."""
    kinds: dict[str, type[msgspec.Struct]] = {}
    for name, load in strategies.items():
        try:
            kinds[name] = load().options
        except ConfigError as error:
            reader.findings.append(
                not_built(f"the strategy {name} cannot be used: {error}", "reinstall what offers it")
            )
    for alias, name in ALIASES.items():
        if name in kinds:
            kinds.setdefault(alias, kinds[name])
    return kinds


def _chosen(reader: Reader, what: str, wanted: str, offered: Any, instead: str) -> str:
    if wanted in offered:
        return wanted
    if wanted != instead:
        reader.findings.append(
            not_built(
                f'optimizer.{what} = "{wanted[:60]}" is not installed, {instead} is used instead',
                suggestion(wanted, offered),
            )
        )
    return instead
