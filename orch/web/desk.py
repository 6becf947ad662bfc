"""Questions to the database from the web thread: a few at a time, each within a limit, all ended at the stop.

A question runs in a thread of its own, so that a slow one never holds up the board; how many run at once is what
bounds the memory they take together.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import duckdb
from anyio import to_thread

from orch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from orch.store.shelf import Shelf

T = TypeVar("T")
AT_ONCE = 4
WITHIN_S = 20.0
WAIT_S = 10.0


class Desk:
    """Takes questions. `ask` belongs to the web thread, `close` to any.

    Args:
        shelf: Where the database is found.
        at_once: How many questions are answered at a time; further ones wait their turn, not for long.
        within_s: How long one may take, in real seconds.
    """

    def __init__(self, shelf: Shelf, at_once: int = AT_ONCE, within_s: float = WITHIN_S) -> None:
        self._shelf = shelf
        self._within_s = within_s
        self._free = asyncio.Semaphore(at_once)
        self._open: set[_Ticket] = set()
        self._lock = threading.Lock()
        self._is_closed = False

    async def ask(self, question: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What the question makes of the database.

        Raises:
            StoreError: The database is not there, cannot answer, or is too busy; the question took too long.
        """
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError:
            message = "The database is busy with other questions; try again in a moment"
            raise StoreError(message) from None
        ticket = _Ticket()
        watch = asyncio.get_running_loop().call_later(self._within_s, ticket.interrupt)
        try:
            return await to_thread.run_sync(partial(self._answer, question, ticket))
        except duckdb.InterruptException as error:
            message = f"That takes longer than {self._within_s:.0f} s: ask for less time, or for longer steps"
            raise StoreError("orch is stopping" if self._is_closed else message) from error
        except duckdb.Error as error:
            message = f"The database could not answer: {str(error).splitlines()[0]}"
            raise StoreError(message) from error
        finally:
            watch.cancel()
            self._free.release()

    def close(self) -> None:
        """End what is being answered, and take no more questions."""
        with self._lock:
            self._is_closed = True
            for ticket in self._open:
                ticket.interrupt()

    def _answer(self, question: Callable[[duckdb.DuckDBPyConnection], T], ticket: _Ticket) -> T:
        with self._shelf.reader() as connection:
            with self._lock:
                if self._is_closed:
                    raise StoreError("orch is stopping")
                ticket.connection = connection
                self._open.add(ticket)
            try:
                return question(connection)
            finally:
                with self._lock:
                    self._open.discard(ticket)
                    ticket.connection = None


class _Ticket:
    """One question and, while it is being answered, the connection that does it."""

    def __init__(self) -> None:
        self.connection: duckdb.DuckDBPyConnection | None = None

    def interrupt(self) -> None:
        """End the answering; does nothing before and after it."""
        connection = self.connection
        if connection is not None:
            connection.interrupt()
