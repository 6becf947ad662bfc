"""`orch notify`: whom orch tells of alerts, and whether it reaches them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import click

from orch.cli.options import common
from orch.errors import EngineError, UsageError

if TYPE_CHECKING:
    from orch.cli.options import Where
    from orch.config.schema import Config

HOW = 'add its Apprise address to [notify] urls, as { env = "NAME" } or { file = "path" }'


@click.command("notify", short_help="Whom orch tells of alerts; --test sends a message.")
@click.option("--test", is_flag=True, help="Send a test message by every channel.")
@click.option("--channel", metavar="NAME", help="Only by this one.")
@common
def command(where: Where, test: bool, channel: str | None) -> None:
    """The channels of [notify], by which people are told of alerts; with --test a message is sent by each.

    Needs no running engine. No address is ever shown: it holds a credential.
    """
    from orch.cli.places import load_config

    config = load_config(where, resolve_secrets=True)
    if config is None:
        raise UsageError("There is no configuration, so nobody is told: write one with `orch init`.")
    for finding in config.findings:
        if finding.sentence.startswith("notify."):
            click.echo(f"{finding.sentence}; {finding.remedy}", err=True)
    channels = [each for each in config.alerting.terms.channels if channel in (None, each.name)]
    if not channels:
        known = ", ".join(each.name for each in config.alerting.terms.channels) or "none"
        message = f"There is no channel {channel or 'at all'} (known: {known}): {HOW}."
        raise UsageError(message)
    if not test:
        for each in channels:
            wants = "alerts and reports" if each.reports and config.alerting.reports else "alerts"
            click.echo(f"{each.name}: {wants} from severity {each.min_severity} on")
        return
    failed = [each.name for each in channels if not _try(config, each.name)]
    if failed:
        raise EngineError(f"{len(failed)} of {len(channels)} channels did not work: {', '.join(failed)}.")


def _try(config: Config, channel: str) -> bool:
    from orch.model.notices import Notice
    from orch.system.clock import RealClock
    from orch.system.notify import deliver

    notice = Notice(
        id="test",
        channel=channel,
        kind="test",
        title=f"[{socket.gethostname()}] orch: a test",
        body="This is a test: nothing is wrong. Alerts of orch will come this way.",
        severity="info",
        created_at=RealClock().now(),
    )
    attempt = deliver(config.alerting.urls[channel], notice)
    said = "arrived" if attempt.arrived else f"failed: {attempt.sentence}. Check its address and credential"
    click.echo(f"{channel}: {said}")
    return attempt.arrived
