"""The writer: what is added is recorded once, all of it or nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import duckdb
import pytest

from orch.errors import StoreError
from orch.model.board import Kpis, NodeKpis
from orch.model.money import Price, PriceNow
from orch.model.readings import Failure
from orch.model.resources import Resources
from orch.store import queries
from orch.store.database import open_for_writing, open_read_only


def rows(writer, query):
    return writer.connection.execute(query).fetchall()


def test_a_tick_becomes_samples_and_ledger_rows(writer, make):
    lost = make.node("relay", health="offline", rate=None, used=Resources())
    writer.add_tick(make.snapshot(nodes=(make.node(), lost)), (make.entry(),), 7)
    stored = make.START.replace(tzinfo=None)
    assert writer.commit() == 7
    assert rows(writer, "SELECT * FROM samples ORDER BY node") == [
        (stored, "here", "disk", "online", 0.2, 0.25, 0.3, "accrued",
         0.5, None, None, None, 2.0, 4.0, None, 1000.0),
        (stored, "here", "relay", "offline", None, None, None, None,
         None, None, None, None, 2.0, 4.0, None, 1000.0),
    ]  # fmt: skip
    assert rows(writer, "SELECT * FROM ticks") == [(stored, "here", "offline")]
    assert queries.ledger_rows(writer.connection, "disk") == (make.entry(),)


def test_everything_comes_back_as_it_was_told(writer, make):
    writer.add_decision(make.decision(), make.plan())
    writer.add_reallocation(make.reallocation(), make.step())
    writer.add_alert(make.alert())
    kpis = Kpis(
        total_usd_per_hour=0.5,
        allocation_efficiency=Resources(cpu_cores=0.1),
        nodes={"disk": NodeKpis(usd_per_hour=0.5, utilisation=Resources(), time_to_reconnect_s=None)},
    )
    writer.add_board(make.START + timedelta(minutes=5), b'{"schema": 1, "name": "\xc3\xa9"}', kpis)
    assert writer.commit() is None
    read = writer.reader()
    assert queries.decision(read) == make.decision()
    assert queries.decision(read, "d1") == make.decision()
    assert queries.decision(read, "other") is None
    assert queries.plan(read, "p1") == make.plan()
    assert queries.reallocation(read) == make.reallocation()
    assert queries.reallocation_steps(read, "r1") == (make.step(),)
    assert queries.alerts(read).items == (make.alert(),)
    board = queries.latest_board(read)
    assert (board.taken_at, board.body) == (
        make.START + timedelta(minutes=5),
        b'{"schema": 1, "name": "\xc3\xa9"}',
    )
    (hour,) = queries.kpi_hours(read, make.START, make.START + timedelta(hours=1))
    assert (hour.taken_at, hour.host, hour.kpis) == (make.START, "here", kpis)
    about = queries.meta(read)
    assert (about.kind, about.host, about.clock) == ("emulated", "here", make.START + timedelta(minutes=5))
    read.close()


def test_the_last_word_of_a_thing_stands(writer, make):
    for state in ("applying", "settled"):
        writer.add_reallocation(make.reallocation(state=state))
        writer.add_alert(make.alert(state="firing" if state == "applying" else "resolved"))
        writer.add_decision(make.decision(sentence=state))
        writer.add_board(make.START, f'"{state}"'.encode())
        writer.commit()
    assert [item.state for item in queries.get_reallocation_history(writer.connection)] == ["settled"]
    assert [item.state for item in queries.alerts(writer.connection).items] == ["resolved"]
    assert queries.alerts(writer.connection, state="firing").items == ()
    assert [item.sentence for item in queries.decisions(writer.connection).items] == ["settled"]
    assert rows(writer, "SELECT count(*), max(body) FROM board") == [(1, '"settled"')]


def test_an_entry_is_written_once_and_never_changed(writer, make):
    writer.add_tick(make.snapshot(), (make.entry("a"), make.entry("b")), 1)
    writer.commit()
    writer.add_tick(make.snapshot(tick=2), (make.entry("b", usd="9"), make.entry("c")), 2)
    assert writer.commit() == 2
    assert rows(writer, "SELECT entry_id, usd FROM ledger ORDER BY entry_id") == [
        (name, Decimal("0.5")) for name in "abc"
    ]


def test_ticks_sent_again_after_a_restart_change_nothing(path, make):
    first = open_for_writing(path, "emulated", "here", make.START)
    for number in (1, 2, 3):
        first.add_tick(
            make.snapshot(make.START + timedelta(seconds=5 * number)), (make.entry(f"e{number}"),), number
        )
    assert first.commit() == 3
    first.close()
    again = open_for_writing(path, "emulated", "here", make.START)
    assert again.sequence == 3
    for number in (2, 3, 4):
        again.add_tick(
            make.snapshot(make.START + timedelta(seconds=5 * number)), (make.entry(f"e{number}"),), number
        )
    assert again.commit() == 4
    assert rows(again, "SELECT count(*), count(DISTINCT taken_at) FROM samples") == [(4, 4)]
    assert rows(again, "SELECT count(*) FROM ledger") == [(4,)]
    again.close()


def test_a_failed_commit_keeps_everything_for_the_next(writer, make):
    writer.add_tick(make.snapshot(), (make.entry(),), 1)
    writer.add_decision(make.decision())
    writer.connection.execute("ALTER TABLE decisions RENAME TO elsewhere")
    with pytest.raises(StoreError, match="kept for the next try"):
        writer.commit()
    assert rows(writer, "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM ledger)") == [(0, 0)]
    assert writer.sequence is None
    writer.add_tick(make.snapshot(make.START + timedelta(seconds=5)), (), 2)
    writer.connection.execute("ALTER TABLE elsewhere RENAME TO decisions")
    assert writer.commit() == 2
    assert writer.open_rows == 0
    assert rows(writer, "SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM decisions)") == [(2, 1)]


@pytest.mark.parametrize("amount", ["1e20", "-1e20", "NaN", "Infinity"])
def test_money_that_cannot_be_kept_is_refused_whole(writer, make, amount):
    with pytest.raises(StoreError, match="cannot be recorded"):
        writer.add_tick(make.snapshot(), (make.entry("a"), make.entry("b", amount=Decimal(amount))), 1)
    assert writer.open_rows == 0


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("0.1234567890123456785", "0.123456789012345678"),
        ("0.1234567890123456775", "0.123456789012345678"),
        ("-99999999999999999999", "-99999999999999999999"),
        ("1E+3", "1000"),
    ],
)
def test_money_is_quantised_to_one_wei(writer, make, told, kept):
    writer.add_tick(make.snapshot(), (make.entry(amount=Decimal(told)),), 1)
    writer.commit()
    assert queries.ledger_rows(writer.connection)[0].amount == Decimal(kept)


def test_a_time_without_a_zone_is_refused(writer, make):
    with pytest.raises(StoreError, match="without a zone"):
        writer.add_tick(make.snapshot(make.START.replace(tzinfo=None)), (), 1)


def test_a_price_is_recorded_when_it_is_new_and_when_its_state_turns(writer, make):
    price = Price(token="GLM", usd=Decimal("0.21"), source="x", observed_at=make.START, fetched_at=make.START)
    writer.add_prices((price,))
    writer.add_prices((price,))
    for minutes, state in ((1, "fresh"), (2, "stale"), (3, "stale"), (4, "unknown")):
        now = PriceNow(token="GLM", state=state, price=None if state == "unknown" else price, age_s=60.0 * minutes)
        writer.add_tick(make.snapshot(make.START + timedelta(minutes=minutes), prices=(now,)), (), minutes)
    writer.commit()
    assert rows(writer, "SELECT minute(taken_at), usd, state FROM prices ORDER BY ALL") == [
        (0, Decimal("0.21"), "fresh"),
        (2, Decimal("0.21"), "stale"),
        (4, None, "unknown"),
    ]
    (latest,) = queries.latest_prices(writer.connection)
    assert (latest.token, latest.usd, latest.state) == ("GLM", None, "unknown")


def test_a_failure_that_stands_is_recorded_once(writer, make):
    failure = Failure(endpoint="sno", reason="timeout", sentence="too slow", retryable=True, failed_at=make.START)
    for number in (1, 2):
        node = make.node(failures=(failure,))
        writer.add_tick(make.snapshot(make.START + timedelta(seconds=number), nodes=(node,)), (), number)
    writer.add_prices((), (failure,))
    writer.commit()
    assert rows(writer, "SELECT node, endpoint, reason FROM failures ORDER BY node NULLS LAST") == [
        ("disk", "sno", "timeout"),
        (None, "sno", "timeout"),
    ]


def test_pages_cover_the_whole_list_once(writer, make):
    for number in range(7):
        # Two decisions at one time: the id tells them apart.
        writer.add_decision(make.decision(f"d{number}", make.START + timedelta(minutes=number // 2)))
    writer.commit()
    seen, cursor = [], None
    for _ in range(4):
        page = queries.decisions(writer.connection, 2, cursor)
        seen += [item.id for item in page.items]
        cursor = page.next
    assert seen == [f"d{number}" for number in reversed(range(7))]
    assert cursor is None


@pytest.mark.parametrize("cursor", ["!", "bm90IGEgdGltZQ=="])
def test_a_cursor_that_is_none_is_refused(writer, cursor):
    with pytest.raises(Exception, match="not a cursor") as caught:
        queries.reallocations(writer.connection, 2, cursor)
    assert caught.value.exit_code == 2


def test_a_reader_sees_only_what_is_committed(writer, make):
    writer.add_tick(make.snapshot(), (), 1)
    reader = writer.reader()
    assert reader.execute("SELECT count(*) FROM samples").fetchall() == [(0,)]
    writer.commit()
    assert reader.execute("SELECT count(*) FROM samples").fetchall() == [(1,)]
    reader.close()


def test_what_was_closed_can_be_read(path, make):
    writer = open_for_writing(path, "real", "here", make.START)
    writer.add_tick(make.snapshot(), (make.entry(),), 1)
    writer.commit()
    writer.close()
    with open_read_only(path) as connection:
        assert queries.meta(connection).sequence == 1
        with pytest.raises(duckdb.Error):
            connection.execute("DELETE FROM ledger")


def test_of_forecasts_the_newest_word_is_kept_over_a_restart(tmp_path, make):
    path = tmp_path / "orch.duckdb"
    writer = open_for_writing(path, "emulated", "here", make.START)
    assert writer.forecasts is None
    writer.add_forecasts("first")
    writer.add_forecasts("second")
    assert writer.open_rows == 1
    writer.commit()
    assert writer.open_rows == 0
    writer.close()
    again = open_for_writing(path, "emulated", "here", make.START)
    assert again.forecasts == "second"
    again.close()
