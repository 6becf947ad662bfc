"""The monitor on the stage: what it shows without being told anew."""

from __future__ import annotations

import msgspec

from actors.monitor import Monitor, MonitorPlan
from actors.stage import Stage
from orch.earnings.costs import RunningCosts
from orch.messages import ActorRestarted, SnapshotPublished
from orch.model.board import EngineView
from orch.web.backend import BoardSlot
from tests.fakes.roles import T0
from tests.fakes.values import snapshot


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
