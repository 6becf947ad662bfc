import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.timers import RECHECK_S, Agenda, LiveTimers
from orch.messages import TickRecorded

START = datetime(2026, 1, 1, tzinfo=UTC)


def seconds(value):
    return START + timedelta(seconds=value)


def tick(number):
    return TickRecorded(sequence=number)


class Notebook:
    """A directory that notes what is told, and lets the test wait for it."""

    def __init__(self):
        self.told = []
        self._noted = threading.Condition()

    def tell(self, name, message):
        with self._noted:
            self.told.append((name, message.sequence))
            self._noted.notify_all()
        return True

    def wait_for(self, count):
        with self._noted:
            return self._noted.wait_for(lambda: len(self.told) >= count, timeout=10)


class HandClock:
    """A clock that stands still until the test moves it."""

    speed = 1.0

    def __init__(self):
        self.elapsed = 0.0

    def now(self):
        return seconds(self.elapsed)

    def monotonic(self):
        return self.elapsed


@pytest.fixture
def notebook():
    return Notebook()


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def hand(notebook, clock):
    """Timers on a clock that stands still."""
    timers = LiveTimers(clock, notebook)
    yield timers
    timers.stop()


@given(st.lists(st.integers(0, 20), max_size=30), st.lists(st.integers(0, 25), max_size=5))
def test_everything_is_told_once_in_order_and_never_early(dues, looks):
    agenda = Agenda()
    for number, due in enumerate(dues):
        agenda.add(seconds(due), "a", tick(number))
    told = []
    for look in sorted([*looks, 25]):
        batch = [message.sequence for _, message in agenda.take(seconds(look), 0.0)]
        assert all(dues[number] <= look for number in batch)
        told += batch
        assert all(dues[number] > look for number in set(range(len(dues))) - set(told))
    assert told == sorted(range(len(dues)), key=lambda number: (dues[number], number))


def test_real_and_clock_times_do_not_disturb_each_other():
    agenda = Agenda()
    agenda.add(seconds(10), "clock", tick(1))
    agenda.add_real(5.0, "real", tick(2))
    assert agenda.take(seconds(9), 4.0) == []
    assert agenda.take(seconds(9), 5.0) == [("real", tick(2))]
    assert agenda.take(seconds(10), 5.0) == [("clock", tick(1))]


@pytest.mark.parametrize(
    ("clock_due", "real_due", "speed", "wait"),
    [
        (None, None, 1.0, None),
        (0.5, None, 1.0, 0.5),
        (6.0, None, 60.0, 0.1),
        (None, 0.25, 60.0, 0.25),
        (6.0, 0.05, 60.0, 0.05),
        (3600.0, None, 1.0, RECHECK_S),
        (-5.0, None, 1.0, 0.0),
    ],
)
def test_the_wait_is_real_time_until_the_next(clock_due, real_due, speed, wait):
    agenda = Agenda()
    if clock_due is not None:
        agenda.add(seconds(clock_due), "a", tick(1))
    if real_due is not None:
        agenda.add_real(real_due, "a", tick(2))
    assert agenda.wait_s(START, 0.0, speed) == pytest.approx(wait)


def test_who_becomes_the_next_is_known():
    agenda = Agenda()
    assert agenda.add(seconds(10), "a", tick(1))
    assert not agenda.add(seconds(10), "a", tick(2))
    assert agenda.add(seconds(9), "a", tick(3))
    assert agenda.add_real(1.0, "a", tick(4))


def test_an_earlier_timer_wakes_the_thread_that_waits_for_a_later_one(live):
    actor = live.probe("a")
    live.timers.after(1e9, "a", tick(2))
    live.timers.after(1.0, "a", tick(1))
    assert actor.wait_for(len)
    assert [message.sequence for message in actor.seen] == [1]
    assert live.timers.waiting() == 1


def test_thousands_of_timers_are_told_in_the_order_they_are_due(notebook, clock, hand):
    for number in range(5000):
        hand.after(number * 7919 % 5000, "a", tick(number * 7919 % 5000))
    clock.elapsed = 5000.0
    hand.start()
    assert notebook.wait_for(5000)
    assert [number for _, number in notebook.told] == list(range(5000))


def test_in_the_order_due_not_in_the_order_set(notebook, hand):
    for due in (3, 1, 2):
        hand.after(-due, f"{due}", tick(due))
    hand.start()
    assert notebook.wait_for(3)
    assert notebook.told == [("3", 3), ("2", 2), ("1", 1)]


def test_a_real_timer_is_told(live):
    actor = live.probe("a")
    live.timers.after_real(0.001, "a", tick(1))
    assert actor.wait_for(len)


def test_a_period_kept_by_due_times_does_not_drift(live):
    first = live.clock.now() + timedelta(seconds=5)
    dues = [first]

    class Metronome(type(live.probe("other"))):
        def handle(self, message):
            assert live.clock.now() >= dues[-1]
            dues.append(dues[-1] + timedelta(seconds=5))
            live.timers.at(dues[-1], self.name, message)
            super().handle(message)

    metronome = Metronome("metronome", live.house)
    live.directory.admit(metronome)
    live.timers.at(first, "metronome", tick(1))
    assert metronome.wait_for(lambda seen: len(seen) >= 50)
    assert dues[50] - first == timedelta(seconds=250)


def test_a_stopped_timer_thread_is_gone_at_once_and_tells_nothing(notebook, hand):
    hand.after(3600, "a", tick(1))
    hand.start()
    hand.stop()
    hand.after(-1, "a", tick(2))
    assert notebook.told == []
    assert "timers" not in [thread.name for thread in threading.enumerate()]


def test_a_tell_that_raises_does_not_end_the_timers(notebook, hand):
    hand.after(-2, "a", "this has no sequence")
    hand.after(-1, "a", tick(1))
    hand.start()
    assert notebook.wait_for(1)
    assert notebook.told == [("a", 1)]
