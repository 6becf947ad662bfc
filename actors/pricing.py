"""Asks for token prices, keeps the last accepted ones, and tells who needs them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from actors.base import Actor, House
from orch.earnings.prices import coingecko_request, newest, overridden, read_coingecko
from orch.errors import AbsurdError, ProtocolError
from orch.messages import Answered, AreYouReady, FetchPrices, HowMuchWork, PricesAccepted, PricingInbox
from orch.model.readings import Failure, Reason
from orch.model.wire import NoReply, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from orch.model.money import Price

READERS = ("coordinator", "recorder")
FIRST_RETRY_S = 15.0
LONGEST_RETRY_S = 1800.0


@dataclass(frozen=True)
class PricingPlan:
    """What to ask for, where, and how often. `coingecko_url` None: overrides only."""

    tokens: tuple[str, ...]
    overrides: Mapping[str, Decimal]
    coingecko_url: str | None
    refresh_s: float = 300.0


@dataclass
class _State:
    known: dict[str, Price] = field(default_factory=dict)
    failures: int = 0
    armed_for: datetime | None = None


class Pricing(Actor):
    """The house's one source of prices."""

    def __init__(self, name: str, house: House, plan: PricingPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._state = _State()

    def ready(self) -> None:
        """Ask at once."""
        self._arm(self.house.clock.now())

    def handle(self, message: PricingInbox) -> object:
        """Ask, read, tell."""
        match message:
            case FetchPrices(due_at=due_at):
                if due_at == self._state.armed_for:
                    self._fetch()
            case Answered(reply=reply):
                self._answered(reply)
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    def _wanted(self) -> tuple[str, ...]:
        return tuple(token for token in self._plan.tokens if token not in self._plan.overrides)

    def _fetch(self) -> None:
        if self._plan.coingecko_url is None or not self._wanted():
            self._accept(())
            self._arm_after(self._plan.refresh_s)
            return
        request = coingecko_request(self._plan.coingecko_url, self._wanted())
        self.house.transport.fetch(request, reply_to=self.name, key="coingecko", node="prices", lane="slow")

    def _answered(self, reply: Reply | NoReply) -> None:
        now = self.house.clock.now()
        try:
            if isinstance(reply, NoReply):
                self._failed(
                    Failure(
                        endpoint="coingecko",
                        reason=reply.reason,
                        sentence=reply.sentence,
                        retryable=reply.retryable,
                        failed_at=now,
                        retry_after_s=reply.retry_after_s,
                    )
                )
                return
            self._accept(read_coingecko(reply, self._wanted(), now))
        except ProtocolError as error:
            reason: Reason = "absurd" if isinstance(error, AbsurdError) else "shape"
            self._failed(
                Failure(endpoint="coingecko", reason=reason, sentence=str(error), retryable=True, failed_at=now)
            )
            return
        self._state.failures = 0
        self._arm_after(self._plan.refresh_s)

    def _accept(self, found: tuple[Price, ...], failures: tuple[Failure, ...] = ()) -> None:
        pinned = overridden(self._plan.overrides, self.house.clock.now())
        self._state.known = newest(self._state.known, (*found, *pinned))
        for reader in READERS:
            self.tell(reader, PricesAccepted(prices=tuple(self._state.known.values()), failures=failures))

    def _failed(self, failure: Failure) -> None:
        self._state.failures += 1
        self._accept((), (failure,))
        wait_s = min(FIRST_RETRY_S * 2 ** (self._state.failures - 1), LONGEST_RETRY_S)
        self._arm_after(max(wait_s, failure.retry_after_s or 0.0))

    def _arm_after(self, seconds: float) -> None:
        self._arm(self.house.clock.now() + timedelta(seconds=seconds))

    def _arm(self, when: datetime) -> None:
        self._state.armed_for = when
        self.house.timers.at(when, self.name, FetchPrices(due_at=when))
