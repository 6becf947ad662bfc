"""The compiled solvers beside the NumPy ones: the same menu, the same optimum, answers the checker believes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.problems import instance
from orch.model.problems import Budget, Group, Pair, PowerLaw
from orch.model.resources import Resources
from orch.solvers import annealing, check, exact, fast, genetic
from orch.solvers.flat import flat
from orch.solvers.menu import Menu, NoMenuError

BUDGET = Budget(seconds=5.0)
MANY = settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
without_numba = pytest.mark.skipif(not fast.installed(), reason="numba is not installed (extra fast)")


@pytest.fixture(scope="module")
def compiled():
    fast.warm(compiling=True)
    return fast.module()


def test_a_problem_is_flattened_by_node_and_resource(kit):
    work = kit.earning(2.0, 3.0, cpu_cores=1.5)
    one = kit.node("one", {"cpu_cores": 2.0}, work, floor={"cpu_cores": 1.0}, may_stop=True, change_usd=0.5)
    made = flat(kit.problem({"cpu_cores": 4.0}, one, kit.node("other", {"memory_gb": 3.0}), max_changes=1))
    assert made.amounts[0, :2, 0].tolist() == [2.0, 1.0]
    assert np.isnan(made.amounts[0, 0, 1:]).all()
    assert made.amounts[1, 0, 1] == 3.0
    assert made.facts[0].tolist() == [0.0, 0.5, 1.0, 0.0]
    assert made.activities[0, [0, 4, 5]].tolist() == [1.5, 3.0, 2.0]
    assert made.ends.tolist() == [0, 1, 1]
    assert made.limits.tolist() == [10.0, 1.0]


@pytest.mark.parametrize(
    "change",
    [
        {"horizon_h": 0.0},
        {"horizon_h": float("nan")},
        {"capacity": Resources(cpu_cores=-1.0)},
        {"capacity": Resources(cpu_cores=float("nan"))},
        {"max_variance": 1.0},
        {"objective": "somebody"},
        {"nodes": ()},
        {"pairs": (Pair(first="a", second="nobody", usd_per_hour=1.0),)},
        {"pairs": (Pair(first="a", second="a", usd_per_hour=1.0),)},
        {"groups": (Group(name="g", nodes=("nobody",), most=1),)},
    ],
)
def test_what_is_not_plain_is_left_to_the_ordinary_way(kit, change):
    plain = kit.problem({"cpu_cores": 4.0}, kit.node("a", {"cpu_cores": 1.0}))
    assert flat(plain) is not None
    assert flat(replace(plain, **change)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"present": Resources(cpu_cores=float("nan"))},
        {"floor": Resources(cpu_cores=float("inf"))},
        {"cap": Resources(cpu_cores=-1.0)},
        {"change_usd": -1.0},
        {"base_usd_per_hour": float("inf")},
        {"laws": (PowerLaw(resource="cpu_cores", usd_per_hour=1.0, power=0.5, low=1.0, high=1.0),)},
    ],
)
def test_nodes_that_are_not_plain_are_left_to_the_ordinary_way(kit, change):
    node = kit.node("a", {"cpu_cores": 1.0}, kit.earning(1.0, 1.0, cpu_cores=1.0))
    plain = kit.problem({"cpu_cores": 4.0}, node)
    assert flat(plain) is not None
    assert flat(replace(plain, nodes=(replace(node, **change),))) is None


@pytest.mark.slow
@pytest.mark.timeout(900)
@without_numba
@MANY
@given(data=st.data())
def test_both_forms_list_the_same_menu_and_prove_the_same_optimum(kit, compiled, data):
    bundles, discrete = data.draw(st.booleans()), data.draw(st.booleans())
    hold_both_forms_together(compiled, data.draw(kit.problems(bundles=bundles, discrete=discrete)))


@pytest.mark.slow
@pytest.mark.timeout(900)
@without_numba
@pytest.mark.parametrize("family", ["linear", "concave", "bundle", "nonconvex", "seed4"])
def test_both_forms_agree_on_all_families(compiled, family):
    for size in (1, 4, 10):
        for seed in range(5):
            hold_both_forms_together(compiled, instance(family, size, seed))


def hold_both_forms_together(compiled, problem):
    made = flat(problem)
    if made is None:
        assert exact.solve(problem, BUDGET, 1).status == "infeasible"
        return
    good, listed = compiled.listed(made)
    try:
        menu = Menu(problem)
    except NoMenuError:
        assert not good
        return
    if not good:  # a locked node of mixed proportions is left to the ordinary way
        assert fast.proven(problem, BUDGET.seconds, 1) is None
        return
    count, stretches, holds = listed.counts
    assert np.diff(listed.first).tolist() == [len(each) for each in menu.of_node]
    for own, other in (
        (listed.uses[:count], menu.uses),
        (listed.constant[:count], menu.constant),
        (listed.gain[:stretches], menu.gain),
        (listed.hold_amount[:holds], menu.hold_amount),
        (listed.hold_unit[:holds], menu.hold_unit),
        (listed.limit, menu.limit),
    ):
        assert own == pytest.approx(other, rel=1e-12, abs=1e-12)
    quick = fast.proven(problem, BUDGET.seconds, 1)
    with fast.numpy_alone():
        usual = exact.solve(problem, BUDGET, 1)
    if quick is None:
        assert usual.status == "infeasible"
        return
    assert check.check(problem, quick) == ()
    assert (quick.status, usual.status) == ("optimal", "optimal")
    assert quick.objective_usd == pytest.approx(usual.objective_usd, rel=1e-6, abs=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(900)
@without_numba
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("solve", [genetic.solve, annealing.solve], ids=["genetic", "annealing"])
def test_searches_with_the_compiled_inner_solve_are_honest_and_repeat_themselves(solve):
    problem = instance("nonconvex", 10, 3)
    answer = solve(problem, BUDGET, 7)
    assert check.check(problem, answer) == ()
    assert replace(answer, seconds=0.0) == replace(solve(problem, BUDGET, 7), seconds=0.0)
    best = fast.proven(problem, BUDGET.seconds, 1)
    assert answer.objective_usd == pytest.approx(best.objective_usd, rel=1e-3)
