"""One actor per configured node: asks it what is due, reports what it knows, pulls its levers."""

from __future__ import annotations

import logging
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, assert_never

from msgspec.structs import replace

from actors.base import Actor, House
from orch.errors import LeverError
from orch.levers.golem_price import finding_of, price_of
from orch.levers.together import FittedLever, apply_all, pegged, read_all
from orch.levers.touched import may_have_changed
from orch.messages import (
    AdapterInbox,
    AllocationApplied,
    AllocationRead,
    AllocationRefused,
    Answered,
    ApplyAllocation,
    AreYouReady,
    HowMuchWork,
    NodeHeard,
    PollFailed,
    PollNode,
    PriceDrifted,
    PricesAccepted,
    ReadBack,
    ReadingTaken,
    SetPrice,
    WakeUp,
)
from orch.model.moves import LeverName
from orch.model.readings import contact_lost
from orch.protocols.attend import Attended, Limits, ask, counted, heard, is_news, report, take

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orch.levers.base import LeverReading, Task
    from orch.levers.golem_price import Repricing
    from orch.model.money import Price
    from orch.model.readings import Reading
    from orch.model.wire import NoReply, Reply, Request
    from orch.protocols.base import Context, ProtocolSpec

COORDINATOR = "coordinator"
REALLOCATION = "reallocation"
LEVERS_EVERY_S = 120.0
REPORT_EVERY_S = 240.0
"""A whole reading at least so often, for what only time changes; in between signs of life will do."""

LOOKED_AT_S = 300.0
"""Nothing but what is vital is asked more often than analyses look at it; alerts look at least so often."""

TASK = "lever task "

log = logging.getLogger(__name__)

LATE = 0.5
"""A question that has been due for half its period follows an answer at once; others are spread over the ticks."""


@dataclass(frozen=True)
class NodePlan:
    """What an adapter is told of its node.

    `analyze_s`: how often what it tells is looked at. `in_crowd`: it has so many neighbours that first contact
    goes on from tick to tick instead of at once.
    """

    context: Context
    spec: ProtocolSpec
    options: Any
    levers: tuple[FittedLever, ...] = ()
    seed: int = 0
    measure: Callable[[], Any] | None = None
    levers_every_s: float = LEVERS_EVERY_S
    analyze_s: float = 0.0
    in_crowd: bool = False

    @property
    def least_s(self) -> float:
        """The shortest time between two questions that need not be asked more often than they are looked at."""
        return min(self.analyze_s, LOOKED_AT_S)


@dataclass
class _Pull:
    """A lever task, and what to do when it ends. One at a time: a late goal must not land after its undo."""

    key: str
    task: Task[Any]
    done: Callable[[Any], None]
    failed: Callable[[str, bool], None]
    asked: Request | None = None
    touched: bool = False


@dataclass
class _Times:
    levers_read: datetime | None = None
    reported: datetime | None = None
    changed: bool = True
    heard: bool = False
    first_contact: bool = True
    pulls: deque[_Pull] = field(default_factory=deque)


