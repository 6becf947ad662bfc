"""One node attended: its protocol's memory, its schedule, and what observing it costs. Pure.

The adapter actor only carries messages between this and the transport.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from orch.errors import AbsurdError, ProtocolError
from orch.model.base import Value
from orch.model.readings import Failure, Heard, Reading
from orch.model.resources import Resources, combine
from orch.model.wire import NoReply, Reply
from orch.protocols.observer import Mark, marked, per_hour
from orch.protocols.schedule import Schedule, bad, due, good

if TYPE_CHECKING:
    import random

    from orch.protocols.base import Endpoint, ProtocolSpec

EMULATED_HEADER = "x-orch-emulated"
LONG_SILENCE = timedelta(minutes=3)
"""A node that is heard again after so long is news."""


class Limits(Value):
    """What the node's levers say: the limits in force, what they count as used, and when they said it."""

    allocation: Resources = Resources()
    committed: Resources = Resources()
    used: Resources = Resources()
    read_at: datetime | None = None


class Attended(Value):
    """Everything an adapter keeps. `failures` holds the newest failure of each endpoint that fails now.

    `since` is when the first question was asked; `marks` are totals of `requests`, `bytes_read` and
    `seconds_waited` at some times of the last hour.
    """

    memory: Any
    schedule: Schedule = Schedule()
    failures: tuple[Failure, ...] = ()
    limits: Limits = Limits()
    emulated: bool = False
    requests: int = 0
    bytes_read: int = 0
    seconds_waited: float = 0.0
    since: datetime | None = None
    marks: tuple[Mark, ...] = ()


def ask(
    spec: ProtocolSpec,
    state: Attended,
    now: datetime,
    jitter: float | random.Random,
    *,
    late: float = 0.0,
    least_s: float = 0.0,
) -> tuple[Attended, tuple[Endpoint, ...]]:
    """What to ask now, or what of it is `late` by a share of its period, and the state then.

    Only vital endpoints are asked again sooner than after `least_s`.
    """
    offered = spec.endpoints(state.memory, now)
    schedule, endpoints = due(state.schedule, offered, now, jitter, late=late, least_s=least_s)
    if not endpoints:
        return (state if schedule is state.schedule else replace(state, schedule=schedule)), ()
    marks = marked(state.marks, _cost(state, now))
    requests, since = state.requests + len(endpoints), state.since or now
    return replace(state, schedule=schedule, requests=requests, since=since, marks=marks), endpoints


def counted(state: Attended, reply: Reply | NoReply, *, asked: int = 1) -> Attended:
    """The state with the cost of an answer, and of `asked` questions that are not of the schedule (levers')."""
    return replace(
        state,
        requests=state.requests + asked,
        seconds_waited=state.seconds_waited + reply.elapsed_s,
        bytes_read=state.bytes_read + len(reply.body),
    )


def take(
    spec: ProtocolSpec, state: Attended, key: str, reply: Reply | NoReply, now: datetime
) -> tuple[Attended, Failure | None]:
    """The state after an answer, or after there was none; a wrong answer is a failure and changes no figure."""
    turn = state.schedule.turn(key)
    if turn is None or turn.asked_at is None:
        return state, None
    state = replace(
        counted(state, reply, asked=0),
        emulated=state.emulated or any(name.lower() == EMULATED_HEADER for name, _ in reply.headers),
    )
    if isinstance(reply, NoReply):
        if any(each.probe for each in spec.endpoints(state.memory, now) if each.key == key):
            memory = spec.failed(state.memory, key, reply, now)
            return replace(state, memory=memory, schedule=good(state.schedule, key, now)), None
        return _trouble(spec, state, key, reply, now)
    try:
        memory = spec.absorb(state.memory, key, reply, now)
    except ProtocolError as error:
        wrong = NoReply(
            reason="absurd" if isinstance(error, AbsurdError) else "shape",
            sentence=str(error),
            retryable=True,
            failed_at=now,
            elapsed_s=reply.elapsed_s,
            status=reply.status,
        )
        return _trouble(spec, state, key, wrong, now)
    left = tuple(each for each in state.failures if each.endpoint != key)
    return replace(state, memory=memory, schedule=good(state.schedule, key, now), failures=left), None


def is_news(spec: ProtocolSpec, before: Attended, after: Attended) -> bool:
    """Whether what was taken in is more than a sign of life."""
    if after.failures != before.failures or after.emulated != before.emulated:
        return True
    old, new, seen_in = before.memory, after.memory, seen_in_of(spec)
    if new is old:
        return False
    if seen_in is None:
        return True
    last, now = getattr(old, seen_in), getattr(new, seen_in)
    if last is None or now is None or now - last > LONG_SILENCE:
        return True
    return any(getattr(new, each) is not getattr(old, each) for each in new.__struct_fields__ if each != seen_in)


def heard(spec: ProtocolSpec, state: Attended, now: datetime) -> Heard | None:
    """The sign of life; None of a protocol that only says in whole readings when its node was seen."""
    seen_in = seen_in_of(spec)
    if seen_in is None:
        return None
    return Heard(
        heard_at=now,
        last_seen_at=getattr(state.memory, seen_in),
        requests=state.requests,
        bytes_read=state.bytes_read,
        seconds_waited=state.seconds_waited,
        observed_per_hour=per_hour(state.marks, _cost(state, now)),
    )


def seen_in_of(spec: ProtocolSpec) -> str | None:
    """The field of a protocol's memory that holds the time of the last sign of life, where it names one."""
    name: str | None = getattr(spec, "seen_in", None)
    return name


def report(spec: ProtocolSpec, state: Attended, now: datetime) -> Reading:
    """The node as it is known now: what the protocol says, with the limits that its levers state."""
    reading = spec.reading(state.memory, now)
    return replace(
        reading,
        allocation=state.limits.allocation.filled(reading.allocation),
        committed=_larger(reading.committed, state.limits.committed),
        used=reading.used.filled(state.limits.used),
        emulated=reading.emulated or state.emulated,
        requests=state.requests,
        bytes_read=state.bytes_read,
        seconds_waited=state.seconds_waited,
        observed_since=state.since,
        observed_per_hour=per_hour(state.marks, _cost(state, now)),
    )


def _cost(state: Attended, now: datetime) -> Mark:
    return Mark(at=now, requests=state.requests, bytes=state.bytes_read, seconds=state.seconds_waited)


def _larger(a: Resources, b: Resources) -> Resources:
    """The larger of what is known of each."""
    return combine(lambda x, y: y if x is None else x if y is None else max(x, y), a, b)


def _trouble(
    spec: ProtocolSpec, state: Attended, key: str, reply: NoReply, now: datetime
) -> tuple[Attended, Failure]:
    """The state after there was no usable answer, and the failure to tell of."""
    failure = Failure(
        endpoint=key,
        reason=reply.reason,
        sentence=reply.sentence,
        retryable=reply.retryable,
        failed_at=reply.failed_at,
        retry_after_s=reply.retry_after_s,
        vital=any(each.vital for each in spec.endpoints(state.memory, now) if each.key == key),
    )
    memory = spec.failed(state.memory, key, reply, now)
    return _failed(replace(state, memory=memory), failure, now), failure


def _failed(state: Attended, failure: Failure, now: datetime) -> Attended:
    others = tuple(each for each in state.failures if each.endpoint != failure.endpoint)
    schedule = bad(
        state.schedule,
        failure.endpoint,
        now,
        retryable=failure.retryable,
        retry_after_s=failure.retry_after_s,
    )
    return replace(state, schedule=schedule, failures=(*others, failure))
