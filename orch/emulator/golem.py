"""The economics of a Golem provider: agreements that come one at a time, and the money that follows them.

Money is in atto-GLM (1e-18 GLM) as integers. A requestor offers work of a few hours for some threads; if the
provider is free and its offer is out, the whole profile is committed to it until it ends.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np

from orch.emulator.draws import Tide
from orch.emulator.facts import DAY_MINUTES, MINUTE

if TYPE_CHECKING:
    from orch.emulator.draws import Draws
    from orch.emulator.market import Market
    from orch.emulator.outages import Outages

GIB_PER_GB = 1e9 / 2**30
GB_PER_THREAD = 0.9
CPU_ATTO_HOUR = 25 * 10**15
ENV_ATTO_HOUR = 5 * 10**15
NOTE_MINUTES = 2
FEWEST_THREADS, MOST_THREADS = 2, 24
REJECTED_SHARE, LATE_SHARE = 0.03, 0.06
CYCLE_MINUTES = 6 * 60
REQUESTORS = 14

InvoiceStatus: TypeAlias = Literal["RECEIVED", "ACCEPTED", "SETTLED", "REJECTED"]


class Offer(msgspec.Struct, array_like=True):
    """What the provider sells: its profile and its prices in atto-GLM per hour."""

    threads: int
    mem_gib: float
    storage_gib: float
    cpu_atto: int = CPU_ATTO_HOUR
    env_atto: int = ENV_ATTO_HOUR
    start_atto: int = 0


class Agreement(msgspec.Struct, array_like=True):
    """One agreement. Times are Unix minutes; -1 is not yet. `busy` threads of the `offer` are worked on."""

    id: str
    number: int
    signed: int
    lasts: int
    busy: int
    offer: Offer
    requestor: str
    accept: int
    settle: int
    rejected: bool
    ended: int = -1
    invoiced: int = -1
    amount: int = 0
    usd: float = 0.0
    broken: bool = False

    def due_at(self, minute: int) -> int:
        """Atto-GLM asked for at a Unix minute: by the last debit note, then by the invoice."""
        return self.amount if 0 <= self.invoiced <= minute else self.notes_at(minute)

    def notes_at(self, minute: int) -> int:
        """Atto-GLM of the last debit note at a Unix minute."""
        end = minute if self.ended < 0 else min(minute, self.ended)
        return self.cost((end - self.signed) // NOTE_MINUTES * NOTE_MINUTES)

    def cost(self, minutes: int) -> int:
        """Atto-GLM for so many minutes of work."""
        if minutes <= 0:
            return 0
        return self.offer.start_atto + (self.offer.cpu_atto * self.busy + self.offer.env_atto) * minutes // 60

    def status_at(self, minute: int) -> InvoiceStatus | None:
        """The state of its invoice; None before there is one."""
        if self.invoiced < 0 or minute < self.invoiced:
            return None
        if minute < self.invoiced + self.accept:
            return "RECEIVED"
        if self.rejected:
            return "REJECTED"
        return "SETTLED" if minute >= self.settle else "ACCEPTED"

    def paid_at(self, minute: int) -> int:
        """Atto-GLM paid on chain by a Unix minute."""
        return self.amount if self.status_at(minute) == "SETTLED" else 0


class GolemState(msgspec.Struct):
    """All that changes. The last agreement may still run; `minute` is worked out up to."""

    minute: int
    agreements: list[Agreement] = msgspec.field(default_factory=list)


class Request(NamedTuple):
    """Work that somebody wants done: known for every minute, whatever the provider does."""

    minute: int
    threads: int
    lasts: int
    pays: float
    fate: float
    delay: float


class GolemEconomy:
    """The demand a seed gives this node, and what becomes of it."""

    def __init__(self, draws: Draws, outages: Outages, market: Market) -> None:
        self._draws = draws
        self._outages = outages
        self._market = market
        self._per_hour = draws.between(1.0, 1.5, "golem", "arrivals")
        self._tide = Tide(draws, "golem", daily=0.45, drift=0.18)
        self._threads = draws.between(7.0, 9.0, "golem", "threads")
        self._hours = draws.between(1.7, 2.3, "golem", "hours")
        self._requests: dict[int, list[Request]] = {}
        self.node_id = draws.address("golem", "node")

    def _requests_of(self, day: int) -> list[Request]:
        known = self._requests.get(day)
        if known is not None:
            return known
        noise = self._draws.stream("golem", day)
        comes = noise.random(DAY_MINUTES) < self._per_hour / 60 * self._tide.day(day)
        threads = self._thread_draw(noise.random(DAY_MINUTES))
        hours = np.clip(noise.lognormal(math.log(self._hours) - 0.18, 0.6, DAY_MINUTES), 0.5, 5.0)
        pays, fate, delay = (noise.random(DAY_MINUTES).tolist() for _ in range(3))
        requests = [
            Request(day * DAY_MINUTES + i, int(threads[i]), int(hours[i] * 60), pays[i], fate[i], delay[i])
            for i in np.flatnonzero(comes).tolist()
        ]
        if len(self._requests) > 40:
            self._requests.pop(next(iter(self._requests)))
        self._requests[day] = requests
        return requests

    def _thread_draw(self, uniform: np.ndarray) -> np.ndarray:
        """Threads wanted: from two to twenty-four, most want a handful, a few want much."""
        tail = -np.log1p(-uniform) * (self._threads - FEWEST_THREADS + 0.6)
        result: np.ndarray = np.clip(FEWEST_THREADS + np.floor(tail), FEWEST_THREADS, MOST_THREADS).astype(int)
        return result

    def next_request(self, state: GolemState, until: int) -> Request | None:
        """The first request in `(state.minute, until]`."""
        minute = state.minute + 1
        while minute <= until:
            day = minute // DAY_MINUTES
            for request in self._requests_of(day):
                if minute <= request.minute <= until:
                    return request
            minute = (day + 1) * DAY_MINUTES
        return None

    def running(self, state: GolemState) -> Agreement | None:
        """The agreement that runs at the state's minute."""
        last = state.agreements[-1] if state.agreements else None
        return last if last is not None and last.ended < 0 else None

    def settle_until(self, state: GolemState, until: int) -> None:
        """End what ends (at its term or by an outage) in the minutes up to `until`, and move on to it."""
        current = self.running(state)
        if current is not None:
            term = current.signed + current.lasts
            outage = next(
                self._outages.of("compute", max(state.minute, current.signed), min(term, until) + 1), None
            )
            if outage is not None and outage.begin < term and outage.begin <= until:
                self.end(current, outage.begin, outage.end, broken=True)
            elif term <= until:
                self.end(current, term, term, broken=False)
        state.minute = until

    def end(self, agreement: Agreement, minute: int, invoiced: int, *, broken: bool) -> None:
        """End an agreement at a minute; its invoice is sent then or when the node is back."""
        agreement.ended, agreement.invoiced, agreement.broken = minute, max(invoiced, minute), broken
        agreement.amount = agreement.cost(minute - agreement.signed)
        agreement.usd = self._usd(agreement, minute)
        ready = agreement.invoiced + agreement.accept + 20 * 60
        agreement.settle = (ready // CYCLE_MINUTES + 1) * CYCLE_MINUTES + int(agreement.requestor[2:6], 16) % 60

    def _usd(self, agreement: Agreement, minute: int) -> float:
        """USD that its work was worth while it was done."""
        minutes = minute - agreement.signed
        if minutes <= 0:
            return 0.0
        glm_per_minute = agreement.cost(minutes) / minutes * 1e-18
        return glm_per_minute * self._market.usd_minutes("GLM", agreement.signed, minute)

    def sign(self, state: GolemState, request: Request, offer: Offer | None) -> Agreement | None:
        """Take a request at its minute, if the node is online, free, selling and not too dear."""
        if offer is None or self.running(state) is not None or self._outages.now("compute", request.minute):
            return None
        dear = (offer.cpu_atto * 8 + offer.env_atto) / (CPU_ATTO_HOUR * 8 + ENV_ATTO_HOUR)
        if request.pays >= min(1.0, dear**-2 if dear > 0 else 1.0):
            return None
        threads = min(request.threads, offer.threads, int(offer.mem_gib / GIB_PER_GB / GB_PER_THREAD + 1e-9))
        if threads < 1:
            return None
        late = request.fate > 1 - LATE_SHARE
        agreement = Agreement(
            id=self._draws.identity("agreement", request.minute),
            number=len(state.agreements),
            signed=request.minute,
            lasts=request.lasts,
            busy=threads,
            offer=offer,
            requestor=self._draws.address("requestor", int(request.fate * 1e6) % REQUESTORS),
            accept=60 + int(request.delay * 1140) if late else 2 + int(request.delay * 18),
            settle=-1,
            rejected=request.fate < REJECTED_SHARE,
        )
        state.agreements.append(agreement)
        return agreement

    def usd(self, state: GolemState) -> float:
        """USD earned since the history began, less what was written off."""
        minute, total = state.minute, 0.0
        for agreement in state.agreements:
            if agreement.status_at(minute) == "REJECTED":
                continue
            total += agreement.usd if agreement.ended >= 0 else self._usd(agreement, minute)
        return total

    def rate(self, minute: int, offer: Offer | None) -> float:
        """Expected USD per hour over a day at the present drift and price."""
        if offer is None:
            return 0.0
        most = min(offer.threads, int(offer.mem_gib / GIB_PER_GB / GB_PER_THREAD + 1e-9))
        if most < 1:
            return 0.0
        threads = self._thread_draw((np.arange(4000) + 0.5) / 4000)
        hours = float(np.mean(np.clip(self._hours * np.exp(-0.18 + 0.6 * _normal_quantiles()), 0.5, 5.0)))
        drift = self._tide.drift(minute * MINUTE)
        cycle = 1 + self._tide.daily * np.cos(2 * np.pi * np.arange(48) / 48)
        load = self._per_hour * drift * cycle * hours
        busy = float(np.mean(load / (1 + load)))
        glm = (offer.cpu_atto * float(np.minimum(threads, most).mean()) + offer.env_atto) * 1e-18
        share = busy * (1 - REJECTED_SHARE) * self._outages.share_online()
        return share * glm * self._market.usd("GLM", minute)


def _normal_quantiles() -> np.ndarray:
    """A thousand evenly weighted points of the normal distribution."""
    noise = np.random.Generator(np.random.PCG64(1)).standard_normal(20_000)
    return np.quantile(noise, (np.arange(1000) + 0.5) / 1000)


def row_minute(agreement: Agreement) -> int:
    """The Unix minute of its first debit note, or of its invoice if it broke before."""
    if 0 <= agreement.ended < agreement.signed + NOTE_MINUTES:
        return agreement.invoiced
    return agreement.signed + NOTE_MINUTES


def agreements_since(state: GolemState, minute: int) -> list[Agreement]:
    """Agreements known to the payment side whose row is from a Unix minute or later, oldest first."""
    first = bisect_right(state.agreements, minute - 1, key=row_minute)
    return [each for each in state.agreements[first:] if row_minute(each) <= state.minute]
