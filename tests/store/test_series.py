"""Metrics over time: the same figures from raw rows and from roll-ups."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orch.errors import UsageError
from orch.model.resources import Resources
from orch.store.maintenance import forget, roll_up
from orch.store.queries import get_metrics_history

HOUR = timedelta(hours=1)


@pytest.fixture
def filled(writer, make):
    """Six hours at 5 min: disk earns the hour's number, relay is unknown at first, then half offline."""
    for number in range(6 * 12):
        hour = number // 12
        relay = "unknown" if hour == 0 else "offline" if number % 2 else "online"
        nodes = (
            make.node(rate=make.rate(float(hour)), used=Resources(cpu_cores=0.1 * hour, storage_gb=7.0)),
            make.node("relay", health=relay, rate=None, used=Resources()),
        )
        writer.add_tick(make.snapshot(make.START + timedelta(minutes=5 * number), nodes=nodes), (), number)
    writer.commit()
    return writer


def lines(history):
    return {(line.node, line.resource): [value for _, value in line.points] for line in history.series}


def test_hourly_income_is_the_same_before_and_after_the_roll_up(filled, make):
    ask = (filled.connection, "usd_per_hour", None, make.START, make.START + 6 * HOUR, 3600)
    raw = get_metrics_history(*ask)
    assert (raw.unit, raw.step_s) == ("USD/h", 3600)
    assert lines(raw) == {("disk", None): [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]}
    assert raw.series[0].points[1] == (make.START + HOUR, 1.0)
    roll_up(filled.connection, make.START + 6 * HOUR)
    assert get_metrics_history(*ask) == raw
    filled.connection.execute("DELETE FROM samples WHERE taken_at < '2026-03-01 15:00'")
    assert get_metrics_history(*ask) == raw


def test_a_step_begins_whole_even_when_since_does_not(filled, make):
    history = get_metrics_history(
        filled.connection, "usd_per_hour", "disk", make.START + 1.5 * HOUR, make.START + 4 * HOUR, 7200
    )
    assert history.series[0].points == ((make.START, 0.5), (make.START + 2 * HOUR, 2.5))


def test_short_steps_fall_back_on_whole_hours_where_raw_rows_are_gone(filled, make):
    roll_up(filled.connection, make.START + 6 * HOUR)
    forget(filled.connection, make.START + 5.5 * HOUR, keep=3 * HOUR)
    history = get_metrics_history(
        filled.connection, "usd_per_hour", "disk", make.START, make.START + 6 * HOUR, 900
    )
    times = [(when - make.START) / HOUR for when, _ in history.series[0].points]
    assert times == [0.0, 1.0, 2.0, *(3 + quarter / 4 for quarter in range(12))]


def test_health_is_the_share_of_known_ticks_online(filled, make):
    ask = (filled.connection, "health", "relay", make.START, make.START + 6 * HOUR, 3600)
    raw = get_metrics_history(*ask)
    assert [value for _, value in raw.series[0].points] == [0.5] * 5
    assert raw.series[0].points[0][0] == make.START + HOUR
    roll_up(filled.connection, make.START + 6 * HOUR)
    assert get_metrics_history(*ask) == raw


def test_resources_have_a_line_each_with_its_unit(filled, make):
    history = get_metrics_history(filled.connection, "used", None, make.START, make.START + 2 * HOUR, 3600)
    assert lines(history) == {
        ("disk", "cpu_cores"): [0.0, pytest.approx(0.1)],
        ("disk", "storage_gb"): [7.0, 7.0],
    }
    assert history.unit is None
    assert [line.unit for line in history.series] == ["cores", "GB"]
    allocated = get_metrics_history(filled.connection, "allocation", "relay", make.START, make.START + HOUR, 3600)
    assert lines(allocated)["relay", "storage_gb"] == [1000.0]


@pytest.mark.parametrize(("metric", "step"), [("usd_per_hour", 0), ("moods", 60)])
def test_nonsense_is_refused(empty_writer, make, metric, step):
    with pytest.raises(UsageError):
        get_metrics_history(empty_writer.connection, metric, None, make.START, make.START, step)
