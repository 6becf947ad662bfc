"""What the operator's own transactions cost: gas, from the receipts of those that the event scan came across.

Earnings may be withdrawn by anybody, and a flag's vote is sent by others: only what the owner or a node's key sent
was paid for by the operator. A transaction that emitted nothing (it was reverted) is not among the events, so its
gas is not seen. Source: `eth_getTransactionReceipt` of Ethereum JSON-RPC; gas is paid in the chain's coin, POL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.model.kept import kept_by
from orch.protocols import streamr_abi as abi
from orch.protocols.streamr_memory import POLYGON
from orch.protocols.streamr_scan import gap_blocks

if TYPE_CHECKING:
    from orch.model.wire import NoReply
    from orch.protocols.streamr_memory import Event, Receipt, StreamrMemory

COIN = "POL"
BY_OWN_HAND = frozenset({"profit", "heartbeat", "stake"})
"""Events that the operator's own transactions emit; losses come from others' votes."""

TRIES = 3
UNREADABLE = frozenset({"shape", "absurd", "malformed"})


def coin_of(memory: StreamrMemory) -> str:
    """The unit of gas: a test network's coin is worth nothing."""
    return COIN if memory.options.chain_id == POLYGON else f"{COIN}@{memory.options.chain_id}"


def with_unread(memory: StreamrMemory) -> StreamrMemory:
    """The memory with the transactions whose receipts are still to be read, newest first.

    As far back as history is wanted, not the gap before it, which only serves to name streams.
    """
    scan = memory.scan
    if scan is None:
        return memory
    first = scan.floor + gap_blocks(memory.options)
    wanted = dict.fromkeys(
        event.transaction
        for event in reversed(memory.events)
        if event.kind in BY_OWN_HAND
        and event.block >= first
        and event.transaction not in memory.receipts
        and memory.unreadable.get(event.transaction, 0) < TRIES
    )
    unread = tuple(wanted)
    return memory if unread == memory.unread else replace(memory, unread=unread)


def with_receipt(memory: StreamrMemory, transaction: str, receipt: Receipt) -> StreamrMemory:
    """The memory with one receipt read."""
    return replace(
        memory,
        receipts={**memory.receipts, transaction: receipt},
        unread=tuple(each for each in memory.unread if each != transaction),
    )


def without_receipt(memory: StreamrMemory, transaction: str, failure: NoReply) -> StreamrMemory:
    """The memory after a receipt could not be had: an RPC that has none is asked again with the next events."""
    if failure.reason not in UNREADABLE:
        return memory
    tries = memory.unreadable.get(transaction, 0) + 1
    return replace(
        memory,
        unreadable={**memory.unreadable, transaction: tries},
        unread=tuple(each for each in memory.unread if each != transaction),
    )


def own_keys(memory: StreamrMemory) -> frozenset[str]:
    """Who sends the operator's own transactions: its owner, its nodes, and whoever wrote its heartbeats."""
    owner = memory.words.get("owner")
    return frozenset(
        (
            *(memory.nodes or ()),
            *(() if owner is None else (abi.address(owner, "owner"),)),
            *(event.who for event in memory.events if event.kind == "heartbeat"),
        )
    )


@kept_by(
    lambda memory: (memory.events, memory.receipts, memory.words, memory.nodes),
    lambda memory: memory.context.node,
)
def paid_for(memory: StreamrMemory) -> tuple[tuple[Event, int], ...]:
    """The operator's own transactions whose receipts are read, each by an event of it, with the wei it cost."""
    keys, seen, found = own_keys(memory), set(), []
    for event in memory.events:
        receipt = memory.receipts.get(event.transaction)
        if receipt is None or event.transaction in seen or event.kind not in BY_OWN_HAND:
            continue
        seen.add(event.transaction)
        if receipt.sender in keys:
            found.append((event, receipt.wei))
    return tuple(found)


def gas_fact(memory: StreamrMemory) -> str | None:
    """What own transactions have cost, in words; None before any is known."""
    paid = [wei for _, wei in paid_for(memory)]
    if not paid:
        return None
    return f"{sum(paid) / 10**18:.4f} {coin_of(memory)} for {len(paid)} own transactions"


def gas_note(memory: StreamrMemory) -> str:
    """What of the gas is not known, in words; empty when all is read."""
    lost = sum(
        tries >= TRIES and transaction not in memory.receipts for transaction, tries in memory.unreadable.items()
    )
    waiting = len(memory.unread)
    if lost:
        return f"the RPC has no receipts of {lost} transactions, so their gas is not in the costs"
    return f"the gas of {waiting} transactions is not read yet" if waiting else ""
