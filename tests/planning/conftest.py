"""A small host with the four kinds of nodes, split poorly: compute could use what the others leave idle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

import pytest
from msgspec.structs import replace

from orch.model.fleet import LeverState, NodeState, Snapshot, Worth
from orch.model.money import Price, PriceNow, Rate
from orch.model.moves import Guards
from orch.model.problems import Activity
from orch.model.readings import Outlook
from orch.model.resources import RESOURCES, Resources, resources
from orch.planning.settings import NodeTerms, PlanSettings
from orch.solvers import greedy, keep, linear
from orch.strategies import threshold
from tests.fakes import values

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def res(cpu: float, memory: float, bandwidth: float, storage: float) -> Resources:
    return Resources(cpu_cores=cpu, memory_gb=memory, bandwidth_mbps=bandwidth, storage_gb=storage)


def rate(mean: float, evidence: str = "accrued") -> Rate:
    return Rate(
        low=mean * 0.8,
        mean=mean,
        high=mean * 1.25,
        net_mean=None,
        evidence=evidence,
        window_s=86400.0,
        age_s=60.0,
    )


def state(name: str, allocation: Resources, used: Resources, earns: float | None, **more: object) -> NodeState:
    fields = {
        "host": "here",
        "protocol": "storj",
        "emulated": True,
        "last_seen_at": NOW,
        "resources_as_of": NOW - timedelta(seconds=30),
        "rate": None if earns is None else rate(earns),
        "worth": None if earns is None else Worth(base_usd_per_hour=earns),
        "allocation": allocation,
        "used": used,
        "levers": (LeverState(kind="emulated", sets=RESOURCES, mode="auto"),),
    }
    return values.node_state(name, **fields | more)


def core(worth: float, width: float) -> Activity:
    takes = resources({"cpu_cores": 1.0, "memory_gb": 1.5})
    return Activity(takes=takes, width=width, usd_per_hour=worth, low=worth * 0.6, high=worth * 1.4)


def fleet() -> tuple[NodeState, ...]:
    room = Activity(takes=resources({"storage_gb": 1.0}), width=400.0, usd_per_hour=2e-6, low=1e-6, high=3e-6)
    return (
        state(
            "disk",
            res(5.0, 8.0, 100.0, 6000.0),
            res(0.4, 1.0, 30.0, 4000.0),
            0.008,
            worth=Worth(need=resources({"storage_gb": 4000.0}), base_usd_per_hour=0.008, activities=(room,)),
            floor=resources({"storage_gb": 4000.0}),
        ),
        state(
            "compute",
            res(4.0, 8.0, 50.0, 200.0),
            res(3.9, 6.0, 5.0, 50.0),
            0.012,
            worth=Worth(activities=(core(0.003, 4.0), core(0.002, 8.0), core(0.0002, 10.0))),
            outlooks=(Outlook(form="dial", resource="cpu_cores", step=1.0),),
        ),
        state(
            "relay",
            res(4.0, 8.0, 100.0, 50.0),
            res(0.3, 0.8, 10.0, 5.0),
            0.02,
            floor=resources({"cpu_cores": 1.0, "memory_gb": 2.0}),
            outlooks=(Outlook(form="floor"),),
        ),
        state(
            "address",
            res(2.0, 4.0, 100.0, 20.0),
            res(0.1, 0.3, 5.0, 1.0),
            None,
            outlooks=(Outlook(form="on_off"),),
        ),
    )


def price(token: str, usd: str, status: str = "fresh") -> PriceNow:
    told = Price(token=token, usd=Decimal(usd), source="test", observed_at=NOW, fetched_at=NOW)
    known = None if status == "unknown" else told
    return PriceNow(token=token, state=status, price=known, age_s=None if known is None else 120.0)


def snapshot(nodes: tuple[NodeState, ...] | None = None, **more: object) -> Snapshot:
    fields = {
        "host": "here",
        "capacity": res(16.0, 32.0, 500.0, 8000.0),
        "reserve": res(0.5, 1.0, 20.0, 50.0),
        "prices": (price("GLM", "0.20"), price("DATA", "0.03")),
    }
    return values.snapshot(*(fleet() if nodes is None else nodes), at=NOW, **fields | more)


SETTINGS = PlanSettings(
    terms=(
        NodeTerms(node="disk", downtime_s=60.0),
        NodeTerms(node="compute", tokens=("GLM",), downtime_s=30.0),
        NodeTerms(node="relay", tokens=("DATA",)),
    )
)


class Kit:
    """What the tests of this room build fleets with."""

    now = NOW
    settings = SETTINGS
    solvers = MappingProxyType({"linear": linear.solve, "greedy": greedy.solve, "keep": keep.solve})
    guards = Guards()
    strategy = threshold.STRATEGY
    options = threshold.ThresholdOptions()
    fleet = staticmethod(fleet)
    snapshot = staticmethod(snapshot)
    state = staticmethod(state)
    rate = staticmethod(rate)
    price = staticmethod(price)
    res = staticmethod(res)

    @staticmethod
    def with_node(name: str, **changes: object) -> Snapshot:
        """The fleet with one node changed."""
        return snapshot(tuple(replace(each, **changes) if each.name == name else each for each in fleet()))


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    return Kit
