"""Whole sagas against levers that refuse, lie, dawdle and go away, stopped at any point and taken up again."""

import heapq
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from msgspec.structs import replace

from orch.errors import JournalError
from orch.messages import (
    AllocationApplied,
    AllocationRead,
    AllocationRefused,
    ApplyAllocation,
    ContinueSaga,
    RollBackReallocation,
)
from orch.model.moves import TERMINAL, Guards
from orch.model.plans import Blocker
from orch.model.resources import RESOURCES, Resources, total
from orch.reallocation.costs import estimate_reallocation_cost
from orch.reallocation.machine import Publish, SetTimer, TellNode, WriteLine
from orch.reallocation.orders import execute_reallocation, rollback_allocation
from orch.reallocation.recovery import get_reallocation_history, history, recover, resume
from orch.reallocation.saga import advance
from orch.reallocation.settings import LeverTiming, MoveLimits, SagaSettings
from orch.reallocation.steps import order_steps
from orch.reallocation.story import stories
from tests.fakes.moving import guards_at

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = SagaSettings(usual=LeverTiming(downtime_s=30, settle_s=2, deadline_s=20), undo_attempts=3)
LIMITS = MoveLimits()
OLD = {
    "a": Resources(cpu_cores=6, memory_gb=8),
    "b": Resources(cpu_cores=2, memory_gb=16),
    "c": Resources(cpu_cores=4, memory_gb=4),
}
NEW = {
    "a": Resources(cpu_cores=3, memory_gb=12),
    "b": Resources(cpu_cores=6, memory_gb=10),
    "c": Resources(cpu_cores=3, memory_gb=6),
}
CAPACITY = Resources(cpu_cores=12, memory_gb=28)


class CrashError(Exception):
    """The engine dies here."""


@dataclass
class Levers:
    """Nodes with limits. `faults[node]` says, pull by pull, what goes wrong; then everything works.

    refuse: says no and does nothing. half: does half of it and says no. ignore: says yes and does nothing.
    part: does half of it and says yes. trace: says no and changed what nobody reads back. slow: takes a minute.
    silent: does it and says nothing. gone: neither.
    """

    split: dict = field(default_factory=lambda: dict(OLD))
    faults: dict = field(default_factory=dict)
    committed: dict = field(default_factory=dict)
    offline: set = field(default_factory=set)
    mute: set = field(default_factory=set)
    pulls: list = field(default_factory=list)
    most: dict = field(default_factory=dict)

    def set(self, node, goal, share=1.0):
        has = self.split[node]
        values = {name: has.get(name) + share * (wanted - has.get(name)) for name, wanted in goal.known()}
        self.split[node] = Resources(**values).filled(has)
        self.pulls.append((node, goal))
        summed = total(self.split.values())
        for name in RESOURCES:
            assert summed.or_zero(name) <= (CAPACITY.get(name) or 0) + 1e-6, f"over-allocated: {name}"

    def next_fault(self, node):
        faults = self.faults.get(node, [])
        if faults and faults[0] == "always":
            return faults[1]
        return faults.pop(0) if faults else None


