from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.base import Actor
from actors.stage import Stage, StageError
from orch.messages import (
    CommitBatch,
    OpportunitiesFound,
    RestoreBooks,
    TickRecorded,
    TidyStore,
)


def tick_of(number):
    return TickRecorded(sequence=number)


# -- time ------------------------------------------------------------------------------------------------------


def test_time_goes_from_one_timer_to_the_next_and_ends_where_asked(stage, act, start):
    seen_at = []
    act("a", each=lambda me: seen_at.append((stage.now(), stage.monotonic(), me.seen[-1].sequence)))
    stage.after(30.0, "a", tick_of(1))
    stage.at(start + timedelta(seconds=20), "a", tick_of(2))
    stage.after_real(10.0, "a", tick_of(3))
    stage.after(90.0, "a", tick_of(4))
    assert stage.run_for(60) == 3
    assert seen_at == [(start + timedelta(seconds=s), s, n) for s, n in ((10, 3), (20, 2), (30, 1))]
    assert stage.now() == start + timedelta(seconds=60)
    assert stage.speed == 1.0


def test_the_last_instant_is_played_too(stage, act, start):
    actor = act("a")
    stage.after(60.0, "a", tick_of(1))
    stage.run_until(start + timedelta(seconds=60))
    assert actor.seen == [tick_of(1)]


def test_one_instant_reached_on_two_ways_is_one_instant(stage, act, start):
    actor = act("a", again=lambda me: stage.after(0.1, "a", tick_of(1)))
    stage.tell("a", RestoreBooks(reply_to="again"))
    stage.drain()
    stage.at(start + timedelta(milliseconds=100), "a", tick_of(2))
    stage.run_for(0.1)
    assert actor.seen == [tick_of(1), tick_of(2)]


def test_a_timer_in_the_past_is_told_now(stage, act, start):
    actor = act("a")
    stage.run_for(10)
    stage.at(start, "a", tick_of(1))
    stage.after(-5, "a", tick_of(2))
    stage.drain()
    assert (actor.seen, stage.now()) == ([tick_of(1), tick_of(2)], start + timedelta(seconds=10))


def test_time_never_goes_back(stage, start):
    stage.run_for(10)
    with pytest.raises(ValueError, match="past"):
        stage.run_until(start)


def test_a_naive_start_is_refused():
    with pytest.raises(ValueError, match="aware"):
        Stage(1, datetime(2026, 1, 1))  # noqa: DTZ001 - the fault that is tested


def test_all_timers_of_an_instant_fire_before_anybody_is_served(stage, act):
    waiting = []
    actors = [
        act(name, each=lambda _: waiting.append([len(each.lanes) for each in actors]))
        for name in ("first", "second")
    ]
    for name in ("first", "second", "first"):
        stage.after(5, name, CommitBatch())
    stage.run_for(5)
    assert sum(waiting[0]) == 2


def test_scripts_change_the_world_at_their_time(stage, act, start):
    actor = act("a")
    calls = []
    stage.script(start + timedelta(seconds=5), lambda: calls.append(stage.monotonic()))
    stage.script_after(7, lambda: stage.tell("a", tick_of(1)))
    stage.run_for(12)
    assert calls == [5]
    assert actor.seen == [tick_of(1)]


# -- order -----------------------------------------------------------------------------------------------------


class Echo(Actor):
    """Tells a scribe each of its messages."""

    def handle(self, message):
        self.tell("scribe", message)


def three_adapters(seed, start):
    """The order in which a scribe hears of three adapters that are told at the same instant, and the trace."""
    stage = Stage(seed, start, trace=True)
    house = stage.house()
    heard = []

    class Scribe(Actor):
        def handle(self, message):
            heard.append(message.sequence)

    stage.add(Scribe("scribe", house))
    for name in ("0", "1", "2"):
        stage.add(Echo(name, house))
    for number in range(2):
        for adapter in range(3):
            stage.after(5, str(adapter), tick_of(10 * adapter + number))
    stage.run_for(5)
    return tuple(heard), stage.digest()


def test_the_same_seed_is_the_same_play(start):
    for seed in range(5):
        assert three_adapters(seed, start) == three_adapters(seed, start)


def test_fifty_seeds_show_many_interleavings(start):
    orders = {three_adapters(seed, start)[0] for seed in range(50)}
    assert len(orders) > 20
    assert len({three_adapters(seed, start)[1] for seed in range(50)}) > 20


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_each_lane_stays_in_order_whatever_the_seed(seed):
    heard, _ = three_adapters(seed, datetime.fromisoformat("2026-01-01T00:00:00+00:00"))
    assert sorted(heard) == [0, 1, 10, 11, 20, 21]
    for adapter in range(3):
        assert [number for number in heard if number // 10 == adapter] == [10 * adapter, 10 * adapter + 1]


def test_a_race_is_a_failing_seed(start):
    """Two writers read, then write: an update is lost exactly when both read before either has written."""

    def total(seed):
        stage = Stage(seed, start)
        shared = {"total": 0}

        class Writer(Actor):
            def handle(self, message):
                match message:
                    case CommitBatch():
                        self.read = shared["total"]
                        self.tell(self.name, tick_of(0))
                    case TickRecorded():
                        shared["total"] = self.read + 1

        for name in ("a", "b"):
            stage.add(Writer(name, stage.house()))
            stage.tell(name, CommitBatch())
        stage.drain()
        return shared["total"]

    totals = [total(seed) for seed in range(50)]
    assert set(totals) == {1, 2}
    assert totals == [total(seed) for seed in range(50)]


def test_the_lanes_are_those_of_a_live_inbox(stage, act, start):
    actor = act("a")
    stage.tell("a", OpportunitiesFound(found_at=start, opportunities=()))
    stage.tell("a", CommitBatch())
    stage.drain()
    assert [type(message) for message in actor.seen] == [CommitBatch, OpportunitiesFound]


def test_the_trace_names_time_actor_and_message(stage, act, start):
    act("a")
    stage.after(5, "a", CommitBatch())
    stage.run_for(10)
    assert stage.tail() == ((start + timedelta(seconds=5), "a", "CommitBatch"),)


def test_a_digest_must_be_wanted(start):
    with pytest.raises(StageError, match="trace"):
        Stage(1, start).digest()


def test_a_day_of_ticks_is_played_in_order(stage, act, start):
    def note_and_rearm(me):
        seen_at.append(stage.now())
        due_at = me.seen[-1].due_at + timedelta(seconds=30)
        stage.at(due_at, "a", TidyStore(due_at=due_at))

    seen_at = []
    act("a", each=note_and_rearm)
    stage.tell("a", TidyStore(due_at=start))
    assert stage.run_for(86_400) == 2881
    assert all(later - sooner == timedelta(seconds=30) for sooner, later in pairwise(seen_at))
