"""One HiGHS for each thread: used again and again, and every time as if it were new."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.problems import instance
from orch.errors import OrchError
from orch.model.problems import Budget
from orch.solvers import linear
from orch.solvers.highs import Model


def model(seed):
    """A small one; every fifth has no solution, and in every second something is whole."""
    draw, made = random.Random(seed), Model()
    for _ in range(draw.randint(2, 8)):
        made.column(
            0.0, draw.uniform(1, 3), gain=draw.uniform(-1, 2), integer=seed % 2 == 0 and draw.random() < 0.5
        )
    columns = range(len(made.lower))
    for _ in range(draw.randint(1, 4)):
        made.row(-math.inf, draw.uniform(0.5, 4), [(each, draw.uniform(0.1, 1)) for each in columns])
    if seed % 5 == 0:
        made.row(100.0, math.inf, [(0, 1.0)])
    return made


def solved(seed):
    """By all ways in turn: as it is, with something fixed, and within two lots of bounds."""
    made, found = model(seed), []
    found.append(made.run(seconds=10.0, seed=seed))
    found.append(made.run(seconds=10.0, seed=seed, fixed=dict.fromkeys(made.integer or [0], 1.0)))
    with made.session(seconds=10.0, seed=seed) as session:
        found += [session.run({0: (0.5, 0.5)}), session.run({})]
    return repr(found)


def alone(solve, *args):
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(solve, *args).result()


def test_a_used_one_solves_like_a_new_one():
    seeds = range(60)
    assert [solved(seed) for seed in seeds] == [alone(solved, seed) for seed in seeds]


def test_threads_do_not_get_into_each_other_s_way():
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(solved, range(120))) == [solved(seed) for seed in range(120)]


def test_one_that_refused_a_model_or_was_left_in_the_middle_is_not_used_again():
    nonsense = Model()
    nonsense.column(2.0, 1.0)
    nonsense.row(-math.inf, 1.0, [(7, 1.0)])
    with pytest.raises(OrchError, match="refused"):
        nonsense.run(seconds=1.0, seed=0)
    with pytest.raises(ZeroDivisionError), model(1).session(seconds=1.0, seed=0) as session:
        session.run({0: (1 / 0, 0.0)})
    assert solved(3) == alone(solved, 3)


def test_one_session_within_another():
    one, other = model(1), model(3)
    with one.session(seconds=10.0, seed=0) as outer, other.session(seconds=10.0, seed=0) as inner:
        found = [outer.run({}), inner.run({}), other.run(seconds=10.0, seed=0), outer.run({}), inner.run({})]
    assert found[0] == found[3]
    assert found[1] == found[2] == found[4]


def test_time_already_spent_on_others_is_not_granted_again():
    big = instance("nonconvex", 50, 1)
    assert linear.solve(big, Budget(seconds=30.0), 1).status == "optimal"
    ended = {linear.solve(big, Budget(seconds=0.02), 1).status for _ in range(3)}
    assert ended <= {"feasible", "out_of_time"}


def test_nothing_is_printed():
    code = "from tests.solvers.test_highs import solved; print([len(solved(seed)) > 0 for seed in (1, 2)])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout, ended.stderr) == ("[True, True]\n", "")
