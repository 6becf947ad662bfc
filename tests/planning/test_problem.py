from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from orch.model.fleet import LeverState, Limits, Worth
from orch.model.moves import Guards, Hold
from orch.model.problems import Activity
from orch.model.readings import Outlook
from orch.model.resources import Resources, resources
from orch.planning.plan import billed
from orch.planning.problem import build_problem
from orch.planning.settings import NodeTerms


def built(kit, snapshot=None, guards=None, settings=None):
    problem, blockers = build_problem(snapshot or kit.snapshot(), guards or kit.guards, settings or kit.settings)
    return {node.name: node for node in problem.nodes}, blockers, problem


def test_capacity_is_what_the_reserve_leaves(kit):
    _, _, problem = built(kit)
    assert problem.capacity == kit.res(15.5, 31.0, 480.0, 7950.0)
    assert (problem.host, problem.horizon_h) == ("here", 24.0)


def test_an_unknown_rate_locks_the_node_with_what_it_has(kit):
    nodes, blockers, _ = built(kit)
    assert nodes["address"].locked_by == ("RATE_UNKNOWN",)
    assert [(each.code, each.node) for each in blockers] == [("RATE_UNKNOWN", "address")]
    assert not nodes["disk"].locked


def test_a_protected_node_may_release_what_is_above_its_floor(kit):
    relay = built(kit)[0]["relay"]
    assert not relay.locked
    assert (relay.floor.cpu_cores, relay.floor.memory_gb) == (1.0, 2.0)
    # Neither floor nor need is known of its bandwidth: a quarter above use stays.
    assert relay.floor.bandwidth_mbps == pytest.approx(12.5)
    assert (relay.base_low_usd_per_hour, relay.base_high_usd_per_hour) == pytest.approx((0.016, 0.025))


def test_what_is_used_stays_where_its_worth_is_unknown_and_all_of_it_where_use_is_too(kit):
    used = Resources(cpu_cores=0.4, memory_gb=None, bandwidth_mbps=30.0, storage_gb=4000.0)
    disk = built(kit, kit.with_node("disk", used=used))[0]["disk"]
    assert disk.floor == resources(
        {"cpu_cores": 0.5, "memory_gb": 8.0, "bandwidth_mbps": 37.5, "storage_gb": 4000.0}
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"health": "offline", "health_reason": "refused"}, "NODE_OFFLINE"),
        ({"health": "unknown"}, "NODE_STALE"),
        ({"resources_as_of": None}, "NODE_STALE"),
        ({"rate": None, "worth": None}, "RATE_UNKNOWN"),
        ({"levers": ()}, "LEVER_MISSING"),
        ({"allocation": Resources()}, "ALLOCATION_UNKNOWN"),
        ({"allocation": Resources(cpu_cores=4.0, storage_gb=200.0)}, "ALLOCATION_UNKNOWN"),
    ],
)
def test_a_node_that_may_not_be_moved_is_locked_with_the_reason(kit, changes, code):
    nodes, blockers, problem = built(kit, kit.with_node("compute", **changes))
    assert nodes["compute"].locked
    assert code in nodes["compute"].locked_by
    assert code in [each.code for each in blockers if each.node == "compute"]
    assert nodes["compute"].present == next(node.present for node in problem.nodes if node.name == "compute")


def test_old_figures_and_holds_lock(kit):
    old = kit.with_node("disk", resources_as_of=kit.now - timedelta(minutes=16))
    nodes, blockers, _ = built(kit, old)
    assert nodes["disk"].locked_by == ("NODE_STALE",)
    assert "16 min old" in blockers[0].sentence
    until = kit.now + timedelta(minutes=5)
    guards = Guards(
        holds=(
            Hold(node="disk", until=until, sentence="disk rests."),
            Hold(node="relay", until=kit.now, sentence="over"),
        )
    )
    nodes, blockers, _ = built(kit, guards=guards)
    assert nodes["disk"].locked_by == ("HOLD_ACTIVE",)
    assert not nodes["relay"].locked
    assert blockers[0].until == until


