"""Settled moves followed by their money: looks, verdicts in the story, and what is done about a loss."""

from datetime import timedelta

import numpy as np
import pytest
from msgspec.structs import replace

from orch.errors import JournalError
from orch.model.moves import Guards, JournalRecord, Step
from orch.model.proofs import Pause, Proof
from orch.model.resources import Resources
from orch.reallocation.costs import learned_downtime, with_learned
from orch.reallocation.following import followed, looks_due, to_take_back
from orch.reallocation.holds import past_of
from orch.reallocation.orders import rollback_allocation, undoing_blockers
from orch.reallocation.proof import ProofTerms, judge
from orch.reallocation.settings import LeverTiming, MoveLimits, SagaSettings
from orch.reallocation.story import Story, fold
from tests.fakes import incomes, moving

MOVED, PAST_H = incomes.MOVED, incomes.PAST_H
TERMS = ProofTerms(usual_s=6 * 3600.0)
HOUR = timedelta(hours=1)


def story(record):
    _, steps = moving.record("x", {"a": Resources(cpu_cores=1)}, {"a": Resources(cpu_cores=2)})
    return Story(record=record, steps=steps, tried=(0,), verified=(0,))


def history(factor, node="a"):
    income = np.random.default_rng(1).normal(1.0, 0.1, PAST_H + 48)
    income[PAST_H:] *= factor
    return incomes.told(**{node: income})


def told(*records):
    return followed([story(record) for record in records], MOVED + timedelta(days=1))


def judged(known, identity, proof):
    line = JournalRecord(
        sequence=9, written_at=MOVED, reallocation_id=identity, event="judged", state="settled", proof=proof
    )
    return {**known, identity: fold(known[identity], line)}


def lost(identity="r1", **fields):
    known = told(incomes.settled("a", identity=identity, **fields))
    ((_, proof),) = looks_due(known, history(0.5), None, TERMS)
    return judged(known, identity, proof)


def test_a_look_is_written_and_shown_once():
    known = lost()
    record = known["r1"].record
    assert record.verdict == "lost"
    assert record.realised_gain_usd_per_hour.mean == pytest.approx(-0.5, abs=0.1)
    assert record.sentence.startswith("It pays. In 3 h its nodes earned")
    assert looks_due(known, history(0.5), None, TERMS) == ()
    with pytest.raises(JournalError, match="verdict is open"):
        judged(known, "r1", known["r1"].proof)


def test_what_was_said_before_is_replaced_by_the_next_look():
    known = told(incomes.settled("a"))
    for _ in range(3):
        ((_, proof),) = looks_due(known, history(1.0), None, TERMS)
        known = judged(known, "r1", proof)
    record = known["r1"].record
    assert record.verdict == "inconclusive"
    assert record.sentence.count("its nodes earned") == 1
    assert "In 12 h" in record.sentence


def test_a_later_move_of_the_same_node_cuts_it_short_and_starts_its_own():
    later = incomes.settled("a", identity="r2", at=MOVED + 2 * HOUR)
    found = dict(looks_due(told(incomes.settled("a"), later), history(1.0), None, TERMS))
    assert "moved again" in found["r1"].sentence
    assert found["r2"].verdict == "inconclusive"


def test_a_move_of_other_nodes_does_not_disturb():
    other = incomes.settled("b", identity="r2", at=MOVED + HOUR)
    assert (
        "its nodes earned"
        in dict(looks_due(told(incomes.settled("a"), other), history(1.0), None, TERMS))["r1"].sentence
    )


def test_a_lost_move_is_to_be_taken_back_until_its_nodes_are_moved():
    known = lost()
    now = MOVED + 4 * HOUR
    assert to_take_back(known, now).id == "r1"
    again = incomes.settled("a", identity="r2", at=MOVED + 4 * HOUR)
    assert to_take_back({**known, "r2": story(again)}, now) is None


def test_a_refused_undoing_is_tried_again_a_day_later():
    known = lost()
    at = MOVED + 4 * HOUR
    refused = replace(
        incomes.settled("a", identity="r2", at=at), state="refused", verdict="inconclusive", reasons=("MOVE_LOST",)
    )
    known = {**known, "r2": Story(record=refused, steps=())}
    assert to_take_back(known, at + HOUR) is None
    assert to_take_back(known, at + 25 * HOUR).id == "r1"


