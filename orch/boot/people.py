"""Who is told what: the rules and channels of the configuration, fitted for the monitor."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.alerts.watch import Watch
from orch.system.notify import AppriseNotifier
from orch.system.paths import DEAD_LETTERS_FILE
from orch.system.zones import local_zone

if TYPE_CHECKING:
    from pathlib import Path

    from orch.boot.plans import Setting
    from orch.model.notices import Notice
    from orch.ports import Clock, Directory
    from orch.store.shelf import Shelf

DAY_S = 86_400.0


def watch_of(setting: Setting, kind: str) -> Watch:
    """The rules, and how alerts and reports are told."""
    alerting = setting.config.alerting
    reports = alerting.reports
    if reports is not None and alerting.local_reports:
        reports = replace(reports, zone=local_zone())
    return Watch(
        rules=alerting.rules,
        off=alerting.off,
        timing=alerting.timing,
        terms=replace(alerting.terms, host=setting.host, emulated=kind == "emulated"),
        reports=reports,
    )


def notifier_of(
    setting: Setting, directory: Directory, clock: Clock, data_dir: Path, shelf: Shelf
) -> AppriseNotifier | None:
    """The workers that tell people; None when no channel is configured. Reports are read by way of the shelf."""
    urls = setting.config.alerting.urls
    if not urls:
        return None
    return AppriseNotifier(
        directory, urls, data_dir / DEAD_LETTERS_FILE, clock.now, compose=partial(_report, shelf, clock)
    )


def _report(shelf: Shelf, clock: Clock, notice: Notice) -> str:
    from orch.web.reporting import compose_report, rendered

    until = clock.now()
    with shelf.reader() as connection:
        found = compose_report(connection, until - timedelta(seconds=notice.period_s or DAY_S), until)
    return rendered(found, "text")
