"""yagna's API: access, totals, notes, invoices and payments that agree with each other and the truth."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

START = datetime(2026, 11, 22, 14, 3, 0, tzinfo=UTC)


def rows(client, what, query=""):
    return client.json("golem", f"/payment-api/v1/{what}", query)


def test_a_key_is_wanted_and_refusals_are_plain_text(client):
    missing = client.ask("golem", "/me", headers=())
    assert (missing.status, missing.body) == (401, b"Missing application key")
    wrong = client.ask("golem", "/payment-api/v1/invoices", headers=(("Authorization", "Bearer x"),))
    assert (wrong.status, wrong.body) == (401, b"Invalid application key")
    assert dict(wrong.headers)["Content-Type"].startswith("text/plain")
    assert client.ask("golem", "/version/get", headers=()).status == 200
    assert client.ask("golem", "/me", "authToken=emulated-app-key", headers=()).status == 200


def test_identity_and_network(client):
    me = client.json("golem", "/me")
    assert me["role"] == "manager"
    assert len(me["identity"]) == 42
    status = client.json("golem", "/net-api/v2/net/status")
    assert status["nodeId"] == me["identity"]
    assert status["sessions"] > 0
    (account,) = rows(client, "providerAccounts")
    assert account["receive"]
    assert rows(client, "payments/status") == []


def test_totals_are_the_truth_to_the_last_atom(world, client):
    for hours in (0, 3, 30):
        world.advance(START + timedelta(hours=hours))
        truth = {stream: each for (node, stream), each in world.truth().items() if node == "compute"}
        invoices = {row["agreementId"]: row for row in rows(client, "invoices")}
        listed = rows(client, "payAgreements")
        for row in listed:
            due, paid = Decimal(row["totalAmountDue"]), Decimal(row["totalAmountPaid"])
            status = invoices.get(row["id"], {}).get("status")
            lost = due - paid if status == "REJECTED" else 0
            assert truth[row["id"]].total == due - lost
            assert truth[row["id"]].amounts.settled == paid
            if status is not None:
                assert Decimal(invoices[row["id"]]["amount"]) == due
        missing = set(truth) - {row["id"] for row in listed}
        assert all(truth[each].total == 0 for each in missing)
        assert len(listed) > 200


@pytest.mark.slow
def test_cost_is_threads_and_time_at_the_agreed_price(client):
    me = client.json("golem", "/me")["identity"]
    for row in rows(client, "invoices")[-30:]:
        assert row["issuerId"] == me
        notes = rows(client, "debitNotes", f"afterTimestamp={row['timestamp'][:10]}T00:00:00Z")
        mine = [each for each in notes if each["agreementId"] == row["agreementId"]]
        if not mine:
            continue
        cpu, seconds = mine[-1]["usageCounterVector"]
        assert Decimal(mine[-1]["totalAmountDue"]) == pytest.approx(
            Decimal(int(cpu * 25 + seconds * 5)) / 1000 / 3600, abs=Decimal("1e-17")
        )
        assert all(
            Decimal(a["totalAmountDue"]) < Decimal(b["totalAmountDue"]) for a, b in itertools.pairwise(mine)
        )
        assert [each.get("previousDebitNoteId") for each in mine[1:]] == [
            each["debitNoteId"] for each in mine[:-1]
        ]
        assert Decimal(row["amount"]) >= Decimal(mine[-1]["totalAmountDue"])


def test_money_moves_in_steps_of_two_minutes(world, client):
    while world.golem.running(world.state.golem) is None:
        world.advance(world.time + timedelta(minutes=1))
    identity = world.golem.running(world.state.golem).id
    seen = []
    for _ in range(12):
        world.advance(world.time + timedelta(minutes=1))
        row = rows(client, f"payAgreements/{identity}")
        seen.append(None if row is None else row["totalAmountDue"])
    assert len(set(seen)) in {6, 7}
    assert rows(client, "payAgreements/unknown") is None


def test_payments_add_up_to_what_is_paid(client):
    paid = defaultdict(Decimal)
    for row in rows(client, "payments", "timeout=0"):
        parts = [Decimal(part["amount"]) for part in row["agreementPayments"]]
        assert Decimal(row["amount"]) == sum(parts)
        for part in row["agreementPayments"]:
            paid[part["agreementId"]] += Decimal(part["amount"])
    agreements = rows(client, "payAgreements")
    assert {
        row["id"]: Decimal(row["totalAmountPaid"]) for row in agreements if row["totalAmountPaid"] != "0"
    } == paid
    assert len(paid) > 150


def test_invoices_go_through_every_state(client):
    states = defaultdict(int)
    for row in rows(client, "invoices"):
        states[row["status"]] += 1
    assert states["SETTLED"] > 150
    assert 1 <= states["REJECTED"] <= 25
    assert states["ACCEPTED"] >= 3
    events = {row["eventType"] for row in rows(client, "invoiceEvents", "timeout=0&maxEvents=400")}
    assert events == {"InvoiceAcceptedEvent", "InvoiceRejectedEvent", "InvoiceSettledEvent"}


def test_settlement_takes_about_a_day(world):
    now = world.state.minute
    lags = [
        each.settle - each.invoiced for each in world.state.golem.agreements if each.status_at(now) == "SETTLED"
    ]
    assert min(lags) >= 20 * 60
    assert sum(lags) / len(lags) == pytest.approx(24 * 60, abs=180)


def test_paging_is_strictly_after_and_cut(client):
    everything = rows(client, "payAgreements")
    tenth = everything[9]["createdTs"] + "Z"
    page = rows(client, "payAgreements", f"afterTimestamp={tenth}&maxItems=5")
    assert page == everything[10:15]
    invoices = rows(client, "invoices")
    assert rows(client, "invoices", f"afterTimestamp={invoices[4]['timestamp']}&maxItems=3") == invoices[5:8]
    assert rows(client, f"invoices/{invoices[4]['invoiceId']}") == invoices[4]
    assert rows(client, "payments", "timeout=0&maxItems=1") == rows(client, "payments", "timeout=0")
    client.json("golem", "/payment-api/v1/invoices/nobody", status=404)
    assert client.ask("golem", "/payment-api/v1/invoices", "afterTimestamp=2026-11-01").status == 400


def test_market_shows_what_is_sold_and_what_runs(world, client):
    (offer,) = client.json("golem", "/market-api/v1/offers")
    properties = offer["properties"]
    assert properties["golem.inf.cpu.threads"] == 2
    assert properties["golem.com.usage.vector"] == ["golem.usage.cpu_sec", "golem.usage.duration_sec"]
    assert properties["golem.com.pricing.model.linear.coeffs"] == pytest.approx([0.025 / 3600, 0.005 / 3600, 0])
    while world.golem.running(world.state.golem) is None:
        world.advance(world.time + timedelta(minutes=1))
    (row,) = client.json("golem", "/market-api/v1/agreements", "state=Approved")
    assert row["role"] == "Provider"
    agreement = client.json("golem", f"/market-api/v1/agreements/{row['id']}")
    assert agreement["state"] == "Approved"
    assert client.ask("golem", "/market-api/v1/agreements", "state=approved").status == 400
    (activity,) = client.json("golem", "/activity-api/v1/activity", f"agreementId={row['id']}")
    assert client.json("golem", f"/activity-api/v1/activity/{activity}/state")["state"] == ["Ready", None]
    feed = client.ask("golem", "/activity-api/v1/_monitor")
    assert dict(feed.headers)["Content-Type"] == "text/event-stream"
    assert feed.body.startswith(b"data: {")


def test_the_daemon_counts_since_it_started(world, client):
    coming = list(world.outages.of("compute", world.state.minute, world.state.minute + 14 * 1440))
    pairs = itertools.pairwise(coming)
    outage = next(after for before, after in pairs if after.begin - before.end > 12 * 60)
    world.advance(world.time + timedelta(minutes=outage.begin - 2 - world.state.minute))
    before = counted(client)
    world.advance(world.time + timedelta(minutes=outage.end + 1 - world.state.minute))
    after = counted(client)
    assert before["market_agreements_provider_approved"] > 0
    assert after["market_agreements_provider_approved"] == 0, "it started anew after the outage"
    assert set(after) <= set(before)
    only = client.ask("golem", "/metrics-api/v1/filtered/web3_rpc", headers=()).body.decode()
    assert {line.split("{")[0] for line in only.splitlines() if line[:1].isalpha()} == {
        "web3_rpc_success",
        "web3_rpc_error",
    }


def counted(client):
    text = client.ask("golem", "/metrics-api/v1/expose", headers=()).body.decode()
    samples = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: int(value) for name, _, value in samples}


def test_every_document_is_found_by_its_id(client):
    invoice = rows(client, "invoices")[0]
    (payment,) = rows(client, f"invoices/{invoice['invoiceId']}/payments")
    assert invoice["agreementId"] in {part["agreementId"] for part in payment["agreementPayments"]}
    activity = invoice["activityIds"][0]
    chain = rows(client, f"payActivities/{activity}/debitNotes")
    assert [note["debitNonce"] for note in chain] == list(range(len(chain), 0, -1))
    note = rows(client, f"debitNotes/{chain[0]['debitNoteId']}")
    assert note == {name: value for name, value in chain[0].items() if name != "debitNonce"}
    (totals,) = [each for each in rows(client, "payActivities") if each["id"] == activity]
    assert totals.items() <= rows(client, f"payActivities/{activity}").items()
    assert rows(client, "payActivities/nobody") is None
    client.json("golem", "/payment-api/v1/debitNotes/nobody", status=404)
    assert client.json("golem", "/healthcheck") == {"status": "ok"}


def test_events_tell_what_became_of_agreements(client):
    events = client.json("golem", "/market-api/v1/agreementEvents", "timeout=0&maxEvents=5")
    assert len(events) == 5
    assert events == sorted(events, key=lambda event: event["eventDate"])
    after = events[2]["eventDate"]
    later = client.json("golem", "/market-api/v1/agreementEvents", f"timeout=0&afterTimestamp={after}&maxEvents=2")
    assert later == events[3:5]
    assert client.ask("golem", "/market-api/v1/agreementEvents", "afterTimestamp=2026-11-01").status == 400
    accepted = rows(client, "debitNoteEvents", "timeout=0&maxEvents=3&afterTimestamp=2026-11-20T00:00:00Z")
    assert {event["eventType"] for event in accepted} == {"DebitNoteAcceptedEvent"}


def test_one_agreement_at_a_time_and_a_busy_share_of_two_thirds(worlds):
    shares = []
    for seed in range(5):
        agreements = [each for each in worlds(seed).state.golem.agreements if each.ended >= 0]
        assert all(a.ended <= b.signed for a, b in itertools.pairwise(agreements))
        shares.append(sum(each.ended - each.signed for each in agreements) / (30 * 1440))
        assert all(30 <= each.lasts <= 300 for each in agreements)
    assert all(0.5 < share < 0.85 for share in shares)
    assert 0.6 < sum(shares) / len(shares) < 0.8


def test_work_wants_a_handful_of_threads_and_memory_for_each(worlds):
    world = worlds()
    wanted = [request.threads for day in range(20_700, 20_760) for request in world.golem._requests_of(day)]
    assert min(wanted) == 2
    assert max(wanted) == 24
    assert 7 < sum(wanted) / len(wanted) < 9
    world.set_split_now({"compute": world.best_fixed_split()["compute"]})
    world.put_levers("compute", {"memory_gb": 4.0}, world.time)
    count = len(world.state.golem.agreements)
    world.advance(START + timedelta(days=3))
    assert max(each.busy for each in world.state.golem.agreements[count:]) == 4


def test_an_outage_breaks_the_agreement(worlds):
    for seed in range(12):
        world = worlds(seed)
        world.advance(START + timedelta(days=20))
        broken = [each for each in world.state.golem.agreements if each.broken]
        for each in broken:
            outage = world.outages.now("compute", each.ended)
            assert outage is not None
            assert outage.begin == each.ended
            assert each.invoiced == outage.end
        if broken:
            return
    raise AssertionError("no agreement was ever broken")
