"""Decides at every decide tick, also to do nothing, and hands what is to be done to reallocation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import msgspec
from msgspec.structs import replace

from actors.base import Actor, House
from orch.forecast.ensemble import FORECASTER
from orch.forecast.score import Track, resumed, score_of, scores_of, without, written
from orch.messages import (
    Analyze,
    AreYouReady,
    Decide,
    DecisionMade,
    ExecuteReallocation,
    ForecastsRestored,
    ForecastsScored,
    GuardsChanged,
    HistoryTold,
    HowMuchWork,
    OpportunitiesFound,
    OptimizerInbox,
    PausesLearned,
    ReallocationChanged,
    ReallocationProposed,
    RecordForecasts,
    RestoreForecasts,
    SnapshotPublished,
    SolverAnswered,
    TellHistory,
)
from orch.model.inputs import DecisionInputs
from orch.model.problems import SolverJob
from orch.planning.decide import Study, as_free, decide, next_reallocation_at, study
from orch.planning.foresee import dials_of, foresee, turned_by
from orch.planning.settings import with_pauses
from orch.planning.steps import with_steps
from orch.solvers.far import AnswerPending, FarSolver

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from orch.forecast.base import Forecaster
    from orch.model.books import Turned
    from orch.model.fleet import Snapshot
    from orch.model.forecasts import Foresight, IncomeSeries
    from orch.model.moves import Guards, Reallocation
    from orch.model.problems import Answer
    from orch.planning.settings import PlanSettings
    from orch.planning.steps import Describe
    from orch.solvers.base import Solver
    from orch.strategies.base import StrategySpec

COORDINATOR = "coordinator"
MONITOR = "monitor"
RECORDER = "recorder"
REALLOCATION = "reallocation"
Seen: TypeAlias = "tuple[Snapshot, Guards, Foresight | None, Study]"
NO_OPTIONS = msgspec.msgpack.encode({})


@dataclass(frozen=True)
class OptimizerPlan:
    """What the optimizer is told. `all_options`: of every strategy by name, in MessagePack, for the record.

    `describe` says how a change of a node would be made, None where nobody asks for that.
    """

    settings: PlanSettings
    strategy: StrategySpec
    options: Any
    solvers: Mapping[str, Solver]
    analyze_s: float
    decide_s: float
    forecaster: Forecaster = FORECASTER
    all_options: bytes = NO_OPTIONS
    describe: Describe | None = None


@dataclass
class _State:
    snapshot: Snapshot | None = None
    guards: Guards | None = None
    foresight: Foresight | None = None
    track: Track = field(default_factory=Track)
    resumed: bool = False
    turned: tuple[Turned, ...] = ()
    prices: dict[str, Decimal] = field(default_factory=dict)
    analyze_at: datetime | None = None
    decide_at: datetime | None = None
    number: int = 0
    seen: Seen | None = None
    seen_with: dict[str, Decimal] = field(default_factory=dict)
    asked: int = 0
    job: SolverJob | None = None
    view: tuple[Snapshot, Guards, Foresight | None] | None = None
    owed: set[str] = field(default_factory=set)


class Optimizer(Actor):
    """Looks at the newest snapshot; everything it concludes is a plain function of it."""

    def __init__(self, name: str, house: House, plan: OptimizerPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._terms = plan.settings
        self._settings = msgspec.msgpack.encode(plan.settings)
        self._state = _State()

    def ready(self) -> None:
        """Ask for the income so far, and set the first ticks."""
        now = self.house.clock.now()
        self.tell(RECORDER, RestoreForecasts(reply_to=self.name))
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
            case HistoryTold(history=history, turned=turned):
                told_from = min((each.first_hour for each in history), default=self.house.clock.now())
                known = dict.fromkeys((*turned, *state.turned))
                state.turned = tuple(each for each in known if each.turned_at > told_from)
                self._foresee(history)
            case Analyze() | Decide():
                self._tick(message)
            case ReallocationChanged(reallocation=reallocation):
                self._moved(reallocation)
            case ForecastsRestored(body=body):
                self._resume(body)
            case PausesLearned(downtime_s=downtime_s):
                self._reckon(with_pauses(self._terms, downtime_s))
            case SolverAnswered(job=job, answer=answer):
                self._learn(job, answer)
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    def _tick(self, tick: Analyze | Decide) -> None:
        """Set the next tick and do what is due; a tick that was set before another start is none."""
        state = self._state
        if isinstance(tick, Analyze):
            if tick.due_at == state.analyze_at:
                self._arm_analyze(self._following(tick.due_at, self._plan.analyze_s))
                self._look("analyze")
        elif tick.due_at == state.decide_at:
            self._arm_decide(self._following(tick.due_at, self._plan.decide_s))
            self._look("decide")

    def _moved(self, reallocation: Reallocation) -> None:
        state = self._state
        if reallocation.state == "settled":
            until = reallocation.ended_at or reallocation.started_at
            state.track = without(state.track, {change.node for change in reallocation.changes}, until)
            self._keep_track()
            state.turned = tuple(dict.fromkeys((*state.turned, *turned_by(reallocation))))

    def _reckon(self, terms: PlanSettings) -> None:
        """Plan with other costs of moving from now on; what was found with the old ones is found again."""
        if terms != self._terms:
            self._terms, self._settings = terms, msgspec.msgpack.encode(terms)
            self._state.seen = None

    def _foresee(self, history: tuple[IncomeSeries, ...]) -> None:
        state, now = self._state, self.house.clock.now()
        state.foresight, state.track = foresee(
            history,
            state.track,
            self._plan.forecaster,
            now,
            hours=self._terms.horizon_h,
            turned=state.turned,
            dials=dials_of(state.snapshot) if state.snapshot is not None else {},
        )
        self.tell(MONITOR, ForecastsScored(scored_at=now, score=score_of(state.track)))
        self._keep_track()

    def _keep_track(self) -> None:
        """Have the record of forecasts kept; the one kept before has to be known first."""
        if self._state.resumed:
            self.tell(RECORDER, RecordForecasts(body=written(self._state.track)))
        else:
            self.tell(RECORDER, RestoreForecasts(reply_to=self.name))

    def _resume(self, body: str | None) -> None:
        """Go on with the record of forecasts kept before this start."""
        state, now = self._state, self.house.clock.now()
        if state.resumed:
            return
        state.track, state.resumed = resumed(body, state.track), True
        if body is None:
            return
        if state.foresight is not None:
            state.foresight = replace(state.foresight, scores=tuple(scores_of(state.track).items()))
        self.tell(MONITOR, ForecastsScored(scored_at=now, score=score_of(state.track)))

    def _look(self, wish: str) -> None:
        """Do what is due with the newest snapshot, or once a solver elsewhere has answered for an older one."""
        state = self._state
        state.owed.add(wish)
        if state.job is not None:
            return
        if state.view is None:
            if state.snapshot is None or state.guards is None:
                state.owed.clear()
                return
            state.view = (state.snapshot, state.guards, state.foresight)
        try:
            seen = self._study(*state.view, deciding="decide" in state.owed)
        except AnswerPending as pending:
            self._ask(pending)
            return
        snapshot, guards, foresight = state.view
        owed, state.owed, state.view = state.owed, set(), None
        if "analyze" in owed:
            now = self.house.clock.now()
            self.tell(MONITOR, OpportunitiesFound(found_at=now, opportunities=seen.opportunities))
        if "decide" in owed:
            self._decide(snapshot, guards, foresight, seen)

    def _ask(self, pending: AnswerPending) -> None:
        """Have another process solve what is needed first."""
        if self.house.solvers is None:
            raise RuntimeError("a solver that runs elsewhere is wanted, and there is no pool")
        state = self._state
        state.asked += 1
        state.job = SolverJob(
            id=f"{self.house.clock.now():%Y%m%dT%H%M%S.%f}-{state.asked}",
            solver=pending.solver,
            problem=pending.problem,
            budget=pending.budget,
            seed=pending.seed,
        )
        self.house.solvers.solve(state.job, reply_to=self.name)

    def _learn(self, asked: str, answer: Answer) -> None:
        """Take an answer in, and go on with what waits for it."""
        job = self._state.job
        if job is None or job.id != asked:
            return
        for solver in self._plan.solvers.values():
            if isinstance(solver, FarSolver) and solver.name == job.solver:
                solver.learn(job.problem, answer)
        self._state.job = None
        for wish in sorted(self._state.owed)[:1]:
            self._look(wish)

    def _study(self, snapshot: Snapshot, guards: Guards, foresight: Foresight | None, *, deciding: bool) -> Study:
        """What one look at a snapshot finds; the same snapshot is not looked at twice.

        What holds keep back is worked out anew for each decision; between decisions it is what the last one found.
        """
        state, plan = self._state, self._plan
        known = state.seen
        same = known is not None and known[0] is snapshot and known[1] is guards and known[2] is foresight
        if known is not None and same and not (deciding and known[3].carried):
            return known[3]
        soon = deciding or state.decide_at is None or state.decide_at <= self.house.clock.now()
        again = known is not None and not soon and as_free(known[:2], (snapshot, guards))
        seen = study(
            snapshot,
            guards,
            self._terms,
            plan.solvers,
            previous_prices=self._state.prices or None,
            strategy=plan.strategy,
            options=plan.options,
            foresight=foresight,
            freed=known[3].freed if known is not None and again else None,
        )
        state.seen, state.seen_with = (snapshot, guards, foresight, seen), state.prices
        return seen

    def _decide(self, snapshot: Snapshot, guards: Guards, foresight: Foresight | None, seen: Study) -> None:
        state, plan = self._state, self._plan
        now = self.house.clock.now()
        state.number += 1
        stamp = f"{now:%Y%m%dT%H%M%S}-{state.number}"
        decision, found = decide(
            snapshot,
            guards,
            self._terms,
            strategy=plan.strategy,
            options=plan.options,
            solvers=plan.solvers,
            decision_id=f"d{stamp}",
            plan_id=f"p{stamp}",
            now=now,
            previous_prices=state.prices or None,
            seen=seen,
            foresight=foresight,
        )
        state.prices = {each.token: each.price.usd for each in snapshot.prices if each.price is not None}
        if found is not None and plan.describe is not None:
            found = with_steps(found, plan.describe)
        made = DecisionMade(
            decision=decision,
            plan=found,
            next_decision_at=state.decide_at or now,
            next_reallocation_at=next_reallocation_at(found, guards, now),
        )
        self.tell(MONITOR, made)
        self.tell(RECORDER, replace(made, inputs=self._inputs(snapshot, guards, foresight)))
        if decision.verdict == "move" and found is not None:
            self.tell(REALLOCATION, ExecuteReallocation(plan=found, trigger="auto"))
        elif found is not None and found.to_value != found.from_value:
            self.tell(REALLOCATION, ReallocationProposed(plan=found))

    def _inputs(self, snapshot: Snapshot, guards: Guards, foresight: Foresight | None) -> DecisionInputs:
        """What the decision was made of."""
        return DecisionInputs(
            snapshot=snapshot,
            guards=guards,
            prices=self._state.seen_with,
            foresight=foresight,
            settings=self._settings,
            strategy=self._plan.strategy.name,
            options=self._plan.all_options,
        )

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
