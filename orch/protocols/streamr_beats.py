"""The fleet's live heartbeats, heard on the operator's coordination stream by the node's websocket plugin.

Every node of the operator publishes one every ten seconds, and anybody may subscribe. They are what a peer's
inspection looks at, so that silence is what gets a stake slashed. One listening hears each live node at least
once; only silence over two minutes counts, for the stream's own metadata are read over an RPC that may be slow.
Source: Streamr's operator plugin and websocket plugin (v103).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from orch.errors import ShapeError
from orch.model.base import Value
from orch.model.wire import Listen
from orch.protocols.base import Endpoint
from orch.protocols.decode import decode
from orch.protocols.streamr_memory import Beat, Fleet

if TYPE_CHECKING:
    from datetime import datetime

    from orch.model.wire import Reply
    from orch.protocols.streamr_memory import StreamrMemory, StreamrOptions

KEYS = frozenset({"fleet", "fleet/again"})

LISTEN_S = 12.5
"""Longer than the ten seconds between two heartbeats of a node."""

FLEET_S = 300.0
AGAIN_S = 60.0
"""So soon it is listened again after silence."""

SILENT_FOR = timedelta(seconds=120)
"""Peers count a node as dead without a heartbeat for about so long."""

NOTHING = (b"", b"null")
"""A key that is not there, or says that there is nothing."""

OLD_AFTER = timedelta(minutes=15)


class _Peer(Value, rename="camel"):
    node_id: str
    websocket: msgspec.Raw = msgspec.Raw()


class _Heartbeat(Value, rename="camel"):
    peer_descriptor: _Peer
    application_version: str = ""
    autostaker_enabled: bool | None = None


class _Kind(Value, rename="camel"):
    msg_type: str = ""
    content: msgspec.Raw = msgspec.Raw()


def listening(memory: StreamrMemory) -> list[Endpoint]:
    """Listen for a moment every five minutes, and soon again after silence."""
    url = subscription(memory.options)
    if url is None:
        return []
    key = memory.options.websocket_key or memory.options.info_key
    question = Listen(
        url=f"ws{url.removeprefix('http')}",
        secret_query=() if key is None else (("apiKey", key),),
        seconds=LISTEN_S,
    )
    silent = memory.fleet is not None and memory.fleet.silent_since is not None
    name, period_s = ("fleet/again", AGAIN_S) if silent else ("fleet", FLEET_S)
    return [Endpoint(key=name, request=question, period_s=period_s, lane="slow", rank=30)]


def subscription(options: StreamrOptions) -> str | None:
    """The address at which the websocket plugin offers the fleet's coordination stream, as http."""
    if options.websocket_url is None:
        return None
    stream = f"{options.operator.lower()}%2Foperator%2Fcoordination"
    return f"{options.websocket_url.rstrip('/')}/streams/{stream}/subscribe"


def read_beats(reply: Reply, key: str) -> tuple[Beat, ...]:
    """The newest heartbeat of each node among the messages, which may come bare or with metadata beside them.

    Raises:
        ShapeError: A message is not JSON, or a heartbeat not of the documented shape.
    """
    found: dict[str, Beat] = {}
    for message in decode(reply, list[str], key, content_type=None):
        try:
            text = message.encode()
            kind = msgspec.json.decode(text, type=_Kind)
            if bytes(kind.content) not in NOTHING:
                text = bytes(kind.content)
                kind = msgspec.json.decode(text, type=_Kind)
            if kind.msg_type != "heartbeat":
                continue
            beat = msgspec.json.decode(text, type=_Heartbeat)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise ShapeError(f"{key}: a message is not as documented: {str(error)[:120]}") from None
        peer = beat.peer_descriptor
        found[peer.node_id] = Beat(
            node_id=peer.node_id[:40],
            version=beat.application_version[:40],
            autostaker=beat.autostaker_enabled,
            reachable=bytes(peer.websocket) not in NOTHING,
        )
    return tuple(found.values())


def with_beats(memory: StreamrMemory, beats: tuple[Beat, ...], now: datetime) -> StreamrMemory:
    """The memory after a listening; `silent_since` is when the first one in which nothing was heard began."""
    before = memory.fleet.silent_since if memory.fleet is not None else None
    silent_since = None if beats else before or now - timedelta(seconds=LISTEN_S)
    return replace(memory, fleet=Fleet(beats=beats, heard_at=now, silent_since=silent_since))


def silence(memory: StreamrMemory) -> timedelta | None:
    """For how long no node has been heard, once that says something; None while nodes are heard, or nothing is."""
    fleet = fleet_now(memory)
    if fleet is None or fleet.silent_since is None:
        return None
    silent = fleet.heard_at - fleet.silent_since
    return silent if silent >= SILENT_FOR else None


def beats_fact(memory: StreamrMemory) -> str | None:
    """The live nodes in words; None where they are not listened for."""
    fleet = fleet_now(memory)
    if fleet is None:
        return None
    versions = ", ".join(sorted({each.version for each in fleet.beats if each.version}))
    return f"of {len(fleet.beats)} node(s)" + (f", version {versions}" if versions else "")


def fleet_now(memory: StreamrMemory) -> Fleet | None:
    """What was heard last; None when that is long ago by the chain's newest block, or listening fails now."""
    fleet = memory.fleet
    if fleet is None or KEYS & memory.failures.keys():
        return None
    newest = memory.block.seen_at if memory.block is not None else fleet.heard_at
    return None if newest - fleet.heard_at > OLD_AFTER else fleet
