"""`orch grafana`: a dashboard over the figures of `/metrics`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orch.cli.options import common

if TYPE_CHECKING:
    from orch.cli.options import Where


@click.command("grafana", short_help="A dashboard for Grafana over the figures of /metrics, as JSON.")
@common
def command(where: Where) -> None:
    """Print a dashboard for Grafana: import it there, and choose the Prometheus that reads /metrics of orch."""
    del where  # it keeps nothing and reads no configuration
    from importlib import resources

    click.echo((resources.files("orch.web") / "grafana.json").read_text(), nl=False)
