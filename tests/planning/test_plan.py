from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orch.model.problems import Activity, Answer, Budget, Problem, ProblemNode, Share
from orch.model.resources import RESOURCES, Resources, resources
from orch.planning.plan import calculate_optimal_allocation, estimate_earnings_improvement, make_plan
from orch.planning.polish import polish
from orch.planning.problem import build_problem
from orch.solvers import check

BUDGET = Budget(seconds=5.0)


def cores(amount: float) -> Resources:
    return Resources(cpu_cores=amount)


def earner(name: str, present: float, worth: float, **more: object) -> ProblemNode:
    activity = Activity(takes=cores(1.0), width=10.0, usd_per_hour=worth, low=worth * 0.5, high=worth * 2.0)
    fields = {"floor": cores(0.0), "cap": cores(100.0), "activities": (activity,), **more}
    return ProblemNode(name=name, present=cores(present), **fields)


def answered(problem: Problem, **amounts: float) -> Answer:
    split = {name: cores(amount) for name, amount in amounts.items()}
    return Answer(
        solver="linear",
        status="optimal",
        shares=tuple(Share(node=name, allocation=each) for name, each in split.items()),
        objective_usd=check.objective(problem, split),
        bound_usd=check.objective(problem, split),
        gap_pct=0.0,
        dual_prices=Resources(cpu_cores=0.1),
        seconds=0.0,
        seed=1,
    )


@pytest.fixture
def problem() -> Problem:
    a = earner("a", 6.0, 0.1, change_usd=0.03, unit_usd=cores(0.001))
    b = earner("b", 2.0, 0.4)
    return Problem(host="here", capacity=cores(8.0), nodes=(a, b), horizon_h=24.0)


def test_the_gain_is_a_mean_with_independent_doubts_around_it(kit, problem):
    rates = {"a": kit.rate(0.6, "settled"), "b": kit.rate(0.8, "estimated"), "c": None}
    gain = estimate_earnings_improvement(problem, answered(problem, a=3.0, b=5.0), rates)
    assert gain.mean == pytest.approx(3 * 0.4 - 3 * 0.1)
    # a may lose up to 3 * 0.2, b gains at least 3 * 0.2 and at most 3 * 0.8.
    assert gain.low == pytest.approx(0.9 - math.hypot(0.3, 0.6))
    assert gain.high == pytest.approx(0.9 + math.hypot(0.15, 1.2))
    assert gain.evidence == "estimated"
    none = estimate_earnings_improvement(problem, answered(problem, a=6.0, b=2.0), rates)
    assert (none.low, none.mean, none.high) == (0.0, 0.0, 0.0)


def test_the_gain_is_unknown_without_a_rate_to_rest_on(kit, problem):
    moved = answered(problem, a=3.0, b=5.0)
    assert estimate_earnings_improvement(problem, moved, {"a": kit.rate(0.6), "b": None}) is None
    assert estimate_earnings_improvement(problem, moved, {}) is None
    assert (
        estimate_earnings_improvement(problem, replace(moved, status="infeasible"), {"a": kit.rate(1.0)}) is None
    )


def test_stopping_a_node_risks_the_upper_bound_of_what_it_earns(kit):
    maybe = ProblemNode(
        name="maybe",
        present=cores(3.0),
        floor=cores(3.0),
        cap=cores(3.0),
        base_usd_per_hour=0.5,
        base_low_usd_per_hour=0.3,
        base_high_usd_per_hour=0.9,
        may_stop=True,
    )
    problem = Problem(host="here", capacity=cores(3.0), nodes=(maybe,), horizon_h=1.0)
    gain = estimate_earnings_improvement(problem, answered(problem, maybe=0.0), {"maybe": kit.rate(0.5)})
    assert (gain.low, gain.mean, gain.high) == pytest.approx((-0.9, -0.5, -0.3))


def plan_of(kit, problem, answer):
    return make_plan(
        problem,
        answer,
        ("linear",),
        {"a": kit.rate(0.6), "b": kit.rate(0.8)},
        plan_id="p",
        decision_id="d",
        decided_at=kit.now,
        strategy="threshold",
    )


