"""Whether a Streamr operator is well.

The chain tells the money and whether a flag is open; the node itself only speaks where its `info` plugin is
on, which it rarely is. A silent `/info` therefore never means that the node is down.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orch.protocols.streamr_beats import silence

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.readings import Health
    from orch.protocols.streamr_memory import StreamrMemory

LAG = timedelta(minutes=5)
"""A newest block older than this when it was answered: the RPC is behind."""

SILENT = timedelta(minutes=15)
FORGOTTEN = timedelta(minutes=30)


def health_of(memory: StreamrMemory, now: datetime) -> tuple[Health, str]:
    """The operator's health and, in a few words, why."""
    if flags(memory):
        return "degraded", "a flag is open against the operator"
    if wrong_chain(memory):
        return "degraded", f"the RPC serves chain {memory.words['chain']}, not {memory.options.chain_id}"
    chain = _chain(memory, now)
    if chain is not None:
        return chain
    if silence(memory) is not None:
        return "degraded", "no node of the operator publishes heartbeats"
    info = memory.info
    if info is not None and "info" not in memory.failures and now - info.seen_at < SILENT:
        if not info.neighbours or not info.connections:
            return "degraded", "the node has no neighbours in the network"
        return "online", f"{info.connections} connections, {info.stream_parts} stream partitions"
    if memory.options.info_url is None:
        return "online", "by the chain alone: no info_url is configured"
    return "online", "by the chain alone: local diagnostics off"


def _chain(memory: StreamrMemory, now: datetime) -> tuple[Health, str] | None:
    """What is wrong with the view of the chain, or None."""
    block, failure = memory.block, memory.failures.get("block")
    if block is None:
        return "unknown", "not asked yet" if failure is None else f"the chain cannot be read: {failure.sentence}"
    age = now - block.seen_at
    if age > FORGOTTEN:
        return "unknown", f"the chain has not been read since {block.seen_at:%Y-%m-%d %H:%M:%S} UTC"
    if failure is not None:
        return "degraded", f"the chain cannot be read: {failure.sentence}"
    if age > SILENT:
        return "degraded", f"the chain has not been read since {block.seen_at:%Y-%m-%d %H:%M:%S} UTC"
    lag = block.seen_at - block.mined_at
    if lag > LAG:
        return "degraded", f"the RPC is {lag.total_seconds() / 60:.0f} min behind the chain"
    return None


def flags(memory: StreamrMemory) -> tuple[str, ...]:
    """The sponsorships in which stake is locked by an open flag."""
    return tuple(
        key.partition("/")[2] for key, value in memory.words.items() if key.startswith("locked/") and value
    )


def wrong_chain(memory: StreamrMemory) -> bool:
    """Whether the RPC serves another chain, whose tokens are worth nothing."""
    return memory.words.get("chain", memory.options.chain_id) != memory.options.chain_id
