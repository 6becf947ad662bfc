"""What stands around a thin actor: one that notes what it is told, answers, a protocol with one question."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from actors.base import Actor
from orch.errors import ShapeError
from orch.model.readings import Reading
from orch.model.wire import HttpRequest, NoReply, Reply
from orch.protocols.base import Endpoint

T0 = datetime(2026, 11, 22, tzinfo=UTC)


class Listener(Actor):
    """Notes everything it is told."""

    def ready(self) -> None:
        self.seen: list[Any] = []

    def handle(self, message: Any) -> object:
        self.seen.append(message)
        return None

    def of(self, kind: type) -> list[Any]:
        return [each for each in self.seen if type(each) is kind]


def reply(now: datetime, body: object) -> Reply:
    return Reply(
        status=200,
        headers=(("Content-Type", "application/json"),),
        body=msgspec.json.encode(body),
        received_at=now,
        elapsed_s=0.1,
    )


def refused(now: datetime) -> NoReply:
    return NoReply(reason="refused", sentence="nobody listens", retryable=True, failed_at=now, elapsed_s=0.0)


class Plain:
    """A protocol with one question, whose answer is a number."""

    name, tokens, levers, options = "plain", (), ("fake",), None

    def begin(self, options, context):
        return ()

    def endpoints(self, memory, now):
        return (Endpoint(key="n", request=HttpRequest(url="http://node/n"), period_s=60, vital=True),)

    def absorb(self, memory, key, reply, now):
        found = msgspec.json.decode(reply.body)
        if not isinstance(found, int):
            raise ShapeError("n: not a number")
        return (*memory, found)

    def failed(self, memory, key, failure, now):
        return memory

    def reading(self, memory, now):
        return Reading(
            node="a",
            protocol="plain",
            taken_at=now,
            emulated=False,
            health="online" if memory else "unknown",
            health_reason="",
            last_seen_at=now if memory else None,
            facts=tuple(("n", str(each)) for each in memory),
        )
