"""Where readers in other threads find the database that the recorder has open."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from orch.store.writer import Writer


class Shelf:
    """Holds the present writer, lends connections for reading. Safe from any thread."""

    def __init__(self) -> None:
        self._writer: Writer | None = None
        self._lock = threading.Lock()

    def put(self, writer: Writer) -> None:
        """From now on readers read here."""
        with self._lock:
            self._writer = writer

    def clear(self) -> None:
        """The database is about to be closed."""
        with self._lock:
            self._writer = None

    @contextmanager
    def reader(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one use, read to its end within the block.

        Raises:
            StoreError: The recorder has no database open now.
        """
        with self._lock:
            if self._writer is None:
                raise StoreError("The database is not open yet; try again in a moment")
            connection = self._writer.reader()
        try:
            yield connection
        finally:
            connection.close()
