"""A month's money from estimate to payment: what is held, returned, lost and sent, with its receipts."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orch.earnings.ledger import Ledger
from orch.errors import AbsurdError, ShapeError
from orch.model.money import Amounts
from orch.model.wire import NoReply, Reply
from orch.protocols.base import Context
from orch.protocols.storj import PROTOCOL
from orch.protocols.storj_money import month_state
from orch.protocols.storj_values import StorjOptions

US = "12EayRS2V1kEsWESU9QMRseFhdxYxKicsiFmxrsLZHeLUtdps3S"
EU = "12L9ZFwhzVpuEKMUNUqkaTLGzwY9G24tbiigLiXpmZWKwmcNDDs"
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
RECEIPT = "eth:0xabc0000000000000000000000000000000000000000000000000000000000001"
HISTORY = "history/2024-11/2026-10"


def usd(text):
    return Decimal(text)


class Node:
    """A node's memory and its ledger."""

    def __init__(self, answers):
        self.answers = answers("storj")
        self.memory = PROTOCOL.begin(StorjOptions(url="http://node:14002"), Context(node="disk", host="here"))
        self.ledger = Ledger("here")
        self.sums = defaultdict(Decimal)

    def tell(self, situation, at=NOW):
        key, reply = self.answers(situation, at)
        self.memory = PROTOCOL.absorb(self.memory, key, reply, at)
        return self

    def says(self, key, document, at=NOW):
        headers = (("Content-Type", "application/json"),)
        body = json.dumps(document).encode()
        reply = Reply(status=200, headers=headers, body=body, received_at=at, elapsed_s=0.1)
        self.memory = PROTOCOL.absorb(self.memory, key, reply, at)
        return self

    def streams(self, at=NOW):
        return {(each.stream, each.kind): each for each in PROTOCOL.reading(self.memory, at).accruals}

    def facts(self, at=NOW):
        return dict(PROTOCOL.reading(self.memory, at).facts)

    def findings(self, at=NOW):
        return {each.code: each for each in PROTOCOL.reading(self.memory, at).findings}

    def book(self, at=NOW):
        """Sums of all that was booked so far, by kind and evidence."""
        for entry in self.ledger.book(PROTOCOL.reading(self.memory, at), lambda _: None, at):
            self.sums[entry.kind, entry.evidence] += entry.amount
        return {key: amount for key, amount in self.sums.items() if amount}


@pytest.fixture
def node(answers):
    return Node(answers)


def stub(month, paid, held=0, disposed=0, distributed=None, satellite=US):
    """A statement; amounts in micro-USD."""
    return {
        "satelliteId": satellite,
        "period": month,
        "paid": paid,
        "held": held,
        "disposed": disposed,
        "distributed": paid if distributed is None else distributed,
    }


def payout(receipt, satellite=US):
    return [{"satelliteID": satellite, "receipt": receipt}]


def test_what_a_young_satellite_will_hold_back_is_said_beside_what_was_earned(node):
    found = node.tell("healthy_sno").tell("young_estimate_eu").streams()
    assert found[f"{EU}:2026-11", "earned"].amounts == Amounts(estimated=usd("0.1014"))
    assert found[f"{EU}:2026-11", "held"].amounts == Amounts(estimated=usd("0.07605"))
    assert node.book() == {("earned", "estimated"): usd("0.1014"), ("held", "estimated"): usd("0.07605")}


def test_the_rate_is_told_gross_spendable_and_deferred(node):
    for situation in (
        *("healthy_sno", "healthy_satellite_us", "healthy_satellite_eu", "healthy_satellites"),
        *("pricing_us", "pricing_eu", "healthy_estimate_us", "young_estimate_eu"),
    ):
        node.tell(situation)
    facts = {key: float(value) for key, value in node.facts().items() if key.endswith("_usd_per_hour")}
    gross = facts["gross_usd_per_hour"]
    assert gross == pytest.approx(PROTOCOL.reading(node.memory, NOW).pace.mean, abs=1e-6)
    assert facts["spendable_usd_per_hour"] + facts["deferred_usd_per_hour"] == pytest.approx(gross, abs=2e-6)
    assert 0.2 < facts["deferred_usd_per_hour"] / gross < 0.3  # 75 % of the smaller satellite's


