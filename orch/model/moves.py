"""Reallocations: a saga's public record, its steps, and the lines of its journal."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

import msgspec

from orch.model.base import Value
from orch.model.fleet import Mode
from orch.model.money import Rate
from orch.model.plans import Blocker, Code
from orch.model.proofs import MoneyVerdict, Proof
from orch.model.resources import ResourceName, Resources

SagaState: TypeAlias = Literal[
    "proposed",
    "approved",
    "preflight",
    "applying",
    "verifying",
    "settled",
    "refused",
    "rolling_back",
    "rolled_back",
    "stuck",
]
TERMINAL: frozenset[SagaState] = frozenset({"settled", "refused", "rolled_back", "stuck"})
Trigger: TypeAlias = Literal["auto", "approved", "manual"]


class Change(Value):
    """One resource of one node, before, after, and as read back from the system."""

    node: str
    resource: ResourceName
    from_value: float | None = msgspec.field(name="from")
    to_value: float | None = msgspec.field(name="to")
    read_back: float | None


class Reallocation(Value):
    """A move as shown to the world (surfaces: REALLOCATION).

    `counterfactual_usd_per_hour` is what the old split would have earned, as far as a settled move was followed.
    """

    id: str
    plan_id: str | None
    decision_id: str | None
    state: SagaState
    trigger: Trigger
    started_at: datetime
    ended_at: datetime | None
    changes: tuple[Change, ...]
    reasons: tuple[Code, ...]
    sentence: str
    predicted_gain_usd_per_hour: Rate | None
    cost_usd: Decimal | None
    realised_gain_usd_per_hour: Rate | None
    verdict: MoneyVerdict
    rolled_back_reason: str | None
    counterfactual_usd_per_hour: float | None = None


class Step(Value):
    """One node set to one allocation. `goal` and `undo` name the same resources; others stay untouched.

    `kind` release: no resource grows; grant: no resource shrinks.
    """

    index: int
    node: str
    kind: Literal["release", "grant"]
    goal: Resources
    undo: Resources


class StepRecord(Value):
    """A step's outcome for the table `reallocation_steps`."""

    reallocation_id: str
    step_index: int
    node: str
    kind: Literal["release", "grant"]
    phase: Literal["forward", "backward"]
    goal: Resources
    undo: Resources
    started_at: datetime
    ended_at: datetime | None
    outcome: Literal["trying", "applied", "verified", "refused", "mismatch", "timeout"]
    read_back: Resources | None
    sentence: str


class LeverName(Value):
    """A lever of this host: the node, and the kind of lever."""

    node: str
    kind: str


class Order(Value):
    """What stands beside all moves and outlives a restart: an operator's word, or a lever's loss of trust.

    `until` is set on `freeze`, `plan_id` on `reject`. `demote` and `promote` name a `lever`; `mode` is the highest
    rung left to a demoted one, `stated` what the configuration said of it at the time. `reprice` says which
    `lever` sets a new price, and the `sentence` why: it is written before that is done.
    """

    what: Literal["freeze", "unfreeze", "reject", "demote", "promote", "reprice"]
    until: datetime | None = None
    plan_id: str | None = None
    lever: LeverName | None = None
    mode: Mode | None = None
    stated: Mode | None = None
    sentence: str = ""


class JournalRecord(Value):
    """One line of `journal.jsonl`: what is about to happen, or, once a move is settled, what it proved to bring.

    `record` and `steps` are set on `opened` only, `proof` on `judged` only. `ordered` lines hold an `order`, and
    neither a move's id nor a state. `reasons` are the codes of what ended a move, where it did not settle.
    """

    sequence: int
    written_at: datetime
    reallocation_id: str
    event: Literal[
        "opened",
        "state",
        "step_trying",
        "step_verified",
        "step_failed",
        "undo_trying",
        "undo_verified",
        "undo_failed",
        "closed",
        "judged",
        "ordered",
    ]
    state: SagaState | None
    step_index: int | None = None
    read_back: Resources | None = None
    sentence: str = ""
    record: Reallocation | None = None
    steps: tuple[Step, ...] = ()
    proof: Proof | None = None
    order: Order | None = None
    reasons: tuple[Code, ...] = ()


class Hold(Value):
    """A node that may not be moved before `until`."""

    node: str
    until: datetime
    sentence: str
    code: Code = "HOLD_ACTIVE"


class Demotion(Value):
    """A lever that lost trust: `mode` is the highest rung left to it until an operator promotes it."""

    lever: LeverName
    mode: Mode
    since: datetime
    sentence: str


class Guards(Value):
    """What the journal allows at a time: the reallocation actor's word to the optimizer.

    `last_move_at`: when the last settled move ended. `window_opens_at`: when moves without a person's word are
    allowed again, None while they are. `next_day_slot_at`: when the budget of moves per day has room again, None
    while it has.
    """

    holds: tuple[Hold, ...] = ()
    moves_in_last_hour: int = 0
    max_moves_per_hour: int = 2
    next_slot_at: datetime | None = None
    running: str | None = None
    stuck: str | None = None
    frozen_until: datetime | None = None
    last_move_at: datetime | None = None
    window_opens_at: datetime | None = None
    moves_in_last_day: int = 0
    max_moves_per_day: int | None = None
    next_day_slot_at: datetime | None = None
    demotions: tuple[Demotion, ...] = ()


class CanReallocate(Value):
    """Whether a move may be made now, and what stands in its way."""

    allowed: bool
    blockers: tuple[Blocker, ...] = ()
