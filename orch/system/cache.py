"""Small files that outlive a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from orch.system.paths import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 4_000_000

log = logging.getLogger(__name__)


class FileCache:
    """The `Cache` port over one file: a reader, or a crash, sees the old content or the new."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._failing = False

    def load(self) -> bytes | None:
        """What was saved last."""
        try:
            with self._path.open("rb") as file:
                body = file.read(LARGEST + 1)
        except OSError:
            return None
        return body if len(body) <= LARGEST else None

    def save(self, body: bytes) -> None:
        """Keep this instead; a disk that refuses is told of once."""
        try:
            atomic_write(self._path, body)
        except OSError as error:
            if not self._failing:
                log.warning("%s cannot be kept: %s", self._path, error.strerror)
            self._failing = True
        else:
            self._failing = False
