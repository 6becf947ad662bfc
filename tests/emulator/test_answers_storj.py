"""The storage node's API: shapes, units, traps, and money to the last unit."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)
US1 = "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S"
EU1 = "12L9ZFwhzVpuEKMUNUqkaTLGzwY9G24tbiigLiXpmZWKwmcNDDs"
STRANGER = "1wFTAgs9DP5RSnCqKV1eLf6N9wtk4EAtmN5DpSxcs8EjT69tGE"
PARTS = ("egressBandwidthPayout", "egressRepairAuditPayout", "diskSpacePayout")


def cents(month):
    return sum(Decimal(str(month[part])) for part in PARTS)


def truth(world, satellite, month):
    return world.truth()["disk", f"{satellite}:{month}"]


def test_dashboard_has_the_fields_of_1_162(client):
    body = client.json("storj", "/api/sno/")
    assert set(body) == {
        "nodeID", "wallet", "walletFeatures", "satellites", "diskSpace", "bandwidth", "lastPinged", "version",
        "allowedVersion", "upToDate", "startedAt", "configuredPort", "quicStatus", "lastQuicPingedAt",
    }  # fmt: skip
    assert set(body["diskSpace"]) == {"used", "available", "overused", "allocated", "trash", "reclaimable"}
    assert isinstance(body["configuredPort"], str)
    assert [each["id"] for each in body["satellites"]] == [US1, EU1]
    assert body["bandwidth"]["available"] == 0
    space = body["diskSpace"]
    assert space["allocated"] == 3_000_000_000_000
    assert 2_900_000_000_000 < space["used"] < space["allocated"]
    assert space["used"] + space["available"] < space["allocated"]


def test_satellites_sum_what_each_satellite_says(client):
    everything = client.json("storj", "/api/sno/satellites")
    each = [client.json("storj", f"/api/sno/satellite/{identity}") for identity in (US1, EU1)]
    for key in ("storageSummary", "bandwidthSummary", "egressSummary", "ingressSummary"):
        assert everything[key] == pytest.approx(sum(one[key] for one in each), rel=1e-12)
    assert [row["intervalStart"] for row in everything["storageDaily"]] == [
        row["intervalStart"] for row in each[0]["storageDaily"]
    ]
    assert "intervalInHours" not in everything["storageDaily"][0]
    assert set(each[0]["priceModel"]) == {"EgressBandwidth", "RepairBandwidth", "AuditBandwidth", "DiskSpace"}
    assert isinstance(everything["audits"], list)
    assert isinstance(each[0]["audits"], dict)


def test_the_newest_storage_row_is_filled_in_not_reported(client):
    rows = client.json("storj", "/api/sno/satellites")["storageDaily"]
    assert rows[-1]["calculated"]
    assert rows[-1]["atRestTotal"] == 0
    assert rows[-1]["atRestTotalBytes"] > 2.8e12
    assert not rows[0]["calculated"]
    assert rows[0]["atRestTotal"] == pytest.approx(rows[0]["atRestTotalBytes"] * 24)


def test_estimates_are_the_truth_of_the_running_month(world, client):
    for hours in (0, 1, 7):
        world.advance(START + timedelta(hours=hours))
        for satellite, held in ((US1, 0), (EU1, 25)):
            month = client.json("storj", "/api/sno/estimated-payout", f"id={satellite}")["currentMonth"]
            assert month["heldRate"] == held
            found = truth(world, satellite, "2026-11")
            assert found.amounts.estimated == cents(month) / 100 == found.total
            assert Decimal(str(month["payout"])) + Decimal(str(month["held"])) == pytest.approx(
                cents(month), abs=Decimal("0.0051")
            )
    together = client.json("storj", "/api/sno/estimated-payout")["currentMonth"]
    assert together["heldRate"] == 0
    assert cents(together) / 100 == sum(truth(world, each, "2026-11").total for each in (US1, EU1))


def test_estimate_follows_from_usage_and_prices(client):
    prices = client.json("storj", f"/api/sno/satellites/{US1}/pricing")
    assert prices["diskSpace"] == 149
    month = client.json("storj", "/api/sno/estimated-payout", f"id={US1}")["currentMonth"]
    assert month["diskSpacePayout"] == pytest.approx(month["diskSpace"] / 1e12 * 149, abs=0.0051)
    assert month["egressBandwidthPayout"] == pytest.approx(month["egressBandwidth"] / 1e12 * 200, abs=0.0051)
    assert month["egressRepairAuditPayout"] == pytest.approx(month["egressRepairAudit"] / 1e12 * 200, abs=0.0051)
    days = client.json("storj", f"/api/sno/satellite/{US1}")["bandwidthDaily"]
    assert month["egressBandwidth"] == sum(day["egress"]["usage"] for day in days)
    assert month["egressRepairAudit"] == sum(day["egress"]["repair"] + day["egress"]["audit"] for day in days)


def test_a_month_closes_at_midnight_utc_then_a_paystub_replaces_the_estimate(world, client):
    def step(day):
        world.advance(datetime(2026, 12, 1, tzinfo=UTC) + timedelta(days=day))
        return client.json("storj", "/api/heldamount/paystubs/2026-11", f"id={US1}")

    world.advance(datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    before = truth(world, US1, "2026-11").total
    assert step(0.1) is None
    payout = client.json("storj", "/api/sno/estimated-payout", f"id={US1}")
    closed = truth(world, US1, "2026-11")
    assert cents(payout["previousMonth"]) / 100 == closed.amounts.estimated
    assert before <= closed.total <= before + Decimal("0.001")
    assert truth(world, US1, "2026-12").amounts.estimated == cents(payout["currentMonth"]) / 100
    assert len(client.json("storj", "/api/sno/satellites")["storageDaily"]) == 1
    assert client.json("storj", "/api/heldamount/paystubs/2026-11") is None
    stub = step(8.1)
    comps = sum(
        stub[key] for key in ("compAtRest", "compGet", "compGetRepair", "compGetAudit", "compPut", "compPutRepair")
    )
    final = truth(world, US1, "2026-11")
    assert (
        final.total
        == Decimal(comps).scaleb(-6)
        == Decimal(stub["paid"] + stub["held"] - stub["disposed"]).scaleb(-6)
    )
    assert final.amounts.estimated == 0
    assert stub["compAtRest"] == pytest.approx(stub["usageAtRest"] / 1e12 * 1_497_600, abs=1)
    stub = step(14)
    assert stub["distributed"] == stub["paid"] > 0
    assert truth(world, US1, "2026-11").amounts.settled == Decimal(stub["distributed"] - stub["disposed"]).scaleb(
        -6
    )


def test_every_statement_is_in_the_truth(world, client):
    periods = client.json("storj", "/api/heldamount/periods")
    assert len(periods) == 15
    stubs = client.json("storj", f"/api/heldamount/paystubs/{periods[0]}/{periods[-1]}")
    for stub in stubs:
        gross = Decimal(stub["paid"] + stub["held"] - stub["disposed"]).scaleb(-6)
        assert truth(world, stub["satelliteId"], stub["period"]).total == gross
    assert {each for node, each in world.truth() if node == "disk" and not each.endswith("2026-11")} == {
        f"{stub['satelliteId']}:{stub['period']}" for stub in stubs
    }


def test_held_falls_by_age_and_half_of_it_returns_in_the_sixteenth_month(world, client):
    world.advance(datetime(2026, 12, 15, tzinfo=UTC))
    stubs = client.json("storj", "/api/heldamount/paystubs/2025-01/2026-12")
    old = [each for each in stubs if each["satelliteId"] == US1]
    shares = [round(100 * each["held"] / (each["paid"] + each["held"] - each["disposed"])) for each in old]
    assert shares[:10] == [75] * 3 + [50] * 3 + [25] * 3 + [0]
    assert old[15]["disposed"] == sum(each["held"] for each in old) // 2
    history = {row["satelliteID"]: row for row in client.json("storj", "/api/heldamount/held-history")}
    assert history[US1]["totalHeld"] == sum(each["held"] for each in old)
    assert history[US1]["totalDisposed"] == old[15]["disposed"]
    row = client.json("storj", "/api/heldamount/payout-history/2026-11")[0]
    assert row["earned"] == row["surge"] == old[15]["paid"] + old[15]["held"] - old[15]["disposed"]


def test_previous_month_repeats_this_one_on_a_31st(world, client):
    world.advance(datetime(2026, 12, 31, 12, tzinfo=UTC))
    body = client.json("storj", "/api/sno/estimated-payout")
    before, now = body["previousMonth"], body["currentMonth"]
    assert [before[key] for key in PARTS[:2]] == [now[key] for key in PARTS[:2]]
    assert before["diskSpace"] == pytest.approx(now["diskSpace"] * 31 / 30.5, rel=0.05)  # to the month's end
    assert before["diskSpace"] > now["diskSpace"]


def test_unknown_paths_and_ids_answer_as_the_node_does(client):
    page = client.ask("storj", "/api/sno/nonsense")
    assert page.status == 200
    assert dict(page.headers)["Content-Type"].startswith("text/html")
    moved = client.ask("storj", "/api/sno")
    assert (moved.status, dict(moved.headers)["Location"]) == (301, "/api/sno/")
    client.json("storj", "/api/sno/satellite/1stranger", status=400)
    client.json("storj", f"/api/sno/satellite/{US1[:-1]}4", status=400)
    client.json("storj", f"/api/sno/satellite/{STRANGER}", status=404)
    client.json("storj", "/api/sno/estimated-payout", "id=1stranger", status=400)
    nothing = client.json("storj", "/api/sno/estimated-payout", f"id={STRANGER}")
    assert nothing["currentMonth"] == nothing["previousMonth"]
    assert set(nothing["currentMonth"].values()) == {0}
    assert client.json("storj", "/api/heldamount/paystubs/2026-13") is None
    client.json("storj", "/api/heldamount/paystubs/2026-13/2027-01", status=400)
    assert client.json("storj", "/api/heldamount/paystubs/2019-01") is None
    assert client.json("storj", "/api/heldamount/paystubs/2019-01", f"id={US1}") is None
    client.json("storj", "/api/notifications/list", status=400)
    client.json("storj", "/api/notifications/list", "limit=5&page=0", status=500)
    assert client.json("storj", "/api/notifications/list", "limit=5&page=1")["page"]["notifications"] == []


def test_an_outage_refuses_or_answers_503_and_egress_stops(world, client):
    begin = world.state.start_minute
    seen = set()
    for outage in world.outages.of("disk", begin, begin + 40 * 1440):
        at = datetime.fromtimestamp(outage.begin * 60, UTC)
        world.advance(at)
        before = client.world.state.storj.satellites[0].earned_egress
        response = client.ask("storj", "/api/sno/", now=at + timedelta(seconds=30))
        assert response.refused if outage.kind == "refused" else response.status == 503
        world.advance(datetime.fromtimestamp(outage.end * 60, UTC))
        assert world.state.storj.satellites[0].earned_egress == before
        assert client.ask("storj", "/api/sno/").status == 200
        seen.add(outage.kind)
    assert seen == {"refused", "unavailable"}
