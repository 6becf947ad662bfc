"""`orch run`: the engine on a configuration, or the demonstration without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import common, engine_options

if TYPE_CHECKING:
    from datetime import timedelta

    from orch.cli.options import Where
    from orch.model.fleet import Mode


@click.command("run", short_help="The engine: polls, compares, plans, and moves as far as you let it.")
@engine_options
@common
def command(where: Where, mode: Mode | None, lasting: timedelta | None, no_web: bool, port: int | None) -> None:
    """The engine with its board and its HTTP interface, until stopped (Ctrl-C) or --for is over.

    Without any configuration it is the demonstration with emulated nodes.
    """
    from orch.cli.places import load_config

    config = load_config(where, resolve_secrets=True)
    if config is None:
        from orch.cli.demo import demonstrate

        demonstrate(where, mode=mode, lasting=lasting, no_web=no_web, port=port)
        return
    from orch.boot import real_engine
    from orch.cli.session import run_engine
    from orch.config.redact import secrets_of

    engine = real_engine(config, mode=mode, port=port, web=not no_web)
    run_engine(engine, lasting, emulated=False, secrets=secrets_of(config))
