"""The protocol against a genuine yagna: its totals are the seeded ones to the last decimal."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import requests
import yagna_seed
from yagna_asking import ask_everything, begin
from yagna_seed import Deal

from orch.model.wire import Reply
from orch.protocols.golem import PROTOCOL

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


DEALS = (
    Deal(
        "settled",
        "0.017361111111111112",
        "0.017361111111111112",
        "0.017361111111111112",
        ago(50),
        "SETTLED",
        ago(49),
    ),
    Deal("accepted", "0.1", "0.1", "0.033333333333333333", ago(20), "ACCEPTED", ago(18.5)),
    Deal("rejected", "0.07", "0.05", "0.02", ago(15), "REJECTED", ago(14)),
    Deal("issued", "0.040000000000000001", "0.039999999999999999", "0", ago(10), "ISSUED", ago(9)),
    Deal("running", "0.002", "0.0015", "0", ago(0.5)),
    Deal("one wei", "0.000000000000000001", "0", "0", ago(0.4)),
    Deal("large", "123456789.123456789012345678", "123456789.123456789012345678", "0", ago(0.3)),
    Deal("bought", "5", "5", "5", ago(3), "SETTLED", ago(2), role="R"),
    Deal("testnet", "7", "7", "7", ago(2), "SETTLED", ago(1), platform="erc20-hoodi-tglm"),
)


@pytest.fixture(scope="module")
def seeded(genuine_yagna):
    genuine_yagna.seed(DEALS)
    return genuine_yagna


def sums(reading):
    mine = [each for each in reading.accruals if each.unit == "GLM" and each.kind == "earned"]
    return tuple(
        sum((getattr(accrual.amounts, evidence) for accrual in mine), Decimal(0))
        for evidence in ("settled", "accrued", "estimated")
    )


def test_totals_are_the_seeded_ones_to_the_last_decimal(seeded):
    reading = PROTOCOL.reading(ask_everything(begin(seeded), NOW), NOW)
    expected = seeded.expected()
    settled, accrued, estimated = sums(reading)
    rejected = next(deal for deal in DEALS if deal.status == "REJECTED")
    assert settled == expected.paid
    assert settled + accrued == expected.accepted - (Decimal(rejected.accepted) - Decimal(rejected.paid))
    assert settled + accrued + estimated == expected.due - expected.written_off


def test_each_agreement_is_stated_as_it_was_seeded(seeded):
    reading = PROTOCOL.reading(ask_everything(begin(seeded), NOW), NOW)
    stated = {accrual.stream: accrual for accrual in reading.accruals if accrual.kind == "earned"}
    mine = [deal for deal in DEALS if deal.role == "P"]
    assert set(stated) == {deal.agreement_id for deal in mine}
    for deal in mine:
        accrual = stated[deal.agreement_id]
        assert accrual.period_start == deal.created_at
        assert accrual.period_end == deal.invoiced_at
        assert accrual.final is (deal.status in ("SETTLED", "REJECTED"))


def test_money_that_comes_later_is_seen(seeded):
    memory = ask_everything(begin(seeded), NOW)
    issued = next(deal for deal in seeded.seeded if deal.name == "issued")
    changed = seeded.change(issued, status="SETTLED", accepted=issued.due, paid=issued.due)
    try:
        memory = ask_everything(memory, NOW)
        accrual = next(
            each for each in PROTOCOL.reading(memory, NOW).accruals if each.stream == issued.agreement_id
        )
        assert accrual.amounts.settled == Decimal(issued.due)
        assert accrual.final
    finally:
        seeded.change(changed, status=issued.status, accepted=issued.accepted, paid=issued.paid)


def test_a_daemon_without_network_is_offline_and_tells_its_money(seeded):
    reading = PROTOCOL.reading(ask_everything(begin(seeded), NOW), NOW)
    assert reading.health == "offline"
    assert "no relay session" in reading.health_reason
    assert reading.accruals
    assert not reading.emulated


def test_an_unknown_agreement_is_null_and_keeps_what_was_known(seeded):
    memory = ask_everything(begin(seeded), NOW)
    answer = seeded.get(f"/payment-api/v1/payAgreements/{'0' * 64}")
    assert (answer.status_code, answer.json()) == (200, None)
    known = next(iter(memory.pays))
    reply = Reply(
        status=200,
        headers=tuple(answer.headers.items()),
        body=answer.content,
        received_at=NOW,
        elapsed_s=0.0,
    )
    assert PROTOCOL.absorb(memory, f"agreement/{known}", reply, NOW).pays[known].gone


def test_a_running_agreement_is_committed_at_the_size_it_was_signed_for(seeded):
    running = next(deal for deal in seeded.seeded if deal.name == "running")
    yagna_seed.run(seeded.data_dir, seeded.identity, running, threads=3)
    ended = next(deal for deal in seeded.seeded if deal.name == "accepted")
    yagna_seed.run(seeded.data_dir, seeded.identity, ended, threads=8, state="Terminated")
    memory = ask_everything(begin(seeded), NOW)
    assert memory.running == (running.agreement_id,)
    committed = PROTOCOL.reading(memory, NOW).committed
    assert committed.cpu_cores == 3.0
    assert committed.memory_gb == pytest.approx(4.0 * 1.073741824)
    assert memory.terms[ended.agreement_id].resources.cpu_cores == 8.0


def test_the_daemon_says_how_it_is(seeded):
    memory = ask_everything(begin(seeded), NOW)
    assert memory.failures.keys() == {"healthcheck"}
    assert memory.signs.trouble == "relay-check: net-service-error"
    assert memory.signs.activities == ()
    assert (memory.signs.version, memory.signs.update, memory.signs.driver) == ("0.17.6", None, ())
    assert (memory.signs.counters.proposals, memory.signs.counters.refused_by_them) == (0, 0)
    assert "no_account" in {finding.code for finding in PROTOCOL.reading(memory, NOW).findings}
    seeded.command("payment", "init", "--receiver", "--network", "polygon", "--driver", "erc20")
    memory = ask_everything(begin(seeded), NOW)
    assert memory.signs.accounts == ("erc20-polygon-glm",)


def test_payments_are_told_apart_from_earnings_and_add_up(seeded):
    memory = ask_everything(begin(seeded), NOW)
    paid = [each for each in PROTOCOL.reading(memory, NOW).accruals if each.kind == "paid"]
    assert sum((each.amounts.settled for each in paid), Decimal(0)) == seeded.expected().paid
    assert all(re.fullmatch("0x[0-9a-f]{64}", each.reference) for each in paid)
    assert memory.mismatch_since is None


def test_nothing_changes_when_the_daemon_starts_again_between_two_polls(seeded):
    memory = ask_everything(begin(seeded), NOW)
    before = PROTOCOL.reading(memory, NOW)
    seeded.stop()
    seeded.start()
    after = PROTOCOL.reading(ask_everything(memory, NOW), NOW)
    assert after.accruals == before.accruals
    assert after.pace == before.pace
    fresh = PROTOCOL.reading(ask_everything(begin(seeded), NOW), NOW)
    assert sorted(fresh.accruals, key=repr) == sorted(after.accruals, key=repr)


def test_a_wrong_key_is_refused_in_plain_text(seeded):
    memory = ask_everything(begin(seeded, app_key="wrong"), NOW)
    reading = PROTOCOL.reading(memory, NOW)
    assert reading.health == "degraded"
    assert {finding.code for finding in reading.findings} == {"app_key_refused"}


def test_what_the_provider_publishes_is_read_as_its_offer(seeded):
    """The agent's part is played by the test: it publishes an offer as ya-provider would."""
    properties = {
        "golem.runtime.name": "vm",
        "golem.inf.cpu.threads": 3,
        "golem.inf.mem.gib": 5.0,
        "golem.inf.storage.gib": 20.0,
        "golem.com.usage.vector": ["golem.usage.cpu_sec", "golem.usage.duration_sec"],
        "golem.com.pricing.model.linear.coeffs": [0.025 / 3600, 0.005 / 3600, 0.0],
        "golem.com.payment.platform.erc20-polygon-glm.address": seeded.identity,
    }
    url = f"{seeded.base_url}/market-api/v1/offers"
    headers = {"Authorization": f"Bearer {seeded.app_key}"}
    body = {"properties": properties, "constraints": "(golem.node.debug.subnet=public)"}
    published = requests.post(url, headers=headers, json=body, timeout=20)
    assert published.status_code == 201, published.text
    try:
        reading = PROTOCOL.reading(ask_everything(begin(seeded), NOW), NOW)
    finally:
        requests.delete(f"{url}/{published.json()}", headers=headers, timeout=20)
    assert reading.allocation.cpu_cores == 3.0
    assert reading.outlooks[0].per_unit_hour == pytest.approx(0.025)


def test_the_daemons_process_is_seen_with_its_limit_on_open_files(seeded):
    memory = ask_everything(begin(seeded), NOW)
    yagnas = [each for each in memory.host.agents if each.name == "yagna"]
    assert yagnas
    assert all(0 < each.open_files < each.may_open for each in yagnas)
