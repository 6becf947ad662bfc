"""Solvers and objectives that misbehave, for the process that runs them: named as `tests.fakes.solvers:name`."""

from __future__ import annotations

import os

import numpy as np
from msgspec.structs import replace

from orch.solvers import greedy


def obeys(problem, budget, seed):
    return replace(greedy.solve(problem, budget, seed), solver="obeys")


def lies(problem, budget, seed):
    return replace(greedy.solve(problem, budget, seed), solver="lies", objective_usd=1e9, bound_usd=1e9)


def never_returns(problem, budget, seed):
    print("still thinking", flush=True)  # noqa: T201 - what a plug-in prints must not harm
    while True:
        pass


def raises(problem, budget, seed):
    raise ZeroDivisionError("no idea")


def dies(problem, budget, seed):
    os._exit(3)


def says_nothing(problem, budget, seed):
    return None


def likes_balance(problem, splits):
    """Most where the first two nodes have the same number of cores: not concave in anything orch knows."""
    return 5.0 - np.abs(splits[:, 0, 0] - splits[:, 1, 0])


def makes_no_sense(problem, splits):
    return np.full(len(splits), np.nan)


def breaks(problem, splits):
    raise RuntimeError("the model is gone")