@pytest.mark.parametrize(
    ("status", "code"), [("stale", "PRICE_STALE"), ("unknown", "PRICE_UNKNOWN"), (None, "PRICE_UNKNOWN")]
)
def test_a_price_that_is_not_fresh_freezes_the_whole_split(kit, status, code):
    prices = (
        (kit.price("DATA", "0.03"),)
        if status is None
        else (kit.price("GLM", "0.2", status), kit.price("DATA", "0.03"))
    )
    nodes, blockers, _ = built(kit, kit.snapshot(prices=prices))
    assert all(code in node.locked_by for node in nodes.values())
    assert blockers[0].code == code
    assert "GLM" in blockers[0].sentence


def test_a_price_that_nobody_earns_in_does_not_matter(kit):
    prices = (kit.price("GLM", "0.2"), kit.price("DATA", "0.03"), kit.price("STORJ", "0.2", "stale"))
    nodes, _, _ = built(kit, kit.snapshot(prices=prices))
    assert not nodes["compute"].locked


def test_resources_without_a_lever_stay(kit):
    levers = (LeverState(kind="emulated", sets=("cpu_cores",), mode="auto"),)
    nodes, blockers, _ = built(kit, kit.with_node("compute", levers=levers))
    compute = nodes["compute"]
    assert (compute.floor.memory_gb, compute.cap.memory_gb, compute.need.memory_gb) == (8.0, 8.0, 0.0)
    assert compute.floor.cpu_cores == 0.0
    assert not compute.locked
    assert [each.code for each in blockers if each.node == "compute"] == ["LEVER_MISSING"]


def test_minimum_maximum_commitment_and_need_bound_a_node(kit):
    limits = Limits(minimum=Resources(cpu_cores=2.0), maximum=Resources(cpu_cores=3.0, memory_gb=20.0))
    committed = Resources(cpu_cores=3.5)
    compute = built(kit, kit.with_node("compute", limits=limits, committed=committed))[0]["compute"]
    # What has been promised is above the maximum, and goes before it; whole steps, but never above what it has.
    assert (compute.floor.cpu_cores, compute.cap.cpu_cores) == (4.0, 4.0)
    assert compute.cap.memory_gb == 20.0
    wants_more = Limits(minimum=Resources(cpu_cores=6.0))
    assert built(kit, kit.with_node("compute", limits=wants_more))[0]["compute"].floor.cpu_cores == 6.0
    protected = kit.with_node("relay", floor=Resources(cpu_cores=9.0))
    assert built(kit, protected)[0]["relay"].floor.cpu_cores == 4.0


def test_a_change_costs_the_income_lost_while_the_node_pauses(kit):
    nodes, _, _ = built(kit)
    assert nodes["disk"].change_usd == pytest.approx(0.008 * 60 / 3600)
    assert nodes["relay"].change_usd == 0.0
    assert nodes["disk"].unit_usd.cpu_cores == pytest.approx(0.001 / 15.5)


def test_a_change_is_billed_for_the_dearest_pause_of_what_it_changes(kit):
    pauses = {"storage_gb": 120.0, "cpu_cores": 0.0, "memory_gb": 0.0, "bandwidth_mbps": 0.0}
    terms = (NodeTerms(node="disk", downtime_s=120.0, pause_s=pauses),)
    problem, _ = build_problem(kit.snapshot(), kit.guards, replace(kit.settings, terms=terms, whole_move_usd=0.0))
    present = {node.name: node.present for node in problem.nodes}
    disk = present["disk"]
    fewer = replace(disk, cpu_cores=disk.cpu_cores - 1.0)
    restart_usd = 0.008 * 120 / 3600

    assert next(node for node in problem.nodes if node.name == "disk").change_usd == pytest.approx(restart_usd)
    assert billed(problem, present) == 0.0
    assert billed(problem, {**present, "disk": fewer}) == pytest.approx(0.0, abs=1e-12)
    both = replace(fewer, storage_gb=disk.storage_gb - 100.0)
    assert billed(problem, {**present, "disk": both}) == pytest.approx(restart_usd)


