"""The emulated yagna's answers held against a genuine one's, key by key: names, types, nullness and units."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import requests
import yagna_seed
from yagna_seed import Deal

from orch.emulator.answers import answer
from orch.emulator.asks import Ask
from orch.emulator.facts import APP_KEY
from orch.emulator.world import World

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

NOW = datetime.now(UTC).replace(microsecond=0)
SETTLED = Deal(
    "shape settled",
    "0.1",
    "0.1",
    "0.1",
    NOW - timedelta(hours=9),
    "SETTLED",
    NOW - timedelta(hours=8, seconds=0.5),
)
REJECTED = Deal(
    "shape rejected",
    "0.2",
    "0.1",
    "0",
    NOW - timedelta(hours=7),
    "REJECTED",
    NOW - timedelta(hours=6, seconds=0.5),
)
RUNNING = Deal("shape running", "0.03", "0.02", "0", NOW - timedelta(hours=1))

UNITS = (
    ("decimal", re.compile(r"\d+(\.\d+)?")),
    ("agreement id", re.compile(r"[0-9a-f]{64}")),
    ("activity id", re.compile(r"[0-9a-f]{32}")),
    ("subscription id", re.compile(r"[0-9a-f]{32}-[0-9a-f]{64}")),
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")),
    ("node id", re.compile(r"0x[0-9a-f]{40}")),
    ("hash in base64", re.compile(r"[0-9A-Za-z+/]{43}=")),
    ("time Z", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")),
    ("time +00:00", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")),
    ("time without a zone", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")),
)

ELSEWHERE = {
    "appSessionId": "the requestor's library names its session; nobody did here",
    "publicIp": "without a network there is none",
}
"""Keys whose values may differ in kind, and why."""


def unit(value: object) -> str:
    """The kind of a value: its type, and of texts and large integers what they stand for."""
    if isinstance(value, str):
        return next((name for name, pattern in UNITS if pattern.fullmatch(value)), "text")
    if isinstance(value, int) and not isinstance(value, bool) and 1e9 < value < 1e10:
        return "unix seconds"
    return "null" if value is None else type(value).__name__


def units(value: object, path: str = "") -> dict[str, set[str]]:
    """The kinds of everything in an answer, by path; the rows of a list share theirs."""
    found: dict[str, set[str]] = {path: {unit(value)}}
    parts: list[tuple[str, object]] = []
    if isinstance(value, dict):
        parts = [(f"{path}.{name}", each) for name, each in value.items()]
    elif isinstance(value, list):
        parts = [(f"{path}[]", each) for each in value]
    for where, each in parts:
        for name, kinds in units(each, where).items():
            found.setdefault(name, set()).update(kinds)
    return found


@pytest.fixture(scope="module")
def genuine(genuine_yagna):
    yagna, database = genuine_yagna, genuine_yagna.data_dir / "payment.db"
    yagna.seed((SETTLED, REJECTED, RUNNING))
    yagna_seed.run(yagna.data_dir, yagna.identity, RUNNING, threads=3)
    yagna_seed.tell(database, yagna.identity, SETTLED, "ACCEPTED", NOW - timedelta(hours=7))
    yagna_seed.tell(database, yagna.identity, SETTLED, "SETTLED", NOW - timedelta(hours=5))
    why = {"rejectionReason": "BAD_SERVICE", "totalAmountAccepted": "0", "message": "work not usable"}
    yagna_seed.tell(database, yagna.identity, REJECTED, "REJECTED", NOW - timedelta(hours=5), why)
    yagna.command("payment", "init", "--receiver", "--network", "polygon", "--driver", "erc20")
    agreed = yagna.get(f"/market-api/v1/agreements/{RUNNING.agreement_id}").json()
    offer = {"properties": agreed["offer"]["properties"], "constraints": "(golem.node.debug.subnet=public)"}
    headers = {"Authorization": f"Bearer {yagna.app_key}"}
    posted = requests.post(f"{yagna.base_url}/market-api/v1/offers", headers=headers, json=offer, timeout=20)
    assert posted.status_code == 201
    return yagna


@pytest.fixture(scope="module")
def world():
    """An emulated node with an agreement that has run for some minutes."""
    world = World(3, datetime(2026, 11, 2, tzinfo=UTC))
    while (current := world.golem.running(world.state.golem)) is None or world.state.minute < current.signed + 9:
        world.advance(world.time + timedelta(minutes=1))
    return world


class Emulated:
    """The world's yagna, with the names of its own agreements and documents."""

    def __init__(self, world):
        self.world = world
        agreements = world.state.golem.agreements
        settled = next(each for each in reversed(agreements) if each.status_at(world.state.minute) == "SETTLED")
        self.names = {
            "settled": settled.id,
            "running": agreements[-1].id,
            "activity": agreements[-1].id[32:],
            "done": settled.id[32:],
        }
        self.names["invoice"] = self.one("/payment-api/v1/invoices", agreementId=settled.id)["invoiceId"]
        self.names["note"] = self.one("/payment-api/v1/debitNotes", agreementId=settled.id)["debitNoteId"]

    def one(self, path, **wanted):
        rows = json.loads(self.get(path)[2])
        return next(row for row in rows if wanted.items() <= row.items())

    def get(self, path):
        where, _, query = path.format(**getattr(self, "names", {})).partition("?")
        key = (("Authorization", f"Bearer {APP_KEY}"),)
        said = answer(self.world, Ask(service="golem", path=where, query=query, headers=key), self.world.time)
        return said.status, dict(said.headers).get("Content-Type"), said.body


