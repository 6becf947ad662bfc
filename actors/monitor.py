"""Watches everything: keeps the board, the alerts and the KPIs, and tells the recorder."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_never

import msgspec
from msgspec.structs import replace

from actors.base import Actor, House
from orch.alerts.desk import Desk, delivered, undelivered
from orch.alerts.rules import ActorTrouble, Facts
from orch.alerts.watch import Looked, Memory, Watch, with_silence
from orch.messages import (
    ActorRestarted,
    AlertRaised,
    AlertResolved,
    AreYouReady,
    DecisionMade,
    ForecastsScored,
    GuardsChanged,
    HowMuchWork,
    MonitorInbox,
    NoticeDelivered,
    NoticeFailed,
    OpportunitiesFound,
    ReallocationChanged,
    RecordBoard,
    RecorderStarted,
    RecordingFailed,
    SilenceAlert,
    SnapshotPublished,
    TellPeople,
)
from orch.model.base import Value
from orch.model.forecasts import ForecastScore
from orch.reallocation.guards import frozen_blockers
from orch.reports.dashboard import Times, get_dashboard_metrics
from orch.reports.kpis import Tally, kpis, observe

if TYPE_CHECKING:
    from orch.earnings.costs import RunningCosts
    from orch.model.alerts import Alert
    from orch.model.board import Dashboard, EngineView, Kpis
    from orch.model.fleet import Snapshot
    from orch.model.moves import Guards, Reallocation
    from orch.model.plans import Decision, Opportunity, Plan
    from orch.ports import Cache, Notifier

RECORDER = "recorder"
KEPT_MOVES = 200
KEPT_TROUBLES = 20
KEPT_DECISIONS = 20
"""Told again to a recorder that was started again: those it was told in vain while it was not there."""

KEEP_EVERY_S = 300.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MonitorPlan:
    """What the monitor is told.

    `board_every_s`: seconds of the clock between boards, 0 for every tick. `display`: the currency that people are
    shown beside USD. `watch` holds the rules and who is told; `cache` keeps alerts over a restart; without a
    `notifier` nobody is told.
    """

    engine: EngineView
    costs: RunningCosts
    board_every_s: float = 0.0
    display: str | None = None
    watch: Watch = field(default_factory=Watch)
    cache: Cache | None = None
    notifier: Notifier | None = None


class _Kept(Value):
    """What outlives a restart: alerts, silences, who was told, and what nodes usually earn."""

    saved_at: datetime
    memory: Memory
    tally: Tally


@dataclass
class _State:
    snapshot: Snapshot | None = None
    decisions: deque[DecisionMade] = field(default_factory=lambda: deque(maxlen=KEPT_DECISIONS))
    decision: Decision | None = None
    plan: Plan | None = None
    times: Times = field(default_factory=Times)
    opportunities: tuple[Opportunity, ...] = ()
    guards: Guards | None = None
    moves: dict[str, Reallocation] = field(default_factory=dict)
    troubles: list[ActorTrouble] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)
    kept_at: datetime | None = None
    wake_at: datetime | None = None
    tally: Tally = field(default_factory=Tally)
    score: ForecastScore = field(default_factory=ForecastScore)
    hour: int = 0
    board_at: float = 0.0


class Monitor(Actor):
    """The one place where the whole house is seen together."""

    def __init__(self, name: str, house: House, plan: MonitorPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._state = _State()
        self._encoder = msgspec.json.Encoder(decimal_format="string")

    def ready(self) -> None:
        """Take up the alerts, silences and groups as they were kept."""
        if self._plan.cache is None:
            return
        now = self.house.clock.now()
        body = self._plan.cache.load()
        if body is None:
            return
        try:
            kept = msgspec.json.decode(body, type=_Kept)
        except msgspec.MsgspecError as error:
            log.warning("the alerts that were kept cannot be read, all of them begin anew: %s", error)
            return
        self._state.memory = self._plan.watch.resumed(kept.memory, kept.saved_at, now)
        self._state.tally = kept.tally

    def close(self) -> None:
        """Keep what alerting remembers."""
        if self._state.snapshot is not None:
            self._keep(self.house.clock.now())

    def handle(self, message: MonitorInbox) -> object:
        """Remember, look, tell."""
        state = self._state
        match message:
            case SnapshotPublished(snapshot=snapshot):
                state.snapshot = snapshot
                state.tally = observe(state.tally, snapshot)
                self.check_alerts(snapshot)
                self._publish(snapshot)
            case DecisionMade():
                state.decisions.append(message)
                state.decision, state.plan = message.decision, message.plan
                state.times = Times(
                    next_decision_at=message.next_decision_at, next_reallocation_at=message.next_reallocation_at
                )
            case OpportunitiesFound(opportunities=opportunities):
                state.opportunities = opportunities
            case ForecastsScored(score=score):
                state.score = score
            case GuardsChanged(guards=guards):
                state.guards = guards
            case ReallocationChanged(reallocation=reallocation):
                self._moved(reallocation)
            case ActorRestarted():
                self._trouble(message.name, message.error, given_up=message.given_up)
            case RecorderStarted():
                self._tell_again()
            case RecordingFailed(sentence=sentence):
                self._trouble(RECORDER, sentence, given_up=False)
            case SilenceAlert() | TellPeople() | NoticeDelivered() | NoticeFailed():
                self._people(message)
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    def check_alerts(self, snapshot: Snapshot) -> None:
        """Look at every rule; tell what fires and what is over."""
        state = self._state
        facts = Facts(
            now=snapshot.taken_at,
            snapshot=snapshot,
            usual=state.tally.usual,
            decision=state.decision,
            plan=state.plan,
            reallocations=tuple(state.moves.values()),
            troubles=tuple(state.troubles),
            guards=state.guards,
        )
        looked = self._plan.watch.look(
            state.memory, facts, self._kpis(snapshot) if self._plan.watch.has_own else None
        )
        state.troubles.clear()
        for alert in (*looked.raised, *looked.turned):
            self.tell(RECORDER, AlertRaised(alert=alert))
        for alert in looked.resolved:
            self.tell(RECORDER, AlertResolved(alert=alert))
        self._tell_people(looked)

    def get_dashboard_metrics(self, snapshot: Snapshot) -> Dashboard:
        """The whole board now."""
        state = self._state
        return get_dashboard_metrics(
            snapshot,
            self._plan.engine,
            state.decision,
            state.plan,
            state.times,
            tuple(state.moves.values()),
            self._alerts(),
            self._kpis(snapshot),
            self._plan.costs,
            self._plan.display,
            state.opportunities,
            () if state.guards is None else frozen_blockers(state.guards, snapshot.taken_at),
        )

    def _publish(self, snapshot: Snapshot, *, at_once: bool = False) -> None:
        now = snapshot.taken_at.timestamp()
        hour = int(now) // 3600
        turned = hour != self._state.hour
        if not (turned or at_once) and now - self._state.board_at < self._plan.board_every_s:
            return
        self._state.hour, self._state.board_at = hour, now
        board = self.get_dashboard_metrics(snapshot)
        body = self._encoder.encode(board)
        if self.house.board is not None:
            self.house.board.swap(body)
        self.tell(
            RECORDER, RecordBoard(taken_at=snapshot.taken_at, body=body, kpis=board.kpis if turned else None)
        )

    def _tell_again(self) -> None:
        """What a recorder of the same name may have lost, or never been told."""
        for made in self._state.decisions:
            self.tell(RECORDER, made)
        for alert in self._state.memory.alerts:
            if alert.is_active:
                self.tell(RECORDER, AlertRaised(alert=alert))

    def _alerts(self) -> tuple[Alert, ...]:
        order = {"page": 0, "warning": 1, "info": 2}
        return tuple(
            sorted(
                self._state.memory.alerts,
                key=lambda alert: (not alert.is_active, order[alert.severity], alert.since),
            )
        )

    def _kpis(self, snapshot: Snapshot) -> Kpis:
        state = self._state
        return kpis(state.tally, snapshot, state.moves.values(), state.score)

    # -- who is told -----------------------------------------------------------------------------------------

    def _people(self, message: SilenceAlert | TellPeople | NoticeDelivered | NoticeFailed) -> None:
        """What has to do with who is told."""
        state = self._state
        match message:
            case SilenceAlert():
                self._silence(message)
            case TellPeople(due_at=due_at):
                if due_at == state.wake_at:
                    state.wake_at = None
                    self._tell_people(self._plan.watch.tell(state.memory, self.house.clock.now()))
            case NoticeDelivered(notice_id=notice_id):
                self._sent(delivered(state.memory.desk, notice_id))
            case NoticeFailed(notice_id=notice_id, channel=channel, sentence=sentence):
                log.warning("nobody was told by %s: %s", channel, sentence)
                self._sent(undelivered(state.memory.desk, notice_id))

    def _tell_people(self, looked: Looked) -> None:
        """Send what is to be sent, come back when more is due, keep what changed."""
        state, plan = self._state, self._plan
        if plan.notifier is None:
            # Nobody is there to be told: groups would wait for ever.
            state.memory = replace(looked.memory, desk=replace(looked.memory.desk, groups=()))
        else:
            state.memory = looked.memory
            for notice in looked.notices:
                plan.notifier.send(notice, reply_to=self.name)
            if looked.wake_at is not None and looked.wake_at != state.wake_at:
                state.wake_at = looked.wake_at
                self.house.timers.at(looked.wake_at, self.name, TellPeople(due_at=looked.wake_at))
        now = self.house.clock.now()
        if looked.changed or state.kept_at is None or now - state.kept_at >= timedelta(seconds=KEEP_EVERY_S):
            self._keep(now)

    def _sent(self, desk: Desk) -> None:
        """What became of a notice is remembered at once: a restart must not tell it again."""
        self._state.memory = replace(self._state.memory, desk=desk)
        self._keep(self.house.clock.now())

    def _silence(self, order: SilenceAlert) -> None:
        now = self.house.clock.now()
        until = now + timedelta(seconds=order.for_s * self.house.clock.speed)
        memory = with_silence(self._state.memory, order.rule, order.node, now, until, order.comment)
        looked = self._plan.watch.tell(memory, now)
        self._tell_people(replace(looked, changed=True))

    def _keep(self, now: datetime) -> None:
        self._state.kept_at = now
        if self._plan.cache is not None:
            kept = _Kept(saved_at=now, memory=self._state.memory, tally=self._state.tally)
            self._plan.cache.save(self._encoder.encode(kept))

    def _moved(self, reallocation: Reallocation) -> None:
        moves = self._state.moves
        moves[reallocation.id] = reallocation
        while len(moves) > KEPT_MOVES:
            del moves[min(moves, key=lambda key: moves[key].started_at)]

    def _trouble(self, name: str, error: str, *, given_up: bool) -> None:
        now = self.house.clock.now()
        self._state.troubles.append(ActorTrouble(name=name, error=error, given_up=given_up, happened_at=now))
        del self._state.troubles[:-KEPT_TROUBLES]
        if given_up and self._state.snapshot is not None:
            # Without that actor there may never be another snapshot to say it with.
            last = replace(self._state.snapshot, taken_at=now)
            self.check_alerts(last)
            self._publish(last, at_once=True)
