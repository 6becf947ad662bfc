"""Other solvers are valued by the problem's own words, and only get what they ask for."""

from __future__ import annotations

import time
from importlib.util import find_spec

import numpy as np
import pytest

from bench.genome import Genome, TimeUpError
from bench.problems import instance
from bench.solver_peers import NEEDS, SEARCHES, close, peers
from orch.model.problems import Budget
from orch.solvers import check


@pytest.mark.parametrize("family", ["linear", "concave", "bundle", "nonconvex", "seed4"])
def test_genes_are_worth_what_the_checker_says_of_their_split(family):
    problem = instance(family, 5, 1)
    genome = Genome(problem, deadline=time.perf_counter() + 60.0)
    genes = genome.start(40, seed=3)
    worth = genome.value(genes)
    possible = 0
    for row, usd in zip(genes, worth, strict=True):
        split = genome.split(row)
        if usd > -1e11:
            possible += 1
            assert check.violations(problem, split) == ()
            assert usd == pytest.approx(check.objective(problem, split), rel=1e-6, abs=1e-9)
    assert worth[0] == pytest.approx(
        check.objective(problem, {n.name: n.present for n in problem.nodes}), rel=1e-9
    )
    assert possible >= 2
    assert genome.best_usd == worth.max()


def test_a_search_ends_when_its_time_is_up():
    genome = Genome(instance("linear", 3, 0), deadline=time.perf_counter() - 1.0)
    with pytest.raises(TimeUpError):
        genome.value(np.zeros((1, genome.length)))


def test_what_is_not_installed_is_named():
    there, missing = peers()
    assert sorted([*there, *missing]) == sorted(NEEDS)
    assert all((find_spec(NEEDS[name]) is None) == (name in missing) for name in NEEDS)


@pytest.mark.real
@pytest.mark.parametrize("name", NEEDS)
def test_a_genuine_peer_gives_a_split_that_the_checker_believes(name):
    there, _ = peers()
    if name not in there:
        pytest.skip(f"{NEEDS[name]} is not installed (extra bench)")
    problem = instance("bundle", 4, 1)
    answer = there[name](problem, Budget(seconds=0.3), 1)
    close()
    assert check.check(problem, answer) == ()
    present = check.objective(problem, {node.name: node.present for node in problem.nodes})
    assert answer.objective_usd >= present - 1e-9
    if name not in SEARCHES:
        assert answer.objective_usd > present
