"""The outside world on the stage: answers from a pure function, after a virtual latency."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from orch.messages import Answered
from orch.model.wire import NoReply, Reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from actors.stage import Stage
    from orch.model.wire import Lane, Request


class _Wanted(NamedTuple):
    request: Request
    reply_to: str
    key: str


class VirtualTransport:
    """The `Transport` port in virtual time.

    Args:
        stage: whose time it is.
        answer: `(request, now, node) -> (Reply | NoReply, latency in seconds)`, asked when the request's turn
            comes. The times within the answer are set here: to when it arrives, and to the latency.

    As the real one: one request at a time per `(node, lane)`, further ones wait their turn, exactly one
    `Answered` each, and a latency beyond the request's deadline is a timeout at the deadline. What the
    request did to the world stays done when only its answer is late.
    """

    def __init__(
        self,
        stage: Stage,
        answer: Callable[[Request, datetime, str], tuple[Reply | NoReply, float]],
    ) -> None:
        self._stage = stage
        self._answer = answer
        self._queues: dict[tuple[str, Lane], deque[_Wanted]] = {}

    def fetch(self, request: Request, *, reply_to: str, key: str, node: str, lane: Lane) -> None:
        """As the port says."""
        wanted = _Wanted(request, reply_to, key)
        queue = self._queues.get((node, lane))
        if queue is not None:
            queue.append(wanted)
            return
        self._queues[node, lane] = deque()
        self._begin(wanted, node, lane)

    def in_flight(self) -> int:
        """How many `(node, lane)` are waiting for an answer."""
        return len(self._queues)

    def _begin(self, wanted: _Wanted, node: str, lane: Lane) -> None:
        result, latency_s = self._answer(wanted.request, self._stage.now(), node)
        deadline_s = wanted.request.deadline_s
        late = latency_s > deadline_s

        def arrive() -> None:
            now = self._stage.now()
            reply: Reply | NoReply
            if late:
                reply = NoReply(
                    reason="timeout",
                    sentence=f"no answer within {deadline_s:g} s",
                    retryable=True,
                    failed_at=now,
                    elapsed_s=deadline_s,
                )
            elif isinstance(result, Reply):
                reply = msgspec.structs.replace(result, received_at=now, elapsed_s=latency_s)
            else:
                reply = msgspec.structs.replace(result, failed_at=now, elapsed_s=latency_s)
            self._stage.tell(wanted.reply_to, Answered(key=wanted.key, reply=reply))
            self._next(node, lane)

        self._stage.script_after(min(latency_s, deadline_s), arrive)

    def _next(self, node: str, lane: Lane) -> None:
        queue = self._queues[node, lane]
        if queue:
            self._begin(queue.popleft(), node, lane)
        else:
            del self._queues[node, lane]
