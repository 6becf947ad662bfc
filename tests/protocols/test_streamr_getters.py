"""Streamr's getters: many words by one call, each word for itself, and one by one where that is all there is."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from orch.errors import ProtocolError, ShapeError
from orch.model.wire import Reply
from orch.protocols import streamr_abi as abi
from orch.protocols.attend import Attended, ask, take
from orch.protocols.streamr import PROTOCOL
from orch.protocols.streamr_getters import DAY_S, MOST_TOGETHER, WORDS, WORDS_OF
from orch.protocols.streamr_memory import MULTICALL3, StreamrOptions
from tests.fakes.streamr import FIRST, NODE, NOW, OPERATOR, SECOND, WHOLE, Teller, begin, facts, outcome, silence

CONFIG = "0xcf00000000000000000000000000000000000003"
OWNER = "0xaa00000000000000000000000000000000000009"
OPERATORS = {
    "0xc229918e": "value",
    "0x04cbab8b": "staked",
    "0x870ffde2": "slashed",
    "0x18160ddd": "supply",
    "0x558a1568": "cut",
    "0x8da5cb5b": "owner",
    "0x98833130": "config",
    "0x54fd4d50": "version",
}
REVERTED = {"error": {"code": 3, "message": "execution reverted"}}


# -- the ABI, written down here once more ----------------------------------------------------------------


def word(number):
    return number.to_bytes(32, "big")


def packed(raw):
    return word(len(raw)) + raw + bytes(-len(raw) % 32)


def listed(items):
    """Dynamic items with their offsets before them, behind their number."""
    offsets = [32 * len(items) + sum(map(len, items[:place])) for place in range(len(items))]
    return word(len(items)) + b"".join(map(word, offsets)) + b"".join(items)


def results(given):
    """`(bool, bytes)[]`, as the only value that a call gives back. None: it failed, without a word of why."""
    return word(32) + listed([word(each is not None) + word(64) + packed(each or b"") for each in given])


def numbers(raw):
    return [int.from_bytes(raw[place : place + 32], "big") for place in range(0, len(raw), 32)]


def decoded(data):
    """The `(address, bool, bytes)[]` of call data, word by word."""
    assert data[:10] == "0x82ad56cb"
    raw = bytes.fromhex(data[10:])
    assert len(raw) % 32 == 0
    begin, count, *offsets = numbers(raw)
    assert begin == 32
    found = []
    for offset in offsets[:count]:
        item = raw[64 + offset :]
        to, may_fail, held = numbers(item[:96])
        size = numbers(item[held : held + 32])[0]
        found.append((f"0x{to:040x}", bool(may_fail), "0x" + item[held + 32 : held + 32 + size].hex()))
    return found


def calls(question):
    """What an endpoint would have run together: `(to, may fail, data)` each."""
    params, tag = json.loads(question.request.body)["params"]
    assert (params["to"], tag) == (MULTICALL3.lower(), "latest")
    return decoded(params["data"])


addresses = st.integers(0, 2**160 - 1).map(lambda number: f"0x{number:040x}")


@given(st.lists(st.tuples(addresses, st.binary(max_size=80).map(lambda raw: "0x" + raw.hex())), max_size=6))
def test_calls_are_encoded_as_the_specification_says(asked):
    assert decoded(abi.aggregate3(asked)) == [(to, True, data) for to, data in asked]


def test_two_calls_digit_by_digit():
    encoded = abi.aggregate3(
        [("0x" + "Ab" * 20, "0x8da5cb5b"), ("0x" + "01" * 20, "0x70a08231" + "0" * 62 + "07")]
    )
    assert encoded == "0x82ad56cb" + "".join(
        text.rjust(64, "0")
        for text in (
            *("20", "2", "40", "e0"),
            *("ab" * 20, "1", "60", "4", "8da5cb5b".ljust(64, "0")),
            *("01" * 20, "1", "60", "24", "70a08231".ljust(64, "0"), "00000007".ljust(64, "0")),
        )
    )


@given(st.lists(st.none() | st.binary(max_size=80), max_size=6))
def test_results_are_decoded_as_the_specification_says(given_back):
    encoded = results(given_back)
    assert abi.results(encoded, len(given_back), "x") == tuple(given_back)
    for count in (len(given_back) - 1, len(given_back) + 1):
        with pytest.raises(ShapeError):
            abi.results(encoded, count, "x")
    with pytest.raises(ShapeError):
        abi.results(encoded[:-1], len(given_back), "x")


ONE = [32, 1, 32, 1, 64, 32, 7]
"""Offset of the list, its length, offset of its item: success, offset of the bytes, their length, the bytes."""


@pytest.mark.parametrize(
    "crooked",
    [
        [],
        [32],
        [33, *ONE[1:]],
        [2**255, *ONE[1:]],
        [32, 2**255, *ONE[2:]],
        [32, 1, 2**255, *ONE[3:]],
        [32, 1, 33, *ONE[3:]],
        [32, 1, 32, 2, *ONE[4:]],
        [32, 1, 32, 1, 65, *ONE[5:]],
        [32, 1, 32, 1, 2**255, *ONE[5:]],
        [32, 1, 32, 1, 64, 33, 7],
        [32, 1, 32, 1, 64, 2**255, 7],
        [32, 0],
        [32, 2, *ONE[2:]],
    ],
)
def test_results_that_are_none_are_refused(crooked):
    assert abi.results(b"".join(map(word, ONE)), 1, "x") == (word(7),)
    with pytest.raises(ShapeError):
        abi.results(b"".join(map(word, crooked)), 1, "x")


# -- an operator and its RPC -----------------------------------------------------------------------------


@pytest.fixture
def tell(answers):
    return Teller(answers("streamr"))


@pytest.fixture
def memory(tell):
    """Of two sponsorships, its owner, the network's configuration and one node key known."""
    return tell(*WHOLE, "word_owner", "word_config", "nodes_one")


