"""The thin actors on the stage: what they pass on, what they repeat, what they refuse to be told twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from actors.adapter import Adapter, NodePlan
from actors.base import Actor
from actors.coordinator import Coordinator, CoordinatorPlan
from actors.metering import Metering, MeteringPlan
from actors.monitor import Monitor, MonitorPlan
from actors.pricing import Pricing, PricingPlan
from actors.recorder import Recorder, RecorderPlan
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from orch.earnings.costs import RunningCosts
from orch.earnings.meter import TableTerms, WattsTerms
from orch.earnings.names import NAMES
from orch.earnings.power_tables import TableShape
from orch.earnings.price_desk import PriceTerms
from orch.errors import LeverError, StoreError
from orch.levers.base import CostPrior, LeverReading
from orch.levers.together import FittedLever
from orch.messages import (
    ActorRestarted,
    ApplyAllocation,
    BooksRestored,
    FetchPrices,
    NodeHeard,
    PollAll,
    PollFailed,
    PollNode,
    PricesAccepted,
    ReadBack,
    ReadingTaken,
    RecorderStarted,
    RecordingFailed,
    RecordTick,
    RestoreBooks,
    RunningCostsRead,
    SnapshotPublished,
    TickRecorded,
)
from orch.model.board import EngineView
from orch.model.books import Books
from orch.model.money import Accrual, Amounts
from orch.model.readings import Heard, Reading
from orch.model.resources import Resources
from orch.model.wire import HttpRequest, NoReply, Reply
from orch.planning.snapshot import HostProfile, NodeProfile
from orch.protocols.base import Context, Endpoint
from orch.store.shelf import Shelf
from orch.web.backend import BoardSlot
from tests.fakes.caches import MemoryCache
from tests.fakes.values import snapshot

T0 = datetime(2026, 11, 22, tzinfo=UTC)


class Listener(Actor):
    """Notes everything it is told."""

    def ready(self) -> None:
        self.seen: list[Any] = []

    def handle(self, message: Any) -> object:
        self.seen.append(message)
        return None

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.seen if type(each) is kind]


def reply(now: datetime, body: object) -> Reply:
    return Reply(
        status=200,
        headers=(("Content-Type", "application/json"),),
        body=msgspec.json.encode(body),
        received_at=now,
        elapsed_s=0.1,
    )


def refused(now: datetime) -> NoReply:
    return NoReply(reason="refused", sentence="nobody listens", retryable=True, failed_at=now, elapsed_s=0.0)


# -- the adapter -----------------------------------------------------------------------------------------


class Plain:
    """A protocol with one question, whose answer is a number."""

    name, tokens, levers, options = "plain", (), ("fake",), None

    def begin(self, options, context):
        return ()

    def endpoints(self, memory, now):
        return (Endpoint(key="n", request=HttpRequest(url="http://node/n"), period_s=60, vital=True),)

    def absorb(self, memory, key, reply, now):
        from orch.errors import ShapeError

        found = msgspec.json.decode(reply.body)
        if not isinstance(found, int):
            raise ShapeError("n: not a number")
        return (*memory, found)

    def failed(self, memory, key, failure, now):
        return memory

    def reading(self, memory, now):
        return Reading(
            node="a",
            protocol="plain",
            taken_at=now,
            emulated=False,
            health="online" if memory else "unknown",
            health_reason="",
            last_seen_at=now if memory else None,
            facts=tuple(("n", str(each)) for each in memory),
        )


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


# -- the coordinator -------------------------------------------------------------------------------------


def coordinator_stage():
    stage = Stage(1, T0)
    house = stage.house()
    plan = CoordinatorPlan(
        host=HostProfile(
            host="h", capacity=Resources(cpu_cores=8.0), reserve=Resources(cpu_cores=1.0), horizon_h=24.0
        ),
        nodes=(NodeProfile(name="a", protocol="plain"),),
        tokens=(),
        costs=RunningCosts(),
        poll_s=5.0,
    )
    recorder, monitor, node = (Listener(name, house) for name in ("recorder", "monitor", "adapter:a"))
    for actor in (recorder, monitor, node, Coordinator("coordinator", house, plan)):
        stage.add(actor)
    stage.drain()
    return stage, recorder, monitor, node


def booked(amount: str, minutes: int) -> ReadingTaken:
    now = T0 + timedelta(minutes=minutes)
    accrual = Accrual(
        stream="s",
        unit="USD",
        amounts=Amounts(settled=Decimal(amount)),
        period_start=T0 - timedelta(days=1),
        as_of=now,
    )
    known = Plain().reading((1,), now)
    return ReadingTaken(reading=msgspec.structs.replace(known, accruals=(accrual,)))


def test_a_snapshot_at_every_tick_whether_or_not_a_node_answered():
    stage, recorder, monitor, node = coordinator_stage()
    assert [type(each) for each in recorder.seen] == [RestoreBooks]
    stage.tell("coordinator", BooksRestored(books=Books()))
    stage.run_for(20)
    snapshots = [each.snapshot for each in monitor.of(SnapshotPublished)]
    assert [each.tick for each in snapshots] == [2, 3, 4, 5]
    assert [each.due_at for each in snapshots] == [T0 + timedelta(seconds=s) for s in (5, 10, 15, 20)]
    assert snapshots[0].nodes[0].health == "unknown"
    assert len(node.of(PollNode)) == 5


def test_nothing_is_booked_before_the_books_are_there_and_nothing_is_lost():
    stage, recorder, _, _ = coordinator_stage()
    stage.tell("coordinator", booked("5", 0))
    stage.run_for(4)
    stage.tell("coordinator", BooksRestored(books=Books(sequence=41)))
    stage.run_for(6)
    first = recorder.of(RecordTick)[0]
    assert first.sequence == 42
    assert [(each.amount, each.kind) for each in first.entries] == [(Decimal(5), "earned")]


def test_what_the_recorder_has_not_acknowledged_is_sent_again():
    stage, recorder, _, _ = coordinator_stage()
    stage.tell("coordinator", BooksRestored(books=Books()))
    stage.run_for(15)
    assert [each.sequence for each in recorder.of(RecordTick)] == [1, 2, 3]
    stage.tell("coordinator", TickRecorded(sequence=2))
    stage.tell("coordinator", RecorderStarted())
    stage.drain()
    assert [each.sequence for each in recorder.of(RecordTick)] == [1, 2, 3, 3]


def test_the_timer_of_a_predecessor_does_not_double_the_ticks():
    stage, _, monitor, _ = coordinator_stage()
    stage.tell("coordinator", BooksRestored(books=Books()))
    stage.tell("coordinator", PollAll(tick=77, due_at=T0 - timedelta(seconds=3)))
    stage.run_for(10)
    assert [each.snapshot.tick for each in monitor.of(SnapshotPublished)] == [2, 3]


def test_a_sign_of_life_keeps_the_last_reading_and_makes_it_younger():
    stage, _, monitor, _ = coordinator_stage()
    stage.tell("coordinator", BooksRestored(books=Books()))
    unknown = Heard(
        heard_at=T0, last_seen_at=T0, requests=1, bytes_read=1, seconds_waited=1.0, observed_per_hour=None
    )
    stage.tell("coordinator", NodeHeard(node="a", heard=unknown))
    stage.tell("coordinator", NodeHeard(node="nobody", heard=unknown))
    stage.run_for(5)
    assert monitor.of(SnapshotPublished)[-1].snapshot.nodes[0].health == "unknown"
    stage.tell("coordinator", booked("5", 0))
    stage.run_for(200)
    now = stage.now()
    stage.tell(
        "coordinator", NodeHeard(node="a", heard=msgspec.structs.replace(unknown, heard_at=now, requests=9))
    )
    stage.run_for(200)
    (node,) = monitor.of(SnapshotPublished)[-1].snapshot.nodes
    assert (node.health, node.requests, node.resources_as_of) == ("online", 9, now)
    assert node.earned.settled == 5


def test_a_node_whose_adapter_falls_silent_is_of_unknown_health():
    stage, _, monitor, _ = coordinator_stage()
    stage.tell("coordinator", BooksRestored(books=Books()))
    stage.tell("coordinator", booked("5", 0))
    stage.run_for(400)
    health = [each.snapshot.nodes[0].health for each in monitor.of(SnapshotPublished)]
    assert health[:60] == ["online"] * 60
    assert health[60:] == ["unknown"] * 20


# -- pricing ---------------------------------------------------------------------------------------------


def pricing_stage(answer, cache=None, **rest):
    stage = Stage(1, T0)
    asked: list[datetime] = []

    def answering(request, now, node):
        asked.append(now)
        return answer(now), 0.1

    house = stage.house(VirtualTransport(stage, answering))
    known = {"tokens": ("GLM",), "names": NAMES, "urls": {"coingecko": "http://prices"}, "refresh_s": 300.0}
    listener = Listener("coordinator", house)
    stage.add(listener)
    stage.add(Pricing("pricing", house, PricingPlan(terms=PriceTerms(**(known | rest)), cache=cache)))
    return stage, listener, asked


def quoted(now: datetime) -> Reply:
    return reply(now, {"golem": {"usd": 0.23, "last_updated_at": now.timestamp()}})


def test_prices_are_fetched_and_told():
    stage, listener, asked = pricing_stage(quoted)
    stage.run_for(640)
    told = listener.of(PricesAccepted)
    assert len(asked) == len(told) == 3
    assert (told[-1].prices[0].token, told[-1].prices[0].usd) == ("GLM", Decimal("0.23"))


def test_a_source_that_fails_is_asked_less_and_less_often_and_says_why():
    stage, listener, asked = pricing_stage(refused)
    stage.run_for(3600)
    gaps = [(b - a).total_seconds() for a, b in pairwise(asked)]
    assert gaps == pytest.approx([15.1, 30.1, 60.1, 120.1, 240.1, 480.1, 960.1])
    assert all(each.failures[0].reason == "refused" for each in listener.of(PricesAccepted))


def test_pinned_prices_ask_nobody():
    stage, listener, asked = pricing_stage(refused, overrides={"GLM": Decimal("0.2")})
    stage.run_for(316)
    stage.tell("pricing", FetchPrices(due_at=T0))
    stage.drain()
    assert asked == []
    assert [each.prices[0].source for each in listener.of(PricesAccepted)] == ["override", "override"]


def test_accepted_prices_are_kept_and_known_again_before_anybody_is_asked():
    cache = MemoryCache()
    stage, _, _ = pricing_stage(quoted, cache)
    stage.run_for(10)
    assert b'"GLM"' in cache.body
    stage, listener, asked = pricing_stage(refused, MemoryCache(cache.body))
    stage.drain()
    (told,) = listener.of(PricesAccepted)
    assert (told.restored, [each.usd for each in told.prices], asked) == (True, [Decimal("0.23")], [T0])
    stage.run_for(10)
    assert [each.restored for each in listener.of(PricesAccepted)] == [True, False]
    assert listener.of(PricesAccepted)[-1].prices == told.prices


# -- metering --------------------------------------------------------------------------------------------


def metering_stage(answer, cache=None):
    stage = Stage(1, T0)
    house = stage.house(VirtualTransport(stage, lambda request, now, node: (answer(request, now), 0.1)))
    listener = Listener("coordinator", house)
    table = TableTerms(shape=TableShape(), file="/day.csv")
    watts = WattsTerms(kind="file", file="/watts", period_s=10.0)
    stage.add(listener)
    stage.add(Metering("metering", house, MeteringPlan(table=table, watts=watts, cache=cache)))
    return stage, listener


def measured(request, now):
    body = b"time,price\n2026-11-22T00:00,0.2" if request.path == "/day.csv" else b"42"
    return Reply(status=200, headers=(), body=body, received_at=now, elapsed_s=0.1)


def test_tariff_and_watts_are_read_told_and_the_tariff_is_known_again_after_a_restart():
    cache = MemoryCache()
    stage, listener = metering_stage(measured, cache)
    stage.run_for(60)
    told = listener.of(RunningCostsRead)
    assert (told[-1].watts.watts, [each.per_kwh for each in told[-1].table]) == (42.0, [0.2])
    assert 6 <= sum(each.watts is not None for each in told) <= 8
    stage, listener = metering_stage(lambda request, now: refused(now), cache)
    stage.run_for(60)
    told = listener.of(RunningCostsRead)
    assert {len(each.table) for each in told} == {1}
    assert told[-1].watts is None


# -- recorder and monitor --------------------------------------------------------------------------------


class SickWriter:
    """A writer whose first commits fail."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.closed = False
        self.ticks: list[int] = []

    def add_tick(self, snapshot, entries, sequence):
        self.ticks.append(sequence)

    def add_board(self, taken_at, body, kpis):
        pass

    def commit(self):
        if self.failures:
            self.failures -= 1
            raise StoreError("disk full")
        return self.ticks[-1] if self.ticks else None

    def close(self):
        self.closed = True


