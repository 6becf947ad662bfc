"""Streamr: blocks, calls and events become earnings that are exact at one block; a restart states them again."""

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
from orch.model.wire import NoReply, Reply, Secret
from orch.protocols import streamr_abi as abi
from orch.protocols.base import Context
from orch.protocols.streamr import PROTOCOL
from orch.protocols.streamr_memory import StreamrOptions

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
OPERATOR = "0xe3a1a7ed00000000000000000000000000000001"
FIRST = "0x2400000000000000000000000000000000000001"
SECOND = "0x2400000000000000000000000000000000000002"
NEWEST = 80_000_000
FLOOR = NEWEST - 43_200 - 1_296_000
W0, W1, W2 = NEWEST - 40_000, NEWEST - 20_000, NEWEST - 5000


def mined(block: int) -> datetime:
    return datetime(2026, 11, 15, 11, 59, 58, tzinfo=UTC) - timedelta(seconds=2 * (NEWEST - block))


def begin(**options):
    chosen = {
        "rpc_url": "https://rpc.example/key",
        "operator": OPERATOR.upper().replace("0X", "0x"),
        "history_days": 1.0,
        "log_chunk_blocks": 2_000_000,
    } | options
    return PROTOCOL.begin(StreamrOptions(**chosen), Context(node="relay", host="here"))


@pytest.fixture
def told(answers):
    """A memory that was told these situations, one after the other."""
    load = answers("streamr")

    def tell(*situations, memory=None, now=NOW):
        memory = begin() if memory is None else memory
        for situation in situations:
            key, answer = load(situation, now)
            take = PROTOCOL.failed if isinstance(answer, NoReply) else PROTOCOL.absorb
            memory = take(memory, key, answer, now)
        return memory

    return tell


WHOLE = ("healthy_block", "chain_polygon", "healthy_history", "healthy_earnings")


def reading(memory, now=NOW):
    return PROTOCOL.reading(memory, now)


def by_stream(memory):
    accruals = [each for each in reading(memory).accruals if each.kind == "earned"]
    found = {accrual.stream.removeprefix(f"{OPERATOR}:"): accrual for accrual in accruals}
    assert len(found) == len(accruals)
    return found


def keys(memory, now=NOW):
    return {endpoint.key: endpoint for endpoint in PROTOCOL.endpoints(memory, now)}


def asked(memory, key):
    return json.loads(keys(memory)[key].request.body)


def reply(body: object) -> Reply:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = (("Content-Type", "application/json"),)
    return Reply(status=200, headers=headers, body=text, received_at=NOW, elapsed_s=0.01)


def no_reply(reason, status=None, body=b"") -> NoReply:
    return NoReply(
        reason=reason, sentence="no answer", retryable=True, failed_at=NOW, elapsed_s=0.1, status=status, body=body
    )


def gross(memory) -> Decimal:
    return sum((each.amounts.total for each in reading(memory).accruals if each.kind == "earned"), Decimal(0))


# -- money -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "amounts", "start", "end", "final"),
    [
        (f"{W0}", Amounts(settled=Decimal(100)), mined(W0), mined(W1), True),
        (f"{W1}", Amounts(settled=Decimal("50.000000000000000003")), mined(W1), mined(W2), True),
        (f"{W2}", Amounts(accrued=Decimal("90.000000000000000001")), mined(W2), None, False),
    ],
    ids=["two withdrawals in one block", "ended", "outstanding"],
)
def test_a_stream_is_what_accrues_from_one_withdrawal_to_the_next(told, stream, amounts, start, end, final):
    accrual = by_stream(told(*WHOLE))[stream]
    assert accrual.unit == "DATA"
    assert accrual.amounts == amounts
    assert (accrual.period_start, accrual.period_end, accrual.final) == (start, end, final)
    assert accrual.as_of == (end or mined(NEWEST))
    assert accrual.reference.startswith(OPERATOR)


