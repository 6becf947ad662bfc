"""Opening the database at the recorder's every start, its mirror of the journal made whole."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import duckdb

from orch.errors import JournalError
from orch.store.database import explain, open_for_writing
from orch.store.repair import rebuild_mirror

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from orch.boot.engine import Kind
    from orch.ports import Journal
    from orch.store.writer import Writer

log = logging.getLogger(__name__)


def open_mirrored(path: Path, kind: Kind, host: str, journal: Journal, now: datetime) -> Writer:
    """The database for its one writer, with all moves that only the journal knows of.

    What was told to a recorder that died, or stood in a batch that a crash cut off, is in the journal still.

    Raises:
        StoreError: It cannot be opened, or written to.
    """
    writer = open_for_writing(path, kind, host, now)
    try:
        rebuild_mirror(writer.connection, journal.read())
    except JournalError as error:
        log.warning("the recorded moves may not be complete: %s", error)
    except duckdb.Error as error:
        writer.close()
        raise explain(error, path) from error
    return writer
