"""The board live: one stream of server-sent events per reader, the newest board wins.

The thread that swaps the board only wakes the web thread. There each reader has a flag, never a queue: whoever is
slow finds the newest board when it has taken the last, and what lay between is not sent. Source: the HTML
standard, 9.2 (server-sent events).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from litestar.exceptions import ServiceUnavailableException

if TYPE_CHECKING:
    from collections.abc import Iterable

    from litestar.types import Receive, Scope, Send

    from orch.web.backend import BoardSlot

MOST_READERS = 500
HEARTBEAT_S = 15.0
"""Without news a reader hears at least this often that it is still connected."""
STUCK_S = 60.0
"""After so long without taking a single byte a reader is hung up on."""
PARTING_S = 0.5
"""How long readers have for the last event when orch stops."""
RETRY_MS = 2000
HEARTBEAT = b": still here\n\n"
GREETING = f"retry: {RETRY_MS}\n\n".encode()
PARTING = b"event: end\ndata: {}\n\n"
HEADERS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)

Address: TypeAlias = "tuple[str, int] | None"

log = logging.getLogger(__name__)


class Lines(Protocol):
    """The connections of the server, by the address of who is at the other end."""

    def narrow(self, client: Address) -> None:
        """Keep little in the kernel on the way to this reader, so that nothing old queues up there."""

    def hang_up(self, clients: Iterable[Address]) -> None:
        """Drop these connections now, with what is still to be sent."""


class Frame(NamedTuple):
    """One board as an event; `name` is its id."""

    name: str
    event: bytes


class Reader:
    """One open stream. `sending_since` is when the send that is under way began, None between two."""

    def __init__(self, client: Address) -> None:
        self.client = client
        self.news = asyncio.Event()
        self.sending_since: float | None = None
        self.is_gone = False


class Streams:
    """All open streams. Everything but `close` and the board's own call belongs to the web thread."""

    def __init__(self, board: BoardSlot) -> None:
        self.lines: Lines | None = None
        self._board = board
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers: set[Reader] = set()
        self._frame: Frame | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._is_closing = False

    def __len__(self) -> int:
        return len(self._readers)

    def admit(self) -> None:
        """Raises ServiceUnavailableException where there are too many readers, or orch is stopping."""
        if self._is_closing:
            raise ServiceUnavailableException("orch is stopping")
        if len(self._readers) >= MOST_READERS:
            raise ServiceUnavailableException(f"There are {MOST_READERS} streams already: close one")

    def close(self) -> None:
        """Tell every reader that it is over, and hang up on whoever does not listen. From any thread."""
        self._board.unwatch(self._swapped)
        self._is_closing = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended before
                self._loop.call_soon_threadsafe(self._part)

    async def serve(
        self, client: Address, receive: Receive, send: Send, *, last: str | None, most: int | None
    ) -> None:
        """Send boards until the reader goes, `most` have been sent, or orch stops.

        Args:
            client: The address of the reader.
            receive: Tells when the reader goes.
            send: Waits while the reader does not take what it was sent.
            last: The id of the board that the reader has; it is not sent again.
            most: How many boards, None for all there will be.
        """
        reader = self._begin(client)
        gone = asyncio.create_task(_until_gone(reader, receive))
        try:
            await self._send(reader, send, GREETING)
            sent = 0
            while not (reader.is_gone or self._is_closing or sent == most):
                reader.news.clear()
                frame = self._frame
                if frame is not None and frame.name != last:
                    await self._send(reader, send, frame.event)
                    last, sent = frame.name, sent + 1
                    continue
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await reader.news.wait()
                except TimeoutError:
                    await self._send(reader, send, HEARTBEAT)
            if not reader.is_gone:
                await self._send(reader, send, PARTING if self._is_closing else b"", more=False)
        finally:
            gone.cancel()
            self._readers.discard(reader)

    def _begin(self, client: Address) -> Reader:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._board.watch(self._swapped)
            self._watch_over()
        self._newest()
        reader = Reader(client)
        self._readers.add(reader)
        if self.lines is not None:
            self.lines.narrow(client)
        return reader

    async def _send(self, reader: Reader, send: Send, body: bytes, *, more: bool = True) -> None:
        reader.sending_since = time.monotonic()
        message: Any = {"type": "http.response.body", "body": body, "more_body": more}
        await send(message)
        reader.sending_since = None

    def _swapped(self) -> None:
        """In the thread that swaps the board."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, so have all streams
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._newest()
        for reader in self._readers:
            reader.news.set()

    def _newest(self) -> None:
        published = self._board.published()
        if published is None:
            return
        name = published.etag.strip('"')
        if self._frame is None or self._frame.name != name:
            event = b"".join((b"id: ", name.encode(), b"\nevent: board\ndata: ", published.body, b"\n\n"))
            self._frame = Frame(name, event)

    def _watch_over(self) -> None:
        """Hang up on readers that have not taken a byte for long, and look again later."""
        if self._loop is None:
            return
        long_ago = time.monotonic() - STUCK_S
        stuck = [
            each.client
            for each in self._readers
            if each.sending_since is not None and each.sending_since < long_ago
        ]
        if stuck and self.lines is not None:
            log.info("%d streams took nothing for %.0f s and were ended", len(stuck), STUCK_S)
            self.lines.hang_up(stuck)
        self._watch = self._loop.call_later(HEARTBEAT_S, self._watch_over)

    def _part(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for reader in self._readers:
            reader.news.set()
        if self._loop is not None:
            self._loop.call_later(PARTING_S, self._drop)

    def _drop(self) -> None:
        if self.lines is not None and self._readers:
            self.lines.hang_up([each.client for each in self._readers])


class BoardStream:
    """The answer to one request for the stream, as an ASGI application."""

    def __init__(self, streams: Streams, last: str | None, most: int | None) -> None:
        self._streams = streams
        self._last = last
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers, then boards."""
        start: Any = {"type": "http.response.start", "status": 200, "headers": list(HEADERS)}
        await send(start)
        await self._streams.serve(scope["client"], receive, send, last=self._last, most=self._most)


async def _until_gone(reader: Reader, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.is_gone = True
    reader.news.set()
