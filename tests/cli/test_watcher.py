"""What happened between two boards."""

from __future__ import annotations

import logging

import msgspec
import pytest

from orch.cli.watcher import Watcher


@pytest.fixture
def told(make):
    """Boards in, the lines of the last one out."""

    def watch(*boards):
        watcher = Watcher()
        events = ()
        for board in boards:
            events = watcher.take(board)
        return events

    return watch


def sentences(events):
    return [event.sentence for event in events]


def with_opportunity(board, **changes):
    return msgspec.structs.replace(board, opportunity=msgspec.structs.replace(board.opportunity, **changes))


def test_the_past_on_the_first_board_is_no_news(told, make):
    events = told(make.board(recent_changes=(make.move("old"), make.move("open", "applying"))))
    assert sentences(events) == [
        "reallocation open applying: disk cores 6 → 1.5: Move 4.5 cores from disk to compute.",
        "decision: Stay: disk rests.",
    ]


def test_the_same_board_twice_is_no_news(told, make):
    assert told(make.board(), make.board()) == ()


def test_every_state_of_a_move_is_a_line_and_a_count(make):
    watcher = Watcher()
    watcher.take(make.board(recent_changes=()))
    lines = []
    for state in ("preflight", "applying", "verifying", "settled"):
        lines += watcher.take(make.board(recent_changes=(make.move("r5", state),)))
    assert [line.sentence.split(":")[0] for line in lines] == [
        f"reallocation r5 {state}" for state in ("preflight", "applying", "verifying", "settled")
    ]
    assert watcher.ended["settled"] == 1
    assert "1 moves settled" in watcher.state_in_words()


@pytest.mark.parametrize("state", ["rolling_back", "rolled_back", "stuck"])
def test_what_went_wrong_is_a_warning_with_its_sentence(told, make, state):
    move = make.move("r5", state, sentence="It did not take.")
    (event,) = told(make.board(recent_changes=()), make.board(recent_changes=(move,)))
    assert event.level == logging.WARNING
    assert event.sentence.endswith("It did not take.")


def test_a_decision_is_told_when_its_reason_changes_and_not_when_its_figures_do(told, make):
    first = with_opportunity(make.board(), sentence="Stay: gains $0.0213/h, costs $0.0016.")
    figures = with_opportunity(make.board(), sentence="Stay: gains $0.0301/h, costs $1,200.5.")
    reason = with_opportunity(make.board(), sentence="Stay: the price of GLM is stale.")
    assert told(first, figures) == ()
    assert sentences(told(first, reason)) == ["decision: Stay: the price of GLM is stale."]
    assert sentences(told(first, msgspec.structs.replace(first, can_reallocate=True))) != []


def test_alerts_are_raised_and_resolved_once(told, make):
    quiet, firing = make.board(), make.board(alerts=(make.alert(),))
    pending = make.board(alerts=(make.alert(state="pending"),))
    (raised,) = told(quiet, firing)
    assert raised == (logging.WARNING, "alert low_earnings raised: disk earns little; look at its log")
    assert told(firing, firing) == ()
    assert told(quiet, pending) == ()
    (resolved,) = told(quiet, firing, quiet)
    assert resolved == (logging.INFO, "alert low_earnings resolved: disk earns little")
    (quietly,) = told(quiet, make.board(alerts=(make.alert(severity="info"),)))
    assert quietly.level == logging.INFO


def test_everything_in_one_line_says_what_it_leaves_out(make):
    watcher = Watcher()
    assert watcher.state_in_words() == "nothing is known yet"
    watcher.take(make.board(alerts=(make.alert(),)))
    assert watcher.state_in_words() == (
        "0.0424 USD/h (0.0339 to 0.0509), leaves out address; 3 of 3 nodes online; 0 moves settled; 1 problem"
    )


def test_control_characters_do_not_reach_the_log(told, make):
    (event,) = told(make.board(), make.board(alerts=(make.alert(sentence="\x1b]0;owned\x07"),)))
    assert "\x1b" not in event.sentence
