"""The protocol against a genuine storagenode: what its API says is what orch reads, through a restart as well."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import storagenode_seed as seeding
from storagenode import SATELLITES
from storagenode_seed import Book, Stub

from orch.model.wire import NoReply, Reply
from orch.protocols.base import Context
from orch.protocols.storj import PROTOCOL
from orch.protocols.storj_values import StorjOptions

pytestmark = [pytest.mark.real, pytest.mark.timeout(1700)]  # the first test may have to build the node

OLD, YOUNG, LOST = SATELLITES
PARTS = ("egressBandwidthPayout", "egressRepairAuditPayout", "diskSpacePayout")
BOOKS = (
    Book(OLD, 2_400_000_000_000, 5_900_000_000, 2_600_000_000, 14_000_000, 10_000_000_000, 3_000_000_000),
    Book(YOUNG, 1_100_000_000_000, 3_000_000_000, 1_000_000_000, 5_000_000, months=1, scores=(1.0, 0.99, 0.85)),
    Book(LOST, 500_000_000_000, 1_000_000_000, disqualified=True, scores=(0.95, 1.0, 1.0)),
)
RECEIPT = "eth:0x00000000000000000000000000000000000000000000000000000000000000ab"


def month(back, now):
    year, number = divmod(now.year * 12 + now.month - 1 - back, 12)
    return f"{year:04}-{number + 1:02}"


def stubs(now):
    return (
        Stub(
            OLD, month(2, now), held=0, disposed=2_250_000, paid=6_209_896, distributed=6_209_896, receipt=RECEIPT
        ),
        Stub(OLD, month(1, now), held=0, disposed=0, paid=3_859_896, distributed=0),
        Stub(YOUNG, month(1, now), held=640_000, disposed=0, paid=213_334, distributed=0),
        Stub(LOST, month(2, now), held=900_000, disposed=0, paid=300_000, distributed=300_000),
    )


def ask(node, memory, endpoint, now):
    """What the transport would do, plainly; the memory, and the answer's own document."""
    answer = node.get(endpoint.request.url.removeprefix(f"{node.base_url}/api/"))
    headers = tuple(answer.headers.items())
    if answer.status_code >= 400:
        failure = NoReply(
            reason="http_status",
            sentence=f"status {answer.status_code}",
            retryable=True,
            failed_at=now,
            elapsed_s=0.1,
            status=answer.status_code,
            body=answer.content,
            headers=headers,
        )
        return PROTOCOL.failed(memory, endpoint.key, failure, now), None
    reply = Reply(status=answer.status_code, headers=headers, body=answer.content, received_at=now, elapsed_s=0.1)
    return PROTOCOL.absorb(memory, endpoint.key, reply, now), answer.json()


def ask_everything(node, memory, now):
    """All endpoints, until nothing new is to be asked: the memory, and each answer's document by key."""
    said = {}
    while new := [endpoint for endpoint in PROTOCOL.endpoints(memory, now) if endpoint.key not in said]:
        for endpoint in new:
            memory, said[endpoint.key] = ask(node, memory, endpoint, now)
    return memory, said


def begin(node):
    return PROTOCOL.begin(StorjOptions(url=node.base_url), Context(node="disk", host="here"))


def gross(payout):
    return sum(Decimal(str(payout[part])) for part in PARTS) / 100


@pytest.fixture(scope="module")
def seeded(genuine_storagenode):
    """The node after one stop, in which its satellites' figures were written."""
    node = genuine_storagenode
    assert node.stop() == 0
    now = datetime.now(UTC)
    seeding.write(node.storage, BOOKS, stubs(now), now)
    seeding.notify(node.storage, 3, "Your Node is suspended", now)
    node.start()
    return node


