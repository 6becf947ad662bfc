"""The recorder on the stage, over a writer that fails."""

from __future__ import annotations

import pytest

from actors.recorder import Recorder, RecorderPlan
from actors.stage import Stage
from orch.errors import StoreError
from orch.messages import RecorderStarted, RecordingFailed, RecordTick, TickRecorded
from orch.store.shelf import Shelf
from tests.fakes.roles import T0, Listener
from tests.fakes.values import snapshot


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
