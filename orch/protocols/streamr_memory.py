"""What is known of one Streamr operator: the facts kept between answers, all immutable.

Amounts are whole wei (1e-18 DATA), times aware UTC and always those of blocks. Source of the fields: Polygon's
JSON-RPC for the operator's contracts, and the node's optional `/info`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec

from orch.model.base import Value
from orch.model.money import Accrual
from orch.model.wire import NoReply, Secret
from orch.protocols.base import Context

POLYGON = 137
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"

Address: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]


class StreamrOptions(Value):
    """What `[nodes.X]` may hold for a Streamr node.

    `rpc_url` is a JSON-RPC endpoint of the chain `chain_id`, `operator` the Operator contract; `info_url` the
    node's own HTTP address where its `info` plugin is on, with `info_key` if it wants one; `websocket_url` that
    of its `websocket` plugin, where the fleet's heartbeats are heard (with `websocket_key`, else `info_key`, if it
    wants one; it is also seen whether it does); `config_path` the node's own configuration file, of which only
    plugins, ports, keys' presence and the network's name are read. `subgraph_url` is a GraphQL address of the
    operator's own choice, with `subgraph_key`. History is read `history_days` back in ranges of
    `log_chunk_blocks`; `block_s` is about how far blocks are apart. `multicall` is the contract that runs many
    calls in one (Multicall3, which has this address on nearly every chain); if empty, each is asked by itself.
    """

    rpc_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")]
    operator: Address
    info_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")] | None = None
    info_key: Secret | None = None
    websocket_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")] | None = None
    websocket_key: Secret | None = None
    config_path: str | None = None
    subgraph_url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^/\s]+")] | None = None
    subgraph_key: Secret | None = None
    history_days: Annotated[float, msgspec.Meta(ge=0, le=400)] = 30.0
    log_chunk_blocks: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    block_s: Annotated[float, msgspec.Meta(gt=0)] = 2.0
    chain_id: int = POLYGON
    multicall: Annotated[str, msgspec.Meta(pattern=r"^(0x[0-9a-fA-F]{40})?$")] = MULTICALL3
    data_token: Address = "0x3a9A81d576d83FF21f26f325066054540720fC34"  # noqa: S105 - a public contract address


class Block(Value):
    """A block of the chain; `seen_at` is when it was the newest."""

    number: int
    mined_at: datetime
    seen_at: datetime


class Earnings(Value):
    """What the sponsorships owed at a block; `most` is what may stay uncollected."""

    block: Block
    sponsorships: tuple[str, ...]
    outstanding: tuple[int, ...]
    most: int

    @property
    def total(self) -> int:
        """All that is owed."""
        return sum(self.outstanding)


EventKind: TypeAlias = Literal["profit", "loss", "slash", "heartbeat", "stake"]


class Event(Value):
    """One event of the operator contract. `mined_at` is None where the log does not tell it.

    `fee` is the protocol's part of a profit's `amount`. A heartbeat has no amount: `who` sent it, with `said`. A
    `stake` is a change of what is staked in the sponsorship `who`, now `amount`.
    """

    block: int
    index: int
    kind: EventKind
    amount: int
    transaction: str
    mined_at: datetime | None
    fee: int = 0
    who: str = ""
    said: str = ""


class Receipt(Value):
    """Who sent a transaction, and what its gas cost in wei of the chain's coin."""

    sender: str
    wei: int


class Slope(Value):
    """What each sponsorship earned between two blocks without a withdrawal between them, in wei per second."""

    first: Block
    last: Block
    wei_per_s: dict[str, float]

    @property
    def seconds(self) -> float:
        """How long it was observed, in block time."""
        return (self.last.mined_at - self.first.mined_at).total_seconds()

    @property
    def total(self) -> float:
        """All sponsorships together, in wei per second."""
        return sum(self.wei_per_s.values())


class Waiting(Value):
    """One delegator in the queue for undelegation."""

    amount: int
    since: datetime