class Engine:
    """Runs a saga over `Levers` in virtual time. Only the journal and the levers outlive a crash."""

    def __init__(self, levers, crashes=()):
        self.levers = levers
        self.journal = []
        self.published = []
        self.crashes = set(crashes)
        self.done_effects = 0
        self.now = START
        self.saga = None
        self.heap = []
        self.order = count()
        self.busy = {}

    def later(self, seconds, what):
        heapq.heappush(self.heap, (self.now + timedelta(seconds=seconds), next(self.order), what))

    def perform(self, saga, effects):
        self.saga = saga
        for effect in effects:
            if self.done_effects in self.crashes:
                self.done_effects += 1
                raise CrashError
            self.done_effects += 1
            match effect:
                case WriteLine(line=line):
                    self.journal.append(_stamped(line, len(self.journal)))
                case TellNode(node=node, message=message):
                    self.ask_node(node, message)
                case SetTimer(seconds=seconds, token=token):
                    self.later(seconds, ContinueSaga(reallocation_id=saga.id, token=token))
                case Publish():
                    self.published.append(effect)

    def ask_node(self, node, message):
        """One thing at a time per node, as through a lever's lane."""
        levers = self.levers
        if node in levers.mute:
            return
        address = {"reallocation_id": message.reallocation_id, "token": message.token, "node": node}
        if node in levers.offline:
            self.later(0.1, AllocationRefused(**address, sentence="nobody listens.", retryable=True))
            return
        fault = levers.next_fault(node) if isinstance(message, ApplyAllocation) else None
        took = 60.0 if fault == "slow" else 0.5
        start = max(self.now, self.busy.get(node, self.now))
        self.busy[node] = start + timedelta(seconds=took)
        delay = (self.busy[node] - self.now).total_seconds()
        self.later(delay, lambda: self.node_acts(node, message, address, fault))

    def node_acts(self, node, message, address, fault):
        levers = self.levers
        if not isinstance(message, ApplyAllocation):
            answer = AllocationRead(
                **address,
                allocation=levers.split[node],
                committed=levers.committed.get(node, Resources()),
                connected=True,
            )
            self.later(0, answer)
            return
        if fault not in {"refuse", "ignore", "gone", "trace"}:
            levers.set(node, message.goal, share=0.5 if fault in {"half", "part"} else 1.0)
        if fault in {"refuse", "half", "trace"}:
            refused = AllocationRefused(
                **address, sentence="the lever broke.", retryable=False, touched=fault == "trace"
            )
            self.later(0, refused)
        elif fault not in {"silent", "gone"}:
            self.later(0, AllocationApplied(**address))

    def crash(self, chance):
        """Everything in memory is lost; what nodes were about to do happens now, or never."""
        waiting, self.heap, self.saga, self.busy = sorted(self.heap, key=lambda each: each[:2]), [], None, {}
        for _, _, what in waiting:
            if callable(what) and chance.random() < 0.5:
                what()
        self.heap = []
        self.now += timedelta(seconds=5)

    def start_again(self):
        for saga, effects in recover(self.journal, self.now, SETTINGS):
            self.perform(saga, effects)

    def play(self, chance=None):
        """Until nothing is left to happen, crashes included."""
        first, chance = True, chance or random.Random(0)
        while True:
            try:
                if not first:
                    self.start_again()
                self.run()
            except CrashError:
                self.crash(chance)
                first = False
            else:
                return self

    def run(self):
        while self.heap:
            self.now, _, what = heapq.heappop(self.heap)
            assert self.now < START + timedelta(hours=2), "the saga never ends"
            if callable(what):
                what()
            elif self.saga is not None:
                self.perform(*advance(self.saga, what, self.now, SETTINGS))

    @property
    def record(self):
        return history(self.journal)[-1]


def _stamped(line, sequence):
    return replace(line, sequence=sequence)


@pytest.fixture
def begin(make_plan, make_node, make_snapshot):
    """`begin(engine)`: the order is given (a crash within it is a crash of the play)."""

    def begin(engine, trigger="auto", goal=NEW, guards=None):
        nodes = {name: make_node(name, has) for name, has in engine.levers.split.items()}
        saga, effects = execute_reallocation(
            make_plan(dict(engine.levers.split), goal),
            trigger,
            guards=guards or Guards(),
            snapshot=make_snapshot(nodes),
            now=engine.now,
            settings=SETTINGS,
            sequence=len(engine.journal),
        )
        engine.later(0, lambda: engine.perform(saga, effects))
        return engine

    return begin


def assert_whole(engine):
    """The journal closes, and reality is what its last word says."""
    told = stories(engine.journal)
    assert all(story.ended for story in told.values())
    state = next(iter(told.values())).record.state if told else "refused"
    expected = {"settled": NEW, "rolled_back": OLD, "refused": OLD}
    if state in expected:
        assert engine.levers.split == pytest.approx(expected[state])
    return state


