"""Tables and watts: when they are asked for, what is read, and what a bad answer does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orch.earnings.costs import idle_cost, node_cost
from orch.earnings.costs_now import CostTerms, costs_now
from orch.earnings.meter import Counter, MeterDesk, TableTerms, WattsTerms
from orch.earnings.power_tables import TableShape
from orch.earnings.tariffs import TariffTerms
from orch.model.costs import PowerPrice, Watts
from orch.model.money import Price, PriceNow
from orch.model.resources import Resources
from orch.model.wire import CommandRun, FileRead, HttpRequest, NoReply, Reply

NOW = datetime(2025, 6, 1, 12, 30, tzinfo=UTC)
SHAPE = TableShape(zone="UTC")


def reply(body: bytes, when: datetime = NOW) -> Reply:
    return Reply(status=200, headers=(), body=body, received_at=when, elapsed_s=0.1)


def none(retry_after_s=None) -> NoReply:
    return NoReply(
        reason="timeout",
        sentence="late",
        retryable=True,
        failed_at=NOW,
        elapsed_s=1,
        retry_after_s=retry_after_s,
    )


def day(number: int) -> bytes:
    rows = (f"2025-06-{number:02}T{hour:02}:00,0.{hour:02}" for hour in range(24))
    return "\n".join(["time,price", *rows]).encode()


# -- tables ------------------------------------------------------------------------------------------------


def test_a_file_is_read_again_every_hour():
    desk = MeterDesk(TableTerms(shape=SHAPE, file="/day.csv"), None)
    (asked,) = desk.ask(NOW)
    assert asked.request == FileRead(path="/day.csv")
    assert desk.ask(NOW) == ()
    assert desk.answered("tariff", reply(day(1)), NOW) is None
    assert len(desk.table) == 24
    assert desk.ask(NOW + timedelta(minutes=59)) == ()
    assert len(desk.ask(NOW + timedelta(minutes=61))) == 1


def test_a_url_with_a_date_is_asked_for_today_and_from_noon_on_for_tomorrow():
    desk = MeterDesk(TableTerms(shape=SHAPE, url="https://x.example/{date}.json"), None)
    (today,) = desk.ask(NOW)
    assert isinstance(today.request, HttpRequest)
    assert today.request.url == "https://x.example/2025-06-01.json"
    desk.answered(today.key, reply(day(1)), NOW)
    (tomorrow,) = desk.ask(NOW + timedelta(hours=1))
    assert tomorrow.request.url == "https://x.example/2025-06-02.json"
    assert desk.answered(tomorrow.key, none(), NOW + timedelta(hours=1)).reason == "timeout"
    assert len(desk.table) == 24


def test_a_bad_table_changes_nothing_and_is_asked_for_less_and_less_often():
    desk = MeterDesk(TableTerms(shape=SHAPE, url="https://x.example/"), None)
    desk.ask(NOW)
    desk.answered("tariff", reply(day(1)), NOW)
    before, now, waits = desk.table, NOW + timedelta(hours=2), []
    for body in (b"<html>", b"", b"time,price\n2025-06-01T00:00,nan"):
        desk.ask(now)
        failure = desk.answered("tariff", reply(body), now)
        assert failure.reason in ("shape", "absurd")
        due = next(at for at in range(0, 4000, 5) if _would_ask(desk, now + timedelta(seconds=at)))
        waits.append(due)
        now += timedelta(seconds=due)
    assert waits == [60, 60, 120]
    assert desk.table == before


def _would_ask(desk: MeterDesk, now: datetime) -> bool:
    return desk._due["tariff"] <= now


def test_retry_after_is_kept():
    desk = MeterDesk(TableTerms(shape=SHAPE, url="https://x.example/"), None)
    desk.ask(NOW)
    desk.answered("tariff", none(7200), NOW)
    assert desk.ask(NOW + timedelta(hours=1)) == ()


def test_a_table_outlives_a_restart_and_a_damaged_one_is_none():
    desk = MeterDesk(TableTerms(shape=SHAPE, file="/day.csv"), None)
    desk.ask(NOW)
    desk.answered("tariff", reply(day(1)), NOW)
    other = MeterDesk(None, None)
    other.restore(desk.kept(), NOW)
    assert other.table == desk.table
    other.restore(b"{", NOW)
    assert other.table == desk.table
    other.restore(desk.kept(), NOW + timedelta(days=30))
    assert other.table == ()


# -- watts -------------------------------------------------------------------------------------------------


def test_energy_counters_make_watts_over_the_time_between_and_begin_again_at_0():
    counters = (Counter(path="/a", range_uj=1_000_000_000), Counter(path="/b", range_uj=1_000_000_000))
    desk = MeterDesk(None, WattsTerms(kind="rapl", counters=counters))
    assert {each.request.path for each in desk.ask(NOW)} == {"/a", "/b"}
    for key, start in (("watts//a", b"100000000\n"), ("watts//b", b"900000000")):
        desk.answered(key, reply(start), NOW)
    assert desk.watts is None
    later = NOW + timedelta(seconds=10)
    desk.ask(later)
    desk.answered("watts//a", reply(b"300000000", later), later)
    desk.answered("watts//b", reply(b"0", later), later)
    assert desk.watts == Watts(watts=30.0, least=30.0, measured_at=later)


@pytest.mark.parametrize(("kind", "scale", "body"), [("file", 1e-6, b"42000000\n"), ("command", 1.0, b"42 W\n")])
def test_a_sensor_or_a_program_says_watts(kind, scale, body):
    desk = MeterDesk(None, WattsTerms(kind=kind, file="/power1_average", command=("watts",), scale=scale))
    (asked,) = desk.ask(NOW)
    assert isinstance(asked.request, FileRead if kind == "file" else CommandRun)
    desk.answered("watts", reply(body), NOW)
    assert desk.watts.watts == 42.0
    desk.ask(NOW + timedelta(seconds=10))
    desk.answered("watts", reply(b"99000000" if kind == "file" else b"99"), NOW)
    assert (desk.watts.watts, desk.watts.least) == (99.0, 42.0)


@pytest.mark.parametrize("body", [b"", b"off", b"nan", b"inf", b"-5", b"1e30"])
def test_what_no_meter_can_say_is_refused(body):
    desk = MeterDesk(None, WattsTerms(kind="file", file="/x"))
    desk.ask(NOW)
    assert desk.answered("watts", reply(body), NOW).reason in ("shape", "absurd")
    assert desk.watts is None


def test_an_answer_that_nobody_asked_for_is_nobodys():
    desk = MeterDesk(None, WattsTerms(kind="file", file="/x"))
    assert desk.answered("watts", reply(b"5"), NOW) is None
    assert desk.watts is None


# -- together ----------------------------------------------------------------------------------------------

TABLE = (PowerPrice(start=NOW - timedelta(minutes=30), end=NOW + timedelta(minutes=30), per_kwh=0.2),)
SPOT = CostTerms(tariff=TariffTerms(currency="EUR"), watts_idle=20.0, watts_per_core=10.0, measured=True)


def euro(usd: str | None, state="fresh") -> dict[str, PriceNow]:
    price = usd and Price(token="EUR", usd=Decimal(usd), source="coingecko", observed_at=NOW, fetched_at=NOW)
    return {"EUR": PriceNow(token="EUR", state=state, price=price or None, age_s=0.0)}


def test_a_tariff_in_euros_at_the_rate_of_the_moment():
    found = costs_now(SPOT, TABLE, None, euro("1.1"), None, NOW)
    assert (found.usd_per_kwh, found.watts_per_core, found.watts_doubt) == (pytest.approx(0.22), 10.0, 0.2)


def test_measured_watts_go_before_modelled_ones_while_they_are_fresh():
    watts = Watts(watts=60.0, least=30.0, measured_at=NOW - timedelta(seconds=100))
    found = costs_now(SPOT, TABLE, watts, euro("1"), 4.0, NOW)
    assert (found.watts, found.watts_idle, found.busy_cores, found.watts_doubt) == (60.0, 20.0, 4.0, 0.1)
    cost, _ = node_cost(found, Resources(cpu_cores=1.0))
    assert cost.mean == pytest.approx(0.2 * 10 / 1000)
    old = costs_now(SPOT, TABLE, watts, euro("1"), 4.0, NOW + timedelta(minutes=10))
    assert old.watts is None


def test_without_a_configured_idle_the_least_ever_measured_counts():
    terms = CostTerms(tariff=TariffTerms(flat=0.2), measured=True)
    watts = Watts(watts=60.0, least=35.0, measured_at=NOW)
    assert idle_cost(costs_now(terms, (), watts, {}, 4.0, NOW)).mean == pytest.approx(0.007)


@pytest.mark.parametrize(
    ("terms", "table", "rate", "why"),
    [
        (CostTerms(), TABLE, "1", "what electricity costs is not known"),
        (SPOT, (), "1", "the table of electricity prices says nothing of this hour"),
        (SPOT, TABLE, None, "what one EUR is in USD is not known"),
        (CostTerms(tariff=TariffTerms(flat=0.2)), (), "1", "watts are not known"),
        (
            CostTerms(tariff=TariffTerms(flat=0.2), measured=True),
            (),
            "1",
            "watts are not measured now, and not modelled",
        ),
    ],
)
def test_what_is_missing_is_said(terms, table, rate, why):
    found = costs_now(terms, table, None, euro(rate), None, NOW)
    assert (found.usd_per_kwh, found.note) == (None, why)
    assert node_cost(found, Resources(cpu_cores=1.0)) == (None, why)


def test_yesterdays_price_stands_in_with_a_doubt_and_says_so():
    found = costs_now(SPOT, TABLE, None, euro("1"), None, NOW + timedelta(days=1))
    assert found.price_doubt == 0.5
    cost, note = node_cost(found, Resources(cpu_cores=1.0))
    assert (cost.high - cost.mean) / cost.mean == pytest.approx((0.5**2 + 0.2**2) ** 0.5)
    assert "has ended" in note
