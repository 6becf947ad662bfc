"""Durations, times, and where options of no command go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.cli.group import with_command
from orch.cli.options import DURATION_TYPE, LONGEST, MOMENT_TYPE, moment

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800), ("0.5h", 1800), ("36500d", None)],
)
def test_durations_are_a_number_and_a_unit(text, seconds):
    expected = LONGEST if seconds is None else timedelta(seconds=seconds)
    assert DURATION_TYPE.convert(text, None, None) == expected


@pytest.mark.parametrize(
    "text",
    ["", "90", "s", "-5s", "1w", "1h30m", "0s", "36501d", "1e3s", "nan", "\u0661s", "9999999999s", "0.0000001s"],
)
def test_what_is_no_duration_is_refused_with_an_example(text):
    with pytest.raises(click.BadParameter, match=r"90s|0s|too long|out of range"):
        DURATION_TYPE.convert(text, None, None)


@given(count=st.integers(1, 36_500), unit=st.sampled_from("smhd"))
def test_every_count_of_every_unit_is_read(count, unit):
    assert DURATION_TYPE.convert(f"{count}{unit}", None, None).total_seconds() == count * SECONDS[unit]


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_usage_error(text):
    try:
        found = DURATION_TYPE.convert(text, None, None)
    except click.BadParameter:
        return
    assert timedelta(0) < found <= LONGEST


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_is_read_back(when):
    assert MOMENT_TYPE.convert(when.isoformat(), None, None) == when


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_a_usage_error(text):
    try:
        found = MOMENT_TYPE.convert(text, None, None)
    except click.BadParameter:
        return
    assert isinstance(found, timedelta) or found.tzinfo is UTC


def test_a_moment_is_a_duration_ago_or_a_time_in_utc_unless_it_says_otherwise():
    assert moment(MOMENT_TYPE.convert("24h", None, None), NOW) == NOW - timedelta(hours=24)
    assert moment(MOMENT_TYPE.convert("2026-02-28T10:00:00Z", None, None), NOW) == datetime(
        2026, 2, 28, 10, tzinfo=UTC
    )
    assert moment(MOMENT_TYPE.convert("2026-02-28T10:00:00+02:00", None, None), NOW).hour == 8
    assert moment(MOMENT_TYPE.convert("2026-02-28", None, None), NOW).tzinfo is UTC


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ([], ["run"]),
        (["--for", "5s", "--data-dir", "d"], ["run", "--for", "5s", "--data-dir", "d"]),
        (["status", "--json"], ["status", "--json"]),
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
        (["--data-dir", "d", "status", "--json"], ["status", "--data-dir", "d", "--json"]),
        (["--config=c", "--data-dir", "status", "plan"], ["plan", "--config=c", "--data-dir", "status"]),
        (["--data-dir", "status"], ["run", "--data-dir", "status"]),
        (["nonsense"], ["nonsense"]),
    ],
)
def test_a_call_without_a_command_is_a_run(given, meant):
    assert with_command(given) == meant