# -- the straight way ------------------------------------------------------------------------------------


def test_a_good_plan_settles_with_what_was_read_back(begin):
    engine = begin(Engine(Levers())).play()

    assert assert_whole(engine) == "settled"
    record = engine.record
    assert record.state == "settled"
    assert record.verdict == "pending"
    assert record.ended_at == engine.journal[-1].written_at
    assert [(change.read_back, change.node) for change in record.changes] == [
        (change.to_value, change.node) for change in record.changes
    ]
    assert record.sentence == "It pays."
    states = [line.state for line in engine.journal if line.event in {"opened", "state", "closed"}]
    assert states == ["proposed", "approved", "preflight", "applying", "verifying", "settled"]


def test_every_pull_is_announced_by_a_line_and_verified_before_the_next(begin):
    engine = begin(Engine(Levers())).play()

    steps = [line for line in engine.journal if line.event.startswith("step_") and line.state == "applying"]
    assert [(line.step_index, line.event) for line in steps] == [
        (index, event) for index in range(6) for event in ("step_trying", "step_verified")
    ]
    assert [node for node, _ in engine.levers.pulls] == ["a", "b", "c", "a", "b", "c"]


def test_readers_see_every_state_and_every_step(begin):
    engine = begin(Engine(Levers())).play()

    seen = [publish.reallocation.state for publish in engine.published]
    assert list(dict.fromkeys(seen)) == ["preflight", "applying", "verifying", "settled"]
    outcomes = [(publish.step.step_index, publish.step.outcome) for publish in engine.published if publish.step]
    assert outcomes == [(index, word) for index in range(6) for word in ("trying", "applied", "verified")]


# -- refusals: nothing is touched ------------------------------------------------------------------------


def refused(engine):
    assert engine.record.state == "refused"
    assert engine.levers.pulls == []
    assert engine.record.sentence.startswith("Nothing was changed")
    assert engine.record.verdict == "inconclusive"
    assert guards_at(engine.journal, engine.now, LIMITS) == Guards(max_moves_per_hour=2)
    return engine.record


def test_every_blocker_is_named_at_once(begin):
    engine = begin(Engine(Levers()), guards=Guards(running="r1", moves_in_last_hour=2)).play()

    assert refused(engine).reasons == ("REALLOCATION_RUNNING", "RATE_LIMITED")


def test_a_plan_made_for_another_split_is_refused(begin):
    engine = begin(Engine(Levers()))
    engine.levers.split["b"] = Resources(cpu_cores=1, memory_gb=16)

    assert "b has 1 cpu_cores and the plan was made for 2" in refused(engine.play()).sentence


def test_what_a_node_has_promised_is_not_taken(begin):
    engine = begin(Engine(Levers(committed={"a": Resources(cpu_cores=5)})))

    assert "a has promised 5 cpu_cores" in refused(engine.play()).sentence


@pytest.mark.parametrize(
    ("levers", "sentence"),
    [
        (Levers(mute={"c"}), "c did not answer in time"),
        (Levers(offline={"c"}), "nobody listens"),
        (Levers(split={**OLD, "c": Resources(cpu_cores=4)}), "c does not tell its memory_gb"),
    ],
    ids=["mute", "offline", "unknown"],
)
def test_a_node_that_cannot_be_read_is_not_moved(begin, levers, sentence):
    engine = Engine(levers)
    levers_split, levers.split = levers.split, dict(OLD)
    begin(engine)
    levers.split = levers_split

    assert sentence in refused(engine.play()).sentence


