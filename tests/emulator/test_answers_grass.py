"""Grass: points for uptime, by the account's API; prices in CoinGecko's shape."""

import base64
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from orch.emulator.answers_grass import TOKEN

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)
LATEST = "input=%7B%22limit%22%3A1%2C%22isLatestOnly%22%3Atrue%7D"


def data(client, path, query=""):
    return client.json("grass", path, query)["result"]["data"]


def test_only_the_bare_token_opens(client):
    for headers in ((), (("Authorization", f"Bearer {TOKEN}"),), (("Authorization", "x"),)):
        body = client.json("grass", "/retrieveUser", status=401, headers=headers)
        assert body["error"]["message"] == "Unauthorized"
        assert body["error"]["data"]["httpStatus"] == 401


def test_the_token_says_when_it_ends():
    payload = TOKEN.split(".")[1]
    body = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert body["exp"] > START.timestamp() + 365 * 86_400


def test_points_of_the_running_epoch_follow_from_uptime(world, client):
    for hours in (0, 5, 50):
        world.advance(START + timedelta(hours=hours))
        devices = data(client, "/activeDevices")
        if not devices:
            continue
        device = devices[0]
        points = (
            Decimal(device["aggUptime"]) / 3600 * 50 * device["ipScore"] / 100 * Decimal(str(device["multiplier"]))
        )
        assert world.grass.points(world.state.grass.epochs[-1]) == pytest.approx(points, abs=Decimal("1e-20"))
        assert world.truth()["address", "Epoch 25"].total == 0
        assert data(client, "/retrieveUser")["totalPoints"] == 0


def test_an_epoch_ends_with_its_month(world, client):
    (before,) = data(client, "/epochEarnings", LATEST)["data"]
    assert (before["epochName"], before["startDate"], before["endDate"]) == (
        "Epoch 24",
        "2026-10-01",
        "2026-10-31",
    )
    world.advance(datetime(2026, 12, 1, 0, 0, tzinfo=UTC))
    (after,) = data(client, "/epochEarnings", LATEST)["data"]
    assert after["epochName"] == "Epoch 25"
    truth = world.truth()["address", "Epoch 25"]
    assert truth.total == truth.amounts.speculative == Decimal(str(after["totalPoints"])) > 0
    assert world.truth()["address", "Epoch 26"].total == 0
    rows = data(client, "/epochEarnings")["data"]
    assert [row["epochName"] for row in rows[:3]] == ["Epoch 26", "Epoch 25", "Epoch 24"]
    assert rows[0]["totalPoints"] == 0


def test_every_epoch_is_in_the_truth(world, client):
    rows = data(client, "/epochEarnings")["data"]
    truth = {name: each.total for (node, name), each in world.truth().items() if node == "address"}
    assert set(truth) == {row["epochName"] for row in rows}
    assert all(Decimal(str(row["totalPoints"])) == truth[row["epochName"]] for row in rows)


def test_uptime_stops_in_an_outage(world, client):
    begin = world.state.start_minute
    outage = next(world.outages.of("address", begin, begin + 20 * 1440))
    world.advance(datetime.fromtimestamp(outage.begin * 60, UTC))
    minutes = world.state.grass.epochs[-1].minutes
    away = client.ask("grass", "/activeDevices")
    if outage.kind == "unavailable":
        assert away.status == 503
    else:
        assert msgspec.json.decode(away.body)["result"]["data"] == []
    world.advance(datetime.fromtimestamp(outage.end * 60, UTC))
    assert world.state.grass.epochs[-1].minutes == minutes
    device, *_ = data(client, "/activeDevices")
    assert device["lastConnectedAt"].startswith(world.time.isoformat()[:16])


def test_lists_and_settings_have_their_shapes(client):
    page = data(client, "/devices", "input=%7B%22limit%22%3A50%7D")
    assert page["lastEvaluationKey"] is None
    assert page["data"][0]["totalUptime"] == 0
    (address,) = data(client, "/activeIps")
    assert address["date"].endswith("T00:00:00.000Z")
    assert data(client, "/retrieveUserSettings") == {"isConnectionPaused": False, "pauseConnectionExpiry": None}
    client.json("grass", "/nothing", status=404)
    client.json("grass", "/retrieveUser", status=405, method="POST")