def offered(memory):
    return {each.key: each for each in PROTOCOL.endpoints(memory, NOW)}


def together(memory):
    """The questions for many words by their paces; `again` is for those that are tried again."""
    return {key.split("/")[1]: each for key, each in offered(memory).items() if key.startswith("words/")}


def singly(memory):
    """The keys of words that are asked for one by one."""
    return {key for key in offered(memory) if key.split("/")[0] in WORDS | WORDS_OF}


def reply(body):
    text = body if isinstance(body, bytes) else json.dumps({"jsonrpc": "2.0", "id": 1} | body).encode()
    headers = (("Content-Type", "application/json"),)
    return Reply(status=200, headers=headers, body=text, received_at=NOW, elapsed_s=0.01)


def said(raw):
    return reply({"result": "0x" + raw.hex()})


def some(question, wrong=None):
    """An answer to a question for many words: 1000, 1001, .. but for `wrong`, by place."""
    given = {place: word(1000 + place) for place in range(len(calls(question)))} | (wrong or {})
    return said(results(list(given.values())))


def told(memory, pace, wrong=None):
    question = together(memory)[pace]
    failure, after = outcome(memory, question.key, some(question, wrong))
    assert failure is None
    return after


def test_all_words_of_one_pace_are_asked_together(memory):
    found = together(memory)
    assert {pace: each.period_s for pace, each in found.items()} == {
        "flag": 300.0,
        "hour": 3600.0,
        "rarely": 21_600.0,
        "day": 86_400.0,
    }
    assert {pace: len(calls(each)) for pace, each in found.items()} == {
        "flag": 2,
        "hour": 16,
        "rarely": 7,
        "day": 6,
    }
    assert singly(memory) == set()
    assert all(
        (each.lane, each.rank, each.once, each.vital) == ("slow", 10, False, False) for each in found.values()
    )
    me = OPERATOR[2:].rjust(64, "0")
    assert calls(found["flag"]) == [(each, True, "0x19d164f1" + me) for each in (FIRST, SECOND)]
    controller = "7b765e0e932d348852a6f810bfa1ab891e259123f02db8cdcde614c570223357"
    assert (OPERATOR, True, "0x91d14854" + controller + NODE[2:].rjust(64, "0")) in calls(found["day"])


