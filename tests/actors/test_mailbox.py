import threading
from collections import deque
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orch.messages
from actors.mailbox import DATA, DATA_LIMIT, LaneInbox, Lanes
from orch.messages import (
    AreYouReady,
    CommitBatch,
    HowMuchWork,
    OpportunitiesFound,
    RecordTick,
    SnapshotPublished,
    TickRecorded,
)

COMMANDS = (CommitBatch, TickRecorded, HowMuchWork, RecordTick)
KINDS = (*COMMANDS, *sorted(DATA, key=lambda kind: kind.__name__), AreYouReady)

puts = st.tuples(st.just("put"), st.sampled_from(KINDS), st.booleans())
gets = st.tuples(st.just("get"), st.none(), st.none())
histories = st.lists(st.one_of(puts, puts, gets), max_size=60)


class SlowLanes:
    """The contract, written to be read: one list, searched."""

    def __init__(self, limit):
        self.limit, self.items, self.dropped = limit, [], []

    def put(self, item, kind, asked):
        control = kind not in DATA and kind is not AreYouReady
        self.items.append((item, control, kind in DATA and not asked))
        loose = [entry for entry in self.items if entry[2]]
        if len(loose) > self.limit:
            self.items.remove(loose[0])
            self.dropped.append(loose[0][0])

    def get(self):
        entry = next((entry for entry in self.items if entry[1]), self.items[0] if self.items else None)
        if entry is None:
            return None
        self.items.remove(entry)
        return entry[0]


@given(histories, st.integers(1, 4))
def test_lanes_do_what_the_contract_says_for_every_history(history, limit):
    lanes, model = Lanes(limit), SlowLanes(limit)
    for number, (action, kind, asked) in enumerate(history):
        if action == "put":
            lanes.put(number, kind, asked=asked)
            model.put(number, kind, asked)
        elif len(lanes):
            assert lanes.get() == model.get()
        assert len(lanes) == len(model.items)
    assert [lanes.get() for _ in range(len(lanes))] == [model.get() for _ in range(len(model.items))]
    assert lanes.dropped == len(model.dropped)


@given(histories, st.integers(1, 4))
def test_no_command_and_no_question_is_ever_lost_and_each_lane_is_in_order(history, limit):
    lanes = Lanes(limit)
    sent, got = [], []
    for number, (action, kind, asked) in enumerate(history):
        if action == "put":
            sent.append((number, kind, asked))
            lanes.put((number, kind, asked), kind, asked=asked)
        elif len(lanes):
            got.append(lanes.get())
    got += [lanes.get() for _ in range(len(lanes))]
    kept = [entry for entry in sent if entry[1] not in DATA or entry[2]]
    assert sorted(entry for entry in got if entry in kept) == sorted(kept)
    for lane in (True, False):
        numbers = [number for number, kind, _ in got if (kind in COMMANDS) is lane]
        assert numbers == sorted(numbers)
    assert len(sent) == len(got) + lanes.dropped


@given(histories)
def test_an_answered_readiness_proves_all_that_was_sent_before_it(history):
    lanes, handled = Lanes(2), set()
    sent = set()
    for number, (action, kind, asked) in enumerate(history):
        if action == "put":
            sent.add(number)
            lanes.put(number, kind, asked=asked)
    lanes.put("ready", AreYouReady, asked=True)
    lanes.put("later", OpportunitiesFound)
    while (item := lanes.get()) != "ready":
        handled.add(item)
    assert len(sent - handled) <= lanes.dropped


def test_the_newest_data_wins():
    lanes = Lanes(3)
    for number in range(10):
        lanes.put(number, SnapshotPublished)
    assert [lanes.get() for _ in range(3)] == [7, 8, 9]
    assert lanes.dropped == 7


def test_commands_overtake_data():
    lanes = Lanes()
    lanes.put("old data", OpportunitiesFound)
    lanes.put("command", CommitBatch)
    assert lanes.get() == "command"


def test_a_tick_to_record_is_never_dropped():
    lanes = Lanes(1)
    for number in range(DATA_LIMIT + 1):
        lanes.put(number, RecordTick)
    assert (len(lanes), lanes.dropped) == (DATA_LIMIT + 1, 0)


def test_only_events_with_a_successor_are_data():
    commands = {
        getattr(orch.messages, name)
        for name in (
            "RecordTick",
            "ReallocationChanged",
            "DecisionMade",
            "AlertRaised",
            "ActorFailed",
            "GuardsChanged",
        )
    }
    assert not commands & DATA


def test_lanes_without_room_are_refused():
    with pytest.raises(ValueError, match="room for one"):
        Lanes(0)


def test_an_empty_lane_gives_nothing():
    with pytest.raises(IndexError):
        Lanes().get()


def test_a_stop_overtakes_any_amount_of_data(live, gate, do):
    actor = live.probe("monitor", wait=gate)
    live.directory.tell("monitor", do("wait"))
    assert gate.entered.wait(5)
    for _ in range(1000):
        live.directory.tell(
            "monitor", OpportunitiesFound(found_at=datetime(2026, 1, 1, tzinfo=UTC), opportunities=())
        )
    stopped = actor.actor_ref.stop(block=False)
    gate.open()
    assert stopped.get(timeout=5)
    assert actor.seen == []


def test_a_stop_comes_after_the_commands_before_it(live, gate, do, tick):
    actor = live.probe("recorder", wait=gate)
    live.directory.tell("recorder", do("wait"))
    assert gate.entered.wait(5)
    for sequence in range(100):
        live.directory.tell("recorder", tick(sequence))
    stopped = actor.actor_ref.stop(block=False)
    gate.open()
    assert stopped.get(timeout=5)
    assert [message.sequence for message in actor.seen] == list(range(100))


def test_many_writers_lose_nothing(live, tick):
    actor = live.probe("recorder")
    writers = [
        threading.Thread(
            target=lambda: deque((live.directory.tell("recorder", tick(n)) for n in range(500)), maxlen=0)
        )
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert live.directory.ask("recorder", AreYouReady(), within=10)
    assert len(actor.seen) == 2000


def test_a_fresh_inbox_is_empty():
    assert LaneInbox().empty()
