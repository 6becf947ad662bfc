"""Streamr: an operator whose staked capital earns by the second, read from Polygon by JSON-RPC.

The node itself knows nothing of money. Every five minutes the newest block is asked for; the operator's
earnings are then read at that very block and its events up to it (`streamr_money` joins the two). Time is
block time throughout. Income does not depend on the host's resources: they are a floor to protect, set by the
configuration. Sources: Streamr's Operator and Sponsorship contracts, Ethereum JSON-RPC, the node's `/info`.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.errors import AbsurdError, ShapeError
from orch.model.readings import Outlook, Reading
from orch.model.wire import HttpRequest, Secret
from orch.protocols import streamr_abi as abi
from orch.protocols import streamr_answers as answers
from orch.protocols import streamr_scan as scanning
from orch.protocols.base import Context, Endpoint
from orch.protocols.streamr_health import findings_of, health_of, own_share, wrong_chain
from orch.protocols.streamr_memory import StreamrMemory, StreamrOptions
from orch.protocols.streamr_money import UNIT, restate, to_data, without_time

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import NoReply, Reply
    from orch.protocols.streamr_memory import Block

BLOCK_S = 300.0
INFO_S = 60.0
FLAG_S = 300.0
HOUR_S = 3600.0
DAY_S = 86_400.0
WINDOW_S = 6 * 3600.0

_OPERATOR_WORDS = {
    "value": "0xc229918e",  # valueWithoutEarnings()
    "staked": "0x04cbab8b",  # totalStakedIntoSponsorshipsWei()
    "slashed": "0x870ffde2",  # totalSlashedInSponsorshipsWei()
    "cut": "0x558a1568",  # operatorsCutFraction()
    "supply": "0x18160ddd",  # totalSupply()
    "owner": "0x8da5cb5b",  # owner()
    "config": "0x98833130",  # streamrConfig()
}
_BALANCE_OF = "0x70a08231"
_PROTOCOL_FEE = "0x3a0298eb"
_STAKED_INTO = "0x7d429385"
_LOCKED_STAKE = "0x19d164f1"
_TOTAL_STAKED = "0x34a0f881"
_SOLVENT_UNTIL = "0x71b906eb"
_JOIN_TIME = "0x303cbe57"
_WORDS = frozenset((*_OPERATOR_WORDS, "owned", "fee", "free"))
_WORDS_OF = frozenset(("stake", "locked", "total", "solvent", "joined"))
_KEPT_FAILURES = ("block", "info")


class Streamr:
    """The protocol `streamr`."""

    name = "streamr"
    options = StreamrOptions
    tokens = (UNIT,)
    levers = ("emulated", "cgroup", "docker", "systemd")

    def begin(self, options: StreamrOptions, context: Context) -> StreamrMemory:
        """An empty memory."""
        return StreamrMemory(options=options, context=context)

    def endpoints(self, memory: StreamrMemory, now: datetime) -> tuple[Endpoint, ...]:  # noqa: ARG002 - ProtocolSpec
        """Everything that may be asked: what depends on a block only once there is one."""
        url = memory.options.rpc_url
        newest = Endpoint(key="block", request=answers.block_question(url), period_s=BLOCK_S, vital=True)
        chain = Endpoint(
            key="chain", request=answers.rpc(url, "eth_chainId"), period_s=DAY_S, lane="slow", once=True
        )
        found = [newest, chain, *_info(memory)]
        if memory.block is not None and not wrong_chain(memory):
            found += [*_money(memory, memory.block), *_history(memory), *_words(memory)]
        return tuple(found)

    def absorb(self, memory: StreamrMemory, key: str, reply: Reply, now: datetime) -> StreamrMemory:
        """The memory with one answer taken in.

        Raises:
            ShapeError: The answer is not of the documented shape, or the RPC answers an error.
            AbsurdError: It is, and cannot be true; also a block older than one already seen.
        """
        taken = _absorb(memory, key, reply, now)
        failures = {name: failure for name, failure in taken.failures.items() if name != key}
        emulated = reply.header("X-Orch-Emulated") is not None
        return replace(taken, failures=failures, emulated=emulated)

    def failed(
        self,
        memory: StreamrMemory,
        key: str,
        failure: NoReply,
        now: datetime,  # noqa: ARG002 - ProtocolSpec
    ) -> StreamrMemory:
        """The memory with one failure taken in: ranges that were too much are asked for in smaller ones.

        An impossible answer (a block that goes backwards) is a dropped sample, not trouble with the chain.
        """
        if key in _KEPT_FAILURES and failure.reason != "absurd":
            return replace(memory, failures={**memory.failures, key: failure})
        if key.startswith(("logs/", "history/")):
            if failure.reason == "too_large" or _refuses_range(failure):
                return scanning.with_smaller_ranges(memory, key, refused=True)
            if failure.reason == "timeout":
                return scanning.with_smaller_ranges(memory, key, refused=False)
        return memory

    def reading(self, memory: StreamrMemory, now: datetime) -> Reading:
        """Everything known now. Allocation and use are the levers' to tell."""
        health, reason = health_of(memory, now)
        return Reading(
            node=memory.context.node,
            protocol=self.name,
            taken_at=now,
            emulated=memory.emulated,
            health=health,
            health_reason=reason,
            last_seen_at=memory.last_seen_at,
            accruals=() if wrong_chain(memory) else memory.stated,
            outlooks=(Outlook(form="floor", unit=UNIT),),
            window_s=WINDOW_S,
            findings=findings_of(memory, now),
            facts=_facts(memory),
        )