def test_money_fields_are_as_defined(kit, problem):
    plan = plan_of(kit, problem, answered(problem, a=3.0, b=5.0))
    low = plan.gain_usd_per_hour.low
    assert plan.gain_usd == pytest.approx(Decimal(repr(low)) * 24)
    assert plan.cost_usd == Decimal("0.033")
    assert plan.net_benefit_usd == plan.gain_usd - plan.cost_usd
    assert plan.net_benefit_pct == pytest.approx(float(100 * plan.net_benefit_usd / plan.gain_usd))
    assert plan.improvement_pct == pytest.approx(100 * 0.9 / 1.4)
    assert (plan.from_value, plan.to_value) == (
        {"a": cores(6.0), "b": cores(2.0)},
        {"a": cores(3.0), "b": cores(5.0)},
    )
    loss = plan_of(kit, problem, answered(problem, a=8.0, b=0.0))
    assert loss.gain_usd < 0
    assert loss.net_benefit_pct is None
    nothing = plan_of(kit, problem, replace(answered(problem, a=3.0, b=5.0), status="infeasible", reason="no"))
    assert nothing.to_value == nothing.from_value
    assert (nothing.gain_usd, nothing.cost_usd, nothing.net_benefit_usd) == (None, None, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 5.97, "b": 2.03}, {"a": 6.0, "b": 2.0}),  # below 0.5 % of 8 cores
        ({"a": 4.99995, "b": 3.00005}, {"a": 5.0, "b": 3.0}),
        ({"a": 4.12345, "b": 3.87655}, {"a": 4.124, "b": 3.876}),
    ],
)
def test_changes_are_rounded_and_dust_is_left_out(problem, before, after):
    rounded = polish(problem, answered(problem, **before), 0.5)
    split = {share.node: share.allocation.cpu_cores for share in rounded.shares}
    assert split == pytest.approx(after, abs=1e-9)
    shares = {share.node: share.allocation for share in rounded.shares}
    assert rounded.objective_usd == pytest.approx(check.objective(problem, shares))


def test_a_node_keeps_what_it_would_release_for_nobody():
    idle, keen = earner("idle", 6.0, 0.0), earner("keen", 2.0, 0.4)
    problem = Problem(host="here", capacity=cores(8.0), nodes=(idle, keen), horizon_h=24.0)
    rounded = polish(problem, answered(problem, idle=2.0, keen=3.0), 0.5)
    assert [share.allocation.cpu_cores for share in rounded.shares] == [5.0, 3.0]


def test_a_split_worth_less_than_the_present_one_becomes_it(problem):
    worse = polish(problem, answered(problem, a=8.0, b=0.0), 0.5)
    assert [share.allocation.cpu_cores for share in worse.shares] == [6.0, 2.0]


def test_an_answer_without_a_split_is_left_alone(problem):
    hopeless = replace(answered(problem, a=3.0, b=5.0), status="infeasible", shares=())
    assert polish(problem, hopeless, 0.5) is hopeless


def test_a_whole_step_that_a_hair_of_room_is_missing_for_is_solved_as_well(kit):
    disk, compute, relay, address = kit.fleet()
    nothing = resources(dict.fromkeys(RESOURCES, 0.0))
    fleet = (
        replace(disk, allocation=replace(nothing, cpu_cores=1.9375)),
        replace(compute, allocation=nothing),
        replace(relay, allocation=nothing),
        replace(address, allocation=replace(nothing, cpu_cores=8.165443252640869e-09)),
    )
    problem, _ = build_problem(kit.snapshot(fleet), kit.guards, kit.settings)
    answer, chain = calculate_optimal_allocation(problem, "linear", BUDGET, 1, kit.solvers)
    assert chain == ("linear",)
    assert check.check(problem, answer) == ()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_plan_exceeds_the_capacity_or_touches_a_locked_node(kit, data):
    nodes = []
    for state in kit.fleet():
        allocation = {
            name: data.draw(st.floats(0.0, 0.24))
            * {"cpu_cores": 15.5, "memory_gb": 31.0, "bandwidth_mbps": 480.0, "storage_gb": 7950.0}[name]
            for name in RESOURCES
        }
        nodes.append(replace(state, allocation=resources(allocation)))
    problem, _ = build_problem(kit.snapshot(tuple(nodes)), kit.guards, kit.settings)
    answer, chain = calculate_optimal_allocation(problem, "linear", BUDGET, 1, kit.solvers)
    assert chain == ("linear",)
    split = {share.node: share.allocation for share in answer.shares}
    assert check.violations(problem, split) == ()
    assert split["address"] == nodes[3].allocation
    for name, capacity in problem.capacity.known():
        assert sum(each.or_zero(name) for each in split.values()) <= capacity + 1e-6