def test_words_are_what_their_own_calls_gave(memory):
    day = together(memory)["day"]
    value = {place: word(int(OWNER, 16)) for place, (_, _, data) in enumerate(calls(day)) if data == "0x8da5cb5b"}
    value |= {
        place: word(int(CONFIG, 16)) for place, (_, _, data) in enumerate(calls(day)) if data == "0x98833130"
    }
    after = told(memory, "day", value)
    assert (after.words["owner"], after.words["config"]) == (int(OWNER, 16), int(CONFIG, 16))
    hour = together(after)["hour"]
    after = told(after, "hour")
    for place, (to, _, data) in enumerate(calls(hour)):
        if to == OPERATOR and data in OPERATORS:
            assert after.words[OPERATORS[data]] == 1000 + place
        if data == "0x34a0f881":
            assert after.words[f"total/{to}"] == 1000 + place
    assert after.words["owned"] == 1000 + calls(hour).index(
        (OPERATOR, True, "0x70a08231" + OWNER[2:].rjust(64, "0")),
    )
    told_so_far = set(after.words)
    after = told(told(after, "rarely"), "flag")
    assert set(after.words) - told_so_far >= {"cut", "fee", f"penalty/{FIRST}", f"locked/{SECOND}"}


def test_an_answer_that_says_nothing_new_leaves_the_memory_as_it_is(memory):
    after = told(memory, "hour")
    assert told(after, "hour") is after
    failing = told(after, "hour", {3: None})
    assert told(failing, "hour", {3: None}) is failing
    changed = told(after, "hour", {3: word(5)})
    assert changed.words != after.words
    assert (changed.alone is after.alone, changed.refused is after.refused) == (True, True)


def test_a_word_that_is_the_only_one_of_its_pace_is_asked_singly(tell):
    assert singly(tell("healthy_block")) == {"cut"}
    assert set(together(tell("healthy_block"))) == {"hour", "day"}


@pytest.mark.parametrize("learns", ["word_owner", "healthy_earnings", "nodes_one"])
def test_an_answer_to_a_list_that_has_changed_meanwhile_is_dropped(tell, learns):
    before = tell("healthy_block", "chain_polygon", "healthy_history")
    asked = {each.key: each for each in together(before).values()}
    after = tell(learns, memory=before)
    changed = set(asked) - set(offered(after))
    assert changed
    for key in changed:
        assert PROTOCOL.absorb(after, key, some(asked[key]), NOW) is after
        assert PROTOCOL.absorb(after, key, reply(REVERTED), NOW) is after
    assert PROTOCOL.absorb(after, "words/hour/123456789abc", said(b""), NOW) is after


def asked_at_once(state):
    """Everything that is asked now, one question after the other, until none is left; nothing is answered well."""
    asked = []
    while True:
        state, questions = ask(PROTOCOL, state, NOW, 0.5)
        if not questions:
            return asked
        for each in questions:
            asked.append(each.key)
            state, _ = take(PROTOCOL, state, each.key, silence("timeout"), NOW)


def test_a_list_that_changes_while_its_answer_is_on_its_way_is_asked_anew_at_once(memory):
    state, questions = Attended(memory=memory), ()
    while not (flying := [each for each in questions if each.key.startswith("words/hour/")]):
        for each in questions:
            state, _ = take(PROTOCOL, state, each.key, silence("timeout"), NOW)
        state, questions = ask(PROTOCOL, state, NOW, 0.5)
    (question,) = flying
    fewer = replace(memory, earnings=replace(memory.earnings, sponsorships=(SECOND,)))
    state, failure = take(PROTOCOL, replace(state, memory=fewer), question.key, some(question), NOW)
    assert (failure, state.memory) == (None, fewer)
    asked = asked_at_once(state)
    assert question.key not in asked
    assert [key for key in asked if key.startswith("words/hour/")] == [together(fewer)["hour"].key]


# -- words that fail among others ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_back",
    [None, b"", word(7)[1:], word(7) + b"\0", word(7) * 2],
    ids=["failed", "no contract", "31 bytes", "33 bytes", "two words"],
)
def test_a_word_that_fails_is_asked_for_singly_and_the_others_are_taken_in(memory, given_back):
    question = together(memory)["hour"]
    after = told(memory, "hour", {0: given_back})
    assert singly(after) == {"value"}
    assert together(after)["hour"] == question, "its list has not changed, so it is not due at once"
    assert after.words["staked"] == 1001
    assert "value" not in after.words
    failure, again = outcome(after, "value", reply(REVERTED))
    assert (failure.endpoint, failure.reason) == ("value", "shape")
    assert again is after
    alone = PROTOCOL.absorb(after, "value", said(word(7)), NOW)
    assert alone.words["value"] == 7
    healed = told(alone, "hour")
    assert (healed.words["value"], singly(healed)) == (1000, set())