def test_the_first_withdrawal_ever_names_its_own_stream_and_is_spread_at_the_pace_of_the_others(told):
    first = by_stream(told(*WHOLE))[f"until-{W0}"]
    assert first.amounts == Amounts(settled=Decimal("161.000000000000000007"))
    pace = (mined(W2) - mined(W0)) / 150
    assert first.period_start == pytest.approx(mined(W0) - pace * 161, abs=timedelta(seconds=2))


def test_nothing_is_stated_before_earnings_and_events_meet_at_one_block(told):
    assert reading(told("healthy_block", "healthy_earnings")).accruals == ()
    assert reading(told("healthy_block", "healthy_history")).accruals == ()
    memory = told("next_block", memory=told(*WHOLE))
    ahead = told("after_withdrawal_earnings", memory=memory)
    assert reading(ahead).accruals == reading(memory).accruals, "the events up to that block are not known yet"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["logs first", "earnings first"])
def test_a_withdrawal_between_two_samples_loses_and_doubles_nothing(told, order):
    before = told(*WHOLE)
    later = ("withdrawal_between_logs", "after_withdrawal_earnings")
    memory = told("next_block", *(later[place] for place in order), memory=before)
    streams = by_stream(memory)
    withdrawn = streams[f"{W2}"]
    assert withdrawn.amounts == Amounts(settled=Decimal(60))
    assert (withdrawn.final, withdrawn.period_end) == (True, mined(NEWEST + 100))
    assert streams[f"{NEWEST + 100}"].amounts == Amounts(accrued=Decimal(31))
    # 60 withdrawn and 31 owed now, of which 90 were owed before: one more was earned in between.
    assert gross(memory) - gross(before) == Decimal("0.999999999999999999")


def test_what_a_withdrawal_left_behind_keeps_the_time_it_was_earned_in(told):
    memory = told("next_block", "withdrawal_between_logs", "after_withdrawal_earnings", memory=told(*WHOLE))
    rest = by_stream(memory)[f"{NEWEST + 100}"]
    assert rest.period_start == mined(W2)
    assert [(point.reached_at, point.total) for point in rest.trail] == [
        (mined(NEWEST + 100), Decimal("30.000000000000000001"))
    ]


def test_a_restart_with_a_later_history_states_the_same_streams(told):
    """The same chain read by two processes, the second of which sees less of the past."""
    whole = by_stream(told(*WHOLE))
    short = replace(told(*WHOLE), stated=())
    short = replace(short, events=tuple(event for event in short.events if event.block > W0))
    short = replace(short, scan=replace(short.scan, low=W0 + 1))
    again = by_stream(told("healthy_earnings", memory=short))
    assert set(again) == {f"{W1}", f"{W2}"}
    assert all(whole[stream] == accrual for stream, accrual in again.items())


def test_without_any_withdrawal_all_that_is_owed_is_open_since_the_operator_joined(told):
    memory = told("healthy_block", "healthy_earnings", "fresh_history")
    assert by_stream(memory)["open"].period_start == mined(NEWEST) - timedelta(days=30)
    memory = told("joined_lately", "healthy_earnings", memory=memory)
    accrual = by_stream(memory)["open"]
    assert accrual.amounts == Amounts(accrued=Decimal("90.000000000000000001"))
    assert accrual.period_start == mined(NEWEST) - timedelta(days=1)


def test_open_earnings_wait_until_history_reaches_far_enough(told):
    memory = begin(log_chunk_blocks=10_000)
    memory = told("healthy_block", "healthy_earnings", memory=memory)
    assert reading(memory).accruals == ()


def test_a_slash_and_its_loss_are_one_penalty(told):
    memory = told("healthy_block", "slashed_history", "healthy_earnings")
    lost = {each.stream: each.amounts for each in reading(memory).accruals if each.kind == "penalty"}
    assert lost == {
        f"{OPERATOR}:penalty:{W2}": Amounts(settled=Decimal(50)),
        f"{OPERATOR}:penalty:{W2 + 9}": Amounts(settled=Decimal(5)),
    }


