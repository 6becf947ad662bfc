"""The world as a whole: time, determinism, common demand, truth of income."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orch.emulator.facts import FLOORS, HOST, NODES, POOR_SPLIT, RESERVE
from orch.emulator.world import World
from orch.model.resources import RESOURCES, Resources, total

START = datetime(2026, 11, 22, 14, 3, 20, tzinfo=UTC)
LATER = timedelta(days=3)


def test_begins_on_a_whole_minute_with_thirty_days_behind_it(world):
    assert world.time == world.start == START.replace(second=0)
    first = min(each.signed for each in world.state.golem.agreements)
    assert world.state.start_minute - first > 29 * 1440
    assert world.state.start_minute - world.first_minute == 30 * 1440


def test_construction_and_resumption_give_the_same_world():
    built = World(5, START)
    again = World(5, START)
    assert built.state == again.state
    resumed = World(5, START, state=msgspec.json.decode(msgspec.json.encode(again.state), type=type(again.state)))
    for each in (built, resumed):
        each.advance(START + LATER)
    assert built.state == resumed.state


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 4 * 86_400), max_size=12))
def test_state_does_not_depend_on_how_often_it_is_asked(worlds, seconds):
    often, once = worlds(), worlds()
    storage = Resources(storage_gb=5000.0)
    for each in (often, once):
        each.put_levers("disk", {"storage_gb": 5000.0}, START + timedelta(minutes=7, seconds=13))
        each.put_levers("compute", {"cpu_cores": 9.0, "memory_gb": 20.0}, START + timedelta(minutes=8, seconds=59))
    for second in sorted(seconds):
        often.advance(START + timedelta(seconds=second))
        often.truth()
        often.advance(START)
    for each in (often, once):
        each.advance(START + timedelta(days=4))
    assert often.state == once.state
    assert often.allocation("disk", often.time).storage_gb == storage.storage_gb


def test_time_never_goes_back(world):
    world.advance(START + timedelta(hours=1))
    before = msgspec.json.encode(world.state)
    world.advance(START)
    assert msgspec.json.encode(world.state) == before


def test_worlds_with_other_splits_face_the_same_demand(worlds):
    poor, good = worlds(), worlds()
    good.set_split_now(good.best_fixed_split())
    for each in (poor, good):
        each.advance(START + timedelta(days=5))
    minute = poor.state.minute
    assert [poor.market.usd("GLM", minute - k) for k in range(50)] == [
        good.market.usd("GLM", minute - k) for k in range(50)
    ]
    assert list(poor.outages.of("disk", minute - 7200, minute)) == list(
        good.outages.of("disk", minute - 7200, minute)
    )
    assert [(each.signed, each.lasts, each.requestor) for each in poor.state.golem.agreements] == [
        (each.signed, each.lasts, each.requestor) for each in good.state.golem.agreements
    ]
    assert sum(each.busy for each in good.state.golem.agreements) > sum(
        each.busy for each in poor.state.golem.agreements
    )
    assert poor.usd_income("relay") == good.usd_income("relay")


def test_another_seed_is_another_world(worlds):
    assert worlds(3).truth() != worlds(4).truth()


@pytest.mark.parametrize("seed", range(6))
def test_incomes_are_what_the_demonstration_needs(worlds, seed):
    world = worlds(seed)
    poor = sum(world.true_rate(node) for node in NODES)
    best = sum(world.true_rate(node, world.best_fixed_split(), 336.0) for node in NODES)
    assert 0.024 < poor < 0.055
    assert 1.4 < best / poor < 2.6


def test_the_best_split_fits_and_leaves_the_reserve_and_the_floors(world):
    best = world.best_fixed_split()
    used = total(best.values())
    for name in RESOURCES:
        assert used.or_zero(name) <= HOST.or_zero(name) - RESERVE.or_zero(name) + 1e-9
        for node in NODES:
            assert best[node].or_zero(name) >= FLOORS[node].or_zero(name)
            assert POOR_SPLIT[node].or_zero(name) >= FLOORS[node].or_zero(name)


@pytest.mark.slow
def test_true_rate_is_what_time_shows(worlds):
    ratios = {node: [] for node in ("disk", "compute", "relay")}
    for seed in range(5):
        world = worlds(seed)
        before = {node: world.usd_income(node) for node in NODES}
        expected = {node: [] for node in NODES}
        for _ in range(24):
            for node in NODES:
                expected[node].append(world.true_rate(node))
            world.advance(world.time + timedelta(hours=12))
        for node, found in ratios.items():
            found.append((world.usd_income(node) - before[node]) / 288 / float(np.mean(expected[node])))
    assert np.mean(ratios["disk"]) == pytest.approx(1, abs=0.02)
    assert np.mean(ratios["relay"]) == pytest.approx(1, abs=0.03)
    assert np.mean(ratios["compute"]) == pytest.approx(1, abs=0.12)


def test_a_newcomer_sees_a_node_fail_and_come_back(worlds):
    for seed in range(8):
        world = worlds(seed)
        begin = world.state.start_minute
        first = min(
            (each for node in NODES for each in world.outages.of(node, begin, begin + 600)), key=lambda o: o.begin
        )
        assert begin + 30 <= first.begin < first.end <= begin + 80
        assert first.node in {"disk", "compute"}
        assert all(world.presence(node, world.time) == "up" for node in NODES)


def test_nodes_never_fail_together_and_only_for_a_while(world):
    begin = world.state.start_minute
    outages = sorted(
        (each for node in NODES for each in world.outages.of(node, begin, begin + 60 * 1440)),
        key=lambda o: o.begin,
    )
    assert len(outages) > 40
    assert all(earlier.end <= later.begin for earlier, later in pairwise(outages))
    assert all(5 <= each.end - each.begin <= 40 for each in outages)
    assert {each.node for each in outages} == set(NODES)


def test_pause_stops_all_income_while_readers_catch_up(world):
    world.advance(START + timedelta(hours=5))
    world.pause()
    income = {node: world.usd_income(node) for node in NODES}
    totals = {stream: each.total for stream, each in world.truth().items()}
    world.advance(START + timedelta(hours=12))
    assert {node: world.usd_income(node) for node in NODES if node != "compute"} == {
        node: usd for node, usd in income.items() if node != "compute"
    }
    after = {stream: each.total for stream, each in world.truth().items()}
    written_off = {
        each.id for each in world.state.golem.agreements if each.status_at(world.state.minute) == "REJECTED"
    }
    assert {key: value for key, value in after.items() if key[1] not in written_off} == {
        key: value for key, value in totals.items() if key[1] not in written_off
    }
    assert world.golem.running(world.state.golem) is None


def test_truth_covers_every_node_in_its_own_unit(world):
    truth = world.truth()
    units = {node: {each.unit for (owner, _), each in truth.items() if owner == node} for node in NODES}
    assert units == {"disk": {"USD"}, "compute": {"GLM"}, "relay": {"DATA"}, "address": {"GRASS_POINTS"}}
    assert all(isinstance(each.total, Decimal) and each.total >= 0 for each in truth.values())


def test_prices_change_once_a_minute_at_most(world, client):
    query = "ids=golem&vs_currencies=usd"
    at = world.time
    seen = {
        client.ask("prices", "/api/v3/simple/price", query, at + timedelta(seconds=s)).body
        for s in range(0, 60, 7)
    }
    assert len(seen) == 1
    assert client.ask("prices", "/api/v3/simple/price", query, at + timedelta(seconds=60)).body not in seen


def test_prices_wander_a_few_per_cent_a_day(world):
    minute = world.state.minute
    for token, sigma in (("GLM", 0.035), ("DATA", 0.05), ("STORJ", 0.04)):
        closes = [world.market.usd(token, minute + 1440 * day) for day in range(120)]
        moves = np.diff(np.log(closes))
        assert 0.6 * sigma < moves.std() < 1.5 * sigma
    minutes = sum(world.market.usd("GLM", minute + k) for k in range(-700, 900))
    assert world.market.usd_minutes("GLM", minute - 700, minute + 900) == pytest.approx(minutes)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_no_random_split_earns_more_than_the_best_fixed_one(worlds, seed):
    def income(split):
        world = worlds(seed)
        world.set_split_now(split)
        before = sum(world.usd_income(node) for node in NODES)
        world.advance(START + timedelta(days=21))
        return sum(world.usd_income(node) for node in NODES) - before

    best = income(worlds(seed).best_fixed_split())
    assert best > 1.3 * income(POOR_SPLIT)
    noise = np.random.Generator(np.random.PCG64(seed))
    for _ in range(40):
        split = {}
        shares = {name: noise.dirichlet(np.full(4, 0.5)) for name in RESOURCES}
        for place, node in enumerate(NODES):
            amounts = {}
            for name in RESOURCES:
                free = HOST.or_zero(name) - RESERVE.or_zero(name) - sum(FLOORS[n].or_zero(name) for n in NODES)
                amounts[name] = FLOORS[node].or_zero(name) + free * float(shares[name][place])
            split[node] = Resources(**amounts)
        assert income(split) <= best * 1.001
