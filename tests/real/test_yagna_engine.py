"""A whole engine on a genuine yagna: its ledger equals the daemon's own totals to the last decimal."""

from __future__ import annotations

import base64
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
import yagna_seed
from yagna_seed import LOST, Deal

import orch.boot.engine
import orch.boot.start
from orch.boot import real_engine
from orch.config.load import from_tables
from orch.model.board import Dashboard
from orch.store.shelf import Shelf
from orch.system.clock import ScaledClock

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

SPEED = 60.0
"""Of the engine's clock only, so that it asks again within seconds; deadlines are real."""
PATIENCE_S = 40.0
PRICE = Decimal("0.21")
NOW = datetime.now(UTC)
BOOKED = """
SELECT stream, evidence, sum(amount), sum(usd), count(*) FILTER (WHERE usd IS NULL)
FROM ledger WHERE unit = 'GLM' AND kind IN ('earned', 'correction') GROUP BY ALL
"""

PAID = "SELECT reference, sum(amount) FROM ledger WHERE unit = 'GLM' AND kind = 'paid' GROUP BY ALL"


def ago(hours):
    return NOW - timedelta(hours=hours)


BEFORE = (
    Deal("engine paid", "0.017361111111111113", "0.017361111111111113", "0.017361111111111113", ago(50)),
    Deal("engine part", "0.3", "0.2", "0.033333333333333334", ago(20), "ACCEPTED", ago(18.5)),
    Deal("engine lost", "0.07", "0.05", "0.02", ago(15), "REJECTED", ago(14)),
    Deal("engine wei", "0.000000000000000001", "0", "0", ago(0.4)),
    Deal("engine large", "98765432.123456789012345678", "98765432.123456789012345678", "0", ago(0.3)),
    Deal("engine bought", "5", "5", "5", ago(3), "SETTLED", ago(2), role="R"),
)
LATER = (
    Deal("engine later", "1.000000000000000007", "0.500000000000000003", "0.1", ago(0.2)),
    Deal("engine later paid", "2.5", "2.5", "2.5", ago(2), "SETTLED", ago(1)),
)


def stated(yagna):
    """By agreement what the daemon itself says is settled, accrued and estimated, in GLM."""
    statuses = defaultdict(set)
    for invoice in yagna.get("/payment-api/v1/invoices?maxItems=1000").json():
        statuses[invoice["agreementId"]].add(invoice["status"])
    lost = {agreement for agreement, found in statuses.items() if found <= set(LOST)}
    found = {}
    for row in yagna.get("/payment-api/v1/payAgreements?maxItems=1000").json():
        if row["role"] != "P" or not row["paymentPlatform"].endswith("-glm"):
            continue
        due, accepted, paid = (Decimal(row[f"totalAmount{name}"]) for name in ("Due", "Accepted", "Paid"))
        if row["id"] in lost:
            due = accepted = paid
        found[row["id"]] = {"settled": paid, "accrued": accepted - paid, "estimated": due - accepted}
    return {
        (agreement, evidence): amount
        for agreement, amounts in found.items()
        for evidence, amount in amounts.items()
        if amount
    }


class House:
    """An engine on the daemon, with its open database within reach."""

    def __init__(self, engine, shelves):
        self.engine = engine
        self._shelves = shelves

    def booked(self):
        """By agreement and evidence what the ledger says, in GLM; and the USD of it all."""
        with self._shelves[-1].reader() as connection:
            rows = connection.execute(BOOKED).fetchall()
        amounts, usd = {}, defaultdict(Decimal)
        for stream, evidence, amount, worth, unpriced in rows:
            # A move to better evidence before a price is known leaves entries without one that cancel out.
            assert worth is not None or not amount, unpriced
            if amount:
                amounts[stream, evidence] = amount
                usd[evidence] += worth
        return amounts, usd

    def payouts(self):
        """By transaction what the ledger says was paid out, in GLM."""
        with self._shelves[-1].reader() as connection:
            return dict(connection.execute(PAID).fetchall())

    def await_totals(self, expected):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            amounts, usd = self.booked()
            if amounts == expected:
                return usd
            time.sleep(0.1)
        assert amounts == expected
        return usd

    def board(self):
        return msgspec.json.decode(self.engine.board(), type=Dashboard)


