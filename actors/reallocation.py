"""Carries out moves: runs the saga, writes its journal before anything else, recovers it at the start."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from msgspec.structs import replace

from actors.base import MONITOR, Actor, House, adapter_name
from orch.errors import JournalError
from orch.messages import (
    AllocationApplied,
    AllocationRead,
    AllocationRefused,
    ApprovePlan,
    AreYouReady,
    ContinueSaga,
    ExecuteReallocation,
    Freeze,
    GuardsChanged,
    HistoryTold,
    HowMuchWork,
    HowStandsPlan,
    PausesLearned,
    PriceDrifted,
    PromoteLever,
    ReallocationChanged,
    ReallocationInbox,
    ReallocationProposed,
    RejectPlan,
    RollBackReallocation,
    SetPrice,
    SnapshotPublished,
    TellHistory,
    Unfreeze,
)
from orch.model.moves import Order
from orch.reallocation.costs import with_learned
from orch.reallocation.desk import Desk
from orch.reallocation.following import looks_due, to_take_back
from orch.reallocation.guards import guards_of
from orch.reallocation.machine import Publish, Saga, SetTimer, TellNode, WriteLine
from orch.reallocation.memory import Memory
from orch.reallocation.orders import execute_reallocation, rollback_allocation, undoing_blockers
from orch.reallocation.proof import ProofTerms
from orch.reallocation.recovery import recover, resume
from orch.reallocation.saga import advance
from orch.reallocation.story import stories
from orch.reallocation.trust import demotions_due, promotions_stated, repricing_objection, with_standing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.model import moves
    from orch.model.fleet import Snapshot
    from orch.model.forecasts import IncomeSeries
    from orch.model.plans import Blocker, Plan, PlanStanding
    from orch.reallocation.machine import Effect
    from orch.reallocation.settings import MoveLimits, SagaSettings
    from orch.reallocation.trust import TrustedLever

    SagaAnswer: TypeAlias = ContinueSaga | AllocationApplied | AllocationRefused | AllocationRead

COORDINATOR: Final = "coordinator"
OPTIMIZER: Final = "optimizer"
RECORDER: Final = "recorder"
READERS: Final = (RECORDER, MONITOR, OPTIMIZER)
WRITE_AGAIN: Final = "write again"
"""The token of the timer that tries a journal again that could not be written."""
WRITE_AGAIN_S: Final = 30.0
GUARDS_AGAIN: Final = timedelta(minutes=5)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReallocationPlan:
    """What the actor is told: limits, patience, and how many past moves it tells its readers of at its start.

    `levers` are all configured ones; a proposed plan may be approved for `plan_expires_s` real seconds.
    """

    limits: MoveLimits
    settings: SagaSettings
    retold: int = 200
    proof: ProofTerms = ProofTerms()  # noqa: RUF009 - a frozen value
    levers: tuple[TrustedLever, ...] = ()
    plan_expires_s: float = 1800.0


class Reallocation(Actor):
    """Runs at most one saga at a time.

    A journal that cannot be written stops the saga where it is, before the next lever, and is tried again; one
    that cannot be read or contradicts itself freezes all levers until a person has looked at it.
    """

    def __init__(self, name: str, house: House, plan: ReallocationPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._settings = plan.settings
        self._memory = Memory(house.journal, plan.limits)
        self._desk = Desk(self._memory, plan.settings, plan.plan_expires_s * house.clock.speed)
        self._snapshot: Snapshot | None = None
        self._saga: Saga | None = None
        self._stalled = False
        self._guards: tuple[moves.Guards, datetime] | None = None

    def ready(self) -> None:
        """Read the journal, tell what it says, and go on with what it left open."""
        now = self.house.clock.now()
        try:
            records, told = self._memory.begin(now)
            recovered = recover(records, now, self._settings)
            for order in promotions_stated(self._plan.levers, self._memory.standing):
                self._memory.obey(order, now)
        except JournalError as error:
            log.exception("the journal cannot be used; levers stay frozen")
            self._memory.unreadable = str(error)
            self._tell_guards()
            return
        for story in list(told.values())[-self._plan.retold :]:
            self._publish(story.record)
        for saga, effects in recovered:
            self._perform(saga, effects)
        self._tell_guards()
        self.tell(COORDINATOR, TellHistory(reply_to=self.name))

    def handle(self, message: ReallocationInbox) -> object:
        """Hand the message to the saga and do what it asks for."""
        match message:
            case SnapshotPublished(snapshot=snapshot):
                self._snapshot = snapshot
                self._tell_guards()
            case ReallocationProposed(plan=plan):
                self._desk.put(plan, self.house.clock.now())
            case ExecuteReallocation(plan=plan, trigger=trigger):
                self._open(plan, trigger)
            case RollBackReallocation():
                self._roll_back(message)
            case ContinueSaga(token=token) if token == WRITE_AGAIN:
                self._write_again(message.reallocation_id)
            case ContinueSaga() | AllocationApplied() | AllocationRefused() | AllocationRead():
                self._go_on(message)
            case HistoryTold(steady=steady):
                self._follow(steady)
            case ApprovePlan() | PriceDrifted():
                self._consider(message)
            case RejectPlan() | Freeze() | Unfreeze() | PromoteLever():
                self._obey(*self._desk.orders_of(message))
            case HowStandsPlan():
                return self._standing(message)
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    # -- orders ------------------------------------------------------------------------------------------

    def _open(self, plan: Plan, trigger: moves.Trigger, objections: tuple[Blocker, ...] = ()) -> None:
        now = self.house.clock.now()
        self._perform(
            *execute_reallocation(
                plan,
                trigger,
                guards=self._guards_now(now),
                snapshot=self._snapshot,
                now=now,
                settings=self._settings,
                sequence=self._memory.sequence,
                objections=objections,
            )
        )
        # A plan that was refused came from somebody who does not know the guards.
        self._tell_guards(again=True)

    def _consider(self, wish: ApprovePlan | PriceDrifted) -> None:
        if isinstance(wish, ApprovePlan):
            self._approve(wish)
        else:
            self._reprice(wish)

    def _approve(self, order: ApprovePlan) -> None:
        """Carry out a proposed plan, if it still stands; why not is recorded as a refused move."""
        now = self.house.clock.now()
        standing, plan = self._standing(order), self._desk.find(order.plan_id, order.plan, order.steps)
        if plan is None or standing.state == "decided":
            log.warning("plan %s is not carried out: %s", order.plan_id, standing.sentence)
            return
        self._open(plan, "approved", order.objections or self._desk.objections(plan, self._snapshot, now))

    def _standing(self, asked: HowStandsPlan | ApprovePlan) -> PlanStanding:
        now = self.house.clock.now()
        return self._desk.standing(asked, self._guards_now(now), self._snapshot, now)

    def _obey(self, *orders: Order) -> bool:
        """Write orders down, and let them stand; whether all of them do."""
        for order in orders:
            try:
                self._memory.obey(order, self.house.clock.now())
            except JournalError as error:
                log.error("the order to %s cannot be written down, and does not stand: %s", order.what, error)  # noqa: TRY400 - the journal's sentence says it all
                return False
            log.info("ordered: %s %s", order.what, order.plan_id or order.lever or order.until or "")
        self._tell_guards()
        return True

    def _reprice(self, wish: PriceDrifted) -> None:
        """Let a lever set a node's own price, once that is written down."""
        now, memory = self.house.clock.now(), self._memory
        guards = self._guards_now(now)
        why = repricing_objection(wish.lever, wish.hold_s, self._plan.levers, memory.standing, guards, now)
        if why is None and self._obey(Order(what="reprice", lever=wish.lever, sentence=wish.sentence)):
            self.tell(adapter_name(wish.lever.node), SetPrice())

    def _roll_back(self, order: RollBackReallocation) -> None:
        now = self.house.clock.now()
        if self._saga is not None and self._saga.id == order.reallocation_id:
            self._perform(*advance(self._saga, order, now, self._settings))
            self._tell_guards()
            return
        try:
            story = stories(self._memory.read()).get(order.reallocation_id)
        except JournalError as error:
            log.warning("reallocation %s cannot be rolled back: %s", order.reallocation_id, error)
            return
        if story is None or story.record.state not in {"settled", "stuck"}:
            state = "unknown" if story is None else story.record.state
            log.warning("reallocation %s is %s: there is nothing to roll back", order.reallocation_id, state)
            return
        if story.record.state == "stuck":
            self._memory.open[story.record.id] = story
            self._perform(*resume(story, now, self._settings, "A person asked to put it back once more."))
        else:
            self._take_back(story.record, "manual")
        self._tell_guards()

    def _take_back(self, settled: moves.Reallocation, trigger: moves.Trigger) -> None:
        now = self.house.clock.now()
        self._perform(
            *rollback_allocation(
                settled,
                guards=self._guards_now(now),
                snapshot=self._snapshot,
                now=now,
                settings=with_learned(self._settings, self._memory.followed.values()),
                sequence=self._memory.sequence,
                trigger=trigger,
            )
        )

    def _go_on(self, answer: SagaAnswer) -> None:
        # A stalled saga waits for its journal and for nothing else.
        if self._saga is None or self._stalled or self._saga.id != answer.reallocation_id:
            return
        self._perform(*advance(self._saga, answer, self.house.clock.now(), self._settings))
        self._tell_guards()

    # -- money -------------------------------------------------------------------------------------------

    def _follow(self, history: tuple[IncomeSeries, ...]) -> None:
        """Look at what settled moves have brought, write down what is new, and take back what lost."""
        now = self.house.clock.now()
        memory = self._memory
        memory.forget_old(now)
        try:
            for identity, proof in looks_due(memory.followed, history, self._snapshot, self._plan.proof):
                self._publish(memory.judge(identity, proof, now).record)
        except JournalError as error:
            log.warning("what moves have brought cannot be written down, it is looked at again later: %s", error)
            return
        lost = to_take_back(memory.followed, now)
        if lost is None or undoing_blockers(lost, self._guards_now(now), self._snapshot, now):
            return
        self._take_back(lost, "auto")
        self._tell_guards()

    # -- effects -----------------------------------------------------------------------------------------

    def _perform(self, saga: Saga, effects: Iterable[Effect]) -> None:
        """Do what a turn asks for, in order, up to the first line that cannot be written."""
        for effect in effects:
            match effect:
                case WriteLine(line=line):
                    try:
                        self._memory.append(line)
                    except JournalError as error:
                        self._stop_short(saga, error)
                        return
                case TellNode():
                    self._tell_node(effect)
                case SetTimer():
                    self._set_timer(saga.id, effect)
                case Publish():
                    self._publish(effect.reallocation, effect.step)
                case _:
                    assert_never(effect)
        if not saga.ended:
            self._saga, self._stalled = saga, False
            return
        self._memory.end(saga.story)
        self._forget(saga.id)
        memory, now = self._memory, self.house.clock.now()
        self._obey(*demotions_due(memory.followed.values(), self._plan.levers, memory.standing, now))

    def _stop_short(self, saga: Saga, error: JournalError) -> None:
        """The journal did not take a line: whatever it was about to announce is not done."""
        log.error("reallocation %s stops where it is: %s", saga.id, error)
        story = self._memory.open.get(saga.id)
        if story is None or not (story.touched or story.record.state in {"applying", "rolling_back", "stuck"}):
            self._forget(saga.id)
            if story is not None:
                self._memory.open[saga.id] = story
                self._try_again(saga.id)
            sentence = f"Nothing was changed, for the journal cannot be written: {error}"
            record = saga.story.record if story is None else story.record
            now = self.house.clock.now()
            refused = replace(record, state="refused", ended_at=now, verdict="inconclusive", sentence=sentence)
            self._publish(replace(refused, reasons=("JOURNAL_FAILED",)))
            return
        self._saga, self._stalled = Saga(story=story), True
        self._publish(
            replace(story.record, sentence=f"Stopped where it is, for the journal cannot be written: {error}")
        )
        self._try_again(saga.id)

    def _try_again(self, identity: str) -> None:
        retry = ContinueSaga(reallocation_id=identity, token=WRITE_AGAIN)
        self.house.timers.after_real(WRITE_AGAIN_S, self.name, retry)

    def _write_again(self, identity: str) -> None:
        """Go on with a stalled move, or close one that never began."""
        running = self._saga is not None and self._saga.id == identity and not self._stalled
        if (story := self._memory.open.get(identity)) is not None and not running:
            why = "The journal could not be written for a while."
            self._perform(*resume(story, self.house.clock.now(), self._settings, why))
            self._tell_guards()

    def _forget(self, identity: str) -> None:
        self._memory.open.pop(identity, None)
        if self._saga is not None and self._saga.id == identity:
            self._saga, self._stalled = None, False

    def _tell_node(self, effect: TellNode) -> None:
        message = effect.message
        if self.tell(adapter_name(effect.node), message):
            return
        self.tell(
            self.name,
            AllocationRefused(
                reallocation_id=message.reallocation_id,
                token=message.token,
                node=effect.node,
                sentence="nobody attends this node now.",
                retryable=True,
            ),
        )

    def _set_timer(self, identity: str, timer: SetTimer) -> None:
        set_timer = self.house.timers.after_real if timer.real else self.house.timers.after
        set_timer(timer.seconds, self.name, ContinueSaga(reallocation_id=identity, token=timer.token))

    # -- what others are told ----------------------------------------------------------------------------

    def _publish(self, record: moves.Reallocation, step: moves.StepRecord | None = None) -> None:
        changed = ReallocationChanged(reallocation=record, step=step)
        for reader in READERS:
            self.tell(reader, changed)

    def _guards_now(self, now: datetime) -> moves.Guards:
        running = self._saga.id if self._saga is not None else None
        past = guards_of(self._memory.past, now, self._plan.limits, running=running)
        guards = with_standing(past, self._memory.standing, now)
        return guards if self._memory.unreadable is None else replace(guards, stuck="journal")

    def _tell_guards(self, *, again: bool = False) -> None:
        """Tell guards that have changed, and now and then those that have not, for a reader that began anew."""
        now = self.house.clock.now()
        guards = self._guards_now(now)
        if not again and self._guards is not None:
            told, told_at = self._guards
            if guards == told and now - told_at < GUARDS_AGAIN:
                return
        self._guards = guards, now
        for reader in (OPTIMIZER, MONITOR):
            self.tell(reader, GuardsChanged(guards=guards))
        learned = with_learned(self._settings, self._memory.followed.values())
        pauses = {node: timing.downtime_s for node, timing in learned.levers.items()}
        self.tell(OPTIMIZER, PausesLearned(downtime_s=pauses))
