"""The coordinator on the stage: its ticks, what it books, what it sends again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec

from actors.coordinator import Coordinator, CoordinatorPlan
from actors.stage import Stage
from orch.earnings.costs import RunningCosts
from orch.messages import (
    BooksRestored,
    NodeHeard,
    PollAll,
    PollNode,
    ReadingTaken,
    RecorderStarted,
    RecordTick,
    RestoreBooks,
    SnapshotPublished,
    TickRecorded,
)
from orch.model.books import Books
from orch.model.money import Accrual, Amounts
from orch.model.readings import Heard
from orch.model.resources import Resources
from orch.planning.snapshot import HostProfile, NodeProfile
from tests.fakes.roles import T0, Listener, Plain


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
