from __future__ import annotations

import math

import pytest
from msgspec.structs import replace

from orch.model.problems import Budget, Share
from orch.model.resources import Resources
from orch.solvers import check, greedy, keep, linear
from orch.solvers.levels import evaluate
from orch.solvers.registry import solver_names, solvers_for

BUDGET = Budget(seconds=5.0)
SOLVERS = {"greedy": greedy.solve, "linear": linear.solve}
both = pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)


def given_to(answer, name):
    return next(share.allocation for share in answer.shares if share.node == name)


@both
def test_the_worthier_node_gets_what_the_other_does_not_need(kit, solve):
    a = kit.node("a", {"cpu_cores": 6.0}, kit.earning(0.1, 3.0, cpu_cores=1.0), floor={"cpu_cores": 1.0})
    b = kit.node("b", {"cpu_cores": 2.0}, kit.earning(0.5, 4.0, cpu_cores=1.0))
    answer = solve(kit.problem({"cpu_cores": 8.0}, a, b), BUDGET, 1)
    assert answer.status == "optimal"
    assert given_to(answer, "b").cpu_cores == pytest.approx(4.0)
    assert given_to(answer, "a").cpu_cores == pytest.approx(4.0)
    assert answer.objective_usd == pytest.approx(10.0 * (4 * 0.5 + 3 * 0.1))


@both
def test_nobody_loses_what_nobody_gains(kit, solve):
    idle = kit.node("idle", {"cpu_cores": 5.0, "memory_gb": 7.0})
    sated = kit.node("sated", {"cpu_cores": 2.0}, kit.earning(0.5, 2.0, cpu_cores=1.0))
    problem = kit.problem({"cpu_cores": 8.0, "memory_gb": 8.0}, idle, sated)
    answer = solve(problem, BUDGET, 1)
    assert given_to(answer, "idle") == idle.present
    assert given_to(answer, "sated") == sated.present


@both
def test_a_cost_per_unit_above_the_gain_keeps_everything(kit, solve):
    cheap = kit.earning(0.01, 4.0, cpu_cores=1.0)
    rich = kit.node("rich", {"cpu_cores": 6.0}, unit_usd={"cpu_cores": 0.06})
    poor = kit.node("poor", {"cpu_cores": 0.0}, cheap, unit_usd={"cpu_cores": 0.06})
    assert solve(kit.problem({"cpu_cores": 6.0}, rich, poor), BUDGET, 1).objective_usd == pytest.approx(0.0)
    longer = solve(kit.problem({"cpu_cores": 6.0}, rich, poor, horizon_h=20.0), BUDGET, 1)
    assert longer.objective_usd == pytest.approx(4 * (0.2 - 0.12))


@both
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"floor": {"cpu_cores": 5.0}}, ("cpu_cores", "a 5 (floor)", "b 5 (floor)", "8 may be given out")),
        ({"floor": {"cpu_cores": 5.0}, "cap": {"cpu_cores": 4.0}}, ("a: its floor of 5", "its cap of 4")),
        ({"locked": True, "floor": {"cpu_cores": 3.0}}, ("a is locked at 2", "below its floor of 3")),
        ({"locked": True, "present": {"cpu_cores": 9.0}}, ("a 9 (locked)", "8 may be given out")),
        ({"unit_usd": {"cpu_cores": math.nan}}, ("a has a cost per unit of nan",)),
    ],
)
def test_an_infeasible_problem_is_told_in_words(kit, solve, change, words):
    fields = {"floor": {}, **change}
    present = fields.pop("present", {"cpu_cores": 2.0})
    problem = kit.problem({"cpu_cores": 8.0}, kit.node("a", present, **fields), kit.node("b", present, **fields))
    answer = solve(problem, BUDGET, 1)
    assert answer.status == "infeasible"
    assert answer.objective_usd is None
    for word in words:
        assert word in answer.reason
    assert keep.solve(problem, BUDGET, 1).status == "infeasible"


def test_too_few_changes_are_told_in_words(kit):
    starving = [kit.node(name, {"cpu_cores": 0.0}, floor={"cpu_cores": 2.0}) for name in "abc"]
    problem = kit.problem({"cpu_cores": 8.0}, *starving, max_changes=2)
    for solve in SOLVERS.values():
        answer = solve(problem, BUDGET, 1)
        assert answer.status == "infeasible"
        assert "a, b, c must change" in answer.reason
        assert "only 2 may" in answer.reason


