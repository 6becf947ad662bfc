"""The board says what it knows, whom it leaves out, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from orch.earnings.costs import RunningCosts, exactly, less
from orch.model.board import EngineView, Kpis
from orch.model.fleet import NodeState, Worth
from orch.model.resources import Resources
from orch.reports.dashboard import Times, get_dashboard_metrics
from tests.fakes.values import node_state, rate, snapshot

if TYPE_CHECKING:
    from orch.model.money import Rate

ENGINE = EngineView(running=True, pid=1, version="0", mode="auto", kind="emulated", speed=60.0)


def node(name: str, protocol: str, known: Rate | None) -> NodeState:
    return node_state(
        name,
        protocol=protocol,
        emulated=True,
        rate=known,
        worth=Worth(per_unit=Resources(cpu_cores=0.003)) if known else None,
        allocation=Resources(cpu_cores=2.0, memory_gb=4.0),
    )


def earns(mean: float, net: float | None) -> Rate:
    return less(rate(mean, 0.1), None if net is None else exactly(mean - net))


def board(*nodes: NodeState, costs: RunningCosts | None = None):
    known = costs or RunningCosts(usd_per_kwh=0.25, watts_idle=20, watts_per_core=1)
    return get_dashboard_metrics(snapshot(*nodes), ENGINE, None, None, Times(), (), (), Kpis(), known)


def test_totals_leave_out_the_unknown_and_say_so():
    found = board(
        node("disk", "storj", earns(0.01, 0.009)),
        node("compute", "golem", earns(0.03, 0.028)),
        node("address", "grass", None),
    )
    total = found.total
    assert total.usd_per_hour is not None
    assert total.usd_per_hour.mean == pytest.approx(0.04)
    assert total.usd_per_hour.net_mean == pytest.approx(0.037 - 0.005)
    assert total.leaves_out == ("address",)
    assert set(total.by_protocol) == {"storj", "golem"}
    assert [each.share_pct for each in found.nodes] == [pytest.approx(25.0), pytest.approx(75.0), None]


def test_net_is_unknown_when_one_cost_is():
    found = board(node("a", "golem", earns(0.03, None)))
    assert found.total.usd_per_hour is not None
    assert found.total.usd_per_hour.net_mean is None
    free = board(node("a", "golem", earns(0.03, 0.02)), costs=RunningCosts())
    assert free.total.usd_per_hour is not None
    assert free.total.usd_per_hour.net_mean is None


def test_shares_of_unknown_capacity_are_unknown():
    (only,) = board(node("a", "golem", earns(0.03, None))).nodes
    assert only.allocation_pct == Resources(cpu_cores=25.0)
    assert only.worth == Resources(cpu_cores=0.003)


def test_nothing_known_is_null_never_zero():
    body = msgspec.json.decode(msgspec.json.encode(board(node("a", "grass", None))))
    assert body["total"]["usd_per_hour"] is None
    assert body["total"]["leaves_out"] == ["a"]
    assert body["nodes"][0]["usd_per_hour"] is None
    assert body["nodes"][0]["worth"] == dict.fromkeys(("cpu_cores", "memory_gb", "bandwidth_mbps", "storage_gb"))
    assert body["opportunity"] is None
    assert body["schema"] == 1
