"""Every message of the house, and the inbox of every actor.

Commands are imperative (`PollNode`), events past tense (`ReadingTaken`), questions answer a typed value
(`AreYouReady`). Expected failure is an event with a countable reason, never an exception.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

from orch.messages.base import Message
from orch.model.alerts import Alert
from orch.model.board import Kpis
from orch.model.books import Books, Turned
from orch.model.costs import PowerPrice, Watts
from orch.model.fleet import Snapshot
from orch.model.forecasts import ForecastScore, IncomeSeries
from orch.model.inputs import DecisionInputs
from orch.model.money import Entry, Price
from orch.model.moves import Guards, LeverName, Reallocation, StepRecord, Trigger
from orch.model.plans import Blocker, Decision, Opportunity, Plan, PlanStanding
from orch.model.problems import Answer
from orch.model.readings import Failure, Heard, Reading
from orch.model.resources import Resources
from orch.model.wire import NoReply, Reply

A = TypeVar("A")


class Ask(Message, Generic[A]):
    """A question whose answer is an `A`."""


# -- questions -------------------------------------------------------------------------------------------


class AreYouReady(Ask[bool]):
    """Answered True once everything sent before it has been handled."""


class HowMuchWork(Ask[dict[str, int]]):
    """An actor's counters."""


class HowStandsPlan(Ask[PlanStanding]):
    """To reallocation: may this plan, or these steps of it, be approved now? `plan` is what is recorded of it."""

    plan_id: str
    steps: tuple[int, ...] | None = None
    plan: Plan | None = None


# -- commands --------------------------------------------------------------------------------------------


class PollAll(Message):
    """Timer to coordinator: a poll tick is due."""

    tick: int
    due_at: datetime


class PollNode(Message):
    """Coordinator to adapter: ask your node whatever is due; `whole`: and say all that is known of it."""

    tick: int
    due_at: datetime
    whole: bool = False


class WakeUp(Message):
    """An adapter's timer to itself: go on with the task of this id."""

    task: str


class Answered(Message):
    """Transport to whoever asked: the reply, or why there is none. `key` is the asker's own."""

    key: str
    reply: Reply | NoReply


class ReadBack(Message):
    """Reallocation to adapter: read the real limits of your node now."""

    reallocation_id: str
    token: str


class ApplyAllocation(Message):
    """Reallocation to adapter: set these limits (unnamed resources stay as they are)."""

    reallocation_id: str
    token: str
    goal: Resources


class Analyze(Message):
    """Timer to optimizer: look for opportunities."""

    due_at: datetime


class Decide(Message):
    """Timer to optimizer: decide whether to move."""

    due_at: datetime


class SolverAnswered(Message):
    """Solver process to optimizer."""

    job: str
    answer: Answer


class ExecuteReallocation(Message):
    """Optimizer, or a person, to reallocation: carry out this plan."""

    plan: Plan
    trigger: Trigger


class RollBackReallocation(Message):
    """A person to reallocation: put back what this settled move changed (a new reallocation)."""

    reallocation_id: str


class ApprovePlan(Message):
    """A person to reallocation: carry out this plan, or only these steps of it.

    `plan` is what is recorded of it, for one that was proposed before a restart. With `objections` it was refused
    already, and is only recorded.
    """

    plan_id: str
    steps: tuple[int, ...] | None = None
    plan: Plan | None = None
    objections: tuple[Blocker, ...] = ()


class RejectPlan(Message):
    """A person to reallocation: never carry out this plan."""

    plan_id: str


class Freeze(Message):
    """A person to reallocation: begin no move until then (the clock's time)."""

    until: datetime


class Unfreeze(Message):
    """A person to reallocation: moves may begin again."""


class PromoteLever(Message):
    """A person to reallocation: trust the levers of this node (those of a kind) as configured again."""

    node: str
    kind: str | None = None


class ContinueSaga(Message):
    """Reallocation's timer to itself. `token` names the wait it belongs to; stale ones are ignored."""

    reallocation_id: str
    token: str


class FetchPrices(Message):
    """Timer to pricing."""

    due_at: datetime


class ReadMeters(Message):
    """Timer to metering."""

    due_at: datetime


class RestoreBooks(Message):
    """Coordinator to recorder: commit what you hold, then tell me the books as stored."""

    reply_to: str


