from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orch.errors import ConfigError
from orch.model.forecasts import Covariance, Forecast, ForecastScore, Foresight, IncomeSeries
from orch.model.money import Rate
from orch.model.problems import Activity, Problem, ProblemNode
from orch.model.resources import Resources
from orch.strategies import combined, keep, periodic, predictive, risk_aware, threshold
from orch.strategies.base import Prospect
from orch.strategies.registry import fit_strategy, load_strategies

NOW = datetime(2026, 3, 1, tzinfo=UTC)
START = NOW - timedelta(hours=200)
GAIN = Rate(low=0.01, mean=0.02, high=0.03, net_mean=None, evidence="accrued", window_s=3600.0, age_s=1.0)


def prospect(**changes: object) -> Prospect:
    fields = {
        "decided_at": NOW,
        "horizon_h": 24.0,
        "present_usd_per_hour": 0.05,
        "gain_usd_per_hour": GAIN,
        "gain_usd": Decimal("0.24"),
        "cost_usd": Decimal("0.01"),
        "changes": 2,
        "last_move_at": None,
        "affected": ("a",),
    }
    return Prospect(**{**fields, **changes})


def foresight(low=0.8, mean=1.0, high=1.2, held=90.0, score=None, recent=1.0, **more):
    made = Forecast(
        node="a", first_hour=NOW, points=(mean,) * 24, low=low, mean=mean, high=high, model="m", coverage_pct=held
    )
    told = IncomeSeries(node="a", first_hour=START, usd=(recent,) * 200)
    scores = () if score is None else (("a", ForecastScore(coverage_pct=score, scored=9)),)
    return Foresight(made_at=NOW, history=(told,), forecasts=(made,), scores=scores, **more)


class TestPeriodic:
    @pytest.mark.parametrize(
        ("hours_ago", "changes", "move", "reason"),
        [
            (None, {}, True, "GAIN_ABOVE_COST"),
            (23.9, {}, False, "INTERVAL_RUNNING"),
            (24.0, {}, True, "GAIN_ABOVE_COST"),
            (
                30.0,
                {"gain_usd": Decimal("0.07")},
                False,
                "GAIN_BELOW_COST",
            ),  # needed: 0.01 + 0.05 * 0.05 * 24 = 0.07
            (30.0, {"gain_usd": Decimal("0.0701")}, True, "GAIN_ABOVE_COST"),
            (30.0, {"gain_usd": Decimal("0.0101"), "losing": ()}, True, "GAIN_ABOVE_COST"),
            (30.0, {"gain_usd": Decimal("0.0101"), "losing": ("a",)}, False, "GAIN_BELOW_COST"),
            (1.0, {"gain_usd": Decimal("0.01")}, False, "GAIN_BELOW_COST"),
            (1.0, {"changes": 0}, False, "ALREADY_BEST"),
            (1.0, {"cost_usd": None}, False, "RATE_UNKNOWN"),
        ],
    )
    def test_it_waits_a_day_and_asks_for_less(self, hours_ago, changes, move, reason):
        last = None if hours_ago is None else NOW - timedelta(hours=hours_ago)
        advice = periodic.STRATEGY.advise(periodic.PeriodicOptions(), prospect(last_move_at=last, **changes))
        assert (advice.move, advice.reasons) == (move, (reason,))

    def test_it_says_until_when(self):
        last = NOW - timedelta(hours=4)
        advice = periodic.STRATEGY.advise(periodic.PeriodicOptions(), prospect(last_move_at=last))
        assert advice.until == last + timedelta(hours=24)
        assert advice.sentence.startswith(
            "The last move was 4.0 h ago, the next may come 24 h after it, at 2026-03-01 20:00 UTC. The sure gain"
        )


