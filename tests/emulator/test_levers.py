"""Levers are as sticky as the real ones, and over-allocation is seen."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from orch.emulator.facts import POOR_SPLIT
from orch.model.resources import Resources

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)


def seconds(count):
    return START + timedelta(seconds=count)


def running_agreement(world):
    """Move on to a minute in which an agreement has just been signed."""
    for _ in range(3000):
        world.advance(world.time + timedelta(minutes=1))
        current = world.golem.running(world.state.golem)
        if (
            current is not None
            and current.signed == world.state.minute
            and world.presence("compute", world.time) == "up"
        ):
            return current
    raise AssertionError("nobody came")


def test_storj_storage_takes_a_restart(world, client):
    before = client.json("storj", "/api/sno/", now=seconds(1))
    accepted = client.put("/levers/disk", {"storage_gb": 4500}, seconds(5))
    assert accepted["accepted"]["storage_gb"] == 4500
    due = world.state.dials["disk"].due_s - seconds(5).timestamp()
    assert 20 <= due <= 90
    assert client.ask("storj", "/api/sno/", now=seconds(6)).refused
    assert client.json("control", "/levers/disk", now=seconds(6))["allocation"]["storage_gb"] == 3000
    body = client.put("/levers/disk", {"storage_gb": 4600}, seconds(7), status=503)
    assert "restarting" in body["error"]
    after = client.json("storj", "/api/sno/", now=seconds(5 + due + 0.01))
    assert after["diskSpace"]["allocated"] == 4_500_000_000_000
    assert after["startedAt"] > before["startedAt"]
    assert client.json("control", "/levers/disk", now=seconds(96))["allocation"]["storage_gb"] == 4500


def test_storj_cpu_memory_and_bandwidth_act_at_once(client):
    client.put("/levers/disk", {"cpu_cores": 2.5, "memory_gb": 6.0, "bandwidth_mbps": 120.0}, seconds(5))
    limits = client.json("control", "/levers/disk", now=seconds(5))["allocation"]
    assert limits == {"cpu_cores": 2.5, "memory_gb": 6.0, "bandwidth_mbps": 120.0, "storage_gb": 3000.0}
    assert not client.ask("storj", "/api/sno/", now=seconds(6)).refused


def test_the_same_storage_again_restarts_nothing(client):
    client.put("/levers/disk", {"storage_gb": 3000.0}, seconds(5))
    assert not client.ask("storj", "/api/sno/", now=seconds(6)).refused


def test_a_bigger_disk_fills_and_a_smaller_one_only_stops_growing(worlds):
    grown, shrunk = worlds(), worlds()
    grown.put_levers("disk", {"storage_gb": 8000.0}, START)
    shrunk.put_levers("disk", {"storage_gb": 600.0}, START)
    for each in (grown, shrunk):
        each.advance(START + timedelta(days=2))
    assert grown.committed("disk").storage_gb > 3500
    assert 2900 < shrunk.committed("disk").storage_gb < 2956
    assert grown.usd_income("disk") > shrunk.usd_income("disk")


def test_a_starved_storage_node_serves_less(worlds):
    fed, starved = worlds(), worlds()
    starved.set_split_now({"disk": Resources(cpu_cores=0.2)})
    before = [sum(each.earned_egress for each in world.state.storj.satellites) for world in (fed, starved)]
    for each in (fed, starved):
        each.advance(START + timedelta(days=1))
    after = [sum(each.earned_egress for each in world.state.storj.satellites) for world in (fed, starved)]
    assert after[1] - before[1] == pytest.approx((after[0] - before[0]) / 4, rel=0.02)


def test_golem_offers_vanish_for_seconds_and_come_back_changed(client):
    client.put("/levers/compute", {"cpu_cores": 9, "memory_gb": 20}, seconds(5))
    assert client.json("golem", "/market-api/v1/offers", now=seconds(6)) == []
    assert client.json("control", "/levers/compute", now=seconds(6))["allocation"]["cpu_cores"] == 2
    (offer,) = client.json("golem", "/market-api/v1/offers", now=seconds(12))
    assert offer["properties"]["golem.inf.cpu.threads"] == 9
    assert offer["properties"]["golem.inf.mem.gib"] == pytest.approx(20e9 / 2**30)
    hardware = client.json("control", "/provider/hardware.json", now=seconds(12))
    assert hardware["profiles"]["default"]["cpu_threads"] == 9
    assert client.json("control", "/levers/compute", now=seconds(12))["allocation"]["cpu_cores"] == 9


def test_a_running_agreement_keeps_its_size(world, client):
    current = running_agreement(world)
    limits = client.json("control", "/levers/compute")
    assert limits["committed"] == {"cpu_cores": 2, "memory_gb": 8, "bandwidth_mbps": 0, "storage_gb": 6000}
    client.put("/levers/compute", {"cpu_cores": 8, "memory_gb": 30, "storage_gb": 200}, world.time)
    later = world.time + timedelta(minutes=10)
    assert client.json("control", "/levers/compute", now=later)["committed"]["storage_gb"] == 6000
    properties = client.json("golem", f"/market-api/v1/agreements/{current.id}")["offer"]["properties"]
    assert properties["golem.inf.cpu.threads"] == 2
    while world.golem.running(world.state.golem) is not None:
        world.advance(world.time + timedelta(minutes=1))
    assert client.json("control", "/levers/compute")["committed"]["storage_gb"] == 0
    following = running_agreement(world)
    assert following.offer.threads == 8
    assert client.json("control", "/levers/compute")["committed"]["storage_gb"] == pytest.approx(200)


def test_presets_drain_and_dear_presets_scare(world, client):
    presets = client.json("control", "/provider/presets.json")
    client.put("/provider/presets.json", presets | {"active": []}, START)
    before = len(world.state.golem.agreements)
    world.advance(START + timedelta(days=2))
    assert len(world.state.golem.agreements) == before
    assert client.json("golem", "/market-api/v1/offers") == []
    presets["presets"][0]["usage-coeffs"]["golem.usage.cpu_sec"] *= 2
    client.put("/provider/presets.json", presets, world.time)
    world.advance(world.time + timedelta(days=4))
    dear = world.state.golem.agreements[before:]
    assert 0 < len(dear) < 4 * 7
    assert {each.offer.cpu_atto for each in dear} == {5 * 10**16}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"active":"x","profiles":{}}',
        b"[]",
        b'{"active":"default","profiles":{"default":{"cpu_threads":3.0,"mem_gib":1,"storage_gib":1}}}',
    ],
)
def test_the_agent_ignores_a_file_it_cannot_read(client, body):
    client.put("/provider/hardware.json", body, seconds(5))
    (offer,) = client.json("golem", "/market-api/v1/offers", now=seconds(60))
    assert offer["properties"]["golem.inf.cpu.threads"] == 2
    assert client.ask("control", "/provider/hardware.json", now=seconds(60)).body == body


def test_a_hardware_file_by_hand_is_a_lever_too(world, client):
    profile = {"cpu_threads": 7, "mem_gib": 16.0, "storage_gib": 100.0}
    client.put("/provider/hardware.json", {"active": "a", "profiles": {"a": profile}}, seconds(5))
    limits = client.json("control", "/levers/compute", now=seconds(20))["allocation"]
    assert limits["cpu_cores"] == 7
    assert limits["memory_gb"] == pytest.approx(16 * 1.073741824)
    assert limits["bandwidth_mbps"] == 100
    assert {line[2] for line in world.lever_log} == {"cpu_cores", "memory_gb", "storage_gb"}


@pytest.mark.parametrize(
    ("node", "wanted", "status"),
    [
        ("relay", {"cpu_cores": 0.4}, 409),
        ("relay", {"memory_gb": 0.9}, 409),
        ("disk", {"storage_gb": 499}, 409),
        ("compute", {"cpu_cores": 0.5}, 409),
        ("compute", {"cpu_cores": 17}, 409),
        ("address", {"cpu_cores": -1}, 409),
        ("address", {"cores": 1}, 400),
        ("address", {"cpu_cores": "many"}, 400),
        ("address", [1], 400),
        ("address", b"{", 400),
        ("nobody", {"cpu_cores": 1}, 404),
    ],
)
def test_refusals_say_why_and_change_nothing(world, client, node, wanted, status):
    before = msgspec.json.encode(world.state)
    body = client.put(f"/levers/{node}", wanted, START, status=status)
    assert isinstance(body["error"], str)
    assert msgspec.json.encode(world.state) == before


def test_streamr_and_grass_limits_act_at_once(world, client):
    client.put("/levers/relay", {"cpu_cores": 0.5, "memory_gb": 1}, seconds(5))
    assert client.json("control", "/levers/relay", now=seconds(5))["allocation"]["cpu_cores"] == 0.5
    client.put("/levers/address", {"cpu_cores": 0}, seconds(5))
    assert client.json("grass", "/activeDevices", now=seconds(6))["result"]["data"] == []
    world.advance(seconds(120))
    minutes = world.state.grass.epochs[-1].minutes
    world.advance(seconds(7200))
    assert world.state.grass.epochs[-1].minutes == minutes


def test_a_starved_relay_is_slashed(world):
    world.set_split_now({"relay": Resources(cpu_cores=0.1)})
    world.advance(START + timedelta(days=4))
    (truth,) = (each for (node, _), each in world.truth().items() if node == "relay")
    assert truth.penalty > 0
    assert world.true_rate("relay") < world.true_rate("relay", POOR_SPLIT)


def test_lever_history_has_every_change(world, client):
    client.put("/levers/address", {"cpu_cores": 1, "memory_gb": 8}, seconds(5))
    client.put("/levers/disk", {"storage_gb": 3500}, seconds(9))
    assert world.lever_log == [
        (seconds(5), "address", "cpu_cores", 2.0, 1.0),
        (seconds(9), "disk", "storage_gb", 3000.0, 3500.0),
    ]


def test_overallocation_by_targets_is_seen_when_written(world):
    world.put_levers("relay", {"cpu_cores": 6.0}, seconds(5))
    assert world.overallocated() == []
    world.put_levers("address", {"cpu_cores": 3.0}, seconds(6))
    assert world.overallocated() == [seconds(6)]


def test_overallocation_by_a_commitment_is_seen(world):
    running_agreement(world)
    at = world.time
    world.put_levers("compute", {"storage_gb": 200.0}, at)
    assert world.overallocated() == []
    world.put_levers("disk", {"storage_gb": 8000.0}, at + timedelta(seconds=1))
    assert world.overallocated() == [at + timedelta(seconds=1)]


def test_overallocation_by_stored_bytes_is_seen(world):
    world.put_levers("disk", {"storage_gb": 600.0}, seconds(5))
    world.put_levers("compute", {"storage_gb": 10_000.0}, seconds(90))
    assert world.overallocated() == [seconds(90)]


def test_set_split_now_has_no_delay(world, client):
    best = world.best_fixed_split()
    world.set_split_now(best)
    assert client.json("storj", "/api/sno/")["diskSpace"]["allocated"] == int(best["disk"].storage_gb * 1e9)
    (offer,) = client.json("golem", "/market-api/v1/offers")
    assert offer["properties"]["golem.inf.cpu.threads"] == best["compute"].cpu_cores
