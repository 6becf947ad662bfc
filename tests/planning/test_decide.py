from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest
from msgspec.structs import replace

from orch.model.fleet import LeverState, Limits, Worth
from orch.model.moves import CanReallocate, Guards, Hold
from orch.model.plans import Blocker
from orch.model.problems import Activity
from orch.model.resources import RESOURCES, Resources
from orch.planning.decide import decide, next_reallocation_at, should_reallocate, study
from orch.planning.words import amount_of, duration, listed, number, stay_sentence, usd, what_moves
from orch.strategies import keep as keep_strategy
from orch.strategies.base import Advice
from orch.strategies.threshold import ThresholdOptions


def decided(kit, snapshot=None, guards=None, **more):
    fields = {
        "strategy": kit.strategy,
        "options": kit.options,
        "solvers": kit.solvers,
        "decision_id": "d1",
        "plan_id": "p1",
        "now": kit.now,
    }
    settings = more.pop("settings", kit.settings)
    return decide(snapshot or kit.snapshot(), guards or kit.guards, settings, **{**fields, **more})


def trusted(kit, mode):
    lever = LeverState(kind="emulated", sets=RESOURCES, mode=mode)
    return kit.snapshot(tuple(replace(each, levers=(lever,)) for each in kit.fleet()))


def test_the_poor_split_is_improved(kit):
    decision, plan = decided(kit)
    assert (decision.verdict, decision.reasons) == ("move", ("GAIN_ABOVE_COST",))
    assert decision.sentence == (
        "Move 8 cores and 10 GB of memory from disk and relay to compute: "
        "+$0.0160/h (90 %: 0.0096 to 0.0224), cost $0.0018, pays back in 7 min."
    )
    assert decision.can_reallocate
    assert (decision.plan_id, plan.decision_id, plan.sentence) == ("p1", "d1", decision.sentence)
    assert plan.to_value["compute"].cpu_cores == 12.0
    assert plan.to_value["address"] == plan.from_value["address"]
    assert decision.gain_usd == Decimal(repr(plan.gain_usd_per_hour.low)) * 24
    assert plan.improvement_pct == pytest.approx(40.0)
    assert (plan.status, plan.solver, plan.solver_chain) == ("optimal", "linear", ("linear",))
    assert plan.dual_prices.cpu_cores > 0.0


def test_a_gain_below_cost_and_margin_stays_and_says_what_it_would_have_been(kit):
    decision, plan = decided(kit, options=ThresholdOptions(margin_pct=100.0, idle_margin_pct=100.0))
    assert (decision.verdict, decision.reasons[0]) == ("stay", "GAIN_BELOW_COST")
    assert decision.sentence == (
        "Stay: the sure gain of $0.2304 in 24 h does not exceed $0.9618: the cost of $0.0018 and 100 % of present "
        "income. Best found: move 8 cores and 10 GB of memory from disk and relay to compute."
    )
    assert decision.to_value == plan.to_value != plan.from_value


def test_a_full_store_gets_the_room_that_nobody_earns_with(kit):
    """Its gain in a day is far below a tenth of all income, and stays so however long one waits."""
    _, plan = decided(kit)
    moved = tuple(replace(each, allocation=plan.to_value[each.name]) for each in kit.fleet())
    room = Activity(takes=Resources(storage_gb=1.0), width=400.0, usd_per_hour=2e-6, low=1e-6, high=3e-6)
    worth = Worth(need=Resources(storage_gb=6000.0), base_usd_per_hour=0.008, activities=(room,))
    full = tuple(replace(each, worth=worth) if each.name == "disk" else each for each in moved)
    gain_usd = Decimal("0.0096")  # 400 GB of 1e-6 USD/h for sure, 24 h long; the margin is 0.096

    decision, plan = decided(kit, kit.snapshot(full), last_move_at=kit.now - timedelta(days=2))
    assert (decision.verdict, decision.reasons[0]) == ("move", "GAIN_ABOVE_COST")
    assert decision.gain_usd == pytest.approx(gain_usd)
    assert plan.to_value["disk"].storage_gb >= 6400.0

    decision, plan = decided(kit, kit.snapshot(full), last_move_at=kit.now - timedelta(hours=2))
    assert (decision.verdict, decision.reasons[0]) == ("stay", "INTERVAL_RUNNING")
    assert next_reallocation_at(plan, kit.guards, kit.now) == kit.now + timedelta(hours=22)


