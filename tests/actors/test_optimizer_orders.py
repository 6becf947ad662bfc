"""What the optimizer tells of plans that a person may carry out, and what it makes of learned pauses."""

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from actors.base import Actor
from actors.optimizer import Optimizer, OptimizerPlan
from actors.stage import Stage
from orch.messages import (
    DecisionMade,
    ExecuteReallocation,
    GuardsChanged,
    PausesLearned,
    ReallocationProposed,
    SnapshotPublished,
)
from orch.model.fleet import LeverState, Worth
from orch.model.moves import Guards
from orch.model.problems import Activity
from orch.model.resources import RESOURCES, Resources
from orch.planning.settings import NodeTerms, PlanSettings
from orch.planning.steps import Telling
from orch.solvers.registry import solvers_for
from orch.strategies.registry import load_strategies
from tests.fakes.values import NOON, node_state, rate, snapshot


class Listener(Actor):
    """Notes everything it is told."""

    def ready(self):
        self.seen = []

    def handle(self, message):
        self.seen.append(message)

    def of(self, kind):
        return [each for each in self.seen if type(each) is kind]


def fleet(mode):
    """`busy` would earn with cores that `idle` leaves."""
    lever = (LeverState(kind="x", sets=RESOURCES, mode=mode),)
    core = Activity(takes=Resources(cpu_cores=1.0), width=7.0, usd_per_hour=0.01, low=0.009, high=0.011)
    busy = node_state(
        "busy",
        levers=lever,
        rate=rate(0.03, 0.01),
        worth=Worth(activities=(core,)),
        allocation=Resources(cpu_cores=3.0),
    )
    idle = node_state(
        "idle",
        levers=lever,
        rate=rate(0.001),
        worth=Worth(base_usd_per_hour=0.001, need=Resources(cpu_cores=0.5)),
        used=Resources(cpu_cores=0.2),
    )
    return snapshot(busy, idle)


def staged(mode):
    stage = Stage(1, NOON)
    house = stage.house()
    strategy = load_strategies()["threshold"]()
    settings = PlanSettings(
        solver="linear", terms=tuple(NodeTerms(node=each, downtime_s=5.0) for each in ("busy", "idle"))
    )
    plan = OptimizerPlan(
        settings=settings,
        strategy=strategy,
        options=strategy.options(),
        solvers=solvers_for("linear"),
        analyze_s=30.0,
        decide_s=60.0,
        describe=lambda node, goal: Telling((f"give {node} {goal.cpu_cores:g}",), "x", mode),
    )
    told = {name: Listener(name, house) for name in ("monitor", "recorder", "coordinator", "reallocation")}
    for listener in told.values():
        stage.add(listener)
    stage.add(Optimizer("optimizer", house, plan))
    stage.run_until(NOON)
    stage.tell("optimizer", GuardsChanged(guards=Guards()))
    stage.tell("optimizer", SnapshotPublished(snapshot=fleet(mode)))
    return stage, told


def test_what_it_may_not_carry_out_is_proposed_with_its_steps():
    stage, told = staged("approve")
    stage.run_until(NOON + timedelta(seconds=61))

    (proposed,) = told["reallocation"].of(ReallocationProposed)
    assert told["reallocation"].of(ExecuteReallocation) == []
    assert [step.node for step in proposed.plan.steps] == ["idle", "busy"]
    assert proposed.plan.steps[0].does[0].startswith("give idle ")
    (made,) = told["monitor"].of(DecisionMade)
    assert made.plan == proposed.plan
    assert made.decision.reasons[0] == "LEVER_NEEDS_APPROVAL"


def test_what_it_may_carry_out_is_ordered_and_not_proposed():
    stage, told = staged("auto")
    stage.run_until(NOON + timedelta(seconds=61))

    assert told["reallocation"].of(ReallocationProposed) == []
    (order,) = told["reallocation"].of(ExecuteReallocation)
    assert (order.trigger, len(order.plan.steps)) == ("auto", 2)


def test_learned_pauses_make_moves_dearer_from_the_next_decision_on_and_are_recorded_with_it():
    stage, told = staged("approve")
    stage.run_until(NOON + timedelta(seconds=61))
    stage.tell("optimizer", PausesLearned(downtime_s={"busy": 605.0, "idle": 5.0}))
    stage.run_until(NOON + timedelta(seconds=121))

    before, after = told["recorder"].of(DecisionMade)
    costs = [float(made.decision.cost_usd) for made in (before, after)]
    assert abs(costs[1] - costs[0] - 0.03 * 600 / 3600) < 1e-4
    learned = [msgspec.msgpack.decode(made.inputs.settings, type=PlanSettings) for made in (before, after)]
    assert [each.of("busy").downtime_s for each in learned] == [5.0, 605.0]
    assert replace(learned[1], terms=()) == replace(learned[0], terms=())
