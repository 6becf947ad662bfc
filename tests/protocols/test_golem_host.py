"""What stands in a provider's way on its own host, and what is not asked of another one."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from orch.model.resources import Resources
from orch.model.wire import NoReply, Reply
from orch.protocols.attend import Attended, take
from orch.protocols.base import Context
from orch.protocols.golem import PROTOCOL
from orch.protocols.golem_memory import GolemOptions, Presets
from orch.protocols.schedule import Schedule, Turn
from tests.fakes.golem_node import NOW

HERE = Context(node="compute", host="here")


def begin(**options):
    memory = PROTOCOL.begin(GolemOptions(**options), HERE)
    presets = Presets(active=("vm",), prices=(), runtimes=("vm",))
    return replace(memory, profile=Resources(storage_gb=80.0), presets=presets, running=())


def question(memory):
    return next((each for each in PROTOCOL.endpoints(memory, NOW) if each.key == "host"), None)


def agent(name="ya-provider", **known):
    return {"name": name, "pid": 7, "open_files": 90, "may_open": 65_535, "device": True} | known


def looked(*agents, free=200, kvm=True, memory=None):
    disk = None if free is None else {"total": 10**12, "free": free * 10**9}
    body = {"disk": disk, "device": {"exists": kvm}, "processes": list(agents)}
    reply = Reply(status=200, headers=(), body=json.dumps(body).encode(), received_at=NOW, elapsed_s=0.01)
    return PROTOCOL.absorb(memory or begin(), "host", reply, NOW)


def codes(memory):
    mine = {
        "kvm_missing",
        "kvm_refused",
        "disk_full",
        "disk_too_small",
        "files_exhausted",
        "files_few",
        "provider_dead",
    }
    return {each.code for each in PROTOCOL.reading(memory, NOW).findings} & mine


def test_this_host_is_looked_at_every_five_minutes():
    asked = question(begin(provider_dir="/var/lib/ya-provider"))
    assert (asked.request.tool, asked.period_s, asked.lane, asked.probe) == ("host", 300.0, "slow", True)
    assert json.loads(asked.request.body) == {
        "path": "/var/lib/ya-provider",
        "device": "/dev/kvm",
        "programs": ["yagna", "ya-provider"],
    }


@pytest.mark.parametrize(
    "elsewhere", [{"url": "http://10.0.0.7:7465"}, {"provider_dir": "http://127.0.0.1:9/provider"}]
)
def test_a_provider_elsewhere_has_another_host(elsewhere):
    assert question(begin(**elsewhere)) is None


def test_an_emulated_provider_has_none():
    assert question(replace(begin(), emulated=True)) is None
    assert codes(replace(looked(agent(), kvm=False, free=1), emulated=True)) == set()


@pytest.mark.parametrize(
    ("memory", "code"),
    [
        (looked(agent(), agent("yagna")), None),
        (looked(agent(device=False), kvm=False), "kvm_missing"),
        (looked(agent(device=False)), "kvm_refused"),
        (looked(agent(device=None)), None),
        (looked(agent("yagna", device=False), kvm=False), "provider_dead"),
        (looked(kvm=False), None),
        (looked(agent(), free=79), "disk_too_small"),
        (looked(agent(), free=1), "disk_full"),
        (looked(agent(), free=None), None),
        (looked(agent(), agent("yagna", open_files=60_000)), "files_exhausted"),
        (looked(agent(), agent("yagna", open_files=None, may_open=1024)), "files_few"),
        (looked(agent(), agent("yagna", may_open=None)), None),
    ],
)
def test_what_stands_in_the_way_is_a_finding(memory, code):
    assert codes(memory) == ({code} if code else set())


def test_a_runtime_without_virtual_machines_needs_no_kvm():
    memory = replace(begin(), presets=Presets(active=("w",), prices=(), runtimes=("wasmtime",)))
    assert codes(looked(agent(), kvm=False, memory=memory)) == set()


def test_while_a_task_runs_part_of_the_offered_room_is_its_own():
    assert codes(looked(agent(), free=79, memory=replace(begin(), running=("a",)))) == set()


def test_a_host_that_may_not_be_looked_at_is_no_trouble():
    refused = NoReply(reason="permission", sentence="no", retryable=False, failed_at=NOW, elapsed_s=0.0)
    turn = Turn(key="host", lane="slow", period_s=300.0, backoff_max_s=600.0, asked_at=NOW)
    state, failure = take(PROTOCOL, Attended(begin(), Schedule(turns={turn.key: turn})), "host", refused, NOW)
    assert failure is None
    assert state.failures == ()


def test_a_look_of_another_shape_is_refused():
    reply = Reply(status=200, headers=(), body=b'{"disk": 5}', received_at=NOW, elapsed_s=0.0)
    turn = Turn(key="host", lane="slow", period_s=300.0, backoff_max_s=600.0, asked_at=NOW)
    _, failure = take(PROTOCOL, Attended(begin(), Schedule(turns={turn.key: turn})), "host", reply, NOW)
    assert failure.reason == "shape"