PROTOCOL = Streamr()


# -- what is asked ---------------------------------------------------------------------------------------


def _info(memory: StreamrMemory) -> list[Endpoint]:
    options = memory.options
    if options.info_url is None:
        return []
    key = options.info_key
    bearer = () if key is None else (("Authorization", Secret(value=f"Bearer {key.value}")),)
    request = HttpRequest(url=f"{options.info_url.rstrip('/')}/info", secret_headers=bearer)
    return [Endpoint(key="info", request=request, period_s=INFO_S, lane="slow")]


def _money(memory: StreamrMemory, block: Block) -> list[Endpoint]:
    """Earnings at the newest block and events up to it. Their keys name the block: they are due at once."""
    options, found = memory.options, []
    if memory.earnings is None or memory.earnings.block.number < block.number:
        question = answers.call_question(options.rpc_url, options.operator, answers.GET_EARNINGS, block.number)
        found.append(
            Endpoint(
                key=f"earnings/{block.number}", request=question, period_s=BLOCK_S, once=True, backoff_max_s=60.0
            )
        )
    new = None if memory.scan is None else scanning.forward(memory.scan, block)
    return [*found, *_logs(memory, "logs", new, rank=10)]


def _history(memory: StreamrMemory) -> list[Endpoint]:
    """Ranges of older blocks, after everything else in their lane, and the times that events came without."""
    old = None if memory.scan is None else scanning.backward(memory.scan)
    url = memory.options.rpc_url
    times = [
        Endpoint(
            key=f"time/{block}",
            request=answers.block_question(url, block),
            period_s=HOUR_S,
            lane="slow",
            once=True,
        )
        for block in without_time(memory)
    ]
    return [*_logs(memory, "history", old, rank=20), *times]


def _logs(memory: StreamrMemory, kind: str, blocks: tuple[int, int] | None, *, rank: int) -> list[Endpoint]:
    if blocks is None:
        return []
    question = answers.logs_question(memory.options.rpc_url, memory.operator, *blocks)
    key = f"{kind}/{blocks[0]}-{blocks[1]}"
    return [Endpoint(key=key, request=question, period_s=BLOCK_S, rank=rank, once=True, backoff_max_s=300.0)]


def _words(memory: StreamrMemory) -> list[Endpoint]:
    """The getters with one word: the operator's, and those of each of its sponsorships."""
    url, operator = memory.options.rpc_url, memory.operator
    found = [_word(url, key, operator, selector, HOUR_S) for key, selector in _OPERATOR_WORDS.items()]
    free = abi.call_data(_BALANCE_OF, operator)
    found.append(_word(url, "free", memory.options.data_token, free, HOUR_S))
    if "owner" in memory.words:
        owned = abi.call_data(_BALANCE_OF, abi.address(memory.words["owner"], "owner"))
        found.append(_word(url, "owned", operator, owned, HOUR_S))
    if "config" in memory.words:
        config = abi.address(memory.words["config"], "config")
        found.append(_word(url, "fee", config, _PROTOCOL_FEE, HOUR_S))
    for each in () if memory.earnings is None else memory.earnings.sponsorships:
        found += [
            _word(url, f"locked/{each}", each, abi.call_data(_LOCKED_STAKE, operator), FLAG_S),
            _word(url, f"stake/{each}", operator, abi.call_data(_STAKED_INTO, each), HOUR_S),
            _word(url, f"total/{each}", each, _TOTAL_STAKED, HOUR_S),
            _word(url, f"solvent/{each}", each, _SOLVENT_UNTIL, HOUR_S),
            _word(url, f"joined/{each}", each, abi.call_data(_JOIN_TIME, operator), DAY_S),
        ]
    return found


@lru_cache(maxsize=1024)
def _word(url: str, key: str, to: str, data: str, period_s: float) -> Endpoint:
    """The same for hours, and offered at every tick: made once."""
    return Endpoint(key=key, request=answers.call_question(url, to, data), period_s=period_s, lane="slow")


# -- what is answered ------------------------------------------------------------------------------------


