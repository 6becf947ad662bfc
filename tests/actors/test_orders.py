"""People's orders to the reallocation actor: approvals, freezes, lost trust; what of them outlives a restart."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from actors.reallocation import Reallocation, ReallocationPlan
from actors.stage import Stage
from orch.errors import JournalError
from orch.messages import (
    ApprovePlan,
    ExecuteReallocation,
    Freeze,
    GuardsChanged,
    HowStandsPlan,
    PausesLearned,
    PromoteLever,
    ReallocationProposed,
    RejectPlan,
    RollBackReallocation,
    SnapshotPublished,
    Unfreeze,
)
from orch.model.fleet import LeverState
from orch.model.moves import LeverName
from orch.model.resources import RESOURCES, Resources
from orch.reallocation.recovery import history
from orch.reallocation.settings import LeverTiming, MoveLimits, SagaSettings
from orch.reallocation.trust import TrustedLever
from orch.system.journal import MemoryJournal
from tests.fakes import moving
from tests.fakes.movers import CORES, NEW, OLD, settle_in
from tests.fakes.moving import START

LEVERS = tuple(
    TrustedLever(name=LeverName(node=node, kind="emulated"), sets=RESOURCES, mode="auto") for node in ("a", "b")
)


class House:
    """One reallocation actor between scripted levers; `mode` is the levers'."""

    def __init__(self, mode="approve"):
        self.stage, self.journal, self.mode = Stage(0, START), MemoryJournal(), mode
        self.house = self.stage.house(journal=self.journal)
        self.split = dict(OLD)
        self.notes, self.levers = settle_in(self.stage, self.house, self.split)
        self.start()

    def start(self, levers=LEVERS):
        settings = SagaSettings(
            levers={"a": LeverTiming(settle_s=2, deadline_s=20, downtime_s=30)}, undo_attempts=2
        )
        plan = ReallocationPlan(MoveLimits(), settings, levers=levers)
        self.actor = Reallocation("reallocation", self.house, plan)
        self.stage.add(self.actor)
        return self.look()

    def restart(self, levers=LEVERS):
        self.stage.dismiss("reallocation")
        return self.start(levers)

    def tell(self, message):
        self.stage.tell("reallocation", message)
        self.stage.drain()
        return self

    def look(self):
        levers = (LeverState(kind="emulated", sets=RESOURCES, mode=self.mode),)
        nodes = {name: moving.node(name, has, levers=levers) for name, has in self.split.items()}
        return self.tell(SnapshotPublished(snapshot=moving.snapshot(nodes, self.stage.now(), cpu_cores=CORES)))

    def plan(self, identity="p1", goal=NEW):
        return replace(moving.plan(dict(self.split), goal, identity), decided_at=self.stage.now())

    def propose(self, identity="p1", goal=NEW):
        return self.tell(ReallocationProposed(plan=self.plan(identity, goal)))

    def run(self, seconds=300):
        self.stage.run_for(seconds)
        return self.look()

    def standing(self, identity="p1", **asked):
        return self.actor.handle(HowStandsPlan(plan_id=identity, **asked))

    def moves(self):
        return history(self.journal.read())

    def guards(self):
        return [each.guards for each in self.notes["optimizer"].seen if isinstance(each, GuardsChanged)][-1]

    def fail(self):
        """One move in mode auto whose first lever breaks: it is rolled back."""
        self.levers["a"].faults = ["refuse"]
        goal = NEW if self.split == OLD else OLD
        self.tell(ExecuteReallocation(plan=self.plan(goal=goal), trigger="manual"))
        return self.run()


def test_a_proposal_is_approved_once():
    house = House().propose()
    assert house.standing().state == "open"
    house.tell(ApprovePlan(plan_id="p1")).run()

    (move,) = house.moves()
    assert (move.state, move.trigger, move.plan_id) == ("settled", "approved", "p1")
    assert house.split == NEW
    assert (house.standing().state, house.standing().reallocation_id) == ("decided", move.id)
    assert len(house.tell(ApprovePlan(plan_id="p1")).run().moves()) == 1
    assert len(house.restart().tell(ApprovePlan(plan_id="p1", plan=house.plan())).run().moves()) == 1


def test_two_approvals_in_a_row_make_one_move():
    house = House().propose()
    for _ in range(2):
        house.stage.tell("reallocation", ApprovePlan(plan_id="p1"))

    assert [move.state for move in house.run().moves()] == ["settled"]


def test_some_steps_of_a_proposal_are_carried_out_when_they_fit():
    house = House().propose().tell(ApprovePlan(plan_id="p1", steps=(0,))).run()
    assert house.split == {"a": NEW["a"], "b": OLD["b"]}

    house = House().propose()
    assert house.standing(steps=(1,)).blockers[0].code == "INFEASIBLE"
    house.tell(ApprovePlan(plan_id="p1", steps=(1,))).run()
    assert (house.split, house.moves()[0].reasons) == (OLD, ("INFEASIBLE",))


def test_an_approval_an_hour_late_is_refused_on_record_and_says_what_to_do():
    house = House().propose()
    plan = house.plan()
    house.stage.run_for(3600)
    house.look()
    assert house.standing(plan=plan).state == "expired"
    house.tell(ApprovePlan(plan_id="p1", plan=plan)).run()

    (move,) = house.moves()
    assert (move.state, move.reasons, house.split) == ("refused", ("PLAN_EXPIRED",), OLD)
    assert "`orch plan`" in move.sentence


