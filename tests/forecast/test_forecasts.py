"""Series written by hand: what is expected, how wide the bounds are, and how forecasts are judged."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.forecast.covariance import covariance_of, ledoit_wolf
from orch.forecast.ensemble import FORECASTER
from orch.forecast.intervals import make_forecast
from orch.forecast.models import MODELS
from orch.forecast.registry import load_forecasters
from orch.forecast.score import Track, followed, resumed, score_of, without, written
from orch.model.forecasts import HOUR, Forecast, IncomeSeries

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = 24


def series(values, node="a"):
    usd = tuple(None if value is None or math.isnan(value) else float(value) for value in values)
    return IncomeSeries(node=node, first_hour=START, usd=usd)


def forecast(values, hours=DAY, late_h=0, forecaster=FORECASTER):
    told = series(values)
    return make_forecast(forecaster, told, told.end + late_h * HOUR, hours)


def waves(hours, noise=0.02, seed=0):
    times = np.arange(hours)
    return 1.0 + 0.5 * np.sin(2 * np.pi * times / DAY) + np.random.default_rng(seed).normal(0.0, noise, hours)


def width(made):
    return made.high - made.low


class TestPoints:
    def test_a_daily_wave_goes_on(self):
        made = forecast(waves(28 * DAY, noise=0.0))
        expected = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(DAY) / DAY)
        assert made.points == pytest.approx(expected, abs=0.02)
        assert made.low <= made.mean <= made.high

    def test_the_next_half_day_is_not_the_mean_of_all_days(self):
        made = forecast(waves(28 * DAY), hours=12)
        assert made.mean == pytest.approx(1.0 + 0.5 * 2 / np.pi, abs=0.03)

    def test_a_weekly_rhythm_is_seen(self):
        times = np.arange(28 * DAY)
        weekend = (times // DAY % 7 >= 5) * 1.0
        made = forecast(1.0 + weekend, hours=168)
        assert made.mean == pytest.approx(9 / 7, abs=0.03)
        assert np.mean(made.points[: 5 * DAY]) == pytest.approx(1.0, abs=0.1)
        assert np.mean(made.points[5 * DAY :]) == pytest.approx(2.0, abs=0.15)

    @pytest.mark.parametrize("name", list(MODELS))
    def test_no_model_looks_ahead(self, name):
        values, origins = waves(20 * DAY), np.array([100, 300, 400])
        other = values.copy()
        other[400:] = 99.0
        for first, second in zip(
            MODELS[name](values, 0, origins, DAY), MODELS[name](other, 0, origins, DAY), strict=True
        ):
            np.testing.assert_array_equal(first, second)

    @pytest.mark.parametrize("name", list(MODELS))
    def test_every_model_continues_a_constant(self, name):
        said = MODELS[name](np.full(20 * DAY, 3.0), 0, np.array([15 * DAY, 20 * DAY]), DAY)
        np.testing.assert_allclose(said, 3.0, atol=0.01)

    def test_income_that_never_was_negative_is_not_expected_to_be(self):
        falling = np.maximum(np.linspace(1.0, -0.2, 14 * DAY), 0.0)
        assert min(forecast(falling).points) >= 0.0
        assert forecast(falling).low >= 0.0


class TestPlainForms:
    """The models by their formulas, one origin after the other."""

    gappy = st.lists(st.floats(0.0, 10.0), min_size=49, max_size=260)

    @given(gappy, st.integers(0, 10**6), st.integers(1, 60))
    def test_holt_winters_hour_by_hour(self, values, first_hour, hours):
        origins = np.array([5, DAY, 48, len(values)])
        said = MODELS["Holt-Winters, quick"](np.array(values), first_hour, origins, hours)
        assert np.isnan(said[0]).all()
        for row, origin in zip(said[1:], origins[1:], strict=True):
            level, trend = sum(values[:DAY]) / DAY, 0.0
            season = [value - level for value in values[:DAY]]
            for time in range(DAY, origin):
                slot, before = time % DAY, level
                expected = before + 0.9 * trend
                level = expected + 0.3 * (values[time] - season[slot] - expected)
                trend = 0.9 * trend + 0.01 * (level - before - 0.9 * trend)
                season[slot] += 0.2 * (values[time] - level - season[slot])
            fades = np.cumsum(0.9 ** np.arange(1, hours + 1))
            ahead = [season[(origin + lead) % DAY] for lead in range(hours)]
            np.testing.assert_array_equal(row, level + trend * fades + np.array(ahead))

    @given(gappy, st.integers(0, 10**6), st.integers(1, 60))
    def test_waves_by_least_squares(self, values, first_hour, hours):
        origins, usd = np.array([47, 48, len(values)]), np.array(values)
        said = MODELS["waves"](usd, first_hour, origins, hours)
        assert np.isnan(said[0]).all()
        for row, origin in zip(said[1:], origins[1:], strict=True):
            times = first_hour + np.arange(origin + hours)
            turns = [(DAY, 1), (DAY, 2), (DAY, 3), (168, 1), (168, 2)]
            angles = np.array([2 * np.pi * wave * (times % period) / period for period, wave in turns])
            curves = np.vstack((np.ones(len(times)), np.cos(angles), np.sin(angles))).T
            known = curves[:origin]
            penalty = origin * np.diag([1e-12] + [1e-3 + 1e-12] * 10)
            weights = np.linalg.solve(known.T @ known + penalty, known.T @ usd[:origin])
            miss = (usd[origin - DAY : origin] - curves[origin - DAY : origin] @ weights).mean()
            expected = curves[origin:] @ weights + miss * np.exp(-np.arange(1, hours + 1) / 24)
            np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-9)


class TestBounds:
    def test_they_hold_about_nine_in_ten(self):
        held = []
        for seed in range(3):
            values = waves(40 * DAY, noise=0.3, seed=seed)
            for end in range(30 * DAY, 39 * DAY, 36):
                made = forecast(values[:end])
                held.append(made.low <= values[end : end + DAY].mean() <= made.high)
        assert 0.75 <= np.mean(held) <= 1.0

    def test_a_level_shift_widens_them_and_time_narrows_them_again(self):
        calm = waves(40 * DAY)
        shifted = calm.copy()
        shifted[30 * DAY :] += 2.0
        before, just_after = forecast(shifted[: 30 * DAY]), forecast(shifted[: 30 * DAY + 12])
        assert width(just_after) > 3 * width(before)
        much_later = np.concatenate((shifted, waves(25 * DAY, seed=1) + 2.0))
        assert width(forecast(much_later)) < width(just_after) / 3

    def test_gaps_and_lateness_widen_them(self):
        values = waves(28 * DAY)
        gappy = values.copy()
        gappy[-30:-6] = np.nan
        assert width(forecast(gappy)) > width(forecast(values))
        assert width(forecast(values, late_h=12)) > 1.2 * width(forecast(values))

    def test_a_short_history_widens_them(self):
        values = waves(28 * DAY, noise=0.2)
        assert width(forecast(values[-2 * DAY :])) > 2 * width(forecast(values))
        assert forecast(values[: DAY - 1]) is None
        assert forecast(values, late_h=25) is None
        assert forecast(()) is None

    @given(st.lists(st.one_of(st.none(), st.floats(0.0, 1e3)), max_size=120), st.integers(1, 48))
    def test_whatever_the_history_bounds_are_bounds(self, values, hours):
        made = forecast(values, hours)
        known = sum(value is not None for value in values)
        assert (made is None) == (known < DAY)
        if made is not None:
            assert made.low <= made.mean <= made.high
            assert all(map(math.isfinite, (made.low, made.high, *made.points)))
            assert len(made.points) == hours

    def test_a_plugin_gives_points_and_gets_our_bounds(self):
        class Yesterday:
            name = "mine"

            def points(self, usd, first_hour, hours):
                return [float(usd[-1])] * hours

        made = forecast(waves(20 * DAY), forecaster=Yesterday())
        assert (made.model, made.mean) == ("mine", pytest.approx(waves(20 * DAY)[-1]))
        assert width(made) > 0.1
        Yesterday.points = lambda *_: [math.nan] * DAY
        assert forecast(waves(20 * DAY), forecaster=Yesterday()) is None
        Yesterday.points = lambda *_: [1.0]
        assert forecast(waves(20 * DAY), forecaster=Yesterday()) is None

    def test_the_default_is_offered_by_name(self):
        assert load_forecasters()["ensemble"]() is FORECASTER


class TestScore:
    def made(self, first, low, mean, high, node="a"):
        return Forecast(
            node=node,
            first_hour=START + first * HOUR,
            points=(mean,) * DAY,
            low=low,
            mean=mean,
            high=high,
            model="m",
        )

    def test_what_was_said_is_held_against_what_came(self):
        said = (self.made(0, 0.5, 1.0, 1.5), self.made(DAY, 0.5, 1.0, 1.5))
        track = followed(Track(), (), said)
        assert score_of(track).scored == 0
        came = [1.25] * DAY + [2.0] * DAY
        track = followed(track, (series(came[: DAY + 3]),), ())
        assert (score_of(track).mape_pct, score_of(track).coverage_pct) == (pytest.approx(20.0), 100.0)
        track = followed(track, (series(came),), ())
        score = score_of(track, "a")
        assert (score.mape_pct, score.coverage_pct, score.scored) == (pytest.approx((20.0 + 50.0) / 2), 50.0, 2)
        assert followed(track, (series(came),), ()) == track

    def test_hours_that_nobody_knows_judge_nothing_and_nothing_earned_is_no_error(self):
        track = followed(Track(), (), (self.made(0, 0.0, 1.0, 2.0), self.made(DAY, 0.0, 1.0, 2.0)))
        track = followed(track, (series([None] * 12 + [1.0] * 12 + [0.0] * DAY),), ())
        assert (track.pending, score_of(track).scored) == ((), 1)
        assert (score_of(track).mape_pct, score_of(track).coverage_pct) == (None, 100.0)

    def test_a_forecast_is_kept_once_and_dropped_when_its_node_was_moved(self):
        said = (self.made(0, 0.0, 1.0, 2.0), self.made(0, 0.0, 1.0, 2.0, node="b"))
        track = followed(followed(Track(), (), said), (), said)
        assert len(track.pending) == 2
        assert [each.node for each in without(track, {"a"}).pending] == ["b"]
        assert [each.node for each in without(track, {"a"}, START).pending] == ["b"]
        assert without(track, {"a", "b"}, START - HOUR) == track

    def test_what_is_written_is_gone_on_with_after_a_restart(self):
        said = (self.made(0, 0.0, 1.0, 2.0), self.made(DAY, 0.0, 1.0, 2.0))
        later = self.made(2 * DAY, 0.0, 1.0, 2.0)
        before = followed(followed(Track(), (), said), (series([1.0] * DAY),), ())
        assert (len(before.pending), len(before.verdicts)) == (1, 1)
        assert resumed(written(before), Track()) == before
        began = Track(pending=(said[1], later), verdicts=before.verdicts)
        assert resumed(written(before), began) == began
        assert score_of(resumed(written(before), Track(pending=(later,)))) == score_of(before)
        for unreadable in (None, "", "[", '{"pending": 1}'):
            assert resumed(unreadable, began) == began


class TestCovariance:
    def test_it_is_the_sample_s_own_where_the_sample_is_large(self):
        truth = np.array([[2.0, 0.8], [0.8, 1.0]])
        samples = np.random.default_rng(0).multivariate_normal([0, 0], truth, 20_000)
        found, shrinkage = ledoit_wolf(samples)
        np.testing.assert_allclose(found, truth, atol=0.06)
        assert shrinkage < 0.01

    def test_it_is_shrunk_where_it_is_small_and_always_definite(self):
        found, shrinkage = ledoit_wolf(np.random.default_rng(1).normal(size=(12, 10)))
        assert 0.3 < shrinkage <= 1.0
        assert np.linalg.eigvalsh(found).min() > 0.05

    def test_the_formula_by_hand(self):
        # Two variables, three observations: S = [[2/3, 1/3], [1/3, 2/3]], target 2/3 I, distance 1/9.
        samples = np.array([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
        found, shrinkage = ledoit_wolf(samples)
        spread = sum(((np.outer(row, row) - samples.T @ samples / 3) ** 2).sum() for row in samples) / 9 / 2
        assert shrinkage == pytest.approx(min(spread, 1 / 9) / (1 / 9))
        assert np.trace(found) == pytest.approx(4 / 3)

    def test_it_takes_seven_days_in_which_all_are_known(self):
        noise = np.random.default_rng(2).normal(1.0, 0.1, (2, 168))
        whole = [series(noise[0]), series(noise[1], "b")]
        found = covariance_of(whole)
        assert (found.nodes, found.hours) == (("a", "b"), 168)
        assert found.at_usd_per_hour == pytest.approx(noise.mean(axis=1))
        assert covariance_of([series(noise[0]), series(noise[1][:-1], "b")]) is None
        assert covariance_of([series([None, *noise[0][1:]]), series(noise[1], "b")]) is None
        assert covariance_of([]) is None

    def test_nodes_that_never_vary_have_none(self):
        matrix, shrinkage = ledoit_wolf(np.ones((200, 3)))
        assert (matrix == 0.0).all()
        assert shrinkage == 1.0