class Genuine:
    """The daemon, with the names of what was seeded."""

    def __init__(self, yagna):
        self.yagna = yagna
        self.names = {
            "settled": SETTLED.agreement_id,
            "running": RUNNING.agreement_id,
            "activity": RUNNING.activity_id,
            "done": SETTLED.activity_id,
        }
        invoices = yagna.get("/payment-api/v1/invoices").json()
        notes = yagna.get("/payment-api/v1/debitNotes").json()
        self.names["invoice"] = next(r["invoiceId"] for r in invoices if r["agreementId"] == SETTLED.agreement_id)
        self.names["note"] = next(r["debitNoteId"] for r in notes if r["agreementId"] == SETTLED.agreement_id)

    def get(self, path):
        said = self.yagna.get(path.format(**self.names))
        return said.status_code, said.headers.get("Content-Type"), said.content


@pytest.fixture(scope="module")
def both(genuine, world):
    return Genuine(genuine), Emulated(world)


PAYMENT, MARKET, ACTIVITY = "/payment-api/v1", "/market-api/v1", "/activity-api/v1"
ANSWERS = (
    *("/me", "/version/get", "/net-api/v2/net/status"),
    *(f"{PAYMENT}/payAgreements", f"{PAYMENT}/payAgreements/{{settled}}", f"{PAYMENT}/payAgreements/{'0' * 64}"),
    *(f"{PAYMENT}/payAgreements/{{settled}}/activities", f"{PAYMENT}/payActivities"),
    *(f"{PAYMENT}/payActivities/{{done}}", f"{PAYMENT}/payActivities/{'0' * 32}"),
    f"{PAYMENT}/payActivities/{{done}}/debitNotes",
    *(f"{PAYMENT}/invoices", f"{PAYMENT}/invoices/{{invoice}}", f"{PAYMENT}/invoices/{{invoice}}/payments"),
    *(f"{PAYMENT}/debitNotes", f"{PAYMENT}/debitNotes/{{note}}"),
    *(f"{PAYMENT}/payments?timeout=0", f"{PAYMENT}/payments/status", f"{PAYMENT}/payments/status?driver=erc20"),
    *(f"{PAYMENT}/invoiceEvents?timeout=0&maxEvents=1000", f"{PAYMENT}/debitNoteEvents?timeout=0"),
    *(f"{PAYMENT}/providerAccounts", f"{PAYMENT}/allocations", f"{PAYMENT}/batchCycles"),
    *(f"{MARKET}/offers", f"{MARKET}/agreements?state=Approved", f"{MARKET}/agreements/{{running}}"),
    *(f"{ACTIVITY}/activity?agreementId={{running}}", f"{ACTIVITY}/activity/{{activity}}/state"),
    *(f"{ACTIVITY}/activity/{{activity}}/usage", f"{ACTIVITY}/activity/{{activity}}/agreement"),
)
REFUSALS = (
    *(f"{PAYMENT}/invoices/nobody", f"{PAYMENT}/debitNotes/nobody", f"{PAYMENT}/payments/status?driver=zksync"),
    *(f"{PAYMENT}/invoices?afterTimestamp=2026-11-01", f"{MARKET}/agreements?state=approved"),
    *(f"{MARKET}/agreements/{'0' * 64}", f"{ACTIVITY}/activity?agreementId={'0' * 64}"),
    *(f"{ACTIVITY}/activity/{'0' * 32}/state", f"{ACTIVITY}/activity/{'0' * 32}/usage", "/nowhere"),
)


