"""Maintenance windows: by the clock on the wall, through the nights on which it is set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.reallocation.windows import DAYS, Window, Windows, is_open, opens_at

PRAGUE = "Europe/Prague"
NIGHT = Window(start_min=22 * 60, end_min=6 * 60)
WEEKEND = Window(start_min=60, end_min=5 * 60, days=("sat", "sun"))
EARLY = Window(start_min=2 * 60 + 15, end_min=2 * 60 + 45)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def windows(*of, zone=PRAGUE):
    return Windows(of=of, zone=zone)


@pytest.mark.parametrize(
    ("window", "now", "open_now"),
    [
        (NIGHT, "2026-11-22T20:59", False),
        (NIGHT, "2026-11-22T21:00", True),
        (NIGHT, "2026-11-23T04:59", True),
        (NIGHT, "2026-11-23T05:00", False),
        (Window(start_min=600, end_min=600), "2026-11-23T05:00", True),
        (WEEKEND, "2026-11-21T00:00", True),
        (WEEKEND, "2026-11-23T00:30", False),
        (Window(start_min=1320, end_min=120, days=("fri",)), "2026-11-21T00:30", True),
        (Window(start_min=1320, end_min=120, days=("sat",)), "2026-11-21T00:30", False),
    ],
    ids=[
        "before",
        "at its start",
        "before its end",
        "at its end",
        "all day",
        "saturday",
        "monday",
        "begun",
        "not",
    ],
)
def test_a_window_is_open_from_its_start_to_before_its_end_by_the_walls_clock(window, now, open_now):
    assert is_open(windows(window), utc(now)) is open_now


def test_without_windows_every_time_will_do():
    assert is_open(Windows(), utc("2026-11-22T12:00"))
    assert opens_at(Windows(), utc("2026-11-22T12:00")) is None


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        (NIGHT, "2026-11-22T12:00", "2026-11-22T21:00"),
        (WEEKEND, "2026-11-22T04:00", "2026-11-28T00:00"),
        # On 2026-03-29 two o'clock became three: the window had no hour to begin in, and was not.
        (EARLY, "2026-03-29T00:00", "2026-03-30T00:15"),
        (Window(start_min=150, end_min=240), "2026-03-28T12:00", "2026-03-29T01:00"),
        # On 2026-10-25 the hour from two to three came twice.
        (EARLY, "2026-10-25T00:00", "2026-10-25T00:15"),
        (EARLY, "2026-10-25T00:50", "2026-10-25T01:15"),
        (EARLY, "2026-10-25T01:50", "2026-10-26T01:15"),
    ],
    ids=["tonight", "next week", "skipped", "cut short", "once", "and again", "over"],
)
def test_the_next_opening_is_told_through_the_nights_on_which_clocks_are_set(window, now, opens):
    assert opens_at(windows(window), utc(now)) == utc(opens)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from([PRAGUE, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    start=st.integers(0, 95),
    length=st.integers(1, 95),
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    when=st.integers(0, 365 * 96),
)
def test_it_opens_when_it_says_and_not_earlier(zone, start, length, days, when):
    window = Window(start_min=15 * start, end_min=15 * ((start + length) % 96), days=tuple(sorted(days)))
    rules, now = windows(window, zone=zone), utc("2026-01-01T00:00") + timedelta(minutes=15 * when)

    opens = opens_at(rules, now)

    if opens is None:
        assert is_open(rules, now)
        return
    assert is_open(rules, opens)
    quarters = int((opens - now) / timedelta(minutes=15))
    assert not any(is_open(rules, now + timedelta(minutes=15 * each)) for each in range(quarters))
    assert opens.astimezone(ZoneInfo(zone)) == opens
