"""The reallocation actor on the stage: its journal first, its readers told, its sagas taken up again."""

import logging

import pytest

from actors.reallocation import Reallocation, ReallocationPlan
from actors.stage import Stage
from orch.errors import JournalError
from orch.messages import (
    ActorFailed,
    ExecuteReallocation,
    GuardsChanged,
    ReallocationChanged,
    RollBackReallocation,
    SnapshotPublished,
)
from orch.model.resources import Resources
from orch.reallocation.recovery import history
from orch.reallocation.settings import LeverTiming, MoveLimits, SagaSettings
from orch.reallocation.story import stories
from tests.fakes import moving
from tests.fakes.movers import CORES, NEW, OLD, settle_in
from tests.fakes.moving import START, guards_at

SETTINGS = SagaSettings(usual=LeverTiming(settle_s=2, deadline_s=20), undo_attempts=2)
LIMITS = MoveLimits()


class PowerCutError(Exception):
    """The actor dies in the middle of a handler."""


class Paper:
    """A journal that notes when it was written, and can be full or cut off at chosen lines."""

    def __init__(self):
        self.records, self.full, self.cut_before, self.cut_after = [], False, set(), set()

    def append(self, record):
        if self.full:
            raise JournalError("journal.jsonl cannot be written: No space left on device")
        if len(self.records) in self.cut_before:
            self.cut_before.remove(len(self.records))
            raise PowerCutError
        self.records.append(record)
        if len(self.records) in self.cut_after:
            self.cut_after.remove(len(self.records))
            raise PowerCutError

    def read(self):
        return tuple(self.records)


class House:
    """Everything around one reallocation actor. A dead one is replaced five seconds later."""

    def __init__(self, seed=0, paper=None, nodes=("a", "b")):
        self.stage = Stage(seed, START)
        self.paper = paper or Paper()
        self.house = self.stage.house(journal=self.paper)
        self.split = dict(OLD)
        self.notes, self.levers = settle_in(self.stage, self.house, self.split, nodes)
        self.start()

    def start(self):
        self.stage.add(Reallocation("reallocation", self.house, ReallocationPlan(LIMITS, SETTINGS)))

    def tell(self, message):
        self.stage.tell("reallocation", message)
        return self

    def order(self, present=OLD, goal=NEW, trigger="auto"):
        nodes = {name: moving.node(name, has) for name, has in self.split.items()}
        self.tell(SnapshotPublished(snapshot=moving.snapshot(nodes, self.stage.now(), cpu_cores=CORES)))
        # Orders overtake snapshots that still wait.
        self.stage.drain()
        return self.tell(ExecuteReallocation(plan=moving.plan(present, goal), trigger=trigger))

    def run(self, seconds=300):
        deaths = len(self.deaths())
        for _ in range(int(seconds)):
            self.stage.run_for(1)
            if len(self.deaths()) > deaths:
                deaths = len(self.deaths())
                self.stage.script_after(5, self.start)
        return self

    def deaths(self):
        return [message for message in self.notes["supervisor"].seen if isinstance(message, ActorFailed)]

    def moves(self, reader):
        return [message for message in self.notes[reader].seen if isinstance(message, ReallocationChanged)]

    def guards(self, reader="optimizer"):
        return [message.guards for message in self.notes[reader].seen if isinstance(message, GuardsChanged)][-1]

    def record(self):
        return history(self.paper.records)[-1]


def test_a_move_settles_and_everybody_hears_of_it():
    house = House().order().run()

    assert house.split == NEW
    assert house.record().state == "settled"
    for reader in ("recorder", "monitor", "optimizer"):
        told = house.moves(reader)
        assert told[-1].reallocation == house.record()
        assert [(told.step.step_index, told.step.outcome) for told in told if told.step] == [
            (index, word) for index in (0, 1) for word in ("trying", "applied", "verified")
        ]
    assert [line.sequence for line in house.paper.records] == list(range(1, len(house.paper.records) + 1))


def test_guards_are_told_at_the_start_while_it_runs_and_when_a_hold_ends():
    house = House().run(1)
    assert house.guards() == guards_at((), START, LIMITS)

    house.order().run(3)
    assert house.guards().running == house.record().id

    house.run(100)
    assert house.guards("monitor") == house.guards()
    assert {hold.node for hold in house.guards().holds} == {"a", "b"}

    house.run(3600)
    nodes = {name: moving.node(name, has) for name, has in house.split.items()}
    house.tell(SnapshotPublished(snapshot=moving.snapshot(nodes))).run(1)
    assert house.guards().holds == ()


def test_holds_survive_a_restart():
    house = House().order().run()
    house.stage.kill("reallocation")
    house.run(10).order(NEW, OLD).run()

    assert house.record().state == "refused"
    assert "HOLD_ACTIVE" in house.record().reasons
    assert house.split == NEW


def test_a_second_order_while_one_runs_is_refused_and_disturbs_nothing():
    house = House().order().run(3).order().run()

    first, second = history(house.paper.records)
    assert (first.state, second.state) == ("settled", "refused")
    assert "REALLOCATION_RUNNING" in second.reasons


