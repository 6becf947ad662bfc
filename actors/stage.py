"""Actors without threads: one message at a time, in seeded virtual time.

The stage takes actors that were never started and is itself their directory, their timers and their clock.
Everything a role does between two messages is the same code as live; only who wakes it differs. The order in
which actors with waiting messages are served is drawn from the seed, so an order in which something breaks is
a seed, and can be played again.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from actors.base import SUPERVISOR, HandlerExitedError, House
from actors.virtual_time import VirtualTime
from orch.messages.base import Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from actors.base import Actor
    from orch.messages import Ask
    from orch.model.wire import Lane, Request
    from orch.ports import Board, Host, Journal, SolverPool, Transport

A = TypeVar("A")

BUSY_LIMIT: Final = 1_000_000
"""Messages at one virtual instant before the stage says that the actors talk in a circle."""


class StageError(RuntimeError):
    """Something that cannot be played: a question inside a handler, a circle, a second actor of one name."""


class KilledError(Exception):
    """What an actor dies of in `Stage.kill`."""


class _Asked:
    """A question from outside, and its answer."""

    __slots__ = ("answer", "done", "error", "question")

    def __init__(self, question: Message) -> None:
        self.question = question
        self.answer: Any = None
        self.error: BaseException | None = None
        self.done = False


class _Stop:
    """An actor's own wish to stop, in its turn."""


class _Resident:
    """An actor on the stage. `waiting`: it is in the list of those to serve."""

    __slots__ = ("actor", "gone", "lanes", "name", "ready", "waiting")

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self.name = actor.name
        # Typed for envelopes; on the stage the same lanes hold bare messages.
        self.lanes: Any = actor.lanes
        self.ready = False
        self.waiting = False
        self.gone = False


class _Doorway:
    """Stands in for the inbox behind an actor's own Pykka reference, which nobody reads on the stage."""

    def __init__(self, stage: Stage, resident: _Resident) -> None:
        self._stage = stage
        self._resident = resident

    def put(self, envelope: Any, /) -> None:
        """Turn what Pykka would have queued into what the stage can serve: a tell, or the actor's own stop."""
        if envelope.reply_to is not None:
            self._stage.refuse(f"{self._resident.name} was asked through its reference")
        elif isinstance(envelope.message, Message):
            self._stage.tell(self._resident.name, envelope.message)
        else:
            self._stage.enqueue(self._resident, _Stop())

    def get(self) -> Any:
        """Never called: there is no thread."""
        raise StageError("an actor on the stage has no thread")

    def empty(self) -> bool:
        """Nothing ever waits here."""
        return True


