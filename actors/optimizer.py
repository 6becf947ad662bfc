"""Decides at every decide tick, also to do nothing, and hands what is to be done to reallocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, assert_never

from actors.base import Actor, House
from orch.forecast.ensemble import FORECASTER
from orch.forecast.score import Track, score_of, without
from orch.messages import (
    Analyze,
    AreYouReady,
    Decide,
    DecisionMade,
    ExecuteReallocation,
    ForecastsScored,
    GuardsChanged,
    HistoryTold,
    HowMuchWork,
    OpportunitiesFound,
    OptimizerInbox,
    ReallocationChanged,
    SnapshotPublished,
    SolverAnswered,
    TellHistory,
)
from orch.planning.decide import Study, decide, next_reallocation_at, study
from orch.planning.foresee import foresee

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from orch.forecast.base import Forecaster
    from orch.model.fleet import Snapshot
    from orch.model.forecasts import Foresight, IncomeSeries
    from orch.model.moves import Guards
    from orch.planning.settings import PlanSettings
    from orch.solvers.base import Solver
    from orch.strategies.base import StrategySpec

COORDINATOR = "coordinator"
MONITOR = "monitor"
RECORDER = "recorder"
REALLOCATION = "reallocation"


@dataclass(frozen=True)
class OptimizerPlan:
    """What the optimizer is told."""

    settings: PlanSettings
    strategy: StrategySpec
    options: Any
    solvers: Mapping[str, Solver]
    analyze_s: float
    decide_s: float
    forecaster: Forecaster = FORECASTER


@dataclass
class _State:
    snapshot: Snapshot | None = None
    guards: Guards | None = None
    foresight: Foresight | None = None
    track: Track = field(default_factory=Track)
    prices: dict[str, Decimal] = field(default_factory=dict)
    analyze_at: datetime | None = None
    decide_at: datetime | None = None
    number: int = 0
    seen: tuple[Snapshot, Guards, Foresight | None, Study] | None = None


class Optimizer(Actor):
    """Looks at the newest snapshot; everything it concludes is a plain function of it."""

    def __init__(self, name: str, house: House, plan: OptimizerPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._state = _State()

    def ready(self) -> None:
        """Ask for the income so far, and set the first ticks."""
        now = self.house.clock.now()
        self.tell(COORDINATOR, TellHistory(reply_to=self.name))
        self._arm_analyze(now + timedelta(seconds=self._plan.analyze_s))
        self._arm_decide(now + timedelta(seconds=self._plan.decide_s))

    def handle(self, message: OptimizerInbox) -> object:
        """Remember the newest, look, decide."""
        state = self._state
        match message:
            case SnapshotPublished(snapshot=snapshot):
                state.snapshot = snapshot
            case GuardsChanged(guards=guards):
                state.guards = guards
            case HistoryTold(history=history):
                self._foresee(history)
            case Analyze(due_at=due_at):
                if due_at == state.analyze_at:
                    self._arm_analyze(self._following(due_at, self._plan.analyze_s))
                    self._analyze()
            case Decide(due_at=due_at):
                if due_at == state.decide_at:
                    self._arm_decide(self._following(due_at, self._plan.decide_s))
                    self._decide()
            case ReallocationChanged(reallocation=reallocation):
                if reallocation.state == "settled":
                    state.track = without(state.track, {change.node for change in reallocation.changes})
            case SolverAnswered() | AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    def _foresee(self, history: tuple[IncomeSeries, ...]) -> None:
        state, now = self._state, self.house.clock.now()
        state.foresight, state.track = foresee(
            history, state.track, self._plan.forecaster, now, hours=self._plan.settings.horizon_h
        )
        self.tell(MONITOR, ForecastsScored(scored_at=now, score=score_of(state.track)))

    def _analyze(self) -> None:
        state = self._state
        if state.snapshot is None or state.guards is None:
            return
        seen = self._study(state.snapshot, state.guards)
        now = self.house.clock.now()
        self.tell(MONITOR, OpportunitiesFound(found_at=now, opportunities=seen.opportunities))

    def _study(self, snapshot: Snapshot, guards: Guards) -> Study:
        """What one look at a snapshot finds; the same snapshot is not looked at twice."""
        known, foresight = self._state.seen, self._state.foresight
        if known is not None and known[0] is snapshot and known[1] is guards and known[2] is foresight:
            return known[3]
        plan = self._plan
        seen = study(
            snapshot,
            guards,
            plan.settings,
            plan.solvers,
            previous_prices=self._state.prices or None,
            strategy=plan.strategy,
            options=plan.options,
            foresight=foresight,
        )
        self._state.seen = (snapshot, guards, foresight, seen)
        return seen

    def _decide(self) -> None:
        state, plan = self._state, self._plan
        if state.snapshot is None or state.guards is None:
            return
        now = self.house.clock.now()
        state.number += 1
        stamp = f"{now:%Y%m%dT%H%M%S}-{state.number}"
        decision, found = decide(
            state.snapshot,
            state.guards,
            plan.settings,
            strategy=plan.strategy,
            options=plan.options,
            solvers=plan.solvers,
            decision_id=f"d{stamp}",
            plan_id=f"p{stamp}",
            now=now,
            previous_prices=state.prices or None,
            seen=self._study(state.snapshot, state.guards),
            foresight=state.foresight,
        )
        state.prices = {each.token: each.price.usd for each in state.snapshot.prices if each.price is not None}
        made = DecisionMade(
            decision=decision,
            plan=found,
            next_decision_at=state.decide_at or now,
            next_reallocation_at=next_reallocation_at(found, state.guards, now),
        )
        self.tell(MONITOR, made)
        self.tell(RECORDER, made)
        if decision.verdict == "move" and found is not None:
            self.tell(REALLOCATION, ExecuteReallocation(plan=found, trigger="auto"))

    def _following(self, due_at: datetime, period_s: float) -> datetime:
        """The next tick; ticks that have passed already are skipped."""
        behind = max(0, int((self.house.clock.now() - due_at).total_seconds() // period_s))
        return due_at + timedelta(seconds=period_s * (behind + 1))

    def _arm_analyze(self, when: datetime) -> None:
        self._state.analyze_at = when
        self.house.timers.at(when, self.name, Analyze(due_at=when))

    def _arm_decide(self, when: datetime) -> None:
        self._state.decide_at = when
        self.house.timers.at(when, self.name, Decide(due_at=when))
