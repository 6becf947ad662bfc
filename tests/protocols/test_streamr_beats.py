"""Live heartbeats of an operator's nodes: heard, missed, unlike each other, and never a secret in a URL."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec import json
from msgspec.structs import replace

from orch.model.wire import Reply, Secret
from orch.protocols.streamr import PROTOCOL
from orch.protocols.streamr_beats import LISTEN_S
from tests.fakes.streamr import NOW, OPERATOR, WHOLE, Teller, begin, codes, facts, outcome, reading, silence

URL = {"websocket_url": "http://127.0.0.1:7170"}
REACHABLE = {"host": "203.0.113.7", "port": 32200, "tls": True}


@pytest.fixture
def memory(answers):
    return Teller(answers("streamr"))(*WHOLE, memory=begin(**URL))


def beat(node="17", version="103.3.1", autostaker=False, websocket=REACHABLE):
    peer = {"nodeId": node * 20, "type": "nodejs", "region": 1} | ({"websocket": websocket} if websocket else {})
    return {
        "msgType": "heartbeat",
        "peerDescriptor": peer,
        "applicationVersion": version,
        "autostakerEnabled": autostaker,
    }


def heard(*messages, at=NOW):
    texts = [each if isinstance(each, str) else json.encode(each).decode() for each in messages]
    return Reply(status=200, headers=(), body=json.encode(texts), received_at=at, elapsed_s=LISTEN_S)


def after(memory, *messages, at=NOW, key="fleet"):
    failure, found = outcome(memory, key, heard(*messages, at=at), at)
    assert failure is None
    return found


def question(memory):
    return next(each for each in PROTOCOL.endpoints(memory, NOW) if each.key.startswith("fleet"))


def test_it_listens_to_the_operators_own_stream_with_its_key_hidden(memory):
    asked = question(memory).request
    assert asked.url == f"ws://127.0.0.1:7170/streams/{OPERATOR}%2Foperator%2Fcoordination/subscribe"
    assert asked.secret_query == ()
    secret = begin(**URL, websocket_key=Secret(value="hush"))
    assert question(secret).request.secret_query == (("apiKey", Secret(value="hush")),)
    assert "hush" not in repr(question(secret))


def test_without_an_address_nothing_is_listened_to():
    assert not [each for each in PROTOCOL.endpoints(begin(), NOW) if each.key.startswith("fleet")]


def test_live_nodes_are_counted_once_each_and_bare_or_wrapped_messages_are_one(memory):
    found = after(memory, beat(), beat(), {"content": beat("2a"), "metadata": {"timestamp": 1}}, {"msgType": "x"})
    assert facts(found)["live heartbeats"] == "of 2 node(s), version 103.3.1"
    assert facts(found)["autostaker"] == "off (heartbeat)"
    assert codes(found) == codes(memory)


def test_no_live_heartbeat_for_two_minutes_pages_and_not_before(memory):
    first = after(memory)
    assert question(first).key == "fleet/again"
    assert "no_live_heartbeat" not in codes(first)
    assert reading(first).health == "online"
    later = after(first, at=NOW + timedelta(seconds=125), key="fleet/again")
    (found,) = [each for each in reading(later).findings if each.code == "no_live_heartbeat"]
    assert found.severity == "page"
    assert reading(later).health == "degraded"
    again = after(later, beat(), at=NOW + timedelta(seconds=190), key="fleet/again")
    assert "no_live_heartbeat" not in codes(again)
    assert question(again).key == "fleet"


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ((beat(),), "few_live_nodes"),
        ((beat(), beat("2a", version="103.3.0")), "versions_differ"),
        ((beat(), beat("2a", autostaker=True)), "autostaker_differs"),
        ((beat(), beat("2a", websocket=None)), "not_reachable"),
    ],
)
def test_what_a_fleet_says_of_itself(memory, answers, messages, code):
    """The second node is wanted: the operator's redundancy factor is two."""
    told = Teller(answers("streamr"))("metadata_two", memory=memory)
    assert code in codes(after(told, *messages))
    assert code not in codes(after(told, beat(), beat("2a")))


def test_a_plugin_that_does_not_answer_says_nothing_of_the_nodes(memory):
    silent = after(after(memory), at=NOW + timedelta(seconds=125), key="fleet/again")
    failure, found = outcome(silent, "fleet/again", silence("refused"))
    assert (failure.reason, failure.vital) == ("refused", False)
    assert "no_live_heartbeat" not in codes(found)
    assert reading(found).health == "online"


def test_what_was_heard_long_ago_says_nothing(memory):
    silent = after(after(memory), at=NOW + timedelta(seconds=125), key="fleet/again")
    later = replace(silent.block, seen_at=NOW + timedelta(hours=1))
    assert "no_live_heartbeat" not in codes(replace(silent, block=later))


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        {"msgType": "heartbeat"},
        {"msgType": "heartbeat", "peerDescriptor": {"nodeId": 7}},
        beat() | {"autostakerEnabled": "yes"},
        "[" * 5000,
    ],
)
def test_a_message_of_another_shape_is_refused(memory, message):
    failure, found = outcome(memory, "fleet", heard(message))
    assert failure.reason == "shape"
    assert found.fleet is None
    assert reading(found).accruals == reading(memory).accruals
