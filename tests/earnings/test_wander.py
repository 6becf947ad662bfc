"""How prices move is learned from how they moved, and doubt grows with their age."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orch.earnings.wander import FIGURE_STANDS_S, USUAL_DAY, Wander, price_doubt, watch
from orch.model.money import Price, PriceNow

T0 = datetime(2026, 11, 1, tzinfo=UTC)


def priced(usd: float | str, minutes: float) -> PriceNow:
    when = T0 + timedelta(minutes=minutes)
    price = Price(token="GLM", usd=Decimal(str(usd)), source="s", observed_at=when, fetched_at=when)
    return PriceNow(token="GLM", state="fresh", price=price, age_s=0.0)


def walked(day: float, steps: int, *, every_min: float = 5.0, seed: int = 1) -> Wander | None:
    chance, usd, known = random.Random(seed), 0.2, None
    for step in range(steps):
        known = watch(known, priced(usd, step * every_min))
        usd *= math.exp(chance.gauss(0.0, day * math.sqrt(every_min / 1440)))
    return known


@pytest.mark.parametrize("day", [0.01, 0.05, 0.3])
def test_the_size_of_a_days_move_is_learned(day):
    known = walked(day, 1500)
    assert known is not None
    assert math.sqrt(known.variance) == pytest.approx(day, rel=0.15)


def test_before_anything_was_seen_to_move_the_usual_counts():
    assert walked(0.3, 1).variance == USUAL_DAY**2
    assert price_doubt(None, 0.0) == price_doubt(walked(0.3, 1), 0.0)


def test_doubt_grows_with_the_root_of_age():
    age = 3 * FIGURE_STANDS_S
    assert price_doubt(None, age) == pytest.approx(2 * price_doubt(None, 0.0))


@pytest.mark.parametrize("odd", [priced(0, 60), priced("NaN", 60), priced("-1", 60), priced("Infinity", 60), None])
def test_what_cannot_be_a_price_changes_nothing(odd):
    known = walked(0.05, 10)
    assert watch(known, odd) == known


def test_the_same_price_or_an_older_one_is_no_move():
    known = walked(0.05, 10)
    assert watch(known, priced(9.0, 45)) == known
    assert watch(known, priced(9.0, 5)) == known