# -- the way back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["refuse", "half", "ignore", "part", "slow", "gone"])
@pytest.mark.parametrize("node", ["a", "b", "c"])
@pytest.mark.parametrize("pull", [0, 1])
def test_a_pull_that_fails_is_undone_with_all_before_it(begin, node, pull, fault):
    engine = begin(Engine(Levers(faults={node: [None] * pull + [fault]}))).play()

    assert assert_whole(engine) == "rolled_back"
    assert node in engine.record.rolled_back_reason
    assert {hold.node for hold in guards_at(engine.journal, engine.now, LIMITS).holds} == {
        engine.record.changes[i].node for i in range(len(engine.record.changes))
    } - ({"c"} if (node, pull) in {("a", 0), ("b", 0)} else set()) - ({"b"} if (node, pull) == ("a", 0) else set())


def test_a_lever_that_acts_and_says_nothing_is_not_believed(begin):
    engine = begin(Engine(Levers(faults={"a": ["silent"]}))).play()

    assert assert_whole(engine) == "rolled_back"
    assert "did not confirm" in engine.record.rolled_back_reason


def test_a_lever_that_refused_and_did_nothing_is_not_pulled_again(begin):
    engine = begin(Engine(Levers(faults={"a": ["refuse"]}))).play()

    assert assert_whole(engine) == "rolled_back"
    assert engine.levers.pulls == []


def test_a_change_too_small_to_tell_apart_otherwise_is_still_seen_not_to_come(begin):
    little = {"a": Resources(cpu_cores=5.99), "b": Resources(cpu_cores=2.01)}
    engine = begin(Engine(Levers(faults={"b": ["ignore"]})), goal=little).play()

    assert engine.record.state == "rolled_back"
    assert engine.levers.split == pytest.approx(OLD)


def test_a_lever_that_refused_after_touching_something_is_pulled_back(begin):
    engine = begin(Engine(Levers(faults={"a": ["trace"]}))).play()

    assert assert_whole(engine) == "rolled_back"
    assert [node for node, _ in engine.levers.pulls] == ["a"]


def test_what_is_set_back_later_is_found_at_the_end_and_undone(begin):
    engine = begin(Engine(Levers()))
    engine.later(16.0, lambda: engine.levers.set("a", Resources(memory_gb=8)))

    assert assert_whole(engine.play()) == "rolled_back"
    assert "a did not keep what was set" in engine.record.rolled_back_reason


def test_a_released_resource_is_not_granted_before_the_node_has_let_go(begin):
    levers = Levers()
    engine = begin(Engine(levers))
    engine.later(1.0, lambda: levers.committed.update(a=Resources(cpu_cores=6)))

    assert assert_whole(engine.play()) == "rolled_back"
    assert "a did not take" in engine.record.rolled_back_reason


def test_an_undo_is_tried_again(begin):
    engine = begin(Engine(Levers(faults={"a": [None, None, "refuse"], "c": [None, "ignore"]}))).play()

    assert assert_whole(engine) == "rolled_back"


def test_a_saga_that_cannot_be_undone_is_stuck_and_grants_nothing_more(begin):
    levers = Levers(faults={"b": [None, None, "ignore", "ignore", "ignore"], "c": [None, "refuse"]})
    engine = begin(Engine(levers)).play()

    assert engine.record.state == "stuck"
    assert "b could not be put back" in engine.record.sentence
    assert guards_at(engine.journal, engine.now, LIMITS).stuck == engine.record.id
    assert levers.split["b"] == NEW["b"].filled(OLD["b"])

    story = stories(engine.journal)[engine.record.id]
    engine.perform(*resume(story, engine.now, SETTINGS, "A person asked."))
    assert assert_whole(engine.play()) == "rolled_back"
    assert guards_at(engine.journal, engine.now, LIMITS).stuck is None


def test_a_person_can_call_a_running_move_off(begin):
    engine = begin(Engine(Levers()))
    engine.later(5.0, lambda: engine.perform(*advance(engine.saga, _call_off(engine), engine.now, SETTINGS)))

    assert assert_whole(engine.play()) == "rolled_back"
    assert engine.record.rolled_back_reason == "A person called it off."