def test_what_cannot_be_changed_makes_no_change_dearer(kit):
    pauses = {"storage_gb": 120.0, "cpu_cores": 2.0}
    terms = (NodeTerms(node="disk", downtime_s=120.0, pause_s=pauses),)
    levers = (LeverState(kind="emulated", sets=("cpu_cores",), mode="auto"),)
    snapshot = kit.with_node("disk", levers=levers)
    problem, _ = build_problem(snapshot, kit.guards, replace(kit.settings, terms=terms))
    disk = next(node for node in problem.nodes if node.name == "disk")
    assert disk.change_usd == pytest.approx(0.008 * 2 / 3600)


def test_a_node_of_unknown_allocation_is_left_what_it_uses(kit):
    part = Resources(cpu_cores=2.0, memory_gb=4.0, storage_gb=20.0)
    used = Resources(cpu_cores=0.1, memory_gb=0.3, bandwidth_mbps=90.0, storage_gb=1.0)
    _, _, problem = built(kit, kit.with_node("address", allocation=part, used=used))
    assert problem.capacity.bandwidth_mbps == 390.0
    _, _, problem = built(kit, kit.with_node("address", allocation=part, used=Resources()))
    assert problem.capacity.bandwidth_mbps == 250.0  # nothing new is given out
    _, _, problem = built(kit, kit.snapshot(capacity=Resources(cpu_cores=16.0)))
    assert problem.capacity == Resources(cpu_cores=15.5)


def test_a_resource_that_is_over_promised_stays_as_it_is_and_the_rest_is_planned(kit):
    nodes, blockers, problem = built(kit, kit.with_node("address", allocation=kit.res(2.0, 4.0, 100.0, 4000.0)))
    assert problem.capacity.storage_gb == 10250.0
    assert all(node.floor.storage_gb == node.cap.storage_gb for node in nodes.values())
    assert nodes["relay"].floor.cpu_cores == 1.0
    assert [each.code for each in blockers] == ["RATE_UNKNOWN", "INFEASIBLE"]


def test_all_or_nothing_nodes_may_stop_only_when_nothing_protects_them(kit):
    worth = Worth(base_usd_per_hour=0.001)
    free = {"rate": kit.rate(0.001), "worth": worth, "outlooks": (Outlook(form="on_off"),)}
    address = built(kit, kit.with_node("address", **free))[0]["address"]
    assert address.may_stop
    assert address.floor == address.present
    for bound in (
        {"floor": Resources(cpu_cores=0.1)},
        {"committed": Resources(memory_gb=1.0)},
        {"limits": Limits(minimum=Resources(cpu_cores=0.1))},
        {"levers": (LeverState(kind="x", sets=("cpu_cores",), mode="auto"),)},
    ):
        assert not built(kit, kit.with_node("address", **free, **bound))[0]["address"].may_stop


def test_activities_and_needs_are_used_as_given(kit):
    snapshot = kit.snapshot()
    nodes, _, _ = built(kit, snapshot)
    for state in snapshot.nodes:
        if state.worth is not None:
            assert nodes[state.name].activities == state.worth.activities
    idle = Worth(need=Resources(storage_gb=4000.0), base_usd_per_hour=0.0)
    disk = built(kit, kit.with_node("disk", worth=idle, floor=Resources()))[0]["disk"]
    assert disk.floor.storage_gb == 0.0  # what earns nothing is not needed
    room = Activity(takes=Resources(storage_gb=1.0), width=9.0, usd_per_hour=1e-6, low=0.0, high=1e-6)
    disk = built(kit, kit.with_node("disk", worth=replace(idle, activities=(room,)), floor=Resources()))[0]["disk"]
    assert disk.floor.storage_gb == 4000.0
