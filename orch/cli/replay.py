"""`orch replay`: a recorded data directory through the decide step again, or under another strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from pathlib import Path

    from orch.cli.options import Where
    from orch.config.schema import Config
    from orch.replay.recorded import Again, Bench
    from orch.replay.whatif import Row

DETAILS = """Without options every recorded decision is made again from what it was made of, which is kept for 30
days; the exit status is 1 when one comes out otherwise. With --strategy or --solver the recorded time is gone
through with them instead: incomes are then estimated by the recorded curves. The engine must not be running on the
directory."""


@click.command("replay", short_help="Recorded decisions made again, or under another strategy.", epilog=DETAILS)
@click.option(
    "--strategy", "strategies", multiple=True, metavar="S", help="threshold, all_of:threshold+periodic ..."
)
@click.option("--solver", "solvers", multiple=True, metavar="S", help="linear, greedy, exact ...")
@click.option("--set", "settings", multiple=True, metavar="S.OPTION=X", help="Such as threshold.margin_pct=5.")
@click.option("--seed", type=int, default=0, metavar="N", help="The same seed, the same result to the bit.")
@as_json
@common
def command(
    where: Where,
    strategies: tuple[str, ...],
    solvers: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
    json: bool,
) -> None:
    """Make every recorded decision again; or see what another strategy or solver would have done."""
    from orch.cli.places import data_dir_of, load_config
    from orch.system.paths import DATABASE_FILE

    path = data_dir_of(where) / DATABASE_FILE
    config = load_config(where, resolve_secrets=False) if where.config is not None else None
    if strategies or solvers or settings:
        rows = _otherwise(path, config, strategies, solvers, settings, seed)
        _print_rows(rows, json=json)
        return
    from orch.cli.progress import progress
    from orch.replay.recorded import replay
    from orch.store.database import open_read_only

    with open_read_only(path) as connection, progress("Replaying", to_file=True) as told:
        found = replay(connection, bench_of(config), told)
    _print_again(found, json=json)
    if found.differs:
        raise SystemExit(1)


def bench_of(config: Config | None) -> Bench:
    """The strategies and solvers that decisions may name, a configuration's own among them."""
    from orch.config.userfiles import loaders_of
    from orch.replay.recorded import Bench
    from orch.solvers.job import load_solver
    from orch.strategies.registry import load_strategies

    if config is None:
        return Bench(load_strategies())
    chosen = config.optimizer
    own = {} if chosen.solver_file is None else {chosen.solver: load_solver(f"{chosen.solver_file}:solve")}
    return Bench({**load_strategies(), **loaders_of(chosen.strategy_files)}, own)


def _otherwise(
    path: Path,
    config: Config | None,
    strategies: tuple[str, ...],
    solvers: tuple[str, ...],
    settings: tuple[str, ...],
    seed: int,
) -> tuple[Row, ...]:
    from orch.cli.progress import progress
    from orch.config.userfiles import loaders_of
    from orch.reallocation.settings import MoveLimits
    from orch.replay.entrants import USUAL, make_entrants
    from orch.replay.recorded import count_decisions, decisions
    from orch.replay.whatif import what_if
    from orch.store.database import open_read_only
    from orch.strategies.registry import load_strategies

    files = {} if config is None else config.optimizer.strategy_files
    options = {} if config is None else config.optimizer.options
    limits = MoveLimits()
    if config is not None:
        limits = MoveLimits(
            min_hold_s=config.limits.min_hold_s, max_moves_per_hour=config.limits.max_reallocations_per_hour
        )
    loaders = {**load_strategies(), **loaders_of(files)}
    entrants = make_entrants(strategies or USUAL, solvers or ("linear",), loaders, options, settings)
    with open_read_only(path) as connection, progress("Replaying", to_file=True) as told:
        return what_if(
            lambda: decisions(connection),
            bench_of(config),
            entrants,
            limits,
            seed=seed,
            told=told,
            whole=count_decisions(connection),
        )


def _print_again(found: Again, *, json: bool) -> None:
    if json:
        from orch.cli.source import document

        click.echo(document(found))
        return
    from orch.cli.console import show
    from orch.cli.played import again_page

    show(*again_page(found))


def _print_rows(rows: tuple[Row, ...], *, json: bool) -> None:
    if json:
        from orch.cli.source import document

        click.echo(document({"schema": 1, "outcomes": rows}))
        return
    from orch.cli.console import show
    from orch.cli.played import rows_page

    show(*rows_page(rows))