def test_what_takes_income_from_a_node_asks_for_the_whole_margin(kit):
    room = Activity(takes=Resources(cpu_cores=1.0), width=4.0, usd_per_hour=0.0001, low=0.0001, high=0.0001)
    busy = Worth(base_usd_per_hour=0.02, activities=(room,))
    fleet = tuple(replace(each, worth=busy) if each.name == "relay" else each for each in kit.fleet())
    options = ThresholdOptions(margin_pct=100.0)
    decision, _ = decided(kit, kit.snapshot(fleet), options=options)
    assert (decision.verdict, decision.reasons[0]) == ("stay", "GAIN_BELOW_COST")
    decision, _ = decided(kit, options=options)
    assert decision.verdict == "move"


def test_after_the_move_the_present_split_is_the_best(kit):
    _, plan = decided(kit)
    moved = tuple(replace(each, allocation=plan.to_value[each.name]) for each in kit.fleet())
    decision, plan = decided(kit, kit.snapshot(moved))
    assert decision.verdict == "stay"
    assert decision.reasons == ("ALREADY_BEST", "RATE_UNKNOWN")
    assert decision.sentence == ("Stay: the present split is the best one found (address keeps what there is).")
    assert plan.to_value == plan.from_value
    assert decision.gain_usd == 0


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("observe", "LEVER_IN_OBSERVE_MODE"),
        ("suggest", "LEVER_IN_SUGGEST_MODE"),
        ("approve", "LEVER_NEEDS_APPROVAL"),
    ],
)
def test_below_auto_the_plan_waits_for_a_person(kit, mode, code):
    decision, plan = decided(kit, trusted(kit, mode))
    assert (decision.verdict, decision.reasons, decision.can_reallocate) == ("stay", (code,), False)
    assert decision.plan_id == plan.id
    assert plan.to_value["compute"].cpu_cores == 12.0
    assert {blocker.node for blocker in decision.blockers if blocker.code == code} == {"disk", "compute", "relay"}
    assert "Best found: move 8 cores" in decision.sentence


@pytest.mark.parametrize(
    ("guards", "code"),
    [
        ({"running": "r1"}, "REALLOCATION_RUNNING"),
        ({"stuck": "r1"}, "SAGA_STUCK"),
        ({"moves_in_last_hour": 2}, "RATE_LIMITED"),
        ({"frozen_until": "later"}, "FROZEN"),
    ],
)
def test_what_the_guards_forbid_is_not_done(kit, guards, code):
    fields = {key: kit.now + timedelta(hours=1) if value == "later" else value for key, value in guards.items()}
    decision, plan = decided(kit, guards=Guards(**fields))
    assert (decision.verdict, decision.reasons[0]) == ("stay", code)
    assert plan.to_value != plan.from_value


def test_a_stale_price_freezes_the_split(kit):
    prices = (kit.price("GLM", "0.2", "stale"), kit.price("DATA", "0.03"))
    decision, plan = decided(kit, kit.snapshot(prices=prices))
    assert (decision.verdict, decision.reasons[0]) == ("stay", "PRICE_STALE")
    assert decision.sentence == "Stay: the price of GLM (2 min old) is stale (compute): nothing is moved."
    assert plan.to_value == plan.from_value
    assert next_reallocation_at(plan, kit.guards, kit.now) is None