class TestPredictive:
    def advise(self, min_confidence=0.8, **changes):
        changes.setdefault("foresight", foresight())
        options = predictive.PredictiveOptions(min_confidence=min_confidence)
        return predictive.STRATEGY.advise(options, prospect(**changes))

    def test_a_sure_gain_and_forecasts_that_held_move(self):
        advice = self.advise()
        assert (advice.move, advice.reasons) == (True, ("GAIN_ABOVE_COST",))
        assert advice.sentence == (
            "The forecast gain of $0.4800 in 24 h (at least $0.2400) exceeds its cost of $0.0100 with a "
            "confidence of 1.00, 0.8 is asked for; forecast intervals held 90 % of what came."
        )

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"foresight": None}, "FORECAST_UNKNOWN"),
            ({"affected": ("a", "b")}, "FORECAST_UNKNOWN"),
            ({"foresight": foresight(recent=0.0)}, "FORECAST_UNKNOWN"),
            ({"foresight": foresight(held=60.0)}, "FORECAST_UNSURE"),  # 0.9996 * 60 / 90
            ({"foresight": foresight(held=None)}, "FORECAST_UNSURE"),
            ({"foresight": foresight(score=50.0)}, "FORECAST_UNSURE"),  # what came counts before the backtest
            ({"gain_usd": Decimal("0.01")}, "GAIN_BELOW_COST"),
            ({"cost_usd": None}, "RATE_UNKNOWN"),
            ({"changes": 0}, "ALREADY_BEST"),
            ({"min_confidence": 1.0}, "FORECAST_UNSURE"),
        ],
    )
    def test_otherwise_it_stays(self, changes, reason):
        advice = self.advise(**changes)
        assert (advice.move, advice.reasons) == (False, (reason,))

    def test_nodes_whose_income_does_not_change_need_no_forecast(self):
        assert self.advise(affected=(), foresight=None).move

    def test_it_plans_with_what_is_to_come(self):
        problem = small()
        options = predictive.PredictiveOptions()
        shaped = predictive.STRATEGY.shape(options, problem, foresight(low=1.0, mean=1.5, high=3.0))
        (first,) = shaped.nodes[0].activities
        assert (first.usd_per_hour, first.low, first.high) == pytest.approx((0.15, 0.08, 0.36))
        assert shaped.nodes[0].base_usd_per_hour == pytest.approx(1.5)
        assert shaped.nodes[1] == problem.nodes[1]
        assert predictive.STRATEGY.shape(options, problem, None) is problem
        wild = predictive.STRATEGY.shape(options, problem, foresight(low=-1.0, mean=50.0, high=99.0))
        assert wild.nodes[0].base_usd_per_hour == 4.0
        assert wild.nodes[0].base_low_usd_per_hour == 0.0


class TestRiskAware:
    def advise(self, present, planned, **changes):
        options = risk_aware.RiskAwareOptions(risk_tolerance=0.0004)
        fields = {"present_variance": present, "plan_variance": planned, **changes}
        return risk_aware.STRATEGY.advise(options, prospect(**fields))

    @pytest.mark.parametrize(
        ("present", "planned", "changes", "move", "reason"),
        [
            (None, None, {}, False, "RATE_UNKNOWN"),
            (0.0001, 0.0003, {}, True, "GAIN_ABOVE_COST"),
            (0.0001, 0.0003, {"gain_usd": Decimal("0.01")}, False, "GAIN_BELOW_COST"),
            (0.0009, 0.0004, {"gain_usd": Decimal("-0.2")}, True, "RISK_ABOVE_TOLERANCE"),
            (0.0009, 0.0009, {"gain_usd": Decimal("-0.2")}, False, "GAIN_BELOW_COST"),
            (0.0009, 0.0004, {"changes": 0}, False, "ALREADY_BEST"),
        ],
    )
    def test_it_earns_within_its_bound_and_comes_back_to_it(self, present, planned, changes, move, reason):
        advice = self.advise(present, planned, **changes)
        assert (advice.move, advice.reasons) == (move, (reason,))

    def test_it_says_what_less_risk_costs(self):
        less = Rate(low=-0.03, mean=-0.02, high=-0.01, net_mean=None, evidence="accrued", window_s=1.0, age_s=1.0)
        advice = self.advise(0.0009, 0.0004, gain_usd_per_hour=less)
        assert advice.sentence == (
            "Income varies by $0.0300/h around its mean now and by $0.0200/h after the move; $0.0200/h is "
            "tolerated. Less risk costs $0.0200/h."
        )

    def test_the_covariance_enters_in_the_problem_s_order(self):
        known = Covariance(
            nodes=("b", "a"), matrix=((4.0, 1.0), (1.0, 9.0)), at_usd_per_hour=(2.0, 3.0), hours=200, shrinkage=0.0
        )
        shaped = risk_aware.STRATEGY.shape(risk_aware.RiskAwareOptions(), small(), foresight(covariance=known))
        assert shaped.covariance == ((9.0, 1.0), (1.0, 4.0))
        assert (shaped.covariance_at, shaped.max_variance) == ((3.0, 2.0), 0.0004)

    def test_a_node_that_earns_and_is_not_in_it_makes_it_useless(self):
        known = Covariance(nodes=("a",), matrix=((9.0,),), at_usd_per_hour=(3.0,), hours=200, shrinkage=0.0)
        problem = small()
        assert (
            risk_aware.STRATEGY.shape(risk_aware.RiskAwareOptions(), problem, foresight(covariance=known))
            is problem
        )
        assert risk_aware.STRATEGY.shape(risk_aware.RiskAwareOptions(), problem, foresight()) is problem


