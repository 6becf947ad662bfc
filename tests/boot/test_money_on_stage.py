"""The whole house on the stage: five price sources, a tariff in euros from a file, and what people are shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import msgspec
import pytest

from orch.boot.staged import staged_house
from orch.config.load import from_tables
from orch.emulator.demo import demo_environment, demo_nodes
from orch.emulator.inprocess import answer_request, emulated_urls
from orch.emulator.world import World
from orch.model.wire import FileRead, Reply

START = datetime(2026, 11, 2, 22, tzinfo=UTC)
NIGHT, DAY = 100.0, -300.0


def tariff(request, now):
    """Two days by the hour in EUR per MWh: at night it costs, by day it pays."""
    hours = (START.replace(hour=0) + timedelta(hours=hour) for hour in range(48))
    rows = (f"{hour:%Y-%m-%dT%H:%M}Z,{DAY if hour.hour >= 0 and hour.day == 3 else NIGHT}" for hour in hours)
    body = "\n".join(["time,price", *rows]).encode()
    return Reply(status=200, headers=(), body=body, received_at=now, elapsed_s=0.0), 0.0


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("stage")
    world = World(5, START)
    tables = {
        "orch": {"mode": "observe", "data_dir": str(data_dir)},
        "cadence": {"poll_s": 180, "analyze_s": 900, "decide_s": 900},
        "costs": {
            "watts_idle": 20,
            "watts_per_core": 10,
            "tariff": {"file": "day.csv", "currency": "EUR", "unit": "MWh", "zone": "UTC"},
        },
        **demo_nodes(emulated_urls()),
    }
    tables["prices"]["display"] = "EUR"

    def answer(request, now, _):
        return tariff(request, now) if isinstance(request, FileRead) else answer_request(world, request, now)

    config = from_tables(tables, demo_environment(), data_dir)
    house = staged_house(config, data_dir, answer, start=START, seed=5, commit_every_s=3600)
    boards = []
    for hours in (1, 3):
        house.stage.run_until(START + timedelta(hours=hours))
        boards.append(msgspec.json.decode(house.board.body()))
    house.close()
    assert house.failures() == {}
    return boards, data_dir


def test_people_are_shown_euros_with_their_rate(played):
    display = played[0][0]["display"]
    assert (display["currency"], display["source"]) == ("EUR", "coingecko")
    assert float(display["usd"]) == pytest.approx(1.08)
    assert display["age_s"] < 600


def test_every_node_with_a_rate_has_a_net_and_so_has_the_total(played):
    for board in played[0]:
        known = [node["usd_per_hour"] for node in board["nodes"] if node["usd_per_hour"] is not None]
        assert len(known) == 3
        for rate in known:
            assert rate["net_mean"] == pytest.approx(rate["mean"] - rate["cost"]["mean"])
            assert rate["net_low"] <= rate["net_mean"] <= rate["net_high"]
        total = board["total"]["usd_per_hour"]
        assert total["net_mean"] is not None
        assert total["net_mean"] == pytest.approx(total["mean"] - total["cost"]["mean"])


def test_electricity_costs_at_night_and_pays_by_day(played):
    night, day = (board["total"]["usd_per_hour"]["cost"]["mean"] for board in played[0])
    assert night > 0 > day
    idle = 1.08 * 20 / 1e6
    assert night > idle * NIGHT
    assert day < idle * DAY / 2


def test_the_gain_of_a_plan_has_a_net(played):
    gains = [board["opportunity"]["gain_usd_per_hour"] for board in played[0] if board["opportunity"]]
    assert gains
    assert all(each["net_mean"] is not None or "within" in each["net_note"] for each in gains)


def test_prices_are_recorded_with_their_sources_and_state(played):
    with duckdb.connect(str(played[1] / "orch.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT token, source, state, count(*) FROM prices GROUP BY ALL").fetchall()
    rows = {(token, source, state): count for token, source, state, count in found if source is not None}
    assert set(rows) == {
        ("GLM", "binance+bybit+coinbase+coingecko", "fresh"),
        ("DATA", "binance+coingecko", "fresh"),
        ("POL", "binance+coingecko", "fresh"),
        ("EUR", "coingecko", "single_source"),
    }
    assert all(33 <= count <= 36 for count in rows.values())


def test_an_agreed_price_is_no_news(played):
    assert [alert for alert in played[0][1]["alerts"] if alert["rule"].startswith("price")] == []
