"""The emulated storage node against the genuine one: the same keys, types and nulls, and the same units."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import storagenode_seed as seeding
from storagenode import SATELLITES
from storagenode_seed import Book, Stub

from orch.emulator.answers import answer
from orch.emulator.asks import Ask
from orch.emulator.storj import SATELLITES as EMULATED
from orch.emulator.world import World

pytestmark = [pytest.mark.real, pytest.mark.timeout(1700)]  # the first test may have to build the node

NOW = datetime.now(UTC)
STRANGER = "1wFTAgs9DP5RSnCqKV1eLf6N9wtk4EAtmN5DpSxcs8EjT69tGE"
OLD, YOUNG = SATELLITES[:2]

FRACTIONS = (
    *("atRestTotal", "atRestTotalBytes", "intervalInHours", "storageSummary", "averageUsageBytes"),
    *("auditScore", "suspensionScore", "onlineScore", "score", "usageAtRest", "heldPercent"),
    *("egressBandwidthPayout", "egressRepairAuditPayout", "diskSpacePayout", "heldRate", "payout", "held"),
)
"""Keys of fractions in the node's own source; `held` of a statement and `diskSpace` of an estimate differ."""


def month(back):
    year, number = divmod(NOW.year * 12 + NOW.month - 1 - back, 12)
    return f"{year:04}-{number + 1:02}"


QUESTIONS = {
    "dashboard": "sno/",
    "satellites": "sno/satellites",
    "satellite old": f"sno/satellite/{OLD}",
    "satellite young": f"sno/satellite/{YOUNG}",
    "pricing": f"sno/satellites/{OLD}/pricing",
    "pricing of a stranger": f"sno/satellites/{STRANGER}/pricing",
    "estimate": "sno/estimated-payout",
    "estimate old": f"sno/estimated-payout?id={OLD}",
    "estimate young": f"sno/estimated-payout?id={YOUNG}",
    "estimate of a stranger": f"sno/estimated-payout?id={STRANGER}",
    "paystubs": f"heldamount/paystubs/{month(2)}",
    "paystubs of one": f"heldamount/paystubs/{month(2)}?id={OLD}",
    "paystubs of a month without": "heldamount/paystubs/2019-01",
    "paystub of one without": f"heldamount/paystubs/2019-01?id={OLD}",
    "paystubs of no month": "heldamount/paystubs/2026-13",
    "paystubs of months": f"heldamount/paystubs/{month(3)}/{month(1)}",
    "paystubs of months without": "heldamount/paystubs/2018-01/2018-03",
    "paystubs of no months": "heldamount/paystubs/2026-13/2027-01",
    "paystubs of months turned round": "heldamount/paystubs/2026-01/2025-01",
    "payouts": f"heldamount/payout-history/{month(2)}",
    "payouts of a month without": "heldamount/payout-history/2018-01",
    "payouts of no month": "heldamount/payout-history/what",
    "held": "heldamount/held-history",
    "periods": "heldamount/periods",
    "periods of one": f"heldamount/periods?id={YOUNG}",
    "notifications": "notifications/list?limit=20&page=1",
    "notifications, no page": "notifications/list?limit=20&page=0",
    "notifications, nothing said": "notifications/list",
    "a satellite that is none": "sno/satellite/1abc",
    "an untrusted satellite": f"sno/satellite/{STRANGER}",
    "pricing of none": "sno/satellites/1abc/pricing",
    "estimate of none": "sno/estimated-payout?id=1abc",
    "paystubs of none": "heldamount/paystubs/2026-01?id=1abc",
    "without the last slash": "sno",
}


class Genuine:
    """Answers of the genuine node."""

    def __init__(self, node):
        self.node = node

    def ask(self, question):
        reply = self.node.get(question)
        return reply.status_code, reply.headers["Content-Type"], reply.content


class Emulated:
    """Answers of the emulated one, which has had its months since long ago."""

    def __init__(self):
        self.world = World(5, NOW)

    def ask(self, question):
        path, _, query = question.partition("?")
        response = answer(self.world, Ask(service="storj", path=f"/api/{path}", query=query), self.world.time)
        return response.status, dict(response.headers)["Content-Type"], response.body


@pytest.fixture(scope="module")
def genuine(genuine_storagenode):
    node = genuine_storagenode
    assert node.stop() == 0
    books = (
        Book(OLD, 1_800_000_000_000, 5_900_000_000, 2_600_000_000, 14_000_000, 10_000_000_000, 3_000_000_000),
        Book(YOUNG, 1_100_000_000_001, 3_000_000_000, 1_000_000_000, 5_000_000, 4_000_000_000, months=7),
    )
    held = {
        (YOUNG, 1): 780_864,
        (YOUNG, 2): 1_561_728,
        (YOUNG, 3): 1_561_728,
    }  # 25 % of the 7th month, 50 % before
    stubs = tuple(
        Stub(
            each,
            month(back),
            held.get((each, back), 0),
            0,
            3_123_456 - held.get((each, back), 0),
            3_123_456 - held.get((each, back), 0),
            f"eth:0x{back:064x}",
        )
        for back in (1, 2, 3)
        for each in (OLD, YOUNG)
    )
    seeding.write(node.storage, books, stubs, NOW)
    node.start()
    return Genuine(node)


@pytest.fixture(scope="module")
def emulated():
    assert [each for each, _ in EMULATED] == [OLD, YOUNG]
    return Emulated()