def test_events_without_a_time_wait_for_the_time_of_their_block(told):
    memory = told("healthy_block", "no_timestamps_history", "healthy_earnings")
    assert {key for key in keys(memory) if key.startswith("time/")} == {f"time/{W1}", f"time/{W2}"}
    assert reading(memory).accruals == ()
    memory = told("time_newer", memory=memory)
    assert set(by_stream(memory)) == {f"{W2}"}
    memory = told("time_older", memory=memory)
    assert {f"{W1}", f"{W2}", f"until-{W1}"} <= set(by_stream(memory))
    assert not [key for key in keys(memory) if key.startswith("time/")]


def test_an_event_that_was_undone_does_not_count(told):
    assert told("healthy_block", "removed_history").events == ()


def test_final_accruals_stay_the_same_object(told):
    memory = told(*WHOLE)
    again = told("next_block", "quiet_logs", memory=memory)
    assert by_stream(again)[f"{W0}"] is by_stream(memory)[f"{W0}"]


# -- what is asked ---------------------------------------------------------------------------------------


def test_first_only_the_block_the_chain_and_the_node_are_asked_for():
    assert set(keys(begin())) == {"block", "chain"}
    found = keys(begin(info_url="http://127.0.0.1:7171/", info_key=Secret(value="s3")))
    assert found["info"].request.url == "http://127.0.0.1:7171/info"
    assert found["info"].request.secret_headers == (("Authorization", Secret(value="Bearer s3")),)
    assert found["block"].vital


def test_earnings_are_asked_for_at_the_newest_block(told):
    memory = told("healthy_block")
    assert asked(memory, f"earnings/{NEWEST}")["params"] == [{"to": OPERATOR, "data": "0x2ebd89d1"}, hex(NEWEST)]
    memory = told("healthy_earnings", memory=memory)
    assert not [key for key in keys(memory) if key.startswith("earnings/")]
    assert f"earnings/{NEWEST + 150}" in keys(told("next_block", memory=memory))


def test_new_blocks_are_searched_with_a_few_read_twice(told):
    memory = told("next_block", memory=told(*WHOLE))
    wanted = asked(memory, f"logs/{NEWEST - 63}-{NEWEST + 150}")["params"][0]
    assert (wanted["fromBlock"], wanted["toBlock"]) == (hex(NEWEST - 63), hex(NEWEST + 150))
    assert wanted["address"] == OPERATOR
    assert len(wanted["topics"][0]) == 5


def test_late_earnings_of_an_older_block_are_dropped(told):
    memory = told("next_block", memory=told("healthy_block"))
    assert told("healthy_earnings", memory=memory).earnings is None


def test_history_goes_back_in_growing_ranges_until_one_is_refused(told):
    memory = told("healthy_block", memory=begin(log_chunk_blocks=1000))
    first = f"history/{NEWEST - 999}-{NEWEST}"
    assert keys(memory)[first].once
    memory = PROTOCOL.absorb(memory, first, reply({"jsonrpc": "2.0", "id": 1, "result": []}), NOW)
    second = f"history/{NEWEST - 2999}-{NEWEST - 1000}"
    assert second in keys(memory)
    refused = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "block range too large"}}
    memory = PROTOCOL.absorb(memory, second, reply(refused), NOW)
    third = f"history/{NEWEST - 1999}-{NEWEST - 1000}"
    memory = PROTOCOL.absorb(memory, third, reply({"jsonrpc": "2.0", "id": 1, "result": []}), NOW)
    assert f"history/{NEWEST - 2999}-{NEWEST - 2000}" in keys(memory), "it does not grow again"


@pytest.mark.parametrize("situation", ["range_too_large_200_history", "range_too_large_400_history"])
def test_a_refused_range_is_halved(told, situation):
    memory = told(situation, memory=told("healthy_block"))
    half = (NEWEST - FLOOR + 1) // 2
    assert [key for key in keys(memory) if key.startswith("history/")] == [f"history/{NEWEST + 1 - half}-{NEWEST}"]


