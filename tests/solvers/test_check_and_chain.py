from __future__ import annotations

import pytest
from msgspec.structs import replace

from orch.errors import OrchError
from orch.model.problems import Budget, Share
from orch.model.resources import Resources
from orch.solvers import check, greedy, keep, linear
from orch.solvers.chain import solve_chain

BUDGET = Budget(seconds=5.0)


@pytest.fixture
def problem(kit):
    a = kit.node("a", {"cpu_cores": 6.0}, kit.earning(0.1, 3.0, cpu_cores=1.0), floor={"cpu_cores": 1.0})
    b = kit.node("b", {"cpu_cores": 2.0}, kit.earning(0.5, 4.0, cpu_cores=1.0), cap={"cpu_cores": 6.0})
    c = kit.node("c", {"cpu_cores": 1.0}, locked=True)
    return kit.problem({"cpu_cores": 9.0}, a, b, c, max_changes=2)


@pytest.fixture
def answer(problem):
    return linear.solve(problem, BUDGET, 1)


def shares(**amounts):
    return tuple(Share(node=name, allocation=Resources(cpu_cores=each)) for name, each in amounts.items())


def test_a_true_answer_passes(problem, answer):
    assert check.check(problem, answer) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"objective_usd": 99.0, "bound_usd": 99.0}, "claims 99 USD"),
        ({"objective_usd": None}, "claims no objective"),
        ({"bound_usd": 1.0}, "bound of 1 USD is below"),
        ({"bound_usd": 40.0}, "optimal without a bound"),
        ({"bound_usd": None}, "optimal without a bound"),
        ({"shares": shares(a=4.0, b=6.0, c=1.0)}, "11 is given out, and only 9"),
        ({"shares": shares(a=0.5, b=4.0, c=1.0)}, "less than its floor"),
        ({"shares": shares(a=1.0, b=7.0, c=1.0)}, "above its cap of 6"),
        ({"shares": shares(a=4.0, b=3.0, c=2.0)}, "although it is locked"),
        ({"shares": shares(a=4.0, b=4.0)}, "not about each node once"),
        ({"shares": shares(a=float("nan"), b=4.0, c=1.0)}, "no amount of cpu_cores"),
        ({"shares": shares(a=-1.0, b=4.0, c=1.0)}, "given -1 cpu_cores"),
        ({"status": "infeasible", "shares": ()}, "the present split satisfies everything"),
        ({"status": "infeasible"}, "calls itself infeasible"),
    ],
)
def test_a_lying_answer_is_caught(problem, answer, changes, words):
    wrong = check.check(problem, replace(answer, **changes))
    assert any(words in sentence for sentence in wrong), wrong


def test_calling_a_worse_split_than_the_present_one_optimal_is_caught(problem):
    worse = shares(a=1.0, b=0.0, c=1.0)
    worth = check.objective(problem, {share.node: share.allocation for share in worse})
    lie = replace(linear.solve(problem, BUDGET, 1), shares=worse, objective_usd=worth, bound_usd=worth)
    assert any("keeping all is worth" in sentence for sentence in check.check(problem, lie))


def test_too_many_changes_steps_and_half_stopped_nodes_are_caught(kit):
    a = kit.node("a", {"cpu_cores": 2.0}, step={"cpu_cores": 1.0})
    b = kit.node("b", {"cpu_cores": 2.0}, floor={"cpu_cores": 2.0}, may_stop=True)
    problem = kit.problem({"cpu_cores": 4.0}, a, b, max_changes=1)

    def wrong(**amounts):
        return check.violations(problem, {share.node: share.allocation for share in shares(**amounts)})

    assert wrong(a=1.0, b=2.0) == ()
    assert wrong(a=2.0, b=0.0) == ()
    assert "not a whole number of steps" in wrong(a=1.5, b=2.0)[0]
    assert "too little to run and more than nothing" in wrong(a=2.0, b=1.0)[0]
    assert "2 nodes change, and only 1 may" in wrong(a=1.0, b=0.0)[0]


def liar(problem, budget, seed):
    return replace(linear.solve(problem, budget, seed), solver="liar", objective_usd=1e6, bound_usd=1e6)


def raiser(problem, budget, seed):
    raise OrchError("out of ideas")


def sleeper(problem, budget, seed):
    return replace(linear.solve(problem, budget, seed), status="out_of_time", shares=(), reason="no split in time")


def despairer(problem, budget, seed):
    return replace(linear.solve(problem, budget, seed), status="infeasible", shares=(), reason="too hard")


@pytest.mark.parametrize(
    ("wanted", "chain", "words"),
    [
        (linear.solve, ("wanted",), ""),
        (liar, ("wanted", "greedy"), "wanted is wrong: it claims"),
        (raiser, ("wanted", "greedy"), "wanted failed with OrchError: out of ideas"),
        (sleeper, ("wanted", "greedy"), "wanted: out of time, no split in time"),
        (despairer, ("wanted", "greedy"), "wanted: infeasible, too hard"),
        (None, ("wanted", "greedy"), "wanted is not there"),
    ],
)
def test_the_chain_falls_through_and_says_why(problem, wanted, chain, words):
    solvers = {"greedy": greedy.solve, "keep": keep.solve} | ({"wanted": wanted} if wanted else {})
    answer, asked = solve_chain(problem, "wanted", BUDGET, 1, solvers)
    assert asked == chain
    assert words in answer.reason
    assert check.check(problem, answer) == ()
    assert answer.solver == ("linear" if chain == ("wanted",) else "greedy")


def test_the_last_word_is_the_present_split(problem):
    answer, asked = solve_chain(problem, "bad", BUDGET, 1, {"bad": liar, "greedy": raiser})
    assert asked == ("bad", "greedy", "keep")
    assert [share.allocation for share in answer.shares] == [node.present for node in problem.nodes]
    assert answer.status == "feasible"
    kept, asked = solve_chain(problem, "keep", BUDGET, 1, {"greedy": greedy.solve})
    assert asked == ("keep",)
    assert kept.shares == answer.shares


def test_an_infeasible_problem_ends_with_the_present_split_and_the_reason(kit):
    problem = kit.problem({"cpu_cores": 1.0}, kit.node("a", {"cpu_cores": 2.0}, locked=True))
    answer, asked = solve_chain(problem, "linear", BUDGET, 1, {"linear": linear.solve, "greedy": greedy.solve})
    assert asked == ("linear", "greedy", "keep")
    assert answer.status == "infeasible"
    assert "a 2 (locked) must be kept" in answer.reason