class Stage(VirtualTime):
    """Directory, and by `VirtualTime` Clock and Timers, of the actors on it. For one thread.

    All timers of one instant fire together, in the order they were set; then the waiting actors are served in
    seeded order, one message each time, by the lanes of their inbox, until nobody waits; then time goes to the
    next timer. Handlers take no virtual time.

    A handler's failure takes the live path: `ActorFailed` to the supervisor. Without a supervisor on the stage
    it is raised out of `run_until` and its kind.

    Args:
        seed: decides every order that is open.
        start: the first instant, aware.
        trace: keep a digest of `(time, name, message type)` and the last 200; costs a quarter of the speed.
        busy_limit: messages at one instant before the stage says that the actors talk in a circle.
    """

    def __init__(self, seed: int, start: datetime, *, trace: bool = False, busy_limit: int = BUSY_LIMIT) -> None:
        super().__init__(start)
        self._random = random.Random(seed)
        self._busy_limit = busy_limit
        self._residents: dict[str, _Resident] = {}
        self._newcomers: list[_Resident] = []
        self._waiting: list[_Resident] = []
        self._served = 0
        self._serving = False
        self._fault: StageError | None = None
        self._dead_letters: Counter[tuple[str, str]] = Counter()
        self._digest = hashlib.blake2b(digest_size=16) if trace else None
        self._tail: deque[tuple[datetime, str, str]] = deque(maxlen=200)

    # -- the company -----------------------------------------------------------------------------------------

    def house(
        self,
        transport: Transport | None = None,
        *,
        journal: Journal | None = None,
        host: Host | None = None,
        board: Board | None = None,
        solvers: SolverPool | None = None,
    ) -> House:
        """A house with the stage as clock, timers and directory. Without a transport a fetch is a StageError."""
        return House(
            clock=self,
            timers=self,
            directory=self,
            transport=transport or _NoTransport(self),
            journal=journal,
            host=host,
            board=board,
            solvers=solvers,
        )

    def add(self, actor: Actor) -> None:
        """Put an actor on the stage.

        Those added before the first run get ready in order when it begins; later ones (restarts) in seeded order
        with the others' messages, as a thread of their own would. Raises StageError when the name is taken.
        """
        if actor.name in self._residents:
            raise StageError(f"there is already an actor named {actor.name} on the stage")
        resident = _Resident(actor)
        actor.actor_ref.actor_inbox = _Doorway(self, resident)
        self._residents[actor.name] = resident
        self._newcomers.append(resident)

    def kill(self, name: str, error: BaseException | None = None) -> None:
        """Let an actor crash now, as by an exception in a handler: what waits for it is lost.

        The supervisor is told. Raises StageError when nobody of that name is on the stage.
        """
        resident = self._residents.get(name)
        if resident is None:
            raise StageError(f"there is no actor named {name} on the stage")
        self._bury(resident)
        resident.actor.die(error or KilledError("killed on the stage"))

    def dismiss(self, name: str) -> None:
        """Let an actor end in order: it closes what it holds; what still waits for it is lost.

        Raises StageError when nobody of that name is on the stage.
        """
        resident = self._residents.get(name)
        if resident is None:
            raise StageError(f"there is no actor named {name} on the stage")
        self._bury(resident)
        resident.actor.on_stop()

    def names(self) -> tuple[str, ...]:
        """Who is alive on the stage, in order of arrival."""
        return tuple(self._residents)

    # -- Directory -------------------------------------------------------------------------------------------

    def tell(self, name: str, message: Message) -> bool:
        """Put a message in an actor's inbox; False, and a dead letter, when there is no such actor now."""
        resident = self._residents.get(name)
        if resident is None:
            self._dead_letters[name, type(message).__name__] += 1
            return False
        resident.lanes.put(message, type(message))
        if not resident.waiting:
            resident.waiting = True
            self._waiting.append(resident)
        return True

    def dead_letters(self) -> dict[tuple[str, str], int]:
        """How many messages found nobody, by `(name, message type)`."""
        return dict(self._dead_letters)

    def ask(self, name: str, question: Ask[A]) -> A:
        """Ask from outside, at this instant; serves messages until the answer is there.

        Raises StageError inside a handler or when nobody lives there, and whatever the handler raised.
        """
        if self._serving:
            self.refuse(f"{name} was asked inside a handler")
        resident = self._residents.get(name)
        if resident is None:
            raise StageError(f"there is no actor named {name} on the stage")
        asked = _Asked(question)
        resident.lanes.put(asked, type(question), asked=True)
        self._wake(resident)
        self._serve_all(asked)
        if asked.error is not None:
            raise asked.error
        if not asked.done:
            raise StageError(f"{name} ended before it could answer")
        answer: A = asked.answer
        return answer

    # -- running ---------------------------------------------------------------------------------------------

    def run_until(self, when: datetime) -> int:
        """Play up to and including this time; returns how many messages were handled.

        Raises:
            StageError: nested in a handler, a question inside a handler, or a circle of messages.
            ValueError: the time is past.
        """
        if when < self._now:
            raise ValueError(f"{when.isoformat()} is past; virtual time is {self._now.isoformat()}")
        if self._serving:
            self.refuse("the stage was run inside a handler")
        goal = self._instant(when)
        before = self._served
        self._serve_all()
        while self._heap and self._heap[0][0] <= goal:
            self._set_now(self._heap[0][0])
            self._play_instant()
        self._set_now(goal)
        return self._served - before

    def run_for(self, seconds: float) -> int:
        """As `run_until`, so many virtual seconds from now."""
        return self.run_until(self._now + timedelta(seconds=seconds))

    def drain(self) -> int:
        """Play everything of this instant; time stays."""
        return self.run_until(self._now)

    def digest(self) -> str:
        """A digest of every `(time, name, message type)` handled so far. Needs `trace=True`."""
        if self._digest is None:
            raise StageError("a digest needs Stage(trace=True)")
        return self._digest.hexdigest()

    def tail(self) -> tuple[tuple[datetime, str, str], ...]:
        """The last 200 `(time, name, message type)`, oldest first; empty without `trace=True`."""
        return tuple(self._tail)

    # -- within ----------------------------------------------------------------------------------------------

    def refuse(self, sentence: str) -> NoReturn:
        """Raise a StageError that also ends the run, for a handler's own would only end the handler's actor."""
        fault = StageError(f"{sentence}; actors tell, they never ask or wait")
        if self._serving:
            self._fault = fault
        raise fault

    def enqueue(self, resident: _Resident, item: object) -> None:
        """Put something that is no message in a resident's control lane."""
        resident.lanes.put(item, type(item))
        self._wake(resident)

    def _wake(self, resident: _Resident) -> None:
        if not resident.waiting:
            resident.waiting = True
            self._waiting.append(resident)

    def _play_instant(self) -> None:
        for _ in range(self._busy_limit):
            due = self._take_due()
            if not due:
                return
            for entry in due:
                if entry[2] is None:
                    entry[3]()
                else:
                    self.tell(entry[2], entry[3])
            self._serve_all()
        raise StageError(f"timers without delay go in a circle at {self._now.isoformat()}")

    def _serve_all(self, until: _Asked | None = None) -> None:
        """Serve waiting actors in seeded order until nobody waits (or the question is answered)."""
        if self._newcomers and not self._served:
            # Before the first message everybody gets ready in the order of the playbill.
            for resident in self._take_newcomers():
                if not resident.gone:
                    self._get_ready(resident)
        waiting, draw = self._waiting, self._random.random
        circle_at = self._served + self._busy_limit
        while True:
            for resident in self._take_newcomers() if self._newcomers else ():
                self._wake(resident)
            if not waiting or (until is not None and until.done):
                return
            present = len(waiting)
            index = int(draw() * present) if present > 1 else 0
            resident = waiting[index]
            if resident.ready and resident.lanes:
                self._serve(resident, resident.lanes.get())
            elif not resident.ready and not resident.gone:
                self._get_ready(resident)
            if resident.gone or (resident.ready and not resident.lanes):
                resident.waiting = False
                waiting[index] = waiting[-1]
                waiting.pop()
            if self._served > circle_at:
                raise StageError(f"the actors talk in a circle at {self._now.isoformat()}")

    def _take_newcomers(self) -> list[_Resident]:
        newcomers, self._newcomers = self._newcomers, []
        return newcomers

    def _get_ready(self, resident: _Resident) -> None:
        resident.ready = True
        self._perform(resident, resident.actor.on_start)

    def _serve(self, resident: _Resident, item: Any) -> None:
        self._served += 1
        if type(item) is _Stop:
            self._bury(resident)
            resident.actor.on_stop()
            return
        asked = item if type(item) is _Asked else None
        message = item if asked is None else asked.question
        if self._digest is not None:
            kind = type(message).__name__
            self._digest.update(f"{self._now_us} {resident.name} {kind}\n".encode())
            self._tail.append((self._now, resident.name, kind))
        self._perform(resident, resident.actor.on_receive, message, asked=asked)

    def _perform(
        self, resident: _Resident, hook: Callable[..., Any], *arguments: Any, asked: _Asked | None = None
    ) -> None:
        """Call one of the actor's hooks; a failure ends the actor, as it does live."""
        self._serving = True
        try:
            answer = hook(*arguments)
        except Exception as error:
            self._bury(resident)
            if isinstance(error, HandlerExitedError) and not isinstance(error.__cause__, SystemExit):
                # An interrupt, or a test runner's way out: meant for whoever runs the stage.
                raise error.__cause__ or error from None
            if asked is not None:
                asked.error, asked.done = error, True
            elif self._fault is None and SUPERVISOR not in self._residents:
                raise
        else:
            if asked is not None:
                asked.answer, asked.done = answer, True
        finally:
            self._serving = False
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault

    def _bury(self, resident: _Resident) -> None:
        resident.gone = True
        resident.lanes.clear()
        if self._residents.get(resident.name) is resident:
            del self._residents[resident.name]


class _NoTransport:
    """The transport of a stage without an outside world."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def fetch(self, request: Request, *, reply_to: str, key: str, node: str, lane: Lane) -> None:
        """Nothing can be asked."""
        self._stage.refuse(
            f"{reply_to} asks {node} for {key}, and the stage has no transport ({request!r}, {lane})"
        )
