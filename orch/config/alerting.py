"""`[alerts]` and `[notify]`: rules, when they count, who is told, and when reports are due."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from orch.alerts.desk import GroupBy, Terms
from orch.alerts.own import OwnRule
from orch.alerts.reporting import Every, ReportTerms
from orch.alerts.rules import Timing
from orch.model.alerts import Severity
from orch.model.base import Value
from orch.model.wire import Secret

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]
AtLeastASecond: TypeAlias = Annotated[float, msgspec.Meta(ge=1)]
ClockTime: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class ChannelTable(Value):
    """One of `[[notify.channels]]`: an Apprise address with a name and wishes of its own."""

    name: str
    url: Secret | str | None
    min_severity: Severity | None = None
    resolved: bool | None = None
    reports: bool = True


class NotifyTable(Value):
    """`[notify]`: Apprise addresses, which hold credentials, and how alerts are told (seconds of the clock).

    Alerts of one group are told together: `group_by` says what they have in common. `report` sends a report of the
    last day or week at `report_at` (weekly: on Mondays), by the clock of `report_zone`, else the machine's own.
    """

    urls: tuple[Secret | str | None, ...] = ()
    channels: tuple[ChannelTable, ...] = ()
    min_severity: Severity = "info"
    resolved: bool = True
    group_by: tuple[GroupBy, ...] = ("rule",)
    group_wait_s: Seconds = 30.0
    group_interval_s: AtLeastASecond = 300.0
    repeat_s: AtLeastASecond = 14_400.0
    flap_floor_s: Seconds = 21_600.0
    report: Every | None = None
    report_at: ClockTime = "08:00"
    report_zone: str | None = None


class TimingTable(Value):
    """One of `[alerts.timing.RULE]`: other times for a built-in rule; absent keeps its own."""

    for_s: Seconds | None = None
    keep_firing_s: Seconds | None = None


class RuleTable(Value):
    """One of `[[alerts.rules]]`: `when` is a condition over metrics that has to hold for `for_s`.

    `cost` is a figure over metrics, USD a day. In `sentence`, `{node}` is the node's name. `inhibited_by` names
    rules that explain this one: while they fire nobody is told of it.
    """

    name: str
    when: str
    for_s: Seconds = 300.0
    keep_firing_s: Seconds = 300.0
    severity: Severity = "warning"
    node: str | None = None
    sentence: str = ""
    remedy: str = ""
    cost: str | None = None
    inhibited_by: tuple[str, ...] = ()


class AlertsTable(Value):
    """`[alerts]`: built-in rules that are `off` or have other times, and rules of one's own."""

    off: tuple[str, ...] = ()
    timing: dict[str, TimingTable] = msgspec.field(default_factory=dict)
    rules: tuple[RuleTable, ...] = ()


class AlertingConfig(Value):
    """Both tables, checked. `urls` are the channels' addresses by name; a report without a zone is local."""

    urls: dict[str, Secret] = msgspec.field(default_factory=dict)
    terms: Terms = Terms()
    reports: ReportTerms | None = None
    local_reports: bool = True
    rules: tuple[OwnRule, ...] = ()
    off: tuple[str, ...] = ()
    timing: dict[str, Timing] = msgspec.field(default_factory=dict)
