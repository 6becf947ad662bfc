"""What the HTTP interface stands on: the newest board, the database, and a way to give orders."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.messages import Ask
    from orch.messages.base import Message
    from orch.store.shelf import Shelf


class Published(NamedTuple):
    """An encoded dashboard with its entity tag."""

    body: bytes
    etag: str


class BoardSlot:
    """The `Board` port: the newest encoded dashboard, swapped whole. Safe from any thread."""

    def __init__(self) -> None:
        self._body: bytes | None = None
        self._published: Published | None = None
        self._changed = threading.Condition()
        self._watchers: tuple[Callable[[], None], ...] = ()
        self.swaps = 0

    def swap(self, body: bytes) -> None:
        """Replace the body, and say so to everybody who watches."""
        with self._changed:
            self._body = body
            self.swaps += 1
            self._changed.notify_all()
        for watcher in self._watchers:
            watcher()

    def body(self) -> bytes | None:
        """The newest body, or None before the first."""
        return self._body

    def published(self) -> Published | None:
        """The newest body with its tag; the tag is worked out when somebody asks."""
        body, known = self._body, self._published
        if body is None or (known is not None and known.body is body):
            return known
        self._published = Published(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')
        return self._published

    def await_next(self, seen: int, within_s: float) -> int:
        """Wait until a newer body is there than the `seen`th, at most so many real seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self.swaps > seen, timeout=within_s)
            return self.swaps

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call this after every swap, in the thread that swaps: it must neither wait nor raise."""
        with self._changed:
            self._watchers = (*self._watchers, watcher)

    def unwatch(self, watcher: Callable[[], None]) -> None:
        """Call it no more."""
        with self._changed:
            self._watchers = tuple(each for each in self._watchers if each != watcher)


@dataclass(frozen=True)
class Backend:
    """Handed to the app by whoever starts it.

    `token` guards every order, and reading too unless `open_reads`. `tell` gives an order to an actor and says
    whether it was there. `config` is the configuration without secrets. `names` are what this host is called
    besides its addresses; without `page` there is an interface for programs only.
    """

    board: BoardSlot
    shelf: Shelf
    tell: Callable[[str, Message], bool]
    token: str
    open_reads: bool
    version: str
    started_at: datetime
    now: Callable[[], datetime]
    config: dict[str, Any]
    names: tuple[str, ...] = ()
    page: bool = True
    ask: Callable[[str, Ask[Any]], Any] | None = None
    speed: float = 1.0
