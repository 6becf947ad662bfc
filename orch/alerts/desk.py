"""Who is told of which alert, and when: groups, repeats, inhibition, silences, and a floor under flapping.

The semantics are Alertmanager's (its configuration documentation: `group_by`, `group_wait`, `group_interval`,
`repeat_interval`, inhibition, silences): an alert that is over before its group is first looked at is never told,
new ones of a group wait for its next look, resolved ones are told once to whoever was told that they fire. Added
is the floor: what was told and is over may fire again, but is told again `flap_floor_s` after the last time at the
earliest. A notice that could not be delivered changes nothing: the next look decides anew.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec.structs import replace

from orch.alerts.mute import silenced_until
from orch.alerts.words import Said, write_notice
from orch.model.alerts import SEVERITIES, Alert, Severity, Silence
from orch.model.base import Value
from orch.model.notices import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

GroupBy: TypeAlias = Literal["rule", "node", "severity"]


class Channel(Value):
    """A way to people: from which severity on it is used, and whether it hears of what is over, and of reports."""

    name: str
    min_severity: Severity = "info"
    resolved: bool = True
    reports: bool = True


class Terms(Value):
    """How alerts are told. Times are seconds of the clock; the defaults are Alertmanager's."""

    channels: tuple[Channel, ...] = ()
    group_by: tuple[GroupBy, ...] = ("rule",)
    group_wait_s: float = 30.0
    group_interval_s: float = 300.0
    repeat_s: float = 14_400.0
    flap_floor_s: float = 21_600.0
    host: str = ""
    emulated: bool = False


class Sending(Value):
    """A notice on its way: what its channel knows to fire once it has arrived, and what of it is new."""

    notice_id: str
    sent_at: datetime
    told: tuple[Alert, ...]
    new: tuple[Alert, ...]


class Group(Value):
    """Alerts that are told together by one channel: when they are looked at next, and what was told last."""

    channel: str
    key: tuple[str, ...]
    due_at: datetime
    told: tuple[Alert, ...] = ()
    told_at: datetime | None = None
    sending: Sending | None = None


class Floor(Value):
    """When a channel was last told that something began to fire, and how grave that was."""

    channel: str
    rule: str
    node: str | None
    severity: Severity
    told_at: datetime


class Desk(Value):
    """What has to be remembered between two looks."""

    groups: tuple[Group, ...] = ()
    floors: tuple[Floor, ...] = ()
    silences: tuple[Silence, ...] = ()
    count: int = 0


class Dispatch(Value):
    """What a look led to; `wake_at` is when to look again at the latest, None when nothing waits."""

    desk: Desk
    notices: tuple[Notice, ...] = ()
    wake_at: datetime | None = None


def dispatch(desk: Desk, alerts: Sequence[Alert], now: datetime, terms: Terms) -> Dispatch:
    """Look at all groups that are due.

    Args:
        desk: As the look before left it.
        alerts: The present ones, inhibited ones marked (`orch.alerts.mute`).
        now: The time of the clock.
        terms: The configuration's.
    """
    active = tuple(alert for alert in alerts if alert.is_active)
    floors = tuple(each for each in desk.floors if now - each.told_at < timedelta(seconds=terms.flap_floor_s))
    silences = tuple(each for each in desk.silences if each.until > now)
    desk = replace(desk, floors=floors, silences=silences)
    groups: list[Group] = []
    notices: list[Notice] = []
    for channel in terms.channels:
        known = {group.key: group for group in desk.groups if group.channel == channel.name}
        tellable = _grouped(active, channel, silences, now, terms)
        for key in dict.fromkeys([*known, *tellable]):
            first = now + timedelta(seconds=terms.group_wait_s)
            group = known.get(key) or Group(channel=channel.name, key=key, due_at=first)
            if group.sending is None and group.due_at <= now:
                looked = _Look(group, tuple(tellable.get(key, ())), active, desk, channel, now, terms)
                if looked.is_empty:
                    continue
                group = replace(group, due_at=now + timedelta(seconds=terms.group_interval_s), told=looked.quiet)
                if looked.is_worth_telling:
                    name = f"{channel.name}-{now:%Y%m%dT%H%M%S}-{desk.count + len(notices) + 1}"
                    notices.append(write_notice(looked.said, name, channel.name, now, terms.host, terms.emulated))
                    group = replace(group, told=looked.group.told, sending=looked.sending(name))
            groups.append(group)
    waiting = [group.due_at for group in groups if group.sending is None]
    return Dispatch(
        desk=replace(desk, groups=tuple(groups), count=desk.count + len(notices)),
        notices=tuple(notices),
        wake_at=min(waiting, default=None),
    )


