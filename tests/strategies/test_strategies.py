from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.model.money import Rate
from orch.strategies import keep, threshold
from orch.strategies.base import Prospect
from orch.strategies.registry import load_strategies

NOW = datetime(2026, 3, 1, tzinfo=UTC)
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
    }
    return Prospect(**{**fields, **changes})


@pytest.mark.parametrize(
    ("margin_pct", "changes", "move", "reasons"),
    [
        (10.0, {}, True, ("GAIN_ABOVE_COST",)),  # needed: 0.01 + 0.1 * 0.05 * 24 = 0.13
        (20.0, {}, False, ("GAIN_BELOW_COST",)),  # needed: 0.25
        (10.0, {"gain_usd": Decimal("0.13")}, False, ("GAIN_BELOW_COST",)),  # equal is not above
        (10.0, {"gain_usd": Decimal("0.130000000000000001")}, True, ("GAIN_ABOVE_COST",)),
        (0.0, {"gain_usd": Decimal("-0.2")}, False, ("GAIN_BELOW_COST",)),
        (0.0, {"present_usd_per_hour": -1.0}, True, ("GAIN_ABOVE_COST",)),
        (10.0, {"changes": 0}, False, ("ALREADY_BEST",)),
        (10.0, {"gain_usd": None}, False, ("RATE_UNKNOWN",)),
        (10.0, {"cost_usd": None}, False, ("RATE_UNKNOWN",)),
        (10.0, {"present_usd_per_hour": None}, False, ("RATE_UNKNOWN",)),
    ],
)
def test_threshold_compares_the_sure_gain_with_cost_and_margin(margin_pct, changes, move, reasons):
    advice = threshold.STRATEGY.advise(threshold.ThresholdOptions(margin_pct=margin_pct), prospect(**changes))
    assert (advice.move, advice.reasons) == (move, reasons)


def test_threshold_says_its_numbers():
    advice = threshold.STRATEGY.advise(threshold.ThresholdOptions(), prospect())
    assert advice.needed_gain_usd == Decimal("0.13")
    assert advice.sentence == (
        "The sure gain of $0.2400 in 24 h exceeds $0.1300: the cost of $0.0100 and 10 % of present income."
    )


@given(st.decimals(min_value=-1, max_value=1, places=6), st.floats(0.0, 100.0), st.floats(0.0, 1.0))
def test_a_larger_gain_never_turns_a_move_into_a_stay(gain, margin_pct, present):
    options = threshold.ThresholdOptions(margin_pct=margin_pct)
    less = threshold.STRATEGY.advise(options, prospect(gain_usd=gain, present_usd_per_hour=present))
    more = threshold.STRATEGY.advise(options, prospect(gain_usd=gain + 1, present_usd_per_hour=present))
    assert more.move or not less.move
    assert less.move == (gain > less.needed_gain_usd)


DAY = timedelta(hours=24)
SMALL = Decimal("0.02")  # above the cost of 0.01, far below the margin


@pytest.mark.parametrize(
    ("changes", "idle_margin_pct", "move", "reason"),
    [
        ({"losing": ()}, 0.0, True, "GAIN_ABOVE_COST"),
        ({"losing": (), "last_move_at": NOW - DAY}, 0.0, True, "GAIN_ABOVE_COST"),
        ({"losing": (), "last_move_at": NOW - DAY / 2}, 0.0, False, "INTERVAL_RUNNING"),
        ({"losing": (), "gain_usd": Decimal("0.01")}, 0.0, False, "GAIN_BELOW_COST"),
        ({"losing": ()}, 10.0, False, "GAIN_BELOW_COST"),
        ({"losing": ("a",)}, 0.0, False, "GAIN_BELOW_COST"),
        ({"losing": None}, 0.0, False, "GAIN_BELOW_COST"),
        ({"losing": (), "present_usd_per_hour": None}, 0.0, False, "RATE_UNKNOWN"),
        ({"losing": (), "changes": 0}, 0.0, False, "ALREADY_BEST"),
    ],
)
def test_what_nobody_earns_with_is_given_away_for_less_once_a_day(changes, idle_margin_pct, move, reason):
    options = threshold.ThresholdOptions(idle_margin_pct=idle_margin_pct)
    advice = threshold.STRATEGY.advise(options, prospect(**{"gain_usd": SMALL, **changes}))
    assert (advice.move, advice.reasons) == (move, (reason,))
    assert advice.until == (NOW + DAY / 2 if reason == "INTERVAL_RUNNING" else None)


def test_a_gain_above_the_margin_waits_for_no_day():
    advice = threshold.STRATEGY.advise(threshold.ThresholdOptions(), prospect(losing=(), last_move_at=NOW))
    assert advice.move
    assert advice.needed_gain_usd == Decimal("0.13")


def test_options_are_checked():
    assert msgspec.convert({}, threshold.ThresholdOptions).margin_pct == 10.0
    for wrong in ({"margin_pct": -1}, {"margin": 3}, {"margin_pct": "ten"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, threshold.ThresholdOptions)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"margin_pct": 1}, keep.KeepOptions)


def test_keep_never_moves():
    advice = keep.STRATEGY.advise(keep.KeepOptions(), prospect(gain_usd=Decimal(1000)))
    assert (advice.move, advice.reasons) == (False, ("STRATEGY_KEEPS",))


def test_strategies_are_found_by_name():
    assert load_strategies()["threshold"]() is threshold.STRATEGY
    assert load_strategies()["keep"]() is keep.STRATEGY
