"""What yagna says of itself, and what orch tells the operator of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from orch.errors import AbsurdError, ShapeError
from tests.fakes.golem_node import NOW, Node, agreement_id, invoice_row, pay_row, zulu

STREAM, TEXT = "text/event-stream", "text/plain; charset=utf-8"
HOUR = timedelta(hours=1)


@pytest.fixture
def node():
    return Node().online()


def counters(*lines):
    return ("# metrics snapshot\n" + "\n".join(lines) + "\n").encode()


def activity(state):
    rows = [{"id": "a", "state": state, "agreementId": agreement_id(1), "exeUnit": None}]
    return b"data: " + json.dumps({"ts": "x", "activities": rows}).encode() + b"\r\n\r\n"


def ended(**reasons):
    return counters(
        *(f'market_agreements_provider_terminated_reason{{reason="{name}"}} {n}' for name, n in reasons.items())
    )


@pytest.mark.parametrize(
    ("key", "body", "kind", "code"),
    [
        ("accounts", [], "application/json", "no_account"),
        (
            "driver",
            [{"kind": "TxStuck", "driver": "erc20", "network": "polygon"}],
            "application/json",
            "payment_driver",
        ),
        (
            "version",
            {"current": {"version": "0.17.6"}, "pending": {"version": "1.0"}},
            "application/json",
            "update_pending",
        ),
        ("metrics", counters('web3_rpc_error{chain_id="137",method="block"} 3'), TEXT, "chain_unreachable"),
        ("metrics", ended(Success=1, DebitNotesDeadline=2), TEXT, "agreements_broken"),
        ("monitor", activity("Unresponsive"), STREAM, "unresponsive"),
    ],
)
def test_a_sign_of_trouble_is_a_finding(node, key, body, kind, code):
    assert node.codes() == set()
    assert node.say(key, body, kind=kind).codes() == {code}
    (finding,) = node.reading().findings
    assert finding.sentence
    assert finding.remedy


@pytest.mark.parametrize(
    ("key", "body", "kind"),
    [
        ("accounts", [{"platform": "erc20-polygon-glm", "receive": True}], "application/json"),
        ("driver", [], "application/json"),
        ("version", {"current": {"version": "0.17.6"}, "pending": None}, "application/json"),
        ("healthcheck", {"status": "ok"}, "application/json"),
        ("metrics", ended(Success=5, DebitNotesDeadline=2), TEXT),
        ("metrics", counters("web3_rpc_error 3", "web3_rpc_success 1"), TEXT),
        ("monitor", activity("Ready"), STREAM),
    ],
)
def test_a_good_sign_is_none(node, key, body, kind):
    assert node.say(key, body, kind=kind).codes() == set()


@pytest.mark.parametrize(
    ("key", "body", "kind", "error"),
    [
        ("monitor", b'{"activities": []}', STREAM, ShapeError),
        ("monitor", b"data: {", STREAM, ShapeError),
        ("monitor", b'data: {"activities": []}\n', "text/html", ShapeError),
        (
            "monitor",
            activity("Ready").replace(b'"exeUnit"', b'"usage": {"golem.usage.cpu_sec": -1}, "exeUnit"'),
            STREAM,
            AbsurdError,
        ),
        ("metrics", b"<html>", TEXT, ShapeError),
        ("metrics", counters("web3_rpc_error many"), TEXT, ShapeError),
        ("metrics", counters("web3_rpc_error -1"), TEXT, AbsurdError),
        ("metrics", counters("web3_rpc_error 1"), "application/json", ShapeError),
        ("healthcheck", {"status": "well"}, "application/json", ShapeError),
        ("accounts", None, "application/json", ShapeError),
        ("driver", [{}], "application/json", ShapeError),
        ("payments", [{}], "application/json", ShapeError),
        ("nonsense", {}, "application/json", ShapeError),
    ],
)
def test_a_wrong_sign_is_refused(node, key, body, kind, error):
    before = node.memory
    with pytest.raises(error):
        node.say(key, body, kind=kind)
    assert node.memory is before


@pytest.mark.parametrize(
    ("body", "health"),
    [
        ({"step": "market-check", "instance": "/healthcheck/market-bcast-timeout"}, "degraded"),
        ({"step": "relay-check", "instance": "/healthcheck/internal-error/net-service-error"}, "online"),
    ],
)
def test_the_daemons_own_check(node, body, health):
    node.fail("healthcheck", 500, json.dumps(body).encode())
    (finding,) = node.reading().findings
    assert body["instance"].rpartition("/")[2] in finding.sentence
    assert node.reading().health == health
    assert node.say("healthcheck", {"status": "ok"}).codes() == set()


def test_a_check_that_cannot_be_read_says_nothing(node):
    assert node.fail("healthcheck", 500, b"<html>").codes() == set()
    assert node.fail("healthcheck", reason="timeout").codes() == set()


def test_a_public_address_that_is_lost_is_told(node):
    assert "public_address_lost" in node.say("net", {"sessions": 3, "publicIp": None}).codes()
    assert Node().say("me", {"identity": "0x1"}).say("net", {"sessions": 3, "publicIp": None}).codes() == set()


def test_offers_that_are_not_published_anew_mean_a_dead_agent(node):
    assert "offers_stale" not in node.codes()
    node.later(minutes=70).say("me", {"identity": node.memory.identity})
    assert "offers_stale" in node.codes()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"golem.inf.cpu.threads": 2}, "2 threads instead of 4"),
        ({"golem.inf.storage.gib": 5.0}, "GB of disk"),
        ({"golem.com.pricing.model.linear.coeffs": [0.025 / 3600, 0.005 / 3600, 1.0]}, "price"),
    ],
    ids=["threads", "a full disk", "an initial price that was not noticed"],
)
def test_offers_are_held_against_the_files(node, change, words):
    properties = {
        "golem.inf.cpu.threads": 4,
        "golem.inf.mem.gib": 4.0,
        "golem.inf.storage.gib": 20.0,
        "golem.com.usage.vector": ["golem.usage.cpu_sec", "golem.usage.duration_sec"],
        "golem.com.pricing.model.linear.coeffs": [0.025 / 3600, 0.005 / 3600, 0.0],
    }
    offer = {"offerId": "o", "timestamp": zulu(NOW), "properties": properties | change}
    node.say("offers", [offer])
    assert node.codes() == set()
    node.later(minutes=6).say("offers", [offer])
    (finding,) = node.reading().findings
    assert (finding.code, words in finding.sentence) == ("offers_differ", True)
    assert node.say("offers", [offer | {"properties": properties}]).codes() == set()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "not known"),
        (("market_proposals_provider_received 0",), "nobody has asked"),
        (
            ("market_proposals_provider_received 9", "market_proposals_provider_rejected_by_them 8"),
            "of 9 proposal(s) since the daemon started 8 came to nothing",
        ),
    ],
)
def test_a_day_without_work_is_told_with_what_was_asked_for(node, lines, words):
    long_ago = NOW - 30 * HOUR
    node.say("invoices", [invoice_row(1, "0.1", "SETTLED", long_ago)])
    node.say("payAgreements", [pay_row(1, "0.1", "0.1", "0.1", long_ago - HOUR)])
    node.say("metrics", counters(*lines), kind=TEXT)
    (finding,) = node.reading().findings
    assert finding.code == "idle"
    assert words in finding.sentence


def test_notes_that_nobody_accepts_are_told_after_ten_minutes():
    node = Node().online(agreements=(1,)).say("invoices", [])
    for minute in range(0, 14, 2):
        assert "notes_not_accepted" not in node.codes()
        node.now = NOW + timedelta(minutes=minute)
        node.say("payAgreements", [pay_row(1, f"0.{minute + 10}", "0.01", "0", NOW - HOUR)])
    assert "notes_not_accepted" in node.codes()
    node.say("payAgreements", [pay_row(1, "0.22", "0.21", "0", NOW - HOUR)])
    assert "notes_not_accepted" not in node.codes()


@pytest.mark.parametrize("status", ["REJECTED", "FAILED", "CANCELLED"])
def test_why_work_is_written_off_is_asked_once_and_told(status):
    node = Node().online().say("invoices", [invoice_row(1, "0.1", status, NOW - HOUR)])
    node.say("payAgreements", [pay_row(1, "0.1", "0.1", "0.04", NOW - 3 * HOUR)])
    asked = node.endpoints()["rejection/invoice-1"]
    assert asked.once
    assert "/invoiceEvents?timeout=0&" in asked.request.url
    why = {"rejectionReason": "BAD_SERVICE", "totalAmountAccepted": "0", "message": "late"}
    event = {
        "invoiceId": "invoice-1",
        "eventDate": zulu(NOW),
        "eventType": "InvoiceRejectedEvent",
        "rejection": why,
    }
    node.say("rejection/invoice-1", [event | {"invoiceId": "other"}, event])
    assert "rejection/invoice-1" not in node.endpoints()
    assert node.codes() & {"invoice_rejected", "invoice_cancelled"}
    node.say("payAgreements", [pay_row(1, "0.1", "0.1", "0.04", NOW - 3 * HOUR)])
    (accrual,) = node.earned().values()
    assert accrual.reference.endswith(f"({status.lower()}: bad service (late); what was not paid is written off)")
    assert f"{accrual.amounts.total:f}" == "0.04"
