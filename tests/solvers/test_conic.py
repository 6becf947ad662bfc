"""The conic solver: bounds that bind, prices of risk, what is discrete, and problems without a split."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from msgspec.structs import replace

from orch.model.problems import Activity, Budget, Problem, ProblemNode
from orch.model.resources import Resources
from orch.solvers import check, conic, linear

BUDGET = Budget(seconds=10.0)
COVARIANCE = ((0.01, 0.002), (0.002, 0.09))


def cores(amount):
    return Resources(cpu_cores=amount)


def node(name, usd, present=4.0, **more):
    activity = Activity(takes=cores(1.0), width=20.0, usd_per_hour=usd, low=usd, high=usd)
    fields = {"present": cores(present), "floor": cores(0.0), "cap": Resources(), "activities": (activity,)}
    return ProblemNode(name=name, **{**fields, **more})


def problem(max_variance=None, first=None, second=None, **more):
    """Ten cores; `b` earns twice as much and varies three times as much, at four cores each."""
    nodes = (node("a", 0.05, **(first or {})), node("b", 0.10, **(second or {})))
    return Problem(
        host="h",
        capacity=cores(10.0),
        nodes=nodes,
        horizon_h=24.0,
        covariance=COVARIANCE,
        covariance_at=(0.2, 0.4),
        max_variance=max_variance,
        **more,
    )


def split(answer):
    return tuple(share.allocation.cpu_cores for share in answer.shares)


def brute(asked, step=0.02):
    """The best of all splits on a grid."""
    best = -math.inf
    grid = [index * step for index in range(round(10.0 / step) + 1)]
    for a, b in itertools.product(grid, grid):
        if a + b <= 10.0 + 1e-9:
            given = {"a": cores(a), "b": cores(b)}
            if check.variance(asked, given) <= asked.max_variance:
                best = max(best, check.objective(asked, given))
    return best


@pytest.mark.parametrize("bound", [0.4, 0.2, 0.09, 0.02])
def test_the_best_split_within_the_bound(bound):
    asked = problem(bound)
    answer = conic.solve(asked, BUDGET, 0)
    assert check.check(asked, answer) == ()
    assert answer.status == "optimal"
    assert answer.objective_usd >= brute(asked, 0.1) - 1e-9
    assert check.variance(asked, {share.node: share.allocation for share in answer.shares}) <= bound * (1 + 1e-6)


def test_a_bound_that_does_not_bind_changes_nothing():
    free, loose = problem(), problem(100.0)
    assert conic.solve(loose, BUDGET, 0).objective_usd == pytest.approx(
        linear.solve(free, BUDGET, 0).objective_usd, rel=1e-7
    )
    assert conic.solve(free, BUDGET, 0).solver == "conic"


def test_risk_has_a_price():
    by_price = [split(conic.mean_variance(problem(), aversion, BUDGET, 0))[1] for aversion in (1e-3, 20.0, 100.0)]
    assert by_price[0] == pytest.approx(10.0, abs=1e-3)
    assert by_price[0] > by_price[1] > by_price[2]


def test_whole_cores_and_costs_per_change_are_decided_with_proof():
    asked = problem(0.2, first={"step": cores(1.0)}, second={"step": cores(1.0), "change_usd": 0.1})
    answer = conic.solve(asked, BUDGET, 0)
    assert (check.check(asked, answer), answer.status) == ((), "optimal")
    assert all(amount == round(amount) for amount in split(answer))
    assert answer.objective_usd == pytest.approx(brute(asked, 1.0), abs=1e-6)


def test_at_most_so_many_changes():
    answer = conic.solve(problem(0.2, max_changes=1), BUDGET, 0)
    assert sum(abs(amount - 4.0) > 1e-6 for amount in split(answer)) <= 1
    assert answer.status == "optimal"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            problem(1e-4, second={"base_usd_per_hour": 0.1}),
            "every split varies by at least",
        ),
        (replace(problem(0.1), covariance=()), "no covariance is known"),
        (replace(problem(0.1), covariance=((1.0,),)), "the covariance is not"),
        (replace(problem(0.1), covariance=((math.nan, 0.0), (0.0, 1.0))), "no numbers"),
        (replace(problem(0.1), covariance_at=(1.0,)), "1 rates"),
        (problem(-1.0), "a variance of at most -1.0"),
        (problem(0.1, first={"floor": cores(20.0)}), "20"),
    ],
)
def test_what_cannot_be_is_said_in_words(asked, said):
    answer = conic.solve(asked, BUDGET, 0)
    assert answer.status == "infeasible"
    assert said in answer.reason


def test_nodes_that_vary_alike_and_a_rate_of_nothing():
    alike = replace(problem(0.2), covariance=((0.04, 0.08), (0.08, 0.16)))
    answer = conic.solve(alike, BUDGET, 0)
    assert (check.check(alike, answer), answer.status) == ((), "optimal")
    silent = replace(problem(0.3), covariance_at=(0.0, 0.4))
    assert check.check(silent, conic.solve(silent, BUDGET, 0)) == ()


def test_the_same_again_and_the_problem_unchanged():
    asked = problem(0.09, second={"step": cores(0.5)})
    before = msgspec.json.encode(asked)
    first, second = (conic.solve(asked, BUDGET, 1) for _ in range(2))
    assert replace(first, seconds=0.0) == replace(second, seconds=0.0)
    assert msgspec.json.encode(asked) == before


def test_without_time_the_present_split_is_kept():
    answer = conic.solve(problem(0.5, first={"step": cores(0.1)}), Budget(seconds=1e-9), 0)
    assert answer.status in ("feasible", "optimal")
    assert answer.objective_usd >= check.objective(problem(0.5), {"a": cores(4.0), "b": cores(4.0)}) - 1e-9