def test_a_failed_pull_is_rolled_back():
    house = House()
    house.levers["b"].faults = ["ignore"]
    house.order().run()

    assert house.split == OLD
    assert house.record().state == "rolled_back"
    assert "b did not take cpu_cores 5" in house.moves("monitor")[-1].reallocation.rolled_back_reason


def test_a_settled_move_is_rolled_back_by_a_person_despite_its_hold():
    house = House().order().run()
    house.order(NEW, NEW)
    house.tell(RollBackReallocation(reallocation_id=history(house.paper.records)[0].id)).run()

    assert house.split == OLD
    assert (house.record().state, house.record().trigger) == ("settled", "manual")


def test_a_stuck_saga_freezes_the_levers_until_a_person_has_it_rolled_back():
    house = House()
    house.levers["a"].faults = [None, "ignore", "ignore"]
    house.levers["b"].faults = ["refuse"]
    house.order().run()
    stuck = house.record()
    assert stuck.state == "stuck"
    assert house.guards().stuck == stuck.id

    house.order({"b": OLD["b"]}, {"b": Resources(cpu_cores=1)}, "approved").run()
    assert house.record().reasons == ("SAGA_STUCK",)

    house.tell(RollBackReallocation(reallocation_id=stuck.id)).run()
    assert house.split == OLD
    assert history(house.paper.records)[0].state == "rolled_back"
    assert house.guards().stuck is None


@pytest.mark.parametrize("which", ["nobody", "refused"])
def test_there_is_nothing_to_roll_back_of_what_never_was(which, caplog):
    house = House().order(NEW, OLD).run()
    assert house.record().state == "refused"
    lines = len(house.paper.records)
    identity = house.record().id if which == "refused" else which

    with caplog.at_level(logging.WARNING):
        house.tell(RollBackReallocation(reallocation_id=identity)).run()

    assert "nothing to roll back" in caplog.text
    assert len(house.paper.records) == lines


def test_a_node_without_an_adapter_is_refused():
    house = House(nodes=("a",)).order().run()

    assert house.record().state == "refused"
    assert "nobody attends this node" in house.record().sentence


def test_the_last_moves_are_told_again_at_a_start():
    house = House().order().run()
    told = len(house.moves("recorder"))
    house.stage.kill("reallocation")
    house.run(10)

    again = house.moves("recorder")[told:]
    assert [change.reallocation for change in again] == list(history(house.paper.records))


# -- the journal fails -----------------------------------------------------------------------------------


def test_with_a_full_disk_nothing_is_moved():
    house = House()
    house.paper.full = True
    house.order().run()

    assert house.split == OLD
    told = house.moves("monitor")[-1].reallocation
    assert told.state == "refused"
    assert "No space left" in told.sentence
    assert house.guards().running is None


@pytest.mark.parametrize("lines", range(1, 12))
def test_a_disk_that_fills_up_stops_the_move_before_the_next_lever(lines):
    house = House()
    append = house.paper.append

    def fill_up(record):
        house.paper.full = len(house.paper.records) >= lines
        append(record)

    house.paper.append = fill_up
    house.order().run()

    assert len(house.paper.records) == lines
    tried = sum(line.event == "step_trying" for line in house.paper.records)
    assert sum(house.split[node] != OLD[node] for node in OLD) <= tried
    assert "No space left" in house.moves("monitor")[-1].reallocation.sentence

    house.paper.append = append
    house.paper.full = False
    house.run()
    open_story = next(iter(stories(house.paper.records).values()))
    assert house.split in (OLD, NEW)
    assert house.guards().running is None
    assert open_story.ended


def test_a_journal_that_contradicts_itself_freezes_the_levers(caplog):
    good = House().order().run()
    paper = Paper()
    paper.records = good.paper.records[2:]
    with caplog.at_level(logging.CRITICAL):
        house = House(paper=paper).order().run()

    assert house.guards().stuck == "journal"
    assert house.split == OLD
    assert paper.records == good.paper.records[2:]
    assert house.moves("monitor")[-1].reallocation.state == "refused"


# -- cut off anywhere ------------------------------------------------------------------------------------


def ended(house):
    story = next(iter(stories(house.paper.records).values()), None)
    if story is None:
        assert house.split == OLD
        return "never begun"
    assert story.ended
    assert house.split == {"settled": NEW, "rolled_back": OLD, "refused": OLD}[story.record.state]
    assert house.guards().running is None
    return story.record.state


@pytest.mark.parametrize("cut", ["cut_before", "cut_after"])
@pytest.mark.parametrize("faults", [[], ["ignore"], ["refuse"]], ids=["smooth", "ignored", "refused"])
def test_cut_off_at_any_line_the_journal_closes(cut, faults):
    ends = set()
    for line in range(20):
        house = House(seed=line)
        house.levers["b"].faults = list(faults)
        getattr(house.paper, cut).add(line)
        ends.add(ended(house.order().run()))

    assert ends >= {"refused", "rolled_back"}
    assert ("settled" in ends) == (not faults)


@pytest.mark.parametrize("seed", range(20))
def test_killed_between_messages_the_journal_closes(seed):
    house = House(seed=seed)
    for second in (seed / 2 + 0.2, seed / 2 + 9.2):
        house.stage.script_after(second, lambda: house.stage.kill("reallocation"))
    house.order().run()

    assert len(house.deaths()) == 2
    ended(house)
