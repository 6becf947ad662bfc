"""Proposals: how long they stand, what makes them stale, and parts of them."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from orch.model.fleet import LeverState
from orch.model.moves import Guards
from orch.model.resources import RESOURCES, Resources
from orch.reallocation.proposals import part_of, plan_standing, remembered
from orch.reallocation.settings import SagaSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEFORE = {"a": Resources(cpu_cores=6, memory_gb=8), "b": Resources(cpu_cores=2, memory_gb=4)}
AFTER = {"a": Resources(cpu_cores=3, memory_gb=8), "b": Resources(cpu_cores=5, memory_gb=4)}
FREE = Guards()
SUGGEST = (LeverState(kind="emulated", sets=RESOURCES, mode="suggest"),)


@pytest.fixture
def standing(make_node, make_plan, make_snapshot):
    def standing(*, age=timedelta(0), has=BEFORE, guards=FREE, made=None, rejected=False, known=True, **node):
        nodes = {name: make_node(name, amounts, **node) for name, amounts in has.items()}
        return plan_standing(
            "p1",
            make_plan(BEFORE, AFTER) if known else None,
            made=made,
            rejected=rejected,
            guards=guards,
            snapshot=make_snapshot(nodes),
            settings=SagaSettings(),
            now=NOW + age,
            patience_s=1800,
        )

    return standing


@pytest.mark.parametrize(
    ("case", "state", "codes", "says"),
    [
        ({}, "open", [], "may be approved"),
        ({"known": False}, "unknown", [], "orch plan"),
        ({"rejected": True}, "decided", [], "was rejected"),
        ({"age": HOUR}, "expired", ["PLAN_EXPIRED"], "orch plan"),
        ({"has": {**BEFORE, "b": Resources(cpu_cores=1)}}, "stale", ["PLAN_STALE"], "b has 1 cpu_cores now"),
        ({"has": {**BEFORE, "b": Resources(cpu_cores=2, memory_gb=9)}}, "open", [], ""),
        ({"guards": Guards(frozen_until=NOW + HOUR)}, "blocked", ["FROZEN"], "orch unfreeze"),
        ({"guards": Guards(running="r1")}, "blocked", ["REALLOCATION_RUNNING"], "r1"),
        ({"levers": SUGGEST}, "blocked", ["LEVER_IN_SUGGEST_MODE"] * 2, "suggest mode"),
        ({"levers": ()}, "blocked", ["LEVER_MISSING"] * 2, "no lever"),
        ({"health": "offline"}, "blocked", ["NODE_OFFLINE"] * 2, "offline"),
    ],
    ids=lambda value: next(iter(value), "fine") if isinstance(value, dict) else "",
)
def test_how_a_plan_stands_is_said_with_what_to_do(standing, case, state, codes, says):
    found = standing(**case)

    assert (found.state, [each.code for each in found.blockers]) == (state, codes)
    assert says in found.sentence


def test_a_plan_that_was_taken_names_its_move(standing, make_record):
    record, _ = make_record("r7", BEFORE, AFTER)

    found = standing(made=replace(record, state="applying"), age=HOUR)

    assert (found.state, found.reallocation_id) == ("decided", "r7")
    assert "applying" in found.sentence


def test_proposals_are_kept_until_they_expire_and_never_too_many(make_plan):
    known = {}
    for minute in range(60):
        when = NOW + timedelta(minutes=minute)
        plan = replace(make_plan(BEFORE, AFTER, f"p{minute}"), decided_at=when)
        known = remembered(known, plan, when, 1800)
    assert list(known) == [f"p{minute}" for minute in range(29, 60)]
    assert list(remembered(known, plan, when, 1800, most=3)) == ["p57", "p58", "p59"]


def test_a_part_of_a_plan_changes_only_what_was_taken_and_claims_no_gain(make_plan):
    plan = make_plan(BEFORE, AFTER)

    assert part_of(plan, (0, 1)) is plan
    part = part_of(plan, (0,))
    assert part.to_value == {"a": AFTER["a"], "b": BEFORE["b"]}
    assert part.from_value == plan.from_value
    assert part.gain_usd_per_hour is part.gain_usd is part.cost_usd is part.net_benefit_usd is None
    assert "Step 1 of 2" in part.move
    assert part_of(plan, ()).to_value == BEFORE
