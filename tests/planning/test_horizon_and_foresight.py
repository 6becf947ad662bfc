"""How far ahead a plan looks, and what the ledger's hours become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from orch.earnings.accounts import Income
from orch.forecast.ensemble import FORECASTER
from orch.forecast.score import Track
from orch.model.books import Turned
from orch.model.forecasts import HOUR, IncomeSeries
from orch.model.problems import Problem, ProblemNode
from orch.model.resources import Resources
from orch.planning.advising import advised
from orch.planning.foresee import at_present_setting, foresee, income_series
from orch.planning.horizon import with_horizon
from orch.planning.settings import PlanSettings
from orch.strategies.base import Advice
from tests.fakes.values import rate

START = datetime(2026, 3, 2, tzinfo=UTC)


def horizon(cost, window_d=30.0, locked=False, **settings):
    node = ProblemNode(
        name="a", present=Resources(), floor=Resources(), cap=Resources(), change_usd=cost, locked=locked
    )
    problem = Problem(host="h", capacity=Resources(), nodes=(node,), horizon_h=settings.get("horizon_h", 24.0))
    rates = {"a": replace(rate(0.10), window_s=window_d * 86400.0), "b": None}
    return with_horizon(problem, rates, PlanSettings(**settings)).horizon_h


@pytest.mark.parametrize(
    ("expected", "case"),
    [
        (24.0, {"cost": 0.0}),
        (24.0, {"cost": 0.12}),  # 5 % of the income of a day
        (48.0, {"cost": 0.24}),
        (168.0, {"cost": 100.0}),
        (96.0, {"cost": 100.0, "window_d": 4.0}),
        (24.0, {"cost": 100.0, "window_d": 0.1}),
        (24.0, {"cost": 100.0, "longest_horizon_h": 24.0}),
        (24.0, {"cost": 100.0, "locked": True}),
        (60.0, {"cost": 0.30, "horizon_h": 6.0}),
    ],
)
def test_the_horizon_grows_with_what_moving_costs(expected, case):
    assert horizon(**case) == pytest.approx(expected)


def test_the_ledger_s_hours_in_usd():
    income = Income(unit="GLM", since=START + timedelta(minutes=30), until=START + timedelta(hours=5, minutes=20))
    first = int(START.timestamp()) // 3600
    income.native = {first + 1: 2.0, first + 3: 1.0, first + 4: 4.0}
    income.usd = {first + 1: 0.4, first + 4: 0.8}
    told = income_series("a", income)
    assert told.first_hour == START + HOUR
    assert told.usd == (0.4, 0.0, None, 0.8)  # nothing came, something came without a price
    assert told.end == START + 5 * HOUR
    assert income_series("b", Income()).usd == ()


def test_foresight_survives_a_forecaster_that_raises():
    class Broken:
        name = "broken"

        def points(self, usd, first_hour, hours):
            raise RuntimeError("no")

    told = IncomeSeries(node="a", first_hour=START, usd=(1.0,) * 400)
    foresight, track = foresee((told,), Track(), Broken(), told.end)
    assert (foresight.forecasts, track.pending) == ((), ())
    assert foresight.covariance.hours == 400
    foresight, track = foresee((told,), Track(), FORECASTER, told.end, hours=12.0)
    assert foresight.forecast("a").mean == pytest.approx(1.0)
    assert len(foresight.forecast("a").points) == 12
    assert [each.node for each in track.pending] == ["a"]


class Strange:
    name = "strange"
    options = None

    def __init__(self, answer):
        self.answer = answer

    def advise(self, options, prospect):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RuntimeError("no"), "failed with RuntimeError: no"),
        (None, "answered with NoneType instead of Advice"),
        (
            Advice(move=True, reasons=("MY_OWN",), sentence=""),
            "gave the unknown reason MY_OWN; known reasons: ALLOCATION_",
        ),
        (Advice(move=True, reasons=(), sentence=""), "gave no reason"),
    ],
)
def test_a_strategy_that_fails_stays_and_says_why(answer, said):
    advice = advised(Strange(answer), None, None)
    assert (advice.move, advice.reasons) == (False, ("STRATEGY_FAILED",))
    assert said in advice.sentence


def test_hours_before_a_move_speak_of_the_present_setting():
    told = IncomeSeries(node="a", first_hour=START, usd=(1.0, 1.0, 1.0, 3.0, None, 3.0))

    def turned(resource, before, after, hour, node="a"):
        return Turned(node=node, resource=resource, before=before, after=after, turned_at=START + hour * HOUR)

    moved = turned("cpu_cores", 2.0, 6.0, 2.5)
    assert at_present_setting(told, (moved,), "cpu_cores").usd == (3.0, 3.0, None, 3.0, None, 3.0)
    others = (turned("memory_gb", 1.0, 2.0, 2), turned("cpu_cores", 1.0, 2.0, 2, node="b"))
    assert at_present_setting(told, others, "cpu_cores") is told
    assert at_present_setting(told, (moved,), None) is told
    twice = (turned("cpu_cores", 1.0, 2.0, 1), moved)
    assert at_present_setting(told, twice, "cpu_cores").usd == (6.0, None, None, 3.0, None, 3.0)
    from_nothing = (turned("cpu_cores", 0.0, 2.0, 2),)
    assert at_present_setting(told, from_nothing, "cpu_cores").usd == (None, None, None, 3.0, None, 3.0)
    before_all = (turned("cpu_cores", 1.0, 2.0, -5),)
    assert at_present_setting(told, before_all, "cpu_cores").usd == told.usd
