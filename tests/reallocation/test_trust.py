"""The trust ladder: what costs a lever a rung, what gives it back, and what the journal remembers."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from orch.model.moves import Guards, JournalRecord, LeverName, Order
from orch.model.resources import Resources
from orch.reallocation.story import stories
from orch.reallocation.trust import (
    Standing,
    TrustedLever,
    demotions_due,
    obeyed,
    promotions_ordered,
    promotions_stated,
    rung_of,
    standing_of,
    thawing_in_time,
    with_standing,
)

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CORES = TrustedLever(name=LeverName(node="a", kind="cgroup"), sets=("cpu_cores",), mode="auto")
DISK = TrustedLever(name=LeverName(node="a", kind="storj_config"), sets=("storage_gb",), mode="auto")
BACKUP = TrustedLever(name=LeverName(node="a", kind="command"), sets=("cpu_cores", "storage_gb"), mode="auto")
OTHER = TrustedLever(name=LeverName(node="b", kind="cgroup"), sets=("cpu_cores",), mode="auto")
LEVERS = (CORES, DISK, BACKUP, OTHER)
DEMOTE = Order(what="demote", lever=CORES.name, mode="approve")

BROKEN = ("step_trying 0", "step_failed 0", "rolling_back", "undo_trying 0", "undo_verified 0", "rolled_back")
CALLED_OFF = ("step_trying 0", "rolling_back", "undo_trying 0", "undo_verified 0", "rolled_back")
STUCK = ("step_trying 0", "rolling_back", "undo_trying 0", "undo_failed 0", "stuck")
SETTLED = ("step_trying 0", "step_verified 0", "verifying", "settled")
NOT_KEPT = (
    *SETTLED[:3],
    "step_failed 0",
    "rolling_back",
    "undo_trying 0",
    "undo_verified 0",
    "rolled_back",
)


@pytest.fixture
def told(make_record):
    """Moves by day: `told((0, BROKEN), (2, BROKEN))`, of cores of `a` unless said otherwise."""

    def told(*moves, node="a", resource="cpu_cores"):
        lines = []
        for day, what in moves:
            when = START + day * DAY
            record, steps = make_record(
                f"r{len(lines)}",
                {node: Resources(**{resource: 4})},
                {node: Resources(**{resource: 2})},
                when,
            )
            state = "proposed"
            for word in ("opened", "approved", "preflight", "applying", *what):
                event, _, index = word.partition(" ")
                if not index and event != "opened":
                    state = event
                    event = "closed" if state in {"settled", "rolled_back", "stuck"} else "state"
                lines.append(
                    JournalRecord(
                        sequence=len(lines),
                        written_at=when,
                        reallocation_id=record.id,
                        event=event,
                        state=state,
                        step_index=int(index) if index else None,
                        record=record if event == "opened" else None,
                        steps=steps if event == "opened" else (),
                    )
                )
        return stories(lines).values()

    return told


def due(told, standing=Standing(), at=START + 6 * DAY, levers=LEVERS):  # noqa: B008 - a frozen value
    return [(order.lever.kind, order.mode) for order in demotions_due(told, levers, standing, at)]


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([(0, BROKEN)], []),
        ([(0, BROKEN), (5, BROKEN)], [("cgroup", "approve")]),
        ([(0, NOT_KEPT), (5, BROKEN)], [("cgroup", "approve")]),
        ([(0, STUCK), (5, BROKEN)], [("cgroup", "approve")]),
        ([(-2, BROKEN), (5, BROKEN)], []),
        ([(0, CALLED_OFF), (5, BROKEN)], []),
        ([(0, SETTLED), (5, BROKEN)], []),
    ],
    ids=["once", "twice", "not kept", "stuck", "a week apart", "called off, or orch stopped", "one settled"],
)
def test_two_rollbacks_in_a_week_cost_a_rung(told, moves, expected):
    assert due(told(*moves)) == expected


def test_the_lever_that_was_pulled_is_blamed_and_no_other(told):
    twice = [(0, BROKEN), (1, BROKEN)]

    assert due(told(*twice, resource="storage_gb")) == [("storj_config", "approve")]
    assert due(told(*twice, resource="cpu_cores"), levers=LEVERS[1:]) == [("command", "approve")]
    assert due(told(*twice, resource="bandwidth_mbps")) == []
    assert [
        each.lever.node for each in demotions_due(told(*twice, node="b"), LEVERS, Standing(), START + DAY)
    ] == ["b"]


def test_each_rung_takes_two_more_rollbacks_down_to_observe(told):
    standing, moves, rungs = Standing(), [], []
    for day in range(8):
        moves.append((day / 2, BROKEN))
        now = START + day / 2 * DAY
        for order in demotions_due(told(*moves), LEVERS, standing, now):
            standing = obeyed(standing, order, now)
            rungs.append((day, order.mode))
    assert rungs == [(1, "approve"), (3, "suggest"), (5, "observe")]
    assert rung_of(CORES, standing) == "observe"
    assert rung_of(OTHER, standing) == "auto"


def test_a_ceiling_lower_than_what_is_left_counts():
    standing = obeyed(Standing(), DEMOTE, START)

    assert rung_of(replace(CORES, mode="suggest"), standing) == "suggest"
    assert rung_of(CORES, standing) == "approve"


def test_only_a_persons_word_restores_trust(told):
    standing = obeyed(Standing(), DEMOTE, START)

    assert promotions_ordered(standing, "b", None) == promotions_ordered(standing, "a", "tc") == ()
    for order in promotions_ordered(standing, "a", None):
        standing = obeyed(standing, order, START + DAY)
    assert standing.demotions == ()
    # What was forgiven no longer counts.
    assert due(told((0, BROKEN), (0.5, BROKEN)), standing) == []
    assert due(told((0, BROKEN), (2, BROKEN)), standing) == []
    assert due(told((2, BROKEN), (3, BROKEN)), standing) == [("cgroup", "approve")]


@pytest.mark.parametrize(
    ("then", "now", "promoted"),
    [(None, None, False), (None, "auto", True), ("auto", "auto", False), ("auto", "approve", True)],
)
def test_another_word_in_the_configuration_is_a_persons_word(then, now, promoted):
    standing = obeyed(Standing(), replace(DEMOTE, stated=then), START)

    found = promotions_stated((replace(CORES, stated=now),), standing)

    assert [order.what for order in found] == (["promote"] if promoted else [])
    assert promotions_stated((OTHER,), standing) == ()


def test_orders_are_read_from_the_journal_and_are_no_part_of_any_move():
    orders = (
        Order(what="freeze", until=START + DAY),
        DEMOTE,
        Order(what="reject", plan_id="p1"),
        Order(what="reject", plan_id="p1"),
    )
    lines = [
        JournalRecord(sequence=n, written_at=START, reallocation_id="", event="ordered", state=None, order=order)
        for n, order in enumerate(orders)
    ]

    standing = standing_of(lines)

    assert stories(lines) == {}
    assert (standing.frozen_until, standing.rejected) == (START + DAY, ("p1",))
    guards = with_standing(Guards(), standing, START)
    assert guards.frozen_until == START + DAY
    assert [(each.lever, each.mode) for each in guards.demotions] == [(CORES.name, "approve")]
    assert with_standing(Guards(), standing, START + DAY).frozen_until is None
    assert obeyed(standing, Order(what="unfreeze"), START).frozen_until is None


@pytest.mark.parametrize(("back_h", "left_h"), [(0, 2), (-1, 1), (1, 2), (24 * 365, 2)])
def test_a_freeze_seen_from_a_clock_that_stepped_back_lasts_as_long_as_was_asked(back_h, left_h):
    hour = timedelta(hours=1)
    standing = obeyed(Standing(), Order(what="freeze", until=START + 2 * hour), START)
    now = START - back_h * hour

    assert thawing_in_time(standing, now).frozen_until - now == left_h * hour
