"""`orch backtest`: what each strategy would have earned with given rates, prices and tariffs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from orch.cli.options import DURATION_TYPE, MOMENT_TYPE, as_json, common
from orch.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from orch.cli.options import Since, Where
    from orch.config.schema import Config
    from orch.replay.contenders import Entrant, Terms
    from orch.replay.market import Market
    from orch.replay.table import Series

DETAILS = """Long form has one row per time and series (columns such as time,series,value), wide form one column
per series. The times' column is found by its name (time, open_time, timestamp, date, also date with time_from), or
named by --time; names and values of the long form likewise (--name, --value). A value holds from its time to the
next. An empty cell is unknown, and steps in which an option's rate is unknown are counted for nobody. Values are
USD per hour of one whole unit (per day where the column's name ends with _day); it is what moves between options.

\b
  orch backtest rates.csv --downtime 5m --move-usd 0.10
  orch backtest GLM=glm.csv STORJ=storj.csv power=day_ahead.csv --zone power=Europe/Prague \\
    --option 'compute=0.4*GLM - 0.00005*power' --option 'disk=0.05*STORJ' --chart out.html

Whoever decides knows only what lies before the step. Exit status 2: an option or a file cannot be used.
"""


@click.command("backtest", short_help="What each strategy would have earned with given rates.", epilog=DETAILS)
@click.argument("files", nargs=-1, required=True, metavar="[NAME=]FILE...")
@click.option(
    "--option", "options", multiple=True, metavar="NAME=SUM", help="An option: sums of products of series."
)
@click.option("--time", metavar="COLUMN", help="The column (or DATE+CLOCK) with the times.")
@click.option("--name", metavar="COLUMN", help="The column with the series' names (long form).")
@click.option("--value", metavar="COLUMN", help="The column with the values.")
@click.option("--zone", "zones", multiple=True, metavar="[NAME=]ZONE", help="Of times without one (UTC).")
@click.option("--per", type=click.Choice(("hour", "day")), help="What values are for.")
@click.option("--scale", type=float, default=1.0, metavar="X", help="All rates are multiplied by it.")
@click.option("--carry", "carries", multiple=True, metavar="NAME=DURATION", help="Bridge gaps so long at most.")
@click.option("--since", type=MOMENT_TYPE, metavar="TIME", help="Only from then on.")
@click.option("--until", type=MOMENT_TYPE, metavar="TIME", help="Only until then.")
@click.option("--start", metavar="NAME", help="All of the unit begins there; by default it is divided evenly.")
@click.option(
    "--strategy", "strategies", multiple=True, metavar="S", help="threshold, all_of:threshold+periodic ..."
)
@click.option("--solver", "solvers", multiple=True, metavar="S", help="Such as linear, greedy, exact (linear).")
@click.option("--set", "settings", multiple=True, metavar="S.OPTION=X", help="Such as threshold.margin_pct=5.")
@click.option("--downtime", type=DURATION_TYPE, metavar="D", help="Income lost by a move (60s).")
@click.option("--move-usd", type=click.FloatRange(min=0.0), default=0.0, metavar="USD", help="And what it costs.")
@click.option("--seed", type=int, default=0, metavar="N", help="The same seed, the same result to the bit.")
@click.option(
    "--chart", type=click.Path(path_type=Path), metavar="F", help="A picture: .html, or .png (matplotlib)."
)
@as_json
@common
def command(
    where: Where,
    files: tuple[str, ...],
    options: tuple[str, ...],
    time: str | None,
    name: str | None,
    value: str | None,
    zones: tuple[str, ...],
    per: str | None,
    scale: float,
    carries: tuple[str, ...],
    since: Since | None,
    until: Since | None,
    start: str | None,
    strategies: tuple[str, ...],
    solvers: tuple[str, ...],
    settings: tuple[str, ...],
    downtime: timedelta | None,
    move_usd: float,
    seed: int,
    chart: Path | None,
    json: bool,
) -> None:
    """What each strategy would have earned with the rates in CSV files, beside baselines and perfect foresight."""
    from orch.replay.market import make_market, parse_option

    if chart is not None and chart.suffix.lower() not in {".html", ".png"}:
        raise UsageError(f"--chart {chart}: the name must end with .html or .png.")
    series = _read(files, (time, name, value), zones, per)
    market = make_market(
        series,
        [parse_option(each) for each in options],
        scale=scale,
        carry_s={key: length.total_seconds() for key, length in _carried(carries, series).items()},
    )
    market = _within(market, since, until)
    config = _config(where)
    terms = _terms(market, config, start, downtime, move_usd)
    entrants, notes = _entrants(market, terms, config, strategies, solvers, settings)
    _play(market, entrants, terms, config, (*_units(series, scale), *notes), seed, chart, json=json)


def _play(
    market: Market,
    entrants: tuple[Entrant, ...],
    terms: Terms,
    config: Config | None,
    notes: tuple[str, ...],
    seed: int,
    chart: Path | None,
    *,
    json: bool,
) -> None:
    from orch.cli.progress import progress
    from orch.forecast.registry import load_forecasters
    from orch.replay.backtest import backtest

    forecaster = load_forecasters()["ensemble" if config is None else config.optimizer.forecaster]()
    with progress("Playing", to_file=True) as told:
        played = backtest(market, entrants, terms, forecaster=forecaster, seed=seed, notes=notes, told=told)
    if chart is not None:
        from orch.replay.charts import draw

        draw(played, chart)
    if json:
        from orch.cli.source import document

        click.echo(document(played.result))
        return
    from orch.cli.console import show
    from orch.cli.played import backtest_page

    show(*backtest_page(played.result))


def _read(
    files: tuple[str, ...], columns: tuple[str | None, ...], zones: tuple[str, ...], per: str | None
) -> list[Series]:
    from orch.replay.table import Terms, read_series

    usual, named = "UTC", {}
    for each in zones:
        key, equals, zone = each.partition("=")
        if equals:
            named[key] = zone
        else:
            usual = key
    per_h = {"hour": 1.0, "day": 24.0, None: None}[per]
    found: list[Series] = []
    for each in files:
        alias, equals, path = each.partition("=")
        # A path may hold "=" as well; what stands before it is a name only where it could be one.
        alias, path = (alias, path) if equals and alias.isidentifier() else ("", each)
        zone = named.pop(alias, usual)
        found += read_series(Path(path), Terms(alias or None, columns[0], columns[1], columns[2], per_h, zone))
    if named:
        raise UsageError(f"--zone {', '.join(named)}: no file is called so; write NAME=FILE.")
    return found


def _carried(carries: tuple[str, ...], series: list[Series]) -> dict[str, timedelta]:
    found, known = {}, [each.name for each in series]
    for each in carries:
        key, _, length = each.partition("=")
        if key not in known:
            raise UsageError(f"--carry {each}: there is no series {key!r}; there are {', '.join(known)}.")
        found[key] = DURATION_TYPE.convert(length, None, None)
    return found


def _within(market: Market, since: Since | None, until: Since | None) -> Market:
    from orch.cli.options import moment
    from orch.replay.premises import moment as at

    end = at(int(market.starts[-1]) + market.step_s)

    def seconds(when: Since | None, default: datetime) -> float:
        return (default if when is None else moment(when, end)).timestamp()

    first, last = seconds(since, at(int(market.starts[0]))), seconds(until, end)
    inside = (market.starts >= first) & (market.starts + market.step_s <= last)
    chosen = market._replace(starts=market.starts[inside], rates=market.rates[inside])
    if chosen.known.sum() < 2:
        raise UsageError("Between --since and --until there are not two steps with known rates.")
    return chosen


def _config(where: Where) -> Config | None:
    """The configuration, where one is named: the market is not that of the nodes that lie in reach."""
    if where.config is None:
        return None
    from orch.cli.places import load_config

    return load_config(where, resolve_secrets=False)


def _terms(
    market: Market, config: Config | None, start: str | None, downtime: timedelta | None, move_usd: float
) -> Terms:
    from orch.model.problems import Budget
    from orch.planning.settings import PlanSettings
    from orch.reallocation.settings import MoveLimits
    from orch.replay.contenders import Terms

    if start is not None and start not in market.options:
        raise UsageError(f"--start {start}: there is no such option; there are {', '.join(market.options)}.")
    budget = Budget(seconds=60.0)  # what a solver finds must not depend on how busy this machine is
    settings, limits = PlanSettings(budget=budget), MoveLimits()
    if config is not None:
        chosen = config.optimizer
        settings = PlanSettings(
            budget=budget, horizon_h=chosen.horizon_h, longest_horizon_h=chosen.longest_horizon_h
        )
        limits = MoveLimits(
            min_hold_s=config.limits.min_hold_s, max_moves_per_hour=config.limits.max_reallocations_per_hour
        )
    return Terms(
        downtime_s=60.0 if downtime is None else downtime.total_seconds(),
        move_usd=move_usd,
        start=None if start is None else tuple(float(each == start) for each in market.options),
        limits=limits,
        settings=settings,
    )


def _entrants(
    market: Market,
    terms: Terms,
    config: Config | None,
    strategies: tuple[str, ...],
    solvers: tuple[str, ...],
    settings: tuple[str, ...],
) -> tuple[tuple[Entrant, ...], tuple[str, ...]]:
    from orch.config.userfiles import loaders_of
    from orch.replay.backtest import usual_variance
    from orch.replay.entrants import USUAL, make_entrants
    from orch.strategies.registry import load_strategies

    chosen = strategies or USUAL
    notes: tuple[str, ...] = ()
    files = {} if config is None else config.optimizer.strategy_files
    loaders = {**load_strategies(), **loaders_of(files)}
    options = {} if config is None else dict(config.optimizer.options)
    if any("risk_aware" in each for each in chosen) and config is None:
        tolerance = usual_variance(market, terms)
        if tolerance is not None and not any(each.startswith("risk_aware.risk_tolerance=") for each in settings):
            settings = (f"risk_aware.risk_tolerance={tolerance!r}", *settings)
            said = f"risk_aware tolerates a deviation of ${tolerance**0.5:.6g}/h, that of the first week's income"
            notes = (f"{said}; set it with --set risk_aware.risk_tolerance=(USD/h)^2.",)
    usual = "linear" if config is None or config.optimizer.solver_file else config.optimizer.solver
    return make_entrants(chosen, solvers or (usual,), loaders, options, settings), notes


def _units(series: list[Series], scale: float) -> tuple[str, ...]:
    by_day = ", ".join(each.name for each in series if each.per_h != 1.0)
    notes = (f"{by_day}: values taken as per day.",) if by_day else ()
    return (*notes, f"All rates times {scale:g}.") if scale != 1.0 else notes
