"""Questions to Polygon's JSON-RPC and to the node's `/info`, and their answers decoded strictly.

Never batches of JSON-RPC, for public endpoints refuse them: the contract Multicall3 runs many calls in one. An RPC
error comes with status 200. Sources: the Ethereum JSON-RPC specification, Streamr's Operator and Sponsorship
contracts, Multicall3, the node's info plugin (v103).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from orch.errors import AbsurdError, ShapeError
from orch.model.base import Value
from orch.model.wire import HttpRequest
from orch.protocols import streamr_abi as abi
from orch.protocols.decode import decode, within
from orch.protocols.streamr_memory import Block, Earnings, Event, Info, Receipt, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.model.wire import NoReply, Reply
    from orch.protocols.streamr_memory import EventKind

PROFIT = "0x604b365b22dbda1203004fba26c477ed19c49ad01cadf6eedf5f17f52ebbae18"
LOSS = "0xb65b2e085d7d040c313f7d4e1ac90f5937026fee497e0e24a7eff16a55e1c5ea"
SLASHED = "0xf22a8c26ad08bc6548cdae55fec4c309e15e9d2290ad7e1f9186fc20189e7a15"
HEARTBEAT = "0x7432bbcdcf6009b3131a7b65f7af1fdbf79c27db5c115c1cdbcf9210298bc5f4"
STAKE = "0x89dbe872fd688c751e8c5df10849155d89d1467fd56ddb92b0d0024cda2ccd78"
GET_EARNINGS = "0x2ebd89d1"

MOST_WEI = 10**15 * 10**18
MOST_GAS_WEI = 10**6 * 10**18
"""No transaction costs a million coins."""

_KINDS: dict[str, EventKind] = {
    PROFIT: "profit",
    LOSS: "loss",
    SLASHED: "slash",
    HEARTBEAT: "heartbeat",
    STAKE: "stake",
}
_TOO_OFTEN = re.compile(r"rate|too many requests|per second|quota|capacity|credits", re.IGNORECASE)
_SECONDS_LATEST = 7_258_118_400


class RangeRefusedError(Exception):
    """The RPC does not search so many blocks at once."""


class TogetherRefusedError(Exception):
    """The RPC does not run many calls in one: no such contract, or it may not be called, or not for so many."""


class _Error(Value):
    code: int
    message: str = ""


class _Envelope(Value):
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: _Error | None = None


class _Block(Value):
    number: str
    timestamp: str


class _Log(Value, rename="camel"):
    address: str
    topics: list[str]
    data: str
    block_number: str
    log_index: str
    transaction_hash: str
    block_timestamp: str | None = None
    removed: bool = False


class _Receipt(Value, rename="camel"):
    transaction_hash: str
    sender: str = msgspec.field(name="from")
    block_number: str
    gas_used: str
    effective_gas_price: str


class _Websocket(Value):
    host: str
    port: int


class _Peer(Value, rename="camel"):
    node_id: Any
    websocket: _Websocket | None = None


class _Transport(Value, rename="camel"):
    connection_count: int


class _ControlLayer(Value, rename="camel"):
    local_peer_descriptor: _Peer
    transport: _Transport
    neighbor_count: int


class _PartInfo(Value, rename="camel"):
    neighbor_count: int | None = None


class _Part(Value):
    id: str
    info: _PartInfo


class _ContentLayer(Value, rename="camel"):
    stream_parts: list[_Part]


class _Info(Value, rename="camel"):
    control_layer: _ControlLayer
    content_layer: _ContentLayer


# -- questions -------------------------------------------------------------------------------------------


def rpc(url: str, method: str, *params: object) -> HttpRequest:
    """One JSON-RPC call."""
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    return HttpRequest(
        url=url, method="POST", headers=(("Content-Type", "application/json"),), body=body, deadline_s=20.0
    )


def block_question(url: str, number: int | None = None) -> HttpRequest:
    """`eth_getBlockByNumber` of the newest block, or of one by its number; without its transactions."""
    return rpc(url, "eth_getBlockByNumber", "latest" if number is None else hex(number), False)


def call_question(url: str, to: str, data: str, block: int | None = None) -> HttpRequest:
    """`eth_call` at the newest block, or pinned to one."""
    return rpc(url, "eth_call", {"to": to.lower(), "data": data}, "latest" if block is None else hex(block))


def together_question(url: str, multicall: str, calls: Sequence[tuple[str, str]]) -> HttpRequest:
    """`aggregate3` of so many calls, `(to, data)` each, all at the newest block; each may fail by itself."""
    return call_question(url, multicall, abi.aggregate3(calls))


def logs_question(url: str, operator: str, first: int, last: int) -> HttpRequest:
    """`eth_getLogs` of the operator's profits, losses, slashings, heartbeats and stakes, both ends included."""
    wanted = {
        "address": operator,
        "topics": [[PROFIT, LOSS, SLASHED, HEARTBEAT, STAKE]],
        "fromBlock": hex(first),
        "toBlock": hex(last),
    }
    return rpc(url, "eth_getLogs", wanted)