@pytest.mark.parametrize(("mode", "code"), [("auto", None), ("approve", "LEVER_NEEDS_APPROVAL")])
def test_it_is_taken_back_only_where_the_lever_may_act_by_itself(mode, code):
    now = MOVED + 4 * HOUR
    node = moving.node("a", Resources(cpu_cores=2))
    node = replace(node, levers=tuple(replace(lever, mode=mode) for lever in node.levers))
    fleet = moving.snapshot({"a": node}, now)
    move = lost()["r1"].record
    assert [each.code for each in undoing_blockers(move, Guards(), fleet, now)] == ([code] if code else [])
    saga, _ = rollback_allocation(
        move, guards=Guards(), snapshot=fleet, now=now, settings=SagaSettings(), sequence=7, trigger="auto"
    )
    assert saga.story.record.reasons[0] == "MOVE_LOST"
    assert saga.story.record.trigger == "auto"
    assert saga.story.record.state == ("refused" if code else "preflight")


def test_the_same_idea_rests_twice_as_long_each_time():
    limits = MoveLimits(window_s={"a": 6 * 3600.0})
    holds = []
    undone = []
    for number in range(3):
        undone.append(
            story(
                incomes.settled("a", identity=f"u{number}", at=MOVED + number * 72 * HOUR, reasons=("MOVE_LOST",))
            )
        )
        holds.append(past_of(undone, limits).nodes["a"].hold_s / 3600)
    assert holds == [6, 12, 24]


def test_a_verdict_is_never_given_twice():
    known = lost()
    assert judge(known["r1"].record, known["r1"].proof, history(0.5), TERMS) is None


def test_a_pause_is_learned_from_the_hour_of_the_move():
    income = np.random.default_rng(1).normal(1.0, 0.005, PAST_H + 48)
    income[PAST_H] -= 240 / 3600
    at = MOVED + timedelta(minutes=30)
    known = told(incomes.settled("a", at=at))
    ((_, proof),) = looks_due(known, incomes.told(a=income), None, TERMS)
    (pause,) = proof.pauses
    assert pause.seconds == pytest.approx(240, abs=3 * pause.error_s)
    priors = SagaSettings(levers={"a": LeverTiming(downtime_s=60.0), "b": LeverTiming(downtime_s=60.0)})
    learned = with_learned(priors, judged(known, "r1", proof).values())
    assert 180 < learned.levers["a"].downtime_s < 260
    assert learned.levers["b"].downtime_s == 60.0


def test_what_makes_no_pause_shows_none():
    seen = (Pause(node="a", seconds=600.0, error_s=10.0),)
    proof = Proof(verdict="paid", looks=1, hours=6, pauses=seen, sentence="")
    priors = SagaSettings(levers={"a": LeverTiming(downtime_s=60.0, pause_s={"cpu_cores": 0.0})})

    def learned(goal):
        step = Step(index=0, node="a", kind="grant", goal=goal, undo=goal)
        told_of = replace(story(incomes.settled("a")), steps=(step,), proof=proof)
        return with_learned(priors, (told_of,)).levers["a"].downtime_s

    assert learned(Resources(cpu_cores=1.0)) == 60.0
    assert learned(Resources(cpu_cores=1.0, storage_gb=1.0)) > 500.0


@pytest.mark.parametrize(
    ("prior_s", "pauses", "least", "most"),
    [
        (60.0, [], 60, 60),
        (60.0, [(3000.0, 3000.0)], 60, 62),
        (60.0, [(120.0, 60.0)], 90, 90),
        (60.0, [(120.0, 10.0)] * 3, 118, 120),
        (60.0, [(-500.0, 10.0)], 0, 0),
        (0.0, [(500.0, 10.0)], 0, 0),
    ],
)
def test_a_pause_is_shrunk_to_its_prior(prior_s, pauses, least, most):
    seen = [Pause(node="a", seconds=seconds, error_s=error_s) for seconds, error_s in pauses]
    assert least <= learned_downtime(prior_s, seen) <= most
