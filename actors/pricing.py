"""Asks the price sources, keeps what was accepted over a restart, and tells who needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from actors.base import Actor, House
from orch.earnings.price_desk import PriceDesk, PriceTerms
from orch.earnings.prices import to_bytes
from orch.messages import Answered, AreYouReady, FetchPrices, HowMuchWork, PricesAccepted, PricingInbox

if TYPE_CHECKING:
    from datetime import datetime

    from orch.ports import Cache

READERS = ("coordinator", "recorder")
"""Who is told of prices whatever the configuration says."""


@dataclass(frozen=True)
class PricingPlan:
    """What to ask for, where accepted prices are kept, and who is told of them besides the usual readers."""

    terms: PriceTerms
    cache: Cache | None = None
    also_tell: tuple[str, ...] = ()


class Pricing(Actor):
    """The house's one source of prices."""

    def __init__(self, name: str, house: House, plan: PricingPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._desk = PriceDesk(plan.terms)
        self._armed_for: datetime | None = None
        self._kept: bytes | None = None

    def ready(self) -> None:
        """Say what was known before, and ask at once."""
        now = self.house.clock.now()
        kept = self._plan.cache.load() if self._plan.cache is not None else None
        if kept is not None:
            self._desk.restore(kept, now)
            if self._desk.accepted:
                self._tell(PricesAccepted(prices=self._desk.accepted, restored=True))
        self._arm(now)

    def handle(self, message: PricingInbox) -> object:
        """Ask, listen, tell."""
        match message:
            case FetchPrices(due_at=due_at):
                if due_at == self._armed_for:
                    self._ask()
            case Answered(key=key, reply=reply):
                self._desk.answered(key, reply, self.house.clock.now())
                self._settle()
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    def _ask(self) -> None:
        for each in self._desk.ask(self.house.clock.now()):
            # Every source has its own queue: one that hangs does not keep the others waiting.
            self.house.transport.fetch(
                each.request, reply_to=self.name, key=each.key, node=f"prices.{each.source}", lane="slow"
            )
        self._settle()

    def _settle(self) -> None:
        if self._desk.is_listening:
            return
        now = self.house.clock.now()
        prices, failures = self._desk.settle(now)
        self._tell(PricesAccepted(prices=prices, failures=failures))
        self._keep()
        self._arm(self._desk.next_at(now))

    def _keep(self) -> None:
        if self._plan.cache is None or not self._desk.accepted:
            return
        body = to_bytes(self._desk.accepted)
        if body != self._kept:
            self._plan.cache.save(body)
            self._kept = body

    def _tell(self, message: PricesAccepted) -> None:
        for reader in (*READERS, *self._plan.also_tell):
            self.tell(reader, message)

    def _arm(self, when: datetime) -> None:
        self._armed_for = when
        self.house.timers.at(when, self.name, FetchPrices(due_at=when))