def test_a_person_can_call_a_move_off_before_it_began(begin):
    engine = begin(Engine(Levers()))
    engine.later(0.1, lambda: engine.perform(*advance(engine.saga, _call_off(engine), engine.now, SETTINGS)))

    assert assert_whole(engine.play()) == "refused"


def _call_off(engine):
    return RollBackReallocation(reallocation_id=engine.saga.id)


def test_a_settled_move_is_taken_back_by_a_move_of_its_own(begin, make_node, make_snapshot):
    engine = begin(Engine(Levers())).play()
    settled = engine.record
    nodes = {name: make_node(name, has) for name, has in engine.levers.split.items()}
    guards = guards_at(engine.journal, engine.now, LIMITS)
    assert guards.holds

    order = rollback_allocation(
        settled,
        guards=guards,
        snapshot=make_snapshot(nodes),
        now=engine.now,
        settings=SETTINGS,
        sequence=len(engine.journal),
    )
    engine.perform(*order)
    engine.play()

    assert engine.levers.split == OLD
    back = engine.record
    assert (back.state, back.trigger, back.decision_id) == ("settled", "manual", settled.decision_id)
    assert back.cost_usd == Decimal("0.05")
    assert [record.id for record in get_reallocation_history(engine.journal)] == [back.id, settled.id]
    assert get_reallocation_history(engine.journal, limit=1) == (back,)


def test_stale_and_foreign_messages_change_nothing(begin):
    engine = begin(Engine(Levers()))
    heard = []
    ask_node = engine.ask_node

    def overheard(node, message):
        for token, identity in (
            (message.token, "another"),
            ("0.0", message.reallocation_id),
            ("", message.reallocation_id),
        ):
            address = {"reallocation_id": identity, "token": token}
            heard.append(AllocationApplied(**address, node=node))
            heard.append(AllocationRefused(**address, node=node, sentence="no", retryable=False))
            heard.append(ContinueSaga(**address))
            heard.append(
                AllocationRead(
                    **address, node=node, allocation=Resources(), committed=Resources(), connected=False
                )
            )
        ask_node(node, message)

    engine.ask_node = overheard
    engine.later(0.2, lambda: [_ignored(engine, event) for event in heard])
    engine.later(4.2, lambda: [_ignored(engine, event) for event in heard])

    assert assert_whole(engine.play()) == "settled"


def _ignored(engine, event):
    assert advance(engine.saga, event, engine.now, SETTINGS) == (engine.saga, ())


# -- stopped anywhere ------------------------------------------------------------------------------------


def test_a_move_stopped_after_any_effect_ends_in_the_old_or_the_new_split(begin):
    whole = begin(Engine(Levers())).play().done_effects
    ends = [assert_whole(begin(Engine(Levers(), crashes=[at])).play()) for at in range(whole)]

    assert set(ends) == {"refused", "rolled_back", "settled"}
    assert ends == sorted(ends)


def test_a_rollback_stopped_after_any_effect_is_finished(begin):
    def engine(*crashes):
        return begin(Engine(Levers(faults={"c": [None, "part"]}), crashes=crashes)).play()

    for at in range(engine().done_effects):
        assert assert_whole(engine(at)) in {"refused", "rolled_back"}


@pytest.mark.parametrize("seed", range(200))
def test_whatever_goes_wrong_the_journal_closes_and_nothing_is_given_out_twice(begin, seed):
    chance = random.Random(seed)
    words = [None] * 12 + ["refuse", "half", "ignore", "part", "slow", "silent", "gone"]
    faults = {node: [chance.choice(words) for _ in range(chance.randrange(4))] for node in OLD}
    if chance.random() < 0.15:
        faults[chance.choice(sorted(OLD))] = ["always", chance.choice(["refuse", "ignore", "part"])]
    engine = Engine(Levers(faults=faults), crashes=[chance.randrange(150) for _ in range(chance.randrange(4))])
    begin(engine)
    can_always_be_undone = not any(
        "always" in word or len(word) >= SETTINGS.undo_attempts for word in faults.values()
    )
    if chance.random() < 0.3:
        can_always_be_undone = False
        node, begins = chance.choice(sorted(OLD)), chance.uniform(0, 60)
        engine.later(begins, lambda: engine.levers.offline.add(node))
        engine.later(begins + chance.uniform(1, 30), lambda: engine.levers.offline.discard(node))

    state = assert_whole(engine.play(chance))

    guards = guards_at(engine.journal, engine.now, LIMITS)
    assert guards.running is None
    assert (guards.stuck is not None) == (state == "stuck")
    if can_always_be_undone:
        assert state != "stuck"


