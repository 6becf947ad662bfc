"""Listening to a websocket for a while, over websocket-client; bounded in time, bytes and messages."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import msgspec

from orch.system.exchange import Got, Missed, late, where

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.model.wire import Listen

CONNECT_S = 4.0
LOOK_EVERY_S = 0.25
"""So soon it is noticed that the caller gave up."""

UPGRADED = 101
PORTS = {"ws": 80, "wss": 443}


class _TooLateError(OSError):
    """The time for listening, or for beginning to, is over."""


class _TooLargeError(OSError):
    """More bytes came than were wanted."""


class _Bounded:
    """A socket that ends a connection at a time and after a number of bytes, however they drip."""

    def __init__(self, inner: socket.socket, until: float, most: int) -> None:
        self._inner = inner
        self.until = until
        self._left = most

    def recv(self, size: int) -> bytes:
        """As a socket's."""
        if time.monotonic() >= self.until:
            raise _TooLateError
        found = self._inner.recv(min(size, 65_536))
        self._left -= len(found)
        if self._left < 0:
            raise _TooLargeError
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def listen(request: Listen, stopped: Callable[[], bool]) -> Got | Missed:
    """The text messages of a websocket as a JSON list; never raises.

    Args:
        request: Where, for how long and how much.
        stopped: Whether the caller gave up.
    """
    import websocket

    place = where(request.url)
    begin = time.monotonic()
    query = urlencode([(name, secret.value) for name, secret in request.secret_query])
    address = f"{request.url}{'&' if urlsplit(request.url).query else '?'}{query}" if query else request.url
    try:
        bounded = _connect(request, begin)
    except OSError as error:
        return _not_connected(error, place, request.deadline_s)
    try:
        connection = websocket.create_connection(address, timeout=CONNECT_S, socket=bounded, redirect_limit=0)
    except websocket.WebSocketBadStatusException as error:
        bounded.close()
        return _refused(int(error.status_code), place)
    except (_TooLateError, TimeoutError, websocket.WebSocketTimeoutException):
        bounded.close()
        return late(place, request.deadline_s)
    except (OSError, ValueError, websocket.WebSocketException):
        bounded.close()
        return Missed(reason="malformed", sentence=f"{place} does not speak websocket", retryable=True)
    try:
        if connection.getstatus() != UPGRADED:
            return _refused(int(connection.getstatus() or 0), place)
        return _gather(connection, bounded, request, begin + request.seconds, stopped)
    finally:
        bounded.close()


def _connect(request: Listen, begin: float) -> _Bounded:
    """A connection of our own, so that its bytes and its time can be counted."""
    parts = urlsplit(request.url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 80)
    plain = socket.create_connection((host, port), timeout=CONNECT_S)
    if parts.scheme == "wss":
        try:
            plain = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise
    return _Bounded(plain, begin + CONNECT_S, request.max_bytes)


def _gather(
    connection: Any, bounded: _Bounded, request: Listen, until: float, stopped: Callable[[], bool]
) -> Got | Missed:
    import websocket

    messages: list[str] = []
    bounded.until = until
    connection.settimeout(LOOK_EVERY_S)
    place = where(request.url)
    while len(messages) < request.max_messages and not stopped():
        try:
            kind, data = connection.recv_data()
        except websocket.WebSocketTimeoutException:
            if time.monotonic() >= until:
                break
            continue
        except _TooLateError:
            break
        except _TooLargeError:
            sentence = f"{place} sent more than {request.max_bytes} bytes"
            return Missed(reason="too_large", sentence=sentence, retryable=True)
        except (OSError, websocket.WebSocketException):
            return Missed(reason="unreachable", sentence=f"{place} broke the connection", retryable=True)
        if kind == websocket.ABNF.OPCODE_CLOSE:
            break
        if kind == websocket.ABNF.OPCODE_TEXT:
            messages.append(data.decode(errors="replace"))
    return Got(status=200, headers=(), body=msgspec.json.encode(messages))


def _refused(status: int, place: str) -> Missed:
    if status in (401, 403):
        sentence = f"{place} refuses the key (status {status})"
        return Missed(reason="unauthorised", sentence=sentence, retryable=False, status=status)
    sentence = f"{place} answers status {status} instead of a websocket"
    return Missed(reason="http_status", sentence=sentence, retryable=True, status=status)


def _not_connected(error: OSError, place: str, deadline_s: float) -> Missed:
    if isinstance(error, ConnectionRefusedError):
        return Missed(reason="refused", sentence=f"nobody listens at {place}", retryable=True)
    if isinstance(error, TimeoutError):
        return late(place, deadline_s)
    return Missed(reason="unreachable", sentence=f"{place} cannot be reached", retryable=True)
