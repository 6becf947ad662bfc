"""Did a move pay: the test of its earnings, in tables, in properties, and against the emulated world's noise."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orch.reallocation.baseline import baseline_of, expected
from orch.reallocation.proof import ProofTerms, bound, judge, look_error, spent
from tests.fakes import incomes

PAST_H, MOVED = incomes.PAST_H, incomes.MOVED
settled, told = incomes.settled, incomes.told
DAY_S, WEEK_S = 24 * 3600.0, 7 * 24 * 3600.0
SIX_HOURS = ProofTerms(usual_s=6 * 3600.0)


def noisy(mean=1.0, noise=0.1, hours=PAST_H + 48, seed=1):
    return np.random.default_rng(seed).normal(mean, noise, hours)


def shifted(income, factor):
    return np.concatenate((income[:PAST_H], income[PAST_H:] * factor))


def verdict_of(history, terms=SIX_HOURS, move=None, **more):
    """All looks that the history allows, one after the other."""
    move = move or settled(*(each.node for each in history))
    proof = None
    while (found := judge(move, proof, history, terms, **more)) is not None:
        proof = found
    return proof


@pytest.mark.parametrize(
    ("factor", "verdict"), [(0.5, "lost"), (0.8, "lost"), (1.0, "inconclusive"), (1.2, "paid"), (2.0, "paid")]
)
def test_a_clear_change_is_called_by_its_name(factor, verdict):
    proof = verdict_of(told(a=shifted(noisy(), factor)))
    assert proof.verdict == verdict
    assert proof.gain.low <= factor - 1.0 <= proof.gain.high
    assert proof.counterfactual == pytest.approx(1.0, abs=0.05)


def test_a_gain_that_has_not_brought_in_its_cost_yet_has_not_paid():
    history = told(a=shifted(noisy(), 1.5))
    assert verdict_of(history, move=settled("a", cost_usd=Decimal(1))).verdict == "paid"
    assert verdict_of(history, move=settled("a", cost_usd=Decimal(100))).verdict == "inconclusive"


def test_what_one_node_gains_and_another_loses_is_one_sum():
    both = told(a=shifted(noisy(), 0.7), b=shifted(noisy(2.0, seed=2), 1.3))
    proof = verdict_of(both)
    assert proof.verdict == "paid"
    assert proof.gain.low <= 0.3 <= proof.gain.high


def test_between_looks_and_after_a_verdict_there_is_nothing_to_say():
    history = told(a=shifted(noisy(), 0.5)[: PAST_H + 2])
    move = settled("a")
    assert judge(move, None, history, SIX_HOURS) is None
    proof = judge(move, None, told(a=shifted(noisy(), 0.5)[: PAST_H + 3]), SIX_HOURS)
    assert (proof.verdict, proof.looks, proof.hours) == ("lost", 1, 3)
    assert judge(move, proof, told(a=shifted(noisy(), 0.5)), SIX_HOURS) is None


def test_the_old_split_is_remembered_when_its_hours_are_gone():
    income = shifted(noisy(noise=0.3), 1.06)
    first = judge(settled("a"), None, told(a=income[: PAST_H + 3]), SIX_HOURS)
    assert first.verdict == "pending"
    assert first.baselines
    income[:PAST_H] = np.nan
    second = judge(settled("a"), first, told(a=income), SIX_HOURS)
    assert second.looks == 2
    assert second.counterfactual == pytest.approx(first.counterfactual, abs=0.05)


def test_moved_again_ends_it():
    history = told(a=noisy(noise=0.3))
    move = settled("a")
    first = judge(move, None, history, SIX_HOURS)
    over = judge(move, first, history, SIX_HOURS, until=MOVED + timedelta(hours=4))
    assert over.verdict == "inconclusive"
    assert over.gain == first.gain
    assert "moved again" in over.sentence
    # What had been seen before that is still looked at.
    assert judge(move, first, history, SIX_HOURS, until=MOVED + timedelta(hours=6)).looks == 2


@pytest.mark.parametrize(
    ("history", "more", "why"),
    [
        (told(b=noisy()), {}, "is not known"),
        (told(a=noisy()), {"old_since": MOVED - timedelta(hours=100)}, "a week"),
        (told(a=np.where(np.arange(PAST_H + 48) < PAST_H, noisy(), np.nan)), {}, "Too few hours"),
    ],
)
def test_what_is_not_known_is_inconclusive(history, more, why):
    proof = judge(settled("a"), None, history, SIX_HOURS, **more)
    assert proof.verdict == "inconclusive"
    assert why in proof.sentence


def test_a_move_that_was_not_made_is_not_judged():
    assert judge(replace(settled("a"), state="rolled_back"), None, told(a=noisy()), SIX_HOURS) is None


def test_an_untouched_neighbour_takes_the_shared_luck_away():
    luck = 1.0 + 0.3 * np.repeat(np.random.default_rng(3).normal(size=(PAST_H + 48) // 24), 24)
    luck[PAST_H:] = 0.6
    own, other = luck * noisy(noise=0.02), luck * noisy(noise=0.02, seed=5)
    history = told(a=own, b=other)
    alone = verdict_of(history, ProofTerms(usual_s=DAY_S / 2), settled("a"))
    beside = verdict_of(history, ProofTerms(usual_s=DAY_S / 2), settled("a"), controls={"a": "b"})
    assert abs(beside.gain.mean) < 0.1 < -alone.gain.mean
    assert beside.gain.high - beside.gain.low < 0.5 * (alone.gain.high - alone.gain.low)


def test_the_hours_before_the_old_split_do_not_count():
    income = noisy()
    income[: PAST_H - 200] *= 5.0
    move = settled("a")
    proof = verdict_of(told(a=income), move=move, old_since=MOVED - timedelta(hours=200))
    assert proof.counterfactual == pytest.approx(1.0, abs=0.05)


def test_a_trend_may_go_on_or_stop():
    rising = 1.0 + 0.002 * np.arange(PAST_H + 48) + noisy(0.0, 0.01)
    baseline = baseline_of("a", rising[:PAST_H], MOVED)
    assert baseline.slope == pytest.approx(0.002, rel=0.1)
    soon, late = (expected(baseline, MOVED + timedelta(hours=lead), 24) for lead in (0, 240))
    assert soon.mean == pytest.approx(1.0 + 0.002 * (PAST_H + 6), abs=0.03)
    assert late.variance > 10 * soon.variance


def test_a_daily_season_is_no_gain():
    hours = np.arange(PAST_H + 48)
    income = 1.0 + 0.5 * np.sin(2 * np.pi * hours / 24) + noisy(0.0, 0.05)
    assert verdict_of(told(a=income)).verdict == "inconclusive"


def test_bounds_are_those_of_students_t():
    assert bound(0.025, 10) == pytest.approx(2.2281, abs=2e-3)
    assert bound(0.05, 29) == pytest.approx(1.6991, abs=1e-3)
    assert bound(0.0005, 29) == pytest.approx(3.6594, abs=1e-2)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=12, unique=True), st.floats(0.001, 0.2))
def test_looks_never_spend_more_than_they_may(hours, error):
    hours = sorted(hours)
    parts = [look_error(hours, look, error) for look in range(1, len(hours) + 1)]
    assert all(part >= 0.0 for part in parts)
    assert sum(parts) == pytest.approx(error)
    assert spent(0.0, error) == 0.0


@settings(max_examples=10, deadline=None)
@given(st.floats(0.001, 1000.0), st.floats(0.3, 3.0), st.integers(0, 1000))
def test_the_currency_unit_does_not_matter(scale, factor, seed):
    income = shifted(noisy(noise=0.3, seed=seed)[: PAST_H + 12], factor)
    one, other = verdict_of(told(a=income)), verdict_of(told(a=income * scale))
    assert one.verdict == other.verdict
    assert other.gain.mean == pytest.approx(one.gain.mean * scale, rel=1e-6, abs=1e-9 * scale)


def played(seeds, factor, terms, disks=None):
    """What is found of a move that changes what its nodes together earn by a factor, by all of it in one."""
    verdicts = []
    for seed in seeds:
        compute = incomes.compute_income(seed)
        together = (
            {"compute": compute} if disks is None else {"disk": disks[seed % len(disks)], "compute": compute}
        )
        after = sum(income[PAST_H:].mean() for income in together.values())
        share = 1.0 + (factor - 1.0) * after / compute[PAST_H:].mean()
        verdicts.append(verdict_of(told(**{**together, "compute": shifted(compute, share)}), terms))
    return verdicts


GOLEM = ProofTerms(usual_s=WEEK_S)
BOTH = ProofTerms(window_s={"disk": 2 * WEEK_S, "compute": WEEK_S})


def test_in_some_emulated_worlds_nothing_is_lost_without_a_loss_and_half_is_noticed():
    neutral = Counter(proof.verdict for proof in played(range(8), 1.0, GOLEM))
    assert neutral["lost"] <= 1
    halved = Counter(proof.verdict for proof in played(range(8, 12), 0.5, GOLEM))
    assert halved["lost"] == 4


@pytest.fixture(scope="module")
def disks():
    return [incomes.disk_income(seed) for seed in range(10)]


@pytest.mark.slow
@pytest.mark.timeout(180)
class TestTwoHundredWorlds:
    """At the emulated world's noise, with the windows that the networks' own money takes."""

    def test_a_neutral_move_is_hardly_ever_called_lost(self, disks):
        seeds = range(200)
        assert Counter(proof.verdict for proof in played(seeds, 1.0, BOTH, disks))["lost"] <= 10
        assert Counter(proof.verdict for proof in played(seeds, 1.0, SIX_HOURS))["lost"] <= 10
        assert Counter(proof.verdict for proof in played(seeds, 1.0, GOLEM))["lost"] <= 10

    def test_a_loss_of_ten_percent_is_mostly_found_within_two_windows(self, disks):
        proofs = played(range(200), 0.9, BOTH, disks)
        lost = sorted(proof.hours for proof in proofs if proof.verdict == "lost")
        assert len(lost) > 100
        assert lost[100] * 3600 <= 2 * BOTH.window_s["disk"]

    def test_a_disk_that_loses_ten_percent_is_found_within_one(self, disks):
        lost = [verdict_of(told(disk=shifted(disk, 0.9)), BOTH) for disk in disks]
        assert sum(proof.verdict == "lost" and proof.hours * 3600 <= 2 * WEEK_S for proof in lost) > len(disks) / 2