def test_two_sagas_under_way_at_once_are_a_contradiction(begin):
    engine = begin(Engine(Levers())).play()
    open_lines = [line for line in engine.journal if line.state not in TERMINAL]
    twin = [
        replace(
            line,
            reallocation_id="twin",
            sequence=line.sequence + 1000,
            record=replace(line.record, id="twin") if line.record else None,
        )
        for line in open_lines
    ]
    with pytest.raises(JournalError, match="2 sagas open"):
        recover([*open_lines, *twin], engine.now, SETTINGS)


# -- what it costs ---------------------------------------------------------------------------------------


def test_the_cost_is_the_income_lost_while_levers_are_pulled():
    steps = order_steps(OLD, NEW)
    slow = SagaSettings(levers={"a": LeverTiming(downtime_s=60), "b": LeverTiming(downtime_s=0)})

    assert estimate_reallocation_cost(steps, {"a": 3.0, "c": 9.0}, slow) == Decimal("0.1")
    assert estimate_reallocation_cost(steps, {"a": None}, slow) is None
    assert estimate_reallocation_cost(steps, {"a": -3.0}, slow) == 0
    assert estimate_reallocation_cost((), {}, slow) == 0


def test_only_what_is_changed_makes_a_node_pause():
    timing = LeverTiming(downtime_s=60, pause_s={"storage_gb": 60.0, "cpu_cores": 0.0})
    settings = SagaSettings(levers={"a": timing})

    def cost(**amounts):
        had = {"a": Resources(cpu_cores=2.0, memory_gb=4.0, storage_gb=100.0)}
        steps = order_steps(had, {"a": Resources(**amounts)})
        return estimate_reallocation_cost(steps, {"a": 3.0}, settings)

    assert cost(cpu_cores=1.0) == 0
    assert cost(storage_gb=200.0) == Decimal("0.05")
    assert cost(cpu_cores=1.0, storage_gb=50.0) == Decimal("0.05")
    assert cost(memory_gb=1.0) == Decimal("0.05")


@pytest.mark.parametrize(
    ("trigger", "sentence", "reasons"),
    [
        ("auto", "Stay: the lever waits.", ("LEVER_NEEDS_APPROVAL", "GAIN_ABOVE_COST")),
        ("approved", "A person approved it. Move 2 cores from a to b.", ("GAIN_ABOVE_COST",)),
    ],
)
def test_what_a_person_approved_is_not_told_as_what_waited_for_a_person(
    make_plan, make_node, make_snapshot, trigger, sentence, reasons
):
    plan = replace(
        make_plan(OLD, NEW),
        reasons=("LEVER_NEEDS_APPROVAL", "GAIN_ABOVE_COST"),
        sentence="Stay: the lever waits.",
        move="Move 2 cores from a to b.",
        blockers=(Blocker(code="LEVER_NEEDS_APPROVAL", sentence="The lever waits."),),
    )
    saga, _ = execute_reallocation(
        plan,
        trigger,
        guards=Guards(),
        snapshot=make_snapshot({name: make_node(name, has) for name, has in OLD.items()}),
        now=plan.decided_at,
        settings=SETTINGS,
        sequence=0,
    )
    assert (saga.story.record.sentence, saga.story.record.reasons) == (sentence, reasons)
