"""What every actor of the house has in common: its life, its counters, and how it dies.

Pykka leaves four holes that are closed here once for all roles: a failing `on_start` calls no hook; an
exception ends the actor when it was told and leaves it alive when it was asked; a BaseException stops every
actor of the process; and nobody is told of any of it.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast, final

import pykka

from actors.mailbox import LaneInbox
from orch.messages import ActorFailed, AreYouReady, HowMuchWork

if TYPE_CHECKING:
    from orch.messages.base import Message
    from orch.ports import Board, Clock, Directory, Host, Journal, SolverPool, Timers, Transport

SUPERVISOR: Final = "supervisor"
MONITOR: Final = "monitor"

log = logging.getLogger(__name__)


def adapter_name(node: str) -> str:
    """The address of a node's adapter."""
    return f"adapter:{node}"


class HandlerExitedError(Exception):
    """A handler tried to end the whole process (`SystemExit` and its kind); `__cause__` is the attempt."""


@dataclass(frozen=True, slots=True)
class House:
    """The ports an actor may use. One house per engine; the stage makes its own."""

    clock: Clock
    timers: Timers
    directory: Directory
    transport: Transport
    journal: Journal | None = None
    host: Host | None = None
    board: Board | None = None
    solvers: SolverPool | None = None


class Actor(pykka.ThreadingActor):
    """Base of all roles.

    A role keeps to four methods:

    * `__init__` stores its arguments. It runs in the thread of whoever makes the actor.
    * `ready` opens resources, in the actor's own thread.
    * `handle` is a `match` over the role's inbox: call a pure function, tell the result. It never waits and
      never asks.
    * `close` releases what `ready` got hold of, also after a `ready` that failed half-way.

    Any exception out of `ready` or `handle` is the end of this actor: it stops taking messages, closes, and
    tells the supervisor `ActorFailed`; what still waited in its inbox is lost. It makes no difference whether
    the message was told or asked, and an asker gets the exception.

    Every actor answers `AreYouReady` (True) and `HowMuchWork`: how many messages of each type it has handled,
    and in lower case how many are `waiting` and were `dropped`.
    """

    def __init__(self, name: str, house: House) -> None:
        super().__init__()
        self.name = name
        self.house = house
        self.lanes = cast("LaneInbox", self.actor_inbox).lanes
        self._handled: defaultdict[type, int] = defaultdict(int)
        self._closed = False

    def __str__(self) -> str:
        return self.name

    # -- what a role fills in --------------------------------------------------------------------------------

    def ready(self) -> None:
        """Open resources; the first thing done in the actor's own thread."""

    @abstractmethod
    def handle(self, message: Any) -> object:
        """Handle one message of the role's inbox. Only what a question is answered with is returned."""

    def close(self) -> None:
        """Release resources; must cope with a `ready` that did not get to its end, and tell nobody."""

    # -- what a role may use ---------------------------------------------------------------------------------

    def tell(self, name: str, message: Message) -> bool:
        """Put a message in another actor's inbox; False when there is no such actor now."""
        return self.house.directory.tell(name, message)

    # -- life and death --------------------------------------------------------------------------------------

    @final
    def launch(self) -> pykka.ActorRef[Any]:
        """Start this actor's thread. As `pykka.Actor.start`, for an instance that a recipe has made."""
        pykka.ActorRegistry.register(self.actor_ref)
        self._start_actor_loop()
        return self.actor_ref

    @final
    def die(self, error: BaseException) -> None:
        """End this actor because of `error`: no more messages, resources closed, the supervisor told."""
        # Closed before anybody hears of it, so that the successor finds files and sockets free.
        self.actor_stopped.set()
        pykka.ActorRegistry.unregister(self.actor_ref)
        self._close_once()
        sentence = f"{type(error).__name__}: {error}"
        log.error("actor %s failed: %s", self.name, sentence)
        self.tell(SUPERVISOR, ActorFailed(name=self.name, error=sentence))

    @final
    def on_start(self) -> None:
        """Pykka's hook: `ready`, with a failure that reaches the supervisor."""
        try:
            self.ready()
        except Exception as error:
            self.die(error)
            raise
        except BaseException as error:
            self.die(error)
            raise HandlerExitedError(f"{type(error).__name__} in the start of {self.name}") from error

    @final
    def on_receive(self, message: Any) -> object:
        """Pykka's hook: `handle`, with counters, the base's own answers, and a failure that is reported."""
        kind = type(message)
        self._handled[kind] += 1
        try:
            if kind is AreYouReady:
                return True
            if kind is HowMuchWork:
                return self._work()
            return self.handle(message)
        except Exception as error:
            self.die(error)
            raise
        except BaseException as error:
            self.die(error)
            raise HandlerExitedError(f"{type(error).__name__} in {self.name}") from error

    @final
    def on_stop(self) -> None:
        """Pykka's hook: `close`."""
        self._close_once()

    @staticmethod
    def _create_actor_inbox() -> LaneInbox:
        return LaneInbox()

    def _work(self) -> dict[str, int]:
        counts = {kind.__name__: count for kind, count in self._handled.items()}
        return counts | {"waiting": len(self.lanes), "dropped": self.lanes.dropped}

    def _close_once(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self.close()
        except BaseException:
            # Let out of on_stop, a BaseException would make Pykka stop every actor of the process.
            log.exception("actor %s did not close cleanly", self.name)