@pytest.mark.parametrize(
    ("failure", "smaller"),
    [
        (no_reply("too_large"), True),
        (no_reply("timeout"), True),
        (no_reply("refused"), False),
        (no_reply("rate_limited", 429), False),
        (no_reply("http_status", 503, b'{"error":{"message":"range"}}'), False),
        (no_reply("http_status", 400, b'{"error":{"message":"quota exceeded"}}'), False),
        (no_reply("http_status", 400, b"<html>"), False),
        (no_reply("http_status", 400, b'{"error":7}'), False),
    ],
)
def test_only_what_a_smaller_range_may_heal_makes_ranges_smaller(told, failure, smaller):
    memory = told("healthy_block")
    (key,) = [key for key in keys(memory) if key.startswith("history/")]
    assert (key not in keys(PROTOCOL.failed(memory, key, failure, NOW))) is smaller


def test_an_rpc_that_only_answers_errors_ends_as_a_failure(told):
    memory = told("healthy_block")
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "the method does not exist"}}

    def answer_until_it_is_a_failure():
        told_so_far = memory
        for _ in range(40):
            (key,) = [key for key in keys(told_so_far) if key.startswith("history/")]
            told_so_far = PROTOCOL.absorb(told_so_far, key, reply(error), NOW)

    with pytest.raises(ShapeError, match="does not exist"):
        answer_until_it_is_a_failure()


def test_the_getters_of_the_operator_and_of_its_sponsorships_are_asked_rarely(told):
    memory = told(*WHOLE, "word_owner", "word_config", memory=begin(multicall=""))
    found = keys(memory)
    assert {"value", "staked", "slashed", "cut", "supply", "owner", "owned", "fee", "free"} <= set(found)
    assert (found["value"].period_s, found[f"locked/{FIRST}"].period_s) == (3600.0, 300.0)
    assert asked(memory, f"locked/{SECOND}")["params"][0] == {
        "to": SECOND,
        "data": "0x19d164f1" + OPERATOR[2:].rjust(64, "0"),
    }
    assert all(
        found[key].lane == "slow" for key in ("value", f"stake/{FIRST}", f"total/{FIRST}", f"joined/{FIRST}")
    )


# -- health, findings, facts -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situations", "options", "health", "words"),
    [
        ((), {}, "unknown", "not asked"),
        (("429_block",), {}, "unknown", "cannot be read"),
        (WHOLE, {}, "online", "chain alone"),
        ((*WHOLE, "info_buffer"), {"info_url": "http://127.0.0.1:7171"}, "online", "1 connections, 2 stream"),
        ((*WHOLE, "info_alone"), {"info_url": "http://127.0.0.1:7171"}, "degraded", "no neighbours"),
        ((*WHOLE, "info_401"), {"info_url": "http://127.0.0.1:7171"}, "online", "diagnostics off"),
        ((*WHOLE, "info_404_html"), {"info_url": "http://127.0.0.1:7171"}, "online", "diagnostics off"),
        ((*WHOLE, "429_block"), {}, "degraded", "cannot be read"),
        (("lagging_block",), {}, "degraded", "15 min behind"),
        ((*WHOLE, "locked_flag"), {}, "degraded", "flag"),
        ((*WHOLE, "locked_flag", "locked_none"), {}, "online", "chain alone"),
        (("healthy_block", "chain_amoy"), {}, "degraded", "chain 80002"),
    ],
)
def test_health_and_its_reason(told, situations, options, health, words):
    now = reading(told(*situations, memory=begin(**options)))
    assert now.health == health
    assert words in now.health_reason


def test_a_silent_info_never_means_that_the_node_is_down(told):
    memory = told(*WHOLE, memory=begin(info_url="http://127.0.0.1:7171"))
    memory = PROTOCOL.failed(memory, "info", no_reply("refused"), NOW)
    assert reading(memory).health == "online"
    assert dict(reading(memory).facts)["local diagnostics"] == "off"


