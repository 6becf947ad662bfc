"""The ways in which a yagna fails its clients, one by one: what orch makes of each, and that no figure suffers."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from orch.errors import AbsurdError, ShapeError
from orch.model.wire import FileRead, HttpRequest, Reply, ToolCall
from orch.protocols.golem import PROTOCOL
from orch.protocols.golem_money import NEVER_AFTER, PAGE
from tests.fakes.golem_node import ME, NOW, Node, agreement_id, invoice_row, pay_row, payment_row

HOUR = timedelta(hours=1)


def running_node():
    """One agreement that ended and was paid, one that runs."""
    node = Node().online(agreements=(2,))
    node.say("payAgreements", [pay_row(1, "0.11", "0.11", "0.11", NOW - 5 * HOUR), running_row()])
    return node.say("invoices", [invoice_row(1, "0.11", "SETTLED", NOW - 3 * HOUR)])


def running_row(due="0.03", accepted="0.02"):
    return pay_row(2, due, accepted, "0", NOW - HOUR)


@pytest.fixture
def node():
    return running_node()


def test_a_401_in_plain_text_after_a_new_data_directory(node):
    before = node.earned()
    node.fail("me", 401, b"Invalid application key")
    assert (node.reading().health, node.reading().health_reason.split(":")[0]) == ("degraded", "unauthorised")
    assert "app_key_refused" in node.codes()
    assert node.earned() == before


def test_a_connection_refused_while_the_daemon_starts(node):
    before = node.earned()
    node.later(seconds=20).fail("me", reason="refused")
    assert node.reading().health == "offline"
    assert node.earned() == before
    node.later(seconds=30).online(agreements=(2,))
    assert node.reading().health == "online"


def test_a_restart_forgets_counters_activities_and_offers(node):
    metrics = b"# metrics\nmarket_proposals_provider_received 40\n"
    feed = {
        "activities": [{"id": "a", "state": "Ready", "agreementId": agreement_id(2), "usage": usage(3600, 1200)}]
    }
    node.say("metrics", metrics, kind="text/plain; charset=utf-8").say("monitor", message(feed), kind=STREAM)
    assert node.reading().used.cpu_cores == pytest.approx(3.0)
    earned = node.earned()
    node.later(minutes=1).online(agreements=(2,)).say("offers", [])
    node.say("metrics", b"# metrics\nmarket_proposals_provider_received 0\n", kind="text/plain")
    node.say("monitor", message({"activities": []}), kind=STREAM)
    assert node.memory.signs.counters.proposals == 0
    assert node.earned() == earned
    assert node.reading().health == "online", "the agreement runs on"
    node.say("agreements", [])
    assert node.reading().health == "degraded"
    assert "no_offers" in node.codes()


def test_long_polls_are_never_waited_for(node):
    asked = [each.request.url for each in node.endpoints().values() if isinstance(each.request, HttpRequest)]
    events = [url for url in asked if "/payments?" in url or "Events?" in url]
    assert events
    assert all("timeout=0&" in url for url in events)
    assert not [url for url in asked if "/activity-api/v1/events" in url], (
        "that one answers 408 and is ya-provider's"
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(504, b"", id="a gateway timeout under load"),
        pytest.param(500, b'{"message":"database is locked"}', id="a locked database"),
        pytest.param(500, b'{"message":null}', id="trouble without words"),
    ],
)
@pytest.mark.parametrize("key", ["payAgreements", "invoices", "payments", f"agreement/{agreement_id(2)}"])
def test_trouble_with_the_database_changes_no_figure(node, key, status, body):
    before, asked = node.reading(), set(node.endpoints())
    node.fail(key, status, body)
    assert node.reading() == before
    assert set(node.endpoints()) == asked


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("0", "0"),
        ("0.000", "0"),
        ("0.017361111111111112", "0.017361111111111112"),
        ("0.0173611111111111120000000000001", "0.0173611111111111120000000000001"),
        ("123456789.123456789012345678", "123456789.123456789012345678"),
    ],
)
def test_decimals_are_kept_to_the_last_digit(node, text, exact):
    node.say("payAgreements", [running_row(due=text, accepted="0")])
    assert node.earned()[2].amounts.estimated == Decimal(exact)


def test_an_amount_as_a_float_is_refused(node):
    with pytest.raises(AbsurdError):
        node.say("payAgreements", [running_row(due="NaN")])
    with pytest.raises(ShapeError):
        node.say("payAgreements", [running_row(due=None)])


def test_an_invoice_below_its_notes_is_never_issued():
    node = running_node().say("agreements", [])
    assert "not_invoiced" in node.later(minutes=31).codes()
    assert node.earned()[2].amounts.total == Decimal("0.03"), "it may still come"
    node.later(days=15).say(f"agreement/{agreement_id(2)}", running_row())
    lost = node.earned()[2]
    assert lost.amounts.total == 0
    assert lost.reference == f"{agreement_id(2)} (never invoiced; what was not paid is written off)"
    assert not lost.final


@pytest.mark.parametrize("status", ["ISSUED", "RECEIVED"])
def test_a_final_invoice_that_nobody_accepts_is_written_off_and_counts_again_when_paid(status):
    node = running_node().say("agreements", [])
    invoice = invoice_row(2, "0.03", status, NOW)
    node.say("invoices", [invoice])
    assert node.later(hours=2).codes() & {"invoice_undelivered", "invoice_not_accepted"}
    assert node.earned()[2].amounts.total == Decimal("0.03")
    node.later(seconds=(NEVER_AFTER + timedelta(days=1)).total_seconds()).say("invoice/invoice-2", invoice)
    lost = node.earned()[2]
    assert (lost.amounts.total, lost.final) == (0, False)
    assert lost.reference.endswith("(never accepted; what was not paid is written off)")
    assert "never_accepted" in node.codes()
    node.say("invoice/invoice-2", invoice | {"status": "SETTLED"})
    node.say(f"agreement/{agreement_id(2)}", running_row(accepted="0.03") | {"totalAmountPaid": "0.03"})
    found = node.earned()[2]
    assert (found.amounts.settled, found.final) == (Decimal("0.03"), True)


def test_accepted_notes_without_money_stay_a_promise(node):
    amounts = node.earned()[2].amounts
    assert (amounts.accrued, amounts.estimated, amounts.settled) == (Decimal("0.02"), Decimal("0.01"), 0)


def test_a_chain_that_does_not_answer_is_not_a_node_that_is_down(node):
    node.say("driver", [{"kind": "RpcError", "driver": "erc20", "network": "polygon"}])
    node.fail(
        "healthcheck", 500, json.dumps({"step": "payments-check", "problems": ["Persistent RPC issues"]}).encode()
    )
    metrics = b'# m\nweb3_rpc_error{chain_id="137"} 9\nweb3_rpc_success{chain_id="137"} 0\n'
    node.say("metrics", metrics, kind="text/plain")
    assert node.reading().health == "online"
    assert {"payment_driver", "daemon_unwell", "chain_unreachable"} <= node.codes()


def test_an_unknown_agreement_is_null_and_an_unknown_invoice_is_404():
    node = running_node().say("invoices", [invoice_row(2, "0.03", "ACCEPTED", NOW)])
    before = node.earned()
    node.say(f"agreement/{agreement_id(2)}", None)
    node.fail("invoice/invoice-2", 404, b'{"message":null}')
    assert node.earned() == before
    node.memory = crowded(node.memory)
    assert not [key for key in node.endpoints() if key.startswith(("agreement/", "invoice/"))]


def test_an_empty_list_after_rows_takes_nothing_away(node):
    before = node.earned()
    node.say("payAgreements", []).say("invoices", []).say("payments", [])
    assert node.earned() == before


@pytest.mark.parametrize("key", ["payAgreements", "invoices", "payments"])
def test_null_instead_of_a_list_is_refused(node, key):
    with pytest.raises(ShapeError):
        node.say(key, None)


def test_huge_histories_are_asked_for_by_the_page(node):
    urls = {
        key: each.request.url for key, each in node.endpoints().items() if isinstance(each.request, HttpRequest)
    }
    assert f"maxItems={PAGE}" in urls["payAgreements"]
    assert f"maxItems={PAGE}" in urls["invoices"]
    assert f"maxEvents={PAGE}" in urls["payments"]
    assert not any("/debitNotes" in url for url in urls.values())


def test_payments_that_this_node_sent_are_not_its_own():
    node = Node().online()
    sent = payment_row(1, "9", NOW, payerId=ME, payeeId="0x" + "5e" * 20)
    node.say("payments", [sent, payment_row(2, "0.5", NOW)])
    (mine,) = node.reading().accruals
    assert (mine.kind, mine.amounts.settled, mine.unit) == ("paid", Decimal("0.5"), "GLM")
    assert mine.reference == "0x" + "ab" * 32


def test_the_command_line_is_never_used(node):
    asked = [each.request for each in node.endpoints().values()]
    assert {type(each) for each in asked} == {HttpRequest, FileRead, ToolCall}
    assert {each.tool for each in asked if isinstance(each, ToolCall)} == {"host"}


def test_a_daemon_that_runs_out_of_files_is_told_before_it_freezes(node):
    yagna = {"name": "yagna", "pid": 7, "open_files": 900, "may_open": 1024, "device": None}
    look = {"disk": None, "device": {"exists": True}, "processes": [yagna]}
    memory = PROTOCOL.absorb(
        node.memory,
        "host",
        Reply(status=200, headers=(), body=json.dumps(look).encode(), received_at=NOW, elapsed_s=0.0),
        NOW,
    )
    (found,) = [each for each in PROTOCOL.reading(memory, NOW).findings if each.code == "files_exhausted"]
    assert "900 of 1024" in found.sentence
    assert "65535" in found.remedy


def test_a_stale_lock_after_a_power_cut_shows_as_nothing_published(node):
    node.say("agreements", []).say("offers", [])
    (finding,) = [each for each in node.reading().findings if each.code == "no_offers"]
    assert "ya-provider.lock" in finding.remedy


def test_presets_that_another_version_rewrote(node):
    with pytest.raises(ShapeError):
        node.say("presets", {"ver": "V0", "active": ["vm"], "presets": []}, kind="text/plain")
    with pytest.raises(ShapeError):
        node.say("presets", {"ver": "V1", "active": ["vm"], "presets": []}, kind="text/plain")
    assert node.reading().allocation.cpu_cores == 4.0
    dearer = {"golem.usage.cpu_sec": 0.05 / 3600, "golem.usage.duration_sec": 0.005 / 3600}
    preset = {"name": "vm", "pricing-model": "linear", "usage-coeffs": dearer}
    node.say("presets", {"ver": "V1", "active": ["vm"], "presets": [preset]}, kind="text/plain")
    assert "offers_differ" not in node.codes(), "the agent has a few seconds to publish anew"
    assert "offers_differ" in node.later(minutes=6).codes()


def test_a_second_identity_is_another_owner(node):
    other = "0x" + "77" * 20
    node.say("payAgreements", [running_row(), pay_row(3, "5", "5", "5", NOW, ownerId=other)])
    node.say("invoices", [invoice_row(3, "5", "SETTLED", NOW, issuerId=other)])
    assert set(node.earned()) == {1, 2}
    node.say("me", {"identity": other})
    assert node.earned() == {}
    assert "payAgreements" in node.endpoints()


STREAM = "text/event-stream"


def message(document):
    return b"data: " + json.dumps(document).encode() + b"\n"


def usage(cpu_s, wall_s):
    return {"golem.usage.cpu_sec": float(cpu_s), "golem.usage.duration_sec": float(wall_s)}


def crowded(memory):
    """As if lists had grown too long to be read again from their oldest open row."""
    from msgspec.structs import replace

    past = replace(memory.pay_pages, crowded=True, newest=NOW + HOUR)
    digest = replace(memory.digest, pays_after=NOW + HOUR, invoices_after=NOW + HOUR)
    return replace(memory, pay_pages=past, invoice_pages=past, digest=digest)
