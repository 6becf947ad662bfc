"""Series are read as they are written, and what cannot be read is named with its line and a remedy."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from orch.errors import SeriesError
from orch.replay.market import DAY_S, HOUR_S, make_market, parse_option
from orch.replay.table import Terms, read_series

PRAGUE = Terms(zone="Europe/Prague", alias="power")


@pytest.fixture
def write(tmp_path):
    def write(text, name="file.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_long_and_wide_form_say_the_same(write):
    first, second = "2026-01-01T00:00Z", "2026-01-01T01:00Z"
    long = f"time,series,value\n{first},a,1\n{first},b,2\n{second},a,3\n{second},b,\n"
    wide = "time,a,b,note\n2026-01-01 00:00,1,2,x\n2026-01-01 01:00,3,,y\n"
    one, other = (
        [(each.name, each.starts, each.values) for each in read_series(write(text, name))]
        for text, name in ((long, "long"), (wide, "wide"))
    )
    assert one == other
    assert one[1][2] == (2.0, None)


def test_the_unit_of_a_day_is_known_by_the_columns_name_or_told(write):
    path = write("date,coin,price,rev_usd_per_unit_day\n2026-01-01,a,9,24\n2026-01-02,a,9,48\n")
    terms = Terms(value="rev_usd_per_unit_day")
    (series,) = read_series(path, terms)
    assert series.values == (1.0, 2.0)
    assert read_series(path, terms._replace(per_h=1.0))[0].values == (24.0, 48.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("time,a\n", "no rows"),
        ("when,a\n1,2\n", "no column is called"),
        ("time,a\n2026-01-01,x\n", "no column holds numbers"),
        ("time,a\n2026-01-01,1\n2026-01-02,nan\n", "line 3: a is 'nan'"),
        ("time,a\n2026-01-01,1\n2026-01-02,inf\n", "line 3: a is 'inf'"),
        ("time,a\n2026-01-01,1\n2026-01-01,2\n", "line 3: the time 2026-01-01 is the same as in line 2"),
        ("time,a\n2026-01-02,1\n2026-01-01,2\n", "line 3: the time 2026-01-01 is before that in line 2"),
        ("time,a\nyesterday,1\n", "line 2: 'yesterday' is no time"),
        ("time,a\n2026-01-01,1,2\n", "line 2: 3 cells where the header has 2"),
        ("time,coin,price_low,price_high\n2026-01-01,a,1,2\n", "Name it with --value"),
    ],
)
def test_bad_files_are_refused_with_line_and_remedy(write, text, said):
    path = write(text)
    with pytest.raises(SeriesError, match=said) as caught:
        read_series(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there_and_a_zone_that_is_none(tmp_path, write):
    with pytest.raises(SeriesError, match="cannot be read"):
        read_series(tmp_path / "none.csv")
    with pytest.raises(SeriesError, match="no time zone 'Praha'"):
        read_series(write("time,a\n2026-01-01,1\n"), Terms(zone="Praha"))


def day(date, clocks):
    return "".join(f"{date},{clock},{value}\n" for value, clock in enumerate(clocks))


@pytest.mark.parametrize(
    ("date", "clocks", "hours"),
    [
        ("2026-03-29", [f"{hour:02}:00" for hour in range(24) if hour != 2], 23),
        ("2026-03-29", [f"{hour:02}:00" for hour in range(23)], 23),
        ("2026-10-25", [f"{hour:02}:00" for hour in (0, 1, 2, 2, *range(3, 24))], 25),
        ("2026-10-25", [f"{hour:02}:00" for hour in range(25)], 25),
    ],
    ids=["short by the clock", "short by counting", "long by the clock", "long by counting"],
)
def test_days_on_which_the_clock_changes_have_every_hour_once(write, date, clocks, hours):
    (series,) = read_series(write(f"date,time_from,price\n{day(date, clocks)}"), PRAGUE)
    midnight = int(datetime.fromisoformat(date).replace(tzinfo=ZoneInfo("Europe/Prague")).timestamp())
    assert series.starts == tuple(midnight + HOUR_S * hour for hour in range(hours))


def test_a_clock_time_that_never_was_is_refused(write):
    with pytest.raises(SeriesError, match="there was no 2026-03-29 02:30"):
        read_series(write("time,a\n2026-03-29 02:30,1\n"), Terms(zone="Europe/Prague"))


def test_gaps_stay_unknown_and_coarse_series_are_carried_on(write):
    rates = read_series(
        write(
            "time,a,b\n"
            + "".join(f"2026-01-0{1 + h // 24}T{h % 24:02}:00Z,{'' if h == 5 else h},1\n" for h in range(48))
        )
    )
    daily = read_series(write("date,v\n2026-01-01,10\n2026-01-02,20\n", "fx"), Terms(alias="fx"))
    market = make_market((*rates, *daily), [parse_option("x=2*a*fx"), parse_option("y=b-0.5")])
    assert market.step_s == HOUR_S
    assert np.isnan(market.rates[5, 0])
    assert not market.known[5]
    assert market.known.sum() == 47
    assert market.rates[4].tolist() == [80.0, 0.5]
    assert market.rates[30].tolist() == [1200.0, 0.5]


def test_an_hour_that_is_left_out_is_unknown(write):
    rows = [f"2026-01-01T{hour:02}:00Z,1,2\n" for hour in range(8) if hour not in (3, 4)]
    market = make_market(read_series(write("time,a,b\n" + "".join(rows))))
    assert np.flatnonzero(~market.known).tolist() == [3, 4]


def test_a_gap_is_bridged_only_where_that_is_asked_for(write):
    series = read_series(write("date,a,b\n2026-01-01,1,1\n2026-01-02,,1\n2026-01-03,,1\n2026-01-04,1,1\n"))
    assert make_market(series).known.tolist() == [True, False, False, True]
    assert make_market(series, carry_s={"a": 1.5 * DAY_S}).known.tolist() == [True, True, False, True]


def test_a_huge_gap_is_unknown_and_costs_nothing(write):
    series = read_series(write("date,a,b\n2020-01-01,1,1\n2020-01-02,1,1\n2021-06-01,1,1\n2021-06-02,1,1\n"))
    market = make_market(series)
    assert (len(market.starts), int(market.known.sum())) == (519, 4)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("date,a,b\n2026-01-01,1,2\n", [], "one row only"),
        ("date,a\n2026-01-01,1\n2026-01-02,1\n", [], "only one option"),
        ("date,a,b\n2026-01-01,1,2\n2026-01-02,-1,2\n", [], "line 3: a earns -1, and a rate is never negative"),
        ("date,a,b\n2026-01-01,1,2\n2026-01-02,1,2\n", ["x=a", "y=c"], "no series 'c'; there are a, b"),
        ("date,a,b\n2026-01-01,1,\n2026-01-02,,2\n", [], "not two steps"),
    ],
)
def test_markets_that_cannot_be_are_refused(write, text, options, said):
    series = read_series(write(text))
    with pytest.raises(SeriesError, match=said):
        make_market(series, [parse_option(each) for each in options])


@pytest.mark.parametrize("text", ["x", "=a", "x=", "x=a+", "x=a**b", "x=a/b", "x=2a b"])
def test_an_option_that_cannot_be_read_is_refused(text):
    with pytest.raises(SeriesError, match="cannot be read"):
        parse_option(text)


def test_two_series_of_one_name_are_told_apart_by_the_files(write):
    text = "open_time,close\n2026-01-01 00:00,1\n2026-01-01 01:00,2\n"
    files = [write(text, "one"), write(text, "two")]
    with pytest.raises(SeriesError, match="as NAME="):
        make_market([each for file in files for each in read_series(file)])
    named = [each for name, file in zip("ab", files, strict=True) for each in read_series(file, Terms(alias=name))]
    assert make_market(named).options == ("a", "b")