def test_an_owner_that_is_no_address_is_a_word_that_failed(memory):
    place = [data for _, _, data in calls(together(memory)["day"])].index("0x8da5cb5b")
    config = {[data for _, _, data in calls(together(memory)["day"])].index("0x98833130"): word(int(CONFIG, 16))}
    after = told(memory, "day", config | {place: word(2**160)})
    assert (after.words["owner"], after.words["config"]) == (memory.words["owner"], int(CONFIG, 16))
    assert singly(after) == {"owner"}
    failure, _ = outcome(after, "owner", said(word(2**160)))
    assert failure.reason == "shape"


def test_a_word_of_a_sponsorship_that_was_left_is_forgotten_as_failing(memory):
    failing = told(memory, "flag", {1: None})
    assert failing.alone == {f"locked/{SECOND}"}
    left = replace(failing, earnings=replace(failing.earnings, sponsorships=(FIRST,)))
    assert singly(left) == {f"locked/{FIRST}"}
    assert told(left, "hour").alone == frozenset() != left.alone


# -- calls that are not run together ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        reply(REVERTED),
        reply({"error": {"code": -32601, "message": "the method does not exist"}}),
        reply({"error": {"code": -32000, "message": "out of gas"}}),
        reply({"result": "0x"}),
        reply({"result": "0xzz"}),
        reply({"result": "nothing"}),
        said(word(7)),
        said(results([word(7)] * 15)),
        said(results([word(7)] * 17)),
        said(results([word(7)] * 16)[:-32]),
        said(results([None] * 16)),
    ],
    ids=[
        "revert",
        "method",
        "gas",
        "empty",
        "digits",
        "text",
        "word",
        "fewer",
        "more",
        "cut off",
        "none succeeds",
    ],
)
def test_what_is_not_run_together_is_asked_singly_as_ever(memory, answer):
    question = together(memory)["hour"]
    failure, after = outcome(memory, question.key, answer)
    assert failure is None
    assert after.words is memory.words
    assert singly(after) == {
        *("value", "staked", "slashed", "supply", "free", "owned"),
        *(
            f"{name}/{each}"
            for name in ("stake", "slashed", "total", "solvent", "running")
            for each in (FIRST, SECOND)
        ),
    }
    assert set(together(after)) == {"flag", "again", "rarely", "day"}
    assert facts(after)["getters"].startswith("16 of 31 one by one")
    assert "getters" not in facts(memory)
    again = together(after)["again"]
    assert (again.request, again.period_s) == (question.request, DAY_S)
    assert outcome(after, again.key, answer) == (None, after), "asked again in a day"
    assert PROTOCOL.absorb(after, again.key, answer, NOW) is after


def test_calls_that_are_run_together_after_all_are_so_from_then_on(memory):
    _, after = outcome(memory, together(memory)["hour"].key, reply(REVERTED))
    healed = told(after, "again")
    assert (singly(healed), set(together(healed))) == (set(), set(together(memory)))
    assert healed.words["value"] == 1000
    known = told(told(memory, "hour"), "hour")
    _, refused = outcome(known, together(known)["hour"].key, reply(REVERTED))
    assert told(refused, "again").words is known.words, "nothing new but that it works again"


@pytest.mark.parametrize(
    "answer",
    [
        reply({"error": {"code": -32005, "message": "too many requests"}}),
        reply({"result": None}),
        reply({"result": 7}),
        reply(b"{"),
        reply(b'{"result":"0x'),
        reply(b"[]"),
    ],
    ids=["patience", "null", "number", "broken", "cut off", "list"],
)
def test_an_answer_that_says_nothing_of_that_is_an_ordinary_failure(memory, answer):
    question = together(memory)["hour"]
    failure, after = outcome(memory, question.key, answer)
    assert (failure.reason, failure.retryable, failure.vital) == ("shape", True, False)
    assert after is memory


