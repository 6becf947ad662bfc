"""Solvers in a process of their own: answers come as messages, budgets are enforced, nothing leaks."""

from __future__ import annotations

import queue
import time
from pathlib import Path

import pytest

from bench.problems import instance
from orch.messages import SolverAnswered
from orch.model.problems import Budget, SolverJob
from orch.model.resources import same
from orch.solvers import check
from orch.solvers.chain import solve_chain
from orch.solvers.registry import solvers_for
from orch.system.solver_process import InlineSolverPool, ProcessSolverPool

PROBLEM = instance("seed4", 4, 1)


class Mailbox:
    def __init__(self):
        self.told = queue.Queue()

    def tell(self, name, message):
        self.told.put((name, message))
        return True

    def answer(self, within=60.0):
        name, message = self.told.get(timeout=within)
        assert name == "asker"
        assert isinstance(message, SolverAnswered)
        return message


def job(solver, *, number=1, seconds=5.0, problem=PROBLEM):
    return SolverJob(id=f"job {number}", solver=solver, problem=problem, budget=Budget(seconds=seconds), seed=3)


@pytest.fixture(scope="module")
def house():
    mailbox = Mailbox()
    pool = ProcessSolverPool(mailbox)
    yield mailbox, pool
    pool.close()


def asked(house, solver, **more):
    mailbox, pool = house
    pool.solve(job(solver, **more), reply_to="asker")
    return mailbox.answer()


@pytest.mark.parametrize("solver", ["annealing", "genetic"])
def test_a_job_is_answered_as_it_would_be_here(house, solver):
    mailbox = Mailbox()
    InlineSolverPool(mailbox).solve(job(solver), reply_to="asker")
    here, there = mailbox.answer(), asked(house, solver)
    assert there.job == here.job == "job 1"
    assert check.check(PROBLEM, there.answer) == ()
    # To the last digits, which differ where one of them has compiled forms and the other not yet.
    for one, other in zip(there.answer.shares, here.answer.shares, strict=True):
        assert one.node == other.node
        assert same(one.allocation, other.allocation, 1e-12)
    assert there.answer.objective_usd == pytest.approx(here.answer.objective_usd, rel=1e-12)


def test_jobs_go_one_after_the_other_to_one_process(house):
    mailbox, pool = house
    pid = asked(house, "tests.fakes.solvers:obeys") and pool.pid
    for number in range(4):
        pool.solve(job("tests.fakes.solvers:obeys", number=number), reply_to="asker")
    assert [mailbox.answer().job for _ in range(4)] == [f"job {number}" for number in range(4)]
    assert pool.pid == pid


@pytest.mark.parametrize(
    ("solver", "words"),
    [
        ("tests.fakes.solvers:never_returns", "ended after its budget of 0.2 s"),
        ("tests.fakes.solvers:dies", "its process ended (exit 3)"),
        ("tests.fakes.solvers:raises", "ZeroDivisionError: no idea"),
        ("tests.fakes.solvers:says_nothing", "ValidationError"),
        ("tests.fakes.solvers:nowhere", "cannot be loaded"),
        ("nobody", "no solver is called 'nobody'"),
    ],
)
def test_what_goes_wrong_is_an_answer_with_its_reason_and_the_next_job_is_well(house, solver, words):
    started = time.monotonic()
    answer = asked(house, solver, seconds=0.2).answer
    assert (answer.status, answer.shares) == ("out_of_time", ())
    assert words in answer.reason
    assert time.monotonic() - started < 20.0
    assert asked(house, "tests.fakes.solvers:obeys").answer.solver == "obeys"


def test_a_lie_is_caught_by_the_check_and_the_chain_goes_on(house):
    lie = asked(house, "tests.fakes.solvers:lies").answer
    answer, chain = solve_chain(
        PROBLEM, "lies", Budget(seconds=5.0), 1, {**solvers_for("greedy"), "lies": lambda *_: lie}
    )
    assert chain == ("lies", "greedy")
    assert "lies is wrong: it claims 1e+09 USD" in answer.reason


def test_a_solver_in_a_file_of_somebody_is_loaded_there(house, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from orch.solvers.keep import solve as keeps\n")
    assert asked(house, f"{path}:keeps").answer.solver == "keep"


def test_an_idle_process_ends_and_a_closed_pool_leaves_none():
    mailbox = Mailbox()
    pool = ProcessSolverPool(mailbox, idle_s=0.05)
    assert pool.pid is None  # nothing is started before the first job
    pool.solve(job("keep"), reply_to="asker")
    mailbox.answer()
    assert pool.await_end(20.0)
    assert pool.pid is None
    pool.solve(job("keep", number=2), reply_to="asker")
    mailbox.answer()
    pid = pool.pid
    pool.close()
    assert pid is None or not Path(f"/proc/{pid}").exists()
    pool.solve(job("keep", number=3), reply_to="asker")
    assert mailbox.told.empty()
