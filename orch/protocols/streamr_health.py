"""Whether a Streamr operator is well, and what its operator should know.

The chain tells the money and whether a flag is open; the node itself only speaks where its `info` plugin is
on, which it rarely is. A silent `/info` therefore never means that the node is down.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from orch.model.readings import Finding, Health
from orch.protocols.streamr_money import penalties, to_data

if TYPE_CHECKING:
    from datetime import datetime

    from orch.protocols.streamr_memory import StreamrMemory

LAG = timedelta(minutes=5)
"""A newest block older than this when it was answered: the RPC is behind."""

SILENT = timedelta(minutes=15)
FORGOTTEN = timedelta(minutes=30)
SLASHED_WITHIN = timedelta(days=7)
UNCOLLECTED_WARNING, UNCOLLECTED_PAGE = 0.25, 0.6
SOLVENT_FOR_S = 72 * 3600
LEAST_OWN_SHARE = 0.06
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def health_of(memory: StreamrMemory, now: datetime) -> tuple[Health, str]:
    """The operator's health and, in a few words, why."""
    if flags(memory):
        return "degraded", "a flag is open against the operator"
    if wrong_chain(memory):
        return "degraded", f"the RPC serves chain {memory.words['chain']}, not {memory.options.chain_id}"
    chain = _chain(memory, now)
    if chain is not None:
        return chain
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


def findings_of(memory: StreamrMemory, now: datetime) -> tuple[Finding, ...]:
    """What the operator should know."""
    return (*_risk(memory, now), *_stake(memory), *_node(memory))


def _risk(memory: StreamrMemory, now: datetime) -> list[Finding]:
    found = []
    if wrong_chain(memory):
        found.append(
            _finding(
                "wrong_chain",
                "page",
                f"The RPC serves chain {memory.words['chain']}: nothing there is worth money.",
                "set `rpc_url` to an endpoint of the chain that the operator contract is on, or `chain_id`",
            )
        )
    found += [
        _finding(
            "flag_open",
            "page",
            f"A flag is open in sponsorship {sponsorship}: after an hour the vote may slash the stake.",
            "make sure that a node of the operator runs, is reachable and publishes its heartbeat",
        )
        for sponsorship in flags(memory)
    ]
    newest = memory.block.number if memory.block is not None else 0
    lost = [wei for _, mined_at, wei in penalties(memory, newest) if mined_at and now - mined_at < SLASHED_WITHIN]
    if lost:
        found.append(
            _finding(
                "slashed",
                "page",
                f"The operator lost {to_data(sum(lost)):.2f} DATA in the last week.",
                "look for missed heartbeats in the node's log and at its uptime",
            )
        )
    return found


def _stake(memory: StreamrMemory) -> list[Finding]:
    found = []
    earnings = memory.earnings
    share = earnings.total / earnings.most if earnings is not None and earnings.most else 0.0
    if share > UNCOLLECTED_WARNING:
        found.append(
            _finding(
                "uncollected",
                "page" if share > UNCOLLECTED_PAGE else "warning",
                f"Uncollected earnings are at {share:.0%} of their limit; above it anybody may take a quarter.",
                "withdraw earnings from the sponsorships; anyone may send that transaction",
            )
        )
    if earnings is not None:
        now_s = earnings.block.mined_at.timestamp()
        for sponsorship in earnings.sponsorships:
            until = memory.words.get(f"solvent/{sponsorship}")
            if until is not None and until < now_s + SOLVENT_FOR_S:
                found.append(
                    _finding(
                        "sponsorship_dry",
                        "warning",
                        f"Sponsorship {sponsorship} is dry within 72 h or already; the stake stays at risk.",
                        "reduce the stake there, or wait for its sponsor",
                    )
                )
    own = own_share(memory)
    if own is not None and own < LEAST_OWN_SHARE:
        found.append(
            _finding(
                "own_share_low",
                "warning",
                f"The owner holds {own:.1%} of the operator; below 5 % nothing can be staked.",
                "delegate own DATA to the operator",
            )
        )
    return found


def own_share(memory: StreamrMemory) -> float | None:
    """The owner's part of the operator, or None."""
    owned, supply = memory.words.get("owned"), memory.words.get("supply")
    return owned / supply if owned is not None and supply else None


def _node(memory: StreamrMemory) -> list[Finding]:
    found = []
    failure = memory.failures.get("info")
    if failure is not None and failure.reason == "unauthorised":
        found.append(
            _finding(
                "info_key_refused",
                "warning",
                "The node refuses the key for /info.",
                "set `info_key` to one of the keys in the node's `apiAuthentication`",
            )
        )
    info = memory.info
    if info is None or memory.options.info_url is None:
        return found
    if memory.options.info_key is None and urlsplit(memory.options.info_url).hostname not in LOOPBACK:
        found.append(
            _finding(
                "info_open",
                "warning",
                "The node answers anybody without a key on an address that others can reach.",
                "set `apiAuthentication` in the node's configuration, or publish the port on 127.0.0.1 only",
            )
        )
    if not info.reachable:
        found.append(
            _finding(
                "not_reachable",
                "warning",
                "The node judges itself not reachable from outside.",
                "open its websocket port (32200 by default) to the internet",
            )
        )
    if info.lonely_parts:
        found.append(
            _finding(
                "partitions_alone",
                "warning",
                f"{info.lonely_parts} stream partition(s) have no neighbour.",
                "if it lasts, restart the node while no flag is open",
            )
        )
    return found


def _finding(code: str, severity: Literal["info", "warning", "page"], sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity=severity, sentence=sentence, remedy=remedy)
