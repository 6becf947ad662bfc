"""What may be known besides the chain: the node's configuration file and a subgraph. Both are optional.

The file holds the node's private key, so it is decoded into the few fields that are wanted and into nothing
else, and no error shows any of its text. Of the subgraph only what the chain has no getter for is taken: what
a sponsorship pays out per second. Sources: Streamr's node configuration (v103), its public GraphQL schema.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from orch.errors import ShapeError
from orch.model.base import Value
from orch.model.wire import HttpRequest, Secret
from orch.protocols.decode import decode, within
from orch.protocols.streamr_beats import subscription
from orch.protocols.streamr_memory import Graph, Setup

if TYPE_CHECKING:
    from orch.model.wire import Reply
    from orch.protocols.streamr_memory import StreamrOptions

HTTP_PORT, WEBSOCKET_PORT, MQTT_PORT = 7171, 7170, 1883
ON_HTTP = ("info", "http", "storage")
"""Plugins that share the node's HTTP server."""

OWN_PORT = {"websocket": WEBSOCKET_PORT, "mqtt": MQTT_PORT}
MOST_RATE = 1e24
_SECONDS_LATEST = 7_258_118_400
_QUERY = (
    '{ operator(id:"%s"){ stakes(first:1000){ sponsorship{ id totalPayoutWeiPerSec } } }'
    " _meta{ block{ number timestamp } hasIndexingErrors } }"
)


class _Keys(Value):
    keys: tuple[msgspec.Raw, ...] = ()


class _Plugin(Value, rename="camel"):
    api_authentication: _Keys | msgspec.UnsetType | None = msgspec.UNSET
    port: int | None = None


class _Server(Value):
    port: int = HTTP_PORT


class _Client(Value):
    environment: str = "polygon"


class _File(Value, rename="camel"):
    client: _Client = _Client()
    plugins: dict[str, _Plugin] = msgspec.field(default_factory=dict)
    http_server: _Server = _Server()
    api_authentication: _Keys | None = None


class _Sponsorship(Value, rename="camel"):
    id: str
    total_payout_wei_per_sec: str


class _Stake(Value):
    sponsorship: _Sponsorship


class _Operator(Value):
    stakes: list[_Stake]


class _GraphBlock(Value):
    number: int
    timestamp: int


class _Meta(Value, rename="camel"):
    block: _GraphBlock
    has_indexing_errors: bool = False


class _Data(Value):
    operator: _Operator | None
    meta: _Meta = msgspec.field(name="_meta")


class _GraphAnswer(Value):
    data: _Data | None = None
    errors: tuple[Any, ...] = ()


def read_setup(reply: Reply, key: str) -> Setup:
    """The node's configuration file: its network, its plugins, and which ports want no key.

    Raises:
        ShapeError: Not JSON, or not of the documented shape; nothing of the text is shown.
    """
    try:
        found = msgspec.json.decode(reply.body, type=_File)
    except msgspec.ValidationError as error:
        raise ShapeError(f"{key}: the node's configuration file is not as documented: {error}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ShapeError(f"{key}: the node's configuration file is not JSON") from None
    default = found.api_authentication
    open_ports = []
    for name, plugin in sorted(found.plugins.items()):
        own = plugin.api_authentication
        asked = default if own is msgspec.UNSET else own
        port = found.http_server.port if name in ON_HTTP else plugin.port or OWN_PORT.get(name)
        if port is not None and (asked is None or not asked.keys):
            open_ports.append((port, name))
    return Setup(
        environment=found.client.environment[:40],
        plugins=tuple(sorted(name[:40] for name in found.plugins)),
        open_ports=tuple(open_ports),
    )


def graph_question(url: str, operator: str, key: Secret | None) -> HttpRequest:
    """What the operator's sponsorships pay, and how far the subgraph is."""
    body = msgspec.json.encode({"query": _QUERY % operator})
    bearer = () if key is None else (("Authorization", Secret(value=f"Bearer {key.value}")),)
    return HttpRequest(
        url=url,
        method="POST",
        headers=(("Content-Type", "application/json"),),
        secret_headers=bearer,
        body=body,
        deadline_s=20.0,
    )


def read_graph(reply: Reply, key: str) -> Graph:
    """A subgraph's answer. Errors, and a wrong operator, come with status 200.

    Raises:
        ShapeError: An error of the subgraph, an operator it does not know, or another shape.
        AbsurdError: A rate or a time that cannot be.
    """
    answer = decode(reply, _GraphAnswer, key)
    if answer.errors or answer.data is None:
        raise ShapeError(f"{key}: the subgraph answers an error")
    if answer.data.operator is None:
        raise ShapeError(f"{key}: the subgraph does not know this operator")
    meta = answer.data.meta
    second = within(meta.block.timestamp, f"{key}: timestamp", 0, _SECONDS_LATEST)
    return Graph(
        block=meta.block.number,
        as_of=datetime.fromtimestamp(second, UTC),
        erring=meta.has_indexing_errors,
        payouts={
            each.sponsorship.id.lower(): within(
                _whole(each.sponsorship.total_payout_wei_per_sec, key),
                f"{key}: totalPayoutWeiPerSec",
                0,
                MOST_RATE,
            )
            for each in answer.data.operator.stakes
        },
    )


def _whole(text: str, key: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) < 60):
        raise ShapeError(f"{key}: {text[:40]!r} is not a whole number")
    return float(text)


def websocket_question(options: StreamrOptions) -> HttpRequest | None:
    """Ask the websocket plugin, without a key, for the fleet's coordination stream: 101 is open, 401 is not."""
    url = subscription(options)
    if url is None:
        return None
    return HttpRequest(
        url=url,
        headers=(
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "b3JjaCBsb29rcyBvbmNlIQ=="),
        ),
        max_bytes=10_000,
        json_only=False,
    )
