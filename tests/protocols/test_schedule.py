"""What to ask and when: one request per lane, vital first, back-off by failures, history once."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.model.wire import HttpRequest
from orch.protocols.base import Endpoint
from orch.protocols.schedule import PAUSE_S, Schedule, bad, due, good

START = datetime(2026, 11, 15, 12, tzinfo=UTC)


def endpoint(key, **more):
    return Endpoint(key=key, request=HttpRequest(url=f"http://node/{key}"), **({"period_s": 60.0} | more))


def at(seconds):
    return START + timedelta(seconds=seconds)


def keys(endpoints):
    return [each.key for each in endpoints]


def wait_s(state, key, now):
    return (state.turn(key).due_at - now).total_seconds()


def test_one_request_per_lane_and_the_vital_one_first():
    fleet = [endpoint("a", rank=1), endpoint("v", vital=True, rank=50), endpoint("s", lane="slow")]
    state, asked = due(Schedule(), fleet, START)
    assert keys(asked) == ["v", "s"]
    assert (state.in_flight("fast"), state.in_flight("slow"), state.in_flight("lever")) == ("v", "s", None)
    state, asked = due(state, fleet, at(1))
    assert asked == ()
    state, asked = due(good(state, "v", at(1)), fleet, at(2))
    assert keys(asked) == ["a"]


def test_rank_orders_then_lateness():
    fleet = [endpoint("late"), endpoint("later"), endpoint("first", rank=1)]
    state = Schedule()
    for moment in (0, 1, 2):
        state, asked = due(state, fleet, at(moment))
        state = good(state, asked[0].key, at(moment))
    assert state.turn("first").due_at < state.turn("late").due_at < state.turn("later").due_at
    assert keys(due(state, fleet, at(500))[1]) == ["first"]
    assert keys(due(state, fleet[:2], at(500))[1]) == ["late"]


def test_only_what_is_late_by_a_share_of_its_period_is_asked_when_told_so():
    fleet = [endpoint("hour", period_s=3600.0)]
    state, _ = due(Schedule(), fleet, START)
    state = good(state, "hour", START)
    assert keys(due(state, fleet, at(3700))[1]) == ["hour"]
    assert keys(due(state, fleet, at(3700), late=0.5)[1]) == []
    assert keys(due(state, fleet, at(1.5 * 3600 + 1), late=0.5)[1]) == ["hour"]
    assert keys(due(state, [*fleet, endpoint("new")], at(70), late=0.5)[1]) == ["new"]


def test_a_good_answer_is_due_again_after_its_period():
    fleet = [endpoint("a")]
    state, _ = due(Schedule(), fleet, START)
    state = good(state, "a", at(2))
    assert wait_s(state, "a", at(2)) == pytest.approx(60)
    assert state.turn("a").last_good_at == at(2)
    assert due(state, fleet, at(61))[1] == ()
    assert keys(due(state, fleet, at(62))[1]) == ["a"]


def test_history_is_asked_until_it_answers_and_then_never_again():
    fleet = [endpoint("h", once=True)]
    state, _ = due(Schedule(), fleet, START)
    state = bad(state, "h", at(1))
    state, asked = due(state, fleet, at(100))
    assert keys(asked) == ["h"]
    state = good(state, "h", at(101))
    assert due(state, fleet, at(10_000_000))[1] == ()


def test_backoff_is_short_at_first_contact_and_then_one_two_five_ten_minutes():
    fleet = [endpoint("a")]
    state, waits, now = Schedule(), [], START
    for _ in range(3):
        state, _ = due(state, fleet, now)
        state = bad(state, "a", now)
        waits.append(wait_s(state, "a", now))
        now = state.turn("a").due_at
    assert waits == pytest.approx([5, 10, 25])
    state, _ = due(state, fleet, now)
    state = good(state, "a", now)
    waits.clear()
    for _ in range(6):
        now = state.turn("a").due_at
        state, _ = due(state, fleet, now)
        state = bad(state, "a", now)
        waits.append(wait_s(state, "a", now))
    assert waits == pytest.approx([60, 120, 300, 600, 600, 600])
    state, _ = due(state, fleet, state.turn("a").due_at)
    assert good(state, "a", now).turn("a").failures == 0


def test_slow_endpoints_back_off_by_their_period():
    fleet = [endpoint("a", period_s=3600.0, backoff_max_s=3600.0)]
    state, _ = due(Schedule(), fleet, START)
    assert wait_s(bad(state, "a", START), "a", START) == pytest.approx(30)
    state = good(state, "a", START)
    state, _ = due(state, fleet, at(4000))
    assert wait_s(bad(state, "a", at(4000)), "a", at(4000)) == pytest.approx(360)


@pytest.mark.parametrize(("period_s", "waited"), [(60.0, 600.0), (900.0, PAUSE_S), (3600.0, PAUSE_S)])
def test_what_asking_again_does_not_heal_pauses_for_half_an_hour_or_ten_periods(period_s, waited):
    state, _ = due(Schedule(), [endpoint("a", period_s=period_s)], START)
    assert wait_s(bad(state, "a", START, retryable=False), "a", START) == waited


@pytest.mark.parametrize(("asked_for", "waited"), [(1.0, 5.0), (90.0, 90.0), (1e9, 6 * 3600.0)])
def test_retry_after_is_kept_within_reason(asked_for, waited):
    state, _ = due(Schedule(), [endpoint("a")], START)
    assert wait_s(bad(state, "a", START, retry_after_s=asked_for), "a", START) == pytest.approx(waited)


def test_vanished_endpoints_are_forgotten_once_answered():
    state, _ = due(Schedule(), [endpoint("a"), endpoint("s", lane="slow")], START)
    state = good(state, "a", START)
    state, asked = due(state, [endpoint("b", lane="slow")], at(1))
    assert asked == ()
    assert state.turn("a") is None
    assert state.in_flight("slow") == "s"
    state, asked = due(good(state, "s", at(2)), [endpoint("b", lane="slow")], at(2))
    assert keys(asked) == ["b"]
    assert state.turn("s") is None


def test_answers_to_unknown_keys_change_nothing():
    state, _ = due(Schedule(), [endpoint("a")], START)
    assert good(state, "x", START) == state
    assert bad(state, "x", START) == state


def test_jitter_spreads_nodes_that_start_together():
    waits = set()
    for seed in range(20):
        state, _ = due(Schedule(), [endpoint("a", period_s=1000.0)], START, random.Random(seed))
        waits.add(wait_s(good(state, "a", START), "a", START))
    assert len(waits) == 20
    assert all(950 <= wait <= 1050 for wait in waits)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["good", "bad"]), st.integers(1, 700))))
def test_never_two_in_flight_per_lane_and_nothing_starves(steps):
    fleet = [endpoint(key, lane="fast" if key < "d" else "slow", rank=ord(key) % 3) for key in "abcdef"]
    state, now, flying = Schedule(), START, set()
    for key, outcome, later in steps:
        state, asked = due(state, fleet, now)
        for each in asked:
            assert each.lane not in {lane for _, lane in flying}
            flying.add((each.key, each.lane))
        lane = "fast" if key < "d" else "slow"
        if (key, lane) in flying:
            flying.discard((key, lane))
            state = (good if outcome == "good" else bad)(state, key, now)
        now += timedelta(seconds=later)
    answered = set()
    for _ in range(40):
        for turn in state.turns.values():
            if turn.asked_at is not None:
                state = good(state, turn.key, now)
                answered.add(turn.key)
        now += timedelta(seconds=15)
        state, _ = due(state, fleet, now)
    state, _ = due(state, fleet, now + timedelta(hours=1))
    assert answered | {state.in_flight("fast"), state.in_flight("slow")} >= set("abcdef")