def differences(genuine: object, emulated: object) -> dict[str, tuple[set[str], set[str]]]:
    """By path the kinds in the genuine and in the emulated answer, where the latter are not among the former."""
    real, made = units(genuine), units(emulated)
    return {
        path: (real.get(path, set()), made.get(path, set()))
        for path in {**real, **made}
        if path.rpartition(".")[2] not in ELSEWHERE and not made.get(path, {"absent"}) <= real.get(path, set())
    }


@pytest.mark.parametrize("path", ANSWERS)
def test_an_emulated_answer_has_the_shape_of_the_genuine_one(both, path):
    genuine, emulated = (each.get(path) for each in both)
    assert emulated[:2] == genuine[:2] == (200, "application/json")
    assert differences(json.loads(genuine[2]), json.loads(emulated[2])) == {}


@pytest.mark.parametrize("path", REFUSALS)
def test_an_emulated_refusal_is_the_genuine_one(both, path):
    genuine, emulated = (each.get(path) for each in both)
    assert emulated[:2] == genuine[:2]
    assert emulated[2] == genuine[2]


def test_refused_keys_are_answered_alike(both):
    _, emulated = both
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        said = requests.get(f"{both[0].yagna.base_url}/me", headers=headers, timeout=20)
        made = answer(emulated.world, Ask(service="golem", path="/me", headers=tuple(headers.items())), NOW)
        assert (made.status, made.body) == (said.status_code, said.content)
        assert dict(made.headers)["Content-Type"] == said.headers["Content-Type"]


def test_the_live_feed_has_the_same_envelope(both):
    """The daemon's feed knows only activities that it started itself, so that it is empty here."""
    genuine = both[0].yagna.first_message(f"{ACTIVITY}/_monitor")
    _, kind, emulated = both[1].get(f"{ACTIVITY}/_monitor")
    assert kind == "text/event-stream"
    pattern = re.compile(rb"data: (\{.*\})\r\n\r\n")
    real, made = (json.loads(pattern.fullmatch(each)[1]) for each in (genuine, emulated))
    assert list(real) == list(made) == ["ts", "activities"]
    assert unit(real["ts"]) == unit(made["ts"])
    assert made["activities"]


SAMPLE = re.compile(r"(# TYPE \S+ counter|[a-z0-9_]+(\{[^}]*\})? \d+|# metrics snapshot .*|)")


def test_emulated_counters_are_named_as_the_genuine_ones(both):
    path = "/metrics-api/v1/filtered/market_proposals_provider,market_agreements_provider,web3_rpc"
    genuine, emulated = (each.get(path) for each in both)
    assert emulated[:2] == genuine[:2]
    texts = [each[2].decode() for each in (genuine, emulated)]
    assert all(SAMPLE.fullmatch(line) for text in texts for line in text.splitlines())
    real, made = ({line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} for text in texts)
    assert made <= real
    labels = [set(re.findall(r'(\w+)="', text)) for text in texts]
    assert labels[1] <= labels[0]
