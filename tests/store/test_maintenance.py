"""Roll-ups, retention: hours summed up as by hand, raw rows gone only then."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orch.errors import StoreError
from orch.model.money import EVIDENCE
from orch.model.resources import Resources
from orch.store import queries
from orch.store.bulk import HEALTHS, SampleColumns, load_samples
from orch.store.maintenance import checkpoint, forget, forgotten_until, roll_up, rolled_until

HOUR = timedelta(hours=1)


def hourly(writer):
    return writer.connection.execute(
        "SELECT taken_at, node, health, usd_mean, evidence, cpu_used, cpu_allocated, ticks, online_ticks, "
        "unknown_ticks FROM samples_hourly ORDER BY taken_at, node"
    ).fetchall()


def tick(writer, make, number, when, **node):
    writer.add_tick(make.snapshot(when, nodes=(make.node(**node),)), (), number)


def test_only_hours_that_are_over_and_followed_are_summed_up(writer, make):
    for number in range(1, 14):
        tick(writer, make, number, make.START + timedelta(minutes=10 * (number - 1)))
    writer.commit()
    # 10:00 to 12:00: two hours are over, and the tick at 12:00 proves that nothing of them can still come.
    assert roll_up(writer.connection, make.START + 3 * HOUR) == 2
    assert rolled_until(writer.connection) == make.START + 2 * HOUR
    assert [row[7] for row in hourly(writer)] == [6, 6]
    assert roll_up(writer.connection, make.START + 3 * HOUR) == 0
    tick(writer, make, 14, make.START + 4 * HOUR)
    writer.commit()
    assert roll_up(writer.connection, make.START + 5 * HOUR) == 1
    assert [row[7] for row in hourly(writer)] == [6, 6, 1]


def test_an_empty_database_has_nothing_to_sum_up_or_forget(writer, make):
    assert roll_up(writer.connection, make.START) == 0
    assert forget(writer.connection, make.START) == 0


SAMPLE = st.tuples(
    st.integers(0, 3 * 720 - 1),
    st.sampled_from(HEALTHS),
    st.none() | st.tuples(st.floats(0, 10), st.sampled_from(EVIDENCE)),
    st.none() | st.floats(0, 64),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=st.lists(SAMPLE, min_size=1, max_size=40, unique_by=lambda sample: sample[0]))
def test_roll_ups_equal_sums_by_hand(emptied, make, samples):
    writer = emptied()
    samples.sort(key=lambda sample: sample[0])
    for number, (slot, health, earning, cpu) in enumerate(samples, 1):
        rate = None if earning is None else make.rate(*earning)
        tick(
            writer, make, number, make.START + timedelta(seconds=5 * slot),
            health=health, rate=rate, used=Resources(cpu_cores=cpu),
        )  # fmt: skip
    tick(writer, make, len(samples) + 1, make.START + 4 * HOUR)
    writer.commit()
    roll_up(writer.connection, make.START + 4 * HOUR)

    expected = []
    for index in range(3):
        rows = [sample for sample in samples if sample[0] // 720 == index]
        if rows:
            counts = Counter(row[1] for row in rows)
            earned = [row[2] for row in rows if row[2] is not None]
            cores = [row[3] for row in rows if row[3] is not None]
            expected.append((
                (make.START + index * HOUR).replace(tzinfo=None),
                "disk",
                max(HEALTHS, key=lambda health: (counts[health], HEALTHS.index(health))),
                pytest.approx(sum(mean for mean, _ in earned) / len(earned)) if earned else None,
                max((evidence for _, evidence in earned), key=EVIDENCE.index, default=None),
                pytest.approx(sum(cores) / len(cores)) if cores else None,
                2.0,
                len(rows),
                counts["online"],
                counts["unknown"],
            ))  # fmt: skip
    assert hourly(writer) == expected
    every = queries.uptime(writer.connection, make.START, make.START + 3 * HOUR)
    health = Counter(sample[1] for sample in samples)
    assert (every.online, every.degraded, every.unknown, every.offline) == tuple(health[name] for name in HEALTHS)
    writer.close()


def test_after_31_days_raw_rows_are_gone_and_everything_else_is_there(writer, make):
    days, per_hour = 31, 4
    number = 0
    for hour in range(days * 24):
        for quarter in range(per_hour):
            number += 1
            when = make.START + timedelta(hours=hour, minutes=15 * quarter)
            tick(writer, make, number, when, health="offline" if hour == 3 else "online")
        if hour % 24 == 0:
            when = make.START + timedelta(hours=hour)
            writer.add_tick(make.snapshot(when), (make.entry(f"e{hour}"),), number)
            writer.add_decision(
                make.decision(f"d{hour}", when, plan_id=f"p{hour}"), make.plan(f"p{hour}", f"d{hour}", when)
            )
    writer.commit()
    now = make.START + timedelta(days=days)
    tick(writer, make, number + 1, now)
    writer.commit()
    before = queries.uptime(writer.connection, make.START, now)
    roll_up(writer.connection, now)
    assert forget(writer.connection, now) == 24 * per_hour
    assert forgotten_until(writer.connection) == now - timedelta(days=30)
    query = "SELECT min(taken_at), count(*) FROM samples"
    oldest, left = writer.connection.execute(query).fetchall()[0]
    assert (oldest, left) == ((now - timedelta(days=30)).replace(tzinfo=None), 30 * 24 * per_hour + 1)
    assert len(hourly(writer)) == days * 24
    assert sum(row[7] for row in hourly(writer)) == number
    assert writer.connection.execute("SELECT count(*) FROM ledger").fetchall() == [(days,)]
    assert len(queries.decisions(writer.connection, 100).items) == days
    assert queries.plan(writer.connection, "p0") is None
    assert queries.plan(writer.connection, "p240") is not None
    assert queries.uptime(writer.connection, make.START, now) == before
    assert before.uptime_pct == pytest.approx(100 * (1 - per_hour / number))
    assert checkpoint(writer.connection)
    assert forget(writer.connection, now) == 0


def test_nothing_is_forgotten_before_it_is_summed_up(writer, make):
    tick(writer, make, 1, make.START)
    tick(writer, make, 2, make.START + timedelta(minutes=30))
    writer.commit()
    later = make.START + timedelta(days=90)
    roll_up(writer.connection, later)
    assert forget(writer.connection, later) == 0
    assert writer.connection.execute("SELECT count(*) FROM samples").fetchall() == [(2,)]


def test_columns_are_loaded_as_samples(writer, make):
    start = np.datetime64(datetime(2026, 3, 1, 10), "us")  # noqa: DTZ001 - NumPy times have no zone
    columns = SampleColumns(
        taken_at=start + np.arange(4) * np.timedelta64(5, "s"),
        node=np.array([0, 1, 0, 1]),
        health=np.array([0, 3, 0, 2]),
        evidence=np.array([1, -1, 0, 1]),
        figures={"usd_mean": np.array([0.5, np.nan, 0.25, 0.0])},
    )
    assert load_samples(writer.connection, "here", ["disk", "relay"], columns) == 4
    query = "SELECT node, health, usd_mean, evidence, cpu_used FROM samples ORDER BY taken_at"
    assert writer.connection.execute(query).fetchall() == [
        ("disk", "online", 0.5, "accrued", None),
        ("relay", "offline", None, None, None),
        ("disk", "online", 0.25, "settled", None),
        ("relay", "unknown", 0.0, "accrued", None),
    ]


def test_housekeeping_that_fails_says_so_and_changes_nothing(writer, make):
    for number in (1, 2):
        tick(writer, make, number, make.START + number * HOUR)
    writer.commit()
    writer.connection.execute("ALTER TABLE ticks_hourly RENAME TO elsewhere")
    with pytest.raises(StoreError, match="could not be summed up"):
        roll_up(writer.connection, make.START + 2 * HOUR)
    assert hourly(writer) == []
    assert rolled_until(writer.connection) is None
