"""`orch emulate`: the four emulated nodes alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("emulate", short_help="The four emulated nodes alone; prints their URLs as JSON.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Which world.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True, max=1e6),
    default=1.0,
    show_default=True,
    help="Seconds of the world per real second.",
)
@click.option(
    "--ports",
    type=click.Choice(("default", "free")),
    default="free",
    show_default=True,
    help="The networks' own ports, or any free ones.",
)
@common
def command(where: Where, seed: int, speed: float, ports: Literal["default", "free"]) -> None:
    """Serve the four emulated nodes on loopback until stopped.

    Prints one JSON document: the URLs, the environment variables and the tables to configure them with. On the
    default ports lines of NAME=value follow it: with them in the environment, `orch init` beside it finds all.
    """
    del where  # it keeps nothing and reads no configuration
    from orch.boot import serve_emulator
    from orch.cli.session import StopSignals
    from orch.cli.source import document

    with StopSignals() as stop, serve_emulator(seed, speed, ports) as served:
        shown = document(served)
        if ports == "default":
            shown = "\n".join([shown, *(f"{name}={value}" for name, value in served["environment"].items())])
        click.echo(shown)
        stop.wait()
