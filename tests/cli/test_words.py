"""Figures in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.cli import words
from orch.model.plans import Code

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0, "0.00"),
        (Decimal("0E-18"), "0.00"),
        (Decimal("1234.567"), "1,234.57"),
        (Decimal("0.1"), "0.1000"),
        (Decimal("0.000213"), "0.000213"),
        (Decimal("0.0000001"), "<0.000001"),
        (Decimal("-0.0000001"), ">-0.000001"),
        (Decimal("-12.5"), "-12.50"),
    ],
)
def test_money(value, text):
    assert words.usd(value) == text


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (None, False, "—"),
        (0.0, False, "0.0000"),
        (0.0213, True, "+0.0213"),
        (-0.0213, True, "-0.0213"),
        (0.0004, False, "0.000400"),
        (1234.5, False, "1,234.5000"),
    ],
)
def test_usd_per_hour(value, signed, text):
    assert words.usd_per_hour(value, signed=signed) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (0.0, "0"), (2.0, "2"), (1.25, "1.25"), (12.34, "12.3"), (150.0, "150"), (6000.0, "6,000")],
)
def test_amounts(value, text):
    assert words.amount(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (3600.0, "60 min"),
        (7200.0, "2 h"),
        (86_400.0, "24 h"),
        (172_800.0, "2 d"),
    ],
)
def test_lengths_of_time(seconds, text):
    assert words.span(seconds) == text


def test_relative_times_look_both_ways():
    assert words.relative(NOW - timedelta(minutes=3), NOW) == "3 min ago"
    assert words.relative(NOW + timedelta(seconds=12), NOW) == "in 12 s"
    assert words.relative(NOW, NOW) == "now"
    assert words.relative(None, NOW) == "—"


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_rate_that_is_not_zero_is_never_shown_as_unknown_and_keeps_its_sign(value):
    text = words.usd_per_hour(value, signed=True)
    assert text != "—"
    assert text.startswith("-" if value < 0 else "+")


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "—"),
        (0.0, "0 %"),
        (3.24, "3.2 %"),
        (41.2, "41 %"),
        (99.8, "99.8 %"),
        (99.99, "99.9 %"),
        (100.0, "100 %"),
    ],
)
def test_percents(share, text):
    assert words.percent(share) == text


def test_every_reason_code_has_its_meaning():
    assert set(words.MEANING) == set(get_args(Code))


def test_a_move_says_what_was_read_back_only_where_that_differs(make):
    change = make.move().changes[0]
    took, did_not = change, msgspec.structs.replace(change, read_back=6.0)
    assert words.moved_in_words(make.move(changes=(took,))) == "disk cores 6 → 1.5"
    assert words.moved_in_words(make.move(changes=(did_not,))) == "disk cores 6 → 1.5 (read back 6)"
    assert words.moved_in_words(make.move(state="applying")) == "disk cores 6 → 1.5"
    assert words.moved_in_words(make.move(changes=())) == "no change"


@given(st.text())
def test_nothing_that_a_node_says_can_give_orders_to_a_terminal(text):
    cleaned = words.harmless((text, {"key": text}))
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in cleaned[0] + cleaned[1]["key"])
    assert len(cleaned[0]) == len(text)
