"""Where proposals lie and people's orders come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, assert_never

from orch.messages import Freeze, PromoteLever, RejectPlan, Unfreeze
from orch.model.moves import Order
from orch.reallocation.proposals import objections, part_of, plan_standing, remembered
from orch.reallocation.trust import promotions_ordered

if TYPE_CHECKING:
    from datetime import datetime

    from orch.messages import ApprovePlan, HowStandsPlan
    from orch.model.fleet import Snapshot
    from orch.model.moves import Guards
    from orch.model.plans import Blocker, Plan, PlanStanding
    from orch.reallocation.memory import Memory
    from orch.reallocation.settings import SagaSettings

    StandingOrder: TypeAlias = RejectPlan | Freeze | Unfreeze | PromoteLever


class Desk:
    """The proposals that still stand, and what has been said of them. Used by one thread.

    Args:
        memory: The journal's.
        settings: What counts as equal.
        patience_s: How many seconds of the clock a proposal stands.
    """

    def __init__(self, memory: Memory, settings: SagaSettings, patience_s: float) -> None:
        self._memory = memory
        self._settings = settings
        self._patience_s = patience_s
        self._proposals: dict[str, Plan] = {}

    def put(self, plan: Plan, now: datetime) -> None:
        """One more proposal; expired ones go."""
        self._proposals = remembered(self._proposals, plan, now, self._patience_s)

    def find(self, plan_id: str, recorded: Plan | None, steps: tuple[int, ...] | None = None) -> Plan | None:
        """A proposal by its id, or some steps of it; what is recorded stands in for one of an earlier life."""
        plan = self._proposals.get(plan_id, recorded)
        return plan if plan is None or steps is None else part_of(plan, steps)

    def standing(
        self, asked: HowStandsPlan | ApprovePlan, guards: Guards, snapshot: Snapshot | None, now: datetime
    ) -> PlanStanding:
        """Whether a plan may be approved now."""
        return plan_standing(
            asked.plan_id,
            self.find(asked.plan_id, asked.plan, asked.steps),
            made=self._memory.made_of(asked.plan_id),
            rejected=asked.plan_id in self._memory.standing.rejected,
            guards=guards,
            snapshot=snapshot,
            settings=self._settings,
            now=now,
            patience_s=self._patience_s,
        )

    def objections(self, plan: Plan, snapshot: Snapshot | None, now: datetime) -> tuple[Blocker, ...]:
        """Why a plan can no longer be taken at its word."""
        return objections(plan, snapshot, self._settings, now, self._patience_s)

    def orders_of(self, said: StandingOrder) -> tuple[Order, ...]:
        """What a person's word means for the journal; nothing when it changes nothing."""
        match said:
            case RejectPlan(plan_id=plan_id):
                taken = self._memory.made_of(plan_id) is not None
                return () if taken else (Order(what="reject", plan_id=plan_id),)
            case Freeze(until=until):
                return (Order(what="freeze", until=until),)
            case Unfreeze():
                return (Order(what="unfreeze"),)
            case PromoteLever(node=node, kind=kind):
                return promotions_ordered(self._memory.standing, node, kind)
            case _:
                assert_never(said)
