"""The getters that answer with one word: of the operator, its sponsorships, the network's configuration, DATA.

All that are asked at one pace are asked together, by one `eth_call` of the contract Multicall3: a house then asks
a few questions where it asked dozens, and the words of one answer are of one block. A call that fails among others
is asked for singly too, with its failure told as any other, until it succeeds among them again. Calls that are not
run together are asked singly, and it is tried together once more at once and then once a day: an RPC may have
hiccups, and change. Sources: Streamr's Operator, Sponsorship and StreamrConfig contracts, the DATA token,
Multicall3.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from orch.errors import ShapeError
from orch.protocols import streamr_abi as abi
from orch.protocols import streamr_answers as answers
from orch.protocols.base import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.wire import Reply
    from orch.protocols.streamr_memory import StreamrMemory

FLAG_S = 300.0
HOUR_S = 3600.0
RARELY_S = 6 * HOUR_S
DAY_S = 86_400.0
PACES = {"flag": FLAG_S, "hour": HOUR_S, "rarely": RARELY_S, "day": DAY_S}

OPERATOR_WORDS = {
    "value": ("0xc229918e", HOUR_S),  # valueWithoutEarnings()
    "staked": ("0x04cbab8b", HOUR_S),  # totalStakedIntoSponsorshipsWei()
    "slashed": ("0x870ffde2", HOUR_S),  # totalSlashedInSponsorshipsWei()
    "cut": ("0x558a1568", RARELY_S),  # operatorsCutFraction()
    "supply": ("0x18160ddd", HOUR_S),  # totalSupply()
    "owner": ("0x8da5cb5b", DAY_S),  # owner()
    "config": ("0x98833130", DAY_S),  # streamrConfig()
    "version": ("0x54fd4d50", DAY_S),  # version()
}
CONFIG_WORDS = {
    "fee": "0x3a0298eb",  # protocolFeeFraction()
    "min_stake": "0x66316372",  # minimumStakeWei()
    "queue_limit": "0xe2e8bcd8",  # maxQueueSeconds()
    "own_limit": "0x7b94dead",  # minimumSelfDelegationFraction()
}
SPONSORSHIP_WORDS = {
    "locked": ("0x19d164f1", True, FLAG_S),  # lockedStakeWei(address)
    "total": ("0x34a0f881", False, HOUR_S),  # totalStakedWei()
    "solvent": ("0x71b906eb", False, HOUR_S),  # solventUntilTimestamp()
    "running": ("0x2014e5d1", False, HOUR_S),  # isRunning()
    "penalty": ("0xda5a517b", True, RARELY_S),  # getLeavePenalty(address)
    "joined": ("0x303cbe57", True, DAY_S),  # joinTimeOfOperator(address)
}
"""Selector, whether it is asked of the operator, and the period."""

BALANCE_OF = "0x70a08231"
STAKED_INTO, SLASHED_IN = "0x7d429385", "0xba2bfc0a"
HAS_ROLE = "0x91d14854"
CONTROLLER = "0x7b765e0e932d348852a6f810bfa1ab891e259123f02db8cdcde614c570223357"

WORDS = frozenset((*OPERATOR_WORDS, *CONFIG_WORDS, "owned", "free"))
WORDS_OF = frozenset((*SPONSORSHIP_WORDS, "stake", "slashed", "role"))
MOST_NODES = 20
"""Node keys whose balance is asked for."""

MOST_TOGETHER = 100
"""Calls in one question: a few million gas, which is less than any known endpoint allows for."""

TRIAL_RANK = 5
"""Before other questions: what it finds may make the single ones unnecessary."""


class Call(NamedTuple):
    """One getter: its word's key, the contract, the call data, and the period in seconds."""

    key: str
    to: str
    data: str
    period_s: float


class Round(NamedTuple):
    """Calls that are run together, by their words' keys; `trial` asks the same while they are asked singly."""

    words: tuple[str, ...]
    endpoint: Endpoint
    trial: Endpoint


def word_questions(memory: StreamrMemory) -> list[Endpoint]:
    """The questions for all words: together where they can be, singly where they must be."""
    url, refused = memory.options.rpc_url, memory.refused
    calls, rounds = _wanted(memory)
    together = {word for each in rounds if each.endpoint.key not in refused for word in each.words}
    found = [each.trial if each.endpoint.key in refused else each.endpoint for each in rounds]
    single = [each for each in calls if each.key not in together or each.key in memory.alone]
    return [*found, *(call(url, *each) for each in single)]


def with_words(memory: StreamrMemory, key: str, reply: Reply) -> StreamrMemory:
    """The memory with the words of one round; the very same if by now other calls are wanted.

    Raises:
        ShapeError: The answer is not of the documented shape, or the RPC asks for patience.
    """
    calls, rounds = _wanted(memory)
    asked = _named(rounds, key)
    if asked is None:
        return memory
    try:
        values = answers.read_words(reply, key, len(asked.words))
    except answers.TogetherRefusedError:
        return with_refusal(memory, key)
    found = {
        word: value
        for word, value in zip(asked.words, values, strict=True)
        if value is not None and _can_be(word, value)
    }
    if not found:
        return with_refusal(memory, key)
    failed = memory.alone.union(asked.words).difference(found)
    alone = failed.intersection(each.key for each in calls)
    if asked.endpoint.key in memory.refused or alone != memory.alone:
        memory = replace(memory, refused=memory.refused - {asked.endpoint.key}, alone=alone)
    if all(memory.words.get(word) == value for word, value in found.items()):
        return memory
    return replace(memory, words={**memory.words, **found})