@both
@pytest.mark.parametrize("capacity", [0.0, 8.0])
def test_no_node_one_node_and_nothing_to_give(kit, solve, capacity):
    empty = solve(kit.problem({"cpu_cores": capacity}), BUDGET, 1)
    assert (empty.status, empty.shares, empty.objective_usd) == ("optimal", (), 0.0)
    alone = kit.node("alone", {"cpu_cores": 0.0}, kit.earning(1.0, 4.0, cpu_cores=1.0))
    answer = solve(kit.problem({"cpu_cores": capacity}, alone), BUDGET, 1)
    assert given_to(answer, "alone").cpu_cores == pytest.approx(min(capacity, 4.0))


@both
def test_unknown_amounts_are_left_alone(kit, solve):
    bundle = kit.earning(1.0, 4.0, cpu_cores=1.0, memory_gb=2.0)
    half = kit.node("half", {"cpu_cores": 1.0}, bundle)
    other = kit.node("other", {"cpu_cores": 3.0, "memory_gb": 3.0, "storage_gb": 9.0})
    problem = kit.problem({"cpu_cores": 4.0, "memory_gb": 3.0}, half, other)
    answer = solve(problem, BUDGET, 1)
    assert check.check(problem, answer) == ()
    assert given_to(answer, "half") == Resources(cpu_cores=4.0)
    assert given_to(answer, "other").storage_gb == 9.0  # its capacity is unknown
    nobody = kit.problem({}, half, other)
    assert given_to(solve(nobody, BUDGET, 1), "other") == other.present


@both
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e7])
@pytest.mark.parametrize("money", [1e-6, 1.0, 1e4])
def test_units_do_not_matter(kit, solve, scale, money):
    takes = {"storage_gb": scale}
    a = kit.node("a", {"storage_gb": 5 * scale}, kit.earning(0.1 * money, 3.0, **takes))
    b = kit.node(
        "b",
        {"storage_gb": 3 * scale},
        kit.earning(0.5 * money, 4.0, **takes),
        kit.earning(0.05 * money, 4.0, **takes),
    )
    problem = kit.problem({"storage_gb": 8 * scale}, a, b)
    answer = solve(problem, BUDGET, 1)
    assert check.check(problem, answer) == ()
    assert answer.status == "optimal"
    assert answer.objective_usd == pytest.approx(10 * money * (0.3 + 2.0 + 0.05), rel=1e-6)


@both
def test_a_dual_price_is_what_one_more_unit_adds(kit, solve):
    def nodes():
        first = kit.earning(0.4, 3.0, cpu_cores=1.0)
        second = kit.earning(0.15, 6.0, cpu_cores=2.0)
        yield kit.node("a", {"cpu_cores": 2.0}, first, second)
        yield kit.node("b", {"cpu_cores": 2.0}, kit.earning(0.1, 9.0, cpu_cores=1.0))

    answers = [solve(kit.problem({"cpu_cores": 8.0 + more}, *nodes()), BUDGET, 1) for more in (0.0, 0.01)]
    slope = (answers[1].objective_usd - answers[0].objective_usd) / 0.01 / 10.0
    assert slope == pytest.approx(0.1)
    assert answers[0].dual_prices.cpu_cores == pytest.approx(slope, rel=1e-5)
    plenty = solve(kit.problem({"cpu_cores": 80.0}, *nodes()), BUDGET, 1)
    assert plenty.dual_prices.cpu_cores == 0.0


def test_a_mixed_integer_problem_has_dual_prices_too(kit):
    a = kit.node("a", {"cpu_cores": 2.0}, kit.earning(0.4, 9.0, cpu_cores=1.0), change_usd=0.5)
    b = kit.node("b", {"cpu_cores": 6.0}, kit.earning(0.1, 9.0, cpu_cores=1.0), change_usd=0.5)
    answer = linear.solve(kit.problem({"cpu_cores": 8.0}, a, b), BUDGET, 1)
    assert given_to(answer, "a").cpu_cores == pytest.approx(8.0)
    assert answer.dual_prices.cpu_cores == pytest.approx(0.4, rel=1e-6)


