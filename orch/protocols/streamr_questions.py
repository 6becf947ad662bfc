"""What is asked of the chain, the node and the subgraph, and how often.

The newest block every five minutes, then the earnings at that block and the events up to it, in the fast lane;
all else in the slow one, one question at a time: an open flag within five minutes, whatever may cost money within
the hour, what hardly ever changes once a day; `streamr_getters` asks for all single values of one pace together.
Sources: Streamr's Operator contract, Ethereum JSON-RPC.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.kept import kept_by
from orch.model.wire import FileRead, HttpRequest, Secret
from orch.protocols import streamr_answers as answers
from orch.protocols import streamr_extras as extras
from orch.protocols import streamr_getters as getters
from orch.protocols import streamr_scan as scanning
from orch.protocols.base import Endpoint
from orch.protocols.streamr_beats import listening
from orch.protocols.streamr_getters import DAY_S, HOUR_S, MOST_NODES, RARELY_S
from orch.protocols.streamr_health import wrong_chain
from orch.protocols.streamr_money import without_time

if TYPE_CHECKING:
    from orch.protocols.streamr_memory import Block, StreamrMemory

BLOCK_S = 300.0
INFO_S = 120.0
METADATA, NODES, QUEUE = "0x392f37e9", "0x2e949824", "0x7e82fd6f"


@kept_by(
    lambda memory: (
        *(memory.options, memory.context, memory.block, memory.earnings, memory.scan, memory.events, memory.times),
        *(memory.words, memory.nodes, memory.unread, memory.receipts, memory.fleet),
        *(memory.alone, memory.refused),
    ),
    lambda memory: memory.context.node,
)
def questions(memory: StreamrMemory) -> tuple[Endpoint, ...]:
    """Everything that may be asked: what depends on a block only once there is one."""
    url = memory.options.rpc_url
    newest = Endpoint(key="block", request=answers.block_question(url), period_s=BLOCK_S, vital=True)
    chain = Endpoint(key="chain", request=answers.rpc(url, "eth_chainId"), period_s=DAY_S, lane="slow", once=True)
    found = [newest, chain, *_node(memory)]
    if memory.block is not None and not wrong_chain(memory):
        found += [
            *_money(memory, memory.block),
            *_history(memory),
            *getters.word_questions(memory),
            *_lists(memory),
            *_keys(memory),
            *_graph(memory),
        ]
    return tuple(found)


def _node(memory: StreamrMemory) -> list[Endpoint]:
    """The node itself, as far as it may be asked; with a key also whether it answers without one."""
    options, found = memory.options, []
    if options.info_url is not None:
        url = f"{options.info_url.rstrip('/')}/info"
        key = options.info_key
        bearer = () if key is None else (("Authorization", Secret(value=f"Bearer {key.value}")),)
        request = HttpRequest(url=url, secret_headers=bearer)
        found.append(Endpoint(key="info", request=request, period_s=INFO_S, lane="slow"))
        if key is not None:
            found.append(_probe("open/info", HttpRequest(url=url)))
    websocket = extras.websocket_question(options)
    if websocket is not None:
        found.append(_probe("open/websocket", websocket))
        found += listening(memory)
    if options.config_path is not None:
        path = Path(memory.context.base_dir, Path(options.config_path).expanduser())
        found.append(Endpoint(key="setup", request=FileRead(path=str(path)), period_s=HOUR_S, lane="slow"))
    return found


def _probe(key: str, request: HttpRequest) -> Endpoint:
    """Asked once a day without a key, to see that it is refused."""
    return Endpoint(key=key, request=request, period_s=DAY_S, lane="slow", probe=True)


def _graph(memory: StreamrMemory) -> list[Endpoint]:
    options = memory.options
    if options.subgraph_url is None:
        return []
    question = extras.graph_question(options.subgraph_url, memory.operator, options.subgraph_key)
    return [Endpoint(key="graph", request=question, period_s=HOUR_S, lane="slow", rank=15, backoff_max_s=RARELY_S)]


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
    return [*_logs(memory, "history", old, rank=20), *times, *_receipt(memory)]


def _receipt(memory: StreamrMemory) -> list[Endpoint]:
    """The newest transaction of which it is not known who sent it and what it cost, one at a time."""
    if not memory.unread:
        return []
    newest = memory.unread[0]
    question = answers.receipt_question(memory.options.rpc_url, newest)
    return [Endpoint(key=f"receipt/{newest}", request=question, period_s=HOUR_S, lane="slow", rank=20, once=True)]


def _logs(memory: StreamrMemory, kind: str, blocks: tuple[int, int] | None, *, rank: int) -> list[Endpoint]:
    if blocks is None:
        return []
    question = answers.logs_question(memory.options.rpc_url, memory.operator, *blocks)
    key = f"{kind}/{blocks[0]}-{blocks[1]}"
    return [Endpoint(key=key, request=question, period_s=BLOCK_S, rank=rank, once=True, backoff_max_s=300.0)]


def _lists(memory: StreamrMemory) -> list[Endpoint]:
    """The operator's getters that do not answer with one word."""
    url, operator = memory.options.rpc_url, memory.operator
    return [
        getters.call(url, "queue", operator, QUEUE, HOUR_S),
        getters.call(url, "nodes", operator, NODES, RARELY_S),
        getters.call(url, "metadata", operator, METADATA, DAY_S),
    ]


def _keys(memory: StreamrMemory) -> list[Endpoint]:
    """What the node keys have left for gas, and what gas costs."""
    url = memory.options.rpc_url
    balances = [
        _rpc(url, f"pol/{each}", "eth_getBalance", (each, "latest"), HOUR_S)
        for each in (memory.nodes or ())[:MOST_NODES]
    ]
    return [_rpc(url, "gas_price", "eth_gasPrice", (), HOUR_S), *balances]


@lru_cache(maxsize=256)
def _rpc(url: str, key: str, method: str, params: tuple[str, ...], period_s: float) -> Endpoint:
    return Endpoint(key=key, request=answers.rpc(url, method, *params), period_s=period_s, lane="slow")
