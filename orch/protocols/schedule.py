"""Which endpoints of one node to ask now. Pure: the state is a frozen value, time and chance are arguments.

At most one request is in flight per lane. What is due is asked by rank, then by lateness; vital endpoints
that never answered come first, so that a new node is known to be there before its history is read. Periods
and back-offs are jittered, so that nodes configured together do not stay in step.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from orch.model.base import Value
from orch.model.wire import Lane
from orch.protocols.base import Endpoint

if TYPE_CHECKING:
    import random

BACKOFF_STEPS = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Multiples of the first wait, failure by failure."""

FIRST_WAIT_S = 60.0
"""After the first failure of an endpoint that has answered before; slow ones wait a tenth of their period."""

FIRST_CONTACT_WAIT_S = 5.0
"""The same for one that has never answered; slow ones wait 1/120 of their period."""

PAUSE_S = 1800.0
"""After a failure that asking again does not heal, such as a refused credential; at most ten periods."""

LONGEST_RETRY_AFTER_S = 6 * 3600.0
"""A node may ask for patience, not for silence."""


class Turn(Value):
    """The state of one endpoint. `due_at` None means at once; `asked_at` is set while a request is in flight."""

    key: str
    lane: Lane
    period_s: float
    backoff_max_s: float
    once: bool = False
    jitter: float = 0.5
    due_at: datetime | None = None
    asked_at: datetime | None = None
    last_good_at: datetime | None = None
    failures: int = 0
    done: bool = False


class Schedule(Value):
    """The state of one node's endpoints, by their keys.

    `offered` are the endpoints that were looked through last, at `looked_at`; `left` those that were due and have
    not been asked yet, `shortest_s` is the shortest of their periods.
    """

    turns: dict[str, Turn] = {}  # noqa: RUF012 - msgspec copies it
    offered: tuple[Endpoint, ...] = ()
    looked_at: datetime | None = None
    left: tuple[Endpoint, ...] = ()
    shortest_s: float = 0.0

    def turn(self, key: str) -> Turn | None:
        """The state of one endpoint, or None when it was never asked."""
        return self.turns.get(key)

    def in_flight(self, lane: Lane) -> str | None:
        """The key of the request that is on its way in this lane."""
        flying = (turn.key for turn in self.turns.values() if turn.lane == lane and turn.asked_at is not None)
        return next(flying, None)


def due(
    state: Schedule,
    endpoints: tuple[Endpoint, ...],
    now: datetime,
    jitter: float | random.Random = 0.5,
    *,
    late: float = 0.0,
    least_s: float = 0.0,
) -> tuple[Schedule, tuple[Endpoint, ...]]:
    """The endpoints to ask now, at most one per free lane, and the state in which they are in flight.

    After a look at all of them only those that it left can be `late` before a share of the shortest period has
    passed.

    Args:
        state: The state so far; endpoints that are no longer in `endpoints` are forgotten once answered.
        endpoints: Everything that may be asked, with unique keys.
        now: The clock's time.
        jitter: A number from 0 to 1, or a source of them: 0.5 leaves periods and waits as they are declared.
        late: Only what has been due for this share of its period, and what was never asked.
        least_s: The shortest period of endpoints that are not vital.

    Returns:
        The new state and the endpoints to ask, by rank.
    """
    same = endpoints is state.offered
    again = late > 0.0 and same and _since_look_s(state, now) < late * state.shortest_s
    if again and not state.left:
        return state, ()
    known = state.turns
    past = [
        each
        for each in (state.left if again else endpoints)
        if (turn := known.get(each.key)) is None or turn.due_at is None or turn.due_at <= now
    ]
    waiting = [each for each in past if _may_be_asked(known.get(each.key))]
    wanted_now = [each for each in waiting if _is_late(known.get(each.key), now, late)] if late else waiting
    busy = {turn.lane for turn in known.values() if turn.asked_at is not None} if wanted_now else set()
    chosen: list[Endpoint] = []
    for endpoint in sorted(wanted_now, key=lambda each: _order(each, known.get(each.key), now)):
        if endpoint.lane not in busy:
            busy.add(endpoint.lane)
            chosen.append(endpoint)
    turns = known
    if chosen or (not again and len(known) > len(endpoints)):
        wanted = {endpoint.key for endpoint in endpoints}
        turns = {key: turn for key, turn in known.items() if key in wanted or turn.asked_at is not None}
    for endpoint in chosen:
        share = jitter if isinstance(jitter, float | int) else jitter.random()
        turns[endpoint.key] = _ask(endpoint, known.get(endpoint.key), now, share, least_s)
    asked = {endpoint.key for endpoint in chosen}
    looked = Schedule(
        turns=turns,
        offered=endpoints,
        looked_at=state.looked_at if again else now,
        left=tuple([each for each in waiting if each.key not in asked]),
        shortest_s=state.shortest_s if same else min((each.period_s for each in endpoints), default=0.0),
    )
    return looked, tuple(chosen)


