"""`orch demo`: an engine and four emulated nodes in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import common, engine_options

if TYPE_CHECKING:
    from datetime import timedelta

    from orch.cli.options import Where
    from orch.model.fleet import Mode

SPEED = 60.0


@click.command("demo", short_help="Four emulated nodes and an engine on them, at 60 times real speed.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True, max=3600),
    default=SPEED,
    show_default=True,
    help="Seconds of the emulated world per real second.",
)
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Which world; the kept one by default.")
@engine_options
@common
def command(
    where: Where,
    speed: float,
    seed: int | None,
    mode: Mode | None,
    lasting: timedelta | None,
    no_web: bool,
    port: int | None,
) -> None:
    """Four emulated nodes and an engine on them, in one process; nothing real is asked or changed."""
    demonstrate(where, speed=speed, seed=seed, mode=mode, lasting=lasting, no_web=no_web, port=port)


def demonstrate(
    where: Where,
    *,
    mode: Mode | None,
    lasting: timedelta | None,
    no_web: bool,
    port: int | None,
    speed: float = SPEED,
    seed: int | None = None,
) -> None:
    """Run the demonstration to its end. Raises OrchError when it cannot start."""
    from orch.boot import demo_engine
    from orch.cli.places import demo_dir
    from orch.cli.session import run_engine

    engine = demo_engine(demo_dir(where), seed=seed, speed=speed, mode=mode or "auto", port=port, web=not no_web)
    run_engine(engine, lasting, emulated=True)
