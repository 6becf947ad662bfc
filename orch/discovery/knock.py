"""Knocking: one question to every place where a node may answer, all at once, for a few seconds."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING

import msgspec

from orch.discovery.traces import QUESTION, Candidate, Network
from orch.messages import Answered
from orch.model.base import Value
from orch.model.wire import HttpRequest, NoReply
from orch.system.clock import RealClock
from orch.system.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orch.messages.base import Message
    from orch.model.wire import Reply

WITHIN_S = 3.0
EMULATED_HEADER = "x-orch-emulated"
WANTS_KEY = frozenset({401, 403})


class Opened(Value):
    """A node that answered as its network does.

    `locked`: it wants a key before it says more. `allocated_gb` and `config_gb` are what a storage node was given.
    """

    network: Network
    url: str
    why: str
    emulated: bool = False
    locked: bool = False
    version: str | None = None
    allocated_gb: float | None = None


class _Inbox:
    """A `Directory` of which every address is the same queue."""

    def __init__(self) -> None:
        self.arrived: queue.SimpleQueue[Answered] = queue.SimpleQueue()

    def tell(self, _: str, message: Message) -> bool:
        """Put an answer in the queue."""
        if isinstance(message, Answered):
            self.arrived.put(message)
        return True


def ask_all(requests: Sequence[HttpRequest]) -> tuple[Reply | NoReply, ...]:
    """Ask everything at once; the answers in the same order, within some seconds."""
    clock, inbox = RealClock(), _Inbox()
    transport = HttpTransport(inbox, clock)
    answers: dict[str, Reply | NoReply] = {}
    try:
        for index, request in enumerate(requests):
            transport.fetch(request, reply_to="", key=str(index), node=str(index), lane="fast")
        until = time.monotonic() + 2 * WITHIN_S
        while len(answers) < len(requests) and (left := until - time.monotonic()) > 0:
            try:
                answer = inbox.arrived.get(timeout=left)
            except queue.Empty:
                break
            answers[answer.key] = answer.reply
    finally:
        transport.close()
    missing = NoReply(
        reason="timeout", sentence="no answer", retryable=True, failed_at=clock.now(), elapsed_s=2 * WITHIN_S
    )
    return tuple(answers.get(str(index), missing) for index in range(len(requests)))


def knock(places: Sequence[Candidate]) -> tuple[Opened, ...]:
    """Those places where a node of the expected network answers."""
    asked = [
        HttpRequest(
            url=f"{each.url.rstrip('/')}{QUESTION[each.network]}", deadline_s=WITHIN_S, max_bytes=4_000_000
        )
        for each in places
    ]
    replies = ask_all(asked)
    found = (read(place, reply) for place, reply in zip(places, replies, strict=True))
    return tuple(each for each in found if each is not None)


# -- what an answer gives away ------------------------------------------------------------------------------


class _Disk(msgspec.Struct):
    used: float
    available: float
    allocated: float | None = None


class _Storj(msgspec.Struct, rename="camel"):
    node_id: str = msgspec.field(name="nodeID")
    disk_space: _Disk
    version: str = ""


class _Release(msgspec.Struct):
    version: str


class _Golem(msgspec.Struct):
    current: _Release


class _Streamr(msgspec.Struct, rename="camel"):
    control_layer: dict[str, msgspec.Raw]


def read(place: Candidate, reply: Reply | NoReply) -> Opened | None:
    """What answers there; None when nothing does, or something else."""
    emulated = any(name.lower() == EMULATED_HEADER for name, _ in reply.headers)
    opened = Opened(network=place.network, url=place.url, why=place.why, emulated=emulated)
    if isinstance(reply, NoReply):
        # Only Streamr's /info wants a key; on its own port a refusal is as good as a name.
        if place.network == "streamr" and reply.status in WANTS_KEY:
            return msgspec.structs.replace(opened, locked=True)
        return None
    try:
        match place.network:
            case "storj":
                told = msgspec.json.decode(reply.body, type=_Storj)
                disk = told.disk_space
                given = disk.available if disk.allocated is None else disk.allocated
                return msgspec.structs.replace(opened, version=told.version or None, allocated_gb=given / 1e9)
            case "golem":
                version = msgspec.json.decode(reply.body, type=_Golem).current.version
                return msgspec.structs.replace(opened, version=version)
            case "streamr":
                msgspec.json.decode(reply.body, type=_Streamr)
                return opened
            case _:
                return None
    except (msgspec.MsgspecError, UnicodeError):
        return None