def test_a_hold_keeps_its_node_and_the_others_move(kit):
    until = kit.now + timedelta(minutes=10)
    guards = Guards(holds=(Hold(node="disk", until=until, sentence="disk rests."),))
    decision, plan = decided(kit, guards=guards, options=ThresholdOptions(margin_pct=5.0))
    assert decision.verdict == "move"
    assert plan.to_value["disk"] == plan.from_value["disk"]
    assert "HOLD_ACTIVE" in [blocker.code for blocker in decision.blockers]
    blocked = [each for each in plan.opportunities if each.kind == "floor_blocked" and each.node == "disk"]
    assert blocked[0].usd_per_hour.mean > 0.0
    assert blocked[0].blockers[0].until == until


def test_a_hold_on_the_taker_waits(kit):
    until = kit.now + timedelta(minutes=10)
    guards = Guards(holds=(Hold(node="compute", until=until, sentence="compute rests."),))
    decision, plan = decided(kit, guards=guards)
    assert (decision.verdict, decision.reasons) == ("stay", ("ALREADY_BEST", "HOLD_ACTIVE", "RATE_UNKNOWN"))
    assert next_reallocation_at(plan, guards, kit.now) == until


def test_when_the_next_move_may_be(kit):
    _, plan = decided(kit)
    slot = kit.now + timedelta(minutes=20)
    assert next_reallocation_at(plan, kit.guards, kit.now) == kit.now
    assert next_reallocation_at(plan, Guards(moves_in_last_hour=2, next_slot_at=slot), kit.now) == slot
    assert next_reallocation_at(plan, Guards(frozen_until=slot), kit.now) == slot
    assert next_reallocation_at(plan, Guards(stuck="r1"), kit.now) is None
    assert next_reallocation_at(None, kit.guards, kit.now) is None
    held = Guards(holds=(Hold(node="relay", until=slot, sentence=""),))
    assert next_reallocation_at(plan, held, kit.now) == slot
    _, poor = decided(kit, options=ThresholdOptions(margin_pct=100.0, idle_margin_pct=100.0))
    assert next_reallocation_at(poor, kit.guards, kit.now) is None


def test_nothing_known_nothing_moved(kit):
    blind = tuple(replace(each, rate=None, worth=None) for each in kit.fleet())
    decision, plan = decided(kit, kit.snapshot(blind))
    assert (decision.verdict, decision.reasons) == ("stay", ("RATE_UNKNOWN",))
    assert decision.sentence == (
        "Stay: no node may be moved. What disk earns is unknown: it keeps what it has. And 3 more."
    )
    assert (decision.gain_usd, decision.net_benefit_usd, plan.improvement_pct) == (None, None, None)


def test_no_node_and_one_node(kit):
    decision, plan = decided(kit, kit.snapshot(()))
    assert (decision.verdict, decision.reasons, plan) == ("stay", ("NOT_READY",), None)
    assert decision.plan_id is None
    decision, plan = decided(kit, kit.snapshot(kit.fleet()[1:2]))
    assert decision.sentence.startswith("Move 11 cores and 14.5 GB of memory from what is free to compute:")


def test_an_infeasible_wish_is_said_in_words(kit):
    greedy_owner = kit.with_node("relay", limits=Limits(minimum=Resources(cpu_cores=99.0)))
    decision, plan = decided(kit, greedy_owner)
    assert decision.verdict == "stay"
    assert decision.reasons[0] == "INFEASIBLE"
    assert decision.reasons[-1] == "SOLVER_REFUSED"
    assert "relay 99 (floor)" in decision.sentence
    assert plan.solver_chain == ("linear", "greedy", "keep")
    assert plan.to_value == plan.from_value


def test_a_broken_solver_is_replaced_and_the_chain_recorded(kit):
    def broken(problem, budget, seed):
        raise RuntimeError("no")

    solvers = {**kit.solvers, "linear": broken}
    decision, plan = decided(kit, solvers=solvers)
    assert plan.solver_chain == ("linear", "greedy")
    assert decision.verdict == "move"
    assert decision.reasons == ("GAIN_ABOVE_COST", "SOLVER_REFUSED")