class TestCombinations:
    def fit(self, name, of, **options):
        return fit_strategy(name, {name: combined.CombinedOptions(of=of), **options}, load_strategies())

    @pytest.mark.parametrize(
        ("name", "of", "move"),
        [
            ("all_of", ("threshold", "periodic"), True),
            ("all_of", ("threshold", "keep"), False),
            ("any_of", ("threshold", "keep"), True),
            ("any_of", ("keep", "keep"), False),
            ("all_of", ("any_of", "time_based"), True),
        ],
    )
    def test_all_or_any(self, name, of, move):
        inner = {"any_of": combined.CombinedOptions(of=("threshold", "keep"))} if name == "all_of" else {}
        fitted = self.fit(name, of, **inner)
        assert fitted.strategy.advise(fitted.options, prospect()).move == move

    def test_who_decides_gives_the_reasons_and_the_sentence(self):
        fitted = self.fit("all_of", ("threshold", "keep"))
        advice = fitted.strategy.advise(fitted.options, prospect())
        assert advice.reasons == ("STRATEGY_KEEPS",)
        assert advice.sentence == "By keep: the strategy keep never moves anything."

    def test_the_time_of_the_next_word(self):
        last = NOW - timedelta(hours=4)
        due = last + timedelta(hours=24)
        both = self.fit("all_of", ("threshold", "periodic"))
        assert both.strategy.advise(both.options, prospect(last_move_at=last)).until == due
        never = self.fit("all_of", ("keep", "periodic"))
        assert never.strategy.advise(never.options, prospect(last_move_at=last)).until is None
        one = self.fit("any_of", ("keep", "periodic"))
        assert one.strategy.advise(one.options, prospect(last_move_at=last)).until == due

    def test_members_shape_the_problem_one_after_the_other(self):
        fitted = self.fit("all_of", ("predictive", "risk_aware"))
        known = Covariance(
            nodes=("a", "b"), matrix=((9.0, 1.0), (1.0, 4.0)), at_usd_per_hour=(3.0, 2.0), hours=200, shrinkage=0.0
        )
        shaped = fitted.strategy.shape(fitted.options, small(), foresight(mean=2.0, high=2.0, covariance=known))
        assert shaped.nodes[0].base_usd_per_hour == 2.0
        assert shaped.max_variance == 0.0004

    def test_what_cannot_be_combined(self):
        with pytest.raises(ConfigError, match="cannot be part of itself"):
            self.fit("all_of", ("threshold", "all_of"))
        with pytest.raises(ConfigError, match="there is no strategy 'clever'"):
            self.fit("any_of", ("clever",))
        with pytest.raises(ConfigError, match=r"add a table \[optimizer.any_of\]"):
            fit_strategy("any_of", {}, load_strategies())
        with pytest.raises(ValueError, match="at least one"):
            combined.CombinedOptions(of=())
        alone = combined.ALL_OF.advise(combined.CombinedOptions(of=("keep",)), prospect())
        assert (alone.move, alone.reasons) == (False, ("STRATEGY_KEEPS",))


def small() -> Problem:
    def node(name):
        cores = Resources(cpu_cores=4.0)
        activity = Activity(takes=Resources(cpu_cores=1.0), width=8.0, usd_per_hour=0.1, low=0.08, high=0.12)
        return ProblemNode(
            name=name,
            present=cores,
            floor=Resources(),
            cap=Resources(),
            activities=(activity,),
            base_usd_per_hour=1.0,
        )

    return Problem(host="h", capacity=Resources(cpu_cores=8.0), nodes=(node("a"), node("b")), horizon_h=24.0)


def test_all_strategies_are_found_by_name():
    ours = {"all_of", "any_of", "keep", "periodic", "predictive", "risk_aware", "threshold"}
    loaders = load_strategies()
    assert ours <= loaders.keys()
    assert [loaders[name]().name for name in sorted(ours)] == sorted(ours)
    assert loaders["threshold"]() is threshold.STRATEGY
    assert loaders["keep"]() is keep.STRATEGY
