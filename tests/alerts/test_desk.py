"""Who is told, and when: Alertmanager's decisions one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from orch.alerts.desk import Channel, Desk, Terms, delivered, dispatch, silenced, undelivered
from orch.alerts.engine import Tracked, advance, resumed
from orch.alerts.mute import marked
from orch.alerts.reporting import ReportTerms, last_due, report_notices
from orch.alerts.rules import Timing
from orch.model.alerts import Alert, Condition, Silence

T0 = datetime(2026, 11, 22, 12, tzinfo=UTC)
TERMS = Terms(channels=(Channel(name="a"),))


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def alert(node="x", rule="node_lost", severity="page", since=T0, state="firing", **rest) -> Alert:
    return Alert(
        id=f"{rule}-{node}-{since:%H%M%S}",
        rule=rule,
        node=node,
        severity=severity,
        state=state,
        since=since,
        sentence=f"{node} is lost",
        remedy="look",
        **rest,
    )


def run(script, terms=TERMS, desk=None):
    """(seconds, alerts) -> what was sent, as (seconds, title); every notice arrives at once."""
    desk, sent = desk or Desk(), []
    for seconds, alerts in script:
        found = dispatch(desk, alerts, at(seconds), terms)
        desk = found.desk
        for notice in found.notices:
            sent.append((seconds, notice.title))
            desk = delivered(desk, notice.id)
    return sent, desk


def test_what_is_over_within_the_wait_is_never_told():
    assert run([(0, [alert()]), (20, [alert()]), (30, []), (400, [])]) == ([], replace(Desk(), count=0))


def test_members_that_come_later_wait_for_the_next_look_of_their_group():
    one, two = alert("x"), alert("y", since=at(40))
    script = [(0, [one]), (30, [one]), (60, [one, two]), (330, [one, two]), (400, [one, two])]
    assert run(script)[0] == [(30, "Node lost: x"), (330, "Node lost x2: x, y")]


def test_a_member_that_is_over_is_told_and_then_the_last_one():
    one, two = alert("x"), alert("y")
    script = [(0, [one, two]), (30, [one, two]), (330, [one]), (630, []), (930, [])]
    sent, desk = run(script)
    assert sent == [(30, "Node lost x2: x, y"), (330, "Node lost: x"), (630, "Over: Node lost: x")]
    assert desk.groups == ()


def test_it_is_repeated_at_a_look_of_its_group():
    script = [(seconds, [alert()]) for seconds in range(0, 15_000, 30)]
    assert run(script)[0] == [(30, "Node lost: x"), (14_430, "Still: Node lost: x")]


def test_a_floor_lies_under_what_flaps_and_gives_way_to_what_is_graver():
    script = []
    for seconds in range(0, 22_200, 300):
        script.append((seconds, [alert(since=at(seconds))] if seconds % 600 == 0 else []))
        script.append((seconds + 60, script[-1][1]))
    told = [seconds for seconds, title in run(script)[0] if not title.startswith("Over")]
    assert told == [60, 21_660]
    warned = alert(severity="warning")
    script = [
        (0, [warned]),
        (30, [warned]),
        (330, []),
        (600, [alert(since=at(600))]),
        (630, [alert(since=at(600))]),
    ]
    assert run(script)[0][-1] == (630, "Node lost: x")


def test_a_notice_that_is_lost_is_decided_anew_and_one_on_its_way_is_waited_for():
    found = dispatch(dispatch(Desk(), [alert()], T0, TERMS).desk, [alert()], at(30), TERMS)
    (notice,) = found.notices
    assert dispatch(found.desk, [alert()], at(900), TERMS).notices == ()
    again = dispatch(undelivered(found.desk, notice.id), [alert()], at(330), TERMS)
    assert [each.title for each in again.notices] == [notice.title]
    arrived = delivered(again.desk, again.notices[0].id)
    assert dispatch(arrived, [alert()], at(630), TERMS).notices == ()


def test_a_silence_holds_back_both_ends_and_ends_by_itself():
    silence = Silence(rule="node_lost", node="x", since=T0, until=at(1000))
    desk = silenced(Desk(), silence)
    assert run([(0, [alert()]), (30, [alert()]), (600, [])], desk=desk)[0] == []
    sent, _ = run([(0, [alert()]), (30, [alert()]), (1000, [alert()]), (1030, [alert()])], desk=desk)
    assert sent == [(1030, "Node lost: x")]
    assert silenced(desk, replace(silence, since=at(5), until=at(5))).silences == ()


def test_what_a_graver_alert_explains_is_not_told():
    lost, poor, other = alert("x"), alert("x", "low_earnings", "warning"), alert("y", "low_earnings", "warning")
    muted = marked([lost, poor, other], (), T0)
    assert [each.inhibited_by for each in muted] == [None, "node_lost", None]
    assert marked([replace(lost, state="pending"), poor], (), T0)[1].inhibited_by is None
    sent, _ = run([(0, muted), (30, muted)])
    assert sent == [(30, "Node lost: x"), (30, "Low earnings: y")]


def test_channels_hear_what_is_grave_enough_and_of_the_end_if_they_wish():
    terms = Terms(channels=(Channel(name="a", min_severity="page"), Channel(name="b", resolved=False)))
    warned = alert("y", "finding", "warning")
    sent, _ = run([(0, [alert(), warned]), (30, [alert(), warned]), (330, [])], terms)
    assert sorted(sent) == [
        (30, "Finding: y"),
        (30, "Node lost: x"),
        (30, "Node lost: x"),
        (330, "Over: Node lost: x"),
    ]


def test_a_long_list_is_cut_and_counted():
    many = [alert(f"n{number}") for number in range(14)]
    first = dispatch(Desk(), many, T0, TERMS)
    (notice,) = dispatch(first.desk, many, at(30), TERMS).notices
    assert "And 4 more" in notice.body
    assert notice.title.startswith("Node lost x14: n0, n1")
    assert first.wake_at == at(30)


# -- unknown is a state of its own -----------------------------------------------------------------------------

TIMING = {"node_lost": Timing(for_s=60, keep_firing_s=60)}
KEY = ("node_lost", "x")
HOLDS = Condition(rule="node_lost", node="x", severity="page", sentence="gone", remedy="look")


def states(script, tracked=()):
    """(seconds, holds | clear | dark) -> the state after each."""
    found = []
    for seconds, seen in script:
        conditions = (HOLDS,) if seen == "holds" else ()
        outcome = advance(tracked, conditions, at(seconds), TIMING, {KEY} if seen == "dark" else ())
        tracked = outcome.tracked
        found.append(
            [
                each.alert.state
                for each in (*tracked, *(Tracked(alert=a, last_held_at=T0) for a in outcome.resolved))
            ]
        )
    return [each[0] if each else "none" for each in found]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("0h 60h 90d 5000d 5010h", "pending firing unknown unknown firing"),
        ("0h 60h 90d 5000c 5030c 5060c", "pending firing unknown firing firing resolved"),
        ("0h 30d 5000h 5029h 5030h", "pending pending pending pending firing"),
        ("0h 30d 5000c", "pending pending none"),
        ("0d 60d", "none none"),
    ],
)
def test_what_cannot_be_seen_is_neither_firing_nor_over(script, expected):
    words = {"h": "holds", "c": "clear", "d": "dark"}
    assert states([(int(each[:-1]), words[each[-1]]) for each in script.split()]) == expected.split()


def test_an_unknown_alert_is_not_told_to_be_over():
    dark = alert(state="unknown")
    sent, _ = run([(0, [alert()]), (30, [alert()]), (400, [dark]), (700, [dark])])
    assert sent == [(30, "Node lost: x")]


def test_time_in_which_nobody_looked_is_not_quiet():
    firing = Tracked(alert=alert(), last_held_at=T0)
    (kept,) = resumed((firing,), T0, at(9000))
    assert advance((kept,), (), at(9030), TIMING).resolved == ()
    assert advance((kept,), (), at(9060), TIMING).resolved != ()


# -- reports -------------------------------------------------------------------------------------------------


def test_a_report_is_due_by_the_clock_on_the_wall():
    berlin = ReportTerms(every="daily", hour=8, zone="Europe/Berlin")
    summer = datetime(2026, 7, 1, 6, 30, tzinfo=UTC)
    assert last_due(summer, berlin) == datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert last_due(T0.replace(hour=6), berlin) == datetime(2026, 11, 21, 7, tzinfo=UTC)
    weekly = ReportTerms(every="weekly", hour=8)
    assert last_due(T0, weekly) == datetime(2026, 11, 16, 8, tzinfo=UTC)


def test_a_report_comes_once_to_every_channel_that_wants_it():
    daily = ReportTerms(every="daily", hour=8)
    terms = Terms(channels=(Channel(name="a"), Channel(name="b", reports=False), Channel(name="c")))
    first, noted = report_notices(None, T0, daily, terms)
    assert (first, noted) == ((), T0.replace(hour=8))
    next_day = T0.replace(day=23, hour=8, minute=1)
    told, noted = report_notices(noted, next_day, daily, terms)
    assert [(each.channel, each.kind, each.period_s) for each in told] == [
        ("a", "report", 86_400.0),
        ("c", "report", 86_400.0),
    ]
    assert report_notices(noted, next_day + timedelta(hours=1), daily, terms)[0] == ()
    late, _ = report_notices(noted, next_day + timedelta(days=9, hours=13), daily, terms)
    assert late == ()
