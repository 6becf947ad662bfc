"""What cannot be solved is told in words, with the fewest constraints that contradict each other."""

from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from bench.problems import instance
from orch.model.problems import Budget, Group, Pair
from orch.model.resources import Resources, resources
from orch.solvers import annealing, check, exact, genetic, greedy, keep, linear
from orch.solvers.infeasible import why_infeasible

BUDGET = Budget(seconds=5.0)
SOLVERS = {
    "annealing": annealing.solve,
    "exact": exact.solve,
    "genetic": genetic.solve,
    "greedy": greedy.solve,
    "linear": linear.solve,
}
every = pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)


def cores(amount):
    return {"cpu_cores": float(amount)}


@every
def test_only_the_floors_that_contradict_the_capacity_are_named(kit, solve):
    nodes = [
        kit.node(name, cores(1), floor=cores(floor)) for name, floor in zip("abcd", (1, 6, 2, 5), strict=True)
    ]
    answer = solve(kit.problem(cores(10), *nodes), BUDGET, 1)
    assert answer.status == "infeasible"
    assert answer.reason == (
        "cpu_cores: b 6 (floor), d 5 (floor) must be kept, 11 together, and only 10 may be given out"
    )


@every
def test_more_than_a_group_may_hold_cannot_stop(kit, solve):
    nodes = [kit.node(name, cores(1)) for name in "abc"]
    group = Group(name="one address", nodes=("a", "b", "c"), most=1)
    answer = solve(kit.problem(cores(8), *nodes, groups=(group,)), BUDGET, 1)
    assert (answer.status, answer.reason) == (
        "infeasible", "a, b may not stop, and at most 1 of one address may run"
    )  # fmt: skip


def tangled(kit):
    """One change may be made, both `a` and `b` are short, and `c` holds what they would need."""
    short = [kit.node(name, cores(1), floor=cores(2)) for name in "ab"]
    rich = kit.node("c", cores(4), kit.earning(1.0, 9.0, cpu_cores=1.0))
    idle = kit.node("d", cores(0), cap=cores(3))
    return kit.problem(cores(6), short[0], rich, idle, max_changes=1)


@pytest.mark.parametrize("name", ["exact", "linear"])
def test_the_set_is_one_none_of_which_can_be_left_out(kit, name):
    problem = tangled(kit)
    free = replace(problem, capacity=resources(cores(5)))
    answer = SOLVERS[name](free, BUDGET, 1)
    assert answer.status == "infeasible"
    assert "these cannot all hold" in answer.reason
    for words in ("a needs 2 cpu_cores", "5 cpu_cores may be given out", "at most 1 nodes may change"):
        assert words in answer.reason
    assert "d has a cap" not in answer.reason  # it has nothing to do with it
    assert why_infeasible(free) == (answer.reason,)
    for cure in (replace(free, max_changes=2), problem):
        assert SOLVERS[name](cure, BUDGET, 1).status == "optimal"


@every
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"pairs": (Pair(first="a", second="zz", usd_per_hour=1.0),)}, "a and zz are no pair"),
        ({"pairs": (Pair(first="a", second="b", usd_per_hour=math.nan),)}, "earn nan USD/h more"),
        ({"groups": (Group(name="g", nodes=("zz",), most=1),)}, "has a node zz that is not there"),
        ({"covariance": ((1.0,),)}, "not a matrix of 2 by 2"),
        ({"covariance": ((1.0, math.inf), (0.0, 1.0))}, "values that are no numbers"),
        ({"max_variance": 1.0}, "no covariance is known"),
        ({"max_variance": math.nan, "covariance": ((1.0, 0.0), (0.0, 1.0))}, "a variance of at most nan"),
        ({"horizon_h": math.inf}, "is not a time"),
        ({"capacity": Resources(cpu_cores=math.nan)}, "the capacity has nan cpu_cores"),
    ],
)
def test_what_makes_no_sense_is_said(kit, solve, fault, words):
    problem = replace(kit.problem(cores(8), *(kit.node(name, cores(1)) for name in "ab")), **fault)
    answer = solve(problem, BUDGET, 1)
    assert answer.status == "infeasible"
    assert words in answer.reason


@every
def test_an_activity_without_end_needs_something_to_take(kit, solve):
    unbounded = kit.node("a", cores(1), kit.earning(1.0, math.inf, memory_gb=1.0))
    answer = solve(kit.problem(cores(8), unbounded), BUDGET, 1)
    assert "an activity without end that takes nothing that is planned" in answer.reason
    endless = kit.node("a", cores(1), kit.earning(1.0, math.inf, cpu_cores=1.0))
    assert solve(kit.problem(cores(8), endless), BUDGET, 1).objective_usd == pytest.approx(80.0)


