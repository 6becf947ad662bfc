"""Strategies by their written names, with options and solvers, ready to take part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from orch.errors import ConfigError, UsageError
from orch.replay.contenders import Entrant
from orch.solvers.registry import solver_names, solvers_for
from orch.strategies.registry import ALIASES, fit_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from orch.strategies.base import StrategySpec

USUAL = ("threshold", "periodic", "predictive", "risk_aware", "all_of:threshold+predictive")


def make_entrants(
    strategies: Sequence[str],
    solvers: Sequence[str],
    loaders: Mapping[str, Callable[[], StrategySpec]],
    options: Mapping[str, Any],
    settings: Sequence[str] = (),
) -> tuple[Entrant, ...]:
    """One entrant per strategy and solver.

    Args:
        strategies: Names; a combination is `all_of:threshold+periodic` (or `any_of:...`).
        solvers: Names.
        loaders: The strategies there are.
        options: Checked options by strategy; defaults where they are absent.
        settings: Options over these, as `strategy.option=value`.

    Raises:
        UsageError: A name is unknown, or an option cannot be set so.
    """
    for name in solvers:
        if name not in solver_names():
            raise UsageError(f"There is no solver {name!r}: take one of {', '.join(solver_names())}.")
    given = _with(settings, dict(options), loaders)
    made = []
    for written in strategies:
        name, of = _parsed(written)
        own = {**given, name: loaders[name]().options(of=of)} if of and name in loaders else given
        try:
            fitted = fit_strategy(name, own, loaders)
        except ConfigError as error:
            raise UsageError(f"--strategy {written}: {error}") from error
        made += [
            Entrant(
                strategy=fitted.strategy,
                options=fitted.options,
                solver=solver,
                solvers={**solvers_for("conic"), **solvers_for(solver)},
                label=written if len(solvers) == 1 else f"{written} / {solver}",
            )
            for solver in solvers
        ]
    return tuple(made)


def _parsed(written: str) -> tuple[str, tuple[str, ...]]:
    name, _, members = written.partition(":")
    return ALIASES.get(name, name), tuple(each for each in members.split("+") if each)


def _with(
    settings: Sequence[str], options: dict[str, Any], loaders: Mapping[str, Callable[[], StrategySpec]]
) -> dict[str, Any]:
    """The options with single ones set."""
    for setting in settings:
        where, equals, value = setting.partition("=")
        name, _, option = where.partition(".")
        if not equals or not option:
            raise UsageError(f"--set {setting!r}: write strategy.option=value, such as threshold.margin_pct=5.")
        if name not in loaders:
            raise UsageError(f"--set {setting!r}: there is no strategy {name!r}.")
        kind = loaders[name]().options
        before = options.get(name)
        known = {} if before is None else msgspec.to_builtins(before)
        try:
            options[name] = msgspec.convert({**known, option: value}, kind, strict=False)
        except msgspec.ValidationError as error:
            raise UsageError(f"--set {setting!r}: {error}.") from error
    return options
