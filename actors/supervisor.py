"""The order of birth and death, and another life for actors that failed.

Pykka has no supervision, and an actor that has stopped cannot be started again: a restart is a new instance
behind the same name, made by the same recipe. What it knows it reads from the store or the journal.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final, assert_never

import pykka

from actors.base import MONITOR, SUPERVISOR, Actor
from orch.errors import EngineError
from orch.messages import (
    ActorFailed,
    ActorRestarted,
    AreYouReady,
    HowMuchWork,
    RestartActor,
    SupervisorInbox,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from actors.address import LiveDirectory
    from actors.base import House

RESTARTS_PER_HOUR: Final = 5
BUDGET_WINDOW_S: Final = 3600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make one actor, and when.

    `make` returns a new actor of this name that has not been started. Lower levels start earlier and stop
    later; one level starts and stops in parallel. The deadlines are real seconds.
    """

    name: str
    level: int
    make: Callable[[], Actor]
    ready_within_s: float = 10.0
    stop_within_s: float = 2.0


def backoff_s(
    restarts: int, draw: float, *, first_s: float = 0.5, factor: float = 4.0, longest_s: float = 300.0
) -> float:
    """Real seconds to wait before the next restart.

    Args:
        restarts: restarts within the last hour, none at the first failure.
        draw: in [0, 1); spreads the wait over its upper half, so that actors that fell together do not rise
            together.
        first_s: the longest first wait.
        factor: growth per restart. The default five waits sum up to about three minutes, which outlasts a
            database that another program has locked.
        longest_s: no wait is longer.
    """
    full = min(longest_s, first_s * factor**restarts)
    return full * (0.5 + 0.5 * draw)


def recent(times: Iterable[float], now: float, window_s: float = BUDGET_WINDOW_S) -> tuple[float, ...]:
    """Those of the times (seconds) that lie within the window before `now`."""
    return tuple(time for time in times if now - time < window_s)


def by_level(recipes: Iterable[Recipe]) -> tuple[tuple[Recipe, ...], ...]:
    """Recipes grouped by level, lowest first, in the given order within a level.

    Raises ValueError when a name occurs twice or is the supervisor's.
    """
    ordered = sorted(recipes, key=lambda recipe: recipe.level)
    names = [recipe.name for recipe in ordered]
    if SUPERVISOR in names or len(set(names)) != len(names):
        raise ValueError(f"actor names must differ, and none may be {SUPERVISOR!r}: {', '.join(names)}")
    return tuple(tuple(level) for _, level in groupby(ordered, key=lambda recipe: recipe.level))


class Supervisor(Actor):
    """Restarts what fails: with exponential backoff, within a budget per hour, then gives up.

    `admit` starts an actor and lets it live behind its name (`LiveDirectory.admit`, `Stage.add`). Every
    restart and every giving up is told to the monitor. Restarts are counted in real time.
    """

    def __init__(
        self,
        house: House,
        recipes: Sequence[Recipe],
        admit: Callable[[Actor], object],
        *,
        seed: int,
        restarts_per_hour: int = RESTARTS_PER_HOUR,
    ) -> None:
        super().__init__(SUPERVISOR, house)
        self.last_errors: dict[str, str] = {}
        self._recipes = {recipe.name: recipe for recipe in recipes}
        self._admit = admit
        self._random = random.Random(seed)
        self._restarts_per_hour = restarts_per_hour
        self._restarted: dict[str, tuple[float, ...]] = {}
        self._pending: set[str] = set()

    def handle(self, message: SupervisorInbox) -> None:
        """Plan a restart for who failed; restart who is due."""
        match message:
            case ActorFailed():
                self._plan_restart(message)
            case RestartActor():
                self._restart(message.name)
            case AreYouReady() | HowMuchWork():  # answered by every actor's base
                pass
            case _:
                assert_never(message)

    def _plan_restart(self, failed: ActorFailed) -> None:
        name = failed.name
        self.last_errors[name] = failed.error
        if name not in self._recipes or name in self._pending:
            return
        restarts = len(self._within_hour(name))
        if restarts >= self._restarts_per_hour:
            log.error("actor %s is given up after %d restarts: %s", name, restarts, failed.error)
            self._report(name, given_up=True)
            return
        self._pending.add(name)
        wait_s = backoff_s(restarts, self._random.random())
        self.house.timers.after_real(wait_s, self.name, RestartActor(name=name))

    def _restart(self, name: str) -> None:
        if name not in self._pending:
            return
        self._pending.discard(name)
        self._restarted[name] = (*self._within_hour(name), self.house.clock.monotonic())
        try:
            self._admit(self._recipes[name].make())
        except Exception as error:  # noqa: BLE001 - a recipe may fail over anything, as the actor may
            self.tell(self.name, ActorFailed(name=name, error=f"{type(error).__name__}: {error}"))
            return
        log.warning("actor %s was restarted after: %s", name, self.last_errors[name])
        self._report(name, given_up=False)

    def _within_hour(self, name: str) -> tuple[float, ...]:
        return recent(self._restarted.get(name, ()), self.house.clock.monotonic())

    def _report(self, name: str, *, given_up: bool) -> None:
        restarted = ActorRestarted(
            name=name,
            error=self.last_errors[name],
            restarts=len(self._within_hour(name)),
            given_up=given_up,
            happened_at=self.house.clock.now(),
        )
        self.tell(MONITOR, restarted)