def test_a_failed_commit_is_told_kept_and_acknowledged_only_when_it_succeeds():
    stage = Stage(1, T0)
    house = stage.house()
    writer, shelf = SickWriter(2), Shelf()
    coordinator, monitor = Listener("coordinator", house), Listener("monitor", house)
    recorder = Recorder("recorder", house, RecorderPlan(open_writer=lambda now: writer, shelf=shelf))
    for actor in (coordinator, monitor, recorder):
        stage.add(actor)
    stage.drain()
    assert [type(each) for each in coordinator.seen] == [RecorderStarted]
    for sequence in (1, 2, 3):
        stage.tell("recorder", RecordTick(sequence=sequence, snapshot=snapshot(), entries=()))
        stage.run_for(5)
    assert [each.sentence for each in monitor.of(RecordingFailed)] == ["disk full", "disk full"]
    assert [each.sequence for each in coordinator.of(TickRecorded)] == [3]
    stage.dismiss("recorder")
    assert writer.closed
    with pytest.raises(StoreError), shelf.reader():
        pass


def test_a_part_that_is_given_up_is_on_the_board_without_another_snapshot():
    stage = Stage(1, T0)
    slot = BoardSlot()
    house = stage.house(board=slot)
    view = EngineView(running=True, pid=1, version="0", mode="auto", kind="real", speed=1.0)
    stage.add(Monitor("monitor", house, MonitorPlan(engine=view, costs=RunningCosts())))
    stage.tell("monitor", SnapshotPublished(snapshot=snapshot()))
    stage.run_for(60)
    gone = ActorRestarted(name="coordinator", error="boom", restarts=5, given_up=True, happened_at=stage.now())
    stage.tell("monitor", gone)
    stage.drain()
    board = msgspec.json.decode(slot.body())
    assert [(each["rule"], each["severity"], each["state"]) for each in board["alerts"]] == [
        ("actor_failed", "page", "firing")
    ]