def test_a_month_goes_from_estimating_to_distributed(node):
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    node.tell("healthy_sno", at).tell("healthy_estimate_us", at)
    seen = []

    def now(moment):
        state = month_state(node.memory, US, "2026-11", moment)
        assert f"us1.storj.io {state}" in node.facts(moment).get("month_2026-11", f"us1.storj.io {state}")
        seen.append((state, node.book(moment)))

    now(at)
    node.tell("month_rollover_estimate_us", at + timedelta(days=1))
    now(at + timedelta(days=1))
    now(at + timedelta(days=3))
    node.says("paystubs/2026-11", [stub("2026-11", 5_700_000, distributed=0)], at + timedelta(days=9))
    now(at + timedelta(days=9))
    node.says("paystubs/2026-11", [stub("2026-11", 5_700_000)], at + timedelta(days=12))
    now(at + timedelta(days=12))
    node.says("payouts/2026-11", payout(RECEIPT), at + timedelta(days=12))
    now(at + timedelta(days=12))
    assert [state for state, _ in seen] == [
        "estimating", "estimating", "closed", "final", "distributed", "distributed",
    ]  # fmt: skip
    november = [
        node.streams(at + timedelta(days=12))[f"{US}:2026-11", kind].amounts for kind in ("earned", "paid")
    ]
    assert november == [Amounts(settled=usd("5.7")), Amounts(settled=usd("5.7"))]
    last = seen[-1][1]
    october = usd("5.7009")
    earned = sum(amount for (kind, _), amount in last.items() if kind in {"earned", "correction"})
    assert earned == usd("5.7") + october + node.streams(at)[f"{US}:2026-12", "earned"].amounts.total
    assert last["paid", "settled"] == usd("5.7")
    assert ("paid", "settled") not in seen[-2][1]  # it waits for its receipt


def test_a_payment_is_booked_once_and_with_its_receipt(node):
    node.tell("distributed_paystubs")
    assert (f"{US}:2026-10", "paid") not in node.streams()
    assert "payouts/2026-10" in {endpoint.key for endpoint in PROTOCOL.endpoints(node.memory, NOW)}
    node.says("payouts/2026-10", payout(RECEIPT))
    paid = node.streams()[f"{US}:2026-10", "paid"]
    assert (paid.amounts, paid.reference, paid.final) == (Amounts(settled=usd("3.959896")), RECEIPT, True)
    entries = [
        e for e in node.ledger.book(PROTOCOL.reading(node.memory, NOW), lambda _: None, NOW) if e.kind == "paid"
    ]
    assert [(entry.amount, entry.reference) for entry in entries] == [(usd("3.959896"), RECEIPT)]
    node.tell("distributed_paystubs").says("payouts/2026-10", payout(RECEIPT))
    assert node.ledger.book(PROTOCOL.reading(node.memory, NOW), lambda _: None, NOW) == ()


def test_a_payment_larger_than_what_was_due_is_paid_and_not_earned(node):
    node.says("paystubs/2026-10", [stub("2026-10", 4_000_000, distributed=4_120_000)])
    node.says("payouts/2026-10", payout("zksync-era:0x1"))
    assert node.book() == {("earned", "settled"): usd(4), ("paid", "settled"): usd("4.12")}


def test_payments_whose_receipts_cannot_be_had_are_booked_by_their_statement(node):
    node.says(HISTORY, [stub("2025-02", 1_000_000), stub("2026-05", 2_000_000), stub("2026-10", 3_000_000)])
    asked = {endpoint.key: endpoint for endpoint in PROTOCOL.endpoints(node.memory, NOW)}
    assert {key for key in asked if key.startswith("payouts/")} == {"payouts/2026-05", "payouts/2026-10"}
    assert (asked["payouts/2026-05"].once, asked["payouts/2026-10"].once) == (True, False)
    failure = NoReply(reason="content_type", sentence="HTML", retryable=True, failed_at=NOW, elapsed_s=0.1)
    node.memory = PROTOCOL.failed(node.memory, "payouts/2026-05", failure, NOW)
    paid = {stream: each.reference for (stream, kind), each in node.streams().items() if kind == "paid"}
    assert paid == {f"{US}:2025-02": "paystub 2025-02", f"{US}:2026-05": "paystub 2026-05"}


def test_held_money_that_returns_settles_the_oldest_months_first(node):
    months = [stub("2025-08", 200_000, held=600_000), stub("2025-09", 300_000, held=300_000)]
    node.says(HISTORY, months)
    assert node.streams()[f"{US}:2025-08", "earned"].amounts == Amounts(settled=usd("0.2"), accrued=usd("0.6"))
    node.says(HISTORY, [*months, stub("2026-10", 3_000_000, disposed=450_000)])
    found = node.streams()
    assert found[f"{US}:2025-08", "earned"].amounts == Amounts(settled=usd("0.65"), accrued=usd("0.15"))
    assert found[f"{US}:2025-09", "earned"].amounts == Amounts(settled=usd("0.3"), accrued=usd("0.3"))
    assert found[f"{US}:2026-10", "released"].amounts == Amounts(settled=usd("0.45"))
    sums = node.book()
    assert sums["earned", "settled"] == usd("0.65") + usd("0.3") + usd("2.55")
    assert sums["held", "accrued"] == usd("0.9")
    assert sums["released", "settled"] == usd("0.45")