class Household:
    """All live actors of one engine, for the thread that starts and stops it (never for an actor).

    The supervisor is born first and dies first: first, so that no failure goes unheard; first, so that
    nothing is restarted that is being stopped.
    """

    def __init__(
        self,
        house: House,
        directory: LiveDirectory,
        recipes: Sequence[Recipe],
        *,
        seed: int,
        restarts_per_hour: int = RESTARTS_PER_HOUR,
    ) -> None:
        self._clock = house.clock
        self._directory = directory
        self._levels = by_level(recipes)
        self.supervisor = Supervisor(
            house, recipes, directory.admit, seed=seed, restarts_per_hour=restarts_per_hour
        )
        self._first = Recipe(name=SUPERVISOR, level=-1, make=lambda: self.supervisor)

    def start_all(self) -> None:
        """Start level by level; each actor answers `AreYouReady` before the next level starts.

        A failing start is retried by the supervisor while the actor's deadline lasts.

        Raises:
            EngineError: an actor was not ready in time, with its last error. What has started runs on:
                call `stop_all`.
        """
        for level in ((self._first,), *self._levels):
            begun = self._clock.monotonic()
            for recipe in level:
                self._directory.admit(recipe.make())
            for recipe in level:
                self._await_ready(recipe, begun + recipe.ready_within_s)

    def stop_all(self, within_s: float = 4.0) -> tuple[str, ...]:
        """Stop in reverse order, one level at a time, in parallel within a level, in `within_s` real seconds.

        Everybody is asked to stop, also when somebody before did not manage in time. Returns the names of
        those who did not; their threads still run and would keep the process from ending by itself.
        """
        end = self._clock.monotonic() + within_s
        late: list[str] = []
        for level in ((self._first,), *reversed(self._levels)):
            late += self._stop_level(level, end)
        return tuple(late)

    def _await_ready(self, recipe: Recipe, end: float) -> None:
        name = recipe.name
        while (left := end - self._clock.monotonic()) > 0:
            ref = self._directory.ref(name)
            try:
                if ref is not None:
                    ref.ask(AreYouReady(), block=True, timeout=left)
                    return
            except pykka.Timeout:
                break
            except pykka.ActorDeadError:
                left = end - self._clock.monotonic()
            self._directory.await_other(name, ref, within=max(0.0, left))
        why = self.supervisor.last_errors.get(name, "no answer")
        raise EngineError(f"the actor {name} was not ready within {recipe.ready_within_s:g} s: {why}")

    def _stop_level(self, level: Iterable[Recipe], end: float) -> list[str]:
        begun = self._clock.monotonic()
        refs = [(recipe, self._directory.ref(recipe.name)) for recipe in level]
        asked = [(recipe, ref.stop(block=False)) for recipe, ref in refs if ref is not None]
        late = []
        for recipe, stopped in asked:
            until = min(end, begun + recipe.stop_within_s)
            try:
                stopped.get(timeout=max(0.0, until - self._clock.monotonic()))
            except pykka.Timeout:
                log.error("actor %s did not stop in time", recipe.name)  # noqa: TRY400 - a timeout has no trace worth reading
                late.append(recipe.name)
            self._directory.remove(recipe.name)
        return late