class RecordForecasts(Message):
    """Optimizer to recorder, once an hour: what was foreseen and how it proved, as text of its own."""

    body: str


class RestoreForecasts(Message):
    """Optimizer to recorder: tell me what I last had you record of forecasts."""

    reply_to: str


class ForecastsRestored(Message):
    """Recorder to optimizer: its own text, as recorded; None when there is none."""

    body: str | None


class TellHistory(Message):
    """Optimizer to coordinator: tell me the income by hour now, and then at every turn of the hour."""

    reply_to: str


class RecordTick(Message):
    """Coordinator to recorder: one tick's snapshot and ledger entries; acknowledged after commit."""

    sequence: int
    snapshot: Snapshot
    entries: tuple[Entry, ...]


class RecordBoard(Message):
    """Monitor to recorder: the latest board (one row), and KPIs once an hour."""

    taken_at: datetime
    body: bytes
    kpis: Kpis | None = None


class SilenceAlert(Message):
    """A person to monitor: tell nobody of this rule and node for so many real seconds; 0 lifts it."""

    alert_id: str
    rule: str
    node: str | None
    for_s: float
    comment: str = ""


class TellPeople(Message):
    """Monitor's timer to itself: look again at who has to be told, should no snapshot come before."""

    due_at: datetime


class CommitBatch(Message):
    """Timer or coordinator to recorder: commit what is open."""


class TidyStore(Message):
    """Timer to recorder: roll up closed hours, forget raw rows past retention, checkpoint."""

    due_at: datetime


# -- events ----------------------------------------------------------------------------------------------


class ReadingTaken(Message):
    """Adapter to coordinator."""

    reading: Reading


class NodeHeard(Message):
    """Adapter to coordinator: the node answered and said nothing new, so that its last reading stands."""

    node: str
    heard: Heard


class PollFailed(Message):
    """Adapter to coordinator: an endpoint gave no usable answer; the last figures stand and grow older."""

    node: str
    failure: Failure


class AllocationApplied(Message):
    """Adapter to reallocation: the lever was pulled; not yet read back."""

    reallocation_id: str
    token: str
    node: str


class PriceDrifted(Message):
    """Adapter to reallocation: a node's own price is off its peg; may its lever set it (once in `hold_s`)?"""

    lever: LeverName
    hold_s: float
    sentence: str


class SetPrice(Message):
    """Reallocation to adapter: set the price as you said; it is written down."""


class AllocationRefused(Message):
    """Adapter to reallocation: the lever was not pulled, or failed, and why.

    `touched`: something may have been changed all the same.
    """

    reallocation_id: str
    token: str
    node: str
    sentence: str
    retryable: bool
    touched: bool = False


class AllocationRead(Message):
    """Adapter to reallocation: the limits as the system states them. `connected` is the node's health."""

    reallocation_id: str
    token: str
    node: str
    allocation: Resources
    committed: Resources
    connected: bool


class SnapshotPublished(Message):
    """Coordinator to optimizer, reallocation, monitor: at every poll tick."""

    snapshot: Snapshot


class HistoryTold(Message):
    """Coordinator to optimizer: income of every node by whole hour, and the moves recorded before this start."""

    told_at: datetime
    history: tuple[IncomeSeries, ...]
    turned: tuple[Turned, ...] = ()
    steady: tuple[IncomeSeries, ...] = ()


class ForecastsScored(Message):
    """Optimizer to monitor, once an hour: how good the forecasts of the last week proved."""

    scored_at: datetime
    score: ForecastScore


class OpportunitiesFound(Message):
    """Optimizer to monitor."""

    found_at: datetime
    opportunities: tuple[Opportunity, ...]


class DecisionMade(Message):
    """Optimizer to monitor and recorder: at every decide tick; the recorder also hears what it was made of."""

    decision: Decision
    plan: Plan | None
    next_decision_at: datetime
    next_reallocation_at: datetime | None
    inputs: DecisionInputs | None = None


class ReallocationProposed(Message):
    """Optimizer to reallocation, at every decide tick: a plan that would change something and is not made so."""

    plan: Plan


class PausesLearned(Message):
    """Reallocation to optimizer: how many seconds of its income a change costs each node, by what moves showed."""

    downtime_s: dict[str, float]


class GuardsChanged(Message):
    """Reallocation to optimizer and monitor: holds, move budget, what is running."""

    guards: Guards


