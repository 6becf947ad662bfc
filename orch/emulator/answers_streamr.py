"""Polygon by JSON-RPC as far as a Streamr operator needs it: blocks, logs and the getters of four contracts.

Blocks come every two seconds, and earnings are exact to the second of their block, back to the first day.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orch.emulator import abi
from orch.emulator.answers_streamr_contracts import CallRevertedError, call
from orch.emulator.asks import Ask, Response, json_response, text_response
from orch.emulator.facts import MINUTE
from orch.emulator.streamr import (
    GAS_OF_HEARTBEAT,
    GAS_OF_SLASH,
    GAS_OF_WITHDRAWAL,
    GAS_PRICE,
    ChainEvent,
    block_at,
    block_second,
)

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World

LARGEST_RANGE = 10_000
PROFIT_TOPIC = "0x604b365b22dbda1203004fba26c477ed19c49ad01cadf6eedf5f17f52ebbae18"
LOSS_TOPIC = "0xb65b2e085d7d040c313f7d4e1ac90f5937026fee497e0e24a7eff16a55e1c5ea"
HEARTBEAT_TOPIC = "0x7432bbcdcf6009b3131a7b65f7af1fdbf79c27db5c115c1cdbcf9210298bc5f4"
SLASHED_TOPIC = "0xf22a8c26ad08bc6548cdae55fec4c309e15e9d2290ad7e1f9186fc20189e7a15"


class RpcError(Exception):
    """A JSON-RPC error: code and message."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        super().__init__(message)


class Log(NamedTuple):
    """One event of the operator contract."""

    block: int
    place: int
    topics: tuple[str, ...]
    data: str


