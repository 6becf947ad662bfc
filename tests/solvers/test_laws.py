"""Income by power laws: exact by water-filling, in pieces elsewhere with what that may cost, and checked apart."""

from __future__ import annotations

import itertools
import random

import pytest

from orch.model.problems import Budget, PowerLaw
from orch.model.resources import Resources
from orch.planning.plan import income_change
from orch.solvers import annealing, check, conic, exact, genetic, greedy, keep, linear
from orch.solvers.levels import evaluate

BUDGET = Budget(seconds=5.0)
SOLVERS = (annealing, conic, exact, genetic, greedy, linear)


def cores(**amounts):
    return {name: Resources(cpu_cores=amount) for name, amount in amounts.items()}


def law(worth, power, resource="cpu_cores"):
    return PowerLaw(resource=resource, usd_per_hour=worth, power=power, low=0.8 * worth, high=1.3 * worth)


def drawn(kit, seed):
    """Nodes with a law each, or straight lines, on two resources, some of them dear to move."""
    draw = random.Random(seed)
    nodes = []
    for number in range(draw.randint(2, 4)):
        own = [law(draw.uniform(0.1, 2), draw.choice([0.3, 0.5, 0.8, 1.0]))] if draw.random() < 0.8 else []
        lines = [kit.earning(draw.uniform(0.1, 1), draw.uniform(1, 4), memory_gb=1.0)]
        if not own:
            lines.append(kit.earning(draw.uniform(0.1, 1), draw.uniform(1, 4), cpu_cores=1.0))
        nodes.append(
            kit.node(
                f"n{number}",
                {"cpu_cores": draw.uniform(0, 4), "memory_gb": draw.uniform(0, 4)},
                *lines,
                laws=tuple(own),
                need={"cpu_cores": 0.0, "memory_gb": 0.0},
                unit_usd={"cpu_cores": draw.choice([0.0, 0.3]), "memory_gb": 0.0},
                locked=draw.random() < 0.1,
            )
        )
    total = {name: sum(each.present.or_zero(name) for each in nodes) for name in ("cpu_cores", "memory_gb")}
    return kit.problem({name: amount + draw.choice([0.0, 3.0]) for name, amount in total.items()}, *nodes)


@pytest.mark.parametrize("seed", range(40))
def test_water_filling_is_exact_and_what_pieces_hide_is_in_the_bounds_of_others(kit, seed):
    problem = drawn(kit, seed)
    best = greedy.solve(problem, BUDGET, 1)
    assert (best.status, check.check(problem, best)) == ("optimal", ())
    for solver in (linear, exact, keep):
        other = solver.solve(problem, BUDGET, 1)
        assert check.check(problem, other) == ()
        assert other.objective_usd <= best.objective_usd + 1e-6 * abs(best.objective_usd)
        assert other.bound_usd is None or other.bound_usd >= best.objective_usd - 1e-6 * abs(best.objective_usd)
    near = linear.solve(problem, BUDGET, 1)
    assert near.objective_usd >= best.objective_usd - 0.02 * abs(best.objective_usd)


def test_the_exact_split_is_that_of_equal_worth_of_the_last_unit(kit):
    nodes = [
        kit.node(name, {"cpu_cores": 5.0}, laws=(law(worth, 0.5),), need={"cpu_cores": 1.0})
        for name, worth in (("a", 1.0), ("b", 2.0))
    ]
    answer = greedy.solve(kit.problem({"cpu_cores": 12.0}, *nodes), BUDGET, 1)
    # Square roots: amounts above the need are as the squares of what they are worth, 1 to 4.
    split = {share.node: share.allocation.cpu_cores for share in answer.shares}
    assert split == {"a": pytest.approx(3.0, rel=1e-9), "b": pytest.approx(9.0, rel=1e-9)}
    assert answer.dual_prices.cpu_cores == pytest.approx(0.5 / 2.0**0.5, rel=1e-9)
    assert answer.objective_usd == pytest.approx(10.0 * (2.0**0.5 + 2.0 * 8.0**0.5), rel=1e-12)


def test_brute_force_over_a_fine_grid_finds_nothing_better(kit):
    nodes = [
        kit.node(name, {"cpu_cores": 2.0}, laws=(law(worth, power),), unit_usd={"cpu_cores": 0.4})
        for name, worth, power in (("a", 1.0, 0.4), ("b", 0.7, 0.9), ("c", 1.3, 0.6))
    ]
    problem = kit.problem({"cpu_cores": 6.0}, *nodes)
    answer = greedy.solve(problem, BUDGET, 1)
    grid = [each / 10.0 for each in range(61)]
    best = max(
        check.objective(problem, cores(a=a, b=b, c=6.0 - a - b))
        for a, b in itertools.product(grid, grid)
        if a + b <= 6.0
    )
    assert best <= answer.objective_usd + 1e-9 <= best + 0.2


@pytest.mark.parametrize("solver", SOLVERS, ids=lambda each: each.__name__.rpartition(".")[2])
def test_steps_stops_and_costs_of_changes_go_with_laws_too(kit, solver):
    nodes = (
        kit.node("a", {"cpu_cores": 1.0}, laws=(law(1.0, 0.5),), step={"cpu_cores": 1.0}, change_usd=0.5),
        kit.node("b", {"cpu_cores": 3.0}, laws=(law(0.5, 0.7),), floor={"cpu_cores": 1.0}, may_stop=True),
    )
    problem = kit.problem({"cpu_cores": 4.0}, *nodes)
    answer = solver.solve(problem, BUDGET, 1)
    assert answer.status in {"optimal", "feasible"}
    assert check.check(problem, answer) == ()
    assert "pieces" in answer.reason
    best = max(
        check.objective(problem, cores(a=float(a), b=b / 50.0))
        for a in range(5)
        for b in range(201)
        if not check.violations(problem, cores(a=float(a), b=b / 50.0))
    )
    assert answer.bound_usd is None or answer.bound_usd >= best - 1e-9
    if solver is not greedy:  # which is told of costs of changes by their prices only
        assert answer.objective_usd >= 0.99 * best


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"laws": (law(1.0, 1.5),)}, "a law with a power of 1.5"),
        ({"laws": (law(-1.0, 0.5),)}, "a law of -1.0 USD/h"),
        ({"laws": (law(1.0, 0.5), law(2.0, 0.5))}, "both earn with cpu_cores"),
    ],
)
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda each: each.__name__.rpartition(".")[2])
def test_laws_that_mean_nothing_are_told(kit, solver, fields, why):
    problem = kit.problem({"cpu_cores": 4.0}, kit.node("a", {"cpu_cores": 1.0}, **fields))
    answer = solver.solve(problem, BUDGET, 1)
    assert answer.status == "infeasible"
    assert why in answer.reason


def test_a_law_s_doubt_goes_with_what_it_grows(kit):
    node = kit.node("a", {"cpu_cores": 4.0}, laws=(law(1.0, 0.5), law(3.0, 0.5, "memory_gb")))
    more = cores(a=9.0)["a"]
    assert evaluate(node, more) == pytest.approx((3.0, 2.4, 3.9))
    assert income_change(node, more) == pytest.approx((0.8, 1.0, 1.3))
