"""All or nothing, and failures in the project's own words."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb

from orch.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit at the end of the block; roll back when anything in it fails."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(duckdb.Error):  # a commit that fails has already rolled back
            connection.rollback()
        raise


@contextmanager
def explained(failed: str) -> Iterator[None]:
    """What DuckDB raises in the block becomes a StoreError that begins with `failed`."""
    try:
        yield
    except duckdb.Error as error:
        message = f"{failed}: {str(error).splitlines()[0]}"
        raise StoreError(message) from error
