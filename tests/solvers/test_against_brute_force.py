from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orch.model.problems import Budget
from orch.solvers import annealing, check, exact, genetic, greedy, keep, linear

BUDGET = Budget(seconds=5.0)
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


QUICKER = settings(QUICK, max_examples=80)


def near(value: float) -> object:
    return pytest.approx(value, abs=1e-5, rel=1e-6)


@QUICK
@given(data=st.data())
def test_greedy_and_linear_find_the_best_continuous_split(kit, data):
    problem = data.draw(kit.problems(bundles=False, discrete=False))
    best = kit.brute(problem)
    for solver in (greedy, linear, exact):
        answer = solver.solve(problem, BUDGET, 1)
        assert check.check(problem, answer) == ()
        if best is None:
            assert answer.status == "infeasible"
            assert answer.reason
        else:
            assert answer.status == "optimal"
            assert answer.objective_usd == near(best)
            assert answer.bound_usd >= answer.objective_usd


@QUICK
@given(data=st.data())
def test_the_best_discrete_split_is_found_and_proven_and_others_lie_below_their_bounds(kit, data):
    hold_discrete_answers_against_all_splits(kit, data.draw(kit.problems(bundles=True, discrete=True)))


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(QUICK, max_examples=10_000)
@given(data=st.data())
def test_ten_thousand_discrete_problems(kit, data):
    hold_discrete_answers_against_all_splits(kit, data.draw(kit.problems(bundles=True, discrete=True)))


def hold_discrete_answers_against_all_splits(kit, problem):
    best = kit.brute(problem)
    proven, quick = linear.solve(problem, BUDGET, 1), greedy.solve(problem, BUDGET, 1)
    listed = exact.solve(problem, BUDGET, 1)
    searched = [annealing.solve(problem, BUDGET, 1), genetic.solve(problem, BUDGET, 1)]
    for answer in (proven, quick, listed, *searched):
        assert check.check(problem, answer) == ()
    assert listed.status == proven.status
    if best is None:
        assert proven.status == "infeasible"
        assert quick.status in ("infeasible", "out_of_time")
        return
    assert proven.status == "optimal"
    # Amounts need not be whole where a resource has no steps, or where what a node has is between two steps.
    assert proven.objective_usd >= best - 1e-5
    assert listed.objective_usd == near(proven.objective_usd)
    exact_usd = proven.objective_usd
    kept_usd = keep.solve(problem, BUDGET, 1).objective_usd
    for answer in searched:
        assert answer.objective_usd <= exact_usd + 1e-5 <= answer.bound_usd + 2e-5
        assert kept_usd is None or answer.objective_usd >= kept_usd - 1e-5
    assert quick.status != "infeasible"
    if quick.status != "out_of_time":
        assert quick.objective_usd <= exact_usd + 1e-5
        assert quick.bound_usd >= exact_usd - 1e-5
        kept = keep.solve(problem, BUDGET, 1)
        if kept.status == "feasible":
            assert quick.objective_usd >= kept.objective_usd - 1e-9


@QUICKER
@given(data=st.data())
def test_bundles_are_worth_the_same_by_either_arithmetic_and_greedy_is_bounded(kit, data):
    problem = data.draw(kit.problems(bundles=True, discrete=False))
    exact, quick = linear.solve(problem, BUDGET, 1), greedy.solve(problem, BUDGET, 1)
    assert (exact.status == "infeasible") == (quick.status == "infeasible")
    if exact.status == "infeasible":
        return
    split = {share.node: share.allocation for share in exact.shares}
    assert check.objective(problem, split) == near(exact.objective_usd)
    assert exact.objective_usd >= kit.brute(problem) - 1e-5
    assert quick.objective_usd <= exact.objective_usd + 1e-5 <= quick.bound_usd + 2e-5


@QUICKER
@given(data=st.data())
def test_no_answer_exceeds_the_capacity_and_every_solver_repeats_itself(kit, data):
    problem = data.draw(kit.problems(bundles=True, discrete=data.draw(st.booleans())))
    before = msgspec.json.encode(problem)
    for solver in (greedy, linear, keep):
        answers = [msgspec.structs.replace(solver.solve(problem, BUDGET, 7), seconds=0.0) for _ in range(2)]
        assert answers[0] == answers[1]
        if answers[0].status in ("optimal", "feasible"):
            for name, capacity in problem.capacity.known():
                given_out = sum(share.allocation.or_zero(name) for share in answers[0].shares)
                assert given_out <= capacity * (1.0 + 1e-12) + 1e-12
    assert msgspec.json.encode(problem) == before