def test_a_satellite_that_disqualifies_the_node_keeps_what_it_held_back(node):
    held = {"satelliteID": EU, "totalHeld": 900_000, "totalDisposed": 200_000}
    node.tell("healthy_sno")
    node.says(
        HISTORY,
        [
            stub("2026-05", 100_000, held=900_000, satellite=EU),
            stub("2026-08", 500_000, disposed=200_000, satellite=EU),
        ],
    )
    node.says("held", [held])
    before = node.book()
    assert before["earned", "accrued"] == usd("0.7")
    assert node.facts()["held_outstanding_usd"] == "0.700000"
    node.tell("disqualified_sno", NOW + timedelta(minutes=1))
    after = node.book(NOW + timedelta(minutes=1))
    assert sum(after[key] for key in after if key[1] == "accrued" and key[0] in {"earned", "correction"}) == 0
    assert after["earned", "settled"] == before["earned", "settled"]
    assert "(0.70 USD)" in node.findings()["storj_disqualified"].sentence


def test_a_guess_of_what_is_held_ends_with_the_statement(node):
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    node.tell("healthy_sno", at).tell("young_estimate_eu", at)
    assert node.book(at)["held", "estimated"] == usd("0.07605")
    node.says("paystubs/2026-11", [stub("2026-11", 101_400, satellite=EU)], at + timedelta(days=9))
    assert not {kind for kind, _ in node.book(at + timedelta(days=9))} & {"held"}


def test_unread_notifications_of_a_suspension_are_passed_on(node):
    def note(kind, read_at=None):
        return {"type": kind, "title": f"of type {kind}", "readAt": read_at, "createdAt": "2026-11-12T11:31:05.7Z"}

    node.tell("healthy_sno")
    node.says("notifications", {"page": {"notifications": [note(0), note(3, "2026-11-12T12:00:00Z")]}})
    assert "storj_notified" not in node.findings()
    node.says("notifications", {"page": {"notifications": [note(0), note(3), note(1)]}})
    found = node.findings()["storj_notified"]
    assert (found.severity, "of type 3, and 1 more" in found.sentence) == ("warning", True)
    node.says("notifications", {"page": {"notifications": None}})
    assert "storj_notified" not in node.findings()


def test_a_falling_audit_score_is_told_for_a_day_or_until_it_has_risen(node):
    def scored(score, at):
        key, reply = node.answers("healthy_satellite_us", at)
        document = json.loads(reply.body)
        document["audits"]["auditScore"] = score
        return node.says(key, document, at)

    hour = timedelta(hours=1)
    node.tell("healthy_sno")
    assert "storj_audit_falling" not in scored(1.0, NOW).findings()
    assert "storj_audit_falling" not in scored(0.9998, NOW + hour).findings()
    assert "from 0.9998 to 0.9910" in scored(0.991, NOW + 2 * hour).findings()["storj_audit_falling"].sentence
    assert "storj_audit_falling" in scored(0.991, NOW + 3 * hour).findings()
    assert "storj_audit_falling" not in scored(0.9999, NOW + 4 * hour).findings()
    assert "storj_audit_falling" in scored(0.99, NOW + 5 * hour).findings()
    assert "storj_audit_falling" not in scored(0.99, NOW + 30 * hour).findings()


@pytest.mark.parametrize(
    ("key", "document", "error"),
    [
        ("held", {}, ShapeError),
        ("held", [{"satelliteID": US, "totalHeld": -1, "totalDisposed": 0}], AbsurdError),
        ("held", [{"satelliteID": "<b>", "totalHeld": 1, "totalDisposed": 0}], AbsurdError),
        ("held", [{"satelliteID": US, "totalHeld": 1, "totalDisposed": 0}] * 51, AbsurdError),
        ("payouts/2026-10", [{"satelliteID": US}], ShapeError),
        ("payouts/2026-10", [{"satelliteID": "x", "receipt": "eth:1"}], AbsurdError),
        ("notifications", {"page": {}}, ShapeError),
        ("notifications", {"page": {"notifications": [{"type": "3"}]}}, ShapeError),
        ("paystubs/2026-10", [stub("2026-10", 1, held=-5)], AbsurdError),
    ],
)
def test_wrong_papers_are_typed_errors(node, key, document, error):
    with pytest.raises(error, match=f"^{key}"):
        node.says(key, document)
