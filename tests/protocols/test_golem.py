"""Golem: answers of yagna and the provider's files become money, work, health and findings."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orch.errors import AbsurdError, ProtocolError, ShapeError
from orch.model.money import Amounts
from orch.model.resources import Resources
from orch.model.wire import FileRead, HttpRequest, NoReply, Reply, Secret
from orch.protocols.base import Context
from orch.protocols.golem import PROTOCOL
from orch.protocols.golem_memory import GolemOptions
from orch.protocols.golem_money import PAGE

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
A, B, C, D, E, F = (letter * 64 for letter in "abcdef")
GIB = 1.073741824


def at(hour: int, minute: int = 0, second: float = 0, *, day: int = 15) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) + timedelta(seconds=second)


def begin(**options):
    return PROTOCOL.begin(GolemOptions(**options), Context(node="compute", host="here", base_dir="/base"))


@pytest.fixture
def told(answers):
    """A memory that was told these situations, one after the other."""
    load = answers("golem")

    def tell(*situations, memory=None, now=NOW):
        memory = begin() if memory is None else memory
        for situation in situations:
            key, answer = load(situation, now)
            take = PROTOCOL.failed if isinstance(answer, NoReply) else PROTOCOL.absorb
            memory = take(memory, key, answer, now)
        return memory

    return tell


WHOLE = (
    *("healthy_me", "healthy_net", "healthy_offers", "running_agreements", "healthy_hardware", "healthy_presets"),
    *("healthy_pays", "healthy_invoices", "terms_running"),
)


def reading(memory, now=NOW):
    return PROTOCOL.reading(memory, now)


def by_stream(memory, now=NOW):
    return {accrual.stream: accrual for accrual in reading(memory, now).accruals}


def reply(body: object, content_type: str = "application/json") -> Reply:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status=200, headers=(("Content-Type", content_type),), body=text, received_at=NOW, elapsed_s=0.01)


def amounts(settled="0", accrued="0", estimated="0", speculative="0"):
    return Amounts(
        settled=Decimal(settled),
        accrued=Decimal(accrued),
        estimated=Decimal(estimated),
        speculative=Decimal(speculative),
    )


# -- money -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "expected", "final", "start", "end", "as_of"),
    [
        (A, amounts("0.110000000000000001"), True, at(0, 2, day=14), at(2, 0, 0.5, day=14), at(2, 0, 0.5, day=14)),
        (B, amounts("0.055"), True, at(6, 2, day=14), at(7, day=14), at(7, day=14)),
        (C, amounts(accrued="0.08"), False, at(2, 2), at(4), NOW),
        (D, amounts(), True, at(6, 2), at(7, 0, 0.5), at(7, 0, 0.5)),
        (E, amounts("0.01", "0.015", "0.0025"), False, at(11, 2), None, NOW),
    ],
    ids=["settled", "settled early", "accepted", "rejected", "running"],
)
def test_an_agreement_is_worth_what_its_totals_and_its_invoice_say(
    told, stream, expected, final, start, end, as_of
):
    accrual = by_stream(told(*WHOLE))[stream]
    assert accrual.unit == "GLM"
    assert accrual.amounts == expected
    assert (accrual.final, accrual.period_start, accrual.period_end, accrual.as_of) == (final, start, end, as_of)
    assert accrual.reference.startswith(stream)


def test_what_the_node_buys_itself_is_no_income(told):
    assert F not in by_stream(told(*WHOLE))


def test_nothing_is_stated_before_the_invoices_are_known(told):
    memory = told("healthy_me", "healthy_pays")
    assert reading(memory).accruals == ()
    assert len(reading(told("healthy_invoices", memory=memory)).accruals) == 5


def test_digits_beyond_eighteen_places_are_kept(told):
    accrual = by_stream(told(*WHOLE, "partial_payment_agreement"))[E]
    assert accrual.amounts == amounts("0.0125", "0.0175", "0.0029999999999999999999")


def test_an_accepted_invoice_becomes_settled_when_the_money_is_seen(told):
    later = NOW + timedelta(hours=20)
    memory = told("settled_invoice", memory=told(*WHOLE), now=later)
    assert not by_stream(memory)[C].final, "the invoice says settled, the totals do not yet"
    accrual = by_stream(told("settled_agreement", memory=memory, now=later))[C]
    assert accrual.final
    assert accrual.amounts == amounts("0.08")
    assert accrual.as_of == later


@pytest.mark.parametrize(
    ("invoices", "final", "total"),
    [("invoice_failed_invoices", True, "0"), ("cancelled_then_new_invoices", False, "0.08")],
)
def test_a_lost_invoice_is_written_off_unless_another_took_its_place(told, invoices, final, total):
    accrual = by_stream(told("healthy_me", "healthy_pays", invoices))[C]
    assert accrual.final is final
    assert accrual.amounts.total == Decimal(total)


def test_test_tokens_count_for_nothing_and_are_reported(told):
    memory = told("healthy_me", "tglm_pays", "fresh_invoices")
    accrual = by_stream(memory)[A]
    assert accrual.unit == "tGLM"
    assert accrual.amounts == amounts(speculative="0.5")
    assert reading(memory).speculative
    assert "testnet" in {finding.code for finding in reading(memory).findings}


def test_a_row_of_an_old_version_begins_with_its_invoice(told):
    accruals = by_stream(told("healthy_me", "null_created_pays", "healthy_invoices"))
    assert accruals[A].period_start == accruals[A].period_end == at(2, 0, 0.5, day=14)
    assert accruals[B].period_start == at(7, day=14), "an invoice is older than the row"


def test_a_lost_agreement_keeps_its_last_figures_and_is_not_asked_for_again(told):
    memory = told(*WHOLE)
    crowded = replace(memory, pay_pages=replace(memory.pay_pages, crowded=True, newest=NOW))
    running = told("healthy_pays", memory=crowded)
    assert f"agreement/{E}" in keys(running)
    gone = told("null_agreement", memory=running)
    assert by_stream(gone)[E].amounts == by_stream(memory)[E].amounts
    assert f"agreement/{E}" not in keys(gone)


def test_the_newest_agreement_says_that_nothing_came_after_it(told):
    later = NOW + timedelta(hours=3)
    memory = told("healthy_pays", memory=told(*WHOLE), now=later)
    assert by_stream(memory)[E].as_of == later
    assert by_stream(memory)[A].as_of == at(2, 0, 0.5, day=14)


def test_final_accruals_stay_the_same_object(told):
    first = told(*WHOLE)
    second = told("healthy_pays", "healthy_invoices", memory=first, now=NOW + timedelta(minutes=1))
    assert second.accruals[A] is first.accruals[A]


def test_another_identity_is_another_node(told):
    memory = told("other_identity_me", memory=told(*WHOLE))
    assert reading(memory).accruals == ()
    assert reading(memory).allocation.cpu_cores == 4.0


RECORDED = ("me", "net", "offers", "agreements", "pays", "invoices")


def test_the_answers_of_a_genuine_daemon_are_read_to_the_last_decimal(told):
    then = datetime(2026, 11, 22, 12, tzinfo=UTC)
    memory = told(*(f"recorded_{each}" for each in RECORDED), "recorded_agreement", now=then)
    now = reading(memory, then)
    mine = [accrual.amounts for accrual in now.accruals if accrual.unit == "GLM"]
    assert len(mine) == 7
    assert sum((each.settled for each in mine), Decimal(0)) == Decimal("0.070694444444444445")
    assert sum((each.total for each in mine), Decimal(0)) == Decimal("123456789.302817900123456792")
    assert (now.health, now.allocation.cpu_cores) == ("offline", 3.0)


@pytest.mark.parametrize(
    ("situation", "code"), [("recorded_401_missing_me", {"app_key_refused"}), ("recorded_400_pays", set())]
)
def test_the_refusals_of_a_genuine_daemon(told, situation, code):
    assert {finding.code for finding in reading(told(situation)).findings} == code


# -- what is asked ---------------------------------------------------------------------------------------


def keys(memory, now=NOW):
    return {endpoint.key: endpoint for endpoint in PROTOCOL.endpoints(memory, now)}


def test_money_is_asked_for_once_the_identity_is_known(told):
    assert set(keys(begin())) == {"me", "net", "offers", "agreements", "hardware", "presets", "host"}
    asked = keys(told("healthy_me"))
    assert asked["payAgreements"].request.url == "http://127.0.0.1:7465/payment-api/v1/payAgreements?maxItems=500"
    assert asked["me"].vital


def test_the_key_is_sent_and_not_shown():
    endpoints = PROTOCOL.endpoints(begin(app_key=Secret(value="0123abcd")), NOW)
    sent = {endpoint.key: endpoint.request for endpoint in endpoints}
    assert sent["me"].secret_headers == (("Authorization", Secret(value="Bearer 0123abcd")),)
    assert "0123abcd" not in repr(endpoints)


def test_the_files_are_read_from_a_directory_or_over_http(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert keys(begin())["presets"].request == FileRead(path="/home/me/.local/share/ya-provider/presets.json")
    assert keys(begin(provider_dir="p"))["hardware"].request == FileRead(path="/base/p/hardware.json")
    served = keys(begin(provider_dir="http://127.0.0.1:9/p/", app_key=Secret(value="k")))["hardware"].request
    assert served == HttpRequest(url="http://127.0.0.1:9/p/hardware.json")


def test_lists_are_read_again_from_the_oldest_row_that_is_open(told):
    asked = keys(told(*WHOLE))
    assert asked["payAgreements"].request.url.endswith("&afterTimestamp=2026-11-15T02:01:59.000000Z")
    assert asked["invoices"].request.url.endswith("&afterTimestamp=2026-11-15T03:59:59.000000Z")
    assert not [key for key in asked if key.startswith(("agreement/", "invoice/"))]


def test_equal_times_at_the_edge_are_asked_for_again(told):
    asked = keys(told("healthy_me", "equal_timestamps_pays", "fresh_invoices"))
    assert asked["payAgreements"].request.url.endswith("&afterTimestamp=2026-11-15T11:01:59.000000Z")


def page(first: int, count: int, *, open_rows: bool = False) -> list[dict[str, object]]:
    start = datetime(2026, 10, 1, tzinfo=UTC)
    return [
        {
            "id": f"{number:064x}",
            "role": "P",
            "paymentPlatform": "erc20-polygon-glm",
            "totalAmountDue": "1",
            "totalAmountAccepted": "1",
            "totalAmountPaid": "0" if open_rows else "1",
            "createdTs": f"{start + timedelta(minutes=number):%Y-%m-%dT%H:%M:%S}",
        }
        for number in range(first, first + count)
    ]


def test_history_is_read_page_by_page(told):
    memory = told("healthy_me", "fresh_invoices")
    memory = PROTOCOL.absorb(memory, "payAgreements", reply(page(0, PAGE)), NOW)
    following = [key for key in keys(memory) if key.startswith("payAgreements/")]
    assert following == ["payAgreements/after2026-10-01T08:18:59.000000Z"]
    assert keys(memory)[following[0]].once
    memory = PROTOCOL.absorb(memory, following[0], reply(page(PAGE - 1, 41)), NOW)
    assert [key for key in keys(memory) if key.startswith("payAgreements/")] == ["payAgreements/again"]
    assert len(reading(memory).accruals) == 540


def test_a_page_of_one_time_does_not_stop_the_reading(told):
    rows = [row | {"createdTs": "2026-10-01T00:00:00"} for row in page(0, PAGE)]
    memory = told("healthy_me", "fresh_invoices")
    asked = []
    for _ in range(2):
        asked.append(keys(memory)["payAgreements"].request.url.partition("afterTimestamp=")[2])
        memory = PROTOCOL.absorb(memory, "payAgreements", reply(rows), NOW)
    asked.append(keys(memory)["payAgreements"].request.url.partition("afterTimestamp=")[2])
    assert asked == ["", "2026-09-30T23:59:59.000000Z", "2026-10-01T00:00:00.000000Z"]


def test_a_page_without_any_time_does_not_stop_the_reading(told):
    rows = [row | {"createdTs": None} for row in page(0, PAGE)]
    memory = PROTOCOL.absorb(told("healthy_me"), "payAgreements", reply(rows), NOW)
    assert keys(memory)["payAgreements"].request.url.endswith("afterTimestamp=1970-01-01T00:00:00.000000Z")


def test_old_open_rows_are_asked_for_one_by_one_and_rarely(told):
    memory = told("healthy_me", "fresh_invoices")
    memory = PROTOCOL.absorb(memory, "payAgreements", reply(page(0, 1, open_rows=True) + page(1, 400)), NOW)
    old = keys(memory)[f"agreement/{0:064x}"]
    assert (old.lane, old.period_s) == ("slow", 6 * 3600.0)
    assert old.request.url.endswith(f"/payment-api/v1/payAgreements/{0:064x}")


def test_terms_are_asked_once_for_running_and_recent_agreements(told):
    memory = told(*WHOLE[:-1])
    assert {key for key in keys(memory) if key.startswith("terms/")} == {
        f"terms/{each}" for each in (A, B, C, D, E)
    }
    memory = told("terms_running", "terms_purged_404", memory=memory)
    assert {key for key in keys(memory) if key.startswith("terms/")} == {f"terms/{each}" for each in (B, C, D)}


# -- work ------------------------------------------------------------------------------------------------


def test_the_allocation_is_the_active_profile_in_decimal_units(told):
    allocation = reading(told("healthy_hardware")).allocation
    assert allocation == Resources(cpu_cores=4.0, memory_gb=8 * GIB, storage_gb=40 * GIB)


def test_without_files_the_published_offer_tells_the_allocation(told):
    assert reading(told("healthy_offers")).allocation.cpu_cores == 4.0
    assert reading(begin()).allocation == Resources()


def test_nothing_is_allocated_while_no_preset_is_active(told):
    allocation = reading(told("healthy_hardware", "drained_presets")).allocation
    assert allocation == Resources(cpu_cores=0.0, memory_gb=0.0, storage_gb=0.0)


def test_a_running_agreement_keeps_the_size_it_was_signed_for(told):
    committed = reading(told(*WHOLE)).committed
    assert committed == Resources(cpu_cores=3.0, memory_gb=6 * GIB, storage_gb=30 * GIB)
    unread = reading(told(*WHOLE[:-1])).committed
    assert unread.cpu_cores == 4.0, "before its terms are read it may have the whole profile"
    assert reading(told("fresh_agreements")).committed.cpu_cores == 0.0
    assert reading(begin()).committed.cpu_cores is None


def test_used_cores_come_from_the_running_agreements_own_bill(told):
    # 0.0275 GLM in the hour since its approval, less 0.005 for the time, at 0.025 a core.
    assert reading(told(*WHOLE)).used.cpu_cores == pytest.approx(0.9)
    assert reading(told("fresh_agreements")).used.cpu_cores == 0.0


def test_demand_is_known_after_three_agreements(told):
    memory = told(*WHOLE, "terms_older_price")
    purged = NoReply(
        reason="http_status", sentence="gone", retryable=False, failed_at=NOW, elapsed_s=0.0, status=404
    )
    for agreement in (B, C, D):
        memory = PROTOCOL.failed(memory, f"terms/{agreement}", purged, NOW)
    outlook = reading(memory).outlooks[0]
    assert (outlook.form, outlook.resource, outlook.unit, outlook.step) == ("dial", "cpu_cores", "GLM", 1.0)
    assert outlook.per_unit_hour == pytest.approx(0.025)
    assert outlook.also == Resources(memory_gb=1.0)
    # A worked on 4.0 of 4 at its own older price; B, C, D at the present price over row to invoice.
    hours = [2.0, 58 / 60, 118 / 60, 3480.5 / 3600]
    threads = [
        4.0,
        *((due / each - 0.005) / 0.025 for due, each in zip((0.055, 0.08, 0.03), hours[1:], strict=True)),
    ]
    worked = sum(each * used for each, used in zip(hours, threads, strict=True))
    assert outlook.saturation == pytest.approx(worked / sum(hours) / 4)
    assert outlook.demand == pytest.approx(4.0)
    busy_s = 7200 + 58 * 60 + 118 * 60 + 3480.5 + 3600
    assert outlook.busy_share == pytest.approx(busy_s / (36 * 3600 - 0.5))


def test_below_three_agreements_demand_is_unknown_and_said_so(told):
    now = reading(told("healthy_me", "healthy_offers", "tglm_pays", "fresh_invoices"))
    assert (now.outlooks[0].busy_share, now.outlooks[0].saturation, now.outlooks[0].demand) == (None, None, None)
    assert "not enough data" in dict(now.facts)["demand"]
    assert now.window_s == 86_400


# -- health and findings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situations", "health", "words"),
    [
        ((), "unknown", "not asked"),
        (("healthy_me",), "unknown", "network status"),
        (("healthy_me", "no_session_net"), "offline", "no relay session"),
        (("healthy_me", "healthy_net"), "unknown", "offers"),
        (("healthy_me", "healthy_net", "healthy_offers"), "online", "on sale"),
        (("healthy_me", "healthy_net", "empty_offers", "healthy_presets"), "degraded", "no offer"),
        (("healthy_me", "healthy_net", "empty_offers", "drained_presets"), "online", "no preset"),
        (("healthy_me", "healthy_net", "empty_offers", "running_agreements"), "online", "running"),
        (("401_text_me",), "degraded", "unauthorised"),
        (("healthy_me", "healthy_net", "healthy_offers", "429_me"), "degraded", "429"),
        (("401_text_me", *WHOLE), "online", "running"),
    ],
)
def test_health_and_its_reason(told, situations, health, words):
    now = reading(told(*situations))
    assert now.health == health
    assert words in now.health_reason


@pytest.mark.parametrize("reason", ["refused", "timeout", "unreachable"])
def test_an_unreachable_daemon_is_offline_and_its_money_stays(told, reason):
    memory = told(*WHOLE)
    failure = NoReply(reason=reason, sentence="nobody listens", retryable=True, failed_at=NOW, elapsed_s=0.0)
    now = reading(PROTOCOL.failed(memory, "me", failure, NOW))
    assert (now.health, now.health_reason) == ("offline", "nobody listens")
    assert len(now.accruals) == 5
    assert now.last_seen_at == NOW


def test_a_node_without_network_still_tells_its_money(told):
    now = reading(told("no_session_net", memory=told(*WHOLE)))
    assert now.health == "offline"
    assert len(now.accruals) == 5


def test_what_was_said_long_ago_is_no_longer_believed(told):
    assert reading(told(*WHOLE), NOW + timedelta(minutes=9)).health == "online"
    assert reading(told(*WHOLE), NOW + timedelta(minutes=11)).health == "unknown"


@pytest.mark.parametrize(
    ("situations", "later_h", "codes"),
    [
        (WHOLE, 0, {"invoice_rejected"}),
        (WHOLE, 24 * 8, {"payment_late"}),
        (WHOLE[:-1], 0, {"invoice_rejected"}),
        (("healthy_me", "healthy_net", "empty_offers", "healthy_presets"), 0, {"no_offers"}),
        (("healthy_me", "no_session_net"), 0, {"no_relay_session"}),
        (("401_text_me",), 0, {"app_key_refused"}),
        (("testnet_offers",), 0, {"testnet"}),
        (
            ("healthy_me", "fresh_agreements", "cancelled_then_new_invoices", "equal_timestamps_pays"),
            1,
            {"not_invoiced", "invoice_not_accepted"},
        ),
        (("healthy_me",), 0, set()),
    ],
)
def test_findings(told, situations, later_h, codes):
    findings = reading(told(*situations), NOW + timedelta(hours=later_h)).findings
    assert {finding.code for finding in findings} == codes
    assert all(finding.sentence and finding.remedy for finding in findings)


def test_a_missing_file_is_a_finding(told):
    gone = NoReply(reason="missing_file", sentence="no such file", retryable=True, failed_at=NOW, elapsed_s=0.0)
    memory = PROTOCOL.failed(begin(), "presets", gone, NOW)
    assert {finding.code for finding in reading(memory).findings} == {"presets_unreadable"}
    assert reading(told("healthy_presets", memory=memory)).findings == ()


def test_the_emulated_header_marks_the_reading():
    answer = reply([])
    marked = replace(answer, headers=(*answer.headers, ("x-orch-emulated", "1")))
    assert reading(PROTOCOL.absorb(begin(), "offers", marked, NOW)).emulated
    assert not reading(PROTOCOL.absorb(begin(), "offers", answer, NOW)).emulated


# -- bad answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situation", "error"),
    [
        ("html_200_me", ShapeError),
        ("truncated_me", ShapeError),
        ("null_lists_pays", ShapeError),
        ("key_gone_pays", ShapeError),
        ("other_agreement", ShapeError),
        ("unknown_status_invoices", ShapeError),
        ("crooked_price_offers", ShapeError),
        ("no_active_profile_hardware", ShapeError),
        ("active_gone_presets", ShapeError),
        ("old_version_presets", ShapeError),
        ("half_written_presets", ShapeError),
        ("negative_pays", AbsurdError),
        ("nan_pays", AbsurdError),
        ("future_pays", AbsurdError),
        ("negative_net", AbsurdError),
    ],
)
def test_a_wrong_answer_is_refused_and_changes_nothing(told, situation, error):
    memory = told(*WHOLE)
    before = reading(memory)
    with pytest.raises(error):
        told(situation, memory=memory)
    assert reading(memory) == before


KEYS = (
    "me",
    "net",
    "offers",
    "agreements",
    "payAgreements",
    "invoices",
    f"agreement/{A}",
    "invoice/x",
    f"terms/{A}",
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(key=st.sampled_from((*KEYS, "hardware", "presets", "strange")), body=JSON)
def test_any_json_is_taken_in_or_refused(key, body):
    memory = replace(begin(), identity="0x1")
    before = repr(memory)
    try:
        after = PROTOCOL.absorb(memory, key, reply(body), NOW)
    except ProtocolError:
        after = memory
    assert repr(memory) == before
    PROTOCOL.reading(after, NOW)
    PROTOCOL.endpoints(after, NOW)


def _healthy() -> dict[str, object]:
    row = page(0, 1)[0]
    return {
        "payAgreements": [row],
        "invoices": [
            {
                "invoiceId": "x",
                "issuerId": "0x1",
                "agreementId": row["id"],
                "timestamp": "2026-11-14T02:00:00Z",
                "amount": "1",
                "status": "ACCEPTED",
            }
        ],
        "net": {"sessions": 3, "publicIp": None},
        "agreements": [{"id": A, "role": "Provider"}],
        "hardware": {"active": "a", "profiles": {"a": {"cpu_threads": 2, "mem_gib": 1.0, "storage_gib": 1.0}}},
    }


@given(data=st.data(), key=st.sampled_from(sorted(_healthy())), junk=JSON)
def test_a_healthy_answer_with_one_value_spoilt_is_taken_in_or_refused(data, key, junk):
    body = _healthy()[key]
    target = body[0] if isinstance(body, list) else body
    field = data.draw(st.sampled_from(sorted(target)))
    target[field] = junk
    memory = replace(begin(provider_dir="http://x"), identity="0x1")
    try:
        after = PROTOCOL.absorb(memory, key, reply(body), NOW)
    except ProtocolError:
        return
    PROTOCOL.reading(after, NOW)
    PROTOCOL.endpoints(after, NOW)


amount = st.decimals(min_value=0, max_value=10**9, allow_nan=False, allow_infinity=False, places=18)


@given(due=amount, accepted=amount, paid=amount)
def test_the_parts_of_an_agreement_sum_to_the_largest_total(due, accepted, paid):
    row = page(0, 1)[0] | {
        "totalAmountDue": format(due, "f"),
        "totalAmountAccepted": format(accepted, "f"),
        "totalAmountPaid": format(paid, "f"),
    }
    memory = replace(begin(), identity="0x1")
    memory = PROTOCOL.absorb(memory, "invoices", reply([]), NOW)
    memory = PROTOCOL.absorb(memory, "payAgreements", reply([row]), NOW)
    parts = reading(memory).accruals[0].amounts
    assert parts.settled == paid
    assert min(parts.accrued, parts.estimated) >= 0
    assert parts.settled + parts.accrued + parts.estimated == max(due, accepted, paid)