def test_the_strategy_keep_keeps(kit):
    decision, plan = decided(kit, strategy=keep_strategy.STRATEGY, options=keep_strategy.KeepOptions())
    assert (decision.verdict, decision.reasons[0]) == ("stay", "STRATEGY_KEEPS")
    assert plan.to_value != plan.from_value


def test_should_reallocate_needs_wish_permission_and_change(kit):
    _, plan = decided(kit)
    wish, no_wish = (Advice(move=move, reasons=(), sentence="") for move in (True, False))
    free = CanReallocate(allowed=True)
    barred = CanReallocate(allowed=False, blockers=(Blocker(code="FROZEN", sentence="no"),))
    assert should_reallocate(plan, free, wish)
    assert not should_reallocate(plan, free, no_wish)
    assert not should_reallocate(plan, barred, wish)
    assert not should_reallocate(replace(plan, to_value=plan.from_value), free, wish)


def test_opportunities_of_three_kinds_and_a_price_shift(kit):
    prices = {"GLM": Decimal("0.10"), "DATA": Decimal("0.03")}
    seen = study(kit.snapshot(), kit.guards, kit.settings, kit.solvers, previous_prices=prices)
    kinds = {(each.kind, each.node): each for each in seen.opportunities}
    moved = kinds["misallocated", "compute"]
    assert (moved.resource, moved.from_value, moved.to_value) == ("cpu_cores", 4.0, 12.0)
    assert moved.usd_per_hour.mean == pytest.approx(0.016)
    idle = kinds["underused", "disk"]
    assert (idle.resource, idle.from_value, idle.to_value) == ("cpu_cores", 5.0, 0.5)
    blocked = kinds["floor_blocked", "relay"]
    assert (blocked.resource, blocked.from_value) == ("cpu_cores", 1.0)
    assert blocked.blockers[0].code == "PROTECTED_FLOOR"
    shift = kinds["price_shift", "compute"]
    assert (shift.from_value, shift.to_value, shift.resource) == (0.10, 0.20, None)
    assert ("price_shift", "relay") not in kinds
    means = [each.usd_per_hour.mean for each in seen.opportunities]
    assert means == sorted(means, reverse=True)


def test_no_opportunities_where_all_is_well_and_a_small_price_change_is_none(kit):
    prices = {"GLM": Decimal("0.199")}
    seen = study(kit.snapshot(), kit.guards, kit.settings, kit.solvers, previous_prices=prices)
    assert "price_shift" not in {each.kind for each in seen.opportunities}
    alone = study(kit.snapshot(kit.fleet()[:1]), kit.guards, kit.settings, kit.solvers)
    assert alone.opportunities == ()


def test_the_same_snapshot_makes_the_same_decision_and_survives_json(kit):
    first, second = decided(kit), decided(kit)
    assert first == second
    plan = first[1]
    assert msgspec.json.decode(msgspec.json.encode(plan), type=type(plan)) == plan


def test_words():
    assert [number(each) for each in (10.0, 0.5, 1.2345, -0.0001)] == ["10", "0.5", "1.234", "0"]
    assert [usd(each) for each in (0.0213, -1.5, 250.0, 0.0, 0.00021, 2.1e-6)] == [
        "$0.0213",
        "-$1.5000",
        "$250.00",
        "$0.0000",
        "$0.00021",
        "$2.1e-06",
    ]
    assert [duration(each) for each in (0.002, 0.1, 1.5, 30.0, 72.0)] == [
        "7 s",
        "6 min",
        "90 min",
        "30 h",
        "3 days",
    ]
    assert [listed(each) for each in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert amount_of("cpu_cores", 1.0) == "1 core"
    assert stay_sentence("No node.") == "Stay: no node."
    assert stay_sentence("GLM is stale.") == "Stay: GLM is stale."
    before = {"a": Resources(cpu_cores=3.0), "b": Resources(cpu_cores=1.0)}
    assert what_moves(before, {**before, "a": Resources(cpu_cores=1.0)}) == "2 cores from a"
