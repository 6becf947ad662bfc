"""What an answer gives away about who gave it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orch.discovery.knock import read
from orch.discovery.traces import Candidate
from orch.model.wire import NoReply, Reply

ANSWERS = Path(__file__).parent.parent / "answers"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DISK = {"used": 1e12, "available": 2e12, "allocated": 6e12}
GOOD = {
    "storj": {"nodeID": "1Qz", "diskSpace": DISK, "version": "1.162.3"},
    "golem": {"current": {"version": "0.17.6"}, "pending": None},
    "streamr": {"controlLayer": {"neighborCount": 1}, "contentLayer": {}},
}


def place(network):
    return Candidate(network=network, url="http://127.0.0.1:1", why="port 1")


def reply(body, headers=()):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=200, headers=headers, body=text, received_at=NOW, elapsed_s=0.01)


def none(status=None, reason="http_status"):
    return NoReply(reason=reason, sentence="no", retryable=False, failed_at=NOW, elapsed_s=0.01, status=status)


@pytest.mark.parametrize("network", GOOD)
def test_each_network_is_known_by_its_own_answer_only(network):
    for other, body in GOOD.items():
        assert (read(place(network), reply(body)) is not None) is (other == network)


@pytest.mark.parametrize(
    ("situation", "allocated_gb"), [("healthy", 6000.0), ("fresh", 1000.0), ("old_version_diskspace", None)]
)
def test_storage_nodes_of_all_kinds_are_known(situation, allocated_gb):
    held = json.loads((ANSWERS / "storj" / f"{situation}_sno.json").read_text())
    found = read(place("storj"), reply(held["body"]))
    assert found.version == held["body"]["version"]
    assert found.allocated_gb == (allocated_gb or held["body"]["diskSpace"]["available"] / 1e9)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"<html>", b"\xff", {"nodeID": 3}, {"current": None}])
@pytest.mark.parametrize("network", GOOD)
def test_anything_else_is_nobody(network, body):
    assert read(place(network), reply(body)) is None


def test_a_storage_node_says_what_it_was_given_in_both_ways():
    assert read(place("storj"), reply(GOOD["storj"])).allocated_gb == 6000.0
    old = {"nodeID": "1Qz", "diskSpace": {"used": 1e12, "available": 4e12}}
    assert read(place("storj"), reply(old)).allocated_gb == 4000.0


def test_an_emulated_node_says_so():
    assert read(place("golem"), reply(GOOD["golem"], (("X-Orch-Emulated", "1"),))).emulated
    assert not read(place("golem"), reply(GOOD["golem"])).emulated


@pytest.mark.parametrize(
    ("network", "answer", "locked"),
    [
        ("streamr", none(401, "unauthorised"), True),
        ("streamr", none(403, "unauthorised"), True),
        ("streamr", none(404), None),
        ("streamr", none(None, "refused"), None),
        ("golem", none(401, "unauthorised"), None),
        ("storj", none(None, "timeout"), None),
    ],
)
def test_a_refusal_names_a_streamr_node_and_nobody_else(network, answer, locked):
    found = read(place(network), answer)
    assert (None if found is None else found.locked) == locked