@every
@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("capacity", [0.0, 4.0])
def test_nobody_or_one_with_nothing_or_something_to_give(kit, solve, count, capacity):
    nodes = [kit.node("a", cores(0), kit.earning(0.5, 9.0, cpu_cores=1.0), change_usd=0.1)][:count]
    problem = kit.problem(cores(capacity), *nodes)
    answer = solve(problem, BUDGET, 1)
    assert check.check(problem, answer) == ()
    assert answer.objective_usd == pytest.approx(count * max(5.0 * capacity - 0.1, 0.0))


@every
def test_all_unknown_stays_as_it_is(kit, solve):
    nodes = [kit.node(name, {}, kit.earning(0.5, 2.0, cpu_cores=1.0)) for name in "ab"]
    problem = kit.problem({}, *nodes, pairs=(Pair(first="a", second="b", usd_per_hour=1.0),))
    answer = solve(problem, BUDGET, 1)
    assert check.check(problem, answer) == ()
    assert [share.allocation for share in answer.shares] == [Resources(), Resources()]


@every
@pytest.mark.parametrize("scale", [1e-6, 1e7])
def test_units_do_not_matter_where_things_are_discrete_either(kit, solve, scale):
    """The same problem in cores and in millionths of one, in dollars and in cents."""

    def scaled(problem, by):
        def amounts(vector):
            return resources({name: by * amount for name, amount in vector.known()})

        nodes = tuple(
            replace(
                node, present=amounts(node.present), floor=amounts(node.floor), cap=amounts(node.cap),
                step=amounts(node.step),
                activities=tuple(
                    replace(each, width=each.width * by, usd_per_hour=each.usd_per_hour / by)
                    for each in node.activities
                ),
            )
            for node in problem.nodes
        )  # fmt: skip
        return replace(problem, nodes=nodes, capacity=amounts(problem.capacity))

    problem = instance("nonconvex", 4, 5)
    one, other = (solve(each, BUDGET, 1) for each in (problem, scaled(problem, scale)))
    assert check.check(scaled(problem, scale), other) == ()
    # Where nothing is proven, the last digit may decide between two choices about as good.
    near = 1e-3 if solve is greedy.solve else 1e-6
    assert other.objective_usd == pytest.approx(one.objective_usd, rel=near)


def test_a_present_split_that_breaks_a_group_or_the_variance_is_told_by_keep(kit):
    nodes = [kit.node(name, cores(1), floor=cores(1), may_stop=True, base_usd_per_hour=1.0) for name in "ab"]
    group = Group(name="one address", nodes=("a", "b"), most=1)
    crowded = kit.problem(cores(8), *nodes, groups=(group,))
    assert keep.solve(crowded, BUDGET, 1).reason == "2 of one address run now, and only 1 may"
    risky = kit.problem(cores(8), *nodes, covariance=((1.0, 0.0), (0.0, 1.0)), max_variance=1.5)
    assert "the present split has a variance of 2" in keep.solve(risky, BUDGET, 1).reason
    for solve in SOLVERS.values():
        assert check.check(crowded, solve(crowded, BUDGET, 1)) == ()
        assert solve(risky, BUDGET, 1).status in ("feasible", "out_of_time")


def test_pairs_groups_and_the_variance_are_checked_apart_from_the_solvers(kit):
    nodes = [
        kit.node(name, cores(2), kit.earning(0.5, 4.0, cpu_cores=1.0), floor=cores(1), may_stop=True)
        for name in "ab"
    ]
    pair, group = Pair(first="a", second="b", usd_per_hour=0.25), Group(name="g", nodes=("a", "b"), most=1)
    problem = kit.problem(cores(8), *nodes, pairs=(pair,))
    both = {name: resources(cores(2)) for name in "ab"}
    alone = {"a": resources(cores(2)), "b": resources(cores(0))}
    assert check.objective(problem, both) == pytest.approx(10.0 * (0.5 + 0.5 + 0.25))
    assert check.objective(problem, alone) == pytest.approx(5.0)
    assert check.violations(replace(problem, groups=(group,)), both) == ("2 of g run, and only 1 may",)
    assert check.violations(replace(problem, groups=(group,)), alone) == ()
    bounded = replace(problem, covariance=((0.04, 0.01), (0.01, 0.09)), max_variance=0.1)
    assert check.variance(bounded, both) == pytest.approx(0.15)
    assert check.variance(bounded, alone) == pytest.approx(0.04)
    assert "variance of 0.15 is above 0.1" in check.violations(bounded, both)[0]