@pytest.mark.parametrize(("minutes", "health"), [(14, "online"), (16, "degraded"), (31, "unknown")])
def test_an_old_view_of_the_chain_is_less_and_less_believed(told, minutes, health):
    assert reading(told(*WHOLE), NOW + timedelta(minutes=minutes)).health == health


@pytest.mark.parametrize(
    ("situations", "options", "codes"),
    [
        (WHOLE, {}, set()),
        ((*WHOLE, "locked_flag"), {}, {"flag_open"}),
        (("healthy_block", "chain_amoy"), {}, {"wrong_chain"}),
        (("healthy_block", "slashed_history", "healthy_earnings"), {}, {"slashed"}),
        (("healthy_block", "near_limit_earnings"), {}, {"uncollected"}),
        ((*WHOLE, "solvent_soon"), {}, {"sponsorship_dry"}),
        ((*WHOLE, "solvent_for_ever"), {}, set()),
        ((*WHOLE, "word_owned", "word_supply"), {}, {"own_share_low"}),
        (("info_403",), {"info_url": "http://127.0.0.1:7171"}, {"info_key_refused"}),
        (("info_buffer",), {"info_url": "http://192.0.2.1:7171"}, {"info_open"}),
        (("info_buffer",), {"info_url": "http://192.0.2.1:7171", "info_key": Secret(value="k")}, set()),
        (
            ("info_alone",),
            {"info_url": "http://127.0.0.1:7171"},
            {"not_reachable", "partitions_alone", "no_key_on_loopback"},
        ),
    ],
)
def test_findings(told, situations, options, codes):
    findings = reading(told(*situations, memory=begin(**options))).findings
    assert {finding.code for finding in findings} == codes
    assert all(finding.sentence and finding.remedy for finding in findings)


def test_uncollected_earnings_page_beyond_sixty_per_cent(told):
    (finding,) = reading(told("healthy_block", "near_limit_earnings")).findings
    assert (finding.severity, "63%" in finding.sentence) == ("page", True)


def test_tokens_of_another_chain_are_not_counted(told):
    memory = told("chain_amoy", memory=told(*WHOLE))
    assert reading(memory).accruals == ()
    assert set(keys(memory)) == {"block", "chain"}


@pytest.mark.parametrize("situation", ["info_buffer", "info_indexed"])
def test_both_shapes_of_bytes_are_one_node_id(told, situation):
    memory = told(situation, memory=begin(info_url="http://127.0.0.1:7171"))
    assert dict(reading(memory).facts)["node id"] == "112233"


def test_the_owners_net_is_stated_beside_the_gross(told):
    words = ("word_owner", "word_supply", "word_owned", "word_cut", "word_fee", "word_staked")
    facts = dict(reading(told(*WHOLE, *words)).facts)
    # 0.95 * (0.1 + 0.9 * 0.05) of the gross.
    assert facts["owner's net"].startswith("13.8%")
    assert facts["staked"] == "30000.00 DATA"


def test_the_outlook_is_a_floor_and_the_window_six_hours(told):
    now = reading(told(*WHOLE))
    assert [(outlook.form, outlook.unit) for outlook in now.outlooks] == [("floor", "DATA")]
    assert (now.window_s, now.pace) == (6 * 3600, None)


