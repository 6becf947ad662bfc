"""Guards from the journal alone, and every check before a lever is touched."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from orch.errors import JournalError
from orch.model.moves import Guards, Hold, JournalRecord
from orch.model.resources import Resources
from orch.reallocation.guards import can_reallocate, guards_of
from orch.reallocation.holds import Past, remember
from orch.reallocation.settings import MoveLimits
from orch.reallocation.story import stories
from tests.fakes.moving import guards_at

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = MoveLimits(min_hold_s=3600, max_moves_per_hour=2)


def after(minutes):
    return START + timedelta(minutes=minutes)


def test_a_long_rest_follows_only_what_its_lever_set(moved):
    limits = replace(LIMITS, dwell_s={"disk": {"storage_gb": 86_400.0}, "work": {"cpu_cores": 7200.0}})
    assert limits.hold_s("disk", "storage_gb") == 86_400
    assert limits.hold_s("disk", "cpu_cores") == limits.hold_s("other", "cpu_cores") == 3600
    moved(0, "disk", 4, 2)
    records = moved(0, "work", 2, 4)
    holds = {hold.node: hold.until for hold in guards_at(records, after(1), limits).holds}
    assert holds == {"disk": after(60), "work": after(120)}


@pytest.fixture
def moved(make_record):
    """Journals of whole moves: `moved(minute, "disk", 4, 2)` or with `state="rolled_back"`."""
    lines = []

    def moved(minute, node, before, behind, state="settled"):
        record, steps = make_record(
            f"r{len(lines)}",
            {node: Resources(cpu_cores=before)},
            {node: Resources(cpu_cores=behind)},
            after(minute),
        )
        story = [("opened", "proposed", None)]
        if state == "refused":
            story.append(("closed", "refused", None))
        else:
            story += [("state", name, None) for name in ("approved", "preflight", "applying")]
            story.append(("step_trying", "applying", 0))
        if state == "settled":
            story += [("step_verified", "applying", 0), ("state", "verifying", None), ("closed", "settled", None)]
        if state in {"rolled_back", "stuck"}:
            story += [("state", "rolling_back", None), ("undo_trying", "rolling_back", 0)]
            story.append(("undo_verified" if state == "rolled_back" else "undo_failed", "rolling_back", 0))
            story.append(("closed", state, None))
        for event, name, index in story:
            lines.append(
                JournalRecord(
                    sequence=len(lines),
                    written_at=after(minute),
                    reallocation_id=record.id,
                    event=event,
                    state=name,
                    step_index=index,
                    record=record if event == "opened" else None,
                    steps=steps if event == "opened" else (),
                )
            )
        return lines

    return moved


def hold_minutes(records, node, at_minute):
    """How long a node is still held."""
    holds = {hold.node: hold for hold in guards_at(records, after(at_minute), LIMITS).holds}
    return (holds[node].until - after(at_minute)).total_seconds() / 60 if node in holds else 0


def test_an_empty_journal_allows_everything():
    assert guards_at((), START, LIMITS) == Guards(max_moves_per_hour=2)


def test_a_settled_move_holds_the_nodes_it_changed_and_no_other(moved):
    records = moved(0, "disk", 4, 2)

    assert hold_minutes(records, "disk", 0) == 60
    assert hold_minutes(records, "disk", 59) == 1
    assert hold_minutes(records, "disk", 60) == 0
    assert hold_minutes(records, "relay", 0) == 0


def test_a_rolled_back_move_holds_and_counts(moved):
    records = moved(0, "disk", 4, 2, "rolled_back")

    assert hold_minutes(records, "disk", 0) == 60
    assert guards_at(records, after(1), LIMITS).moves_in_last_hour == 1


def test_a_refused_move_leaves_nothing_behind(moved):
    assert guards_at(moved(0, "disk", 4, 2, "refused"), START, LIMITS) == Guards(max_moves_per_hour=2)


@pytest.mark.parametrize(
    ("minute", "before", "behind", "expected"),
    [
        (61, 2, 4, 120),
        (120, 2, 4, 120),
        (121, 2, 4, 60),
        (61, 2, 1, 60),
    ],
    ids=["reversed soon", "at the edge", "reversed late", "further the same way"],
)
def test_a_quick_reversal_doubles_the_hold(moved, minute, before, behind, expected):
    moved(0, "disk", 4, 2)

    assert hold_minutes(moved(minute, "disk", before, behind), "disk", minute) == expected


def test_reversals_in_a_row_double_each_time_up_to_a_day_and_one_calm_move_ends_the_row(moved):
    minute, held = 0, []
    for turn in range(8):
        records = moved(minute, "disk", *((4, 2) if turn % 2 == 0 else (2, 4)))
        held.append(hold_minutes(records, "disk", minute))
        minute += held[-1]
    assert held == [60, 120, 240, 480, 960, 1440, 1440, 1440]

    assert hold_minutes(moved(minute, "disk", 4, 8), "disk", minute) == 60


def test_reversals_are_counted_by_node(moved):
    moved(0, "disk", 4, 2)

    assert hold_minutes(moved(61, "relay", 2, 4), "relay", 61) == 60


def test_a_lever_that_fails_again_and_again_is_tried_more_and_more_rarely(moved):
    moved(0, "disk", 4, 2, "rolled_back")
    assert hold_minutes(moved(60, "disk", 4, 2, "rolled_back"), "disk", 60) == 120
    assert hold_minutes(moved(180, "disk", 4, 2, "rolled_back"), "disk", 180) == 240
    assert hold_minutes(moved(420, "disk", 4, 2), "disk", 420) == 60


def test_the_next_slot_opens_when_the_oldest_of_the_last_moves_is_an_hour_old(moved):
    moved(0, "a", 1, 2)
    records = moved(20, "b", 1, 2)

    now = guards_at(records, after(30), LIMITS)
    assert (now.moves_in_last_hour, now.next_slot_at) == (2, after(60))
    later = guards_at(records, after(60), LIMITS)
    assert (later.moves_in_last_hour, later.next_slot_at) == (1, None)


def test_more_moves_than_allowed_push_the_slot_to_when_one_more_fits(moved):
    for minute in (0, 10, 20):
        records = moved(minute, f"n{minute}", 1, 2)

    assert guards_at(records, after(30), LIMITS).next_slot_at == after(70)


def test_a_stuck_saga_stays_stuck_and_an_open_one_is_running(moved):
    records = moved(0, "disk", 4, 2, "stuck")
    stuck = records[0].reallocation_id
    assert guards_at(records, after(5000), LIMITS).stuck == stuck

    cut = moved(10, "relay", 1, 2)[:-2]
    now = guards_at(cut, after(10), LIMITS)
    assert (now.stuck, now.running) == (stuck, cut[-1].reallocation_id)
    assert now.moves_in_last_hour == 1


def test_remembering_move_by_move_is_the_same_as_reading_the_whole_journal(moved):
    for minute, (node, before, behind, state) in enumerate(
        [("a", 1, 2, "settled"), ("b", 4, 2, "rolled_back"), ("a", 2, 1, "settled"), ("b", 4, 2, "refused")]
    ):
        records = moved(minute * 30, node, before, behind, state)

    past = Past()
    for story in stories(records).values():
        past = remember(past, story, LIMITS)

    for minute in (95, 150, 300):
        assert guards_of(past, after(minute), LIMITS) == guards_at(records, after(minute), LIMITS)


def test_a_journal_that_contradicts_itself_is_an_error(moved):
    records = moved(0, "disk", 4, 2)
    for broken in (
        records[1:],
        [*records, records[-1]],
        [*records, replace(records[0], sequence=99)],
        [records[0], replace(records[-1], sequence=99)],
        [*records[:3], replace(records[5], sequence=99)],
        [*records[:5], replace(records[5], step_index=7)],
    ):
        with pytest.raises(JournalError, match="journal"):
            guards_at(broken, START, LIMITS)


# -- can_reallocate --------------------------------------------------------------------------------------


def codes(*arguments):
    verdict = can_reallocate(*arguments)
    assert verdict.allowed == (not verdict.blockers)
    return [blocker.code for blocker in verdict.blockers]


@pytest.fixture
def world(make_node, make_snapshot, make_plan):
    """A plan that takes two cores from `a` for `b`, and the fleet it was made for."""
    present = {"a": Resources(cpu_cores=4), "b": Resources(cpu_cores=2)}
    goal = {"a": Resources(cpu_cores=2), "b": Resources(cpu_cores=4)}
    nodes = {name: make_node(name, has) for name, has in present.items()}
    return make_plan(present, goal), nodes, make_snapshot


def test_nothing_stands_in_the_way_of_a_good_plan(world):
    plan, nodes, snapshot = world

    assert codes(plan, Guards(), snapshot(nodes), START) == []


@pytest.mark.parametrize(
    ("guards", "expected", "for_a_person"),
    [
        (Guards(stuck="r1"), ["SAGA_STUCK"], ["SAGA_STUCK"]),
        (Guards(running="r1"), ["REALLOCATION_RUNNING"], ["REALLOCATION_RUNNING"]),
        (Guards(frozen_until=after(1)), ["FROZEN"], ["FROZEN"]),
        (Guards(frozen_until=START), [], []),
        (Guards(moves_in_last_hour=2), ["RATE_LIMITED"], []),
        (Guards(holds=(Hold(node="a", until=after(1), sentence="rests"),)), ["HOLD_ACTIVE"], []),
        (Guards(holds=(Hold(node="a", until=START, sentence="rests"),)), [], []),
        (Guards(holds=(Hold(node="c", until=after(1), sentence="rests"),)), [], []),
    ],
)
def test_what_the_journal_forbids(world, guards, expected, for_a_person):
    plan, nodes, snapshot = world

    assert codes(plan, guards, snapshot(nodes), START) == expected
    assert codes(plan, guards, snapshot(nodes), START, "approved") == for_a_person


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"health": "offline"}, ["NODE_OFFLINE"]),
        ({"health": "unknown"}, ["NODE_STALE"]),
        ({"health": "degraded"}, []),
        ({"levers": ()}, ["LEVER_MISSING"]),
        ({"allocation": Resources()}, ["ALLOCATION_UNKNOWN"]),
        ({"committed": Resources(cpu_cores=3)}, ["NODE_COMMITTED"]),
        ({"committed": Resources(cpu_cores=2)}, []),
        ({"floor": Resources(cpu_cores=2.5)}, ["PROTECTED_FLOOR"]),
        ({"mode": "observe"}, ["LEVER_IN_OBSERVE_MODE"]),
        ({"mode": "suggest"}, ["LEVER_IN_SUGGEST_MODE"]),
        ({"mode": "approve"}, ["LEVER_NEEDS_APPROVAL"]),
    ],
)
def test_what_a_touched_node_forbids(world, change, expected):
    plan, nodes, snapshot = world
    if "mode" in change:
        change = {"levers": tuple(replace(lever, mode=change["mode"]) for lever in nodes["a"].levers)}
    nodes["a"] = replace(nodes["a"], **change)

    assert codes(plan, Guards(), snapshot(nodes), START) == expected


@pytest.mark.parametrize(("mode", "expected"), [("approve", []), ("suggest", ["LEVER_IN_SUGGEST_MODE"])])
def test_a_persons_word_opens_levers_in_approve_mode_and_no_others(world, mode, expected):
    plan, nodes, snapshot = world
    nodes["a"] = replace(nodes["a"], levers=tuple(replace(lever, mode=mode) for lever in nodes["a"].levers))

    assert codes(plan, Guards(), snapshot(nodes), START, "approved") == expected


@pytest.mark.parametrize(
    ("gain", "cost", "expected"),
    [
        (Decimal(2), Decimal(1), []),
        (Decimal(1), Decimal(1), ["GAIN_BELOW_COST"]),
        (None, Decimal(1), ["RATE_UNKNOWN"]),
        (Decimal(1), None, ["RATE_UNKNOWN"]),
    ],
)
def test_a_move_must_be_worth_its_cost_unless_a_person_wants_it(world, gain, cost, expected):
    plan, nodes, snapshot = world
    plan = replace(plan, gain_usd=gain, cost_usd=cost)

    assert codes(plan, Guards(), snapshot(nodes), START) == expected
    assert codes(plan, Guards(), snapshot(nodes), START, "approved") == []


def test_a_split_that_gives_out_more_than_there_is_is_refused(world, make_node):
    plan, nodes, snapshot = world
    nodes["c"] = make_node("c", Resources(), used=Resources(cpu_cores=3))

    assert codes(plan, Guards(), snapshot(nodes, cpu_cores=9), START) == []
    more = replace(plan, to_value={**plan.to_value, "b": Resources(cpu_cores=5)})
    assert codes(more, Guards(), snapshot(nodes, cpu_cores=9), START) == ["INFEASIBLE"]


def test_a_move_that_lessens_an_overcommitment_is_allowed(world):
    plan, nodes, snapshot = world
    less = replace(plan, to_value={"a": Resources(cpu_cores=3), "b": Resources(cpu_cores=2)})

    assert codes(less, Guards(), snapshot(nodes, cpu_cores=4), START) == []


def test_before_the_first_snapshot_and_without_a_change_nothing_moves(world):
    plan, nodes, snapshot = world

    assert codes(plan, Guards(), None, START) == ["NOT_READY"]
    still = replace(plan, to_value=plan.from_value)
    assert codes(still, Guards(), snapshot(nodes), START) == ["ALREADY_BEST"]


def test_a_node_that_is_not_here_cannot_be_touched(world):
    plan, nodes, snapshot = world
    del nodes["b"]

    assert codes(plan, Guards(), snapshot(nodes), START) == ["NODE_OFFLINE"]
