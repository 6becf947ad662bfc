"""Plans a person carries out: nodes without levers are planned, steps are told, learned pauses change the cost."""

import pytest
from msgspec.structs import replace

from orch.model.fleet import LeverState
from orch.model.moves import Guards, Hold
from orch.model.resources import RESOURCES
from orch.planning.decide import decide, next_reallocation_at
from orch.planning.locks import with_hands
from orch.planning.settings import NodeTerms, PlanSettings, with_pauses
from orch.planning.steps import Telling, with_steps


def levered(kit, **modes):
    """The fleet with one lever per node named, and none elsewhere."""
    return kit.snapshot(
        tuple(
            replace(
                node,
                levers=(LeverState(kind="x", sets=RESOURCES, mode=modes[node.name]),)
                if node.name in modes
                else (),
            )
            for node in kit.fleet()
        )
    )


def decided(kit, snapshot, guards=None, **more):
    fields = {"strategy": kit.strategy, "options": kit.options, "solvers": kit.solvers, **more}
    return decide(
        snapshot, guards or kit.guards, kit.settings, decision_id="d1", plan_id="p1", now=kit.now, **fields
    )


@pytest.mark.parametrize("modes", [{}, {"disk": "suggest"}, {"disk": "observe", "compute": "suggest"}], ids=str)
def test_where_no_lever_may_act_the_best_split_is_found_for_a_person_to_make(kit, modes):
    decision, plan = decided(kit, levered(kit, **modes))
    best = decided(kit, kit.snapshot())[1]

    assert plan.to_value == best.to_value != plan.from_value
    assert (decision.verdict, decision.can_reallocate) == ("stay", False)
    assert "Best found: move 8 cores" in decision.sentence
    missing = {each.node for each in decision.blockers if each.code == "LEVER_MISSING"}
    assert missing == {"disk", "compute", "relay"} - set(modes)


@pytest.mark.parametrize("mode", ["approve", "auto"])
def test_where_a_lever_may_act_what_can_be_done_is_not_held_up_by_what_cannot(kit, mode):
    snapshot = levered(kit, compute=mode, relay=mode)
    _, plan = decided(kit, snapshot)

    assert with_hands(snapshot) is snapshot
    assert plan.to_value["disk"] == plan.from_value["disk"]
    assert plan.to_value["compute"] != plan.from_value["compute"]


def test_the_steps_of_a_plan_are_told_in_the_order_in_which_they_are_made(kit):
    asked = []

    def describe(node, goal):
        asked.append((node, goal))
        return Telling((f"set {node}",), "x", "approve")

    _, plan = decided(kit, kit.snapshot())
    told = with_steps(plan, describe)

    kinds = [step.kind for step in told.steps]
    assert kinds == sorted(kinds, reverse=True)
    assert {"release", "grant"} == set(kinds)
    assert [(step.node, step.goal) for step in told.steps] == asked
    assert [step.index for step in told.steps] == list(range(len(asked)))
    assert told.steps[0].does == (f"set {told.steps[0].node}",)
    assert replace(told, steps=()) == plan


def test_pauses_that_were_learned_take_the_place_of_priors(kit):
    learned = with_pauses(kit.settings, {"compute": 600.0, "unknown": 5.0})

    assert [each.downtime_s for each in learned.terms] == [60.0, 600.0, 0.0]
    assert learned.of("compute").tokens == ("GLM",)
    assert with_pauses(PlanSettings(), {"a": 1.0}) == PlanSettings()
    dear = decide(
        kit.snapshot(),
        kit.guards,
        learned,
        strategy=kit.strategy,
        options=kit.options,
        solvers=kit.solvers,
        decision_id="d1",
        plan_id="p1",
        now=kit.now,
    )[1]
    cheap = decided(kit, kit.snapshot())[1]
    # Twelve thousandths of a USD an hour, 570 seconds longer.
    assert float(dear.cost_usd - cheap.cost_usd) == pytest.approx(0.012 * 570 / 3600, rel=0.01)
    assert NodeTerms(node="x").downtime_s == 0.0


def test_pauses_of_single_resources_are_learned_in_proportion(kit):
    terms = NodeTerms(
        node="disk", downtime_s=120.0, pause_s={"storage_gb": 120.0, "memory_gb": 6.0, "cpu_cores": 0.0}
    )
    learned = with_pauses(replace(kit.settings, terms=(terms,)), {"disk": 60.0}).of("disk")

    assert [learned.pause_of(name) for name in RESOURCES] == [0.0, 3.0, 60.0, 60.0]


def test_a_spent_budget_of_a_node_locks_it_as_a_hold_does(kit):
    until = kit.now.replace(hour=20)
    spent = Hold(node="compute", until=until, sentence="moved often", code="DAY_BUDGET_SPENT")
    decision, plan = decided(kit, kit.snapshot(), Guards(holds=(spent,)))

    assert plan.to_value["compute"] == plan.from_value["compute"]
    assert ("DAY_BUDGET_SPENT", "compute") in {(each.code, each.node) for each in decision.blockers}


def test_the_next_move_waits_for_the_window_and_the_days_budget(kit):
    _, plan = decided(kit, kit.snapshot())
    opens, slot = kit.now.replace(hour=22), kit.now.replace(hour=23)

    assert next_reallocation_at(plan, Guards(window_opens_at=opens), kit.now) == opens
    assert next_reallocation_at(plan, Guards(window_opens_at=opens, next_day_slot_at=slot), kit.now) == slot
