"""What is asked of the chain, the node and the subgraph, and how often.

The newest block every five minutes, then the earnings at that block and the events up to it, in the fast lane;
all else in the slow one, one call at a time: an open flag within five minutes, whatever may cost money within
the hour, what hardly ever changes once a day. Sources: Streamr's Operator, Sponsorship and StreamrConfig
contracts, the DATA token, Ethereum JSON-RPC.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.kept import kept_by
from orch.model.wire import FileRead, HttpRequest, Secret
from orch.protocols import streamr_abi as abi
from orch.protocols import streamr_answers as answers
from orch.protocols import streamr_extras as extras
from orch.protocols import streamr_scan as scanning
from orch.protocols.base import Endpoint
from orch.protocols.streamr_beats import listening
from orch.protocols.streamr_health import wrong_chain
from orch.protocols.streamr_money import without_time

if TYPE_CHECKING:
    from orch.protocols.streamr_memory import Block, StreamrMemory

BLOCK_S = 300.0
INFO_S = 120.0
FLAG_S = 300.0
HOUR_S = 3600.0
RARELY_S = 6 * HOUR_S
DAY_S = 86_400.0

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
METADATA, NODES, QUEUE = "0x392f37e9", "0x2e949824", "0x7e82fd6f"
HAS_ROLE = "0x91d14854"
CONTROLLER = "0x7b765e0e932d348852a6f810bfa1ab891e259123f02db8cdcde614c570223357"

WORDS = frozenset((*OPERATOR_WORDS, *CONFIG_WORDS, "owned", "free"))
WORDS_OF = frozenset((*SPONSORSHIP_WORDS, "stake", "slashed", "role"))
MOST_NODES = 20
"""Node keys whose balance is asked for."""


@kept_by(
    lambda memory: (
        *(memory.options, memory.context, memory.block, memory.earnings, memory.scan, memory.events, memory.times),
        *(memory.words, memory.nodes, memory.unread, memory.receipts, memory.fleet),
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
            *_words(memory),
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


def _words(memory: StreamrMemory) -> tuple[Endpoint, ...]:
    """The getters of the operator, of the network's configuration, and of each of its sponsorships."""
    words, earnings = memory.words, memory.earnings
    return _getters(
        memory.options.rpc_url,
        memory.operator,
        memory.options.data_token,
        words.get("owner"),
        words.get("config"),
        () if earnings is None else earnings.sponsorships,
    )


@lru_cache(maxsize=256)
def _getters(
    url: str, operator: str, data_token: str, owner: int | None, config: int | None, sponsorships: tuple[str, ...]
) -> tuple[Endpoint, ...]:
    """The same for hours, and offered at every tick: made once."""
    found = [_call(url, key, operator, data, period_s) for key, (data, period_s) in OPERATOR_WORDS.items()]
    found += [
        _call(url, "queue", operator, QUEUE, HOUR_S),
        _call(url, "nodes", operator, NODES, RARELY_S),
        _call(url, "metadata", operator, METADATA, DAY_S),
        _call(url, "free", data_token, abi.call_data(BALANCE_OF, operator), HOUR_S),
    ]
    if owner is not None:
        owned = abi.call_data(BALANCE_OF, abi.address(owner, "owner"))
        found.append(_call(url, "owned", operator, owned, HOUR_S))
    if config is not None:
        contract = abi.address(config, "config")
        found += [_call(url, key, contract, selector, RARELY_S) for key, selector in CONFIG_WORDS.items()]
    for each in sponsorships:
        found += [
            _call(url, f"stake/{each}", operator, abi.call_data(STAKED_INTO, each), HOUR_S),
            _call(url, f"slashed/{each}", operator, abi.call_data(SLASHED_IN, each), HOUR_S),
        ]
        for key, (selector, mine, period_s) in SPONSORSHIP_WORDS.items():
            data = abi.call_data(selector, operator) if mine else selector
            found.append(_call(url, f"{key}/{each}", each, data, period_s))
    return tuple(found)


def _keys(memory: StreamrMemory) -> list[Endpoint]:
    """The node keys: what they have left for gas, and whether they may stake."""
    url = memory.options.rpc_url
    found = [_rpc(url, "gas_price", "eth_gasPrice", (), HOUR_S)]
    for each in (memory.nodes or ())[:MOST_NODES]:
        found.append(_rpc(url, f"pol/{each}", "eth_getBalance", (each, "latest"), HOUR_S))
        found.append(_call(url, f"role/{each}", memory.operator, abi.call_data(HAS_ROLE, CONTROLLER, each), DAY_S))
    return found


@lru_cache(maxsize=1024)
def _call(url: str, key: str, to: str, data: str, period_s: float) -> Endpoint:
    """The same for hours, and offered at every tick: made once."""
    return Endpoint(key=key, request=answers.call_question(url, to, data), period_s=period_s, lane="slow")


@lru_cache(maxsize=256)
def _rpc(url: str, key: str, method: str, params: tuple[str, ...], period_s: float) -> Endpoint:
    return Endpoint(key=key, request=answers.rpc(url, method, *params), period_s=period_s, lane="slow")