@pytest.fixture
def house(genuine_yagna, tmp_path, monkeypatch):
    shelves = []

    class Caught(Shelf):
        def __init__(self):
            super().__init__()
            shelves.append(self)

    monkeypatch.setattr(orch.boot.engine, "Shelf", Caught)
    monkeypatch.setattr(orch.boot.start, "RealClock", lambda: ScaledClock(SPEED, datetime.now(UTC)))
    tables = {
        "orch": {"data_dir": str(tmp_path)},
        "prices": {"override": {"GLM": float(PRICE)}},
        "nodes": {
            "compute": {
                "protocol": "golem",
                "url": genuine_yagna.base_url,
                "app_key": {"env": "KEY"},
                "provider_dir": str(tmp_path / "nobody"),
            }
        },
    }
    engine = real_engine(from_tables(tables, {"KEY": genuine_yagna.app_key}, tmp_path), web=False)
    if not genuine_yagna.seeded:
        genuine_yagna.seed(BEFORE)
    engine.start()
    yield House(engine, shelves)
    engine.stop()


def test_the_ledger_equals_the_daemon_at_first_and_whatever_comes_later(house, genuine_yagna):
    usd = house.await_totals(stated(genuine_yagna))
    assert house.engine.kind == "real"
    check_usd(house, usd)

    genuine_yagna.seed(LATER)
    house.await_totals(stated(genuine_yagna))
    part = next(deal for deal in genuine_yagna.seeded if deal.name == "engine part")
    genuine_yagna.change(part, status="SETTLED", accepted=part.due, paid=part.due)
    usd = house.await_totals(stated(genuine_yagna))
    check_usd(house, usd)

    (node,) = house.board().nodes
    assert not node.emulated
    assert node.health == "offline"
    assert "no relay session" in node.health_reason
    assert node.last_seen_at is not None
    house.engine.stop()
    assert house.engine.late == ()


WALKING = (
    Deal("walk settled", "0.700000000000000007", "0.3", "0", ago(1), "ISSUED", ago(0.5)),
    Deal("walk rejected", "0.6", "0.4", "0.000000000000000002", ago(1), "RECEIVED", ago(0.5)),
    Deal("walk failed", "0.5", "0.2", "0", ago(1), "ISSUED", ago(0.5)),
    Deal("walk cancelled", "0.400000000000000001", "0.2", "0", ago(1), "ISSUED", ago(0.5)),
)


def test_totals_are_the_daemons_through_every_state_and_a_restart(house, genuine_yagna):
    """Each step is one that a daemon makes; in the middle it goes away, and more happens meanwhile."""
    yagna, database = genuine_yagna, genuine_yagna.data_dir / "payment.db"
    yagna.seed(WALKING)
    house.await_totals(stated(yagna))
    settled, rejected, failed, cancelled = WALKING

    settled = yagna.change(settled, status="RECEIVED")
    rejected = yagna.change(rejected, status="REJECTED")
    why = {"rejectionReason": "BAD_SERVICE", "totalAmountAccepted": "0", "message": "nothing came of it"}
    yagna_seed.tell(database, yagna.identity, rejected, "REJECTED", NOW, why)
    house.await_totals(stated(yagna))

    settled = yagna.change(settled, status="ACCEPTED", accepted=settled.due, paid="0.1")
    yagna_seed.pay(database, yagna.identity, settled, "0.1", 1, ago(-1))
    yagna.change(cancelled, status="CANCELLED")
    house.await_totals(stated(yagna))

    yagna.stop()
    settled = yagna.change(settled, paid="0.500000000000000003")
    yagna_seed.pay(database, yagna.identity, settled, "0.400000000000000003", 2, ago(-1.5))
    yagna.change(failed, status="FAILED")
    yagna_seed.invoice_again(database, yagna.identity, cancelled, NOW)
    yagna.start()
    house.await_totals(stated(yagna))

    yagna.change(settled, status="SETTLED", paid=settled.due)
    yagna_seed.pay(database, yagna.identity, settled, "0.200000000000000004", 3, ago(-2))
    house.await_totals(stated(yagna))
    await_payouts(house, yagna)
    house.engine.stop()
    assert house.engine.late == ()


def await_payouts(house, yagna):
    """What was paid out is what the daemon saw on chain, by transaction, and is no income."""
    stated = {
        f"0x{base64.b64decode(row['details']).hex()}": Decimal(row["amount"])
        for row in yagna.get("/payment-api/v1/payments?timeout=0&maxEvents=1000").json()
        if row["payeeId"] == yagna.identity and row["paymentPlatform"].endswith("-glm")
    }
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and house.payouts() != stated:
        time.sleep(0.1)
    assert house.payouts() == stated


def check_usd(house, usd):
    """Each unit is counted once at the pinned price, and the board says what the ledger does."""
    amounts, _ = house.booked()
    for evidence in ("settled", "accrued", "estimated"):
        whole = sum(amount for (_, kind), amount in amounts.items() if kind == evidence)
        assert abs(usd[evidence] - whole * PRICE) < Decimal("1e-15")
    seen = 0
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        seen = house.engine.await_board(seen, 1.0)
        earned = house.board().total.earned_usd
        if all(getattr(earned, evidence) == amount for evidence, amount in usd.items()):
            return
    raise AssertionError(earned)