def answer(world: World, ask: Ask, now: datetime) -> Response:
    """Answer one POST to the RPC endpoint, a single call or a batch."""
    if world.presence("relay", now) == "unavailable":
        return text_response("upstream is not available\n", 503)
    if ask.method != "POST":
        return text_response("method not allowed\n", 405)
    try:
        question: Any = msgspec.json.decode(ask.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json_response(_error(None, -32700, "parse error"))
    if isinstance(question, list):
        if not question:
            return json_response(_error(None, -32600, "empty batch"))
        return json_response([_single(world, each, now) for each in question])
    return json_response(_single(world, question, now))


def _error(identity: object, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": message}}


def _single(world: World, question: Any, now: datetime) -> dict[str, Any]:
    if not isinstance(question, dict) or not isinstance(question.get("method"), str):
        return _error(None, -32600, "invalid request")
    identity = question.get("id")
    params = question.get("params") or []
    try:
        result = _result(world, question["method"], params, now)
    except RpcError as fault:
        return _error(identity, fault.code, str(fault))
    except CallRevertedError as fault:
        return _error(identity, 3, f"execution reverted{fault}")
    except (IndexError, KeyError, TypeError, ValueError, AttributeError) as fault:
        return _error(identity, -32602, f"invalid argument: {fault}")
    return {"jsonrpc": "2.0", "id": identity, "result": result}


def _result(world: World, method: str, params: Any, now: datetime) -> Any:
    newest = block_at(now.timestamp())
    match method:
        case "eth_chainId":
            return hex(137)
        case "net_version":
            return "137"
        case "eth_blockNumber":
            return hex(newest)
        case "eth_getBlockByNumber":
            block = _block_number(params[0], newest)
            return None if block > newest or block < 0 else _block(world, block)
        case "eth_getLogs":
            return _logs(world, params[0], newest)
        case "eth_call":
            block = _block_number(params[1] if len(params) > 1 else "latest", newest)
            if block > newest:
                raise RpcError(-32000, "header not found")
            if block_second(block) < world.first_minute * MINUTE:
                raise RpcError(-32000, "missing trie node")
            return call(world, params[0]["to"].lower(), params[0].get("data", params[0].get("input", "0x")), block)
        case "eth_getBalance":
            block = _block_number(params[1] if len(params) > 1 else "latest", newest)
            own = params[0].lower() == world.streamr.node_address
            return hex(world.streamr.gas_left(world.state.streamr, block_second(block)) if own else 0)
        case "eth_gasPrice":
            return hex(GAS_PRICE)
        case "eth_getTransactionReceipt":
            return _receipt(world, params[0], newest)
    raise RpcError(-32601, f"the method {method} does not exist/is not available")


def _block_number(text: str, newest: int) -> int:
    if text in {"latest", "pending"}:
        return newest
    if text in {"safe", "finalized"}:
        return newest - 5
    return 0 if text == "earliest" else int(text, 16)


def _hash(world: World, block: int) -> str:
    return "0x" + world.draws.identity("block", block)


def _block(world: World, block: int) -> dict[str, Any]:
    return {
        "number": hex(block),
        "hash": _hash(world, block),
        "parentHash": _hash(world, block - 1),
        "timestamp": hex(block_second(block)),
        "gasLimit": hex(45_000_000),
        "gasUsed": hex(19_000_000),
        "baseFeePerGas": hex(25 * 10**9),
        "miner": "0x" + "0" * 40,
        "transactions": [],
    }


def _event_logs(event: ChainEvent) -> list[Log]:
    block = block_at(event.second)
    if event.kind == "profit":
        increase, cut, fee = event.amounts
        return [Log(block, 0, (PROFIT_TOPIC, "0x" + abi.word(cut), "0x" + abi.word(fee)), abi.words(increase))]
    (amount,) = event.amounts
    return [
        Log(block, 0, (SLASHED_TOPIC,), abi.words(amount, 0, 0)),
        Log(block, 1, (LOSS_TOPIC,), abi.words(amount)),
    ]


def _logs(world: World, wanted: dict[str, Any], newest: int) -> list[dict[str, Any]]:
    begin = _block_number(wanted.get("fromBlock", "latest"), newest)
    end = min(_block_number(wanted.get("toBlock", "latest"), newest), newest)
    if end - begin + 1 > LARGEST_RANGE:
        raise RpcError(-32005, f"query exceeds max block range {LARGEST_RANGE}")
    addresses = wanted.get("address", world.streamr.operator)
    listed = addresses if isinstance(addresses, list) else [addresses]
    if world.streamr.operator not in [each.lower() for each in listed]:
        return []
    topics = wanted.get("topics") or []
    first, last = block_second(begin), block_second(end)
    events = world.state.streamr.events
    near = events[bisect_left(events, first, key=lambda event: event.second) :]
    found = [log for event in takewhile(lambda event: event.second <= last, near) for log in _event_logs(event)]
    found += [_heartbeat_log(world, second) for second in _beaten(world, first, last)]
    found.sort(key=lambda log: (log.block, log.place))
    return [_log_body(world, log) for log in found if _matches(log.topics, topics)]


def _beaten(world: World, first: int, last: int) -> list[int]:
    """The daily heartbeats since the history began, but for days on which the node was away at that time."""
    begin = max(first, world.first_minute * MINUTE)
    beats = world.streamr.heartbeats(begin, last)
    return [second for second in beats if world.outages.now("relay", second // MINUTE) is None]


def _heartbeat_log(world: World, second: int) -> Log:
    """A node's word that it lives: its address and its peer descriptor."""
    said = msgspec.json.encode({"nodeId": world.draws.identity("streamr", "node id")[:40], "type": 0}).decode()
    topics = (HEARTBEAT_TOPIC, "0x" + abi.word(world.streamr.node_address))
    return Log(block_at(second), 2, topics, abi.text(said))


def _matches(topics: tuple[str, ...], wanted: list[Any]) -> bool:
    if len(wanted) > len(topics):
        return False
    for topic, want in zip(topics, wanted, strict=False):
        if want is None:
            continue
        allowed = want if isinstance(want, list) else [want]
        if topic not in [each.lower() for each in allowed]:
            return False
    return True


def _transaction(world: World, block: int) -> str:
    """The only transaction of a block that concerns the operator; its hash tells of which block it is."""
    return f"0x{world.draws.identity('log', block)[:48]}{block:016x}"


def _receipt(world: World, transaction: str, newest: int) -> dict[str, Any] | None:
    """What a transaction cost: withdrawals and heartbeats are the node's own, slashings are sent by voters."""
    block = int(transaction[-16:], 16)
    if block > newest or transaction.lower() != _transaction(world, block):
        return None
    second = block_second(block)
    kinds = {event.kind for event in world.state.streamr.events if event.second == second}
    beaten = bool(_beaten(world, second, second))
    if not kinds and not beaten:
        return None
    used = GAS_OF_WITHDRAWAL if "profit" in kinds else GAS_OF_SLASH if kinds else GAS_OF_HEARTBEAT
    own = "slash" not in kinds
    return {
        "transactionHash": transaction.lower(),
        "transactionIndex": "0x0",
        "blockHash": _hash(world, block),
        "blockNumber": hex(block),
        "from": world.streamr.node_address if own else world.draws.address("streamr", "voter"),
        "to": world.streamr.operator,
        "cumulativeGasUsed": hex(used),
        "gasUsed": hex(used),
        "effectiveGasPrice": hex(GAS_PRICE),
        "contractAddress": None,
        "logs": [],
        "logsBloom": "0x" + "0" * 512,
        "status": "0x1",
        "type": "0x2",
    }


def _log_body(world: World, log: Log) -> dict[str, Any]:
    return {
        "address": world.streamr.operator,
        "topics": list(log.topics),
        "data": log.data,
        "blockNumber": hex(log.block),
        "blockHash": _hash(world, log.block),
        "blockTimestamp": hex(block_second(log.block)),
        "transactionHash": _transaction(world, log.block),
        "transactionIndex": "0x0",
        "logIndex": hex(log.place),
        "removed": False,
    }
