"""Budgets of moves per day, windows and a clock that steps back, in the guards."""

from datetime import UTC, datetime, timedelta

import pytest

from orch.model.fleet import LeverState
from orch.model.moves import Demotion, LeverName
from orch.model.resources import RESOURCES, Resources
from orch.reallocation.guards import can_reallocate, guards_of
from orch.reallocation.holds import Ended, NodePast, Past, Turned, after_step_back
from orch.reallocation.settings import MoveLimits
from orch.reallocation.windows import Window, Windows

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEFORE = {"a": Resources(cpu_cores=4), "b": Resources(cpu_cores=4)}
AFTER = {"a": Resources(cpu_cores=2), "b": Resources(cpu_cores=6)}
CLOSED = Windows(of=(Window(start_min=60, end_min=120),))


def past(*hours_ago, nodes=("a",)):
    ended = (Ended(id=f"r{each}", ended_at=NOW - each * HOUR, nodes=nodes) for each in sorted(hours_ago)[::-1])
    return Past(ended=tuple(ended))


@pytest.fixture
def codes(make_node, make_plan, make_snapshot):
    def codes(guards, trigger="auto", levers=None):
        nodes = {
            name: make_node(name, has, **({"levers": levers} if levers else {})) for name, has in BEFORE.items()
        }
        found = can_reallocate(make_plan(BEFORE, AFTER), guards, make_snapshot(nodes), NOW, trigger)
        return {each.code: each for each in found.blockers}

    return codes


@pytest.mark.parametrize(
    ("hours_ago", "most", "running", "counted", "opens"),
    [
        ((2, 5), None, None, 2, None),
        ((2, 5), 3, None, 2, None),
        ((2, 5), 2, None, 2, NOW - 5 * HOUR + 24 * HOUR),
        ((2, 5, 9), 2, None, 3, NOW - 5 * HOUR + 24 * HOUR),
        ((2, 23.5, 25), 2, None, 2, NOW + 0.5 * HOUR),
        ((5,), 2, "r5", 1, None),
        ((5,), 2, "r0", 2, NOW + 19 * HOUR),
    ],
    ids=["boundless", "room", "spent", "overspent", "a day ago", "it runs already", "one runs"],
)
def test_the_budget_of_a_day_counts_any_24_hours(hours_ago, most, running, counted, opens):
    limits = MoveLimits(max_moves_per_day=most)

    guards = guards_of(past(*hours_ago), NOW, limits, running=running)

    assert (guards.moves_in_last_day, guards.next_day_slot_at) == (counted, opens)


def test_a_spent_day_stops_orch_and_not_a_person(codes):
    guards = guards_of(past(2, 5), NOW, MoveLimits(max_moves_per_day=2))

    assert codes(guards)["DAY_BUDGET_SPENT"].until == NOW + 19 * HOUR
    assert codes(guards, "approved") == {}


def test_a_node_has_a_budget_of_its_own(codes):
    limits = MoveLimits(max_moves_per_node_per_day=2)

    assert codes(guards_of(past(2), NOW, limits)) == {}
    assert codes(guards_of(past(2, 5, nodes=("other",)), NOW, limits)) == {}
    blocker = codes(guards_of(past(2, 5), NOW, limits))["DAY_BUDGET_SPENT"]
    assert (blocker.node, blocker.until) == ("a", NOW + 19 * HOUR)


def test_outside_a_window_orch_waits_and_a_person_need_not(codes):
    guards = guards_of(Past(), NOW, MoveLimits(windows=CLOSED))

    assert codes(guards)["OUTSIDE_WINDOW"].until == datetime(2026, 11, 23, 1, tzinfo=UTC)
    assert codes(guards, "approved") == {}
    assert guards_of(Past(), NOW.replace(hour=1), MoveLimits(windows=CLOSED)).window_opens_at is None


@pytest.mark.parametrize(("ahead_h", "held_h"), [(-2, 0), (-0.5, 0.5), (0, 1), (0.5, 1), (24 * 365, 1)], ids=str)
def test_a_clock_that_stepped_back_makes_no_hold_longer_than_it_was(ahead_h, held_h):
    ended_at = NOW + ahead_h * HOUR
    turned = (Turned(resource="cpu_cores", up=True, ended_at=ended_at),)
    node = NodePast(ended_at=ended_at, hold_s=3600, turned=turned)
    before = Past(nodes={"a": node}, ended=(Ended(id="r1", ended_at=ended_at, nodes=("a",)),))

    guards = guards_of(after_step_back(before, NOW), NOW, MoveLimits(max_moves_per_hour=1))

    left = [(hold.until - NOW) / HOUR for hold in guards.holds]
    assert left == ([held_h] if held_h else [])
    assert guards.next_slot_at is None or guards.next_slot_at <= NOW + HOUR
    assert guards.last_move_at <= NOW


def test_the_first_lever_that_sets_a_resource_is_the_one_whose_trust_counts(codes):
    levers = (
        LeverState(kind="cgroup", sets=("cpu_cores",), mode="suggest"),
        LeverState(kind="command", sets=RESOURCES, mode="auto"),
    )

    assert set(codes(guards_of(Past(), NOW, MoveLimits()), levers=levers)) == {"LEVER_IN_SUGGEST_MODE"}


@pytest.mark.parametrize(
    ("mode", "configured", "auto", "approved"),
    [
        ("approve", "auto", {"LEVER_NEEDS_APPROVAL"}, set()),
        ("suggest", "auto", {"LEVER_IN_SUGGEST_MODE"}, {"LEVER_IN_SUGGEST_MODE"}),
        ("observe", "auto", {"LEVER_IN_OBSERVE_MODE"}, {"LEVER_IN_OBSERVE_MODE"}),
        ("approve", "suggest", {"LEVER_IN_SUGGEST_MODE"}, {"LEVER_IN_SUGGEST_MODE"}),
    ],
)
def test_a_demoted_lever_may_do_what_its_lower_rung_may(codes, mode, configured, auto, approved):
    lever = LeverName(node="a", kind="emulated")
    demotion = Demotion(lever=lever, mode=mode, since=NOW, sentence="It was demoted.")
    guards = guards_of(Past(), NOW, MoveLimits())
    guards = type(guards)(demotions=(demotion,))
    levers = (LeverState(kind="emulated", sets=RESOURCES, mode=configured),)

    by_node = {code: each.node for code, each in codes(guards, levers=levers).items()}
    assert set(by_node) == auto
    assert set(codes(guards, "approved", levers=levers)) == approved
    if configured == "auto":
        assert set(by_node.values()) == {"a"}
