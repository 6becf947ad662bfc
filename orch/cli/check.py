"""`orch check`: does everything answer, and what is to be done where it does not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orch.cli.options import as_json, common

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from orch.boot.plans import Setting
    from orch.cli.findings import Checkup, Line, Opening
    from orch.cli.options import Where
    from orch.cli.probe import Probed
    from orch.config.schema import Config
    from orch.model.plans import Opportunity, Plan


@click.command("check", short_help="Does everything answer? A remedy where it does not.")
@click.option("--repair", is_flag=True, help="Make a damaged database open again; says what was lost.")
@as_json
@common
def command(where: Where, repair: bool, json: bool) -> None:
    """Connect to every node, lever and price source, and look at the data directory; changes nothing.

    With --repair: moves a damaged log of the database aside, keeps what is sound of it, and rebuilds the record
    of reallocations from their journal. It needs no node, and refuses while an engine runs.
    """
    from orch.cli.source import document

    if repair:
        _repair(where, json=json)
        return
    found = _look(where)
    if json:
        click.echo(document(found))
    else:
        from orch.cli.console import show
        from orch.cli.findings import checkup_page

        show(checkup_page(found))
    if found.problems:
        sys.stdout.flush()
        click.get_current_context().exit(1)


def _look(where: Where) -> Checkup:
    from orch.cli.findings import BY_LOOK, BY_PLAN, checkup
    from orch.cli.habits import habits
    from orch.cli.places import demo_dir, load_config
    from orch.cli.premises import premises

    config = load_config(where, resolve_secrets=True)
    if config is None:
        from orch.config.schema import WebConfig

        data_dir = demo_dir(where)
        lines = [_no_configuration(), *premises(data_dir, "emulated", WebConfig()), *_running_nodes(data_dir)]
        recorded = _recorded_plan(data_dir)
        openings = _openings(recorded.opportunities if recorded is not None else ())
        return checkup("the demonstration", str(data_dir), lines, openings, None if recorded is None else BY_PLAN)
    setting, found = _ask_nodes(config)
    lines = [*_configuration(config), *premises(config.data_dir, found.kind, config.web)]
    lines += [*habits(config), *found.lines]
    recorded = _recorded_plan(config.data_dir)
    planned = recorded.opportunities if recorded is not None else ()
    # An engine plans nothing for what it has no lever for; a person may want to know all the same.
    opportunities = planned or _by_this_look(setting, found)
    by = BY_PLAN if planned else BY_LOOK
    return checkup(config.source, str(config.data_dir), lines, _openings(opportunities), by)


def _ask_nodes(config: Config) -> tuple[Setting, Probed]:
    """What every node says. Raises ConfigError when the limits cannot be kept on this host."""
    import socket

    from orch.boot.plans import make_setting
    from orch.cli.probe import probe
    from orch.system.host import measure_capacity

    setting = make_setting(config, host=socket.gethostname(), measured=measure_capacity(config.data_dir))
    if sys.stderr.isatty():
        click.echo(f"Asking {len(setting.nodes)} nodes ...", err=True)
    return setting, probe(setting)


def _configuration(config: Config) -> list[Line]:
    from orch.cli.findings import Line

    nodes = f"{len(config.nodes)} node{'' if len(config.nodes) == 1 else 's'}"
    said = f"{nodes}, mode {config.mode}, solver {config.optimizer.solver}, strategy {config.optimizer.strategy}"
    lines = [Line(subject="orch", asked="configuration", result="ok", sentence=said)]
    lines += [
        Line(subject="orch", asked=each.code, result="warning", sentence=each.sentence, remedy=each.remedy)
        for each in config.findings
    ]
    return lines


def _no_configuration() -> Line:
    from orch.cli.findings import Line

    return Line(
        subject="orch",
        asked="configuration",
        result="note",
        sentence="none was found: orch runs the demonstration with EMULATED nodes",
        remedy="run `orch init`: it looks for your nodes and writes orch.toml",
    )


def _running_nodes(data_dir: Path) -> list[Line]:
    """What a running demonstration says of its nodes: they exist only inside it."""
    from orch.cli.findings import Line
    from orch.cli.source import open_source
    from orch.errors import OrchError
    from orch.system.paths import read_engine

    if read_engine(data_dir) is None:
        return []
    try:
        with open_source(data_dir) as source:
            board = source.board()
    except OrchError as error:
        return [Line(subject="orch", asked="board", result="failed", sentence=str(error), remedy="try again")]
    return [
        Line(
            subject=node.name,
            asked="health",
            result="ok" if node.health == "online" else "warning",
            sentence=f"emulated {node.protocol} node, {node.health}"
            + (f": {node.health_reason}" if node.health_reason else ""),
        )
        for node in board.nodes
    ]


def _recorded_plan(data_dir: Path) -> Plan | None:
    """The newest plan of an engine; None when none ever ran here, or its data cannot be read (told elsewhere)."""
    from orch.cli.source import open_source
    from orch.errors import OrchError
    from orch.system.paths import DATABASE_FILE

    if not (data_dir / DATABASE_FILE).exists():
        return None
    try:
        with open_source(data_dir) as source:
            return source.plan()
    except OrchError:
        return None


def _by_this_look(setting: Setting, found: Probed) -> tuple[Opportunity, ...]:
    """What the nodes' own words of just now allow to conclude."""
    from orch.cli.badly import opportunities_now

    return opportunities_now(setting, found.seen, found.prices, found.at)


def _openings(opportunities: Sequence[Opportunity]) -> list[Opening]:
    """Opportunities in words, with what it costs a month to leave them."""
    from orch.cli.findings import Opening
    from orch.cli.pages import HOURS_A_MONTH
    from orch.cli.words import TITLES, amount

    openings = []
    for each in opportunities:
        what = "" if each.resource is None else f" {TITLES[each.resource]}"
        sentence = f"{each.node}{what} {amount(each.from_value)}, better {amount(each.to_value)}"
        mean = None if each.usd_per_hour is None else each.usd_per_hour.mean * HOURS_A_MONTH
        openings.append(Opening(sentence=f"{sentence} ({each.kind.replace('_', ' ')})", usd_per_month=mean))
    return openings


def _repair(where: Where, *, json: bool) -> None:
    """Repair the database. Raises OrchError when an engine runs, or it cannot be repaired."""
    from orch.cli.places import data_dir_of
    from orch.cli.source import document
    from orch.errors import DataDirError
    from orch.store.repair import repair
    from orch.system.clock import RealClock
    from orch.system.journal import FileJournal
    from orch.system.paths import JOURNAL_FILE, lock_data_dir, read_engine

    data_dir = data_dir_of(where)
    info = read_engine(data_dir)
    if info is not None:
        raise DataDirError(f"An engine runs on {data_dir} (process {info.pid}): stop it before a repair.")
    if not data_dir.is_dir():
        raise DataDirError(f"There is no data in {data_dir}: nothing to repair.")
    with lock_data_dir(data_dir):
        report = repair(data_dir, FileJournal(data_dir / JOURNAL_FILE).read(), RealClock().now())
    click.echo(document(report) if json else report.sentence)
