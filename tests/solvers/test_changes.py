"""Few costs per change and few steps are branched over: the same answers as of the mixed-integer solve."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from orch.model.problems import Activity, Budget, Problem, ProblemNode
from orch.model.resources import Resources, resources
from orch.solvers import changes, check, linear
from orch.solvers.highs import Session
from orch.solvers.linear_model import build

NAMES = ("cpu_cores", "memory_gb")


def activity(draw):
    takes = (
        {draw.choice(NAMES): 1.0}
        if draw.random() < 0.5
        else {"cpu_cores": 1.0, "memory_gb": draw.choice([0.5, 2])}
    )
    worth = draw.uniform(0, 1)
    return Activity(takes=resources(takes), width=draw.uniform(0.5, 5), usd_per_hour=worth, low=worth, high=worth)


def node(draw, number):
    present = {name: round(draw.uniform(0, 8), draw.choice([0, 2])) for name in NAMES}
    return ProblemNode(
        name=f"n{number}",
        present=resources(present),
        floor=resources({name: min(amount, float(draw.randint(0, 3))) for name, amount in present.items()}),
        cap=Resources(),
        activities=tuple(activity(draw) for _ in range(draw.randint(0, 3))),
        base_usd_per_hour=draw.uniform(0, 1),
        step=resources({name: 1.0 if draw.random() < 0.4 else None for name in NAMES}),
        locked=draw.random() < 0.15,
        may_stop=draw.random() < 0.3,
        change_usd=draw.choice([0.1, 1.0, 3.0]),
        unit_usd=resources({name: draw.choice([0, 0.01, 0.2]) for name in NAMES}),
        need=resources(dict.fromkeys(NAMES, 0.0)),
    )


def problem(seed):
    draw = random.Random(seed)
    nodes = tuple(node(draw, number) for number in range(draw.randint(1, 5)))
    capacity = {name: sum(each.present.or_zero(name) for each in nodes) + draw.randint(0, 4) for name in NAMES}
    return Problem(host="h", capacity=resources(capacity), nodes=nodes, horizon_h=draw.choice([1.0, 24.0]))


@pytest.mark.parametrize("seed", range(40))
def test_branching_and_the_mixed_integer_solve_agree(seed, monkeypatch):
    posed, budget = problem(seed), Budget(seconds=10)
    branched = linear.solve(posed, budget, 0)
    monkeypatch.setattr(linear, "branches", lambda _: False)
    mixed = linear.solve(posed, budget, 0)
    assert (branched.status, mixed.status) == ("optimal", "optimal")
    assert branched.objective_usd == pytest.approx(mixed.objective_usd, abs=1e-6)
    assert branched.bound_usd == pytest.approx(mixed.bound_usd, abs=1e-5)
    assert check.check(posed, branched) == ()


def branched_problem():
    return next(posed for posed in map(problem, range(100)) if changes.branches(build(posed)))


@pytest.mark.parametrize("seed", range(40))
def test_a_program_that_ended_where_it_should_would_end_there_again(seed, monkeypatch):
    posed, budget = problem(seed), Budget(seconds=10)
    once = linear.solve(posed, budget, 0)

    def forgetful(self, bounds, run=Session.run):
        found = run(self, bounds)
        self.last = None
        return found

    monkeypatch.setattr(Session, "run", forgetful)
    assert replace(linear.solve(posed, budget, 0), seconds=once.seconds) == once


def test_what_needs_too_many_programs_is_left_to_the_mixed_integer_solve(monkeypatch):
    posed = branched_problem()
    assert changes.solve_changes(build(posed), seconds=10, seed=0) is not None
    monkeypatch.setattr(changes, "MOST_PROGRAMS", 0)
    assert changes.solve_changes(build(posed), seconds=10, seed=0) is None
    assert linear.solve(posed, Budget(seconds=10), 0).status == "optimal"


def test_out_of_time_it_gives_the_best_so_far_with_an_honest_bound(monkeypatch):
    passed = iter(range(10_000))
    monkeypatch.setattr(changes, "time", SimpleNamespace(perf_counter=lambda: float(next(passed))))
    layouts = {seed: build(problem(seed)) for seed in range(40)}
    hurried = {
        seed: changes.solve_changes(layout, seconds=0.5, seed=0)
        for seed, layout in layouts.items()
        if changes.branches(layout)
    }
    stopped = {seed: found for seed, found in hurried.items() if found is not None and found.status == "feasible"}
    monkeypatch.undo()
    assert stopped
    for seed, found in stopped.items():
        best = linear.solve(problem(seed), Budget(seconds=10), 0).objective_usd
        layout = layouts[seed]
        worth = found.gain * layout.money + layout.constant_usd
        assert worth <= best + 1e-6 <= layout.bound_usd(found) + 2e-6
