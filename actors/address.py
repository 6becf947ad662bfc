"""Telling and asking by name.

Names, not references, because a restarted actor is another actor: the directory knows who lives behind a name
now. Only actors' starters (boot), the command line and tests ask; actors tell.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pykka

from orch.errors import EngineError

if TYPE_CHECKING:
    from actors.base import Actor
    from orch.messages import Ask
    from orch.messages.base import Message

Inbox_contra = TypeVar("Inbox_contra", bound="Message", contravariant=True)
A = TypeVar("A")


class LiveDirectory:
    """Who lives behind which name: the `Directory` port over running actors. Safe from any thread."""

    def __init__(self) -> None:
        self._refs: dict[str, pykka.ActorRef[Any]] = {}
        self._dead_letters: Counter[tuple[str, str]] = Counter()
        self._changed = threading.Condition()

    def admit(self, actor: Actor) -> None:
        """Start an actor and let it live behind its name.

        Raises EngineError when somebody alive lives there.
        """
        with self._changed:
            present = self._refs.get(actor.name)
            if present is not None and present.is_alive():
                raise EngineError(f"an actor named {actor.name} is already running")
            # Known before it runs, so that what it tells itself in `ready` arrives.
            self._refs[actor.name] = actor.actor_ref
            actor.launch()
            self._changed.notify_all()

    def remove(self, name: str) -> None:
        """Forget a name; later tells are dead letters."""
        with self._changed:
            self._refs.pop(name, None)

    def ref(self, name: str) -> pykka.ActorRef[Any] | None:
        """The reference behind a name, alive or not."""
        return self._refs.get(name)

    def names(self) -> tuple[str, ...]:
        """The names with somebody alive behind them, in order of arrival."""
        with self._changed:
            return tuple(name for name, ref in self._refs.items() if ref.is_alive())

    def await_other(self, name: str, than: pykka.ActorRef[Any] | None, within: float) -> bool:
        """Wait until somebody else lives behind the name, at most `within` real seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._refs.get(name) is not than, timeout=within)

    def tell(self, name: str, message: Message) -> bool:
        """Put a message in an actor's inbox; False, and a dead letter, when nobody is there.

        Never blocks, never raises. True does not mean handled: an actor may end with messages waiting.
        """
        ref = self._refs.get(name)
        if ref is not None:
            try:
                ref.tell(message)
            except pykka.ActorDeadError:
                pass
            else:
                return True
        with self._changed:
            self._dead_letters[name, type(message).__name__] += 1
        return False

    def ask(self, name: str, question: Ask[A], *, within: float) -> A:
        """Ask and wait at most `within` real seconds for the answer.

        A question that was not answered in time may still be handled later, so questions only read.

        Raises:
            EngineError: nobody lives there, there is no answer in time, or the actor failed over it.
        """
        ref = self._refs.get(name)
        if ref is None:
            raise EngineError(f"there is no actor named {name}")
        kind = type(question).__name__
        try:
            answer: A = ref.ask(question, block=True, timeout=within)
        except pykka.ActorDeadError as error:
            raise EngineError(f"the actor {name} has ended") from error
        except pykka.Timeout as error:
            raise EngineError(f"{name} did not answer {kind} within {within:g} s") from error
        except Exception as error:
            raise EngineError(f"{name} failed over {kind}: {error}") from error
        return answer

    def dead_letters(self) -> dict[tuple[str, str], int]:
        """How many messages found nobody, by `(name, message type)`."""
        with self._changed:
            return dict(self._dead_letters)


class Address(Generic[Inbox_contra]):
    """A name together with the type of its inbox, so that a wrong message is a type error.

    `Address[AdapterInbox](directory, "disk")`. For boot, the command line and tests.
    """

    __slots__ = ("_directory", "name")

    def __init__(self, directory: LiveDirectory, name: str) -> None:
        self._directory = directory
        self.name = name

    def tell(self, message: Inbox_contra) -> bool:
        """As `LiveDirectory.tell`."""
        return self._directory.tell(self.name, message)

    def ask(self, question: Ask[A], *, within: float) -> A:
        """As `LiveDirectory.ask`."""
        return self._directory.ask(self.name, question, within=within)
