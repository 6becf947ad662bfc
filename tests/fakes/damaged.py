"""A database's log with one byte turned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from orch.store.database import connect

if TYPE_CHECKING:
    from pathlib import Path

PLACES = 10_000


def log_of(database: Path) -> Path:
    """The write-ahead log beside a database."""
    return database.with_name(f"{database.name}.wal")


def damage(database: Path, place: int) -> Path:
    """Turn one byte of the log, at so many hundredths of a percent of it."""
    log = log_of(database)
    body = bytearray(log.read_bytes())
    body[len(body) * place // PLACES] ^= 0xFF
    log.write_bytes(body)
    return log


def damage_noticed(database: Path, first_place: int = 4000) -> Path:
    """As `damage`, where it is noticed: an entry's length that leads beyond the log's end makes it a torn log."""
    for place in range(first_place, PLACES):
        log = damage(database, place)
        try:
            connect(database, read_only=True).close()
        except duckdb.Error:
            return log
        damage(database, place)
    raise AssertionError("no damage was noticed")