def _absorb(memory: StreamrMemory, key: str, reply: Reply, now: datetime) -> StreamrMemory:
    kind, _, name = key.partition("/")
    match kind:
        case "block":
            return _with_block(memory, answers.read_block(reply, key, now))
        case "chain":
            return replace(memory, words={**memory.words, key: answers.read_quantity(reply, key)})
        case "earnings":
            return _with_earnings(memory, key, name, reply)
        case "logs" | "history":
            return _with_logs(memory, key, reply)
        case "time":
            return _with_time(memory, key, name, reply, now)
        case "info":
            return replace(memory, info=answers.read_info(reply, now), last_seen_at=now)
    if key in _WORDS or kind in _WORDS_OF:
        value = answers.read_word(reply, key)
        if key in ("owner", "config"):
            abi.address(value, key)
        return replace(memory, words={**memory.words, key: value})
    raise ShapeError(f"{key}: an answer to a question that is not asked")


def _with_block(memory: StreamrMemory, block: Block) -> StreamrMemory:
    """A newer block, or the same; not all providers behind an address are equally far: older ones are dropped."""
    known = memory.block
    if known is not None and (block.number < known.number or block.mined_at < known.mined_at):
        raise AbsurdError(f"block: {block.number} comes after {known.number}; the RPC has gone backwards")
    scan = memory.scan or scanning.begin_scan(memory.options, block)
    return replace(memory, block=block, scan=scan, last_seen_at=block.seen_at)


def _with_earnings(memory: StreamrMemory, key: str, name: str, reply: Reply) -> StreamrMemory:
    """Earnings at the newest block; an answer about an older one comes too late and is dropped."""
    if memory.block is None or name != str(memory.block.number):
        return memory
    earnings = answers.read_earnings(reply, key, memory.block)
    left = {
        word: value
        for word, value in memory.words.items()
        if "/" not in word or word.partition("/")[2] in earnings.sponsorships
    }
    return restate(replace(memory, earnings=earnings, words=left))


def _with_logs(memory: StreamrMemory, key: str, reply: Reply) -> StreamrMemory:
    first, last = scanning.range_of(key)
    try:
        events = answers.read_events(reply, key, memory.operator, first, last)
    except answers.RangeRefusedError as refusal:
        smaller = scanning.with_smaller_ranges(memory, key, refused=True)
        if smaller is memory:
            raise ShapeError(f"{key}: the RPC answers an error: {str(refusal)[:120]}") from refusal
        return smaller
    return restate(scanning.with_events(memory, first, last, events))


def _with_time(memory: StreamrMemory, key: str, name: str, reply: Reply, now: datetime) -> StreamrMemory:
    block = answers.read_block(reply, key, now)
    if name != str(block.number):
        raise ShapeError(f"{key}: the answer is about block {block.number}")
    return restate(replace(memory, times={**memory.times, block.number: block.mined_at}))


def _refuses_range(failure: NoReply) -> bool:
    """Whether a refused status carries a JSON-RPC error that a smaller range may heal."""
    if failure.reason != "http_status" or failure.status is None or failure.status >= 500:
        return False
    try:
        message = json.loads(failure.body)["error"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return isinstance(message, str) and not answers.is_too_often(message)


def _facts(memory: StreamrMemory) -> tuple[tuple[str, str], ...]:
    words = memory.words
    own, cut, fee = own_share(memory), words.get("cut"), words.get("fee")
    net = None
    if own is not None and cut is not None and fee is not None:
        share = cut / 1e18 + (1 - cut / 1e18) * own
        net = f"{(1 - fee / 1e18) * share:.1%} of gross after the protocol's fee and the delegators' part"
    diagnostics = "off" if memory.info is None or "info" in memory.failures else "on"
    known = (
        ("operator", memory.operator),
        ("block", None if memory.block is None else str(memory.block.number)),
        ("staked", _data(words.get("staked"))),
        ("slashed", _data(words.get("slashed"))),
        ("free", _data(words.get("free"))),
        ("value without earnings", _data(words.get("value"))),
        ("sponsorships", None if memory.earnings is None else str(len(memory.earnings.sponsorships))),
        ("protocol fee", None if fee is None else f"{fee / 1e18:.1%}"),
        ("owner's net", net),
        ("history", _history_fact(memory)),
        ("local diagnostics", diagnostics),
        ("node id", None if memory.info is None else memory.info.node_id),
    )
    return tuple((name, value) for name, value in known if value is not None)


def _history_fact(memory: StreamrMemory) -> str | None:
    scan = memory.scan
    if scan is None:
        return None
    done = "complete" if scan.low <= scan.floor else f"back to block {scan.low} of {scan.floor}"
    return f"{done}, {len(memory.events)} events"


def _data(wei: int | None) -> str | None:
    return None if wei is None else f"{to_data(wei):.2f} DATA"
