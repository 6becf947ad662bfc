"""A Streamr operator that is told situations from `tests/answers/streamr`, as an adapter would tell them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orch.model.wire import NoReply
from orch.protocols.attend import Attended, take
from orch.protocols.base import Context
from orch.protocols.schedule import Schedule, Turn
from orch.protocols.streamr import PROTOCOL
from orch.protocols.streamr_memory import StreamrOptions

NOW = datetime(2026, 11, 15, 12, tzinfo=UTC)
OPERATOR = "0xe3a1a7ed00000000000000000000000000000001"
FIRST = "0x2400000000000000000000000000000000000001"
SECOND = "0x2400000000000000000000000000000000000002"
NODE = "0xf100000000000000000000000000000000000005"
NEWEST = 80_000_000
WHOLE = ("healthy_block", "chain_polygon", "healthy_history", "healthy_earnings")
STAKES = ("stake_first", "stake_second", "total_first", "total_second", "solvent_first", "solvent_for_ever")
LATER = ("next_block", "later_logs", "later_earnings")


def mined(block):
    """When a block was mined: one every two seconds."""
    return datetime(2026, 11, 15, 11, 59, 58, tzinfo=UTC) - timedelta(seconds=2 * (NEWEST - block))


def begin(**options):
    """An operator nobody has heard of yet."""
    chosen = {
        "rpc_url": "https://rpc.example/key",
        "operator": OPERATOR,
        "history_days": 1.0,
        "log_chunk_blocks": 2_000_000,
    } | options
    return PROTOCOL.begin(StreamrOptions(**chosen), Context(node="relay", host="here"))


class Teller:
    """Hands answers over: `tell(*situations)` is the memory after them, `fail(situation)` how one is refused."""

    def __init__(self, load):
        self._load = load

    def __call__(self, *situations, memory=None, now=NOW):
        memory = begin() if memory is None else memory
        for situation in situations:
            key, answer = self._load(situation, now)
            take_in = PROTOCOL.failed if isinstance(answer, NoReply) else PROTOCOL.absorb
            memory = take_in(memory, key, answer, now)
        return memory

    def fail(self, situation, memory, now=NOW):
        """The typed failure of an answer, and the memory after it, as the adapter keeps them."""
        key, answer = self._load(situation, now)
        return outcome(memory, key, answer, now)


def outcome(memory, key, answer, now=NOW):
    """`(failure or None, memory)` after an answer."""
    turn = Turn(key=key, lane="fast", period_s=300.0, backoff_max_s=600.0, asked_at=now)
    state = Attended(memory=memory, schedule=Schedule(turns={turn.key: turn}))
    state, failure = take(PROTOCOL, state, key, answer, now)
    return failure, state.memory


def silence(reason, status=None, now=NOW):
    """No answer, for a reason."""
    return NoReply(
        reason=reason, sentence="no answer", retryable=True, failed_at=now, elapsed_s=0.1, status=status, body=b""
    )


def reading(memory, now=NOW):
    """What is reported of it."""
    return PROTOCOL.reading(memory, now)


def codes(memory, now=NOW):
    """The codes of its findings."""
    return {finding.code for finding in reading(memory, now).findings}


def facts(memory, now=NOW):
    """Its facts by name."""
    return dict(reading(memory, now).facts)