def receipt_question(url: str, transaction: str) -> HttpRequest:
    """`eth_getTransactionReceipt`."""
    return rpc(url, "eth_getTransactionReceipt", transaction)


# -- answers ---------------------------------------------------------------------------------------------


def read_block(reply: Reply, key: str, now: datetime) -> Block:
    """A block's number and time.

    Raises:
        ShapeError: The RPC does not know it, or answers another shape.
        AbsurdError: Its time lies more than a day in the future.
    """
    found = _result(reply, key, _Block)
    mined_at = _instant(found.timestamp, key)
    if mined_at > now + timedelta(days=1):
        raise AbsurdError(f"{key}: {mined_at.isoformat()} lies in the future")
    return Block(number=abi.quantity(found.number, f"{key}: number"), mined_at=mined_at, seen_at=now)


def read_earnings(reply: Reply, key: str, block: Block) -> Earnings:
    """`getSponsorshipsAndEarnings()` at a block."""
    data = abi.to_bytes(_result(reply, key, str), key)
    sponsorships, outstanding, most = abi.addresses_numbers_number(data, key)
    if len(set(sponsorships)) != len(sponsorships):
        raise AbsurdError(f"{key}: a sponsorship is listed twice")
    within(sum(outstanding), f"{key}: outstanding", 0, MOST_WEI)
    return Earnings(block=block, sponsorships=sponsorships, outstanding=outstanding, most=most)


def read_word(reply: Reply, key: str) -> int:
    """The one word of a getter."""
    return abi.one_word(abi.to_bytes(_result(reply, key, str), key), key)


def read_words(reply: Reply, key: str, count: int) -> tuple[int | None, ...]:
    """The words of so many calls run together; None for a call that failed or gave anything else.

    Raises:
        TogetherRefusedError: The RPC answers an error that asks for no patience, nothing (there is no such
            contract), or what are not the results of so many calls.
        ShapeError: Another error, or another shape.
    """
    error = decode(reply, _Envelope, key).error
    if error is not None and not is_too_often(error.message):
        raise TogetherRefusedError(error.message)
    text = _result(reply, key, str)
    try:
        given = abi.results(abi.to_bytes(text, key), count, key)
    except ShapeError as refusal:
        raise TogetherRefusedError(str(refusal)) from refusal
    return tuple(None if each is None or len(each) != abi.WORD else abi.word(each, 0, key) for each in given)


def read_quantity(reply: Reply, key: str, *, bits: int = 64) -> int:
    """A plain quantity, such as the chain's id or a balance."""
    return abi.quantity(_result(reply, key, str), key, bits=bits)


def read_text(reply: Reply, key: str) -> str:
    """The string of a getter."""
    return abi.text(abi.to_bytes(_result(reply, key, str), key), 0, key)


def read_addresses(reply: Reply, key: str) -> tuple[str, ...]:
    """The `address[]` of a getter."""
    data = abi.to_bytes(_result(reply, key, str), key)
    return tuple(abi.address(number, key) for number in abi.words(data, abi.word(data, 0, key), key))


def read_queue(reply: Reply, key: str) -> tuple[Waiting, ...]:
    """`undelegationQueue()`: delegator, wei and Unix second of each, first come first."""
    data = abi.to_bytes(_result(reply, key, str), key)
    rows = abi.tuples(data, abi.word(data, 0, key), 3, key)
    return tuple(
        Waiting(
            amount=within(amount, f"{key}: amount", 0, MOST_WEI),
            since=datetime.fromtimestamp(within(second, f"{key}: timestamp", 0, _SECONDS_LATEST), UTC),
        )
        for _, amount, second in rows
    )


def read_events(reply: Reply, key: str, operator: str, first: int, last: int) -> tuple[Event, ...]:
    """The operator's events in a range, oldest first.

    Raises:
        RangeRefusedError: The RPC answers with an error that a smaller range may heal.
        ShapeError: Another error, or another shape.
        AbsurdError: An event of another contract or outside the range.
    """
    envelope = decode(reply, _Envelope, key)
    if envelope.error is not None and not is_too_often(envelope.error.message):
        raise RangeRefusedError(envelope.error.message)
    logs: list[_Log] = _result(reply, key, list[_Log])
    found = [_event(log, key) for log in logs if not log.removed and _known(log)]
    if any(log.address.lower() != operator for log in logs):
        raise AbsurdError(f"{key}: an event of another contract")
    if any(not first <= event.block <= last for event in found):
        raise AbsurdError(f"{key}: an event outside the blocks asked for")
    return tuple(sorted(found, key=lambda event: (event.block, event.index)))


