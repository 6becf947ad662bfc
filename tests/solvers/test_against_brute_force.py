from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orch.model.problems import Budget
from orch.solvers import check, exact, greedy, keep, linear

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
def test_linear_finds_the_best_discrete_split_and_greedy_a_true_one_below_its_bound(kit, data):
    problem = data.draw(kit.problems(bundles=True, discrete=True))
    best = kit.brute(problem)
    exact, quick = linear.solve(problem, BUDGET, 1), greedy.solve(problem, BUDGET, 1)
    for answer in (exact, quick):
        assert check.check(problem, answer) == ()
    if best is None:
        assert exact.status == "infeasible"
        assert quick.status in ("infeasible", "out_of_time")
        return
    assert exact.status == "optimal"
    # Amounts need not be whole where a resource has no steps, or where what a node has is between two steps.
    assert exact.objective_usd >= best - 1e-5
    assert quick.status != "infeasible"
    if quick.status != "out_of_time":
        assert quick.objective_usd <= exact.objective_usd + 1e-5
        assert quick.bound_usd >= exact.objective_usd - 1e-5
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