def kind(key, value, path):
    """The JSON type of a value; a number of bytes or money is whole or a fraction by what it means."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value).__name__
    whole = key not in FRACTIONS or (key == "held" and "heldamount" in path)
    if key == "diskSpace":
        whole = "estimate" not in path
    if not whole:
        return "number"
    return "whole" if isinstance(value, int) else "fraction"


def shape(document, path, key=""):
    """Every place of a document with the types found there; places in a list are one."""
    found = {}
    if isinstance(document, dict):
        found[path] = {"object"}
        for name, value in document.items():
            found |= {
                place: kinds | found.get(place, set())
                for place, kinds in shape(value, f"{path}.{name}", name).items()
            }
    elif isinstance(document, list):
        found[path] = {"list"}
        for value in document:
            for place, kinds in shape(value, f"{path}[]", key).items():
                found[place] = found.get(place, set()) | kinds
    else:
        found[path] = {kind(key, document, path)}
    return found


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_have_the_same_status_keys_and_types(genuine, emulated, name):
    real_status, real_type, real = genuine.ask(QUESTIONS[name])
    status, content_type, body = emulated.ask(QUESTIONS[name])
    assert (status, content_type.lower()) == (real_status, real_type.lower())
    if not real_type.startswith("application/json"):
        return
    real_shape = shape(json.loads(real), QUESTIONS[name].partition("?")[0])
    own_shape = shape(json.loads(body), QUESTIONS[name].partition("?")[0])
    assert set(own_shape) == set(real_shape)
    for place, kinds in own_shape.items():
        assert kinds <= real_shape[place] | {"NoneType" if place.endswith((".receipt", ".readAt")) else "never"}, (
            place
        )


@pytest.mark.parametrize("name", QUESTIONS)
def test_errors_speak_as_the_node_does(genuine, emulated, name):
    status, _, real = genuine.ask(QUESTIONS[name])
    if status < 400:
        return
    _, _, body = emulated.ask(QUESTIONS[name])
    assert json.loads(body) == json.loads(real)


def close(found, wanted, within=1e-9):
    assert found == pytest.approx(wanted, rel=within, abs=1e-6)


def units(ask):
    """What must hold in any answers of a node, whoever gives them: bytes, byte-hours, cents, micro-USD."""

    def body(name):
        return json.loads(ask(QUESTIONS[name])[2])

    each = [body("satellite old"), body("satellite young")]
    every = body("satellites")
    for one in each:
        close(one["storageSummary"], sum(row["atRestTotal"] for row in one["storageDaily"]))
        for row in one["storageDaily"]:
            if not row["calculated"]:
                close(row["atRestTotal"], row["atRestTotalBytes"] * row["intervalInHours"])
            assert not row["calculated"] or row["atRestTotal"] == 0
        traffic = one["bandwidthDaily"]
        close(one["egressSummary"], sum(sum(row["egress"].values()) for row in traffic))
        close(one["ingressSummary"], sum(sum(row["ingress"].values()) for row in traffic))
        deleted = sum(row["delete"] for row in traffic)
        close(one["bandwidthSummary"], one["egressSummary"] + one["ingressSummary"] + deleted)
        mean = sum(row["atRestTotalBytes"] for row in one["storageDaily"]) / len(one["storageDaily"])
        close(one["averageUsageBytes"], mean)
    for key in ("storageSummary", "bandwidthSummary", "egressSummary", "ingressSummary"):
        close(every[key], sum(one[key] for one in each))
    close(body("dashboard")["bandwidth"]["used"], every["bandwidthSummary"])
    assert every["earliestJoinedAt"] == min(one["nodeJoinedAt"] for one in each)

    prices = body("pricing")
    estimates = [body("estimate old"), body("estimate young")]
    for one, estimate in zip(each, estimates, strict=True):
        now = estimate["currentMonth"]
        egress = [row["egress"] for row in one["bandwidthDaily"]]
        assert now["egressBandwidth"] == sum(row["usage"] for row in egress)
        assert now["egressRepairAudit"] == sum(row["repair"] + row["audit"] for row in egress)
        hours = sum(
            row["atRestTotalBytes"] * (24 if not row["calculated"] else row["intervalInHours"])
            for row in one["storageDaily"]
        )
        close(now["diskSpace"] * 720, hours, within=2e-3)
        for payout, amount, price in (
            ("egressBandwidthPayout", now["egressBandwidth"], prices["egressBandwidth"]),
            ("egressRepairAuditPayout", now["egressRepairAudit"], prices["auditBandwidth"]),
            ("diskSpacePayout", now["diskSpace"], prices["diskSpace"]),
        ):
            assert now[payout] == pytest.approx(amount * price / 1e12, abs=0.0051)
        gross = now["egressBandwidthPayout"] + now["egressRepairAuditPayout"] + now["diskSpacePayout"]
        close(now["held"], gross * now["heldRate"] / 100)
        assert now["payout"] == pytest.approx(gross - now["held"], abs=0.0051)
    total = body("estimate")
    assert total["currentMonth"]["heldRate"] == 0
    close(total["currentMonth"]["payout"], sum(one["currentMonth"]["payout"] for one in estimates))
    assert total["currentMonthExpectations"] == sum(one["currentMonthExpectations"] for one in estimates)

    history = {row["satelliteID"]: row for row in body("held")}
    for stub in body("paystubs of months"):
        parts = ("compAtRest", "compGet", "compPut", "compGetRepair", "compPutRepair", "compGetAudit")
        gross = stub["paid"] + stub["held"] - stub["disposed"]
        assert sum(stub[part] for part in parts) == gross
        assert 0 < gross < 100_000_000
        assert history[stub["satelliteId"]]["totalHeld"] >= stub["held"]
    for row in body("payouts"):
        assert row["afterHeld"] == row["surge"] - row["held"]
        close(row["heldPercent"], 100 * row["held"] / row["earned"], within=1e-4)
        assert row["receipt"].startswith("eth:0x")


@pytest.mark.parametrize("whose", ["genuine", "emulated"])
def test_figures_are_in_the_same_units(request, whose):
    units(request.getfixturevalue(whose).ask)
