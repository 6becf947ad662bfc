"""A strategy that never returns is ended, and does not hold up the house twice."""

from __future__ import annotations

import threading

import pytest

from orch.boot.bounded import bounded
from orch.planning.advising import advised
from orch.strategies import predictive, threshold
from orch.strategies.base import Advice, ShapesProblem


class Mine:
    name = "mine"
    options = None

    def __init__(self, answer):
        self.answer = answer

    def advise(self, options, prospect):
        return self.answer()


class Shaping(Mine):
    def shape(self, options, problem, foresight):
        return self.answer()


def forever():
    while True:
        try:
            while True:
                pass
        except Exception:  # noqa: BLE001 - as a careless plug-in would
            continue


def test_what_it_says_is_passed_on():
    advice = Advice(move=False, reasons=("STRATEGY_KEEPS",), sentence="No.")
    assert bounded(Mine(lambda: advice)).advise(None, None) is advice
    failing = advised(bounded(Mine(lambda: 1 / 0)), None, None)
    assert "ZeroDivisionError" in failing.sentence
    assert isinstance(bounded(Shaping(lambda: None)), ShapesProblem)
    assert not isinstance(bounded(Mine(lambda: None)), ShapesProblem)


def test_orch_s_own_are_asked_directly():
    for own in (threshold.STRATEGY, predictive.STRATEGY):
        assert bounded(own) is own


def test_one_that_never_returns_is_ended_and_not_asked_again():
    strategy = bounded(Mine(forever), within_s=0.05)
    advice = advised(strategy, None, None)
    assert (advice.move, advice.reasons) == (False, ("STRATEGY_FAILED",))
    assert "did not answer within 0.05 s" in advice.sentence
    for thread in threading.enumerate():
        if thread.name == "strategy mine":
            thread.join(timeout=30.0)
            assert not thread.is_alive()
    with pytest.raises(TimeoutError):
        strategy.advise(None, None)
