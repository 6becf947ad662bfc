"""Watches everything: keeps the board, the alerts and the KPIs, and tells the recorder."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

import msgspec
from msgspec.structs import replace

from actors.base import Actor, House
from orch.alerts.engine import Tracked, advance
from orch.alerts.rules import ActorTrouble, Facts, check_alerts
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
    OpportunitiesFound,
    ReallocationChanged,
    RecordBoard,
    RecorderStarted,
    RecordingFailed,
    SnapshotPublished,
)
from orch.model.forecasts import ForecastScore
from orch.reports.dashboard import Times, get_dashboard_metrics
from orch.reports.kpis import Tally, kpis, observe

if TYPE_CHECKING:
    from orch.earnings.costs import RunningCosts
    from orch.model.alerts import Alert
    from orch.model.board import Dashboard, EngineView
    from orch.model.fleet import Snapshot
    from orch.model.moves import Guards, Reallocation
    from orch.model.plans import Decision, Opportunity, Plan

RECORDER = "recorder"
KEPT_MOVES = 200
KEPT_TROUBLES = 20
KEPT_DECISIONS = 20
"""Told again to a recorder that was started again: those it was told in vain while it was not there."""


@dataclass(frozen=True)
class MonitorPlan:
    """What the monitor is told.

    `board_every_s`: seconds of the clock between boards, 0 for every tick. `display`: the currency that people are
    shown beside USD.
    """

    engine: EngineView
    costs: RunningCosts
    board_every_s: float = 0.0
    display: str | None = None


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
    tracked: tuple[Tracked, ...] = ()
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
        )
        outcome = advance(state.tracked, check_alerts(facts), snapshot.taken_at)
        state.tracked = outcome.tracked
        state.troubles.clear()
        for alert in outcome.raised:
            self.tell(RECORDER, AlertRaised(alert=alert))
        for alert in outcome.resolved:
            self.tell(RECORDER, AlertResolved(alert=alert))

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
            kpis(state.tally, snapshot, state.moves.values(), state.score),
            self._plan.costs,
            self._plan.display,
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
        for each in self._state.tracked:
            if each.alert.state == "firing":
                self.tell(RECORDER, AlertRaised(alert=each.alert))

    def _alerts(self) -> tuple[Alert, ...]:
        order = {"page": 0, "warning": 1, "info": 2}
        alerts = (each.alert for each in self._state.tracked)
        return tuple(
            sorted(alerts, key=lambda alert: (alert.state != "firing", order[alert.severity], alert.since))
        )

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