class ReallocationChanged(Message):
    """Reallocation to monitor and recorder: a saga's public record has changed."""

    reallocation: Reallocation
    step: StepRecord | None = None


class PricesAccepted(Message):
    """Pricing to coordinator, recorder and adapters of pegged nodes: the last accepted prices, all of them.

    `restored`: they were accepted, and recorded, before a restart.
    """

    prices: tuple[Price, ...]
    failures: tuple[Failure, ...] = ()
    restored: bool = False


class RunningCostsRead(Message):
    """Metering to coordinator: prices of electricity by the hour, and the power of the host."""

    table: tuple[PowerPrice, ...]
    watts: Watts | None


class TickRecorded(Message):
    """Recorder to coordinator: everything up to this sequence is committed."""

    sequence: int


class RecorderStarted(Message):
    """Recorder to coordinator and monitor, at every start: say again what I may not have recorded."""


class BooksRestored(Message):
    """Recorder to coordinator: the ledger's balances as stored."""

    books: Books


class RecordingFailed(Message):
    """Recorder to monitor: a commit failed and will be tried again."""

    failed_at: datetime
    sentence: str


class AlertRaised(Message):
    """Monitor to recorder (and notifiers)."""

    alert: Alert


class AlertResolved(Message):
    """Monitor to recorder (and notifiers)."""

    alert: Alert


class NoticeDelivered(Message):
    """Notifier to monitor: a notice has arrived."""

    notice_id: str
    channel: str


class NoticeFailed(Message):
    """Notifier to monitor: a notice did not arrive, however often it was tried; it lies with the dead letters."""

    notice_id: str
    channel: str
    sentence: str


class ActorFailed(Message):
    """A dying actor to the supervisor."""

    name: str
    error: str


class ActorRestarted(Message):
    """Supervisor to monitor. `given_up` when the restart budget is spent."""

    name: str
    error: str
    restarts: int
    given_up: bool
    happened_at: datetime


class RestartActor(Message):
    """Supervisor's timer to itself."""

    name: str


# -- inboxes ---------------------------------------------------------------------------------------------

Questions: TypeAlias = AreYouReady | HowMuchWork
AdapterInbox: TypeAlias = (
    PollNode | Answered | WakeUp | ReadBack | ApplyAllocation | PricesAccepted | SetPrice | Questions
)
CoordinatorInbox: TypeAlias = (
    PollAll
    | ReadingTaken
    | NodeHeard
    | PollFailed
    | PricesAccepted
    | RunningCostsRead
    | BooksRestored
    | TickRecorded
    | RecorderStarted
    | TellHistory
    | Questions
)
OptimizerInbox: TypeAlias = (
    SnapshotPublished
    | GuardsChanged
    | Analyze
    | Decide
    | SolverAnswered
    | ReallocationChanged
    | HistoryTold
    | PausesLearned
    | ForecastsRestored
    | Questions
)
ReallocationInbox: TypeAlias = (
    SnapshotPublished
    | ExecuteReallocation
    | RollBackReallocation
    | ReallocationProposed
    | ApprovePlan
    | RejectPlan
    | Freeze
    | Unfreeze
    | PromoteLever
    | HowStandsPlan
    | ContinueSaga
    | AllocationApplied
    | AllocationRefused
    | AllocationRead
    | PriceDrifted
    | HistoryTold
    | Questions
)
MonitorInbox: TypeAlias = (
    SnapshotPublished
    | OpportunitiesFound
    | ForecastsScored
    | DecisionMade
    | GuardsChanged
    | ReallocationChanged
    | RecordingFailed
    | RecorderStarted
    | ActorRestarted
    | SilenceAlert
    | TellPeople
    | NoticeDelivered
    | NoticeFailed
    | Questions
)
RecorderInbox: TypeAlias = (
    RestoreBooks
    | RestoreForecasts
    | RecordForecasts
    | RecordTick
    | RecordBoard
    | DecisionMade
    | ReallocationChanged
    | PricesAccepted
    | AlertRaised
    | AlertResolved
    | CommitBatch
    | TidyStore
    | Questions
)
PricingInbox: TypeAlias = FetchPrices | Answered | Questions
MeteringInbox: TypeAlias = ReadMeters | Answered | Questions
SupervisorInbox: TypeAlias = ActorFailed | RestartActor | Questions
GatewayInbox: TypeAlias = Questions