class _Look:
    """One group at its time: what of it fires, is new, is over, and is only muted."""

    def __init__(
        self,
        group: Group,
        firing: tuple[Alert, ...],
        active: tuple[Alert, ...],
        desk: Desk,
        channel: Channel,
        now: datetime,
        terms: Terms,
    ) -> None:
        before = {alert.id: alert for alert in group.told}
        present = {alert.id for alert in active}
        self.group = group
        self.new = tuple(
            alert
            for alert in firing
            if _is_news(alert, before.get(alert.id)) and not _is_held_back(alert, channel.name, desk.floors)
        )
        fresh = {alert.id for alert in self.new}
        self.telling = tuple(alert for alert in firing if alert.id in before or alert.id in fresh)
        named = {alert.id for alert in self.telling}
        self.muted = tuple(each for each in group.told if each.id in present and each.id not in named)
        over = (each for each in group.told if each.id not in present and channel.resolved)
        self.ended = tuple(each for each in over if silenced_until(each, desk.silences, now) is None)
        self.is_empty = not (firing or group.told)
        self._now = now
        since_s = None if group.told_at is None else (now - group.told_at).total_seconds()
        self._again = since_s is not None and since_s >= terms.repeat_s

    @property
    def quiet(self) -> tuple[Alert, ...]:
        """What the channel knows to fire when it is told nothing now."""
        known = {alert.id for alert in self.group.told}
        return (*(each for each in self.telling if each.id in known), *self.muted)

    @property
    def is_worth_telling(self) -> bool:
        """As Alertmanager decides: something new fires, something told is over, or it is time to repeat it."""
        return bool(self.new or self.ended or (self._again and self.telling))

    @property
    def said(self) -> Said:
        """What is put into words."""
        again = not self.new and not self.ended
        return Said(firing=self.telling, ended=self.ended, again=again)

    def sending(self, notice_id: str) -> Sending:
        """The notice on its way."""
        return Sending(notice_id=notice_id, sent_at=self._now, told=(*self.telling, *self.muted), new=self.new)


def _grouped(
    active: tuple[Alert, ...], channel: Channel, silences: tuple[Silence, ...], now: datetime, terms: Terms
) -> dict[tuple[str, ...], list[Alert]]:
    """What a channel may be told, by group."""
    found: defaultdict[tuple[str, ...], list[Alert]] = defaultdict(list)
    for alert in active:
        grave = SEVERITIES.index(alert.severity) >= SEVERITIES.index(channel.min_severity)
        if grave and alert.inhibited_by is None and silenced_until(alert, silences, now) is None:
            found[tuple(str(getattr(alert, name) or "host") for name in terms.group_by)].append(alert)
    return found


def _is_news(alert: Alert, before: Alert | None) -> bool:
    return before is None or SEVERITIES.index(alert.severity) > SEVERITIES.index(before.severity)


def _is_held_back(alert: Alert, channel: str, floors: tuple[Floor, ...]) -> bool:
    """Whether the same was told so lately, and as grave, that telling it again would be flapping."""
    return any(
        (floor.channel, floor.rule, floor.node) == (channel, *alert.key)
        and SEVERITIES.index(floor.severity) >= SEVERITIES.index(alert.severity)
        for floor in floors
    )


def delivered(desk: Desk, notice_id: str) -> Desk:
    """A notice has arrived: from now on its channel knows what it said."""

    def told(group: Group) -> Group:
        sent = group.sending
        if sent is None or sent.notice_id != notice_id:
            return group
        return replace(group, told=sent.told, told_at=sent.sent_at, sending=None)

    floors = {(each.channel, each.rule, each.node): each for each in desk.floors}
    for group in desk.groups:
        if group.sending is not None and group.sending.notice_id == notice_id:
            for alert in group.sending.new:
                floors[group.channel, alert.rule, alert.node] = Floor(
                    channel=group.channel,
                    rule=alert.rule,
                    node=alert.node,
                    severity=alert.severity,
                    told_at=group.sending.sent_at,
                )
    return replace(desk, groups=tuple(map(told, desk.groups)), floors=tuple(floors.values()))


def undelivered(desk: Desk, notice_id: str | None = None) -> Desk:
    """A notice (or, without an id, every one on its way) is lost: its channel knows what it knew before."""

    def missed(group: Group) -> Group:
        lost = group.sending is not None and notice_id in (None, group.sending.notice_id)
        return replace(group, sending=None) if lost else group

    return replace(desk, groups=tuple(map(missed, desk.groups)))


def silenced(desk: Desk, silence: Silence) -> Desk:
    """A silence in place of any other for the same rule and node; one that is over already lifts it."""
    others = tuple(each for each in desk.silences if (each.rule, each.node) != (silence.rule, silence.node))
    return replace(desk, silences=(*others, silence) if silence.until > silence.since else others)
