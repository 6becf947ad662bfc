from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.base import Actor
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from orch.messages import Answered
from orch.model.wire import HttpRequest, NoReply, Reply


class World:
    """Answers every request with its URL, after the latency written in it."""

    def __init__(self, start):
        self.start = start
        self.asked = []

    def __call__(self, request, now, node):
        self.asked.append((request.url, (now - self.start).total_seconds(), node))
        latency_s = float(request.url)
        if node == "broken":
            return NoReply(
                reason="refused", sentence="nobody", retryable=True, failed_at=now, elapsed_s=0
            ), latency_s
        return Reply(status=200, headers=(), body=request.url.encode(), received_at=now, elapsed_s=0), latency_s


@pytest.fixture
def world(start):
    return World(start)


@pytest.fixture
def transport(stage, world):
    return VirtualTransport(stage, world)


@pytest.fixture
def asker(stage, probe_class):
    actor = probe_class("asker", stage.house())
    stage.add(actor)
    return actor


def want(transport, latency, key, *, node="disk", lane="fast", deadline_s=10.0):
    request = HttpRequest(url=str(latency), deadline_s=deadline_s)
    transport.fetch(request, reply_to="asker", key=key, node=node, lane=lane)


def test_an_answer_comes_after_its_latency_and_says_so(stage, transport, asker, start):
    want(transport, 0.25, "k")
    stage.run_for(0.249)
    assert asker.seen == []
    stage.run_for(0.001)
    [answer] = asker.seen
    assert answer.key == "k"
    assert (answer.reply.body, answer.reply.elapsed_s) == (b"0.25", 0.25)
    assert answer.reply.received_at == start + timedelta(seconds=0.25)


def test_a_refusal_comes_as_what_it_is_with_its_times(stage, transport, asker, start):
    want(transport, 0.5, "k", node="broken")
    stage.run_for(1)
    [answer] = asker.seen
    assert (answer.reply.reason, answer.reply.elapsed_s) == ("refused", 0.5)
    assert answer.reply.failed_at == start + timedelta(seconds=0.5)


def test_a_latency_beyond_the_deadline_is_a_timeout_at_the_deadline(stage, transport, asker, start, world):
    want(transport, 3600, "k", deadline_s=2.0)
    stage.run_for(1.999)
    assert asker.seen == []
    stage.run_for(0.001)
    [answer] = asker.seen
    assert (answer.reply.reason, answer.reply.retryable, answer.reply.elapsed_s) == ("timeout", True, 2.0)
    assert answer.reply.failed_at == start + timedelta(seconds=2)
    assert len(world.asked) == 1


def test_one_at_a_time_per_node_and_lane_each_deadline_from_its_turn(stage, transport, asker, world):
    want(transport, 5, "first", deadline_s=6)
    want(transport, 5, "second", deadline_s=6)
    want(transport, 1, "beside", lane="slow")
    want(transport, 2, "elsewhere", node="compute")
    assert transport.in_flight() == 3
    stage.run_for(60)
    assert [answer.key for answer in asker.seen] == ["beside", "elsewhere", "first", "second"]
    assert [asked_at for _, asked_at, _ in world.asked] == [0, 0, 0, 5]
    assert all(isinstance(answer.reply, Reply) for answer in asker.seen)
    assert transport.in_flight() == 0


def test_a_lane_goes_on_when_the_asker_has_died(stage, transport, asker, world):
    want(transport, 1, "first")
    want(transport, 1, "second")
    stage.run_for(0.5)
    stage.kill("asker")
    stage.run_for(5)
    assert len(world.asked) == 2
    assert stage.dead_letters()["asker", "Answered"] == 2


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 3), st.floats(0.1, 2)), max_size=20))
def test_every_request_is_answered_exactly_once_and_in_order_of_its_lane(start_probe, wishes):
    stage, probe = start_probe()
    transport = VirtualTransport(stage, World(stage.now()))
    for number, (node, latency, deadline_s) in enumerate(wishes):
        want(transport, latency, f"{node}{number}", node=node, deadline_s=deadline_s)
    stage.run_for(100)
    keys = [answer.key for answer in probe.seen if isinstance(answer, Answered)]
    assert sorted(keys) == sorted(f"{node}{number}" for number, (node, _, _) in enumerate(wishes))
    for node in "ab":
        numbers = [int(key[1:]) for key in keys if key[0] == node]
        assert numbers == sorted(numbers)


@pytest.fixture(scope="module")
def start_probe():
    class Asker(Actor):
        def handle(self, message):
            self.seen.append(message)

    def build():
        stage = Stage(1, datetime(2026, 1, 1, tzinfo=UTC))
        asker = Asker("asker", stage.house())
        asker.seen = []
        stage.add(asker)
        return stage, asker

    return build
