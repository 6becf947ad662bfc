"""Keeps the fleet's present state: books what nodes report, and publishes a snapshot at every poll tick."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, assert_never

from msgspec.structs import replace

from actors.base import Actor, House, adapter_name
from orch.earnings.costs_now import costs_now
from orch.earnings.ledger import Ledger
from orch.earnings.prices import STALE_AFTER_S, UNKNOWN_AFTER_S, price_now
from orch.messages import (
    AreYouReady,
    BooksRestored,
    CoordinatorInbox,
    HistoryTold,
    HowMuchWork,
    NodeHeard,
    PollAll,
    PollFailed,
    PollNode,
    PricesAccepted,
    ReadingTaken,
    RecorderStarted,
    RecordTick,
    RestoreBooks,
    RunningCostsRead,
    SnapshotPublished,
    TellHistory,
    TickRecorded,
)
from orch.model.readings import with_heard
from orch.model.resources import Resources
from orch.planning.foresee import get_income_history, get_steady_history
from orch.planning.snapshot import (
    HostProfile,
    NodeProfile,
    appraise_node,
    node_state,
    snapshot,
    with_failure,
    without_failure,
)

if TYPE_CHECKING:
    from datetime import datetime

    from orch.earnings.appraise import Appraisal
    from orch.earnings.costs_now import CostTerms
    from orch.model.costs import PowerPrice, RunningCosts, Watts
    from orch.model.fleet import NodeState, Snapshot
    from orch.model.money import EarnedUsd, Entry, Price, PriceNow
    from orch.model.readings import Failure, Heard, Reading

RECORDER = "recorder"
OPTIMIZER = "optimizer"
READERS = ("optimizer", "reallocation", "monitor")
HISTORIANS = (OPTIMIZER, "reallocation")
KEPT_TICKS = 720
"""Unacknowledged ticks kept whole; of older ones only the ledger entries are kept."""


@dataclass(frozen=True)
class CoordinatorPlan:
    """What the coordinator is told. `costs` are what running costs where no `cost_terms` say how to know it.

    No income is counted in `cost_tokens`, which are among `tokens`.
    """

    host: HostProfile
    nodes: tuple[NodeProfile, ...]
    tokens: tuple[str, ...]
    costs: RunningCosts
    poll_s: float
    stale_after_s: float = STALE_AFTER_S
    unknown_after_s: float = UNKNOWN_AFTER_S
    cost_terms: CostTerms | None = None
    currencies: tuple[str, ...] = ()
    cost_tokens: tuple[str, ...] = ()


@dataclass
class _Known:
    """One node as last reported."""

    reading: Reading | None = None
    failures: tuple[Failure, ...] = ()
    appraisal: Appraisal | None = None
    dirty: bool = False


@dataclass
class _State:
    nodes: dict[str, _Known]
    prices: dict[str, Price] = field(default_factory=dict)
    ledger: Ledger | None = None
    entries: list[Entry] = field(default_factory=list)
    waiting: list[Reading] = field(default_factory=list)
    unacknowledged: deque[RecordTick] = field(default_factory=deque)
    sequence: int = 0
    armed_for: datetime | None = None
    hour: int = 0
    table: tuple[PowerPrice, ...] = ()
    watts: Watts | None = None
    usd_per_kwh: float | None = None


class Coordinator(Actor):
    """One reader of all adapters, many readers of its snapshot."""

    def __init__(self, name: str, house: House, plan: CoordinatorPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._state = _State(nodes={profile.name: _Known() for profile in plan.nodes})

    def ready(self) -> None:
        """Ask for the books as stored, and set the first tick."""
        self.tell(RECORDER, RestoreBooks(reply_to=self.name))
        self._arm(1, self.house.clock.now())

    def handle(self, message: CoordinatorInbox) -> object:
        """Book, remember, publish."""
        match message:
            case PollAll(tick=tick, due_at=due_at):
                self.poll_all(tick, due_at)
            case ReadingTaken() | NodeHeard() | PollFailed():
                self._listen(message)
            case PricesAccepted(prices=prices):
                self._state.prices = {price.token: price for price in prices}
                self._dirty_all()
            case RunningCostsRead(table=table, watts=watts):
                self._state.table, self._state.watts = table, watts
            case BooksRestored():
                self._restored(message)
            case TickRecorded(sequence=sequence):
                unacknowledged = self._state.unacknowledged
                while unacknowledged and unacknowledged[0].sequence <= sequence:
                    unacknowledged.popleft()
            case RecorderStarted():
                self._send_again()
            case TellHistory(reply_to=reply_to):
                self._tell_history(reply_to)
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    # -- the tick ----------------------------------------------------------------------------------------

    def poll_all(self, tick: int, due_at: datetime) -> None:
        """Publish what is known, ask every adapter for more, and set the next tick; late ticks are skipped."""
        if due_at != self._state.armed_for:
            return  # the timer of a predecessor
        now = self.house.clock.now()
        if self._state.ledger is not None:
            self._publish(tick, due_at, now, self._state.ledger)
        for profile in self._plan.nodes:
            whole = self._state.nodes[profile.name].reading is None
            self.tell(adapter_name(profile.name), PollNode(tick=tick, due_at=due_at, whole=whole))
        behind = max(0, int((now - due_at).total_seconds() // self._plan.poll_s))
        following = due_at + timedelta(seconds=self._plan.poll_s * (behind + 1))
        self._arm(tick + behind + 1, following)

    def _arm(self, tick: int, due_at: datetime) -> None:
        self._state.armed_for = due_at
        self.house.timers.at(due_at, self.name, PollAll(tick=tick, due_at=due_at))

    def get_protocol_status(self) -> tuple[NodeState, ...]:
        """Every node now."""
        ledger = self._state.ledger or Ledger(self._plan.host.host)
        now = self.house.clock.now()
        return tuple(self._node(profile, ledger, now) for profile in self._plan.nodes)

    def calculate_total_earnings(self) -> EarnedUsd | None:
        """Income so far by evidence; None before the books are restored."""
        return self._state.ledger.calculate_total_earnings() if self._state.ledger else None

    def _publish(self, tick: int, due_at: datetime, now: datetime, ledger: Ledger) -> None:
        used = self.house.host.used() if self.house.host is not None else Resources()
        costs = self._costs(used.cpu_cores, now)
        self._appraise(ledger, costs, now)
        state = snapshot(
            self._plan.host,
            tick,
            due_at,
            now,
            tuple(self._node(profile, ledger, now) for profile in self._plan.nodes),
            tuple(self._prices(now).values()),
            ledger,
            used,
            tuple(self._currencies(now).values()),
            costs,
        )
        for reader in READERS:
            self.tell(reader, SnapshotPublished(snapshot=state))
        self._record(state)
        hour = int(now.timestamp()) // 3600
        if hour != self._state.hour:
            self._state.hour = hour
            ledger.forget_hours_before(now)
            self._tell_history(*HISTORIANS)

    def _tell_history(self, *readers: str) -> None:
        if self._state.ledger is not None:
            history = get_income_history(self._state.ledger, self._state.nodes)
            told = HistoryTold(
                told_at=self.house.clock.now(),
                history=history,
                turned=self._state.ledger.turned,
                steady=get_steady_history(self._state.ledger, self._state.nodes),
            )
            for reader in readers:
                self.tell(reader, told)

    def _record(self, state: Snapshot) -> None:
        entries, self._state.entries = tuple(self._state.entries), []
        self._state.sequence += 1
        tick = RecordTick(sequence=self._state.sequence, snapshot=state, entries=entries)
        self._state.unacknowledged.append(tick)
        if len(self._state.unacknowledged) > KEPT_TICKS:
            oldest = self._state.unacknowledged.popleft()
            second = self._state.unacknowledged.popleft()
            self._state.unacknowledged.appendleft(replace(second, entries=oldest.entries + second.entries))
        self.tell(RECORDER, tick)

    def _node(self, profile: NodeProfile, ledger: Ledger, now: datetime) -> NodeState:
        known = self._state.nodes[profile.name]
        return node_state(profile, self._plan.host, known.reading, known.appraisal, ledger, known.failures, now)

    # -- what nodes report -------------------------------------------------------------------------------

    def _listen(self, message: ReadingTaken | NodeHeard | PollFailed) -> None:
        match message:
            case ReadingTaken(reading=reading):
                self._take(reading)
            case NodeHeard(node=node, heard=heard):
                self._hear(node, heard)
            case PollFailed(node=node, failure=failure):
                known = self._state.nodes[node]
                known.failures = with_failure(known.failures, failure)

    def _take(self, reading: Reading) -> None:
        known = self._state.nodes.get(reading.node)
        if known is None:
            return
        known.reading = reading
        known.failures = without_failure(known.failures, reading)
        known.dirty = True
        ledger = self._state.ledger
        if ledger is not None:
            now = self.house.clock.now()
            self._state.entries.extend(ledger.book(reading, partial(self._price, now=now), now))

    def _hear(self, node: str, heard: Heard) -> None:
        known = self._state.nodes.get(node)
        if known is not None and known.reading is not None:
            known.reading = with_heard(known.reading, heard)

    def _costs(self, busy_cores: float | None, now: datetime) -> RunningCosts:
        """What running costs now; every node is appraised anew when the price of electricity has changed."""
        terms, state = self._plan.cost_terms, self._state
        if terms is None:
            return self._plan.costs
        costs = costs_now(terms, state.table, state.watts, self._currencies(now), busy_cores, now)
        if costs.usd_per_kwh != state.usd_per_kwh:
            state.usd_per_kwh = costs.usd_per_kwh
            self._dirty_all()
        return costs

    def _appraise(self, ledger: Ledger, costs: RunningCosts, now: datetime) -> None:
        prices = self._prices(now)
        for known in self._state.nodes.values():
            if known.reading is not None and known.dirty:
                known.dirty = False
                known.appraisal = appraise_node(
                    known.reading,
                    ledger,
                    prices,
                    costs,
                    known.appraisal,
                    now,
                    self._plan.host.horizon_h,
                )

    def _prices(self, now: datetime) -> dict[str, PriceNow]:
        return {token: self._price_now(token, now) for token in self._plan.tokens}

    def _currencies(self, now: datetime) -> dict[str, PriceNow]:
        return {name: self._price_now(name, now) for name in self._plan.currencies}

    def _price(self, token: str, now: datetime) -> PriceNow | None:
        """The price of a token now; None for what no node's income is counted in."""
        return self._price_now(token, now) if token in self._plan.tokens else None

    def _price_now(self, token: str, now: datetime) -> PriceNow:
        return price_now(
            self._state.prices,
            token,
            now,
            stale_after_s=self._plan.stale_after_s,
            unknown_after_s=self._plan.unknown_after_s,
            only_costs=token in self._plan.cost_tokens,
        )

    def _dirty_all(self) -> None:
        for known in self._state.nodes.values():
            known.dirty = True

    # -- the recorder ------------------------------------------------------------------------------------

    def _restored(self, message: BooksRestored) -> None:
        if self._state.ledger is not None:
            return
        self._state.ledger = Ledger(self._plan.host.host, message.books)
        self._state.sequence = message.books.sequence
        for known in list(self._state.nodes.values()):
            if known.reading is not None:
                self._take(known.reading)

    def _send_again(self) -> None:
        if self._state.ledger is None:
            self.tell(RECORDER, RestoreBooks(reply_to=self.name))
        for tick in self._state.unacknowledged:
            self.tell(RECORDER, tick)
