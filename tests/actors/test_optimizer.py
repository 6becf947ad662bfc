"""The optimizer and a solver that runs elsewhere: it does not wait; what is due is done when the answer comes."""

from __future__ import annotations

from datetime import timedelta

from actors.optimizer import Optimizer, OptimizerPlan
from actors.stage import Stage
from orch.forecast.score import Track, Verdict, resumed, written
from orch.messages import (
    DecisionMade,
    ForecastsRestored,
    ForecastsScored,
    GuardsChanged,
    HistoryTold,
    OpportunitiesFound,
    RecordForecasts,
    RestoreForecasts,
    SnapshotPublished,
    SolverAnswered,
)
from orch.model.moves import Guards, Hold
from orch.model.problems import Budget
from orch.planning.settings import PlanSettings
from orch.solvers.job import failed, run_job
from orch.solvers.registry import solvers_for
from orch.strategies.registry import load_strategies
from tests.fakes.roles import Listener
from tests.fakes.values import NOON, node_state, snapshot


class SlowPool:
    """Answers so many virtual seconds later."""

    def __init__(self, stage, seconds, answer=run_job):
        self.stage, self.seconds, self.answering = stage, seconds, answer
        self.jobs = []

    def solve(self, job, *, reply_to):
        self.jobs.append(job)
        self.stage.after(self.seconds, reply_to, SolverAnswered(job=job.id, answer=self.answering(job)))


def staged(seconds, answer=run_job):
    stage = Stage(1, NOON)
    pool = SlowPool(stage, seconds, answer)
    house = stage.house(solvers=pool)
    strategy = load_strategies()["threshold"]()
    plan = OptimizerPlan(
        settings=PlanSettings(solver="genetic", budget=Budget(seconds=2.0)),
        strategy=strategy,
        options=strategy.options(),
        solvers=solvers_for("genetic", elsewhere=True),
        analyze_s=30.0,
        decide_s=60.0,
    )
    monitor = Listener("monitor", house)
    stage.add(monitor)
    for name in ("recorder", "coordinator", "reallocation"):
        stage.add(Listener(name, house))
    stage.add(Optimizer("optimizer", house, plan))
    stage.run_until(NOON)
    stage.tell("optimizer", GuardsChanged(guards=Guards()))
    stage.tell("optimizer", SnapshotPublished(snapshot=snapshot(node_state("a"), node_state("b"))))
    return stage, pool, monitor


def test_what_is_due_waits_for_the_answer_and_is_then_done_once():
    stage, pool, monitor = staged(45.0)
    stage.run_until(NOON + timedelta(seconds=74))
    assert len(pool.jobs) == 1
    assert monitor.of(OpportunitiesFound) == monitor.of(DecisionMade) == []
    stage.run_until(NOON + timedelta(seconds=75))
    assert len(monitor.of(OpportunitiesFound)) == 1
    (made,) = monitor.of(DecisionMade)
    assert made.decision.solver_chain == ("genetic",)
    # The same snapshot is not solved twice.
    stage.run_until(NOON + timedelta(seconds=119))
    assert len(pool.jobs) == 1


def test_a_newer_snapshot_is_looked_at_when_the_old_answer_has_come():
    stage, pool, monitor = staged(45.0)
    stage.run_until(NOON + timedelta(seconds=40))
    newer = snapshot(node_state("a"), node_state("b"), node_state("c"))
    stage.tell("optimizer", SnapshotPublished(snapshot=newer))
    stage.run_until(NOON + timedelta(seconds=80))
    assert set(monitor.of(DecisionMade)[0].plan.from_value) == {"a", "b"}
    stage.run_until(NOON + timedelta(seconds=140))
    assert [len(job.problem.nodes) for job in pool.jobs] == [2, 3]


def test_a_solver_that_gave_none_is_followed_by_the_next_of_the_chain():
    stage, _, monitor = staged(1.0, lambda job: failed(job, "it was ended after its budget of 2 s", 2.0))
    stage.run_until(NOON + timedelta(seconds=90))
    (made,) = monitor.of(DecisionMade)
    assert made.decision.solver_chain == ("genetic", "greedy")


def test_what_holds_keep_back_is_worked_out_once_for_each_decision():
    stage, solved = Stage(1, NOON), []
    house, strategy, linear = stage.house(), load_strategies()["threshold"](), solvers_for("linear")["linear"]

    def counting(problem, budget, seed):
        solved.append(stage.monotonic())
        return linear(problem, budget, seed)

    plan = OptimizerPlan(
        settings=PlanSettings(),
        strategy=strategy,
        options=strategy.options(),
        solvers={"linear": counting},
        analyze_s=30.0,
        decide_s=60.0,
    )
    for name in ("monitor", "recorder", "coordinator", "reallocation"):
        stage.add(Listener(name, house))
    stage.add(Optimizer("optimizer", house, plan))
    stage.run_until(NOON)
    hold = Hold(node="a", code="HOLD_ACTIVE", sentence="a rests.", until=NOON + timedelta(days=1))
    stage.tell("optimizer", GuardsChanged(guards=Guards(holds=(hold,))))
    counts = []
    for each in range(1, 5):
        stage.tell("optimizer", SnapshotPublished(snapshot=snapshot(node_state("a"), node_state("b"), tick=each)))
        stage.run_until(NOON + timedelta(seconds=30 * each + 1))
        counts.append(len(solved))
    assert counts == [2, 4, 5, 7]


def test_an_answer_that_nobody_waits_for_is_nothing():
    stage, pool, monitor = staged(1.0)
    stage.run_until(NOON + timedelta(seconds=40))
    stage.tell("optimizer", SolverAnswered(job="stale", answer=failed(pool.jobs[0], "late", 9.0)))
    stage.run_until(NOON + timedelta(seconds=70))
    assert monitor.of(DecisionMade)[0].decision.solver_chain == ("genetic",)


def test_how_forecasts_proved_is_asked_for_first_and_not_overwritten_before_it_is_known():
    stage = Stage(1, NOON)
    house = stage.house()
    strategy = load_strategies()["threshold"]()
    monitor, recorder = Listener("monitor", house), Listener("recorder", house)
    plan = OptimizerPlan(
        settings=PlanSettings(),
        strategy=strategy,
        options=strategy.options(),
        solvers=solvers_for("linear"),
        analyze_s=3600.0,
        decide_s=3600.0,
    )
    for actor in (monitor, recorder, Listener("coordinator", house), Optimizer("optimizer", house, plan)):
        stage.add(actor)
    stage.drain()
    stage.tell("optimizer", HistoryTold(told_at=NOON, history=()))
    stage.drain()
    assert {type(each) for each in recorder.seen} == {RestoreForecasts}
    before = Track(verdicts=(Verdict(node="a", ended_at=NOON, error_pct=20.0, inside=True),))
    stage.tell("optimizer", ForecastsRestored(body=written(before)))
    stage.tell("optimizer", ForecastsRestored(body=None))
    stage.tell("optimizer", HistoryTold(told_at=NOON, history=()))
    stage.drain()
    assert [each.score.mape_pct for each in monitor.of(ForecastsScored)] == [None, 20.0, 20.0]
    (kept,) = recorder.of(RecordForecasts)
    assert resumed(kept.body, Track()) == before
