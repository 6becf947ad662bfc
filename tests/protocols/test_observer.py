"""What observing costs: counted since the start, stated per hour once there is enough of it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orch.model.readings import ObserverRate
from orch.model.wire import Reply
from orch.protocols import registry
from orch.protocols.attend import Attended, ask, counted, report, take
from orch.protocols.base import Context
from orch.protocols.observer import APART, SPAN, Mark, marked, per_hour

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def at(minutes, requests=0, size=0, seconds=0.0):
    return Mark(at=START + timedelta(minutes=minutes), requests=requests, bytes=size, seconds=seconds)


def test_no_rate_is_stated_before_there_is_anything_to_state():
    assert per_hour((), at(0)) is None
    assert per_hour((at(0),), at(4.9, 30)) is None


def test_the_first_minutes_are_counted_from_the_start():
    rate = per_hour((at(0),), at(30, 60, 3000, 1.5))
    assert (rate.requests, rate.bytes, rate.seconds) == (120.0, 6000.0, 3.0)


def test_the_burst_of_first_contact_is_forgotten_after_an_hour():
    marks, total = (), 0
    for minute in range(0, 180, 5):
        total += 500 if minute == 0 else 5
        marks = marked(marks, at(minute, total))
    assert per_hour(marks, at(180, total + 5)).requests == 60.0


@given(st.lists(st.floats(0.1, 90.0), min_size=1, max_size=60))
def test_few_marks_are_kept_and_they_cover_an_hour(gaps):
    marks, minute = (), 0.0
    for gap in gaps:
        marks = marked(marks, at(minute))
        minute += gap
    assert len(marks) <= SPAN / APART + 2
    assert all(b.at - a.at >= APART for a, b in pairwise(marks))
    now = START + timedelta(minutes=minute)
    assert marks[0].at == START or now - marks[0].at >= SPAN


def test_questions_answers_and_those_of_levers_are_counted():
    spec = registry.load("storj")
    state = Attended(memory=spec.begin(spec.options(), Context(node="disk", host="here")))
    state, asked = ask(spec, state, START, 0.5)
    reading = report(spec, state, START)
    assert (reading.requests, reading.bytes_read, reading.observed_since) == (len(asked), 0, START)
    answer = Reply(status=200, headers=(), body=b"{}", received_at=START, elapsed_s=0.25)
    state, _ = take(spec, state, asked[0].key, answer, START)
    state = counted(state, answer)
    later = START + timedelta(minutes=30)
    reading = report(spec, state, later)
    assert (reading.requests, reading.bytes_read, reading.seconds_waited) == (len(asked) + 1, 4, 0.5)
    assert reading.observed_per_hour == ObserverRate(requests=2.0 * (len(asked) + 1), bytes=8.0, seconds=1.0)