def test_a_fresh_node_is_well_and_earns_nothing_known(genuine_storagenode):
    now = datetime.now(UTC)
    memory, _ = ask_everything(genuine_storagenode, begin(genuine_storagenode), now)
    read = PROTOCOL.reading(memory, now)
    assert read.health == "online", read.health_reason
    assert read.allocation.storage_gb == 20.0
    assert read.used.storage_gb == 0.0
    assert (read.pace, read.accruals) == (None, ())
    assert not [finding for finding in read.findings if finding.severity == "page"]
    assert dict(read.facts)["version"] == "1.162.3"


def test_each_satellites_estimate_is_the_nodes_own_to_the_last_digit(seeded):
    now = datetime.now(UTC)
    memory, said = ask_everything(seeded, begin(seeded), now)
    streams = {(each.stream, each.kind): each for each in PROTOCOL.reading(memory, now).accruals}
    for satellite in (OLD, YOUNG):
        current = said[f"estimate/{satellite}"]["currentMonth"]
        assert gross(current) > 0
        running = streams[f"{satellite}:{month(0, now)}", "earned"]
        assert running.amounts.estimated == gross(current) == running.amounts.total
        held = Decimal(str(current["heldRate"])) / 100 * gross(current)
        accrual = streams.get((f"{satellite}:{month(0, now)}", "held"))
        assert (accrual.amounts.estimated if accrual else Decimal(0)) == held
        assert float(held) * 100 == pytest.approx(current["held"])
    every = seeded.get("sno/estimated-payout").json()["currentMonth"]
    running = [
        each for (stream, kind), each in streams.items() if kind == "earned" and stream.endswith(month(0, now))
    ]
    assert float(sum(each.amounts.estimated for each in running)) == pytest.approx(float(gross(every)), abs=0.001)


def test_statements_and_what_was_sent_are_the_seeded_ones(seeded):
    now = datetime.now(UTC)
    memory, _ = ask_everything(seeded, begin(seeded), now)
    streams = {(each.stream, each.kind): each for each in PROTOCOL.reading(memory, now).accruals}
    sent = streams[f"{OLD}:{month(2, now)}", "earned"]
    assert (sent.amounts.settled, sent.amounts.accrued, sent.final) == (Decimal("3.959896"), 0, True)
    assert streams[f"{OLD}:{month(2, now)}", "released"].amounts.settled == Decimal("2.25")
    paid = streams[f"{OLD}:{month(2, now)}", "paid"]
    assert (paid.amounts.settled, paid.reference) == (Decimal("6.209896"), RECEIPT)
    waiting = streams[f"{OLD}:{month(1, now)}", "earned"]
    assert (waiting.amounts.settled, waiting.amounts.accrued, waiting.final) == (0, Decimal("3.859896"), False)
    assert (f"{OLD}:{month(1, now)}", "paid") not in streams
    assert streams[f"{YOUNG}:{month(1, now)}", "earned"].amounts.total == Decimal("0.853334")
    assert streams[f"{YOUNG}:{month(1, now)}", "held"].amounts.accrued == Decimal("0.64")
    assert streams[f"{LOST}:{month(2, now)}", "earned"].amounts.total == Decimal("0.3")


def own_rate(document, prices):
    """USD per hour of one satellite by its own rows: the newest reported bytes, and egress of whole days."""
    rows = document["storageDaily"]
    reported = [row for row in rows if not row["calculated"]] or rows
    whole = [row["egress"] for row in document["bandwidthDaily"][:-1]]
    cents = [
        day["usage"] * prices["egressBandwidth"] + (day["repair"] + day["audit"]) * prices["auditBandwidth"]
        for day in whole
    ]
    return reported[-1]["atRestTotalBytes"] / 1e12 * prices["diskSpace"] / 100 / 720 + sum(
        cents
    ) / 1e14 / 24 / len(cents)


