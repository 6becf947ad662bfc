from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.system.clock import RealClock, ScaledClock

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Times:
    """A system clock and a monotonic one, both set by hand."""

    def __init__(self):
        self.seconds = 100.0
        self.offset = 0.0

    def monotonic(self):
        return self.seconds

    def wall(self):
        return START + timedelta(seconds=self.seconds - 100.0 + self.offset)


steps = st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e6, 1e6)), max_size=30)


@given(steps)
def test_the_real_clock_never_steps_back(moves):
    times = Times()
    clock = RealClock(times.monotonic, times.wall)
    last = clock.now()
    for passed, jump in moves:
        times.seconds += passed
        times.offset += jump
        now = clock.now()
        # To a microsecond: datetimes are rounded to it.
        assert now - last >= timedelta(seconds=passed) - timedelta(microseconds=1)
        last = now


def test_the_real_clock_follows_a_step_forward():
    times = Times()
    clock = RealClock(times.monotonic, times.wall)
    times.offset = 3600.0
    assert clock.now() == START + timedelta(hours=1)
    times.offset = 0.0
    times.seconds += 10
    assert clock.now() == START + timedelta(hours=1, seconds=10)


def test_the_real_clock_is_now():
    clock = RealClock()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.speed == 1.0
    assert clock.monotonic() <= clock.monotonic()


@given(st.floats(0.01, 1e4), st.lists(st.floats(0, 1e3), max_size=20))
def test_the_scaled_clock(speed, passed):
    times = Times()
    clock = ScaledClock(speed, START, times.monotonic)
    assert clock.now() == START
    for seconds in passed:
        times.seconds += seconds
    expected = timedelta(seconds=(times.seconds - 100.0) * speed)
    assert abs(clock.now() - START - expected) <= timedelta(microseconds=1)
    assert clock.speed == speed
    assert clock.monotonic() == times.seconds


def test_the_scaled_clock_speaks_utc():
    start = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))
    clock = ScaledClock(60, start, lambda: 0.0)
    assert clock.now() == START
    assert clock.now().tzinfo is UTC


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_speed_must_be_above_zero(speed):
    with pytest.raises(ValueError, match="above 0"):
        ScaledClock(speed, START)


def test_a_start_needs_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        ScaledClock(60, datetime(2026, 11, 22))  # noqa: DTZ001 - refused is what is tested
