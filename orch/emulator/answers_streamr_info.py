"""The diagnostics of a Streamr node (`GET /info`): connections and stream parts, nothing about money.

Byte arrays come in two shapes in one document, as they do in the real one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from orch.emulator.asks import REFUSED, Ask, Response, json_response, text_response
from orch.emulator.facts import MINUTE

if TYPE_CHECKING:
    from datetime import datetime

    from orch.emulator.world import World

NEIGHBOURS = 12
PLACES = tuple(map(str, range(20)))
INFO_KEYS: frozenset[str] = frozenset()
"""Accepted API keys; without any there is no authentication at all, as on a node whose owner set none."""


def answer(world: World, ask: Ask, now: datetime, keys: frozenset[str] = INFO_KEYS) -> Response:
    """Answer one request to the node's HTTP server; with `keys` a bearer key is wanted."""
    presence = world.presence("relay", now)
    if presence == "refused":
        return REFUSED
    if presence == "unavailable":
        return text_response("upstream is not available\n", 503)
    if ask.path.rstrip("/") != "/info" or ask.method != "GET":
        return text_response("<!DOCTYPE html><pre>Cannot GET</pre>", 404, "text/html; charset=utf-8")
    if keys:
        scheme, _, key = ask.header("Authorization").partition(" ")
        if scheme.lower() != "bearer":
            return text_response("Unauthorized", 401)
        if key not in keys:
            return text_response("Forbidden", 403)
    return json_response(_info(world))


def _bytes(world: World, *name: object) -> list[int]:
    return _listed(world.draws.identity(*name)[:40])


@lru_cache(maxsize=256)
def _listed(digits: str) -> list[int]:
    """The same few identities are told at every answer."""
    return list(bytes.fromhex(digits))


def _buffer(raw: list[int]) -> dict[str, Any]:
    return {"type": "Buffer", "data": raw}


def _indexed(raw: list[int]) -> dict[str, int]:
    return dict(zip(PLACES, raw, strict=True))


def _connection(world: World, number: int, minute: int) -> dict[str, Any]:
    """One live connection; each lasts some hours, then another takes its place and its counters vanish."""
    lasts = 180 + 37 * number
    round_number, age = divmod(minute + 53 * number, lasts)
    opened = (minute - age) * MINUTE * 1000 + 29
    sent = age * 60 * (900 + 130 * number)
    return {
        "remotePeerDescriptor": {"nodeId": _indexed(_bytes(world, "peer", number, round_number)), "type": 0},
        "lastUsedTimestamp": minute * MINUTE * 1000 + 751,
        "replacedAsDuplicate": False,
        "stopped": False,
        "openedAt": opened,
        "bytesSent": sent,
        "bytesReceived": sent * 11 // 10,
        "messagesSent": sent // 700,
        "messagesReceived": sent // 690,
    }


def _info(world: World) -> dict[str, Any]:
    minute = world.state.minute
    since_start = max(0, minute - world.first_minute)
    parts = [
        {
            "id": f"{address}/stream#0",
            "info": {
                "neighborCount": 4,
                "nearbyNodeViewCount": 6 + place,
                "randomNodeViewCount": 8,
                "leftNodeViewCount": 2,
                "rightNodeViewCount": 2,
                "messagesPropagated": since_start * (11 + 7 * place),
            },
        }
        for place, address in enumerate(world.streamr.sponsorships)
    ]
    return {
        "controlLayer": {
            "localPeerDescriptor": {
                "nodeId": _buffer(_bytes(world, "streamr", "node id")),
                "type": 0,
                "ipAddress": 3_405_803_783,
                "region": 15_899,
                "publicKey": _buffer([]),
                "signature": _buffer([]),
                "websocket": {"host": "203.0.113.7", "port": 32200, "tls": True},
            },
            "transport": {
                "connections": [_connection(world, number, minute) for number in range(NEIGHBOURS)],
                "connectionCount": NEIGHBOURS + 1,
            },
            "router": {"messagesRouted": since_start * 24, "messagesSent": since_start * 18},
            "neighborCount": NEIGHBOURS,
            "nearbyContactCount": NEIGHBOURS + 8,
            "randomContactCount": 7,
        },
        "contentLayer": {"streamParts": parts},
    }
