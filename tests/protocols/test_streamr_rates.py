"""Streamr's rate: exact between two blocks, cross-checked by the contracts' rule; and advice about the stake."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from orch.protocols.streamr_advice import (
    Move,
    Place,
    advise,
    best_stakes,
    in_words,
    income,
    proportional_stakes,
)
from orch.protocols.streamr_memory import Slope
from orch.protocols.streamr_rates import KEPT_SLOPES, disagreement, owners_share, stake_table
from tests.fakes.streamr import FIRST, LATER, SECOND, STAKES, WHOLE, Teller, begin, codes, facts, mined, reading

DATA = 10**18
SHARES = ("word_owner", "word_supply", "word_owned", "word_cut", "word_fee", "word_staked")


@pytest.fixture
def tell(answers):
    return Teller(answers("streamr"))


def test_the_rate_is_what_two_blocks_differ_by_in_block_time(tell):
    memory = tell(*WHOLE, *STAKES)
    assert reading(memory).pace is None, "one sample is no rate"
    pace = reading(tell(*LATER, memory=memory)).pace
    # 5e15 and 2.5e15 wei a second.
    assert pace.low == pace.mean == pace.high == pytest.approx(27.0)
    assert (pace.unit, pace.evidence, pace.window_s, pace.exact) == ("DATA", "accrued", 300.0, True)
    assert pace.as_of == mined(80_000_150)


def test_a_sponsorship_that_ran_dry_between_the_blocks_earns_nothing_now(tell):
    memory = tell(*WHOLE, *STAKES, *LATER)
    between = int(mined(80_000_075).timestamp())
    dry = replace(memory, words={**memory.words, f"solvent/{SECOND}": between})
    assert reading(dry).pace.mean == pytest.approx(18.0)


def test_one_that_has_run_dry_since_the_newest_block_is_known_to_earn_nothing(tell):
    memory = tell(*WHOLE, *STAKES, *LATER)
    until = mined(80_000_150) + timedelta(minutes=2)
    dry = replace(memory, words={**memory.words, f"solvent/{SECOND}": int(until.timestamp())})
    assert reading(dry, until - timedelta(seconds=1)).pace.mean == pytest.approx(27.0)
    assert reading(dry, until).pace.mean == pytest.approx(18.0)


def test_one_that_runs_dry_within_the_hour_lowers_the_low_end_only(tell):
    memory = tell(*WHOLE, *STAKES, *LATER)
    soon = int(mined(80_000_150).timestamp()) + 1800
    pace = reading(replace(memory, words={**memory.words, f"solvent/{SECOND}": soon})).pace
    assert (pace.low, pace.mean) == (pytest.approx(18.0 + 4.5), pytest.approx(27.0))


def test_gross_after_the_fee_and_the_owners_net_are_told_apart(tell):
    memory = tell(*WHOLE, *STAKES, *SHARES, *LATER)
    known = facts(memory)
    assert known["gross"].startswith("27.000000 DATA/h")
    assert known["after the protocol's fee"].startswith("25.650000")
    assert owners_share(memory) == pytest.approx(0.95 * (0.1 + 0.9 * 0.05))
    assert float(known["owner's net per hour"].split()[0]) == pytest.approx(27 * owners_share(memory))
    assert known["per 1000 staked"].startswith("0.900000")
    assert reading(memory).fee_share == pytest.approx(0.05)


def test_the_owners_net_is_that_of_the_contracts():
    """161.0764 DATA gross gave the owner 61.2421, on the real contracts."""
    share = (1 - 0.05) * (0.1 + 0.9 * 0.33357)
    words = {"owned": 33357, "supply": 100_000, "cut": DATA // 10, "fee": DATA // 20}
    assert owners_share(replace(begin(), words=words)) == pytest.approx(share)
    assert 161.0764 * share == pytest.approx(61.2421, abs=2e-3)


def test_the_protocols_fee_is_booked_beside_each_stream_exact_once_withdrawn(tell):
    memory = tell(*WHOLE, *SHARES, "healthy_earnings")
    fees = {each.stream: each for each in reading(memory).accruals if each.kind == "fee"}
    earned = {each.stream: each for each in reading(memory).accruals if each.kind == "earned"}
    assert set(fees) == set(earned)
    for stream, fee in fees.items():
        assert (fee.final, fee.period_start) == (earned[stream].final, earned[stream].period_start)
        assert abs(fee.amounts.settled - earned[stream].amounts.settled / 20) < Decimal("1e-17")
    (owed,) = [each for each in fees.values() if each.amounts.accrued]
    assert owed.amounts.accrued == Decimal("4.5")


def test_the_stake_table_and_the_model_rate(tell):
    memory = tell(*WHOLE, *STAKES, *LATER)
    first, second = stake_table(memory)
    assert (first.sponsorship, first.staked, first.total) == (FIRST, 15_000 * DATA, 30_000 * DATA)
    assert first.payout == pytest.approx(1e16)
    assert first.model == pytest.approx(first.earns)
    assert second.model == pytest.approx(2.5e15)
    assert facts(memory)["model rate"].startswith("27.000000")
    assert "solvent for ever" in facts(memory)[f"stake in {FIRST}"]


def slopes(memory, total):
    last = memory.slopes[-1]
    each = Slope(first=last.first, last=last.last, wei_per_s={FIRST: total})
    return replace(memory, slopes=(each,) * KEPT_SLOPES)


@pytest.mark.parametrize(("share", "off"), [(1.0, None), (0.96, None), (0.9, 0.1), (1.1, 1 - 1 / 1.1), (0.0, 1.0)])
def test_an_hour_of_more_than_five_per_cent_off_the_model_is_told(tell, share, off):
    graph = {"subgraph_url": "https://graph.example/sub"}
    memory = tell(*WHOLE, *STAKES, *LATER, "graph_healthy", memory=begin(**graph))
    memory = slopes(memory, 7.5e15 * share)
    assert disagreement(memory) == (None if off is None else pytest.approx(off))
    assert ("rate_disagrees" in codes(memory)) == (off is not None)


def test_less_than_an_hour_of_rates_says_nothing_of_the_model(tell):
    assert disagreement(tell(*WHOLE, *STAKES, *LATER)) is None


# -- advice ----------------------------------------------------------------------------------------------

LEAST = 5000.0


def place(name, payout, others, staked=0, keep=0):
    return Place(sponsorship=name, payout=payout, others=others, staked=staked, keep=keep)


def test_stake_fills_until_what_one_more_token_earns_is_equal_everywhere():
    places = [place("a", 9.0, 90_000.0), place("b", 4.0, 40_000.0)]
    stakes = best_stakes(places, 60_000, LEAST)
    assert sum(stakes) == pytest.approx(60_000)
    margins = [p.payout * p.others / (p.others + x) ** 2 for p, x in zip(places, stakes, strict=True)]
    assert margins[0] == pytest.approx(margins[1])


def test_what_earns_more_with_the_minimum_may_earn_less_with_a_little_more():
    places = [place("a", 3.5, 21_509.0), place("b", 1.98046875, 10_000.0)]
    assert best_stakes(places, 5000.0, LEAST) == pytest.approx((0.0, 5000.0))
    assert best_stakes(places, 5001.0, LEAST) == pytest.approx((5001.0, 0.0))


amounts = st.floats(10_000, 200_000)


@settings(max_examples=25)
@given(
    rates=st.lists(st.floats(0.1, 10), min_size=1, max_size=3),
    others=st.lists(amounts, min_size=3, max_size=3),
    pool=st.floats(5000, 60_000),
)
def test_no_split_on_a_grid_earns_more(rates, others, pool):
    places = [place(f"{n}", rate, other) for n, (rate, other) in enumerate(zip(rates, others, strict=False))]
    found = best_stakes(places, pool, LEAST)
    assert sum(found) <= pool * (1 + 1e-6)
    assert all(x == 0 or x >= LEAST * (1 - 1e-9) for x in found)
    grid = [0.0, *(LEAST + step * (pool - LEAST) / 8 for step in range(9))]
    splits = [split for split in product(grid, repeat=len(places)) if sum(split) <= pool]
    assert income(places, found) >= max(income(places, split) for split in splits) * (1 - 1e-6)


def test_what_may_not_be_left_keeps_its_minimum():
    places = [place("a", 9.0, 10_000.0), place("b", 0.0, 10_000.0, staked=8000, keep=5000)]
    assert best_stakes(places, 20_000, LEAST) == (pytest.approx(15_000), 5000.0)


def test_the_autostakers_split_ignores_what_others_staked():
    places = [place("a", 3.0, 1e6), place("b", 1.0, 1.0), place("c", 0.0, 1.0)]
    assert proportional_stakes(places, 18_000, LEAST) == (11_000.0, 7000.0, 0.0)


@pytest.fixture
def advised(tell):
    def ready(*more):
        graph = {"subgraph_url": "https://graph.example/sub"}
        words = ("word_owner", "min_stake", "free_data", "queue_empty", "gas_price", "nodes_one")
        memory = tell(*WHOLE, *STAKES, *words, *LATER, "graph_healthy", *more, memory=begin(**graph))
        half = {"owned": 50, "supply": 100}
        return replace(memory, words={**memory.words, **half})

    return ready


def test_advice_says_gain_gas_and_risk_and_what_to_send(advised):
    memory = advised()
    found = advise(memory)
    assert found is not None
    assert found.gain > 0.05 * found.before
    sentence, remedy = in_words(memory, found)
    for word in ("DATA/h more", "autostaker's own split", "POL", "Risk:"):
        assert word in sentence
    assert "your own wallet" in remedy
    assert "stake(" in remedy
    spent = sum(move.target - move.before for move in found.moves)
    assert spent <= 6000 * DATA
    reductions = [move.target < move.before for move in found.moves]
    assert reductions == sorted(reductions, reverse=True), "what is freed comes before what needs it"


@pytest.mark.parametrize(
    "change",
    [
        {f"locked/{FIRST}": 1},
        {"owned": 1},
        {"free": None},
        {"min_stake": None},
        {f"total/{FIRST}": None},
    ],
    ids=["a flag is open", "own share too low", "free unknown", "minimum unknown", "a total unknown"],
)
def test_there_is_no_advice_while_it_would_be_wrong(advised, change):
    memory = advised()
    words = {key: value for key, value in {**memory.words, **change}.items() if value is not None}
    assert advise(replace(memory, words=words)) is None


def test_there_is_no_advice_while_delegators_wait(advised, tell):
    assert advise(tell("queue_waiting", memory=advised())) is None


def test_the_autostaker_is_named_as_a_risk(advised, tell):
    memory = tell("setup_open_ports", memory=advised())
    assert any("autostaker" in risk for risk in advise(memory).risks)


def test_calls_are_those_of_the_operator_contract():
    up = Move(sponsorship=FIRST, before=5000 * DATA, target=7000 * DATA)
    down = Move(sponsorship=FIRST, before=7000 * DATA, target=0)
    assert up.calldata == f"0xadc9772e{FIRST[2:]:0>64}{2000 * DATA:064x}"
    assert down.calldata == f"0xd1b68611{FIRST[2:]:0>64}{0:064x}"
    assert (up.gas, down.gas) == (250_000, 293_000)


def test_nothing_is_ever_signed_and_no_stake_is_forced(advised):
    from orch.protocols.streamr import PROTOCOL
    from tests.fakes.streamr import NOW

    bodies = [each.request.body for each in PROTOCOL.endpoints(advised(), NOW) if each.key != "info"]
    assert not [body for body in bodies if b"send" in body or b"a93a019f" in body]
    assert all(b'"eth_' in body or b"query" in body for body in bodies)
