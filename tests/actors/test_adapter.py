"""The adapter on the stage: what it reports of a node, what it keeps to itself, one task of a lever at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from actors.adapter import Adapter, NodePlan
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from orch.errors import LeverError
from orch.levers.base import CostPrior, LeverReading
from orch.levers.together import FittedLever
from orch.messages import ApplyAllocation, NodeHeard, PollFailed, PollNode, ReadBack, ReadingTaken
from orch.model.resources import Resources
from orch.model.wire import HttpRequest, NoReply
from orch.protocols.base import Context
from tests.fakes.roles import T0, Listener, Plain, refused, reply


class FakeLever:
    """Reads and sets by two questions each, so that two tasks could interleave if they were let."""

    kind, options = "fake", None

    def sets(self, protocol, options):
        return ("cpu_cores",)

    def cost(self, protocol, options):
        return CostPrior(downtime_s=0, settle_s=0, deadline_s=10)

    def read(self, options):
        yield HttpRequest(url="http://lever/read1")
        found = yield HttpRequest(url="http://lever/read2")
        if isinstance(found, NoReply):
            raise LeverError("cannot be read")
        return LeverReading(allocation=Resources(cpu_cores=msgspec.json.decode(found.body)))

    def apply(self, options, goal):
        yield HttpRequest(url="http://lever/apply1")
        yield HttpRequest(url=f"http://lever/apply2/{goal.cpu_cores}")

    def describe(self, options, goal):
        return ""


@dataclass
class Node:
    """The outside of one adapter: what is asked, in order, and what is answered."""

    answers: dict[str, Any]
    asked: list[str]

    def __call__(self, request, now, node):
        path = request.url.removeprefix("http://")
        self.asked.append(path)
        found = self.answers.get(path, 4)
        return (refused(now) if found is None else reply(now, found)), 0.2


def adapter_stage(answers: dict[str, Any], *, levers: bool = True, spec: Any = None):
    stage, node = Stage(1, T0), Node(answers, [])
    house = stage.house(VirtualTransport(stage, node))
    fitted = FittedLever(spec=FakeLever(), options=None, mode="auto", protocol="plain")
    plan = NodePlan(
        context=Context(node="a", host="h"), spec=spec or Plain(), options=None, levers=(fitted,) if levers else ()
    )
    coordinator, reallocation = Listener("coordinator", house), Listener("reallocation", house)
    for actor in (coordinator, reallocation, Adapter("adapter:a", house, plan)):
        stage.add(actor)
    return stage, node, coordinator, reallocation


def poll(stage: Stage) -> None:
    stage.tell("adapter:a", PollNode(tick=1, due_at=stage.now()))


def test_what_a_node_says_is_reported_once_and_again_when_it_changes():
    stage, node, coordinator, _ = adapter_stage({"node/n": 7}, levers=False)
    for _ in range(4):
        poll(stage)
        stage.run_for(5)
    readings = [each.reading for each in coordinator.of(ReadingTaken)]
    assert [each.facts for each in readings] == [(), (("n", "7"),)]
    assert node.asked == ["node/n"]


class Seen(msgspec.Struct, frozen=True):
    """What `Dated` remembers."""

    number: int | None = None
    seen_at: datetime | None = None


class Dated(Plain):
    """As `Plain`; it remembers the last number and when it came."""

    seen_in = "seen_at"

    def begin(self, options, context):
        return Seen()

    def absorb(self, memory, key, reply, now):
        (number,) = super().absorb((), key, reply, now)
        return msgspec.structs.replace(memory, number=number, seen_at=now)

    def reading(self, memory, now):
        known = super().reading(() if memory.number is None else (memory.number,), now)
        return msgspec.structs.replace(known, last_seen_at=memory.seen_at)


def test_a_node_that_says_nothing_new_gives_a_sign_of_life_until_a_whole_reading_is_due():
    stage, node, coordinator, _ = adapter_stage({"node/n": 7}, levers=False, spec=Dated())
    for _ in range(6):
        poll(stage)
        stage.run_for(70)
    assert len(node.asked) == 6
    told = [type(each).__name__ for each in coordinator.seen]
    assert told == ["ReadingTaken", "ReadingTaken", "NodeHeard", "NodeHeard", "NodeHeard", "ReadingTaken"]
    heard = coordinator.of(NodeHeard)[-1].heard
    assert (heard.requests, heard.heard_at - heard.last_seen_at) == (5, timedelta(seconds=69.8))


def test_who_wants_a_whole_reading_gets_one():
    stage, _, coordinator, _ = adapter_stage({"node/n": 7}, levers=False, spec=Dated())
    for whole in (False, False, False, True):
        stage.tell("adapter:a", PollNode(tick=1, due_at=stage.now(), whole=whole))
        stage.run_for(70)
    assert [type(each).__name__ for each in coordinator.seen][-2:] == ["NodeHeard", "ReadingTaken"]


def test_a_node_that_says_something_else_is_read_as_a_whole():
    stage, node, coordinator, _ = adapter_stage({"node/n": 7}, levers=False, spec=Dated())
    for number in (7, 7, 8, 8):
        node.answers["node/n"] = number
        poll(stage)
        stage.run_for(70)
    assert [each.reading.facts for each in coordinator.of(ReadingTaken)] == [(), (("n", "7"),), (("n", "8"),)]


def test_a_wrong_answer_is_a_failure_and_the_last_figures_stand():
    stage, node, coordinator, _ = adapter_stage({"node/n": 7}, levers=False)
    poll(stage)
    stage.run_for(70)
    node.answers["node/n"] = "seven"
    poll(stage)
    stage.run_for(5)
    poll(stage)
    stage.run_for(5)
    (failed,) = coordinator.of(PollFailed)
    assert (failed.failure.reason, failed.failure.endpoint) == ("shape", "n")
    assert coordinator.of(ReadingTaken)[-1].reading.facts == (("n", "7"),)


def test_lever_tasks_never_interleave():
    stage, node, _, reallocation = adapter_stage({"lever/read2": 2.0})
    stage.tell("adapter:a", ApplyAllocation(reallocation_id="r", token="1", goal=Resources(cpu_cores=6.0)))
    stage.tell("adapter:a", ReadBack(reallocation_id="r", token="2"))
    stage.tell("adapter:a", ApplyAllocation(reallocation_id="r", token="3", goal=Resources(cpu_cores=2.0)))
    stage.run_for(10)
    pulled = [path for path in node.asked if path.startswith("lever")]
    assert pulled == [
        "lever/apply1",
        "lever/apply2/6.0",
        "lever/read1",
        "lever/read2",
        "lever/apply1",
        "lever/apply2/2.0",
    ]
    assert [(type(each).__name__, each.token) for each in reallocation.seen] == [
        ("AllocationApplied", "1"),
        ("AllocationRead", "2"),
        ("AllocationApplied", "3"),
    ]
    assert reallocation.seen[1].allocation.cpu_cores == 2.0


def test_a_lever_that_fails_is_a_refusal_with_its_sentence():
    stage, _, _, reallocation = adapter_stage({"lever/read2": None})
    stage.tell("adapter:a", ReadBack(reallocation_id="r", token="1"))
    stage.tell("adapter:a", ApplyAllocation(reallocation_id="r", token="2", goal=Resources(storage_gb=5.0)))
    stage.run_for(10)
    assert [each.sentence for each in reallocation.seen] == [
        "cannot be read",
        "no lever of this node sets storage_gb",
    ]