def _since_look_s(state: Schedule, now: datetime) -> float:
    return math.inf if state.looked_at is None else (now - state.looked_at).total_seconds()


def good(state: Schedule, key: str, now: datetime) -> Schedule:
    """The state after a usable answer: due again after its period, or never when it is asked only once."""
    turn = state.turn(key)
    if turn is None:
        return state
    wait_s = turn.period_s * (0.95 + 0.1 * turn.jitter)
    return _replace(
        state,
        msgspec.structs.replace(
            turn,
            asked_at=None,
            due_at=now + timedelta(seconds=wait_s),
            last_good_at=now,
            failures=0,
            done=turn.once,
        ),
    )


def bad(
    state: Schedule, key: str, now: datetime, *, retryable: bool = True, retry_after_s: float | None = None
) -> Schedule:
    """The state after a failure: due again after a back-off that grows with the failures in a row.

    Args:
        state: The state in which the request is in flight.
        key: The endpoint's key; unknown keys change nothing.
        now: The clock's time.
        retryable: False for what asking again does not heal; then the wait is half an hour, or ten periods.
        retry_after_s: The wait the node asked for; kept up to six hours.
    """
    turn = state.turn(key)
    if turn is None:
        return state
    wait_s = _backoff_s(turn)
    if not retryable:
        wait_s = max(wait_s, min(PAUSE_S, 10 * turn.period_s))
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, LONGEST_RETRY_AFTER_S))
    return _replace(
        state,
        msgspec.structs.replace(
            turn,
            asked_at=None,
            due_at=now + timedelta(seconds=wait_s),
            failures=turn.failures + 1,
        ),
    )


def _ask(endpoint: Endpoint, turn: Turn | None, now: datetime, jitter: float, least_s: float) -> Turn:
    return Turn(
        key=endpoint.key,
        lane=endpoint.lane,
        period_s=endpoint.period_s if endpoint.vital else max(endpoint.period_s, least_s),
        backoff_max_s=endpoint.backoff_max_s,
        once=endpoint.once,
        jitter=jitter,
        due_at=now,
        asked_at=now,
        last_good_at=turn.last_good_at if turn else None,
        failures=turn.failures if turn else 0,
    )


def _may_be_asked(turn: Turn | None) -> bool:
    """Whether what its time has come for may be asked."""
    return turn is None or turn.due_at is None or not (turn.done or turn.asked_at is not None)


def _is_late(turn: Turn | None, now: datetime, late: float) -> bool:
    return turn is None or turn.due_at is None or (now - turn.due_at).total_seconds() >= late * turn.period_s


def _order(endpoint: Endpoint, turn: Turn | None, now: datetime) -> tuple[bool, int, float, str]:
    first_contact = endpoint.vital and (turn is None or turn.last_good_at is None)
    late_s = float("inf") if turn is None or turn.due_at is None else (now - turn.due_at).total_seconds()
    return not first_contact, endpoint.rank, -late_s, endpoint.key


def _backoff_s(turn: Turn) -> float:
    if turn.last_good_at is None:
        first_s = max(FIRST_CONTACT_WAIT_S, turn.period_s / 120)
    else:
        first_s = max(FIRST_WAIT_S, turn.period_s / 10)
    step = BACKOFF_STEPS[min(turn.failures, len(BACKOFF_STEPS) - 1)]
    return min(first_s * step, turn.backoff_max_s) * (0.8 + 0.4 * turn.jitter)


def _replace(state: Schedule, turn: Turn) -> Schedule:
    return msgspec.structs.replace(state, turns={**state.turns, turn.key: turn})
