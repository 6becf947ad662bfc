"""What the host of a storage node says of it: the room on its disk, and the last words of its log.

A node counts its own bytes, and counts wrong until its start-up scan has ended; what the disk has free is a fact.
The log is read only while the node does not answer, and only its end; keys, addresses and names in it are
blanked before anything is kept.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orch.errors import AbsurdError
from orch.model.base import Value
from orch.model.readings import Finding
from orch.model.wire import FileRead, ToolCall
from orch.protocols.base import Endpoint
from orch.protocols.decode import decode, within
from orch.protocols.storj_values import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orch.model.wire import Reply
    from orch.protocols.storj_values import Memory

ROOM_S = 600.0
LOG_S = 120.0
LOG_BYTES = 32_000
MOST_BYTES = 10**18
LEAST_FREE_SHARE = 0.05
"""SQLite breaks on a full disk, and keeping a tenth free is advised."""

SLACK_BYTES = 10_000_000_000
"""A difference up to this is the rounding of two counts that were not taken at one time."""

LONGEST_LINE = 400
_GRAVE = re.compile(r"\b(FATAL|ERROR|PANIC|panic|Fatal|Error)\b")
_SECRETS = (
    (re.compile(r"://[^/@\s]+@"), "://***@"),
    (re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 ***"),
    (
        re.compile(r"(?i)([\w.-]*(?:key|token|secret|passw\w*|auth\w*|wallet|email))(\W{1,4})[^\s\"',;}\]]+"),
        r"\1\2***",
    ),
    (re.compile(r"\b0x[0-9a-fA-F]{16,}"), "***"),
    (re.compile(r"[A-Za-z0-9+_=-]{40,}"), "***"),
)
_UNPRINTABLE = re.compile(r"\x1b\[[0-9;]*m|[^\x20-\x7e\u00a0-\uffff]")

CAUSES = (
    (
        "disk space requirement",
        "grant at least 500 GB, or make room on the disk: the node refuses to start with less",
    ),
    ("outdated software", "update the node: its version is below the network's minimum"),
    ("clock", "set the host's clock by NTP: the node refuses to start when it is half an hour off"),
    (
        "storage-dir-verification",
        "see that the node's disk is mounted where storage.path says: its mark is not there; make nothing anew",
    ),
    ("not a database", "one of its SQLite files is damaged: follow the network's guide for a malformed database"),
    ("malformed", "one of its SQLite files is damaged: follow the network's guide for a malformed database"),
    ("trust", "see whether the host can reach the list of satellites: without it and without a cache it stops"),
    ("not readable", "look at the disk and its mount: the node stops when its directory cannot be read in time"),
    (
        "not writable",
        "look at the disk and its mount: the node stops when its directory cannot be written in time",
    ),
    ("no space left", "make room on the disk: it is full"),
    ("permission denied", "let the node's user read and write its directories"),
)
"""Words of a last line, and what to do about them."""

READ_LOG = "read the log before that line, and start the node by hand to see what it says"


def host_endpoints(memory: Memory, *, silent: bool) -> Iterator[Endpoint]:
    """The disk, where its path is configured; the log's end while the node does not answer."""
    options = memory.options
    if options.storage_path is not None:
        body = json.dumps({"path": _there(memory, options.storage_path)}).encode()
        question = ToolCall(tool="host", action="look", body=body, deadline_s=10.0)
        yield Endpoint(key="disk", request=question, period_s=ROOM_S, lane="slow", rank=40)
    if options.log_path is not None and silent:
        asked = FileRead(path=_there(memory, options.log_path), max_bytes=LOG_BYTES, tail=True)
        yield Endpoint(key="log", request=asked, period_s=LOG_S, lane="slow", rank=1)


def _there(memory: Memory, place: str) -> str:
    return str(Path(memory.context.base_dir, Path(place).expanduser()))


class _Disk(Value):
    total: int
    free: int


class _Look(Value):
    disk: _Disk | None


def read_room(reply: Reply, key: str) -> Room:
    """What the disk has and has left.

    Raises:
        ShapeError: Another shape.
        AbsurdError: There is no such directory, or more is free than there is.
    """
    disk = decode(reply, _Look, key, content_type=None).disk
    if disk is None:
        raise AbsurdError(f"{key}: storage_path is no directory of this host")
    total = within(disk.total, f"{key}: total", 1, MOST_BYTES)
    return Room(total=total, free=within(disk.free, f"{key}: free", 0, total))


def remedy_of(line: str) -> str:
    """What to do about a last line."""
    low = line.lower()
    return next((what for words, what in CAUSES if words in low), READ_LOG)


def last_words(body: bytes) -> str:
    """The last line of a log that tells of an error, else the last one; shortened, and without secrets."""
    lines = [each.strip() for each in body.decode(errors="replace").splitlines()]
    told = [each for each in lines if each]
    grave = [each for each in told if _GRAVE.search(each)]
    line = _UNPRINTABLE.sub(" ", _short((grave or told or [""])[-1]))
    for pattern, instead in _SECRETS:
        line = pattern.sub(instead, line)
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..."


def _short(line: str) -> str:
    """A line of the node's logger without the stack that it carries in JSON: its message and its error."""
    head, _, tail = line.partition("{")
    try:
        said = json.loads("{" + tail)
    except (ValueError, RecursionError):
        return line
    if not isinstance(said, dict) or not isinstance(said.get("error"), str):
        return line
    message = head.strip() or str(said.get("M", ""))
    return f"{message}: {said['error']}"


def host_findings(memory: Memory, *, silent: bool) -> Iterator[Finding]:
    """What the host knows better than the node."""
    if silent and memory.last_words:
        said = f'the node\'s log ends with "{memory.last_words}"'
        yield _finding("storj_last_words", "warning", said, remedy_of(memory.last_words))
    room, node = memory.room, memory.node
    if room is None:
        return
    if room.free < LEAST_FREE_SHARE * room.total:
        yield _finding(
            "storj_disk_full",
            "warning",
            f"the node's disk has {room.free / 1e9:.0f} of {room.total / 1e9:.0f} GB free: "
            "its databases break on a full disk",
            "Make room, or allocate less: a tenth of the disk should stay free.",
        )
    if node is None:
        return
    if node.disk.free > room.free + SLACK_BYTES:
        yield _finding(
            "storj_free_differs",
            "warning",
            f"the node counts on {node.disk.free / 1e9:.0f} GB that can still be filled; "
            f"its disk has {room.free / 1e9:.0f} GB free",
            "Allocate no more than the disk has, or let the start-up scan end: its counters are wrong until then.",
        )
    elif node.disk.used > room.total - room.free + SLACK_BYTES:
        yield _finding(
            "storj_used_differs",
            "info",
            f"the node counts {node.disk.used / 1e9:.0f} GB as used; "
            f"its disk holds {(room.total - room.free) / 1e9:.0f} GB in all",
            "Its counters are wrong until the start-up scan has ended; see that storage_path is the node's disk.",
        )


def _finding(code: str, severity: Literal["info", "warning"], sentence: str, remedy: str) -> Finding:
    return Finding(code=code, severity=severity, sentence=sentence, remedy=remedy)
