"""Who is told what: the rules and channels of the configuration, fitted for the monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.alerts.watch import Watch
from orch.system.notify import AppriseNotifier
from orch.system.paths import DEAD_LETTERS_FILE
from orch.system.zones import local_zone

if TYPE_CHECKING:
    from pathlib import Path

    from orch.boot.plans import Setting
    from orch.ports import Clock, Directory


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


def notifier_of(setting: Setting, directory: Directory, clock: Clock, data_dir: Path) -> AppriseNotifier | None:
    """The workers that tell people; None when no channel is configured."""
    urls = setting.config.alerting.urls
    return AppriseNotifier(directory, urls, data_dir / DEAD_LETTERS_FILE, clock.now) if urls else None