class Adapter(Actor):
    """Stands between the house and one node."""

    def __init__(self, name: str, house: House, plan: NodePlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._node = plan.context.node
        self._jitter = random.Random(plan.seed)
        self._state = Attended(memory=plan.spec.begin(plan.options, plan.context))
        self._times = _Times()
        self._task_number = 0
        self._pegged = pegged(plan.levers)
        self._repricing: Repricing | None = None

    def ready(self) -> None:
        """Number tasks so that an answer meant for a predecessor of the same name is not taken for ours."""
        self._task_number = int(self.house.clock.monotonic() * 1e6)

    def handle(self, message: AdapterInbox) -> object:
        """Ask, take in, report, pull."""
        match message:
            case PollNode(whole=whole):
                self._poll(whole=whole)
            case Answered(key=key, reply=reply):
                self._answered(key, reply)
            case ReadBack():
                self._read_back(message)
            case ApplyAllocation():
                self._apply(message)
            case PricesAccepted(prices=prices):
                self._look_at_price(prices)
            case SetPrice():
                self._set_price()
            case WakeUp() | AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    # -- asking the node ---------------------------------------------------------------------------------

    def _poll(self, *, whole: bool) -> None:
        now = self.house.clock.now()
        self._ask(now)
        if self._levers_due(now):
            self._times.levers_read = now
            self._start(read_all(self._plan.levers), self._levers_read, lambda *_: None)
        if whole or self._times.changed or self._report_due(now):
            self._times.changed, self._times.heard, self._times.reported = False, False, now
            self.tell(COORDINATOR, ReadingTaken(reading=self._reading(now)))
        elif self._times.heard and (sign := heard(self._plan.spec, self._state, now)) is not None:
            self._times.heard = False
            self.tell(COORDINATOR, NodeHeard(node=self._node, heard=sign))

    def _ask(self, now: datetime, late: float = 0.0) -> None:
        plan = self._plan
        self._state, endpoints = ask(plan.spec, self._state, now, self._jitter, late=late, least_s=plan.least_s)
        for endpoint in endpoints:
            self.house.transport.fetch(
                endpoint.request, reply_to=self.name, key=endpoint.key, node=self._node, lane=endpoint.lane
            )
        if self._times.first_contact and not endpoints:
            self._times.first_contact = any(turn.asked_at for turn in self._state.schedule.turns.values())

    def _reading(self, now: datetime) -> Reading:
        reading = report(self._plan.spec, self._state, now)
        if self._plan.measure is not None:
            reading = replace(reading, used=self._plan.measure().filled(reading.used))
        if self._repricing is not None:
            reading = replace(reading, findings=(*reading.findings, finding_of(self._repricing)))
        return reading

    def _answered(self, key: str, reply: Reply | NoReply) -> None:
        if key.startswith(TASK):
            self._go_on(key, reply)
            return
        now, before = self.house.clock.now(), self._state
        self._state, failure = take(self._plan.spec, before, key, reply, now)
        self._times.heard = True
        if self._plan.measure is not None or is_news(self._plan.spec, before, self._state):
            self._times.changed = True
        if failure is not None:
            self.tell(COORDINATOR, PollFailed(node=self._node, failure=failure))
        elif not (self._times.first_contact and self._plan.in_crowd):
            # History comes in many parts, and ticks may be far apart: what is late need not wait for the next.
            self._ask(now, 0.0 if self._times.first_contact else LATE)

    def _report_due(self, now: datetime) -> bool:
        last = self._times.reported
        return last is None or now - last >= timedelta(seconds=REPORT_EVERY_S)

    def _levers_due(self, now: datetime) -> bool:
        last, plan = self._times.levers_read, self._plan
        due = last is None or now - last >= timedelta(seconds=max(plan.levers_every_s, plan.least_s))
        return due and bool(plan.levers) and not self._times.pulls

    # -- levers ------------------------------------------------------------------------------------------

    def _levers_read(self, found: LeverReading) -> None:
        limits = Limits(
            allocation=found.allocation,
            committed=found.committed,
            used=found.used,
            read_at=self.house.clock.now(),
        )
        if replace(limits, read_at=None) != replace(self._state.limits, read_at=None):
            self._times.changed = True
        self._state = replace(self._state, limits=limits)

    def _read_back(self, question: ReadBack) -> None:
        def done(found: LeverReading) -> None:
            self._levers_read(found)
            reading = report(self._plan.spec, self._state, self.house.clock.now())
            self.tell(
                REALLOCATION,
                AllocationRead(
                    reallocation_id=question.reallocation_id,
                    token=question.token,
                    node=self._node,
                    allocation=reading.allocation,
                    committed=reading.committed,
                    connected=reading.health in ("online", "degraded")
                    and contact_lost(self._state.failures, reading.last_seen_at) is None,
                ),
            )

        self._start(read_all(self._plan.levers), done, lambda why, _: self._refuse(question, why))

    def _apply(self, command: ApplyAllocation) -> None:
        def done(_: object) -> None:
            self._times.levers_read = None
            self.tell(
                REALLOCATION,
                AllocationApplied(reallocation_id=command.reallocation_id, token=command.token, node=self._node),
            )

        def failed(why: str, touched: bool) -> None:
            self._refuse(command, why, touched=touched)

        self._start(apply_all(self._plan.levers, command.goal), done, failed)

    # -- the node's own price ----------------------------------------------------------------------------

    def _look_at_price(self, prices: tuple[Price, ...]) -> None:
        price = price_of(prices, self.house.clock.now())
        if self._pegged is None or price is None:
            return
        lever, options, peg = self._pegged

        def done(found: Repricing | None) -> None:
            self._times.changed = self._times.changed or found != self._repricing
            self._repricing = found
            if found is not None:
                name = LeverName(node=self._node, kind=lever.kind)
                self.tell(REALLOCATION, PriceDrifted(lever=name, hold_s=peg.hold_s, sentence=found.sentence))

        self._start(lever.look_at_price(options, price), done, lambda *_: None)

    def _set_price(self) -> None:
        if self._pegged is None or self._repricing is None:
            return
        lever, options, _ = self._pegged

        def done(_: object) -> None:
            self._times.changed, self._repricing = True, None

        self._start(
            lever.reprice(options, self._repricing),
            done,
            lambda why, _: log.warning("the price of %s was not set: %s", self._node, why),
        )

    def _refuse(self, message: ReadBack | ApplyAllocation, sentence: str, *, touched: bool = False) -> None:
        self.tell(
            REALLOCATION,
            AllocationRefused(
                reallocation_id=message.reallocation_id,
                token=message.token,
                node=self._node,
                sentence=sentence,
                retryable=True,
                touched=touched,
            ),
        )

    def _start(self, task: Task[Any], done: Callable[[Any], None], failed: Callable[[str, bool], None]) -> None:
        self._task_number += 1
        pulls = self._times.pulls
        pulls.append(_Pull(f"{TASK}{self._task_number}", task, done, failed))
        if len(pulls) == 1:
            self._go_on(pulls[0].key, None)

    def _go_on(self, key: str, reply: Reply | NoReply | None) -> None:
        pulls = self._times.pulls
        if not pulls or pulls[0].key != key:
            return
        pull = pulls[0]
        if reply is not None:
            self._state = counted(self._state, reply)
            if pull.asked is not None:
                pull.touched = pull.touched or may_have_changed(pull.asked, reply)
        try:
            request = next(pull.task) if reply is None else pull.task.send(reply)
        except StopIteration as end:
            pull.done(end.value)
        except LeverError as error:
            pull.failed(str(error), pull.touched)
        else:
            pull.asked = request
            self.house.transport.fetch(request, reply_to=self.name, key=key, node=self._node, lane="lever")
            return
        pulls.popleft()
        if pulls:
            self._go_on(pulls[0].key, None)