def with_refusal(memory: StreamrMemory, key: str) -> StreamrMemory:
    """The memory after a round of calls was not run together; the very same where that is known."""
    _, rounds = _wanted(memory)
    asked = _named(rounds, key)
    if asked is None or asked.endpoint.key in memory.refused:
        return memory
    still = memory.refused.intersection(each.endpoint.key for each in rounds)
    return replace(memory, refused=still | {asked.endpoint.key})


def checked(key: str, value: int) -> int:
    """The same word.

    Raises:
        ShapeError: It is to be an address, and is none.
    """
    if key in ("owner", "config"):
        abi.address(value, key)
    return value


def calls_fact(memory: StreamrMemory) -> str | None:
    """How many getters are asked singly because they are not run together, in words; None when none is."""
    calls, rounds = _wanted(memory)
    refused = sum(len(each.words) for each in rounds if each.endpoint.key in memory.refused)
    return f"{refused} of {len(calls)} one by one: the RPC does not run them together" if refused else None


@lru_cache(maxsize=1024)
def call(url: str, key: str, to: str, data: str, period_s: float) -> Endpoint:
    """One call by itself. The same for hours, and offered at every tick: made once."""
    return Endpoint(key=key, request=answers.call_question(url, to, data), period_s=period_s, lane="slow")


def _can_be(word: str, value: int) -> bool:
    """Whether a word is what it must be; if not it is asked for singly, and refused there."""
    try:
        checked(word, value)
    except ShapeError:
        return False
    return True


def _named(rounds: tuple[Round, ...], key: str) -> Round | None:
    return next((each for each in rounds if key in (each.endpoint.key, each.trial.key)), None)


def _wanted(memory: StreamrMemory) -> tuple[tuple[Call, ...], tuple[Round, ...]]:
    """All calls that are to be made now, and the rounds that most of them make up."""
    options, words, earnings = memory.options, memory.words, memory.earnings
    return _calls_and_rounds(
        options.rpc_url,
        options.multicall,
        memory.operator,
        options.data_token,
        words.get("owner"),
        words.get("config"),
        () if earnings is None else earnings.sponsorships,
        (memory.nodes or ())[:MOST_NODES],
    )


@lru_cache(maxsize=256)
def _calls_and_rounds(
    url: str,
    multicall: str,
    operator: str,
    data_token: str,
    owner: int | None,
    config: int | None,
    sponsorships: tuple[str, ...],
    nodes: tuple[str, ...],
) -> tuple[tuple[Call, ...], tuple[Round, ...]]:
    """The same for hours, and offered at every tick: made once."""
    calls = [
        *_of_operator(operator, data_token, owner, nodes),
        *(_of_config(abi.address(config, "config")) if config is not None else ()),
        *(made for each in sponsorships for made in _of_sponsorship(operator, each)),
    ]
    return tuple(calls), tuple(_rounds(url, multicall, calls)) if multicall else ()


def _rounds(url: str, multicall: str, calls: list[Call]) -> Iterator[Round]:
    """The calls of one pace after the other, in parts that are not too large; one call alone makes no round."""
    for pace, period_s in PACES.items():
        paced = [each for each in calls if each.period_s == period_s]
        for begin in range(0, len(paced), MOST_TOGETHER):
            part = paced[begin : begin + MOST_TOGETHER]
            if len(part) > 1:
                yield _round_of(url, multicall, pace, period_s, part)


def _round_of(url: str, multicall: str, pace: str, period_s: float, part: list[Call]) -> Round:
    """A round whose key tells exactly which calls it is made of: an answer to others is never taken for it."""
    digest = sha256(repr([each[:3] for each in part]).encode()).hexdigest()[:12]
    question = answers.together_question(url, multicall, [(each.to, each.data) for each in part])
    return Round(
        words=tuple(each.key for each in part),
        endpoint=Endpoint(key=f"words/{pace}/{digest}", request=question, period_s=period_s, lane="slow"),
        trial=Endpoint(
            key=f"words/again/{digest}",
            request=question,
            period_s=DAY_S,
            lane="slow",
            rank=TRIAL_RANK,
            backoff_max_s=DAY_S,
        ),
    )


def _of_operator(operator: str, data_token: str, owner: int | None, nodes: tuple[str, ...]) -> Iterator[Call]:
    for key, (selector, period_s) in OPERATOR_WORDS.items():
        yield Call(key, operator, selector, period_s)
    yield Call("free", data_token, abi.call_data(BALANCE_OF, operator), HOUR_S)
    if owner is not None:
        yield Call("owned", operator, abi.call_data(BALANCE_OF, abi.address(owner, "owner")), HOUR_S)
    for each in nodes:
        yield Call(f"role/{each}", operator, abi.call_data(HAS_ROLE, CONTROLLER, each), DAY_S)


def _of_config(contract: str) -> Iterator[Call]:
    for key, selector in CONFIG_WORDS.items():
        yield Call(key, contract, selector, RARELY_S)


def _of_sponsorship(operator: str, sponsorship: str) -> Iterator[Call]:
    yield Call(f"stake/{sponsorship}", operator, abi.call_data(STAKED_INTO, sponsorship), HOUR_S)
    yield Call(f"slashed/{sponsorship}", operator, abi.call_data(SLASHED_IN, sponsorship), HOUR_S)
    for key, (selector, mine, period_s) in SPONSORSHIP_WORDS.items():
        data = abi.call_data(selector, operator) if mine else selector
        yield Call(f"{key}/{sponsorship}", sponsorship, data, period_s)
