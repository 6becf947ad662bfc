"""Streamr: an operator whose staked capital earns by the second, read from Polygon by JSON-RPC.

The node itself knows nothing of money. Every five minutes the newest block is asked for; the operator's
earnings are then read at that very block and its events up to it (`streamr_money` joins the two). Time is
block time throughout. Income does not depend on the host's resources: they are a floor to protect, set by the
configuration. Sources: Streamr's Operator and Sponsorship contracts, Ethereum JSON-RPC, the node's `/info`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.errors import AbsurdError, ShapeError
from orch.model.kept import with_parts
from orch.model.readings import Outlook, Reading
from orch.protocols import streamr_answers as answers
from orch.protocols import streamr_beats as beats
from orch.protocols import streamr_extras as extras
from orch.protocols import streamr_gas as gas
from orch.protocols import streamr_getters as getters
from orch.protocols import streamr_scan as scanning
from orch.protocols.streamr_advice import advise, calldata_facts, in_words
from orch.protocols.streamr_findings import findings_of
from orch.protocols.streamr_fleet import autostaker, redundancy
from orch.protocols.streamr_gas import COIN
from orch.protocols.streamr_getters import WORDS, WORDS_OF
from orch.protocols.streamr_health import health_of, wrong_chain
from orch.protocols.streamr_memory import StreamrMemory, StreamrOptions
from orch.protocols.streamr_money import UNIT, newest_heartbeat, restate, time_of, to_data
from orch.protocols.streamr_questions import questions
from orch.protocols.streamr_rates import fee_share, money_facts, owners_share, pace, with_slope

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import NoReply, Reply
    from orch.protocols.base import Context, Endpoint
    from orch.protocols.streamr_memory import Block, Graph

WINDOW_S = 6 * 3600.0
WITHOUT_HEADER = beats.KEYS | {"setup"}
KEPT_FAILURES = ("block", "info", "setup", "graph", "fleet", "fleet/again")


class Streamr:
    """The protocol `streamr`."""

    name = "streamr"
    options = StreamrOptions
    tokens = (UNIT,)
    cost_tokens = (COIN,)
    verify_s = 86_400.0
    seen_in = "last_seen_at"
    levers = ("cgroup", "docker", "systemd", "tc", "command", "emulated")

    def begin(self, options: StreamrOptions, context: Context) -> StreamrMemory:
        """An empty memory."""
        return StreamrMemory(options=options, context=context)

    def endpoints(self, memory: StreamrMemory, now: datetime) -> tuple[Endpoint, ...]:  # noqa: ARG002 - ProtocolSpec
        """Everything that may be asked: what depends on a block only once there is one."""
        return questions(memory)

    def absorb(self, memory: StreamrMemory, key: str, reply: Reply, now: datetime) -> StreamrMemory:
        """The memory with one answer taken in.

        Raises:
            ShapeError: The answer is not of the documented shape, or the RPC answers an error.
            AbsurdError: It is, and cannot be true; also a block older than one already seen.
        """
        taken = _absorb(memory, key, reply, now)
        over = beats.KEYS if key in beats.KEYS else {key}
        emulated = memory.emulated if key in WITHOUT_HEADER else reply.header("X-Orch-Emulated") is not None
        if emulated == taken.emulated and over.isdisjoint(taken.failures):
            return taken
        failures = {name: failure for name, failure in taken.failures.items() if name not in over}
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
        if key in KEPT_FAILURES and failure.reason != "absurd":
            return replace(memory, failures={**memory.failures, key: failure})
        if key.startswith("open/"):
            upgraded = failure.status == 101
            return replace(memory, open_to_all={**memory.open_to_all, key.partition("/")[2]: upgraded})
        if key.startswith("receipt/"):
            return gas.without_receipt(memory, key.partition("/")[2], failure)
        if key.startswith("words/") and answers.is_refusal(failure):
            return getters.with_refusal(memory, key)
        if key.startswith(("logs/", "history/")):
            refused = failure.reason == "http_status" and answers.is_refusal(failure)
            if refused or failure.reason == "too_large":
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
            outlooks=(Outlook(form="floor", unit=memory.unit),),
            pace=None if wrong_chain(memory) else pace(memory, now),
            fee_share=fee_share(memory) or 0.0,
            cost_note=gas.gas_note(memory),
            window_s=WINDOW_S,
            findings=findings_of(memory, now),
            facts=_facts(memory, now),
        )


PROTOCOL = Streamr()


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
        case "receipt":
            return _settle(gas.with_receipt(memory, name, answers.read_receipt(reply, key, name)))
        case "info":
            return replace(memory, info=answers.read_info(reply, now), last_seen_at=now)
    return _with_state(memory, key, reply, now)


def _with_state(memory: StreamrMemory, key: str, reply: Reply, now: datetime) -> StreamrMemory:
    """Answers that say how things stand now, each for itself."""
    kind, _, name = key.partition("/")
    match kind:
        case "words":
            return getters.with_words(memory, key, reply)
        case "open":
            return replace(memory, open_to_all={**memory.open_to_all, name: name == "info"})
        case "fleet":
            return beats.with_beats(memory, beats.read_beats(reply, key), now)
        case "setup":
            return with_parts(memory, setup=extras.read_setup(reply, key))
        case "graph":
            return with_parts(memory, graph=_newer(memory.graph, extras.read_graph(reply, key)))
        case "queue":
            return with_parts(memory, queue=answers.read_queue(reply, key))
        case "nodes":
            return with_parts(memory, nodes=answers.read_addresses(reply, key))
        case "metadata":
            return with_parts(memory, metadata=answers.read_text(reply, key))
        case "gas_price" | "pol":
            return _with_word(memory, key, answers.read_quantity(reply, key, bits=256))
    if key in WORDS or kind in WORDS_OF:
        return _with_word(memory, key, getters.checked(key, answers.read_word(reply, key)))
    raise ShapeError(f"{key}: an answer to a question that is not asked")


def _with_word(memory: StreamrMemory, key: str, value: int) -> StreamrMemory:
    """The memory with one word; the same as before where it says nothing new."""
    return memory if memory.words.get(key) == value else replace(memory, words={**memory.words, key: value})


def _newer(known: Graph | None, found: Graph) -> Graph:
    """A subgraph that falls back behind itself is not believed."""
    if known is not None and found.block < known.block:
        raise AbsurdError(f"graph: block {found.block} comes after {known.block}; the subgraph has gone backwards")
    return found


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
        if word.partition("/")[0] not in WORDS_OF - {"role"}
        or "/" not in word
        or _of(word) in earnings.sponsorships
    }
    words = left if len(left) < len(memory.words) else memory.words
    return _settle(replace(memory, earnings=earnings, words=words))


def _of(word: str) -> str:
    return word.partition("/")[2]


def _settle(memory: StreamrMemory) -> StreamrMemory:
    """What follows once earnings and events are known up to one block: accruals, the rate, advice."""
    stated = restate(memory)
    scan, earnings = stated.scan, stated.earnings
    if scan is None or earnings is None or not scan.low <= earnings.block.number <= scan.high:
        return stated
    sloped = with_slope(stated)
    if sloped is stated:
        return stated
    found = advise(sloped)
    return replace(
        sloped,
        advice=None if found is None else in_words(sloped, found),
        calldata=() if found is None else tuple(calldata_facts(found)),
    )


def _with_logs(memory: StreamrMemory, key: str, reply: Reply) -> StreamrMemory:
    first, last = scanning.range_of(key)
    try:
        events = answers.read_events(reply, key, memory.operator, first, last)
    except answers.RangeRefusedError as refusal:
        smaller = scanning.with_smaller_ranges(memory, key, refused=True)
        if smaller is memory:
            raise ShapeError(f"{key}: the RPC answers an error: {str(refusal)[:120]}") from refusal
        return smaller
    return _settle(gas.with_unread(scanning.with_events(memory, first, last, events)))


def _with_time(memory: StreamrMemory, key: str, name: str, reply: Reply, now: datetime) -> StreamrMemory:
    block = answers.read_block(reply, key, now)
    if name != str(block.number):
        raise ShapeError(f"{key}: the answer is about block {block.number}")
    return _settle(replace(memory, times={**memory.times, block.number: block.mined_at}))


def _facts(memory: StreamrMemory, now: datetime) -> tuple[tuple[str, str], ...]:
    words = memory.words
    fee, share = words.get("fee"), owners_share(memory)
    net = None
    if share is not None:
        net = f"{share:.1%} of gross after the protocol's fee and the delegators' part"
    beat = newest_heartbeat(memory)
    beaten_at = None if beat is None else time_of(memory, beat)
    fleet = redundancy(memory)
    diagnostics = "off" if memory.info is None or "info" in memory.failures else "on"
    known = (
        ("operator", memory.operator),
        ("block", None if memory.block is None else str(memory.block.number)),
        ("staked", _data(words.get("staked"))),
        ("slashed", _data(words.get("slashed"))),
        ("free", _data(words.get("free"))),
        ("value without earnings", _data(words.get("value"))),
        ("live heartbeats", beats.beats_fact(memory)),
        ("gas", gas.gas_fact(memory)),
        ("sponsorships", None if memory.earnings is None else str(len(memory.earnings.sponsorships))),
        ("protocol fee", None if fee is None else f"{fee / 1e18:.1%}"),
        ("owner's net", net),
        ("history", _history_fact(memory)),
        ("nodes", None if memory.nodes is None else str(len(memory.nodes))),
        ("redundancy factor", None if fleet is None else str(fleet)),
        ("last heartbeat on the chain", None if beaten_at is None else f"{beaten_at:%Y-%m-%d %H:%M} UTC"),
        ("queue", _queue_fact(memory, now)),
        ("autostaker", autostaker(memory)),
        ("getters", getters.calls_fact(memory)),
        ("subgraph", None if memory.graph is None else f"as of block {memory.graph.block}"),
        ("local diagnostics", diagnostics),
        ("node id", None if memory.info is None else memory.info.node_id),
    )
    stated = tuple((name, value) for name, value in known if value is not None)
    return (*stated, *money_facts(memory), *memory.calldata)


def _queue_fact(memory: StreamrMemory, now: datetime) -> str | None:
    queue = memory.queue
    if queue is None:
        return None
    if not queue:
        return "empty"
    days = (now - queue[0].since).total_seconds() / 86_400
    return f"{_data(sum(each.amount for each in queue))} wanted, the oldest for {days:.1f} days"


def _history_fact(memory: StreamrMemory) -> str | None:
    scan = memory.scan
    if scan is None:
        return None
    done = "complete" if scan.low <= scan.floor else f"back to block {scan.low} of {scan.floor}"
    return f"{done}, {len(memory.events)} events"


def _data(wei: int | None) -> str | None:
    return None if wei is None else f"{to_data(wei):.2f} DATA"