# -- bad answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("situation", "error"),
    [
        ("block_backwards", AbsurdError),
        ("time_backwards_block", AbsurdError),
        ("future_block", AbsurdError),
        ("null_block", ShapeError),
        ("rpc_error_200_block", ShapeError),
        ("html_200_block", ShapeError),
        ("truncated_block", ShapeError),
        ("decimal_block", ShapeError),
        ("short_earnings", ShapeError),
        ("odd_hex_earnings", ShapeError),
        ("no_contract_earnings", ShapeError),
        ("endless_list_earnings", ShapeError),
        ("offset_outside_earnings", ShapeError),
        ("unlike_lists_earnings", ShapeError),
        ("no_address_earnings", ShapeError),
        ("reverted_200_earnings", ShapeError),
        ("behind_200_earnings", ShapeError),
        ("twice_listed_earnings", AbsurdError),
        ("impossible_earnings", AbsurdError),
        ("foreign_history", AbsurdError),
        ("outside_history", AbsurdError),
        ("crooked_profit_history", ShapeError),
        ("null_history", ShapeError),
        ("too_often_200_history", ShapeError),
        ("time_other", ShapeError),
        ("word_owner_crooked", ShapeError),
        ("info_crooked_id", ShapeError),
        ("info_large_byte", ShapeError),
    ],
)
def test_a_wrong_answer_is_refused_and_changes_nothing(told, situation, error):
    memory = told(*WHOLE)
    before = reading(memory)
    with pytest.raises(error):
        told(situation, memory=memory)
    assert reading(memory) == before


def test_a_block_gone_backwards_is_a_dropped_sample_not_trouble(told):
    memory = PROTOCOL.failed(told(*WHOLE), "block", no_reply("absurd", 200), NOW)
    assert reading(memory).health == "online"


KEYS = ("block", "chain", f"earnings/{NEWEST}", f"logs/{NEWEST + 1}-{NEWEST + 9}", f"history/{FLOOR}-{NEWEST}")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just("0x"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
        | st.fixed_dictionaries({"result": inner})
    ),
    max_leaves=12,
)


@given(
    key=st.sampled_from(
        (*KEYS, "time/5", "info", "value", "owner", f"locked/{FIRST}", "strange", "logs/x-y", "words/hour/x")
    ),
    body=JSON,
)
def test_any_json_is_taken_in_or_refused(key, body):
    memory = PROTOCOL.absorb(
        begin(), "block", reply({"result": {"number": hex(NEWEST), "timestamp": "0x6a082100"}}), NOW
    )
    before = repr(memory)
    try:
        after = PROTOCOL.absorb(memory, key, reply(body), NOW)
    except ProtocolError:
        after = memory
    assert repr(memory) == before
    PROTOCOL.reading(after, NOW)
    PROTOCOL.endpoints(after, NOW)


HEX = st.binary(max_size=400).map(lambda raw: "0x" + raw.hex())


@given(key=st.sampled_from((f"earnings/{NEWEST}", "value", "owner", "config", f"joined/{FIRST}")), data=HEX)
def test_any_bytes_of_a_contract_are_taken_in_or_refused(key, data):
    memory = PROTOCOL.absorb(
        begin(), "block", reply({"result": {"number": hex(NEWEST), "timestamp": "0x6a082100"}}), NOW
    )
    try:
        memory = PROTOCOL.absorb(memory, key, reply({"result": data}), NOW)
    except ProtocolError:
        return
    PROTOCOL.reading(memory, NOW)
    PROTOCOL.endpoints(memory, NOW)


addresses = st.lists(st.integers(0, 2**160 - 1), max_size=6, unique=True)


@given(sponsorships=addresses, most=st.integers(0, 2**256 - 1), data=st.data())
def test_the_decoder_reads_what_the_specification_writes(sponsorships, most, data):
    amounts = data.draw(
        st.lists(st.integers(0, 2**256 - 1), min_size=len(sponsorships), max_size=len(sponsorships))
    )
    lists = [len(sponsorships), *sponsorships, len(amounts), *amounts]
    head = [0x60, 0x60 + 32 * (1 + len(sponsorships)), most]
    encoded = b"".join(number.to_bytes(32, "big") for number in (*head, *lists))
    found = abi.addresses_numbers_number(encoded, "x")
    assert found == (tuple(f"0x{each:040x}" for each in sponsorships), tuple(amounts), most)
    with pytest.raises(ShapeError):
        abi.addresses_numbers_number(encoded[:-1], "x")
