"""Logging to stderr: one line per event, with its level and its actor, and never a secret."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

SHORTEST_SECRET = 4
"""Shorter ones are not looked for: they would blank ordinary words."""
ROOTS = ("orch.", "actors.")


class Redactor:
    """Knows the secrets of this run and takes them out of texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: tuple[str, ...] = ()
        for each in secrets:
            self.add(each)

    def add(self, secret: str) -> None:
        """From now on, hide this text, as it is and as it stands in URLs and quoted strings."""
        if len(secret) >= SHORTEST_SECRET:
            forms = {secret, quote(secret, safe=""), repr(secret)[1:-1]}
            self._secrets = tuple(sorted({*self._secrets, *forms}, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text with stars in place of every secret."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class OneLine(logging.Formatter):
    r"""`2026-11-22T10:00:00.123Z WARNING coordinator: sentence`; line ends are written as `\n`.

    The actor is the record's `actor` (given as `extra`), else the logger's name without its root. An
    exception is its type, text and place; its whole stack only when debugging.
    """

    def __init__(self, redactor: Redactor, *, stacks: bool = False) -> None:
        super().__init__()
        self._redactor = redactor
        self._stacks = stacks

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        when = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        actor = getattr(record, "actor", None) or record.name
        for root in ROOTS:
            actor = actor.removeprefix(root)
        sentence = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            sentence = f"{sentence}: {self._trouble(record.exc_info[1], record.exc_info[2])}"
        line = f"{when}Z {record.levelname:<7} {actor}: {sentence}"
        return self._redactor.clean(line).replace("\r", "\\r").replace("\n", "\\n")

    def _trouble(self, error: BaseException, trace: TracebackType | None) -> str:
        if self._stacks:
            return "".join(traceback.format_exception(error))
        frames = traceback.extract_tb(trace)
        place = f" ({frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name})" if frames else ""
        return f"{type(error).__name__}: {error}{place}"


def setup_logging(
    redactor: Redactor, *, level: int = logging.INFO, stream: TextIO | None = None
) -> logging.Handler:
    """Send everything logged in this process to stderr (or `stream`), replacing earlier handlers.

    Returns:
        The handler, so that a terminal board can hold it back.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(OneLine(redactor, stacks=level <= logging.DEBUG))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    # What they find worth a warning reaches orch as a failure of its own; their texts may hold whole URLs.
    for chatty in ("urllib3", "requests", "pykka", "asyncio", "uvicorn"):
        logging.getLogger(chatty).setLevel(max(level, logging.ERROR))
    return handler
