"""Many hosts at once: exact by their own prices, by other solvers, and whatever the numbers look like."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.problems.fleets import bundle_fleet, concave_fleet
from orch.model.problems import Budget
from orch.model.resources import Resources
from orch.solvers import batch_bundle, batch_greedy, check, greedy, linear
from orch.solvers.arrays import Bundles, Curves, bundles_of, problem_of_bundles, problem_of_curves
from orch.solvers.batch_check import judge_bundles, judge_curves
from orch.solvers.simplex import pack

CLOSE = 1e-9
FULL = Budget(seconds=20.0)


def curves(capacity, *nodes, horizon_h=1.0):
    """One host with one resource: nodes as dictionaries of what differs from a lone square root."""
    usual = {
        "scale": 1.0,
        "power": 0.5,
        "present": 0.0,
        "least": 0.0,
        "most": np.inf,
        "unit_usd": 0.0,
        "here": True,
    }
    columns = {name: np.array([[[{**usual, **each}[name]] for each in nodes]]) for name in usual}
    return Curves(capacity=np.array([[float(capacity)]]), horizon_h=horizon_h, **columns)


def exact(judged, answer):
    """Whether limits are kept, worth is as said, and prices prove that there is no better."""
    assert np.nanmax(judged.missed, initial=0.0) <= CLOSE
    good = answer.feasible
    assert judged.worth_usd[good] == pytest.approx(answer.objective_usd[good], rel=CLOSE, abs=1e-100)
    size = np.abs(judged.bound_usd[good]) + np.abs(judged.worth_usd[good]) + 1e-100
    assert ((judged.bound_usd - judged.worth_usd)[good] <= CLOSE * size).all()
    return True


numbers = st.sampled_from([0.0, 1e-6, 0.3, 1.0, 2.5, 7.0, 1e4])


@st.composite
def some_curves(draw):
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 2)))
    count = int(np.prod(shape))

    def array(values):
        return np.array(draw(st.lists(values, min_size=count, max_size=count)), dtype=float).reshape(shape)

    least = array(st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0]))
    capacity = np.array([[draw(numbers) for _ in range(shape[2])] for _ in range(shape[0])])
    return Curves(
        capacity=capacity,
        scale=array(numbers),
        power=array(st.sampled_from([0.05, 0.3, 0.5, 0.9, 0.999, 1.0])),
        present=array(numbers),
        least=least,
        most=np.maximum(array(st.sampled_from([0.0, 1.0, 5.0, np.inf])), least),
        unit_usd=array(st.sampled_from([0.0, 0.0, 0.2, 3.0])),
        here=array(st.sampled_from([1.0, 1.0, 1.0, 0.0])).astype(bool),
        horizon_h=24.0,
    )


@st.composite
def some_bundles(draw):
    hosts, nodes, count, kinds, segments = (draw(st.integers(1, most)) for most in (3, 2, 4, 3, 3))

    def array(values, *shape):
        size = int(np.prod(shape))
        return np.array(draw(st.lists(values, min_size=size, max_size=size)), dtype=float).reshape(shape)

    few = st.sampled_from([0.0, 1.0, 1.0, 2.0, 3.5])
    return Bundles(
        capacity=array(st.sampled_from([0.0, 2.0, 5.0, 9.0]), hosts, kinds),
        floor=array(st.sampled_from([0.0, 0.0, 0.0, 1.0]), hosts, nodes, kinds),
        owner=np.array([draw(st.integers(0, nodes - 1)) for _ in range(count)]),
        takes=array(few, hosts, count, kinds),
        width=array(few, hosts, count, segments),
        worth=-np.sort(-array(few, hosts, count, segments), axis=2),
        here=array(st.sampled_from([1.0, 1.0, 1.0, 0.0]), hosts, count).astype(bool),
        horizon_h=10.0,
    )


@given(some_curves())
@settings(max_examples=30, deadline=None)
def test_whatever_the_curves_the_split_is_proven_by_its_prices(fleet):
    answer = batch_greedy.solve(fleet)
    assert exact(judge_curves(fleet, answer), answer)


@given(some_bundles())
@settings(max_examples=40, deadline=None)
def test_whatever_the_bundles_the_split_is_proven_by_its_prices(fleet):
    answer = batch_bundle.solve(fleet, compiled=False)
    assert exact(judge_bundles(fleet, answer), answer)


@given(some_bundles())
@settings(max_examples=15, deadline=None)
def test_bundles_of_a_host_are_worth_what_highs_says(fleet):
    answer = batch_bundle.solve(fleet, compiled=False)
    for host in np.flatnonzero(answer.feasible):
        other = linear.solve(
            problem_of_bundles(fleet, int(host)) if fleet.takes.shape[2] == 4 else _padded(fleet, host), FULL, 0
        )
        assert answer.objective_usd[host] == pytest.approx(other.objective_usd, rel=1e-7, abs=1e-7)


def _padded(fleet, host):
    """Bundles of fewer than four resources, with plenty of the others."""
    missing = 4 - fleet.takes.shape[2]

    def wider(array, value):
        return np.concatenate([array, np.full((*array.shape[:-1], missing), value)], axis=-1)

    wide = fleet._replace(
        capacity=wider(fleet.capacity, 100.0), floor=wider(fleet.floor, 0.0), takes=wider(fleet.takes, 0.0)
    )
    return problem_of_bundles(wide, int(host))


def test_fleets_of_the_bench_are_solved_exactly():
    concave, bundles = concave_fleet(300), bundle_fleet(300)
    assert exact(judge_curves(concave, batch_greedy.solve(concave)), batch_greedy.solve(concave))
    answer = batch_bundle.solve(bundles, compiled=False)
    assert exact(judge_bundles(bundles, answer), answer)


def test_no_host_of_the_bench_is_left_to_be_solved_by_itself(monkeypatch):
    monkeypatch.setattr(batch_bundle, "pack", lambda *_: pytest.fail("a host was solved by itself"))
    assert batch_bundle.solve(bundle_fleet(300), compiled=False).feasible.all()


def test_what_the_turns_leave_undone_is_solved_host_by_host(monkeypatch):
    fleet = bundle_fleet(5)
    wanted = batch_bundle.solve(fleet, compiled=False)
    monkeypatch.setattr(batch_bundle, "PATIENCE", 1)
    calls = []
    monkeypatch.setattr(batch_bundle, "pack", lambda *given: calls.append(1) or pack(*given))
    assert batch_bundle.solve(fleet, compiled=False).objective_usd == pytest.approx(
        wanted.objective_usd, rel=CLOSE
    )
    assert calls


def test_the_same_fleet_has_the_same_answer_and_is_left_alone():
    lines = curves(10.0, {"power": 1.0, "most": 8.0}, {"here": False})
    for solve, fleet in (
        (batch_greedy.solve, concave_fleet(40)),
        (batch_greedy.solve, lines),
        (batch_bundle.solve, bundle_fleet(40)),
        (batch_bundle.solve, bundle_fleet(1)),
    ):
        before = [np.array(each) for each in fleet]
        first, again = solve(fleet), solve(fleet)
        assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
        assert all(np.array_equal(one, other) for one, other in zip(before, fleet, strict=True))


def test_a_host_has_the_answer_that_it_has_alone():
    concave, bundles = concave_fleet(300), bundle_fleet(300)
    one = Curves(*(each[7:8] for each in concave[:-1]), concave.horizon_h)
    assert batch_greedy.solve(one).amounts[0] == pytest.approx(batch_greedy.solve(concave).amounts[7], rel=1e-7)
    lone = Bundles(
        *(
            each if name == "owner" else each[7:8]
            for name, each in zip(Bundles._fields[:-1], bundles[:-1], strict=True)
        ),
        bundles.horizon_h,
    )
    assert batch_bundle.solve(lone, compiled=False).levels[0] == pytest.approx(
        batch_bundle.solve(bundles, compiled=False).levels[7], rel=1e-9
    )


@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e6, 1e12])
def test_the_units_of_a_resource_and_of_money_change_nothing(factor):
    one = concave_fleet(30)
    other = one._replace(
        capacity=one.capacity * factor, present=one.present * factor, least=one.least * factor,
        most=one.most * factor, scale=one.scale / factor**one.power, unit_usd=one.unit_usd / factor,
    )  # fmt: skip
    usual = batch_greedy.solve(one)
    assert batch_greedy.solve(other).objective_usd == pytest.approx(usual.objective_usd, rel=CLOSE)
    dear = one._replace(scale=one.scale * factor, unit_usd=one.unit_usd * factor)
    assert batch_greedy.solve(dear).objective_usd == pytest.approx(usual.objective_usd * factor, rel=CLOSE)
    fleet = bundle_fleet(30)
    large = fleet._replace(
        capacity=fleet.capacity * factor, floor=fleet.floor * factor, takes=fleet.takes * factor,
        worth=fleet.worth / factor,
    )  # fmt: skip
    usual = batch_bundle.solve(fleet, compiled=False)
    found = batch_bundle.solve(large, compiled=False)
    assert found.objective_usd * factor == pytest.approx(usual.objective_usd, rel=CLOSE)


def test_one_node_gets_what_pays_and_none_gets_nothing():
    fleet = curves(9.0, {})
    assert batch_greedy.solve(fleet).amounts.item() == pytest.approx(9.0)
    fleet = curves(9.0, {"most": 4.0})
    answer = batch_greedy.solve(fleet)
    assert (answer.amounts.item(), answer.prices.item()) == (4.0, 0.0)
    nobody = Curves(
        np.ones((2, 1)), *(np.zeros((2, 0, 1)) for _ in range(6)), np.zeros((2, 0, 1), dtype=bool), 1.0
    )
    assert batch_greedy.solve(nobody).objective_usd.tolist() == [0.0, 0.0]
    alone = bundle_fleet(3, nodes=1)
    answer = batch_bundle.solve(alone, compiled=False)
    assert exact(judge_bundles(alone, answer), answer)


def test_no_host_has_no_answer():
    assert batch_greedy.solve(concave_fleet(0)).amounts.shape == (0, 10, 4)
    assert batch_bundle.solve(bundle_fleet(0), compiled=False).levels.shape == (0, 25)


def test_a_line_shares_what_is_left_with_its_equals_and_staying_is_worth_the_cost():
    fleet = curves(10.0, {"power": 1.0, "most": 8.0}, {"power": 1.0, "most": 8.0})
    assert batch_greedy.solve(fleet).amounts.sum() == pytest.approx(10.0)
    stays = curves(10.0, {"present": 6.0, "unit_usd": 5.0}, {"present": 2.0, "unit_usd": 5.0})
    assert batch_greedy.solve(stays).amounts.ravel().tolist() == [6.0, 2.0]


def test_zero_capacity_and_floors_above_it():
    fleet = concave_fleet(4)
    fleet = fleet._replace(capacity=fleet.capacity.copy(), least=fleet.least.copy())
    fleet.capacity[1, 2], fleet.least[1, :, 2] = 0.0, 0.0
    fleet.least[2, :, 0] = fleet.capacity[2, 0]
    fleet = fleet._replace(most=np.maximum(fleet.most, fleet.least))
    answer = batch_greedy.solve(fleet)
    assert answer.feasible.tolist() == [True, True, False, True]
    assert answer.amounts[1, :, 2].tolist() == [0.0] * 10
    assert np.isnan(answer.objective_usd[2])
    assert exact(judge_curves(fleet, answer), answer)
    bundles = bundle_fleet(3)
    bundles.floor[1] = bundles.capacity[1]
    bundles.floor[2, :, 1] = 0.0
    bundles.capacity[2, 1] = 0.0
    answer = batch_bundle.solve(bundles, compiled=False)
    assert answer.feasible.tolist() == [True, False, True]
    assert exact(judge_bundles(bundles, answer), answer)


def test_the_check_sees_what_is_wrong():
    fleet = concave_fleet(3)
    answer = batch_greedy.solve(fleet)
    more = answer._replace(amounts=answer.amounts * 1.01)
    assert judge_curves(fleet, more).missed.max() > 1e-3
    lazy = answer._replace(amounts=np.where(fleet.least > 0.0, fleet.least, 0.0))
    judged = judge_curves(fleet, lazy)
    assert (judged.bound_usd > judged.worth_usd * 1.01).all()
    despair = answer._replace(feasible=np.zeros(3, dtype=bool))
    assert np.isinf(judge_curves(fleet, despair).missed).all()


def test_arrays_that_make_no_sense_are_refused_by_name():
    fleet, bundles = concave_fleet(2), bundle_fleet(2)
    for wrong, name in (
        (fleet._replace(power=fleet.power + 1.0), "power"),
        (fleet._replace(scale=fleet.scale * np.nan), "scale"),
        (fleet._replace(capacity=-fleet.capacity), "capacity"),
        (fleet._replace(most=fleet.most[:1]), "most"),
        (fleet._replace(horizon_h=0.0), "horizon_h"),
    ):
        with pytest.raises(ValueError, match=name):
            batch_greedy.solve(wrong)
    for wrong, name in (
        (bundles._replace(worth=bundles.worth[:, :, ::-1]), "worth"),
        (bundles._replace(width=bundles.width * np.inf), "width"),
        (bundles._replace(owner=bundles.owner + 99), "owner"),
    ):
        with pytest.raises(ValueError, match=name):
            batch_bundle.solve(wrong)


def test_a_host_of_power_laws_is_a_problem_in_chords():
    fleet = concave_fleet(3)
    answer = batch_greedy.solve(fleet)
    for host in range(3):
        problem = problem_of_curves(fleet, host, segments=40)
        one = greedy.solve(problem, FULL, 0)
        assert one.status == "optimal"
        assert check.check(problem, one) == ()
        assert (
            0.995 * answer.objective_usd[host] <= one.objective_usd <= answer.objective_usd[host] * (1.0 + CLOSE)
        )


def test_problems_become_bundles_and_back(kit):
    problem = kit.problem(
        {"cpu_cores": 4.0, "memory_gb": 6.0, "bandwidth_mbps": 1.0, "storage_gb": 1.0},
        kit.node(
            "a", {"cpu_cores": 1.0, "memory_gb": 1.0}, kit.earning(2.0, 3.0, cpu_cores=1.0, memory_gb=2.0),
            floor={"cpu_cores": 1.0},
        ),
        kit.node("b", {"cpu_cores": 1.0}, kit.earning(1.0, 9.0, cpu_cores=1.0), locked=False),
    )  # fmt: skip
    fleet = bundles_of([problem, problem])
    answer = batch_bundle.solve(fleet)
    other = linear.solve(problem, FULL, 0)
    assert answer.objective_usd == pytest.approx([other.objective_usd] * 2, rel=1e-7)
    again = bundles_of([problem_of_bundles(fleet, 1)])
    assert batch_bundle.solve(again).objective_usd[0] == pytest.approx(answer.objective_usd[0], rel=CLOSE)
    stubborn = kit.problem({"cpu_cores": 4.0}, kit.node("a", {"cpu_cores": 1.0}, cap={"cpu_cores": 2.0}))
    with pytest.raises(ValueError, match="do not know"):
        bundles_of([stubborn])
    assert Resources() == stubborn.nodes[0].need


def test_the_compiled_form_has_the_same_answers():
    pytest.importorskip("numba", reason="numba is not installed (extra fast)")
    fleet = bundle_fleet(60)
    usual, quick = (batch_bundle.solve(fleet, compiled=each) for each in (False, True))
    assert quick.objective_usd == pytest.approx(usual.objective_usd, rel=1e-12)
    assert quick.levels == pytest.approx(usual.levels, rel=1e-9, abs=1e-9)
    assert exact(judge_bundles(fleet, quick), quick)
