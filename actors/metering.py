"""Asks what electricity costs by the hour, and what the host takes of it, and tells the coordinator."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from actors.base import Actor, House
from orch.earnings.meter import MeterDesk
from orch.messages import Answered, AreYouReady, HowMuchWork, MeteringInbox, ReadMeters, RunningCostsRead

if TYPE_CHECKING:
    from datetime import datetime

    from orch.earnings.meter import TableTerms, WattsTerms
    from orch.ports import Cache

READER = "coordinator"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeteringPlan:
    """What to ask, and where the table of prices is kept."""

    table: TableTerms | None = None
    watts: WattsTerms | None = None
    cache: Cache | None = None


class Metering(Actor):
    """The house's meter of electricity."""

    def __init__(self, name: str, house: House, plan: MeteringPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._desk = MeterDesk(plan.table, plan.watts)
        self._armed_for: datetime | None = None
        self._failing: set[str] = set()

    def ready(self) -> None:
        """Say what was known before, and ask at once."""
        now = self.house.clock.now()
        kept = self._plan.cache.load() if self._plan.cache is not None else None
        if kept is not None:
            self._desk.restore(kept, now)
            self._tell()
        self._arm(now)

    def handle(self, message: MeteringInbox) -> object:
        """Ask, listen, tell."""
        match message:
            case ReadMeters(due_at=due_at):
                if due_at == self._armed_for:
                    self._ask()
            case Answered():
                self._answered(message)
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    def _ask(self) -> None:
        now = self.house.clock.now()
        for each in self._desk.ask(now):
            node = f"meter.{each.key}"
            self.house.transport.fetch(each.request, reply_to=self.name, key=each.key, node=node, lane="slow")
        self._arm(self._desk.next_at(now))

    def _answered(self, message: Answered) -> None:
        table = self._desk.table
        failure = self._desk.answered(message.key, message.reply, self.house.clock.now())
        if failure is None:
            self._failing.discard(message.key)
        elif message.key not in self._failing:
            self._failing.add(message.key)
            log.warning("%s: %s", failure.endpoint, failure.sentence)
        if self._plan.cache is not None and self._desk.table != table:
            self._plan.cache.save(self._desk.kept())
        self._tell()

    def _tell(self) -> None:
        self.tell(READER, RunningCostsRead(table=self._desk.table, watts=self._desk.watts))

    def _arm(self, when: datetime) -> None:
        self._armed_for = when
        self.house.timers.at(when, self.name, ReadMeters(due_at=when))