def no_reply(reason, status, body=b""):
    return replace(silence(reason, status), body=body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("failure", "refused"),
    [
        (no_reply("http_status", 400, REVERTED), True),
        (no_reply("unauthorised", 403, {"error": {"code": -32002, "message": "contract is not allowed"}}), True),
        (no_reply("unauthorised", 401, b"no"), False),
        (no_reply("http_status", 400, b"<html>"), False),
        (no_reply("http_status", 400, {"error": {"message": "quota exceeded"}}), False),
        (no_reply("http_status", 500, REVERTED), False),
        (no_reply("http_status", 503), False),
        (no_reply("rate_limited", 429, {"error": {"message": "slow down"}}), False),
        (no_reply("timeout", None), False),
        (no_reply("refused", None), False),
    ],
)
def test_only_a_status_that_refuses_the_question_itself_is_a_refusal(memory, failure, refused):
    question = together(memory)["hour"]
    seen, after = outcome(memory, question.key, failure)
    assert seen.reason == failure.reason
    assert (after is not memory, after.refused) == (refused, {question.key} if refused else frozenset())
    if refused:
        trial = together(after)["again"].key
        assert outcome(after, trial, failure)[1] is after


def test_an_rpc_that_never_runs_calls_together_is_asked_twice_and_then_once_a_day(memory):
    state, asked = Attended(memory=memory), []
    for minute in range(3 * 1440):
        now = NOW + timedelta(minutes=minute)
        while True:
            state, questions = ask(PROTOCOL, state, now, 0.5)
            for each in questions:
                asked.append(each.key)
                answer = reply(REVERTED) if each.key.startswith("words/") else silence("timeout")
                state, _ = take(PROTOCOL, state, each.key, answer, now)
            if not questions:
                break
    rounds = [key for key in asked if key.startswith("words/")]
    assert {key.split("/")[1] for key in rounds} == {"flag", "hour", "rarely", "day", "again"}
    assert len(rounds) == 4 + 4 * 3


def test_too_many_calls_are_asked_in_parts(memory):
    many = tuple(f"0x{number:040x}" for number in range(1, 42))
    found = [
        each
        for key, each in offered(replace(memory, earnings=replace(memory.earnings, sponsorships=many))).items()
        if key.startswith("words/hour/")
    ]
    assert [len(calls(each)) for each in found] == [MOST_TOGETHER, MOST_TOGETHER, 11]
    assert len({to + data for each in found for to, _, data in calls(each)}) == 5 * 41 + 6


# -- the option, and whatever an RPC may say -------------------------------------------------------------


def test_without_a_contract_for_it_every_word_is_asked_singly(tell):
    memory = tell(*WHOLE, "word_owner", "word_config", memory=begin(multicall=""))
    assert (together(memory), len(singly(memory))) == ({}, 30)
    assert PROTOCOL.absorb(memory, "words/hour/123456789abc", said(b""), NOW) is memory


@pytest.mark.parametrize(("multicall", "allowed"), [("", True), (MULTICALL3, True), ("0x12", False), (" ", False)])
def test_the_option_is_an_address_or_nothing(multicall, allowed):
    table = {"rpc_url": "https://rpc.example", "operator": OPERATOR, "multicall": multicall}
    if allowed:
        assert msgspec.convert(table, StreamrOptions).multicall == multicall
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table, StreamrOptions)


@given(st.binary(max_size=250))
def test_any_bytes_change_no_word(data):
    block = reply({"result": {"number": "0x4c4b400", "timestamp": "0x6a082100"}})
    memory = PROTOCOL.absorb(begin(), "block", block, NOW)
    question = together(memory)["hour"]
    after = PROTOCOL.absorb(memory, question.key, said(data), NOW)
    assert (after.words is memory.words, after.refused) == (True, {question.key})


@given(
    values=st.lists(
        st.none() | st.binary(max_size=40) | st.integers(0, 2**256 - 1).map(word), min_size=3, max_size=3
    )
)
def test_any_words_are_taken_in_one_by_one(values):
    block = reply({"result": {"number": "0x4c4b400", "timestamp": "0x6a082100"}})
    memory = PROTOCOL.absorb(begin(), "block", block, NOW)
    question = together(memory)["day"]
    after = PROTOCOL.absorb(memory, question.key, said(results(values)), NOW)
    expected = {}
    for name, value in zip(("owner", "config", "version"), values, strict=True):
        try:
            if value is not None:
                expected[name] = PROTOCOL.absorb(memory, name, said(value), NOW).words[name]
        except ProtocolError:
            continue
    assert after.words == expected
    assert (after.refused != frozenset()) == (not expected)
    assert after.alone == ({"owner", "config", "version"} - set(expected) if expected else frozenset())
    PROTOCOL.endpoints(after, NOW)
    PROTOCOL.reading(after, NOW)
