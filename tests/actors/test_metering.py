"""Metering on the stage: tariff and watts are read, told and kept."""

from __future__ import annotations

from actors.metering import Metering, MeteringPlan
from actors.stage import Stage
from actors.stage_transport import VirtualTransport
from orch.earnings.meter import TableTerms, WattsTerms
from orch.earnings.power_tables import TableShape
from orch.messages import RunningCostsRead
from orch.model.wire import Reply
from tests.fakes.caches import MemoryCache
from tests.fakes.roles import T0, Listener, refused


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