class Setup(Value):
    """What the node's configuration file says. `open_ports`: `(port, plugin)` of those that want no key."""

    environment: str
    plugins: tuple[str, ...]
    open_ports: tuple[tuple[int, str], ...]


class Graph(Value):
    """What a subgraph says, as of one of its blocks: wei per second that each sponsorship pays out."""

    block: int
    as_of: datetime
    erring: bool
    payouts: dict[str, float]


class Scan(Value):
    """Which blocks' events are known: `low` to `high`, both included; history is wanted down to `floor`.

    `chunk` blocks are asked for at once; it grows until the RPC refuses a range (`refused`).
    """

    low: int
    high: int
    floor: int
    chunk: int
    refused: bool = False


class Carry(Value):
    """What a withdrawal left behind: wei earned since a time and still owed after the withdrawal at `block`."""

    block: int
    amount: int
    since: datetime


class Info(Value):
    """The node as it sees itself."""

    node_id: str
    reachable: bool
    connections: int
    neighbours: int
    stream_parts: int
    lonely_parts: int
    seen_at: datetime


class Beat(Value):
    """The newest live heartbeat of one node; ids are new at every start. None: its version does not say."""

    node_id: str
    version: str
    autostaker: bool | None
    reachable: bool


class Fleet(Value):
    """The live heartbeats of one listening; `silent_since` while none was heard, in this and those before it."""

    beats: tuple[Beat, ...]
    heard_at: datetime
    silent_since: datetime | None = None


class StreamrMemory(Value):
    """Everything known of one operator. The dictionaries are replaced, never changed.

    `words` holds the results of the simple getters by endpoint key; `times` block times that were asked for;
    `stated` the accruals of the last block for which earnings and events are both known, `sampled` the earnings
    they were made of. `slopes` are the rates of the last hour, newest last; `payouts` what each sponsorship was
    first seen to pay out, in wei per second. `advice` is a sentence and a remedy about the stake, `calldata` the
    calls it names. `open_to_all` holds what a question without a key found, by port. `receipts` are known by
    transaction, those of `unread` are still to be asked for; `unreadable` counts answers without one. `alone` are
    the words whose calls failed among others, so that they are asked for singly too; `refused` the keys of the
    questions for many words that the RPC does not answer, so that each word is asked for singly.
    """

    options: StreamrOptions
    context: Context
    emulated: bool = False
    last_seen_at: datetime | None = None
    block: Block | None = None
    earnings: Earnings | None = None
    scan: Scan | None = None
    events: tuple[Event, ...] = ()
    times: dict[int, datetime] = msgspec.field(default_factory=dict)
    carry: Carry | None = None
    stated: tuple[Accrual, ...] = ()
    words: dict[str, int] = msgspec.field(default_factory=dict)
    info: Info | None = None
    sampled: Earnings | None = None
    slopes: tuple[Slope, ...] = ()
    payouts: dict[str, float] = msgspec.field(default_factory=dict)
    nodes: tuple[str, ...] | None = None
    queue: tuple[Waiting, ...] | None = None
    metadata: str | None = None
    setup: Setup | None = None
    graph: Graph | None = None
    advice: tuple[str, str] | None = None
    calldata: tuple[tuple[str, str], ...] = ()
    open_to_all: dict[str, bool] = msgspec.field(default_factory=dict)
    failures: dict[str, NoReply] = msgspec.field(default_factory=dict)
    receipts: dict[str, Receipt] = msgspec.field(default_factory=dict)
    unread: tuple[str, ...] = ()
    unreadable: dict[str, int] = msgspec.field(default_factory=dict)
    fleet: Fleet | None = None
    alone: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()

    @property
    def operator(self) -> str:
        """The operator's address in lower case."""
        return self.options.operator.lower()

    @property
    def unit(self) -> str:
        """The unit of all amounts: tokens of any chain but Polygon are others, and are worth no DATA."""
        return "DATA" if self.options.chain_id == POLYGON else f"DATA@{self.options.chain_id}"
