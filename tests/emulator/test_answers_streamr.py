"""The chain around a Streamr operator, decoded here by hand, and the node's diagnostics."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)
PROFIT = "0x604b365b22dbda1203004fba26c477ed19c49ad01cadf6eedf5f17f52ebbae18"
CONFIG = "0x869e88db146ecaf20ddf199a12684cd80c263c8f"
MULTICALL = "0xcA11bde05977b3631167028862bE2a173976CA11"
DATA = "0x3a9A81d576d83FF21f26f325066054540720fC34"


def words(text):
    raw = text.removeprefix("0x")
    assert len(raw) % 64 == 0
    return [int(raw[place : place + 64], 16) for place in range(0, len(raw), 64)]


def listed(numbers, head):
    begin = numbers[head] // 32
    return numbers[begin + 1 : begin + 1 + numbers[begin]]


class Chain:
    def __init__(self, client):
        self.client = client
        self.operator = client.world.streamr.operator

    def call(self, data, to=None, block="latest", now=None):
        return self.client.rpc("eth_call", {"to": to or self.operator, "data": data}, block, now=now)

    def number(self, data, to=None, block="latest", now=None):
        (value,) = words(self.call(data, to, block, now))
        return value

    def earnings(self, block="latest", now=None):
        numbers = words(self.call("0x2ebd89d1", block=block, now=now))
        return listed(numbers, 0), listed(numbers, 1), numbers[2]

    def block(self, tag="latest", now=None):
        body = self.client.rpc("eth_getBlockByNumber", tag, False, now=now)
        return int(body["number"], 16), int(body["timestamp"], 16)

    def realised(self, until):
        newest = self.block()[0]
        total, begin = 0, newest - (self.client.world.state.minute - self.client.world.first_minute) * 30
        while begin <= until:
            end = min(begin + 9_999, until)
            query = {"address": self.operator, "topics": [PROFIT], "fromBlock": hex(begin), "toBlock": hex(end)}
            for log in self.client.rpc("eth_getLogs", query):
                total += sum(words(log["data"])) + int(log["topics"][1], 16) + int(log["topics"][2], 16)
            begin = end + 1
        return total


@pytest.fixture
def chain(client):
    return Chain(client)


def test_blocks_come_every_two_seconds(chain):
    number, stamp = chain.block()
    assert stamp == START.timestamp()
    assert int(chain.client.rpc("eth_blockNumber"), 16) == number
    assert chain.block(now=START + timedelta(seconds=7)) == (number + 3, stamp + 6)
    assert chain.block(hex(number - 100)) == (number - 100, stamp - 200)
    assert chain.client.rpc("eth_getBlockByNumber", hex(number + 9), False) is None


def test_gross_is_the_truth_to_the_last_wei(world, chain):
    for hours in (0, 9, 40):
        world.advance(START + timedelta(hours=hours))
        number, _ = chain.block()
        _, outstanding, limit = chain.earnings(hex(number))
        truth = world.truth()["relay", world.streamr.operator]
        assert truth.total == Decimal(chain.realised(number) + sum(outstanding)).scaleb(-18)
        assert truth.amounts.accrued == Decimal(sum(outstanding)).scaleb(-18)
        assert 0 <= sum(outstanding) < limit


def test_earnings_follow_the_second_of_the_block(chain):
    later = START + timedelta(seconds=38)
    sponsorships, first, _ = chain.earnings()
    _, second, _ = chain.earnings(now=later)
    rates = chain.client.world.streamr.payout
    for place, address in enumerate(sponsorships):
        sponsorship = f"0x{address:040x}"
        me = chain.operator[2:].rjust(64, "0")
        mine = chain.number("0x14c948eb" + me, sponsorship)
        total = chain.number("0x34a0f881", sponsorship)
        assert second[place] - first[place] == pytest.approx(rates[place] * mine * 38 // total, abs=1)
        assert chain.number("0x131b9c04" + me, sponsorship, now=later) == second[place]


def test_hourly_income_is_moderate(world, chain):
    _, first, _ = chain.earnings()
    _, second, _ = chain.earnings(now=START + timedelta(seconds=58))
    assert 0.3 < (sum(second) - sum(first)) / 58 * 3600 / 1e18 < 1.0


def test_the_past_is_kept_block_by_block(world, chain):
    number, _ = chain.block()
    before = chain.earnings(hex(number))
    world.advance(START + timedelta(days=3))
    assert chain.earnings(hex(number)) == before
    future = chain.call("0x2ebd89d1", block=hex(number + 10**7))
    assert future["code"] == -32000


def test_a_withdrawal_moves_money_and_loses_none(world, chain):
    events = [each for each in world.state.streamr.events if each.kind == "profit"]
    assert 15 <= len(events) <= 40
    second = events[-1].second
    block = (second - world.start.timestamp()) // 2 + chain.block()[0]
    block = int(block)
    _, before, _ = chain.earnings(hex(block - 1))
    _, after, _ = chain.earnings(hex(block))
    assert sum(before) > 0
    assert sum(after) == 0
    assert chain.realised(block) - chain.realised(block - 1) == pytest.approx(sum(before), rel=1e-4)
    increase, cut, fee = events[-1].amounts
    assert fee == (increase + cut + fee) * 5 // 100


def test_logs_are_filtered_and_their_range_is_capped(chain):
    number, _ = chain.block()
    wide = chain.client.rpc("eth_getLogs", {"fromBlock": "earliest", "toBlock": "latest"})
    assert wide["code"] == -32005
    narrow = {"fromBlock": hex(number - 9_999), "toBlock": hex(number)}
    assert isinstance(chain.client.rpc("eth_getLogs", narrow), list)
    assert chain.client.rpc("eth_getLogs", narrow | {"address": "0x" + "1" * 40}) == []
    assert chain.client.rpc("eth_getLogs", narrow | {"topics": ["0x" + "1" * 64]}) == []


def test_getters_agree(chain):
    me = chain.operator[2:].rjust(64, "0")
    free = chain.number("0x70a08231" + me, DATA)
    staked, slashed = chain.number("0x04cbab8b"), chain.number("0x870ffde2")
    assert chain.number("0xc229918e") == staked - slashed + free
    assert staked == 20_000 * 10**18
    assert chain.number("0x3a0298eb", CONFIG) == 5 * 10**16
    assert chain.number("0xaeca7c78", CONFIG) * (staked + free) // 10**18 == chain.earnings()[2]
    owner = chain.number("0x8da5cb5b")
    share = chain.number("0x70a08231" + f"{owner:064x}") / chain.number("0x18160ddd")
    assert share == pytest.approx(0.4)
    assert chain.number("0x5e61bb87") == 1
    assert words(chain.call("0x7e82fd6f")) == [32, 0]
    assert words(chain.call("0x2e949824"))[:2] == [32, 1]
    raw = bytes.fromhex(chain.call("0x392f37e9")[2:])
    assert msgspec.json.decode(raw[64 : 64 + int.from_bytes(raw[32:64], "big")]) == {"redundancyFactor": 1}
    for sponsorship in (f"0x{each:040x}" for each in chain.earnings()[0]):
        assert chain.number("0x2014e5d1", sponsorship) == 1
        assert chain.number("0x19d164f1" + me, sponsorship) == 0
        assert chain.number("0x7c6f3158", sponsorship) >= chain.number("0x40947369", sponsorship)


def together(*calls):
    """The data of `aggregate3`: `(to, may fail, data)` each, written down here by hand."""
    items = []
    for to, may_fail, data in calls:
        raw = data.removeprefix("0x")
        padded = raw.ljust(-(-len(raw) // 64) * 64, "0")
        items.append(f"{int(to, 16):064x}{may_fail:064x}{96:064x}{len(raw) // 2:064x}{padded}")
    offsets, begin = [], 32 * len(items)
    for item in items:
        offsets.append(f"{begin:064x}")
        begin += len(item) // 2
    return f"0x82ad56cb{32:064x}{len(items):064x}" + "".join((*offsets, *items))


def results(text):
    """`(success, data)` of each call."""
    raw = bytes.fromhex(text.removeprefix("0x"))
    begin, count = words(text)[:2]
    assert (begin, len(raw) % 32) == (32, 0)
    found = []
    for place in range(count):
        item = raw[64 + words(text)[2 + place] :]
        succeeded, held, size = words(item[:96].hex())
        assert held == 64
        found.append((succeeded, "0x" + item[96 : 96 + size].hex()))
    return found


def test_many_calls_are_run_together_as_each_by_itself(chain):
    number, _ = chain.block()
    me = chain.operator[2:].rjust(64, "0")
    asked = [
        (chain.operator, "0xc229918e"),
        (chain.operator, "0x392f37e9"),
        (DATA, "0x70a08231" + me),
        (CONFIG, "0x3a0298eb"),
        *((f"0x{each:040x}", "0x71b906eb") for each in chain.earnings()[0]),
    ]
    for block in ("latest", hex(number - 5000)):
        answer = chain.call(together(*((to, True, data) for to, data in asked)), MULTICALL, block)
        assert results(answer) == [(1, chain.call(data, to, block)) for to, data in asked]
    assert results(chain.call(together(), MULTICALL)) == []


def test_a_call_that_reverts_among_others_fails_by_itself_if_it_may(chain):
    good, nothing = (chain.operator, True, "0x8da5cb5b"), ("0x" + "1" * 40, True, "0x8da5cb5b")
    bad = [(chain.operator, "0xdeadbeef"), (chain.operator, "0x7d429385"), (MULTICALL, "0xdeadbeef")]
    for to, data in bad:
        answer = chain.call(together(good, (to, True, data), nothing), MULTICALL)
        assert results(answer) == [(1, chain.call(good[2])), (0, "0x"), (1, "0x")]
        strict = chain.call(together(good, (to, False, data)), MULTICALL)
        assert strict == {"code": 3, "message": "execution reverted: Multicall3: call failed"}


@pytest.mark.parametrize(
    "data", ["0x", "0xdeadbeef", "0x82ad56cb", f"0x82ad56cb{32:064x}{1:064x}{32:064x}", "0x82ad56cbzz"]
)
def test_what_is_no_list_of_calls_reverts(chain, data):
    assert chain.call(data, MULTICALL)["code"] == 3
    cut = together((chain.operator, True, "0x8da5cb5b"))[:-64]
    assert chain.call(cut, MULTICALL)["code"] == 3


def test_unknown_calls_revert_and_unknown_addresses_are_empty(chain):
    assert chain.call("0xdeadbeef")["code"] == 3
    assert chain.call("0x7d429385")["code"] == -32602
    assert chain.call("0x2ebd89d1", to="0x" + "1" * 40) == "0x"
    assert chain.client.rpc("eth_fly")["code"] == -32601


def test_a_batch_is_answered_in_order(world, client):
    calls = [
        {"jsonrpc": "2.0", "id": n, "method": m, "params": []}
        for n, m in ((7, "eth_blockNumber"), (8, "eth_chainId"))
    ]
    body = client.json("streamr_rpc", "/", method="POST", body=msgspec.json.encode(calls))
    assert [each["id"] for each in body] == [7, 8]
    assert body[1]["result"] == "0x89"
    broken = client.json("streamr_rpc", "/", method="POST", body=b"{")
    assert broken["error"]["code"] == -32700
    assert client.ask("streamr_rpc", "/").status == 405


@pytest.mark.slow
def test_sponsorships_run_dry_and_are_funded_again(worlds, clients):
    dry = 0
    for seed in range(3):
        world = worlds(seed)
        chain = Chain(clients(world))
        for hours in range(0, 24 * 40, 3):
            world.advance(START + timedelta(hours=hours))
            if world.presence("relay", world.time) == "unavailable":
                continue
            paying = world.state.streamr.pieces[-1].paying
            for place, address in enumerate(world.streamr.sponsorships):
                solvent = chain.number("0x71b906eb", address) > world.time.timestamp()
                assert solvent == paying[place]
                dry += not solvent
    assert 0 < dry < 3 * 3 * 320 * 0.3


def test_info_has_both_shapes_of_byte_arrays(client):
    body = client.json("streamr_info", "/info")
    descriptor = body["controlLayer"]["localPeerDescriptor"]
    assert descriptor["nodeId"]["type"] == "Buffer"
    peers = body["controlLayer"]["transport"]["connections"]
    assert sorted(map(int, peers[0]["remotePeerDescriptor"]["nodeId"])) == list(range(20))
    assert [part["id"] for part in body["contentLayer"]["streamParts"]] == [
        f"{each}/stream#0" for each in client.world.streamr.sponsorships
    ]
    page = client.ask("streamr_info", "/metrics")
    assert (page.status, dict(page.headers)["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_info_may_want_a_key(world):
    from orch.emulator.answers_streamr_info import answer
    from orch.emulator.asks import Ask

    def status(*headers):
        return answer(
            world, Ask(service="streamr_info", path="/info", headers=headers), world.time, frozenset({"k"})
        ).status

    assert status() == 401
    assert status(("Authorization", "bearer x")) == 403
    assert status(("Authorization", "bearer k")) == 200