def test_the_rate_is_what_its_rows_and_prices_make(seeded):
    now = datetime.now(UTC)
    if now.day == 1:
        pytest.skip("on the first of a month a node has no whole day of traffic to make a rate of")
    memory, said = ask_everything(seeded, begin(seeded), now)
    pace = PROTOCOL.reading(memory, now).pace
    each = [own_rate(said[f"satellite/{key}"], said[f"pricing/{key}"]) for key in (OLD, YOUNG)]
    assert min(each) > 0.002
    assert pace.mean == pytest.approx(sum(each), rel=0.01)  # it also counts what came since the report
    assert pace.low <= sum(each) <= pace.high
    facts = dict(PROTOCOL.reading(memory, now).facts)
    assert float(facts["gross_usd_per_hour"]) == pytest.approx(pace.mean, abs=1e-6)
    assert float(facts["deferred_usd_per_hour"]) == pytest.approx(0.75 * each[1], rel=0.01)


def test_health_is_as_its_own_api_says(seeded):
    now = datetime.now(UTC)
    memory, said = ask_everything(seeded, begin(seeded), now)
    read = PROTOCOL.reading(memory, now)
    codes = {finding.code: finding for finding in read.findings}
    assert {each["id"] for each in said["sno"]["satellites"] if each["disqualified"]} == {LOST}
    assert codes["storj_disqualified"].severity == "page"
    assert "0.90 USD" in codes["storj_disqualified"].sentence
    assert said[f"satellite/{YOUNG}"]["audits"]["onlineScore"] == 0.85
    assert "storj_online_score" in codes
    assert "storj_notified" in codes
    assert "storj_no_prices" not in codes
    assert read.health == "degraded"
    assert PROTOCOL.reading(memory, now + timedelta(minutes=16)).health == "unknown"


def test_another_allocation_is_read_after_a_restart_and_the_money_stays(seeded):
    before = datetime.now(UTC)
    memory, _ = ask_everything(seeded, begin(seeded), before)
    was = PROTOCOL.reading(memory, before)
    assert was.allocation.storage_gb == 20.0
    assert seeded.stop() == 0
    refused = NoReply(reason="refused", sentence="nobody listens", retryable=True, failed_at=before, elapsed_s=0.0)
    memory = PROTOCOL.failed(memory, "sno", refused, before)
    assert PROTOCOL.reading(memory, before).allocation == was.allocation
    seeded.configure("storage.allocated-disk-space", "35.50 GB")
    seeded.start()
    now = datetime.now(UTC)
    for endpoint in PROTOCOL.endpoints(memory, now):
        memory, _ = ask(seeded, memory, endpoint, now)
    read = PROTOCOL.reading(memory, now)
    assert read.allocation.storage_gb == 35.5
    assert seeded.get("sno/").json()["diskSpace"]["allocated"] == 35_500_000_000
    assert len(memory.starts) == 2
    assert dict(read.facts)["started_at"] != dict(was.facts)["started_at"]
    old, new = (
        {(each.stream, each.kind): each.amounts.total for each in reading.accruals} for reading in (was, read)
    )
    assert set(old) == set(new)
    assert all(new[key] >= old[key] for key in old)
    assert read.pace.mean == pytest.approx(was.pace.mean, rel=0.01)


def test_below_its_minimum_the_node_refuses_to_start(seeded):
    assert seeded.stop() == 0
    seeded.configure("storage2.monitor.minimum-disk-space", "500GB")
    try:
        with pytest.raises(pytest.fail.Exception, match="disk space requirement not met"):
            seeded.start()
    finally:
        seeded.stop()
        seeded.configure("storage2.monitor.minimum-disk-space", "1GB")
        seeded.start()


def test_answers_to_wrong_questions(seeded):
    for path, status in {
        "sno": 301,
        "sno/satellite/1abc": 400,
        "sno/satellite/1wFTAgs9DP5RSnCqKV1eLf6N9wtk4EAtmN5DpSxcs8EjT69tGE": 404,
        f"sno/estimated-payout?id={LOST}": 500,
        "heldamount/paystubs/2026-13": 200,
        "heldamount/paystubs/2026-13/2027-01": 400,
        "notifications/list": 400,
        "notifications/list?limit=20&page=0": 500,
    }.items():
        assert seeded.get(path).status_code == status, path
    assert json.loads(seeded.get("heldamount/paystubs/2019-01").content) is None
