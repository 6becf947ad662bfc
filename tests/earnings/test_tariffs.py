"""What a kWh costs at a time, and tables as they are published."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orch.earnings.power_tables import TableShape, read_table
from orch.earnings.tariffs import Band, TariffTerms, merged, power_now
from orch.errors import AbsurdError, ProtocolError, ShapeError

PRAGUE = ZoneInfo("Europe/Prague")
SHAPE = TableShape(zone="Europe/Prague", per_mwh=True)
LONG, SHORT, PLAIN = date(2025, 10, 26), date(2025, 3, 30), date(2025, 6, 1)


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=PRAGUE).astimezone(UTC)


# -- by the clock ------------------------------------------------------------------------------------------

NIGHT = TariffTerms(
    zone="Europe/Prague",
    flat=0.3,
    bands=(
        Band(start_min=22 * 60, end_min=6 * 60, per_kwh=0.1, days=("mon", "tue", "wed", "thu", "fri")),
        Band(start_min=12 * 60, end_min=14 * 60, per_kwh=0.2),
    ),
)


@pytest.mark.parametrize(
    ("when", "price"),
    [
        ((2025, 6, 2, 21, 59), 0.3),
        ((2025, 6, 2, 22, 0), 0.1),
        ((2025, 6, 3, 5, 59), 0.1),
        ((2025, 6, 3, 6, 0), 0.3),
        ((2025, 6, 3, 12, 0), 0.2),
        ((2025, 6, 3, 14, 0), 0.3),
        ((2025, 6, 7, 5, 0), 0.1),  # the night of Friday ends on Saturday
        ((2025, 6, 7, 23, 0), 0.3),
        ((2025, 6, 9, 5, 0), 0.3),  # the night of Sunday is no night of the week
    ],
)
def test_time_of_use_is_read_from_the_clock_on_the_wall(when, price):
    assert power_now(NIGHT, (), at(*when)).per_kwh == price


def test_a_flat_price_is_the_same_at_all_hours():
    assert power_now(TariffTerms(flat=-0.01), (), at(2025, 1, 1)).per_kwh == -0.01


# -- tables ------------------------------------------------------------------------------------------------


def counted(day: date, hours: int, price=lambda hour: hour) -> bytes:
    """A table that counts hours from midnight; the 25th is written 24:00."""
    rows = [f"{day},{hour:02}:00,{hour + 1:02}:00,{price(hour)}" for hour in range(hours)]
    return "\n".join(["date,time_from,time_to,price_eur_mwh", *rows]).encode()


def walled(day: date, hours: list[int]) -> bytes:
    """A table by the clock on the wall."""
    return "\n".join(["time;price", *(f"{day}T{hour:02}:00;{n},5" for n, hour in enumerate(hours))]).encode()


@pytest.mark.parametrize(("day", "hours"), [(SHORT, 23), (LONG, 25), (PLAIN, 24)])
def test_days_of_23_24_and_25_hours_counted_from_midnight_have_no_gap(day, hours):
    table = read_table(counted(day, hours), SHAPE)
    assert len(table) == hours
    assert all(before.end == after.start for before, after in pairwise(table))
    midnight = datetime(day.year, day.month, day.day, tzinfo=PRAGUE)
    assert table[0].start == midnight.astimezone(UTC)
    assert table[-1].end == (midnight + timedelta(days=1)).replace(tzinfo=PRAGUE).astimezone(UTC)
    assert [each.per_kwh for each in table] == [hour / 1000 for hour in range(hours)]


@pytest.mark.parametrize(
    ("day", "hours"),
    [(SHORT, [0, 1, *range(3, 24)]), (LONG, [0, 1, 2, 2, *range(3, 24)]), (PLAIN, list(range(24)))],
)
def test_the_same_days_by_the_clock_on_the_wall(day, hours):
    table = read_table(walled(day, hours), SHAPE)
    assert len(table) == len(hours)
    assert all(before.end == after.start for before, after in pairwise(table))
    assert [round(each.per_kwh * 1000, 6) for each in table] == [n + 0.5 for n in range(len(hours))]


def test_quarters_of_the_repeated_hour_are_told_apart():
    clock = [f"02:{minute:02}" for minute in (0, 15, 30, 45)]
    rows = [f"{LONG},{each},{n}" for n, each in enumerate(["01:45", *clock, *clock, "03:00"])]
    table = read_table("\n".join(["date,time,price", *rows]).encode(), SHAPE)
    assert {after.start - before.start for before, after in pairwise(table)} == {timedelta(minutes=15)}


def test_negative_prices_are_prices():
    table = read_table(counted(PLAIN, 24, lambda hour: -12.5), SHAPE)
    assert {each.per_kwh for each in table} == {-0.0125}


MIDNIGHT = at(2025, 6, 1)
STAMP = int(MIDNIGHT.timestamp())


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (
            {
                "object": "list",
                "data": [
                    {"start_timestamp": (STAMP + hour * 3600) * 1000, "marketprice": 90.0, "unit": "Eur/MWh"}
                    for hour in range(3)
                ],
            },
            SHAPE,
        ),
        ({"unix_seconds": [STAMP, STAMP + 3600, STAMP + 7200], "price": [90.0] * 3, "unit": "EUR / MWh"}, SHAPE),
        (
            [
                {"EUR_per_kWh": 0.09, "time_start": f"2025-06-01T0{hour}:00:00+02:00", "EXR": 11.2}
                for hour in range(3)
            ],
            TableShape(zone="Europe/Prague"),
        ),
        (
            {
                "count": 3,
                "results": [
                    {"value_exc_vat": 8, "value_inc_vat": 0.09, "valid_from": f"2025-05-31T{hour}:00:00Z"}
                    for hour in (22, 23)
                ],
            },
            TableShape(),
        ),
        (
            [{"when": "2025-06-01 00:00", "cost": 90}],
            TableShape(zone="Europe/Prague", per_mwh=True, time="when", price="cost"),
        ),
    ],
)
def test_the_shapes_in_which_day_prices_are_published(body, shape):
    table = read_table(msgspec.json.encode(body), shape)
    assert table[0].start == MIDNIGHT
    assert table[0].end - table[0].start == timedelta(hours=1)
    assert table[0].per_kwh == pytest.approx(0.09)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"{}",
        b"[]",
        b"{not json",
        b"<html>late</html>",
        b"date,time_from,price\n",
        b"date,time_from,price\n2025-13-01,00:00,5",
        b"date,time_from,price\n2025-06-01,25:00,5",
        b"time,price\n2025-06-01T00:00,cheap",
        b'[{"time": true, "price": null}]',
        b"[1, 2, 3]",
    ],
)
def test_what_is_no_table_is_refused(body):
    with pytest.raises(ShapeError):
        read_table(body, SHAPE)


@pytest.mark.parametrize("price", ["nan", "inf", "-inf", "1e12"])
def test_what_no_price_can_be_is_refused(price):
    with pytest.raises(AbsurdError):
        read_table(f"time,price\n2025-06-01T00:00,{price}".encode(), SHAPE)


@settings(max_examples=60)
@example(b"\n\0")
@given(st.binary(max_size=200) | st.text('0123456789-:T.,;\n datepric[]{}"', max_size=200).map(str.encode))
def test_any_bytes_are_a_table_or_a_typed_refusal(body):
    try:
        table = read_table(body, SHAPE)
    except ProtocolError:
        return
    assert all(each.start <= each.end for each in table)


# -- the present price -------------------------------------------------------------------------------------

SPOT = TariffTerms(currency="EUR", zone="Europe/Prague", factor=1.21, add=0.1)


def test_what_is_paid_is_the_price_with_taxes_and_the_grid():
    table = read_table(counted(PLAIN, 24, lambda hour: 100), SHAPE)
    found = power_now(SPOT, table, at(2025, 6, 1, 13, 30))
    assert (found.state, found.per_kwh) == ("fresh", pytest.approx(0.221))


def test_when_the_table_has_ended_the_same_hour_of_a_day_before_stands_in_and_then_nothing():
    table = read_table(counted(LONG, 25), SHAPE)
    # By the clock on the wall: 24 hours ago it was another hour.
    found = power_now(TariffTerms(zone="Europe/Prague"), table, at(2025, 10, 27, 13))
    assert (found.state, round(found.per_kwh * 1000)) == ("stale", 14)
    assert power_now(SPOT, table, at(2025, 10, 28, 13)).state == "stale"
    assert power_now(SPOT, table, at(2025, 10, 29, 13)).per_kwh is None
    assert power_now(SPOT, (), at(2025, 10, 29, 13)).state == "unknown"


def test_newer_prices_replace_older_ones_and_what_is_long_past_goes():
    old, new = read_table(counted(PLAIN, 24), SHAPE), read_table(counted(PLAIN, 24, lambda hour: 5), SHAPE)
    assert merged(old, new, MIDNIGHT) == new
    assert merged(old, (), MIDNIGHT + timedelta(days=10)) == ()
