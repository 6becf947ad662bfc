"""Reads `[alerts]` and `[notify]`: what an operator wrote of metrics, rules and channels is checked here."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from orch.alerts.desk import Channel, Terms
from orch.alerts.expressions import Expression, ExpressionError
from orch.alerts.metrics import METRICS
from orch.alerts.own import OwnRule
from orch.alerts.reporting import ReportTerms
from orch.alerts.rules import TIMING, Timing
from orch.config.alerting import AlertingConfig, AlertsTable, NotifyTable
from orch.config.reader import joined, suggestion
from orch.model.alerts import BUILT_IN
from orch.model.wire import Secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from orch.config.alerting import ChannelTable, RuleTable, TimingTable
    from orch.config.reader import Reader

NAME = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
SCHEME = re.compile(r"([a-z0-9]{1,20})://", re.ASCII | re.IGNORECASE)


def read_alerting(reader: Reader, tables: Mapping[str, Any]) -> AlertingConfig:
    """Both tables.

    Args:
        reader: Its faults and findings are added to.
        tables: The whole file's; the names of nodes are looked up in it.
    """
    notify = reader.struct(NotifyTable, tables.get("notify", {}), "notify") or NotifyTable()
    alerts = reader.struct(AlertsTable, tables.get("alerts", {}), "alerts") or AlertsTable()
    nodes = tables.get("nodes")
    rules = tuple(_rules(reader, alerts, tuple(nodes) if isinstance(nodes, dict) else ()))
    for index, name in enumerate(alerts.off):
        if name not in BUILT_IN:
            reader.fault(f"alerts.off[{index}]", f"no built-in rule, {suggestion(name, BUILT_IN)}", name)
    channels = tuple(_channels(reader, notify))
    hour, _, minute = notify.report_at.partition(":")
    return AlertingConfig(
        urls={channel.name: url for channel, url in channels},
        terms=Terms(
            channels=tuple(channel for channel, _ in channels),
            group_by=notify.group_by,
            group_wait_s=notify.group_wait_s,
            group_interval_s=notify.group_interval_s,
            repeat_s=notify.repeat_s,
            flap_floor_s=notify.flap_floor_s,
        ),
        reports=None
        if notify.report is None
        else ReportTerms(
            every=notify.report, hour=int(hour), minute=int(minute), zone=_zone(reader, notify.report_zone)
        ),
        local_reports=notify.report_zone is None,
        rules=rules,
        off=alerts.off,
        timing={name: _timing(reader, name, each) for name, each in alerts.timing.items()},
    )


def _channels(reader: Reader, notify: NotifyTable) -> Iterator[tuple[Channel, Secret]]:
    """The channels whose addresses are known: a missing secret is a finding already."""
    for number, url in enumerate(notify.urls, 1):
        if url is not None:
            secret = _secret(url)
            scheme = SCHEME.match(secret.value)
            name = f"{scheme[1].lower() if scheme else 'channel'}-{number}"
            yield Channel(name=name, min_severity=notify.min_severity, resolved=notify.resolved), secret
    counts = Counter(each.name for each in notify.channels)
    for index, each in enumerate(notify.channels):
        where = f"notify.channels[{index}]"
        if NAME.fullmatch(each.name) is None:
            reader.fault(f"{where}.name", "must be small letters, digits and _", each.name)
        elif counts[each.name] > 1:
            reader.fault(f"{where}.name", "two channels have this name", each.name)
        elif each.url is not None:
            yield _channel(each, notify), _secret(each.url)


def _channel(table: ChannelTable, notify: NotifyTable) -> Channel:
    return Channel(
        name=table.name,
        min_severity=table.min_severity or notify.min_severity,
        resolved=notify.resolved if table.resolved is None else table.resolved,
        reports=table.reports,
    )


def _secret(url: Secret | str) -> Secret:
    return Secret(value=url) if isinstance(url, str) else url


def _rules(reader: Reader, alerts: AlertsTable, nodes: Collection[str]) -> Iterator[OwnRule]:
    names = [each.name for each in alerts.rules]
    counts, known = Counter(names), (*BUILT_IN, *names)
    for index, each in enumerate(alerts.rules):
        where = f"alerts.rules[{index}]"
        before = len(reader.faults)
        if NAME.fullmatch(each.name) is None:
            reader.fault(f"{where}.name", "must be small letters, digits and _", each.name)
        elif each.name in BUILT_IN:
            reader.fault(f"{where}.name", "is a built-in rule; give yours a name of its own", each.name)
        elif counts[each.name] > 1:
            reader.fault(f"{where}.name", "two rules have this name", each.name)
        if each.node is not None and each.node not in nodes:
            reader.fault(f"{where}.node", f"no such node, {suggestion(each.node, nodes)}", each.node)
        _check_expression(reader, f"{where}.when", each.when, condition=True)
        if each.cost is not None:
            _check_expression(reader, f"{where}.cost", each.cost, condition=False)
        for place, name in enumerate(each.inhibited_by):
            if name not in known:
                reader.fault(f"{where}.inhibited_by[{place}]", f"no such rule, {suggestion(name, known)}", name)
        if len(reader.faults) == before:
            yield _own(each)


def _own(table: RuleTable) -> OwnRule:
    return OwnRule(
        name=table.name,
        when=table.when,
        timing=Timing(for_s=table.for_s, keep_firing_s=table.keep_firing_s),
        severity=table.severity,
        node=table.node,
        sentence=table.sentence,
        remedy=table.remedy,
        cost=table.cost,
        inhibited_by=table.inhibited_by,
    )


def _check_expression(reader: Reader, path: str, text: str, *, condition: bool) -> None:
    try:
        found = Expression(text)
    except ExpressionError as error:
        reader.fault(path, str(error), text)
        return
    for name in found.metrics:
        if name not in METRICS:
            reader.fault(path, f'unknown metric "{name}", {suggestion(name, METRICS)}', text)
    if condition and not found.is_condition:
        reader.fault(path, "is a figure; compare it with something, such as usd_per_hour < 0.01", text)
    elif not condition and found.is_condition:
        reader.fault(path, "is a condition; a cost is a figure, USD a day", text)
    elif not found.metrics:
        reader.fault(path, "names no metric: it would always say the same", text)


def _timing(reader: Reader, name: str, table: TimingTable) -> Timing:
    usual = TIMING.get(name)
    if usual is None:
        reader.fault(joined("alerts.timing", name), f"no built-in rule, {suggestion(name, BUILT_IN)}")
        return Timing(for_s=0.0, keep_firing_s=0.0)
    return Timing(
        for_s=usual.for_s if table.for_s is None else table.for_s,
        keep_firing_s=usual.keep_firing_s if table.keep_firing_s is None else table.keep_firing_s,
    )


def _zone(reader: Reader, zone: str | None) -> str:
    if zone is None:
        return "UTC"
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = suggestion(zone, available_timezones())[:200]
        reader.fault("notify.report_zone", f"unknown time zone, {near}", zone)
        return "UTC"
    return zone
