"""One decide tick as a pure function: problem, best split, plan, the strategy's word, the decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from orch.model.plans import Blocker, Decision
from orch.planning.advising import advised
from orch.planning.horizon import with_horizon
from orch.planning.locks import RESTING
from orch.planning.opportunities import analyze_opportunities
from orch.planning.plan import (
    calculate_optimal_allocation,
    changed_nodes,
    income_change,
    make_plan,
    present_income,
    split_of,
)
from orch.planning.problem import build_problem
from orch.planning.words import blocked_by, listed, move_sentence, stay_sentence, what_moves
from orch.reallocation.guards import can_reallocate
from orch.solvers.check import variance
from orch.strategies.base import Prospect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from decimal import Decimal

    from orch.model.fleet import Snapshot
    from orch.model.forecasts import Foresight
    from orch.model.moves import CanReallocate, Guards
    from orch.model.plans import Code, Opportunity, Plan
    from orch.model.problems import Answer, Problem
    from orch.model.resources import Resources
    from orch.planning.settings import PlanSettings
    from orch.solvers.base import Solver
    from orch.strategies.base import Advice, StrategySpec

UNWANTED: frozenset[Code] = frozenset(
    {
        "GAIN_BELOW_COST",
        "STRATEGY_KEEPS",
        "STRATEGY_FAILED",
        "ALREADY_BEST",
        "RATE_UNKNOWN",
        "FORECAST_UNKNOWN",
        "FORECAST_UNSURE",
    }
)
"""Reasons for which a plan is not carried out however long one waits."""

UNFELT_USD_PER_HOUR = 1e-9
"""An income that may fall by no more than this does not fall."""

RISK_SOLVER = "conic"
"""What solves a problem with a bound on its variance, whatever solver is configured."""


class Study(NamedTuple):
    """What one look at a snapshot found.

    `freed` is the best split were there no holds, None when there are none; it is `carried` where an earlier look
    found it.
    """

    problem: Problem
    answer: Answer
    chain: tuple[str, ...]
    blockers: tuple[Blocker, ...]
    opportunities: tuple[Opportunity, ...]
    freed: Answer | None = None
    carried: bool = False


def study(
    snapshot: Snapshot,
    guards: Guards,
    settings: PlanSettings,
    solvers: Mapping[str, Solver],
    *,
    previous_prices: Mapping[str, Decimal] | None = None,
    strategy: StrategySpec | None = None,
    options: Any = None,
    foresight: Foresight | None = None,
    freed: Answer | None = None,
) -> Study:
    """The problem of a snapshot, its best split, and the opportunities in it. For every analyze tick.

    The strategy may shape the problem by what `foresight` says before it is solved. `freed` is the best split
    without holds where an earlier look under the same holds has found it; else it is looked for if a node is held.
    """

    def posed(under: Guards) -> tuple[Problem, tuple[Blocker, ...]]:
        problem, blockers = build_problem(snapshot, under, settings)
        problem = with_horizon(problem, {state.name: state.rate for state in snapshot.nodes}, settings)
        return _shaped(problem, strategy, options, foresight), blockers

    problem, blockers = posed(guards)
    answer, chain = _solved(problem, settings, solvers)
    carried = freed is not None
    if not any(RESTING.intersection(node.locked_by) for node in problem.nodes):
        freed = None
    elif freed is None:
        free, _ = posed(replace(guards, holds=()))
        freed, _ = _solved(free, settings, solvers)
    found = analyze_opportunities(
        snapshot, problem, answer, blockers, settings, previous_prices=previous_prices, without_holds=freed
    )
    return Study(problem, answer, chain, blockers, found, freed, carried)


def as_free(before: tuple[Snapshot, Guards], now: tuple[Snapshot, Guards]) -> bool:
    """Whether what holds kept back at one look they keep back at another: the same holds, the same allocations."""
    (then, held), (snapshot, guards) = before, now
    return held.holds == guards.holds and _given(then) == _given(snapshot)


def _given(snapshot: Snapshot) -> dict[str, Resources]:
    return {node.name: node.allocation for node in snapshot.nodes}


def _shaped(problem: Problem, strategy: Any, options: Any, foresight: Foresight | None) -> Problem:
    # That of a `ShapesProblem`; asked of the protocol, that would take seventy times as long.
    shape: Any = getattr(strategy, "shape", None)
    if shape is None:
        return problem
    try:
        shaped: Problem = shape(options, problem, foresight)
    except Exception:  # noqa: BLE001 - a plug-in may raise anything; it is asked for its advice next, and that says so
        return problem
    return shaped


def _solved(
    problem: Problem, settings: PlanSettings, solvers: Mapping[str, Solver]
) -> tuple[Answer, tuple[str, ...]]:
    wanted = settings.solver if problem.max_variance is None else RISK_SOLVER
    return calculate_optimal_allocation(
        problem, wanted, settings.budget, settings.seed, solvers, dust_pct=settings.dust_pct
    )


def should_reallocate(plan: Plan, can: CanReallocate, advice: Advice) -> bool:
    """Whether a plan is carried out now, without asking anyone: it is wanted, and nothing stands in its way."""
    return advice.move and can.allowed and plan.from_value != plan.to_value


def decide(
    snapshot: Snapshot,
    guards: Guards,
    settings: PlanSettings,
    *,
    strategy: StrategySpec,
    options: Any,
    solvers: Mapping[str, Solver],
    decision_id: str,
    plan_id: str,
    now: datetime,
    last_move_at: datetime | None = None,
    previous_prices: Mapping[str, Decimal] | None = None,
    seen: Study | None = None,
    foresight: Foresight | None = None,
) -> tuple[Decision, Plan | None]:
    """Decide once, also to do nothing.

    The verdict is `move` only when the strategy says so and nothing stands in the way of doing it at once; what a
    person has to approve is a `stay` whose plan can be approved. The plan is None only when there is no node.

    Args:
        snapshot: The fleet now.
        guards: Holds, move budget, what is running.
        settings: How to plan.
        strategy: When to move.
        options: The strategy's own options.
        solvers: Loaded solvers by name: the wanted one and its fallbacks.
        decision_id: The id of the decision made, opaque.
        plan_id: The id of the plan made, opaque.
        now: The clock's now.
        last_move_at: When the last move ended; what the guards say of it by default.
        previous_prices: USD per token at the last decision.
        seen: A study of this very snapshot under these guards, when there is one already.
        foresight: What the hourly history says, for strategies that look at it.

    Returns:
        The decision, and the best plan found.
    """
    rates = {state.name: state.rate for state in snapshot.nodes}
    seen = seen or study(
        snapshot,
        guards,
        settings,
        solvers,
        previous_prices=previous_prices,
        strategy=strategy,
        options=options,
        foresight=foresight,
    )
    draft = make_plan(
        seen.problem,
        seen.answer,
        seen.chain,
        rates,
        plan_id=plan_id,
        decision_id=decision_id,
        decided_at=now,
        strategy=strategy.name,
        opportunities=seen.opportunities,
    )
    if not snapshot.nodes:
        none = Blocker(code="NOT_READY", sentence="There is no node to plan for yet.")
        return _decision(
            replace(draft, blockers=(none,)), None, ("NOT_READY",), stay_sentence(none.sentence)
        ), None
    prospect = _prospect(draft, seen, present_income(rates), now, last_move_at or guards.last_move_at, foresight)
    advice = advised(strategy, options, prospect)
    can = can_reallocate(replace(draft, reasons=advice.reasons), guards, snapshot, now)
    moving = should_reallocate(draft, can, advice)
    waiting = () if advice.move or advice.until is None else (_wait(advice),)
    blockers = (*can.blockers, *waiting, *(each for each in seen.blockers if each not in can.blockers))
    reasons, sentence = _words(draft, seen, can, advice, moving=moving)
    moves = what_moves(draft.from_value, draft.to_value) if changed_nodes(seen.problem, seen.answer) else ""
    plan = replace(
        draft,
        reasons=reasons,
        sentence=sentence,
        can_reallocate=can.allowed,
        blockers=blockers,
        move=move_sentence(moves, draft.gain_usd_per_hour, draft.cost_usd) if moves else "",
    )
    return _decision(plan, plan.id, reasons, sentence, moving=moving), plan


def _prospect(
    plan: Plan,
    seen: Study,
    present: float | None,
    now: datetime,
    last_move_at: datetime | None,
    foresight: Foresight | None,
) -> Prospect:
    changed = changed_nodes(seen.problem, seen.answer)
    split = split_of(seen.problem, seen.answer)
    changes = {
        node.name: income_change(node, split[node.name]) for node in seen.problem.nodes if node.name in changed
    }
    return Prospect(
        decided_at=now,
        horizon_h=plan.horizon_h,
        present_usd_per_hour=present,
        gain_usd_per_hour=plan.gain_usd_per_hour,
        gain_usd=plan.gain_usd,
        cost_usd=plan.cost_usd,
        changes=len(changed),
        last_move_at=last_move_at,
        affected=tuple(name for name, change in changes.items() if any(change)),
        losing=tuple(name for name, (low, _, _) in changes.items() if low < -UNFELT_USD_PER_HOUR),
        foresight=foresight,
        present_variance=variance(seen.problem, plan.from_value) if seen.problem.covariance else None,
        plan_variance=variance(seen.problem, split) if seen.problem.covariance else None,
    )


def _wait(advice: Advice) -> Blocker:
    return Blocker(code=advice.reasons[0], sentence=advice.sentence, until=advice.until)


def _words(
    plan: Plan, seen: Study, can: CanReallocate, advice: Advice, *, moving: bool
) -> tuple[tuple[Code, ...], str]:
    """The reasons, the first of them deciding, and the one sentence."""
    refused: tuple[Code, ...] = ("SOLVER_REFUSED",) if len(seen.chain) > 1 else ()
    moves = what_moves(plan.from_value, plan.to_value) if changed_nodes(seen.problem, seen.answer) else ""
    if moving:
        return (*advice.reasons, *refused), move_sentence(moves, plan.gain_usd_per_hour, plan.cost_usd)
    frozen = [each for each in seen.blockers if each.code in ("PRICE_STALE", "PRICE_UNKNOWN")]
    if frozen:
        return _codes((), seen.blockers, refused), stay_sentence(blocked_by(frozen))
    if plan.status not in ("optimal", "feasible"):
        why = f"no split satisfies all constraints: {seen.answer.reason}."
        return _codes(("INFEASIBLE",), seen.blockers, refused), stay_sentence(why)
    if not moves:
        return _unmoved(seen, refused)
    if not advice.move:
        return _codes(advice.reasons, seen.blockers, refused), stay_sentence(advice.sentence, moves)
    sentence = move_sentence(moves, plan.gain_usd_per_hour, plan.cost_usd).removeprefix("Move ")
    return (
        _codes((), can.blockers, refused),
        f"{stay_sentence(blocked_by(can.blockers))} Best found: move {sentence}",
    )


def _unmoved(seen: Study, refused: tuple[Code, ...]) -> tuple[tuple[Code, ...], str]:
    """Nothing is to be moved: because nothing may be, or because all is well."""
    locked = [node.name for node in seen.problem.nodes if node.locked]
    if len(locked) == len(seen.problem.nodes):
        why = blocked_by([each for each in seen.blockers if each.node is not None] or list(seen.blockers))
        return _codes((), seen.blockers, refused), stay_sentence(f"no node may be moved. {why}")
    keeps = f" ({listed(locked)} {'keeps' if len(locked) == 1 else 'keep'} what there is)" if locked else ""
    sentence = stay_sentence(f"the present split is the best one found{keeps}.")
    return _codes(("ALREADY_BEST",), seen.blockers, refused), sentence


def _codes(first: tuple[Code, ...], blockers: tuple[Blocker, ...], last: tuple[Code, ...]) -> tuple[Code, ...]:
    return tuple(dict.fromkeys((*first, *(each.code for each in blockers), *last)))


def _decision(
    plan: Plan, plan_id: str | None, reasons: tuple[Code, ...], sentence: str, *, moving: bool = False
) -> Decision:
    return Decision(
        id=plan.decision_id,
        decided_at=plan.decided_at,
        verdict="move" if moving else "stay",
        reasons=reasons,
        sentence=sentence,
        strategy=plan.strategy,
        solver=plan.solver,
        solver_chain=plan.solver_chain,
        plan_id=plan_id,
        from_value=plan.from_value,
        to_value=plan.to_value,
        gain_usd_per_hour=plan.gain_usd_per_hour,
        gain_usd=plan.gain_usd,
        cost_usd=plan.cost_usd,
        net_benefit_usd=plan.net_benefit_usd,
        net_benefit_pct=plan.net_benefit_pct,
        horizon_h=plan.horizon_h,
        can_reallocate=plan.can_reallocate,
        blockers=plan.blockers,
    )


def next_reallocation_at(plan: Plan | None, guards: Guards, now: datetime) -> datetime | None:
    """The earliest time at which the best plan passes holds, limits and break-even.

    None when that time is not known: nothing better is found, the gain does not pay for the move, prices freeze
    the split, or a person is needed first. A better split that only holds forbid waits for the first of them.
    """
    if plan is None or guards.stuck is not None or "INFEASIBLE" in plan.reasons:
        return None
    touched = [name for name, goal in plan.to_value.items() if goal != plan.from_value[name]]
    waits = [now]
    if touched:
        pays = plan.net_benefit_usd is not None and plan.net_benefit_usd > 0
        if not pays or UNWANTED.intersection(plan.reasons[:1]):
            return None
        waits += [hold.until for hold in guards.holds if hold.node in touched]
        waits += [
            each.until for each in plan.blockers if each.code == "INTERVAL_RUNNING" and each.until is not None
        ]
    else:
        held = [
            blocker.until
            for each in plan.opportunities
            if each.kind == "floor_blocked" and each.usd_per_hour is not None and each.usd_per_hour.mean > 0.0
            for blocker in each.blockers
            if blocker.code in RESTING and blocker.until is not None
        ]
        if not held:
            return None
        waits.append(min(held))
    waits += [each for each in (guards.frozen_until, guards.window_opens_at) if each is not None]
    if guards.moves_in_last_hour >= guards.max_moves_per_hour:
        if guards.next_slot_at is None:
            return None
        waits.append(guards.next_slot_at)
    if guards.next_day_slot_at is not None:
        waits.append(guards.next_day_slot_at)
    return max(waits)
