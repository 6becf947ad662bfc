"""What happens around an emulated operator besides its income: heartbeats, gas, a queue, flags, roles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orch.emulator.streamr import FULL_POL_WEI

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)
HEARTBEAT = "0x7432bbcdcf6009b3131a7b65f7af1fdbf79c27db5c115c1cdbcf9210298bc5f4"
CONTROLLER = "7b765e0e932d348852a6f810bfa1ab891e259123f02db8cdcde614c570223357"


def words(text):
    raw = text.removeprefix("0x")
    return [int(raw[place : place + 64], 16) for place in range(0, len(raw), 64)]


@pytest.fixture
def call(client):
    def ask(data, to=None, now=None):
        operator = client.world.streamr.operator
        return words(client.rpc("eth_call", {"to": to or operator, "data": data}, "latest", now=now))

    return ask


def heartbeats(client, days):
    newest = int(client.rpc("eth_blockNumber"), 16)
    query = {"address": client.world.streamr.operator, "topics": [HEARTBEAT]}
    found = []
    for chunk in range(newest - days * 43_200, newest, 10_000):
        last = min(chunk + 9999, newest)
        found += client.rpc("eth_getLogs", query | {"fromBlock": hex(chunk), "toBlock": hex(last)})
    return found


def test_the_leading_node_writes_a_heartbeat_a_day_unless_it_is_away(world, client):
    logs = heartbeats(client, 10)
    assert 8 <= len(logs) <= 10
    for log in logs:
        assert int(log["topics"][1], 16) == int(world.streamr.node_address, 16)
        assert int(log["blockTimestamp"], 16) % 86_400 < 3600
        assert bytes.fromhex(log["data"][2:])[64:].startswith(b'{"nodeId"')


def test_logs_of_all_kinds_come_in_the_order_of_their_blocks(client):
    newest = int(client.rpc("eth_blockNumber"), 16)
    whole = []
    for chunk in range(newest - 10 * 43_200, newest, 10_000):
        query = {"fromBlock": hex(chunk), "toBlock": hex(min(chunk + 9999, newest))}
        whole += client.rpc("eth_getLogs", query)
    places = [(int(log["blockNumber"], 16), int(log["logIndex"], 16)) for log in whole]
    assert places == sorted(places)
    assert len({log["topics"][0] for log in whole}) == 2


def test_gas_is_spent_by_withdrawals_and_filled_up_again(world, client):
    def left():
        return int(client.rpc("eth_getBalance", world.streamr.node_address, "latest"), 16)

    before, first = left(), int(client.rpc("eth_blockNumber"), 16) + 1
    world.advance(START + timedelta(days=3))
    last = int(client.rpc("eth_blockNumber"), 16)
    logs = [
        log
        for begin in range(first, last, 10_000)
        for log in client.rpc("eth_getLogs", {"fromBlock": hex(begin), "toBlock": hex(min(begin + 9999, last))})
    ]
    receipts = [client.rpc("eth_getTransactionReceipt", each) for each in {log["transactionHash"] for log in logs}]
    spent = sum(
        int(each["gasUsed"], 16) * int(each["effectiveGasPrice"], 16)
        for each in receipts
        if each["from"] == world.streamr.node_address
    )
    assert len(receipts) > 3
    assert (before - left()) % FULL_POL_WEI == spent
    assert client.rpc("eth_getBalance", world.streamr.owner, "latest") == "0x0"


def test_a_transaction_that_never_was_has_no_receipt(client):
    assert client.rpc("eth_getTransactionReceipt", "0x" + "12" * 24 + f"{77_000_000:016x}") is None


def test_a_delegator_waits_now_and_then(world, call):
    seen = []
    for day in range(18):
        world.advance(START + timedelta(days=day))
        offset, count, *row = call("0x7e82fd6f")
        assert offset == 32
        assert len(row) == 3 * count
        assert (call("0x5e61bb87") == [1]) == (count == 0)
        if count:
            seen.append(row)
            assert 20 * 10**18 <= row[1] < 200 * 10**18
            assert 0 <= world.time.timestamp() - row[2] <= 2 * 86_400
    assert 2 <= len(seen) <= 8


def test_a_flag_is_open_in_the_hour_before_a_slash(worlds, clients):
    from orch.model.resources import Resources

    world = worlds(5)
    world.set_split_now({"relay": Resources(cpu_cores=0.1, memory_gb=0.2)})
    client = clients(world)
    me = world.streamr.operator[2:].rjust(64, "0")

    def locked(now):
        asked = [{"to": each, "data": "0x19d164f1" + me} for each in world.streamr.sponsorships]
        return sum(words(client.rpc("eth_call", each, "latest", now=now))[0] for each in asked)

    flagged = {}
    for hour in range(1, 49):
        now = START + timedelta(hours=hour)
        world.advance(now)
        if world.presence("relay", now) == "up":
            flagged[int(now.timestamp()) // 3600] = locked(now)
    slashes = {event.second // 3600 - 1 for event in world.state.streamr.events if event.kind == "slash"}
    assert slashes
    judged = set(flagged) - {max(flagged)}
    assert {hour for hour in judged if flagged[hour]} == slashes & judged


def test_the_nodes_key_is_a_controller_where_the_autostaker_may_run(worlds, clients):
    found = set()
    for seed in range(4):
        world = worlds(seed)
        data = "0x91d14854" + CONTROLLER + world.streamr.node_address[2:].rjust(64, "0")
        (answer,) = words(clients(world).rpc("eth_call", {"to": world.streamr.operator, "data": data}, "latest"))
        assert bool(answer) == world.streamr.may_stake()
        found.add(answer)
    assert found == {0, 1}


def test_the_contract_is_of_the_present_rules(call):
    assert call("0x54fd4d50") == [3]
