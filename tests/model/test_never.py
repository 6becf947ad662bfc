"""What orch never does is tried here, one by one."""

from __future__ import annotations

import json

import pytest

from orch.model.never import forbidden, forbidden_moves
from orch.model.resources import Resources
from orch.model.wire import CommandRun, FileRead, FileWrite, HttpRequest, ToolCall
from tests.fakes.moving import node


def rpc(*methods):
    calls = [{"jsonrpc": "2.0", "id": 1, "method": method, "params": []} for method in methods]
    body = json.dumps(calls[0] if len(calls) == 1 else calls).encode()
    return HttpRequest(url="http://127.0.0.1:8545", method="POST", body=body)


@pytest.mark.parametrize(
    "words",
    [
        ("storagenode", "exit-satellite", "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S"),
        ("docker", "exec", "storagenode", "/app/storagenode", "forget-satellite", "--force"),
        ("sh", "-c", "cd /node; ./storagenode forget-untrusted-satellites"),
    ],
)
def test_no_satellite_is_left_by_a_program(words):
    assert "Storj satellite" in forbidden(CommandRun(argv=words))


def test_no_satellite_is_left_by_the_nodes_own_interface():
    url = "http://127.0.0.1:14002/api/sno/satellites/1/graceful-exit"
    assert "Storj satellite" in forbidden(HttpRequest(url=url, method="POST"))
    body = b'{"command": "exit-satellite"}'
    assert "Storj satellite" in forbidden(HttpRequest(url="http://127.0.0.1:1", method="POST", body=body))


@pytest.mark.parametrize(
    "words",
    [
        ("rm", "-rf", "/mnt/storj/storage"),
        ("/usr/bin/shred", "/mnt/storj/storage/blobs"),
        ("sudo", "mkfs.ext4", "/dev/sdb1"),
        ("sh", "-c", "systemctl stop storagenode && rm -r /mnt/storj"),
        ("find", "/mnt/storj", "-name", "*.sj1", "-delete"),
        ("docker", "volume", "prune", "--force"),
        ("docker", "rm", "-v", "storagenode"),
    ],
    ids=" ".join,
)
def test_no_data_is_deleted(words):
    assert "deletes data" in forbidden(CommandRun(argv=words))


@pytest.mark.parametrize("action", ["remove", "kill", "prune", "delete"])
def test_no_container_is_removed(action):
    assert "removes" in forbidden(ToolCall(tool="docker", action=action))


@pytest.mark.parametrize(
    "methods",
    [
        ("eth_sendRawTransaction",),
        ("eth_sendTransaction",),
        ("eth_sign",),
        ("eth_signTypedData_v4",),
        ("personal_unlockAccount",),
        ("eth_call", "eth_sendRawTransaction"),
    ],
    ids=" ".join,
)
def test_nothing_is_signed_and_nothing_unstaked_by_force(methods):
    assert "forceUnstake" in forbidden(rpc(*methods))


def test_no_program_unstakes_by_force():
    assert "unstakes" in forbidden(CommandRun(argv=("npx", "streamr", "operator", "forceUnstake", "0x0")))


@pytest.mark.parametrize(
    "request_",
    [
        FileWrite(path="/home/op/.streamr/config/default.json", body=b""),
        FileWrite(path="/home/op/.ethereum/keystore/UTC--2026", body=b""),
        FileWrite(path="/storagenode/identity/identity.key", body=b""),
        FileRead(path="/storagenode/identity/ca.key"),
    ],
    ids=lambda each: each.path,
)
def test_no_key_is_touched(request_):
    assert "key" in forbidden(request_)


@pytest.mark.parametrize(
    "request_",
    [
        rpc("eth_call", "eth_getLogs", "eth_getBlockByNumber", "eth_chainId", "eth_gasPrice"),
        HttpRequest(url="http://127.0.0.1:14002/api/sno/"),
        HttpRequest(url="http://127.0.0.1:1/levers/disk", method="PUT", body=b'{"storage_gb": 1}'),
        FileRead(path="/home/op/.streamr/config/default.json"),
        FileWrite(path="/storagenode/config.yaml", body=b""),
        FileWrite(path="/sys/fs/cgroup/orch/cpu.max", body=b""),
        CommandRun(argv=("systemctl", "restart", "storagenode")),
        CommandRun(argv=("docker", "restart", "-t", "300", "storagenode")),
        CommandRun(argv=("tc", "qdisc", "del", "dev", "eth0", "root")),
        ToolCall(tool="docker", action="stop"),
    ],
)
def test_what_levers_and_protocols_do_is_allowed(request_):
    assert forbidden(request_) is None


def blocked(nodes, goal):
    return [(each.code, each.node) for each in forbidden_moves(nodes, goal)]


def test_a_node_with_stake_at_risk_keeps_its_floor():
    relay = node("relay", Resources(cpu_cores=2.0), protocol="streamr", floor=Resources(cpu_cores=1.0))
    assert blocked([relay], {"relay": Resources(cpu_cores=1.0)}) == []
    assert blocked([relay], {"relay": Resources(cpu_cores=0.9)}) == [("PROTECTED_FLOOR", "relay")]
    # One that is below it already may be raised.
    low = node("relay", Resources(cpu_cores=0.5), protocol="streamr", floor=Resources(cpu_cores=1.0))
    assert blocked([low], {"relay": Resources(cpu_cores=0.7)}) == []


def test_no_second_grass_device_is_started_behind_one_address():
    on, off = Resources(cpu_cores=0.5), Resources(cpu_cores=0.0)
    first, second = node("g1", on, protocol="grass"), node("g2", off, protocol="grass")
    assert blocked([first, second], {"g2": on}) == [("INFEASIBLE", "g2")]
    assert blocked([first, second], {"g1": off, "g2": on}) == []
    assert blocked([first, second], {"g1": Resources(cpu_cores=0.7)}) == []
    both_off = [node(name, off, protocol="grass") for name in ("g1", "g2")]
    assert len(blocked(both_off, {"g1": on, "g2": on})) == 2
