"""Which solver and strategy are used: what was asked for, or what stands in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.config.reader import Reader, joined, suggestion
from orch.config.schema import (
    KNOWN_STRATEGY_TABLES,
    STRATEGY_ALIASES,
    OptimizerConfig,
    OptimizerTable,
)
from orch.errors import ConfigError
from orch.model.readings import Finding

if TYPE_CHECKING:
    from orch.config.plugins import Plugins

DEFAULTS = OptimizerConfig()


def not_built(sentence: str, remedy: str) -> Finding:
    """The finding for something that is named in the configuration and not installed."""
    return Finding(code="not_built", severity="warning", sentence=sentence, remedy=remedy)


def read_optimizer(reader: Reader, raw: Any, plugins: Plugins) -> OptimizerConfig:
    """`[optimizer]` with the tables of its strategies.

    A solver or strategy that is not installed is a finding, and `linear` or `threshold` stands in.
    """
    if not isinstance(raw, dict):
        reader.fault("optimizer", "must be a table", raw)
        return DEFAULTS
    kinds = _strategy_tables(reader, plugins)
    plain = {key: each for key, each in raw.items() if key not in kinds}
    table = reader.struct(OptimizerTable, plain, "optimizer", also=kinds) or OptimizerTable()
    options: dict[str, Any] = {}
    for key, kind in kinds.items():
        name = STRATEGY_ALIASES.get(key, key)
        if name in options and key not in raw:
            continue
        if key not in raw and table.strategy != key and not _has_defaults(kind):
            continue
        made = reader.struct(kind, raw.get(key, {}), joined("optimizer", key))
        if made is not None:
            options[name] = made
    return OptimizerConfig(
        solver=_chosen(reader, "solver", table.solver, plugins.solvers, DEFAULTS.solver),
        strategy=_chosen(
            reader,
            "strategy",
            STRATEGY_ALIASES.get(table.strategy, table.strategy),
            plugins.strategies,
            DEFAULTS.strategy,
        ),
        horizon_h=table.horizon_h,
        options=options,
    )


def _has_defaults(kind: type[msgspec.Struct]) -> bool:
    return not any(field.required for field in msgspec.structs.fields(kind))


def _strategy_tables(reader: Reader, plugins: Plugins) -> dict[str, type[msgspec.Struct]]:
    """The options of every strategy that is installed or known, by the name of its table."""
    kinds = dict(KNOWN_STRATEGY_TABLES)
    for name, load in plugins.strategies.items():
        try:
            kinds[name] = load().options
        except ConfigError as error:
            reader.findings.append(
                not_built(f"the strategy {name} cannot be used: {error}", "reinstall what offers it")
            )
    for alias, name in STRATEGY_ALIASES.items():
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
