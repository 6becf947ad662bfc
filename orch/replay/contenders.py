"""A strategy with a solver at work in a market: the very functions of a live house decide, step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec.structs import replace

from orch.earnings.rates import to_rate
from orch.model.base import Value
from orch.model.fleet import LeverState, Limits, NodeState, Snapshot, Worth
from orch.model.money import EarnedUsd, Rate
from orch.model.moves import Change, Reallocation, Step
from orch.model.problems import Activity
from orch.model.resources import Resources
from orch.planning.decide import decide
from orch.planning.settings import NodeTerms, PlanSettings
from orch.reallocation.guards import guards_of
from orch.reallocation.holds import Past, remember
from orch.reallocation.settings import MoveLimits
from orch.reallocation.story import Story

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from orch.model.plans import Decision
    from orch.replay.premises import Premises
    from orch.solvers.base import Solver
    from orch.strategies.base import StrategySpec

WHOLE = 100.0
"""What is given out between the options: per cent of one unit, as units of one resource."""

LEVER = (LeverState(kind="backtest", sets=("cpu_cores",), mode="auto"),)
HOST = "backtest"


class Terms(Value):
    """On what terms moves are made.

    `downtime_s`: an option that was given another share earns nothing for so long. `move_usd`: what moving the
    whole unit costs besides. `start`: the shares at the beginning; even ones by default.
    """

    downtime_s: float = 60.0
    move_usd: float = 0.0
    start: tuple[float, ...] | None = None
    limits: MoveLimits = MoveLimits()
    settings: PlanSettings = PlanSettings()

    def beginning(self, options: int) -> tuple[float, ...]:
        """The shares at the beginning; they add up to 1."""
        return self.start or (1.0 / options,) * options

    def planned(self, options: Sequence[str]) -> PlanSettings:
        """How to plan under these terms. A move has a giver and a taker, each of whom is charged half of it."""
        nodes = tuple(NodeTerms(node=name, downtime_s=self.downtime_s) for name in options)
        return replace(self.settings, terms=nodes, whole_move_usd=self.move_usd / 2.0)


class Entrant(NamedTuple):
    """Who takes part: a strategy with its options, and the solvers it may use, by name."""

    strategy: StrategySpec
    options: Any
    solver: str
    solvers: Mapping[str, Solver]
    label: str


class Contender:
    """An entrant in a market, with its present shares and the moves behind it."""

    def __init__(self, entrant: Entrant, options: Sequence[str], terms: Terms) -> None:
        self.entrant = entrant
        self.shares = terms.beginning(len(options))
        self.moves = 0
        self.last: Decision | None = None
        self._names = tuple(options)
        self._limits = terms.limits
        self._settings = replace(terms.planned(options), solver=entrant.solver)
        self._past = Past()

    def decide(self, step: int, premises: Premises) -> tuple[float, ...]:
        """The shares from now on."""
        if all(rate is None for rate in premises.rates):
            return self.shares
        guards = guards_of(self._past, premises.now, self._limits)
        decision, _ = decide(
            self._snapshot(step, premises),
            guards,
            self._settings,
            strategy=self.entrant.strategy,
            options=self.entrant.options,
            solvers=self.entrant.solvers,
            decision_id=f"d{step}",
            plan_id=f"p{step}",
            now=premises.now,
            foresight=premises.foresight,
        )
        self.last = decision
        if decision.verdict == "move":
            self._move(decision, premises.now)
        return self.shares

    def _snapshot(self, step: int, premises: Premises) -> Snapshot:
        # A solver may leave idle what earns less than nothing, and here nothing idles: so the least counts as 0.
        lowest = min(0.0, *(rate.mean for rate in premises.rates if rate is not None))
        return Snapshot(
            tick=step,
            host=HOST,
            taken_at=premises.now,
            due_at=premises.now,
            capacity=Resources(cpu_cores=WHOLE),
            reserve=Resources(),
            host_used=Resources(),
            nodes=tuple(
                _node(self._names[place], self.shares[place], premises, place, lowest)
                for place in range(len(self._names))
            ),
            prices=(),
            earned=EarnedUsd(),
        )

    def _move(self, decision: Decision, now: datetime) -> None:
        self._past = remember(self._past, settled_story(decision, now), self._limits)
        self.shares = tuple(decision.to_value[name].or_zero("cpu_cores") / WHOLE for name in self._names)
        self.moves += 1


def settled_story(decision: Decision, now: datetime) -> Story:
    """A decision to move, carried out at once and in full, as the journal would tell it."""
    changes: list[Change] = []
    steps: list[Step] = []
    for name, goal in decision.to_value.items():
        undo = decision.from_value[name]
        own = [
            Change(node=name, resource=each, from_value=before, to_value=goal.get(each), read_back=goal.get(each))
            for each, before in undo.known()
            if before != goal.or_zero(each)
        ]
        changes += own
        if own:
            grows = any((each.to_value or 0.0) > (each.from_value or 0.0) for each in own)
            kind: Literal["release", "grant"] = "grant" if grows else "release"
            steps.append(Step(index=len(steps), node=name, kind=kind, goal=goal, undo=undo))
    record = Reallocation(
        id=f"r{decision.id}",
        plan_id=decision.plan_id,
        decision_id=decision.id,
        state="settled",
        trigger="auto",
        started_at=now,
        ended_at=now,
        changes=tuple(changes),
        reasons=decision.reasons,
        sentence=decision.sentence,
        predicted_gain_usd_per_hour=decision.gain_usd_per_hour,
        cost_usd=decision.cost_usd,
        realised_gain_usd_per_hour=None,
        verdict="pending",
        rolled_back_reason=None,
    )
    return Story(record=record, steps=tuple(steps), tried=tuple(range(len(steps))))


def _node(name: str, share: float, premises: Premises, place: int, lowest: float) -> NodeState:
    whole = premises.rates[place]
    rate: Rate | None = None
    worth: Worth | None = None
    if whole is not None:
        rate = to_rate(whole.scaled(share), 1.0, "accrued", premises.now)
        activity = Activity(
            takes=Resources(cpu_cores=1.0),
            width=WHOLE,
            usd_per_hour=(whole.mean - lowest) / WHOLE,
            low=(whole.low - lowest) / WHOLE,
            high=(whole.high - lowest) / WHOLE,
        )
        worth = Worth(activities=(activity,))
    given = Resources(cpu_cores=share * WHOLE)
    return NodeState(
        name=name,
        host=HOST,
        protocol="backtest",
        emulated=False,
        health="online",
        health_reason="",
        last_seen_at=premises.now,
        resources_as_of=premises.now,
        rate=rate,
        worth=worth,
        earned=EarnedUsd(),
        points=None,
        allocation=given,
        used=given,
        committed=Resources(),
        floor=Resources(),
        limits=Limits(),
        levers=LEVER,
        outlooks=(),
        findings=(),
        failures=(),
        facts=(),
    )


def moving_cost(before: Sequence[float], after: Sequence[float], rates: Sequence[float], terms: Terms) -> float:
    """What going from some shares to others costs in USD, when the whole unit earns so much per hour by option."""
    if tuple(before) == tuple(after):
        return 0.0
    pairs = list(zip(before, after, rates, strict=True))
    paused = math.fsum(b * max(rate, 0.0) for a, b, rate in pairs if a != b)
    moved = math.fsum(max(b - a, 0.0) for a, b, _ in pairs)
    return paused * terms.downtime_s / 3600.0 + moved * terms.move_usd