def test_what_somebody_changed_by_hand_makes_a_proposal_stale():
    house = House().propose()
    house.split["b"] = Resources(cpu_cores=1)
    house.look()
    assert house.standing().state == "stale"
    # Even where no snapshot has shown it yet.
    house.split["b"] = OLD["b"]
    house.look()
    house.split["b"] = Resources(cpu_cores=1)
    house.tell(ApprovePlan(plan_id="p1")).run()
    assert (house.moves()[0].state, house.moves()[0].reasons) == ("refused", ("ALLOCATION_CHANGED",))


def test_a_rejected_plan_stays_rejected_after_a_restart_and_an_unknown_one_is_not_carried_out():
    house = House().propose().tell(RejectPlan(plan_id="p1")).tell(ApprovePlan(plan_id="p1"))
    assert house.standing().state == "decided"
    house.restart().tell(ApprovePlan(plan_id="p1", plan=house.plan())).tell(ApprovePlan(plan_id="p9")).run()

    assert house.moves() == ()
    assert house.standing("p9").state == "unknown"


def test_a_proposal_of_an_earlier_life_is_approved_by_what_is_recorded_of_it():
    house = House().propose()
    plan = house.plan()
    house.restart()
    assert house.standing().state == "unknown"
    assert house.standing(plan=plan).state == "open"
    house.tell(ApprovePlan(plan_id="p1", plan=plan)).run()
    assert house.split == NEW


def test_a_freeze_lets_nothing_begin_and_outlives_a_restart():
    house = House("auto").tell(Freeze(until=START + timedelta(hours=2))).restart().propose()
    for message in (ExecuteReallocation(plan=house.plan("p2"), trigger="auto"), ApprovePlan(plan_id="p1")):
        house.tell(message).run()
    assert [(move.state, move.reasons) for move in house.moves()] == [("refused", ("FROZEN",))] * 2
    assert house.guards().frozen_until == START + timedelta(hours=2)

    house.tell(Unfreeze()).propose("p3").tell(ApprovePlan(plan_id="p3")).run()
    assert house.split == NEW
    frozen = house.tell(Freeze(until=house.stage.now() + timedelta(minutes=1))).run(61)
    assert frozen.guards().frozen_until is None


def test_a_move_that_runs_is_finished_or_put_back_in_spite_of_a_freeze():
    house = House("auto").tell(ExecuteReallocation(plan=House().plan(), trigger="auto"))
    house.tell(Freeze(until=START + timedelta(hours=2))).run()
    assert (house.split, house.moves()[0].state) == (NEW, "settled")

    house = House("auto")
    house.levers["b"].faults = ["refuse"]
    house.tell(ExecuteReallocation(plan=house.plan(), trigger="auto"))
    house.tell(Freeze(until=START + timedelta(hours=2))).run()
    assert (house.split, house.moves()[0].state) == (OLD, "rolled_back")

    house = House("auto").tell(ExecuteReallocation(plan=House().plan(), trigger="auto"))
    house.stage.run_for(1)
    assert house.moves()[0].state == "applying"
    house.tell(Freeze(until=START + timedelta(hours=2))).restart().run()
    assert (house.split, house.moves()[0].state) == (OLD, "rolled_back")
    house.tell(RollBackReallocation(reallocation_id="nothing")).run()


def test_two_rollbacks_in_a_week_demote_a_lever_until_a_person_promotes_it():
    house = House("auto").fail()
    assert house.guards().demotions == ()
    house.stage.run_for(86_400)
    house.fail()
    (demotion,) = house.guards().demotions
    assert (demotion.lever, demotion.mode) == (LEVERS[0].name, "approve")

    house.stage.run_for(3 * 86_400)
    house.restart()
    assert [each.lever for each in house.guards().demotions] == [LEVERS[0].name]
    house.tell(ExecuteReallocation(plan=house.plan("p5"), trigger="auto")).run()
    assert (house.moves()[-1].state, house.moves()[-1].reasons) == ("refused", ("LEVER_NEEDS_APPROVAL",))
    assert "orch promote a" in house.moves()[-1].sentence

    house.tell(PromoteLever(node="b")).tell(PromoteLever(node="a", kind="tc"))
    assert house.guards().demotions
    house.tell(PromoteLever(node="a")).tell(ExecuteReallocation(plan=house.plan("p6"), trigger="auto")).run()
    assert (house.guards().demotions, house.split) == ((), NEW)
    assert house.restart().guards().demotions == ()


@pytest.mark.parametrize(("stated", "left"), [(None, 1), ("auto", 0)])
def test_saying_something_else_in_the_configuration_promotes(stated, left):
    house = House("auto").fail().fail()

    house.restart(tuple(replace(each, stated=stated) for each in LEVERS))

    assert len(house.guards().demotions) == left


def test_an_order_that_cannot_be_written_does_not_stand():
    house = House().propose()
    house.journal.append = _full
    house.tell(RejectPlan(plan_id="p1")).tell(Freeze(until=START + timedelta(hours=1)))
    assert (house.standing().state, house.guards().frozen_until) == ("open", None)
    house.tell(ApprovePlan(plan_id="p1")).run()
    assert house.split == OLD


def test_the_optimizer_hears_what_changes_cost_nodes():
    house = House()
    told = [each.downtime_s for each in house.notes["optimizer"].seen if isinstance(each, PausesLearned)]
    assert told[-1] == {"a": 30.0}


def _full(record):
    raise JournalError("journal.jsonl cannot be written: No space left on device")