def read_receipt(reply: Reply, key: str, transaction: str) -> Receipt:
    """Who sent a transaction, and what it cost.

    Raises:
        ShapeError: The RPC does not know it, or answers another shape.
        AbsurdError: It is another transaction's, or costs more than any.
    """
    found = _result(reply, key, _Receipt)
    if found.transaction_hash.lower() != transaction.lower():
        raise AbsurdError(f"{key}: the receipt of another transaction")
    sender = abi.address(abi.quantity(found.sender, f"{key}: from", bits=160), f"{key}: from")
    price = abi.quantity(found.effective_gas_price, f"{key}: effectiveGasPrice", bits=256)
    paid = abi.quantity(found.gas_used, f"{key}: gasUsed") * price
    return Receipt(sender=sender, wei=within(paid, f"{key}: gas", 0, MOST_GAS_WEI))


def is_too_often(message: str) -> bool:
    """Whether an RPC's error means patience rather than a smaller range."""
    return _TOO_OFTEN.search(message) is not None


def is_refusal(failure: NoReply) -> bool:
    """Whether a refused status carries a JSON-RPC error about the question itself, not a plea for patience."""
    if failure.status is None or not 400 <= failure.status < 500 or failure.reason == "rate_limited":
        return False
    try:
        message = json.loads(failure.body)["error"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False
    return isinstance(message, str) and not is_too_often(message)


def read_info(reply: Reply, now: datetime) -> Info:
    """`/info` of the node."""
    answer = decode(reply, _Info, "info")
    control, parts = answer.control_layer, answer.content_layer.stream_parts
    return Info(
        node_id=_hex_of(control.local_peer_descriptor.node_id),
        reachable=control.local_peer_descriptor.websocket is not None,
        connections=within(control.transport.connection_count, "info: connectionCount", 0, 1_000_000),
        neighbours=within(control.neighbor_count, "info: neighborCount", 0, 1_000_000),
        stream_parts=len(parts),
        lonely_parts=sum(part.info.neighbor_count == 0 for part in parts),
        seen_at=now,
    )


def _result(reply: Reply, key: str, kind: Any) -> Any:
    envelope = decode(reply, _Envelope, key)
    if envelope.error is not None:
        raise ShapeError(f"{key}: the RPC answers error {envelope.error.code}: {envelope.error.message[:120]}")
    if bytes(envelope.result) == b"null":
        raise ShapeError(f"{key}: the RPC has no answer (null)")
    return decode(msgspec.structs.replace(reply, body=bytes(envelope.result)), kind, key)


def _known(log: _Log) -> bool:
    return bool(log.topics) and log.topics[0].lower() in _KINDS


def _event(log: _Log, key: str) -> Event:
    """A profit is its increase, the operator's cut and the protocol's fee; a slash begins with its amount."""
    kind = _KINDS[log.topics[0].lower()]
    data = abi.to_bytes(log.data, f"{key}: data")
    amount, fee, who, said = 0, 0, "", ""
    if kind in ("heartbeat", "stake"):
        if len(log.topics) != 2:
            raise ShapeError(f"{key}: a {kind} with {len(log.topics)} topics")
        who = abi.address(_topic(log, 1, key), f"{key}: topic")
    if kind == "heartbeat":
        said = abi.text(data, 0, f"{key}: data")
    else:
        amount = abi.word(data, 0, f"{key}: data")
    if kind == "profit":
        if len(log.topics) != 3:
            raise ShapeError(f"{key}: a profit with {len(log.topics)} topics")
        fee = _topic(log, 2, key)
        amount += _topic(log, 1, key) + fee
    return Event(
        block=abi.quantity(log.block_number, f"{key}: blockNumber"),
        index=abi.quantity(log.log_index, f"{key}: logIndex"),
        kind=kind,
        amount=within(amount, f"{key}: amount", 0, MOST_WEI),
        transaction=log.transaction_hash[:66],
        mined_at=None if log.block_timestamp is None else _instant(log.block_timestamp, key),
        fee=fee,
        who=who,
        said=said,
    )


def _topic(log: _Log, place: int, key: str) -> int:
    return abi.one_word(abi.to_bytes(log.topics[place], f"{key}: topic"), key)


def _instant(text: str, key: str) -> datetime:
    seconds = within(abi.quantity(text, f"{key}: timestamp"), f"{key}: timestamp", 0, _SECONDS_LATEST)
    return datetime.fromtimestamp(seconds, UTC)


def _hex_of(shown: Any) -> str:
    """Bytes as hexadecimal; JSON shows them as `{"type": "Buffer", "data": [..]}` or as an object with indices."""
    if not isinstance(shown, dict):
        raise ShapeError("info: a node id is neither a buffer nor an object of bytes")
    if shown.get("type") == "Buffer":
        numbers = shown.get("data")
    elif all(key.isascii() and key.isdigit() and len(key) < 4 for key in shown):
        numbers = [shown[key] for key in sorted(shown, key=int)]
    else:
        numbers = None
    if not isinstance(numbers, list) or not all(type(each) is int and 0 <= each < 256 for each in numbers):
        raise ShapeError("info: a node id is neither a buffer nor an object of bytes")
    return bytes(numbers).hex()
