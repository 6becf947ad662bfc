"""Whether the figures are honest: the truth lies in the published intervals about as often as they promise.

Twenty emulated worlds, each watched for a day before its figures are held against what it truly earns. What a rate
claims, and what is compared, is said in `bench.truth_calibration`.
"""

from __future__ import annotations

import pytest

from bench.truth_calibration import WIDTHS, calibration, is_covered, is_narrow, observe_all

SEEDS = range(900, 920)
"""None of them was looked at while the intervals were built."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def rows():
    return {row["protocol"]: row for row in calibration(observe_all(SEEDS))}


@pytest.mark.parametrize("protocol", [*WIDTHS, "all"])
def test_the_truth_lies_in_the_interval_neither_too_seldom_nor_always(rows, protocol):
    assert is_covered(rows[protocol]), rows[protocol]


@pytest.mark.parametrize("protocol", WIDTHS)
def test_the_intervals_are_narrow_enough_to_be_of_use(rows, protocol):
    assert is_narrow(rows[protocol]), rows[protocol]


def test_every_node_with_a_truth_has_a_figure(rows):
    assert rows["all"]["shown"] == rows["all"]["known"]


def test_nothing_is_shown_where_the_truth_is_unknown(rows):
    assert rows["grass"]["node_hours"] > 0
    assert rows["grass"]["shown_unknown"] == 0
