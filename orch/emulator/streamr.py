"""The economics of a Streamr operator: staked capital that is paid by the second, whatever the node does.

All money is in wei (1e-18 DATA) as integers. Between two events (a sponsorship runs dry or is funded again, a
withdrawal, a slash) every rate is constant, so a `Piece` says exactly what was outstanding at any second in it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import msgspec

from orch.emulator.facts import DAY_MINUTES, MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.emulator.draws import Draws
    from orch.emulator.market import Market
    from orch.model.resources import ResourceName

WEI = 10**18
STAKES = (9000 * WEI, 6000 * WEI, 5000 * WEI)
FREE_WEI = 137 * WEI
PROTOCOL_FEE_PERCENT = 5
CUT_PERCENT = 10
MAX_EARNINGS_PPM = 7000
"""Uncollected earnings limit as parts per million of the operator's value: lower than the network's present one,
so that a withdrawal (at a tenth of it) comes about once a day."""
WITHDRAW_DIVISOR = 10
OPERATOR = "0xe3a1a7ed00000000000000000000000000000001"
"""The operator's address: the same in every world, so that a configuration needs no seed."""
BLOCK_S = 2
BLOCK_ORIGIN_S = 1_590_824_836
SLASH_PER_HOUR = 0.08
FLAG_S = 3600
"""A flag is open for an hour before its vote slashes."""

QUEUE_DAYS = 9
"""About so often a delegator wants money back."""

GAS_PRICE = 40 * 10**9
GAS_OF_WITHDRAWAL, GAS_OF_HEARTBEAT, GAS_OF_SLASH = 500_000, 60_000, 700_000
FULL_POL_WEI = 73 * GAS_OF_WITHDRAWAL * GAS_PRICE
"""The node's key pays for withdrawals and heartbeats, and is filled up again when it is empty."""

CONTRACT_VERSION = 3
NEED_CPU = 0.3
NEED_MEMORY_GB = 0.5


class Piece(msgspec.Struct, array_like=True):
    """The operator from a Unix second on, until the next piece.

    Per sponsorship: wei outstanding at `since`, the operator's stake, wei slashed, and whether it pays.
    """

    since: int
    outstanding: list[int]
    stakes: list[int]
    slashed: list[int]
    paying: list[bool]
    free: int


class ChainEvent(msgspec.Struct, array_like=True):
    """One event of the operator contract: `profit` (increase, cut, fee) or `slash` (amount)."""

    kind: str
    second: int
    amounts: list[int]
    sponsorship: int = -1


class StreamrState(msgspec.Struct):
    """All that changes; `usd` is the worth of closed pieces when they were earned."""

    minute: int
    pieces: list[Piece]
    events: list[ChainEvent] = msgspec.field(default_factory=list)
    usd: float = 0.0
    realised: int = 0
    penalty: int = 0
    paused: bool = False