def test_a_cost_per_change_and_a_limit_of_changes_are_obeyed(kit):
    def split(worth, cost, most=None):
        keen = [
            kit.node(name, {"cpu_cores": 1.0}, kit.earning(worth, 2.0, cpu_cores=1.0), change_usd=cost)
            for name in "ab"
        ]
        answer = linear.solve(kit.problem({"cpu_cores": 4.0}, *keen, max_changes=most), BUDGET, 1)
        return [given_to(answer, name).cpu_cores for name in "ab"]

    assert split(0.1, 0.9) == pytest.approx([2.0, 2.0])
    assert split(0.1, 1.1) == pytest.approx([1.0, 1.0])
    assert sorted(split(0.1, 0.9, most=1)) == pytest.approx([1.0, 2.0])
    assert split(0.1, 0.9, most=0) == pytest.approx([1.0, 1.0])


def test_a_minimum_or_nothing_node_stops_when_others_earn_more(kit):
    def stopped(base):
        maybe = kit.node(
            "maybe", {"cpu_cores": 3.0}, floor={"cpu_cores": 3.0}, base_usd_per_hour=base, may_stop=True
        )
        keen = kit.node("keen", {"cpu_cores": 1.0}, kit.earning(0.2, 9.0, cpu_cores=1.0))
        answer = linear.solve(kit.problem({"cpu_cores": 4.0}, maybe, keen), BUDGET, 1)
        return given_to(answer, "maybe").cpu_cores

    assert stopped(0.5) == 0.0
    assert stopped(0.7) == 3.0


def test_whole_steps_and_a_present_amount_between_them(kit):
    keen = kit.node("keen", {"cpu_cores": 1.5}, kit.earning(0.3, 9.0, cpu_cores=1.0), step={"cpu_cores": 2.0})
    assert given_to(linear.solve(kit.problem({"cpu_cores": 5.0}, keen), BUDGET, 1), "keen").cpu_cores == 4.0
    dear = replace(keen, change_usd=100.0)
    assert given_to(linear.solve(kit.problem({"cpu_cores": 5.0}, dear), BUDGET, 1), "keen").cpu_cores == 1.5


def test_greedy_says_how_far_from_the_best_it_may_be_where_it_is_not_exact(kit):
    bundle = kit.earning(1.0, 4.0, cpu_cores=1.0, memory_gb=4.0)
    a = kit.node("a", {"cpu_cores": 4.0, "memory_gb": 0.0}, bundle)
    b = kit.node("b", {"cpu_cores": 0.0, "memory_gb": 8.0}, kit.earning(0.6, 4.0, cpu_cores=1.0))
    problem = kit.problem({"cpu_cores": 4.0, "memory_gb": 8.0}, a, b)
    quick, best = greedy.solve(problem, BUDGET, 1), linear.solve(problem, BUDGET, 1)
    assert best.objective_usd == pytest.approx(10 * (2 * 1.0 + 2 * 0.6))
    assert quick.objective_usd <= best.objective_usd + 1e-9 <= quick.bound_usd + 2e-9
    assert quick.status == "optimal" or quick.gap_pct > 0.0


def test_proportions_that_differ_are_solved_exactly(kit):
    x = kit.earning(3.0, 9.0, cpu_cores=1.0, memory_gb=2.0)
    y = kit.earning(2.0, 9.0, cpu_cores=1.0, memory_gb=1.0)
    mixed = kit.node("mixed", {"cpu_cores": 4.0, "memory_gb": 6.0}, x, y, base_usd_per_hour=1.0)
    assert evaluate(mixed, mixed.present).mean == pytest.approx(1.0 + 2 * 3.0 + 2 * 2.0)
    problem = kit.problem({"cpu_cores": 4.0, "memory_gb": 6.0}, mixed)
    assert check.objective(problem, {"mixed": mixed.present}) == pytest.approx(110.0)


def test_solvers_are_found_by_name():
    assert {"greedy", "keep", "linear"} <= set(solver_names())
    assert solvers_for("linear") == {"linear": linear.solve, "greedy": greedy.solve, "keep": keep.solve}


def test_keep_answers_even_where_the_present_split_breaks_a_rule(kit):
    low = kit.node("low", {"cpu_cores": 1.0}, floor={"cpu_cores": 2.0})
    answer = keep.solve(kit.problem({"cpu_cores": 4.0}, low), BUDGET, 1)
    assert answer.shares == (Share(node="low", allocation=low.present),)
    assert (answer.status, answer.reason) == ("infeasible", "low has 1 cpu_cores, below its floor of 2")
