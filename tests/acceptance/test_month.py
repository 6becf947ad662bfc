"""A month and a day: raw rows are forgotten after 30 days, roll-ups and ledger are complete for ever."""

from __future__ import annotations

from datetime import timedelta

import duckdb
import pytest
from emulated_week import DATABASE, START, play

from orch.emulator.facts import NODES
from orch.emulator.world import World

SEED, DAYS = 7, 31
HOURS = DAYS * 24
TICKS_PER_HOUR = 60
KEPT = timedelta(days=30)
TIDY_EVERY_H = CATCH_UP_H = 6
"""The last time falls on the very end, so that nothing may be older than what is kept."""
LARGEST_MB = 100

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The month played, and its database."""
    data_dir = tmp_path_factory.mktemp("month")
    played = play(World(SEED, START), HOURS, data_dir, catch_up_h=CATCH_UP_H, tidy_every_h=TIDY_EVERY_H)
    return played, data_dir / DATABASE


@pytest.fixture
def ask(month):
    with duckdb.connect(str(month[1]), read_only=True) as connection:
        yield lambda question, *values: connection.execute(question, values).fetchall()


def naive(when):
    return when.replace(tzinfo=None)


END = naive(START) + timedelta(hours=HOURS + CATCH_UP_H)


def test_the_ledger_is_complete(month):
    played, _ = month
    assert played.wrong_streams == []
    assert played.streams > 500
    assert (played.overallocated, played.failures, played.dead_letters) == (0, {}, {})


@pytest.mark.parametrize("table", ["samples", "ticks"])
def test_raw_rows_are_gone_after_thirty_days_and_not_before(ask, table):
    ((first, last),) = ask(f"SELECT min(taken_at), max(taken_at) FROM {table}")
    assert first == END - KEPT
    assert last == END


def test_every_hour_of_the_month_is_rolled_up_for_every_node(ask):
    rows = ask(
        "SELECT node, taken_at, ticks FROM samples_hourly WHERE taken_at < ? ORDER BY ALL",
        naive(START) + timedelta(hours=HOURS),
    )
    every = [naive(START) + timedelta(hours=hour) for hour in range(HOURS)]
    assert rows == [(node, hour, TICKS_PER_HOUR) for node in sorted(NODES) for hour in every]


def test_the_health_of_the_host_is_rolled_up_for_every_hour(ask):
    ((hours, ticks),) = ask(
        "SELECT count(*), sum(online + degraded + unknown + offline) FROM ticks_hourly WHERE taken_at < ?",
        naive(START) + timedelta(hours=HOURS),
    )
    assert (hours, ticks) == (HOURS, HOURS * TICKS_PER_HOUR)


def test_the_rolled_up_figures_are_those_of_the_ticks(ask):
    apart = ask(
        "SELECT hourly.taken_at, hourly.node FROM samples_hourly AS hourly JOIN ("
        "  SELECT date_trunc('hour', taken_at) AS hour, node, avg(usd_mean) AS usd, avg(cpu_allocated) AS cpu"
        "  FROM samples GROUP BY ALL HAVING count(*) = ?"
        ") AS raw ON raw.hour = hourly.taken_at AND raw.node = hourly.node "
        "WHERE abs(hourly.usd_mean - raw.usd) > 1e-12 OR abs(hourly.cpu_allocated - raw.cpu) > 1e-9",
        TICKS_PER_HOUR,
    )
    assert apart == []


def test_the_file_stays_small(month):
    _, database = month
    assert database.stat().st_size < LARGEST_MB * 1e6