class StreamrEconomy:
    """The sponsorships a seed gives the operator."""

    def __init__(self, draws: Draws, market: Market) -> None:
        self._draws = draws
        self._market = market
        self.operator = OPERATOR
        self.owner = draws.address("streamr", "owner")
        self.node_address = draws.address("streamr", "node key")
        self.sponsorships = tuple(draws.address("streamr", "sponsorship", k) for k in range(len(STAKES)))
        self.others = tuple(
            int(draws.between(30, 160, "streamr", "others", k)) * 1000 * WEI for k in range(len(STAKES))
        )
        hourly = draws.between(0.6, 0.9, "streamr", "income")
        weights = [draws.between(0.7, 1.3, "streamr", "weight", k) * stake for k, stake in enumerate(STAKES)]
        self.payout = tuple(
            int(hourly * WEI / 3600 * weight / sum(weights) * (other + stake) / stake)
            for weight, stake, other in zip(weights, STAKES, self.others, strict=True)
        )
        self._funding: list[list[int]] = [[] for _ in STAKES]
        self._first = 0

    def begin(self, minute: int) -> StreamrState:
        """An operator that has staked for a while and withdrew just now."""
        self.place(minute)
        count = len(STAKES)
        piece = Piece(minute * MINUTE, [0] * count, list(STAKES), [0] * count, self.paying(minute), FREE_WEI)
        return StreamrState(minute=minute, pieces=[piece])

    def place(self, minute: int) -> None:
        """Set where the funding of sponsorships begins: they are all funded at the first minute."""
        self._first = minute
        self._funding = [[minute] for _ in STAKES]

    def changes(self, index: int, until: int) -> list[int]:
        """Minutes at which a sponsorship turns funded, dry, funded, ...; the last is after `until`."""
        known = self._funding[index]
        while known[-1] <= until:
            noise = self._draws.stream(f"streamr/{index}", len(known))
            dry = len(known) % 2 == 0
            wait = noise.uniform(3, 30) * 60 if dry else noise.uniform(5, 22) * DAY_MINUTES
            known.append(known[-1] + int(wait))
        return known

    def funded(self, index: int, minute: int) -> bool:
        """Whether a sponsorship has money in a Unix minute."""
        return bisect_right(self.changes(index, minute), minute) % 2 == 1

    def dry_at(self, index: int, minute: int) -> int:
        """The Unix minute at which the present or last funding of a sponsorship ends."""
        known = self.changes(index, minute)
        place = bisect_right(known, minute)
        return known[place] if place % 2 == 1 else known[place - 1]

    def paying(self, minute: int) -> list[bool]:
        """Which sponsorships have money in a Unix minute."""
        return [self.funded(index, minute) for index in range(len(STAKES))]

    def outstanding(self, piece: Piece, second: int) -> list[int]:
        """Wei earned and not withdrawn, per sponsorship, at a second of a piece."""
        seconds = second - piece.since
        return [
            base + (rate * stake * seconds // (other + stake) if pays else 0)
            for base, rate, stake, other, pays in zip(
                piece.outstanding, self.payout, piece.stakes, self.others, piece.paying, strict=True
            )
        ]

    def piece_at(self, state: StreamrState, second: int) -> Piece | None:
        """The piece that holds at a Unix second; None before the history."""
        place = bisect_right(state.pieces, second, key=lambda piece: piece.since)
        return state.pieces[place - 1] if place else None

    def value(self, piece: Piece) -> int:
        """Staked and free wei."""
        return sum(piece.stakes) + piece.free

    def limit(self, piece: Piece) -> int:
        """Wei that may stay uncollected."""
        return self.value(piece) * MAX_EARNINGS_PPM // 1_000_000

    def advance(self, state: StreamrState, until: int, limits: Mapping[ResourceName, float]) -> None:
        """Work out the minutes up to `until` with limits that hold throughout."""
        risky = limits["cpu_cores"] < NEED_CPU or limits["memory_gb"] < NEED_MEMORY_GB
        while state.minute < until:
            minute = until if state.paused else self._next_event(state.minute, until)
            state.minute = minute
            if state.paused:
                continue
            paying = self.paying(minute)
            if paying != state.pieces[-1].paying:
                self._turn(state, minute * MINUTE, paying=paying)
            if minute % 60 == 0:
                self._withdraw(state, minute)
                if risky and self._draws.fraction("slash", minute) < SLASH_PER_HOUR:
                    self._slash(state, minute)

    def _next_event(self, minute: int, until: int) -> int:
        """The next minute at which something may happen: funding changes, and the hourly look at earnings."""
        hourly = (minute // 60 + 1) * 60
        soonest = min(until, hourly)
        for index in range(len(STAKES)):
            known = self.changes(index, minute)
            soonest = min(soonest, known[bisect_right(known, minute)])
        return soonest

    def _turn(
        self,
        state: StreamrState,
        second: int,
        *,
        paying: list[bool] | None = None,
        outstanding: list[int] | None = None,
        stakes: list[int] | None = None,
        slashed: list[int] | None = None,
        free: int | None = None,
    ) -> None:
        """Close the present piece and begin the next; what is not given goes on as it was."""
        last = state.pieces[-1]
        reached = self.outstanding(last, second)
        state.usd += self._piece_usd(last, second // MINUTE)
        following = Piece(
            second,
            reached if outstanding is None else outstanding,
            list(last.stakes) if stakes is None else stakes,
            list(last.slashed) if slashed is None else slashed,
            list(last.paying) if paying is None else paying,
            last.free if free is None else free,
        )
        if last.since == second:
            state.pieces[-1] = following
        else:
            state.pieces.append(following)

    def _piece_usd(self, piece: Piece, minute: int) -> float:
        begin = piece.since // MINUTE
        if minute <= begin:
            return 0.0
        earned = sum(self.outstanding(piece, minute * MINUTE)) - sum(piece.outstanding)
        return earned * 1e-18 / (minute - begin) * self._market.usd_minutes("DATA", begin, minute)

    def _withdraw(self, state: StreamrState, minute: int) -> None:
        last = state.pieces[-1]
        gross = sum(self.outstanding(last, minute * MINUTE))
        if gross * WITHDRAW_DIVISOR <= self.limit(last):
            return
        fee = gross * PROTOCOL_FEE_PERCENT // 100
        cut = (gross - fee) * CUT_PERCENT // 100
        state.events.append(ChainEvent("profit", minute * MINUTE, [gross - fee - cut, cut, fee]))
        state.realised += gross
        self._turn(state, minute * MINUTE, outstanding=[0] * len(STAKES), free=last.free + gross - fee)

    def _slash(self, state: StreamrState, minute: int) -> None:
        """Missed work: one per cent of the largest stake is lost."""
        last = state.pieces[-1]
        index = max(range(len(STAKES)), key=lambda k: last.stakes[k])
        amount = last.stakes[index] // 100
        stakes, slashed = list(last.stakes), list(last.slashed)
        stakes[index] -= amount
        slashed[index] += amount
        state.events.append(ChainEvent("slash", minute * MINUTE, [amount], index))
        state.penalty += amount
        state.usd -= amount * 1e-18 * self._market.usd("DATA", minute)
        self._turn(state, minute * MINUTE, stakes=stakes, slashed=slashed)

    def flagged(self, state: StreamrState, second: int, limits: Mapping[ResourceName, float]) -> int | None:
        """The sponsorship whose stake an open flag locks at a second: one whose vote is about to slash."""
        vote = (second // FLAG_S + 1) * 60
        starved = limits["cpu_cores"] < NEED_CPU or limits["memory_gb"] < NEED_MEMORY_GB
        if not starved or self._draws.fraction("slash", vote) >= SLASH_PER_HOUR:
            return None
        stakes = state.pieces[-1].stakes
        return max(range(len(STAKES)), key=lambda k: stakes[k])

    def queue(self, second: int) -> tuple[str, int, int] | None:
        """The delegator who waits at a second, the wei wanted and since when; None while nobody does."""
        day = second // 86_400
        period, into = divmod(day, QUEUE_DAYS)
        begin = int(self._draws.between(0, QUEUE_DAYS - 3, "streamr", "queue", period))
        if not begin <= into <= begin + 1:
            return None
        since = (period * QUEUE_DAYS + begin) * 86_400
        amount = int(self._draws.between(20, 200, "streamr", "queued", period)) * WEI
        return self._draws.address("streamr", "delegator", period), amount, since

    def gas_left(self, state: StreamrState, second: int) -> int:
        """POL on the node's key at a second, in wei."""
        withdrawals = sum(event.kind == "profit" and event.second <= second for event in state.events)
        beats = len(self.heartbeats(self._first * MINUTE, second))
        spent = (withdrawals * GAS_OF_WITHDRAWAL + beats * GAS_OF_HEARTBEAT) * GAS_PRICE
        return FULL_POL_WEI - spent % FULL_POL_WEI

    def may_stake(self) -> bool:
        """Whether the node's key is a controller, as the autostaker needs it."""
        return self._draws.fraction("streamr", "controller") < 0.5

    def heartbeats(self, first: int, last: int) -> list[int]:
        """The seconds in a range at which the leading node wrote its daily heartbeat."""
        found = []
        for day in range(first // 86_400, last // 86_400 + 1):
            second = (
                day * 86_400 + int(self._draws.between(0, 3600, "streamr", "heartbeat", day)) // BLOCK_S * BLOCK_S
            )
            if first <= second <= last:
                found.append(second)
        return found

    def pause(self, state: StreamrState) -> None:
        """Stop paying for good: all sponsorships stand still."""
        state.paused = True
        self._turn(state, state.minute * MINUTE, paying=[False] * len(STAKES))

    def gross(self, state: StreamrState, second: int) -> int:
        """Wei realised and outstanding at a second of the last piece."""
        return state.realised + sum(self.outstanding(state.pieces[-1], second))

    def usd(self, state: StreamrState) -> float:
        """USD earned since the history began, before the protocol's fee, less penalties."""
        return state.usd + self._piece_usd(state.pieces[-1], state.minute)

    def rate(self, state: StreamrState, limits: Mapping[ResourceName, float]) -> float:
        """Expected USD per hour with the sponsorships that have money now."""
        piece = state.pieces[-1]
        price = self._market.usd("DATA", state.minute)
        hour = sum(self.outstanding(piece, piece.since + 3600)) - sum(piece.outstanding)
        risk = 0.0
        if limits["cpu_cores"] < NEED_CPU or limits["memory_gb"] < NEED_MEMORY_GB:
            risk = max(piece.stakes) / 100 * SLASH_PER_HOUR
        return (hour - risk) * 1e-18 * price


def block_at(second: float) -> int:
    """The number of the newest block at a Unix second."""
    return (int(second) - BLOCK_ORIGIN_S) // BLOCK_S


def block_second(block: int) -> int:
    """The Unix second of a block."""
    return BLOCK_ORIGIN_S + block * BLOCK_S
